"""Tensile curves for programs: sent, listed, their points and picture, taken back with a reason."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from tensile_files import FORMATS, Made

from engine.experiments.entries import Entry
from engine.experiments.record import record

FORMS = {form.file: form for form in FORMATS}
SMALL = Made(n_points=200)
SETTINGS = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}
SIZED = {
    "direction": "longitudinal",
    "width": "10 mm",
    "thickness": "500 µm",
    "gauge_length": "2 cm",
}


@pytest.fixture
def api(app, token, people) -> TestClient:
    """Return a client with an operator's token, in a campaign with one run."""
    record(people, Entry(conditions=SETTINGS, running=True))
    client = TestClient(app, base_url="http://testserver/api/v1/campaigns/1")
    client.headers.update(token("otto", "operator"))
    return client


def test_curves_are_sent_listed_and_taken_back(api, people, token) -> None:
    files = {"file": ("run8.txt", FORMS["run8.txt"].write((SMALL,)))}
    refused = api.post("/experiments/1/curves", files=files, data={**SIZED, "width": "10"})
    assert refused.status_code == 422
    assert refused.json()["field"] == "width"
    key = {"Idempotency-Key": "one-curve"}
    sent = [
        api.post("/experiments/1/curves", files=files, data=SIZED, headers=key) for _ in range(2)
    ]
    assert [answer.status_code for answer in sent] == [201, 201], sent[0].text
    assert len(sent[0].json()["measurements"]) == 5
    (curve,) = api.get("/experiments/1/curves").json()["items"]
    assert (curve["curve"], curve["is_withdrawn"], curve["width_mm"]) == (1, False, 10.0)
    assert api.get("/curves/1").json() == curve
    values = {row["property"]: row["value"] for row in curve["values"]}
    assert values["fracture_strength"] == pytest.approx(SMALL.strength_mpa, rel=0.01)

    points = api.get("/curves/1/points").json()
    assert points["n"] == len(points["channels"][0]["values"]) > 100
    assert {"force", "extension"} <= {channel["quantity"] for channel in points["channels"]}
    assert all(channel["unit"] for channel in points["channels"] if channel["quantity"] != "time")
    few = api.get("/curves/1/points", params={"most": 3}).json()["channels"][0]["values"]
    entire = points["channels"][0]["values"]
    assert (few[0], few[-1], len(few)) == (entire[0], entire[-1], 3)
    assert api.get("/curves/1/points", params={"most": 1}).status_code == 422
    assert api.get("/curves/1/picture").content.startswith(b"\x89PNG")

    viewer = token("vera", "viewer")
    taken = {"json": {"note": "slipped in the grips"}}
    assert api.post("/curves/1/retraction", headers=viewer, **taken).status_code == 403
    answer = api.post("/curves/1/retraction", **taken)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["values"]) == 5
    assert api.post("/curves/1/retraction", **taken).status_code == 409
    trail = api.get("/experiments/1/trail").json()["items"]
    notes = [event["note"] for event in trail if event["note"]]
    assert "curve 1: taken back, slipped in the grips" in notes
    (curve,) = api.get("/experiments/1/curves").json()["items"]
    assert (curve["is_withdrawn"], curve["values"]) == (True, [])
    with people.database.read() as tx:
        run = tx.experiments.get(1)
    assert run is not None
    assert run.replicates() == {}


@pytest.mark.parametrize("path", ["", "/points", "/picture"])
@pytest.mark.parametrize("number", [7, 2**63])
def test_a_curve_that_is_not_there(api, path, number) -> None:
    assert api.get(f"/curves/{number}{path}").status_code in (404, 422)
