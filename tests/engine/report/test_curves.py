"""The report shows tensile curves, and says what a curve does not show."""

from __future__ import annotations

from pathlib import Path

from tensile_files import FORMATS, Made

from engine.curves.tested import HowTested
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.report.curves import copy_pictures, curve_section
from engine.report.page import render_page
from engine.results.material import gather
from engine.workspace import Workspace

SETTINGS = {"flow_rate": 0.4, "concentration": 18.0, "voltage": 18.0, "collector_speed": 400.0}


def test_curves_stand_in_the_report(workspace: Workspace, folder: Path) -> None:
    assert curve_section(gather(workspace), workspace) is None
    form = next(form for form in FORMATS if form.file == "emperor.csv")
    path = folder / "<b>.csv"
    path.write_bytes(form.write((Made(n_points=200), Made(n_points=200, is_broken=False),
                                 Made(n_points=220))))  # fmt: skip
    tested = HowTested("10 mm", "500 µm", "2 cm", direction=("longitudinal",))
    record(workspace, Entry(conditions=SETTINGS, curves=(path,), tested=tested))
    section = curve_section(gather(workspace), workspace)
    assert section is not None
    (card,) = section.cards
    assert "not broken" in card.lines[1]
    assert "missing: fracture strength, elongation" in card.lines[1]
    page = render_page(gather(workspace), curves=section)
    assert "3 curves of 1 runs" in page
    assert "<b>.csv" not in page
    assert card.picture in page
    (file,) = copy_pictures(section, folder)
    assert file.read_bytes().startswith(b"\x89PNG")
