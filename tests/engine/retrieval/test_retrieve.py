"""``engine retrieve``: both ways over the gallery."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.workspace import Workspace


def words_of(conditions) -> str:
    return ",".join(f"{name}={value:g}" for name, value in conditions.items())


def test_conditions_find_pictures_of_such_mats(pictured: Path, engine, mats) -> None:
    answer = engine("retrieve", "--conditions", words_of(mats.conditions[3]), "--k", 5, "--json")
    assert answer.exit_code == 0, answer.err
    document = answer.json
    assert (document["gallery"], len(document["items"])) == (40, 5)
    assert document["model"] == "1"
    assert all(-1 <= match["similarity"] <= 1 for match in document["items"])
    expected, off = document["query_statistics"], []
    for match in document["items"]:
        d = np.hypot(
            np.log(match["statistics"]["diameter_nm"] / expected["diameter_nm"]) / np.log(1.1),
            (match["statistics"]["order"] - expected["order"]) / 0.1,
        )
        off.append(1.5 * d**2 - match["fit"])
    assert off == sorted(off)
    match = document["items"][0]
    assert match["label"].startswith("M")
    assert match["units"]["voltage"] == "kV"
    assert document["query_statistics"]["expected"] is True
    expected = document["query_statistics"]["diameter_nm"]
    off = match["statistics"]["diameter_nm"] - expected
    assert match["difference"]["diameter_nm"] == pytest.approx(off)


def test_what_is_found_resembles_what_was_asked_more_than_chance(pictured: Path, engine, mats):
    true = np.array([np.log(s["diameter"]["mean"]) for s in mats.statistics])
    errors = []
    for i in range(0, 40, 10):
        document = engine(
            "retrieve", "--conditions", words_of(mats.conditions[i]), "--k", 3, "--json"
        ).json
        found = [np.log(m["statistics"]["diameter_nm"]) for m in document["items"]]
        errors.append(np.abs(np.mean(found) - true[i]))
    by_chance = np.abs(true[:, None] - true[None]).mean()
    assert np.mean(errors) < 0.7 * by_chance


def test_a_micrograph_finds_itself_and_its_run(pictured: Path, engine, mats) -> None:
    answer = engine(
        "retrieve", "--micrograph", "M7.png", "--nm-per-pixel", 120, "--k", 20, "--json"
    )
    assert answer.exit_code == 0, answer.err
    document = answer.json
    (itself,) = (match for match in document["items"] if match["label"] == "M7")
    assert itself["similarity"] == pytest.approx(1.0, abs=1e-6)
    assert itself["conditions"] == pytest.approx(mats.conditions[7])
    assert -1 <= itself["conditions_similarity"] <= 1
    assert itself["fit"] is not None
    assert document["query_statistics"]["expected"] is False
    assert len(document["items"]) == 20


def test_the_table_has_units_and_a_contact_sheet_goes_with_it(pictured: Path, engine) -> None:
    answer = engine(
        "retrieve", "--micrograph", "M7.png", "--nm-per-pixel", 120, "--contact-sheet", "sheet.png"
    )
    assert answer.exit_code == 0, answer.err
    for word in (
        "similarity",
        "fits",
        "your picture is of the run's",
        "[nm]",
        "[kV]",
        "porosity",
        "the picture shows",
    ):
        assert word in answer.out
    with Image.open("sheet.png") as sheet:
        assert sheet.size[0] > 1000
        assert len(set(sheet.convert("L").resize((64, 64)).tobytes())) > 20


def test_some_conditions_are_enough(pictured: Path, engine) -> None:
    answer = engine("retrieve", "--set", "concentration=22", "--set", "v=18", "--k", 2)
    assert answer.exit_code == 0, answer.err
    assert "flow_rate, collector_speed left open" in answer.err
    assert "expected of these conditions: diameter" in answer.out


def test_embeddings_are_kept_and_made_anew(pictured: Path, engine) -> None:
    ask = ("retrieve", "--set", "concentration=22", "--json")
    before = engine(*ask).json
    with Workspace.open(pictured / "config.toml") as workspace:
        pictures = workspace.data_dir / "micrographs"
        with workspace.database.read() as tx:
            ((model, n),) = tx.embeddings.count().items()
    assert n == 40
    gone = pictures.rename(pictures.with_name("elsewhere"))
    again = engine(*ask)
    assert again.exit_code == 0, again.err
    assert again.json["items"] == before["items"]
    gone.rename(pictures)
    with Workspace.open(pictured / "config.toml") as workspace:
        with workspace.database.write("forget") as tx:
            tx.embeddings.forget({model})
        assert engine(*ask).json["items"] == before["items"]
        with workspace.database.read() as tx:
            assert tx.embeddings.count() == {model: 40}


def test_the_same_answers_from_a_server(
    pictured: Path, engine, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Workspace.open(pictured / "config.toml") as workspace,
        workspace.database.write("test") as tx,
    ):
        for experiment in tx.experiments.find(workspace.active_campaign(tx)[0].id)[:30]:
            (picture,) = experiment.micrographs
            tx.micrographs.set_measured(replace(picture, statistics=None))
    asks = [
        ("--set", "concentration=22", "--set", "voltage=18", "--k", 25),
        ("--micrograph", "M7.png", "--nm-per-pixel", 120, "--k", 35),
    ]
    here = [engine("retrieve", *ask, "--json").json for ask in asks]
    assert engine("db", "copy", "--to", postgres_url).exit_code == 0
    monkeypatch.setenv("SPINNERET_DATABASE__URL", postgres_url)
    there = [engine("retrieve", *ask, "--json") for ask in asks]
    assert [answer.err for answer in there if answer.exit_code] == []
    for one, other in zip(here, there, strict=True):
        assert [m["label"] for m in one["items"]] == [m["label"] for m in other.json["items"]]
        assert [m["similarity"] for m in one["items"]] == pytest.approx(
            [m["similarity"] for m in other.json["items"]], abs=1e-9
        )


def test_nothing_is_recorded(pictured: Path, engine, state) -> None:
    before = state()
    assert engine("retrieve", "--set", "concentration=22").exit_code == 0
    assert engine("retrieve", "--micrograph", "M1.png", "--nm-per-pixel", 120).exit_code == 0
    assert state() == before


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        ((), 2, "one of the two"),
        (("--set", "voltage=18", "--micrograph", "M1.png"), 2, "one of the two"),
        (("--conditions", ","), 2, "got nothing"),
        (("--conditions", "voltag=18"), 2, "Did you mean 'voltage'"),
        (("--conditions", "voltage=much"), 2, "voltage"),
        (("--set", "voltage=18", "--nm-per-pixel", "3"), 2, "belong to --micrograph"),
        (("--set", "voltage=18", "--gallery", "source"), 2, "Did you mean 'sources'"),
        (("--set", "voltage=18", "--gallery", "sources"), 1, "found none"),
        (("--set", "voltage=18", "--k", "0"), 2, "--k"),
        (("--set", "voltage=18", "--contact-sheet", "no/where.png"), 2, "existing folder"),
        (("--micrograph", "M1.png"), 1, "--nm-per-pixel"),
        (("--micrograph", "M1.png", "--nm-per-pixel", "-1"), 2, "above 0"),
        (("--micrograph", "M1.png", "--nm-per-pixel", "1"), 1, "too small"),
        (("--micrograph", "nowhere.png", "--nm-per-pixel", "120"), 1, "not there"),
        (("--micrograph", "text.png", "--nm-per-pixel", "120"), 1, "not a picture"),
    ],
)
def test_bad_words_are_refused(pictured: Path, engine, words, code: int, expected: str) -> None:
    Path("text.png").write_text("no picture", encoding="utf-8")
    answer = engine("retrieve", *words)
    assert answer.exit_code == code, answer.err
    assert expected in answer.err


def test_a_pickle_is_no_model(pictured: Path, engine) -> None:
    with Workspace.open(pictured / "config.toml") as workspace:
        weights = workspace.data_dir / "models" / "1" / "model.safetensors"
    weights.write_bytes(b"\x80\x04\x95" + weights.read_bytes()[3:])
    answer = engine("retrieve", "--set", "voltage=18", "--json")
    assert answer.exit_code == 0, answer.err
    assert answer.json["model"] == "the starter"  # the last good one serves, and it is said
    assert "was altered" in answer.err


def test_an_empty_gallery_is_told(engine, champion) -> None:
    answer = engine("retrieve", "--set", "voltage=18")
    assert answer.exit_code == 1
    assert "engine micrograph add" in answer.err


def test_the_starter_serves_until_a_model_is_trained(engine, folder: Path, mats, record_mats):
    record_mats(folder, mats, list(range(len(mats.pictures))))
    answer = engine("retrieve", "--conditions", words_of(mats.conditions[0]), "--json")
    assert answer.exit_code == 0, answer.err
    assert answer.json["model"] == "the starter"
    assert len(answer.json["items"]) == 6


def test_pictures_of_a_source_are_found_with_its_conditions(
    champion, engine, initialised: Path, tmp_path: Path, mats, record_mats
) -> None:
    other = tmp_path / "other"
    shutil.copytree(initialised, other)
    record_mats(other, mats, list(range(len(mats.pictures))))
    assert engine("source", "add", "old", "--database", other).exit_code == 0
    ask = ("retrieve", "--micrograph", other / "M5.png", "--nm-per-pixel", 120)
    found = engine(*ask, "--gallery", "sources", "--k", 1, "--json")
    assert found.exit_code == 0, found.err
    first = found.json["items"][0]
    assert (first["source"], first["label"], first["experiment"]) == ("old", "M5", None)
    assert first["conditions"] == pytest.approx(mats.conditions[5])
    assert first["similarity"] == pytest.approx(1.0, abs=1e-6)
    assert engine(*ask, "--gallery", "campaign").exit_code == 1
    shutil.rmtree(other / "spinneret-data" / "micrographs")
    shutil.rmtree(other)
    gone = engine("retrieve", "--set", "voltage=18", "--gallery", "all")
    assert gone.exit_code == 1
    assert "no finished run has one" in gone.err


def test_pictures_that_were_not_measured_come_last_most_similar_first(
    pictured: Path, engine, mats
) -> None:
    ask = ("retrieve", "--conditions", words_of(mats.conditions[3]), "--k", 40, "--json")
    unmeasured = [m["label"] for m in engine(*ask).json["items"][:2]]
    with (
        Workspace.open(pictured / "config.toml") as workspace,
        workspace.database.write("test") as tx,
    ):
        for experiment in tx.experiments.find(workspace.active_campaign(tx)[0].id):
            if experiment.label in unmeasured:
                (picture,) = experiment.micrographs
                older = {**mats.statistics[0], "version": 1}
                is_first = experiment.label == unmeasured[0]
                tx.micrographs.set_measured(
                    replace(picture, statistics=older if is_first else None)
                )
    answer = engine(*ask)
    assert "2 micrographs are not measured, or by an older version" in answer.err
    matches = answer.json["items"]
    assert {m["label"] for m in matches[-2:]} == set(unmeasured)
    assert matches[-2]["similarity"] >= matches[-1]["similarity"]
