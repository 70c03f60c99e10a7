"""A picture corrected by hand on the page and by the API: recorded, told wherever it is shown."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.lab.physics import Microstructure
from engine.lab.render import render
from engine.micrographs.overlay import measure_again
from engine.micrographs.scale import HowTaken

AT = "/campaigns/1/micrographs/1/correct"
ROUTE = "/api/v1/campaigns/1/micrographs/1/corrections"


@pytest.fixture
def kept(people, run_id, tmp_path) -> int:
    values = (900.0, 0.2, 0.1, 0.85, 0.0, 0.2)
    structure = Microstructure(*(np.asarray(v) for v in values))
    mat = render(structure, np.random.default_rng(5), shape=(120, 160), nm_per_pixel=80.0)
    Image.fromarray(mat).save(tmp_path / "mat.png")
    record(people, Entry(experiment=f"id:{run_id}", micrographs=(tmp_path / "mat.png",)))
    measure_again(people, [1], HowTaken(nm_per_pixel=80.0))
    return run_id


def test_marked_recorded_and_taken_back(login, kept) -> None:
    browser = login("otto")
    run = f"/campaigns/1/runs/{kept}"
    page = browser.get(AT).text
    assert "Exclude an area" in page
    assert "None. The file and what was first measured are kept" in page
    done = browser.post(AT, {"kind": "exclude", "x": "0", "y": "0", "x_to": "80", "y_to": "120",
                             "mark": "scale:10,10,110,10:2 um", "note": "a scratch"})  # fmt: skip
    assert done.status_code == 303
    page = browser.get(AT).text
    assert "area excluded at 0,0 to 80,120" in page
    assert "marked by hand: 100 px are 2 um" in page
    assert "corrected by hand: 1 area excluded, 1 scale set by hand" in page
    assert "Without corrections, as first measured:" in page
    card = browser.get(run).text
    assert "corrected by hand" in card
    assert "correction 2: exclude an area" in card
    assert "(a scratch)" in card
    drawn = browser.get("/campaigns/1/micrographs/1/overlay")
    assert Image.open(io.BytesIO(drawn.content)).size == (160, 120)
    assert browser.post(AT, {"undone": "1"}).status_code == 303
    assert browser.post(AT, {"undone": "2"}).status_code == 303
    assert "corrected by hand" not in browser.get(AT).text.replace("correct by hand", "")
    trail = browser.get(run).text
    assert "correction 2: taken back" in trail
    changes = login("anna").get("/changes").text
    assert "corrected what was measured on a picture" in changes


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "expected a correction"),
        ({"kind": "scale", "x": "1", "y": "1", "x_to": "90", "y_to": "1"},
         "Length between the two places: a scale needs the length"),
        ({"kind": "exclude", "x": "1", "y": "1"}, "Exclude an area: expected a number"),
        ({"kind": "mend", "x": "1", "y": "1"}, "What to do: expected one of"),
        ({"mark": "delete:900,4"}, "Delete a fibre: expected places within 160 × 120"),
        ({"undone": "9"}, "there is no correction 9"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_typed_words_stay(login, kept, state, fields, words) -> None:
    browser, before = login("otto"), state()
    answer = browser.post(AT, {**fields, "note": "why not"})
    assert all(
        f'name="mark" value="{mark}"' in answer.text for mark in [fields.get("mark")] if mark
    )
    assert answer.status_code in (404, 409, 422)
    assert words in answer.text
    assert 'value="why not"' in answer.text
    assert state() == before


def test_who_may(login, kept, state) -> None:
    viewer = login("vera")
    page = viewer.get(AT)
    assert page.status_code == 200
    assert "Record and measure" not in page.text
    assert viewer.post(AT, {"mark": "delete:9,4"}).status_code == 403
    assert login("otto").get("/campaigns/1/micrographs/7/correct").status_code == 404


def test_by_the_api(app, token, kept) -> None:
    from starlette.testclient import TestClient

    client = TestClient(app, headers=token("otto", "operator"))
    body = {"corrections": [{"kind": "scale", "x": 10, "y": 10, "x_to": 110, "y_to": 10,
                             "length": "2 um"}], "note": "by a program"}  # fmt: skip
    headers = {"Idempotency-Key": "once"}
    first = client.post(ROUTE, json=body, headers=headers)
    assert first.status_code == 200, first.text
    again = client.post(ROUTE, json=body, headers=headers)
    assert again.json() == first.json()
    document = client.get(ROUTE).json()
    assert document == first.json()
    (one,) = document["corrections"]
    assert (one["kind"], one["length_nm"], one["recorded_by"]) == ("scale", 2000.0, "otto")
    assert document["nm_per_pixel"] == pytest.approx(20.0)
    ratio = (
        document["first_statistics"]["diameter"]["mean"]
        / document["statistics"]["diameter"]["mean"]
    )
    assert ratio == pytest.approx(4.0)
    back = client.post(ROUTE, json={"undone": [one["correction"]]}).json()
    assert (back["corrections"], back["nm_per_pixel"]) == ([], 80.0)
    wrong = client.post(ROUTE, json={"corrections": [{"kind": "add", "x": 1, "y": 1}]})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "add")
    assert client.post(ROUTE, json={}).status_code == 422
