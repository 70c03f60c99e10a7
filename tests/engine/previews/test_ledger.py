"""Previews against what came: the ledger, the report's section, the demo's pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.previews.ledger import coverages, drawn_runs
from engine.report.previews import measure_previewed, preview_section
from engine.results.material import gather
from engine.workspace import Workspace

AT = ("--at", "temperature=22", "--at", "humidity=50")


@pytest.fixture
def compared(folder: Path, toy: Path, engine, prepare) -> Path:
    """Return a workspace with two drawn runs, one of them with its micrograph."""
    prepare(folder, lambda: draw_and_compare(folder, engine))
    return folder


def draw_and_compare(folder: Path, engine) -> None:
    """Have two runs drawn, and record the micrograph of one."""
    assert engine("propose", "--n", 2, *AT, "--seed", 3, "--strategy", "sobol").exit_code == 0
    rng = np.random.default_rng(0)
    grey = np.full((96, 96), 30, dtype=np.uint8)
    for row in (10, 30, 50, 70):
        grey[row : row + 7] = 170
    noisy = np.clip(grey + rng.normal(0, 4, grey.shape), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(folder / "mat.png")
    (folder / "mat.txt").write_text("DataSize=96x96\nPixelSize=60\n")
    logged = engine("log", 1, "elongation.longitudinal=88", "--micrograph", "mat.png")
    assert logged.exit_code == 0, logged.err
    with Workspace.open(folder / "config.toml") as workspace:
        assert measure_previewed(workspace) == []


def test_drawn_runs(compared: Path) -> None:
    with Workspace.open(compared / "config.toml") as workspace:
        material = gather(workspace)
    first, second = drawn_runs(material.experiments, material.previews)
    assert (first.experiment.id, second.experiment.id) == (1, 2)
    assert first.micrograph is not None
    assert second.micrograph is None
    assert first.shown["order"] > 0.8  # fibres along the rotation
    assert second.is_inside("porosity") is None
    (air,) = [one for one in coverages([first, second]) if one.name == "porosity"]
    assert air.n == 1
    assert air.n_inside == int(bool(first.is_inside("porosity")))
    assert air.bias == pytest.approx(first.shown["porosity"] - first.expected["porosity"].mean)


def test_the_section_shows_both_side_by_side(compared: Path) -> None:
    with Workspace.open(compared / "config.toml") as workspace:
        material = gather(workspace)
        section = preview_section(material, workspace.data_dir)
    assert section is not None
    (card,) = section.compared
    assert card.real is not None
    assert card.real.startswith("data:image/jpeg;base64,")
    assert len(card.tiles) == 4
    by_name = {one.name: one for one in card.statistics}
    assert set(by_name) == {"diameter", "order", "porosity"}
    # As the page and the contact sheet say it: in percent, the unit once in an interval.
    assert by_name["porosity"].expected.endswith(" %")
    assert by_name["porosity"].interval.count("%") == 1
    (awaited,) = section.awaited
    assert (awaited.run, awaited.real) == ("2", None)
    assert section.coverage is not None
    (air,) = [row for row in section.coverage.rows if row[0].startswith("porosity")]
    drawn, _ = drawn_runs(material.experiments, material.previews)
    off = drawn.shown["porosity"] - drawn.expected["porosity"].mean
    assert air[0] == "porosity [%]"
    assert float(air[-1].replace("−", "-")) == pytest.approx(100.0 * off, rel=0.01)
    assert "1 runs were drawn before" in section.text


def test_the_report_holds_it(compared: Path, engine) -> None:
    answer = engine("report", "--out", "page.html")
    assert answer.exit_code == 0, answer.err
    page = (compared / "page.html").read_text(encoding="utf-8")
    assert "The mat to expect, and the mat that came" in page
    assert page.count('class="preview"') == 2


def test_a_preview_whose_file_is_gone_is_left_out(compared: Path) -> None:
    for one in (compared / "spinneret-data" / "previews").rglob("*.png"):
        one.unlink()
    with Workspace.open(compared / "config.toml") as workspace:
        section = preview_section(gather(workspace), workspace.data_dir)
    assert section is not None
    assert section.compared == section.awaited == ()


def test_no_previews_no_section(folder: Path) -> None:
    with Workspace.open(folder / "config.toml") as workspace:
        assert preview_section(gather(workspace), workspace.data_dir) is None


def test_the_demo_draws_and_compares(toy: Path, tmp_path: Path) -> None:
    from engine.demo import DemoConfig, play

    played = play(tmp_path / "demo", DemoConfig(rounds=1, n=2, history=12))
    (only,) = played.rounds
    assert only.sheet is not None
    assert only.sheet.is_file()
    page = played.report.read_text(encoding="utf-8")
    assert "The mat to expect, and the mat that came" in page
    with Workspace.open(tmp_path / "demo" / "config.toml") as workspace:
        runs = drawn_runs(gather(workspace).experiments, gather(workspace).previews)
    assert len(runs) == 2
    assert all("diameter" in run.shown for run in runs if run.micrograph is not None)
