"""What cannot be is refused at every door to the model, with the nearest name."""

from __future__ import annotations

import time

import pytest
from starlette.testclient import TestClient
from virtual_runs import TWO, draw

from engine.campaign.history import History
from engine.errors import UsageError
from engine.lab import VirtualLab
from engine.predictions import predict
from engine.predictions.slices import slices, surface
from engine.propose.forecaster import Forecaster
from engine.workspace.settings import ProposeSettings

SETTINGS = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}
OUTCOME = "elongation.longitudinal"
WRONG = {
    "a misspelt name": ({"humidty": 50}, "Did you mean 'humidity'"),
    "another word for it": ({"wetness": 50}, "'wetness' is no parameter"),
    "text for a number": ({"voltage": "abc"}, "expected voltage [kV] to be a finite number"),
    "nothing": ({"voltage": ""}, "expected voltage [kV] to be a finite number"),
    "a unit of another kind": ({"voltage": "18 mm"}, "18 mm"),
    "beyond all numbers": ({"voltage": "1e400"}, "expected voltage [kV] to be a finite number"),
    "what cannot exist": ({"voltage": -5}, "expected voltage [kV] to be at least 0"),
    "twice": ({"Voltage (kV)": 18}, "voltage is given twice"),
}
TYPES = {"true": True, "null": None, "a list": [18], "an object": {"kV": 18}}


@pytest.fixture
def api(app, token) -> TestClient:
    return TestClient(app, headers=token("otto", "operator"))


def bodies(row: object) -> dict[str, dict[str, object]]:
    return {
        "/predictions": {"conditions": [row]},
        "/predictions/slices": {"conditions": row, "outcome": OUTCOME},
        "/predictions/map": {
            "conditions": row,
            "outcome": OUTCOME,
            "x": "voltage",
            "y": "flow_rate",
        },
        "/previews": {"conditions": row},
        "/retrieval": {"conditions": row},
        "/experiments": {"conditions": row},
    }


@pytest.mark.parametrize("kind", WRONG)
def test_conditions_that_cannot_be(api, kind) -> None:
    change, told = WRONG[kind]
    for path, body in bodies({**SETTINGS, **change}).items():
        answer = api.post(f"/api/v1/campaigns/1{path}", json=body)
        assert answer.status_code == 422, f"{path}: {answer.text}"
        assert told in answer.json()["detail"], path
        assert answer.json()["field"] == "conditions"


@pytest.mark.parametrize("kind", TYPES)
def test_conditions_of_another_type(api, kind) -> None:
    for path, body in bodies({**SETTINGS, "voltage": TYPES[kind]}).items():
        answer = api.post(f"/api/v1/campaigns/1{path}", json=body)
        assert answer.status_code == 422, path
        place = "conditions.0.voltage" if path == "/predictions" else "conditions.voltage"
        assert answer.json()["field"] == place
        assert answer.json()["detail"].count(place) == 1, "one line for each field"


def test_the_row_of_many_is_named(api) -> None:
    rows = [SETTINGS, SETTINGS, {**SETTINGS, "humidty": 50}]
    answer = api.post("/api/v1/campaigns/1/predictions", json={"conditions": rows}).json()
    assert answer["field"] == "conditions.2"
    assert answer["detail"].startswith("conditions.2 humidty=50")


def test_a_number_as_text_is_that_number(api, people, fill_two) -> None:
    fill_two(people, 8)

    def ask(voltage: object) -> dict[str, object]:
        body = {"conditions": [{**SETTINGS, "voltage": voltage}]}
        deadline = time.monotonic() + 60
        while (answer := api.post("/api/v1/campaigns/1/predictions", json=body)).status_code == 202:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    assert ask("18") == ask(18) != ask(21)


@pytest.mark.parametrize(
    ("path", "sent", "nearest"),
    [
        ("/predictions", {"conditions": [SETTINGS], "levl": 0.9}, "level"),
        ("/predictions/slices", {"conditions": SETTINGS, "outcom": OUTCOME}, "outcome"),
        ("/experiments", {"conditions": SETTINGS, "lable": "mat 7"}, "label"),
        ("/proposals", {"n": 2, "fixd": {"voltage": 18}}, "fixed"),
    ],
)
def test_a_misspelt_name_of_a_body(api, path, sent, nearest) -> None:
    answer = api.post(f"/api/v1/campaigns/1{path}", json=sent)
    assert answer.status_code == 422
    assert f"unknown name. Did you mean '{nearest}'?" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("/experiments?stats=failed", "status"),
        ("/experiments?befor=3", "before"),
        ("/jobs?limt=3", "limit"),
        ("/overview?x=1", None),
    ],
)
def test_a_misspelt_name_of_a_query(api, path, nearest) -> None:
    answer = api.get(f"/api/v1/campaigns/1{path}")
    assert answer.status_code == 422, answer.text
    told = "Known: none" if nearest is None else f"Did you mean '{nearest}'?"
    assert told in answer.json()["detail"]
    assert answer.json()["field"] == path.partition("?")[2].partition("=")[0]


def test_a_misspelt_name_of_a_form(api, png, run_id) -> None:
    for path in ("/retrieval/micrograph", f"/experiments/{run_id}/micrographs"):
        answer = api.post(
            f"/api/v1/campaigns/1{path}",
            data={"nm_per_pixl": "25"},
            files={"file": ("mat.png", png())},
        )
        assert answer.status_code == 422, answer.text
        assert "nm_per_pixl: unknown name. Did you mean 'nm_per_pixel'?" in answer.json()["detail"]


@pytest.fixture(scope="module")
def history() -> History:
    return History(VirtualLab().campaign, tuple(draw(8, seed=7, outcomes=TWO)))


@pytest.fixture(scope="module")
def forecaster(history) -> Forecaster:
    return Forecaster.fit(history, ProposeSettings(mc_samples=8, raw_samples=16, restarts=1))


@pytest.mark.parametrize(
    "change", [*(change for change, _ in WRONG.values()), *({"voltage": v} for v in TYPES.values())]
)
def test_functions_refuse_it_too(history, forecaster, change) -> None:
    row = {**SETTINGS, **change}
    with pytest.raises(UsageError):
        predict.ask(forecaster, history, [row], 0.9)
    with pytest.raises(UsageError):
        slices(forecaster, row, OUTCOME, 0.9)
    with pytest.raises(UsageError):
        surface(forecaster, row, OUTCOME, "voltage", "flow_rate")
