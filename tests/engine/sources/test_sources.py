"""`engine source`: references to runs made elsewhere, read anew, never copied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.sources.manage import sources_of
from engine.sources.reading import read_source
from engine.workspace import Workspace

Engine = Callable[..., Any]

TABLE = """id,Feed rate [µL/min],PVA (wt%),Applied voltage (V),drum,fracture.longitudinal,dye
a,5,12,15000,0,4.1,red
b,10,14,18000,400,6.2,blue
c,15,16,21000,800,7.7,
d,20,18,24000,,,
b2,10,14,18000,400,6.2,blue
"""
MAPPED = ("--map", "concentration=PVA", "--map", "collector_speed=drum")


@pytest.fixture
def table(folder: Path) -> Path:
    path = folder / "old.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


class TestTable:
    def test_names_units_and_what_is_left_aside(self, engine: Engine, table: Path) -> None:
        answer = engine("source", "add", "old", "--table", table, *MAPPED, "--json")
        assert answer.exit_code == 0, answer.err
        told = answer.json
        assert told["n_runs"] == 3
        assert {p["name"]: (p["means"], p["factor"]) for p in told["parameters"]} == {
            "Feed rate": ("flow_rate", pytest.approx(0.06)),
            "PVA": ("concentration", 1.0),
            "Applied voltage": ("voltage", pytest.approx(1e-3)),
            "drum": ("collector_speed", 1.0),
        }
        assert all(p["in_campaign"] for p in told["parameters"])
        assert told["outcomes"] == {"fracture.longitudinal": "fracture_strength.longitudinal"}
        assert told["definition"]["path"] == "old.csv"
        assert "columns left aside: dye" in answer.err
        assert "1 of 5 rows have no result" in answer.err
        assert "1 rows repeat another one exactly" in answer.err

    def test_a_reference_is_read_anew(self, engine: Engine, table: Path) -> None:
        assert engine("source", "add", "old", "--table", table, *MAPPED).exit_code == 0
        assert not engine("source", "show", "old", "--json").json["has_changed"]
        table.write_text(TABLE.replace("7.7", "8.8"), encoding="utf-8")
        answer = engine("source", "show", "old", "--json")
        assert answer.json["has_changed"]
        assert "reads otherwise" in answer.err
        table.unlink()
        answer = engine("source", "show", "old")
        assert answer.exit_code == 1
        assert "no such file" in answer.err

    def test_mapping_file_and_stated_unit(self, engine: Engine, folder: Path) -> None:
        (folder / "t.csv").write_text("Q,strength\n5,4\n10,6\n", encoding="utf-8")
        (folder / "map.toml").write_text(
            '[names]\nflow_rate = "Q"\n"fracture_strength.transverse" = "strength"\n'
            '[units]\nQ = "µL/min"\n',
            encoding="utf-8",
        )
        answer = engine("source", "add", "m", "--table", "t.csv", "--mapping", "map.toml", "--json")
        assert answer.exit_code == 0, answer.err
        assert answer.json["parameters"][0]["factor"] == pytest.approx(0.06)
        assert answer.json["outcomes"] == {"strength": "fracture_strength.transverse"}
        (folder / "map.toml").write_text("name = 1\n", encoding="utf-8")
        answer = engine("source", "add", "n", "--table", "t.csv", "--mapping", "map.toml")
        assert (answer.exit_code, "Did you mean 'names'" in answer.err) == (2, True)

    @pytest.mark.parametrize(
        ("content", "words", "code", "message"),
        [
            ("n,theta,toughness\n1,2,3\n", [], 1, "no parameter in common"),
            ("n,theta,toughness\n1,2,3\n", [], 1, "columns left aside: n, theta, toughness"),
            ("voltage,toughness\n1,2\n", [], 1, "there is nothing to learn"),
            ("voltage [mL/h],elongation.transverse\n1,2\n", [], 1, "can become kV, got mL/h"),
            ("voltage,elongation.transverse\n1,much\n", [], 1, "finite number"),
            ("voltage,elongation.transverse\n", [], 1, "expected rows of values"),
            ("u,elongation.transverse\n1,2\n", ["--map", "voltage=V"], 2, "no column 'V'"),
            ("u,elongation.transverse\n1,2\n", ["--map", "volt=u"], 2, "Did you mean 'voltage'"),
            ("voltage,elongation.transverse\n1,2\n", ["--unit", "voltage=kF"], 2, "not known"),
            ("voltage,elongation.transverse\n1,2\n", ["--unit", "v=kV"], 2, "has no parameter 'v'"),
            ("voltage,elongation.transverse\n1,2\n", ["--labs", "3"], 2, "--simulated"),
            ("voltage,elongation.transverse\n1,2\n", ["--simulated"], 2, "got 2 of them"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_is_refused(
        self, engine: Engine, folder: Path, state: Callable[[], Any], content: str,
        words: list[str], code: int, message: str,
    ) -> None:  # fmt: skip
        (folder / "t.csv").write_text(content, encoding="utf-8")
        before = state()
        answer = engine("source", "add", "t", "--table", "t.csv", *words)
        assert (answer.exit_code, message in answer.err) == (code, True), answer.err
        assert state() == before

    def test_the_campaigns_own_runs_are_refused(
        self, engine: Engine, folder: Path, workspace: Workspace,
        fill: Callable[[Workspace, int], None],
    ) -> None:  # fmt: skip
        fill(workspace, 6)
        engine("export", "--out", "own.csv")
        answer = engine("source", "add", "own", "--table", "own.csv")
        assert answer.exit_code == 1, answer.err
        assert "6 of its 6 runs are recorded in the campaign" in answer.err


class TestCampaigns:
    def test_of_another_database(self, engine: Engine, other: Path, folder: Path) -> None:
        for name, place in (
            ("a", other),
            ("b", other / "config.toml"),
            ("c", other / "spinneret.db"),
        ):
            answer = engine("source", "add", name, "--database", place, "--json")
            assert answer.exit_code == 0, answer.err
            assert answer.json["n_runs"] == 12
            assert answer.json["definition"]["campaign"] == "nanofibre"
            assert len(answer.json["outcomes"]) == 10
        fingerprints = {
            s["fingerprint_when_added"] for s in engine("source", "list", "--json").json["items"]
        }
        assert len(fingerprints) == 1

    def test_micrographs_come_along(
        self, engine: Engine, other: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rng = np.random.default_rng(0)
        picture = folder / "m.png"
        Image.fromarray(rng.integers(0, 255, (64, 64), dtype=np.uint8)).save(picture)
        with monkeypatch.context() as elsewhere:
            elsewhere.chdir(other)
            done = engine("log", "1", "--micrograph", picture, "--note", "x")
            assert done.exit_code == 0, done.err
        answer = engine("source", "add", "a", "--database", other, "--nm-per-pixel", "50", "--json")
        assert answer.json["n_micrographs_with_scale"] == 1
        with Workspace.open(folder / "config.toml") as workspace:
            (record,) = sources_of(workspace)[2]
            (shown,) = [run for run in read_source(workspace, record).runs if run.pictures]
        assert shown.pictures[0].nm_per_pixel == 50.0
        assert shown.pictures[0].path.is_file()
        assert set(shown.conditions) >= {"voltage", "flow_rate"}

    def test_of_this_database_and_not_itself(
        self, engine: Engine, folder: Path, workspace: Workspace,
        fill: Callable[[Workspace, int], None],
    ) -> None:  # fmt: skip
        fill(workspace, 5)
        text = (folder / "config.toml").read_text(encoding="utf-8")
        (folder / "b.toml").write_text(text.replace('name = "nanofibre"', 'name = "second"'))
        assert engine("campaign", "create", "--file", "b.toml").exit_code == 0
        answer = engine("source", "add", "first", "--campaign", "nanofibre", "--json")
        assert (answer.exit_code, answer.json["n_runs"]) == (0, 5), answer.err
        for words in (
            ("--campaign", "second"),
            ("--database", ".", "--campaign", "second"),
            ("--database", "."),
        ):
            answer = engine("source", "add", "me", *words)
            assert (answer.exit_code, "is the active campaign" in answer.err) == (2, True)
        answer = engine("source", "add", "x", "--campaign", "third")
        assert (answer.exit_code, "recorded are: nanofibre, second" in answer.err) == (1, True)

    @pytest.mark.parametrize("place", ["nowhere", "postgresql://me:secret@host/db", "old.csv"])
    def test_what_is_no_database(self, engine: Engine, table: Path, place: str) -> None:
        answer = engine("source", "add", "x", "--database", place)
        assert answer.exit_code == 1
        assert "secret" not in answer.err


class TestKeeping:
    def test_list_and_remove(self, engine: Engine, table: Path) -> None:
        assert "no sources" in engine("source", "list").out
        assert engine("source", "add", "old", "--table", table, *MAPPED).exit_code == 0
        assert (
            engine(
                "source", "add", "labs", "--simulated", "--labs", "2", "--all-campaigns"
            ).exit_code
            == 0
        )
        assert [s["name"] for s in engine("source", "list", "--json").json["items"]] == [
            "old",
            "labs",
        ]
        assert "2 simulated labs from seed 0" in engine("source", "list").out
        assert engine("source", "remove", "old").exit_code == 0
        assert engine("source", "add", "old", "--table", table, *MAPPED).exit_code == 0
        answer = engine("source", "remove", "odl")
        assert (answer.exit_code, "Did you mean 'old'" in answer.err) == (1, True)

    def test_one_name_one_source(self, engine: Engine, table: Path) -> None:
        assert engine("source", "add", "old", "--table", table, *MAPPED).exit_code == 0
        answer = engine("source", "add", "old", "--simulated", "--labs", "1")
        assert (answer.exit_code, "exists already" in answer.err) == (1, True)

    @pytest.mark.parametrize("name", ["ensemble", "../x", "", "a" * 65])
    def test_names_that_cannot_be(self, engine: Engine, name: str) -> None:
        answer = engine("source", "add", name, "--simulated", "--labs", "1")
        assert (answer.exit_code, "NAME:" in answer.err) == (2, True)

    def test_benchmark_seeds_are_kept_apart(self, engine: Engine) -> None:
        answer = engine("source", "add", "x", "--simulated", "--labs", "9", "--seed", "99995")
        assert (answer.exit_code, "kept for benchmarks" in answer.err) == (2, True)


def test_the_published_table(engine: Engine, folder: Path, shared_data: Path) -> None:
    answer = engine("source", "add", "paper", "--matmcl", shared_data / "matmcl", "--json")
    assert answer.exit_code == 0, answer.err
    assert (answer.json["n_runs"], len(answer.json["outcomes"])) == (200, 10)
    with Workspace.open(folder / "config.toml") as workspace:
        (record,) = sources_of(workspace)[2]
        assert read_source(workspace, record).fingerprint == record.fingerprint


def test_tables_of_the_field(engine: Engine, shared_data: Path) -> None:
    path = shared_data / "spindb" / "cogni_e_spindb.csv"
    answer = engine("source", "add", "spindb", "--table", path, "--json")
    assert answer.exit_code == 0, answer.err
    means = {p["means"] for p in answer.json["parameters"]}
    assert means >= {"flow_rate", "voltage", "concentration", "distance", "humidity"}
    assert answer.json["outcomes"] == {"fiber_diameter": "fibre_diameter"}
