"""Corrections by hand: what they do to the numbers, and that each is recorded and taken back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from db.records import CorrectionKind, MicrographRecord
from engine.errors import DataError, NotFoundError, StateError, UsageError
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.experiments.undo import undo
from engine.lab.physics import Microstructure
from engine.lab.render import render
from engine.micrographs import correct as correcting
from engine.micrographs.correct import correct, corrected_picture
from engine.micrographs.corrections import Correction, corrected_in_words
from engine.micrographs.overlay import measure_again, show
from engine.micrographs.scale import HowTaken
from engine.workspace import Workspace
from generator.corrections import Corrections
from generator.fibres import edges_of_fibre
from generator.statistics import measure

SETTINGS = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}
EXCLUDE, SCALE, DELETE, ADD = (
    CorrectionKind.EXCLUDE, CorrectionKind.SCALE, CorrectionKind.DELETE, CorrectionKind.ADD,
)  # fmt: skip


@pytest.fixture(scope="module")
def mat() -> NDArray[np.uint8]:
    values = (900.0, 0.2, 0.1, 0.85, 0.0, 0.2)
    structure = Microstructure(*(np.asarray(v) for v in values))
    return render(structure, np.random.default_rng(5), shape=(160, 240), nm_per_pixel=80.0)


@pytest.fixture
def kept(workspace: Workspace, tmp_path: Path, mat: NDArray[np.uint8]) -> MicrographRecord:
    path = tmp_path / "mat.png"
    strip = np.zeros((24, 240), np.uint8)
    strip[8:16:2, 20:90:4] = 255
    Image.fromarray(np.vstack([strip, mat])).save(path)  # the data bar on top: crop begins at 24
    entry = Entry(conditions=SETTINGS, micrographs=(path,))
    run = record(workspace, entry).experiment
    return measure_again(workspace, [run.micrographs[0].id], HowTaken(nm_per_pixel=80.0))[0]


def plain(statistics) -> dict:
    return json.loads(json.dumps(statistics))


def place_of_a_fibre(grey: NDArray[np.float32]) -> tuple[float, float]:
    reading = measure(grey).reading
    best = int(np.argmax(np.where(reading.edges.x > 60, reading.fibre, 0.0)))
    rows, columns = reading.in_picture(*reading.edges.at(0.5 * reading.diameter))
    return float(columns[best]) + 0.5, float(rows[best]) + 0.5


def test_an_excluded_area_counts_for_nothing(mat: NDArray[np.uint8]) -> None:
    grey = mat.astype(np.float32)
    spoilt = grey.copy()
    spoilt[:, :100] = 20.0  # a hole in the mat
    spoilt[40:60, 20:80] = 250.0
    whole, half = measure(spoilt).statistics, measure(grey[:, 100:]).statistics
    assert whole.porosity is not None
    assert half.porosity is not None
    assert whole.porosity > half.porosity + 0.05
    corrected = measure(spoilt, corrections=Corrections(excluded=((0, 0, 100, 160),))).statistics
    assert corrected.porosity == pytest.approx(half.porosity, abs=0.02)
    assert corrected.diameter.mean == pytest.approx(half.diameter.mean, rel=0.08)
    nothing = measure(grey, corrections=Corrections(excluded=((0, 0, 240, 160),))).statistics
    assert (nothing.porosity, nothing.diameter.mean, nothing.order) == (None, None, None)


def test_a_deleted_fibre_is_gone_and_no_other(mat: NDArray[np.uint8]) -> None:
    grey = mat.astype(np.float32)
    before = measure(grey)
    x, y = place_of_a_fibre(grey)
    own = edges_of_fibre(before.reading, x - 0.5, y - 0.5)
    assert 3 <= own.sum() < 0.25 * own.size
    after = measure(grey, corrections=Corrections(deleted=((x, y),)))
    assert len(after.reading.edges) == own.size - own.sum()
    assert (after.n_unmatched, after.statistics.porosity) == (0, before.statistics.porosity)
    nowhere = measure(grey, corrections=Corrections(deleted=((x, y), (-500.0, -500.0))))
    assert nowhere.n_unmatched == 1


def test_added_fibres_alone(mat: NDArray[np.uint8]) -> None:
    everything = (0.0, 0.0, 240.0, 160.0)
    added = ((10.0, 10.0, 10.0, 22.0), (50.0, 20.0, 62.0, 20.0), (90.0, 20.0, 114.0, 20.0))
    says = Corrections(excluded=(everything,), added=added)
    statistics = measure(mat.astype(np.float32), 50.0, corrections=says).statistics
    # Widths of 12, 12 and 24 px; one fibre along the rotation, two across.
    assert statistics.diameter.mean == pytest.approx(800.0)
    assert statistics.diameter.n == 3
    assert statistics.order == pytest.approx(-1 / 3)
    turned = measure(mat.astype(np.float32), 50.0, rotation_axis="y", corrections=says).statistics
    assert turned.order == pytest.approx(1 / 3)


def test_corrections_are_recorded_and_each_is_taken_back(workspace, kept) -> None:
    first = plain(kept.statistics)
    after = correct(workspace, kept.id, [Correction(EXCLUDE, 0, 0, 120, 184)], note="a scratch")
    assert after.statistics["diameter"]["n"] < first["diameter"]["n"]
    assert corrected_in_words(after.statistics) == "corrected by hand: 1 area excluded"
    scale = Correction(SCALE, 20, 12, 120, 12, "2 um")
    both = correct(workspace, kept.id, [scale])
    assert both.nm_per_pixel == pytest.approx(20.0)
    assert both.nm_per_pixel_source == "marked by hand: 100 px are 2 um"
    ratio = both.statistics["diameter"]["mean"] / after.statistics["diameter"]["mean"]
    assert ratio == pytest.approx(0.25)
    other = correct(workspace, kept.id, [Correction(SCALE, 20, 12, 70, 12, "2 um")])
    assert other.nm_per_pixel == pytest.approx(40.0)  # replaces the other one
    stands = corrected_picture(workspace, kept.id)
    assert [one.kind for one in stands.current] == [EXCLUDE, SCALE]
    assert stands.first_statistics == first
    back = correct(workspace, kept.id, undone=[stands.current[1].id])
    assert (back.nm_per_pixel, back.nm_per_pixel_source) == (80.0, "stated")
    assert plain(back.statistics) == plain(after.statistics)
    back = correct(workspace, kept.id, undone=[stands.current[0].id])
    assert plain(back.statistics) == first
    with workspace.database.read() as tx:
        assert len(tx.corrections.all_of(kept.id)) == 6
        assert tx.changes()[0].action == "micrograph correct"
    assert Path(workspace.data_dir / kept.path).is_file()


def test_measured_again_it_stays_corrected(workspace, kept) -> None:
    correct(workspace, kept.id, [Correction(EXCLUDE, 0, 0, 120, 184),
                                 Correction(SCALE, 20, 12, 120, 12, "2 um")])  # fmt: skip
    again = measure_again(workspace, [kept.id], HowTaken(rotation_axis="y"))[0]
    assert again.nm_per_pixel == pytest.approx(20.0)
    assert [one["kind"] for one in again.statistics["corrections"]] == ["exclude", "scale"]
    # A size that is stated takes the scale back.
    again = measure_again(workspace, [kept.id], HowTaken(nm_per_pixel=30.0))[0]
    assert again.nm_per_pixel == 30.0
    stands = corrected_picture(workspace, kept.id)
    assert [one.kind for one in stands.current] == [EXCLUDE]
    with Image.open(show(workspace, kept.id).overlay) as drawn:
        assert drawn.size == (240, 184)


def test_undo_takes_the_last_correction_back(workspace, kept) -> None:
    first = plain(kept.statistics)
    acting = workspace.acting("anna")
    correct(acting, kept.id, [Correction(EXCLUDE, 0, 0, 120, 184)])
    scale = correct(acting, kept.id, [Correction(SCALE, 20, 12, 120, 12, "2 um")])
    correct(acting, kept.id, [Correction(SCALE, 20, 12, 220, 12, "2 um")])
    (sentence,) = {text.split(": ")[1].rpartition(" ")[0] for text in undo(
        workspace, "anna", is_dry_run=True).restored if "taken back" in text}  # fmt: skip
    assert sentence.startswith("correction 4 taken")
    undo(workspace, "anna")
    now = corrected_picture(workspace, kept.id)
    assert now.picture.nm_per_pixel == pytest.approx(20.0)
    assert now.picture.statistics == plain(scale.statistics)
    undo(workspace, "anna")
    undo(workspace, "anna")
    now = corrected_picture(workspace, kept.id)
    assert now.current == ()
    assert (now.picture.nm_per_pixel, now.picture.statistics) == (80.0, first)


def test_what_cannot_be_is_refused_and_nothing_recorded(workspace, kept, monkeypatch) -> None:
    def refused(kind: type[Exception], words: str, *new: Correction, **more) -> None:
        with pytest.raises(kind, match=words):
            correct(workspace, kept.id, new, **more)

    refused(UsageError, "got neither")
    refused(UsageError, "within 240 × 184", Correction(DELETE, 300, 10))
    refused(NotFoundError, "no correction 7", undone=[7])
    refused(DataError, "no fibre was measured at 30,12", Correction(DELETE, 30, 12))
    scale = Correction(SCALE, 20, 12, 120, 12, "2 um")
    refused(UsageError, "one scale", scale, scale)
    for wrong in (
        lambda: Correction(SCALE, 20, 12, 120, 12),
        lambda: Correction(SCALE, 20, 12, 120, 12, "2 parsec"),
        lambda: Correction(EXCLUDE, 1, 1, 2, 90),
        lambda: Correction(ADD, 1, 1),
        lambda: Correction(DELETE, float("nan"), 2),
        lambda: Correction.read(ADD, "1,2,3"),
    ):
        with pytest.raises(UsageError):
            wrong()
    # Somebody else corrects it while it is measured.
    prepared = correcting.prepare

    def slow(*words):
        amendment = prepared(*words)
        monkeypatch.undo()
        correct(workspace, kept.id, [Correction(EXCLUDE, 0, 0, 50, 50)])
        return amendment

    monkeypatch.setattr(correcting, "prepare", slow)
    refused(StateError, "somebody else meanwhile", scale)
    assert [one.kind for one in corrected_picture(workspace, kept.id).current] == [EXCLUDE]


def test_at_the_command_line(workspace, kept, mat, monkeypatch) -> None:
    from typer.testing import CliRunner

    from engine.cli.app import app

    monkeypatch.chdir(workspace.root)
    x, y = place_of_a_fibre(mat.astype(np.float32))

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["micrograph", *words])
        assert done.exit_code == 0, done.output
        return done.output

    out = run("correct", str(kept.id), "--delete", f"{x},{y + 24}", "--scale", "20,12,120,12",
              "--length", "2 um", "--note", "by hand")  # fmt: skip
    assert "corrected by hand: 1 scale set by hand, 1 fibre deleted" in out
    assert "correction 1: scale set by hand" in out
    assert "corrected by hand" in run("show", str(kept.id))
    assert "no correction counts" in run("correct", str(kept.id), "--undo", "1", "--undo", "2")
