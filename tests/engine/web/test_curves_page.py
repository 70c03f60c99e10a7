"""The run's page takes testers' files, shows each curve with what was found, takes one back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensile_files import FORMATS, Made

from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.workspace import Workspace

SETTINGS = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}
FORMS = {form.file: form for form in FORMATS}
SMALL = Made(n_points=200)
SIZES = {"width": "10 mm", "thickness": "500 µm", "gauge_length": "2 cm"}


def test_curves_are_dropped_shown_and_taken_back(
    people: Workspace, login: Callable[[str], Any]
) -> None:
    record(people, Entry(conditions=SETTINGS, running=True))
    otto = login("otto")
    assert "Drop testers" in otto.get("/runs/1").text
    # MTS writes .txt, which beside a picture is a sidecar.
    content = FORMS["run8.txt"].write((SMALL,))
    sent = {"file": ("run8.txt", content)}
    refused = otto.post("/runs/1/curves", SIZES, files=sent)
    assert refused.status_code == 303
    assert "say in which direction" in otto.get("/runs/1").text
    sized = {**SIZES, "direction": "longitudinal"}
    assert otto.post("/runs/1/curves", {**sized, "width": "10"}, files=sent).status_code == 303
    assert "Width: expected a length with its unit" in otto.get("/runs/1").text
    assert otto.post("/runs/1/curves", sized, files=sent).status_code == 303
    page = otto.get("/runs/1").text
    assert "1 curve recorded, 5 values" in page
    assert "MTS TestSuite" in page
    assert "offset 2 %" in page
    three = FORMS["emperor.csv"].write((Made(n_points=220), Made(n_points=240), SMALL))
    sent = {"file": ("emperor.csv", three)}
    otto.post("/runs/1/curves", {**sized, "direction": "transverse"}, files=sent)
    for path in ("/curves/1/picture", "/runs/1/curves/picture"):
        picture = otto.get(path)
        assert picture.content.startswith(b"\x89PNG"), picture.text
    assert otto.get("/curves/99/picture").status_code == 404
    vera = login("vera")
    assert "Drop testers" not in vera.get("/runs/1").text
    assert vera.post("/runs/1/curves", sized, files=sent).status_code == 403
    assert otto.post("/curves/1/remove").status_code == 303
    page = otto.get("/runs/1").text
    assert "Curve 1 and 5 of its values are taken back" in page
    with people.database.read() as tx:
        run = tx.experiments.get(1)
        curves = tx.curves.all_of(1)
    assert run is not None
    assert "elongation.longitudinal" not in run.replicates()
    assert [curve.is_withdrawn for curve in curves] == [True, False, False, False]
