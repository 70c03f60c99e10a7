"""``engine propose``, ``replay`` and ``score`` as somebody at the bench, or a script, uses them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.workspace import Workspace

AT = ("--at", "temperature=22", "--at", "humidity=50")
CANDIDATES = """who,f,concentration [%],v,r,t,w
Ann,0.4,18,18,400,22,50
Bo,0.6,22,16,0,22,50
Cy,0.3,17,20,1600,22,50
"""


@pytest.fixture
def filled(folder: Path, fill: Callable[[Workspace, int], None]) -> Path:
    """Return the folder of a workspace with 16 finished virtual runs."""
    with Workspace.open(folder / "config.toml") as workspace:
        fill(workspace, 16)
    return folder


def test_json_is_one_document_and_nothing_else(filled: Path, engine) -> None:
    answer = engine("propose", "--n", 3, *AT, "--seed", 7, "--json", "--explore")
    assert answer.exit_code == 0
    document = answer.json
    assert (document["campaign"], document["seed"]) == ("nanofibre", 7)
    assert document["strategy"] in ("matmcl", "sobol")
    assert [source["name"] for source in document["sources"]] in ([], ["ensemble"])
    assert isinstance(document["batch"], int)
    assert [p["order"] for p in document["proposals"]] == [1, 2, 3]
    first = document["proposals"][0]
    assert set(first["conditions"]) == {"flow_rate", "concentration", "voltage", "collector_speed"}
    assert first["ambient"] == {"temperature": 22.0, "humidity": 50.0}
    assert len(first["outcomes"]) == 10
    forecast = first["outcomes"]["elongation.longitudinal"]
    assert forecast["lower"] < forecast["mean"] < forecast["upper"]
    assert len({p["conditions"]["concentration"] for p in document["proposals"]}) <= 2
    assert "flow_rate" in answer.err


def test_the_table_names_units_and_reasons(filled: Path, engine) -> None:
    answer = engine("propose", "--n", 2, *AT, "--strategy", "sobol")
    assert answer.exit_code == 0
    for word in ("[mL/h]", "[%]", "[kV]", "[rpm]", "[MPa]", "fills the space", "meant for"):
        assert word in answer.out


def test_replay_finds_the_same(filled: Path, engine) -> None:
    batch = engine("propose", "--n", 2, *AT, "--json", "--explore").json["batch"]
    answer = engine("replay", batch, "--json")
    assert answer.exit_code == 0
    assert answer.json["same"] is True
    assert engine("replay", 99).exit_code == 1


def test_a_worksheet_for_the_bench(filled: Path, engine) -> None:
    answer = engine("propose", "--n", 2, *AT, "--csv", "sheet.csv", "--strategy", "sobol")
    assert answer.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(Path("sheet.csv").read_text(encoding="utf-8-sig"))))
    assert [row["order"] for row in rows] == ["1", "2"]
    assert float(rows[0]["voltage [kV]"]) >= 16
    assert rows[0]["elongation.longitudinal.mean"]
    assert rows[0]["elongation.longitudinal [%]"] == rows[0]["failed"] == ""


def test_a_worksheet_that_cannot_be_written_is_refused_before_anything_is_recorded(
    engine, folder: Path, state: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state()
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    answer = engine("propose", "--n", 2, "--csv", "sheet.csv")
    assert answer.exit_code == 2
    assert f"the folder {folder} cannot be written" in answer.err
    assert state() == before


def test_constrained_outcomes_are_shown_beside_the_objectives(filled: Path, engine) -> None:
    config = filled / "config.toml"
    text = config.read_text(encoding="utf-8")
    rule = "yield_strength.transverse <= 900"
    text = text.replace("\nconstraints = []", f'\nconstraints = ["{rule}"]')
    config.write_text(text, encoding="utf-8")
    assert engine("campaign", "revise").exit_code == 0
    answer = engine("propose", "--n", 1, *AT, "--strategy", "sobol")
    assert answer.out.startswith("1 run, in the order to run them (sobol)")
    assert "yield_strength" in answer.out
    assert f"meant to hold: {rule}." in answer.out


def test_score_gives_back_the_table_with_forecasts_and_ranks(filled: Path, engine) -> None:
    Path("candidates.csv").write_text(CANDIDATES, encoding="utf-8")
    answer = engine("score", "candidates.csv", "--out", "scored.csv")
    assert answer.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(Path("scored.csv").read_text(encoding="utf-8"))))
    headings = list(rows[0])
    assert headings[:7] == ["who", "f", "concentration [%]", "v", "r", "t", "w"]
    assert headings[7:10] == [
        f"fracture_strength.longitudinal.{part}" for part in ("mean", "lower", "upper")
    ]
    assert headings[-1] == "rank"
    assert [row["who"] for row in rows] == ["Ann", "Bo", "Cy"]
    assert sorted(row["rank"] for row in rows) == ["1", "2", "3"]
    again = engine("score", "scored.csv")
    assert again.out == Path("scored.csv").read_text(encoding="utf-8")
    printed = engine("score", "candidates.csv")
    assert printed.out == Path("scored.csv").read_text(encoding="utf-8")
    assert len(engine("score", "candidates.csv", "--json").json["items"]) == 3


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("--n", 0), 2, "1 to 100"),
        (("--n", 10_000), 2, "1 to 100"),
        (("--at", "humidity"), 2, "expected name=value"),
        (
            ("--at", "humidity=wet"),
            2,
            "--at humidity=wet: expected humidity [%] to be a finite number",
        ),
        (("--at", "humidity=500"), 2, "at most 100"),
        (("--at", "moisture=50"), 2, "not an ambient parameter"),
        (("--fix", "voltage=18.1"), 2, "the nearest is 18"),
        (("--fix", "humidity=50"), 2, "state it with --at"),
        (("--max-distinct", "concentration=two"), 2, "whole number"),
        (("--strategy", "gpp"), 2, "Did you mean 'gp'"),
        (("--csv", "nowhere/sheet.csv"), 2, "existing folder"),
    ],
)
def test_bad_words_are_refused_and_nothing_is_written(
    filled: Path, engine, state: Callable[[], object], words, code: int, expected: str
) -> None:
    before = state()
    answer = engine("propose", *words)
    assert answer.exit_code == code
    assert expected in answer.err
    assert state() == before


def test_candidates_that_cannot_be(filled: Path, engine) -> None:
    Path("bad.csv").write_text("f,c,v\n0.4,18,18\n", encoding="utf-8")
    answer = engine("score", "bad.csv")
    assert answer.exit_code == 1
    assert "collector_speed" in answer.err


def test_candidates_outside_the_search_are_scored_and_told(filled: Path, engine) -> None:
    Path("far.csv").write_text("f,c,v,r\n0.4,18,18,400\n0.4,18,30,400\n", encoding="utf-8")
    answer = engine("score", "far.csv", "--out", "scored.csv")
    assert answer.exit_code == 0
    assert "1 candidate lies outside the range searched of voltage [kV]" in answer.err


def test_scoring_needs_results(engine) -> None:
    Path("candidates.csv").write_text(CANDIDATES, encoding="utf-8")
    answer = engine("score", "candidates.csv")
    assert answer.exit_code == 1
    assert "nothing can be learnt yet" in answer.err
    assert "at least 2 are needed" in answer.err


def test_the_first_batch_of_a_new_lab(engine) -> None:
    answer = engine("propose", "--json")
    assert answer.exit_code == 0
    assert len(answer.json["proposals"]) == 8
    assert answer.json["strategy"] == "matmcl"
    assert any("sources expect" in note for note in answer.json["notes"])
    assert json.dumps(answer.json["proposals"][0]["outcomes"]) == "{}"


def test_the_first_batch_of_a_new_lab_without_sources_fills_the_space(engine) -> None:
    answer = engine("propose", "--json", "--strategy", "gp")
    assert answer.json["strategy"] == "sobol"
    assert any("cold start" in note for note in answer.json["notes"])
