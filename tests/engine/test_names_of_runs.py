"""Runs by what people call them: numbers that could be two things, one word in two spellings."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from db.words import nfc
from engine.experiments.importers.cells import parse_condition
from engine.experiments.importers.words import CellError, clean_label
from engine.workspace import Workspace

Engine = Callable[..., Any]
HEAD = "id,flow_rate,concentration,voltage,collector_speed,elongation.longitudinal"
COMPOSED, DECOMPOSED = "M\u00fcller-1", "Mu\u0308ller-1"


def runs_of(workspace: Workspace) -> dict[str | None, Any]:
    with workspace.database.read() as tx:
        return {run.label: run for run in tx.experiments.find(1)}


@pytest.fixture
def backwards(engine: Engine, folder: Path) -> Engine:
    """Import five runs labelled 5, 4, 3, 2, 1: experiment 5 is sample 1."""
    rows = "\n".join(f"{label},0.4,18,{15 + label},400," for label in (5, 4, 3, 2, 1))
    (folder / "five.csv").write_text(f"{HEAD}\n{rows}\n", encoding="utf-8")
    assert engine("import", "five.csv").exit_code == 0
    return engine


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (64, 64), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


class TestNumbers:
    @pytest.mark.parametrize("word", ["5", "05", "0005"])
    def test_what_could_be_two_runs_is_refused_and_both_are_named(
        self, backwards: Engine, word: str, state: Callable[[], Any]
    ) -> None:
        before = state()
        for command in (("log", word, "elongation.longitudinal=88"), ("show", word)):
            answer = backwards(*command)
            assert answer.exit_code == 2
            assert "experiment 5 · label 1 or experiment 1 · label 5" in answer.err
            assert "id:5 or label:5" in answer.err
        assert state() == before

    def test_which_is_meant_can_be_said(self, backwards: Engine, workspace: Workspace) -> None:
        assert backwards("log", "label:5", "elongation.longitudinal=88").exit_code == 0
        assert backwards("log", "id:5", "elongation.longitudinal=70").exit_code == 0
        # The number and the label of one run: nothing else can be meant.
        assert backwards("log", "3", "elongation.longitudinal=77").exit_code == 0
        values = {
            label: run.replicates()["elongation.longitudinal"][0]
            for label, run in runs_of(workspace).items()
            if run.measurements
        }
        assert values == {"5": 88.0, "1": 70.0, "3": 77.0}
        assert backwards("show", "LABEL: 5").exit_code == 0
        for word in ("id:x", "id:99", "label:9", "id:" + "9" * 30, "9" * 5000):
            assert backwards("show", word).exit_code == 1

    def test_a_label_alone_is_asked_for_by_name(self, engine: Engine, folder: Path) -> None:
        (folder / "one.csv").write_text(f"{HEAD}\n0041,0.4,18,18,400,\n", encoding="utf-8")
        assert engine("import", "one.csv").exit_code == 0
        answer = engine("show", "41")
        assert answer.exit_code == 1
        assert "label:0041" in answer.err
        assert engine("show", "label:41").exit_code == 0
        assert engine("show", "label:0041", "--json").json["label"] == "0041"

    def test_files_of_results(self, backwards: Engine, workspace: Workspace) -> None:
        Path("a.csv").write_text("id,elongation.longitudinal\n5,88\n", encoding="utf-8")
        answer = backwards("log", "--file", "a.csv")
        assert answer.exit_code == 1
        assert "could mean" in answer.err
        Path("b.csv").write_text("label,elongation.longitudinal\n5,88\n", encoding="utf-8")
        assert backwards("log", "--file", "b.csv").exit_code == 0
        # The worksheet's own column is the number that status shows.
        Path("c.csv").write_text("experiment,elongation.longitudinal\n5,70\n", encoding="utf-8")
        assert backwards("log", "--file", "c.csv").exit_code == 0
        values = {k: r.replicates() for k, r in runs_of(workspace).items() if r.measurements}
        assert {k: list(v.values()) for k, v in values.items()} == {"5": [(88.0,)], "1": [(70.0,)]}

    def test_names_of_pictures(self, backwards: Engine, workspace: Workspace) -> None:
        picture(Path("sem/0005_1.tif"), 1)
        answer = backwards("micrograph", "import", "sem")
        assert answer.exit_code == 1
        assert "label:5" in answer.err
        assert "experiment 5" in answer.err
        answer = backwards("micrograph", "add", "sem/0005_1.tif", "--experiment", "5")
        assert answer.exit_code == 2
        answer = backwards("micrograph", "add", "sem/0005_1.tif", "--experiment", "label:5")
        assert answer.exit_code == 0, answer.err
        picture(Path("more/0003_1.tif"), 2)
        assert backwards("micrograph", "import", "more").exit_code == 0
        pictured = {k for k, run in runs_of(workspace).items() if run.micrographs}
        assert pictured == {"5", "3"}

    def test_zeros_that_a_workbook_shows_are_kept(self, engine: Engine, folder: Path) -> None:
        workbook = openpyxl.Workbook()
        sheet = workbook.active
        assert sheet is not None
        sheet.append(HEAD.split(","))
        for row, (label, shown) in enumerate([(7, "0000"), (12, "General"), (41, "000")], 2):
            sheet.append([label, 0.4, 18, 18, 400, 80 + row])
            sheet.cell(row, 1).number_format = shown
        workbook.save(folder / "zeros.xlsx")
        assert engine("import", "zeros.xlsx").exit_code == 0
        with Workspace.open(folder / "config.toml") as workspace:
            assert list(runs_of(workspace)) == ["0007", "12", "041"]
        assert "3 unchanged" in engine("import", "zeros.xlsx").out


class TestSpellings:
    def test_one_run_in_both_spellings(
        self, engine: Engine, folder: Path, workspace: Workspace
    ) -> None:
        text = f"{HEAD}\n{DECOMPOSED},0.4,18,18,400,88\n"
        (folder / "mac.csv").write_text(text, encoding="utf-8")
        assert engine("import", "mac.csv").exit_code == 0
        (folder / "pc.csv").write_text(nfc(text), encoding="utf-8")
        assert "1 unchanged" in engine("import", "pc.csv").out
        assert engine("show", COMPOSED, "--json").json["label"] == DECOMPOSED  # as it was given
        answer = engine("log", COMPOSED, "fracture_strength.longitudinal=12")
        assert answer.exit_code == 0
        words = ("flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400")
        answer = engine("log", "--new", *words, "--label", COMPOSED)
        assert answer.exit_code == 1
        assert "choose another" in answer.err
        (folder / "r.csv").write_text(f"label,note\n{COMPOSED},a word\n", encoding="utf-8")
        assert engine("log", "--file", "r.csv").exit_code == 0
        picture(folder / "sem" / f"{COMPOSED}_1.png", 3)
        assert engine("micrograph", "import", "sem").exit_code == 0
        (run,) = runs_of(workspace).values()
        assert (run.note, len(run.micrographs), len(run.measurements)) == ("a word", 1, 2)

    def test_two_spellings_in_one_file_are_one_run(self, engine: Engine, folder: Path) -> None:
        rows = f"{COMPOSED},0.4,18,18,400,88\n{DECOMPOSED},0.4,18,18,400,90\n"
        (folder / "both.csv").write_text(f"{HEAD}\n{rows}", encoding="utf-8")
        answer = engine("import", "both.csv")
        assert answer.exit_code == 1
        assert "stands in row 2" in answer.err

    def test_choices(self, mixture: Any) -> None:
        solvent = next(p for p in mixture.parameters if p.choices)
        parameter = solvent.model_copy(update={"choices": ("L\u00f6sung", "Wasser")})
        for word in ("Lo\u0308sung", "L\u00f6sung", "LO\u0308SUNG"):
            assert parse_condition(word, parameter) == "L\u00f6sung"

    @pytest.mark.parametrize(
        "mark",
        ["\u200b", "\u200d", "\u00ad", "\ufeff", "\u202e", "\u2066", "\u200f", "\u061c", "\u2028",
         "\u3164", "\ufe0f", "\u034f"],
    )  # fmt: skip
    def test_marks_that_nobody_sees_are_refused(
        self, engine: Engine, state: Callable[[], Any], mark: str
    ) -> None:
        before = state()
        words = ("flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400")
        answer = engine("log", "--new", *words, "--label", f"S{mark}1")
        assert answer.exit_code == 2
        assert f"U+{ord(mark):04X}" in answer.err
        Path("t.csv").write_text(f"{HEAD}\nS{mark}1,0.4,18,18,400,88\n", encoding="utf-8")
        assert engine("import", "t.csv").exit_code == 1
        assert state() == before

    @pytest.mark.parametrize(
        "label", ["Mat 7", "静電-1", "Проба 3", "عينة ٥", "नमूना-२", "μ→∞", COMPOSED]
    )
    def test_labels_of_every_script_are_taken(self, label: str) -> None:
        assert clean_label(label) == label
        with pytest.raises(CellError):
            clean_label(f"{label}\u200b")


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    label=st.text(
        st.characters(categories=("L", "M", "Nd", "Pd", "Po"), exclude_characters="=,\"'"),
        min_size=2, max_size=12,
    ).filter(lambda word: not word.isascii() and ":" not in word and not word.startswith("-"))
)  # fmt: skip
def test_a_label_is_found_in_every_normal_form(workspace: Workspace, label: str) -> None:
    from engine.experiments.entries import Entry
    from engine.experiments.record import record
    from engine.workspace.lookup import find_experiment

    try:
        clean = clean_label(label)
    except CellError:
        return
    if clean is None:
        return
    conditions = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}
    with workspace.database.read() as tx:
        id_ = tx.experiments.labelled(1, clean)
    if id_ is None:
        id_ = record(workspace, Entry(label=clean, conditions=conditions)).experiment.id
    with workspace.database.read() as tx:
        campaign = tx.campaigns.active()
        assert campaign is not None
        for form in ("NFC", "NFD"):
            word = unicodedata.normalize(form, clean)
            assert find_experiment(tx, campaign, word, is_label=True).id == id_


@pytest.mark.parametrize("label", ["=A1", "a=b", "-x=", "label:7=", "id:3", "elongation=5"])
def test_a_label_with_signs_in_it_can_be_named(engine: Engine, folder: Path, label: str) -> None:
    (folder / "one.csv").write_text(f'{HEAD}\n"{label}",0.4,18,15,400,80\n', encoding="utf-8")
    assert engine("import", "one.csv").exit_code == 0
    word = f"label:{label}"
    answer = engine("log", word, "elongation.longitudinal=88", "--replicate")
    assert answer.exit_code == 0, answer.err
    shown = engine("show", word, "--json").json
    assert shown["label"] == label
    assert [m["value"] for m in shown["measurements"]] == [80.0, 88.0]
    assert engine("log", word, "--retract").exit_code == 0
