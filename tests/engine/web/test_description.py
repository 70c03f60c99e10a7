"""The OpenAPI document of one campaign names what it has, with ranges, and what depends on what."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI

from engine.campaign import Campaign, Parameter
from engine.web.api import routes, schemas
from engine.web.api.description import condition_schema, described, described_for, setting_schema

jsonschema = pytest.importorskip("jsonschema")


DEFINITION = {
    "name": "two collectors",
    "parameters": [
        {"name": "collector", "choices": ["plate", "drum"]},
        {
            "name": "speed",
            "unit": "rpm",
            "low": 0,
            "high": 900,
            "step": 300,
            "only_if": {"collector": "drum"},
        },
        {"name": "distance", "unit": "cm", "low": 15, "high": 15},
        {"name": "flow", "unit": "mL/h", "low": 0.1, "high": 2, "minimum": 0},
        {
            "name": "humidity",
            "role": "ambient",
            "low": 20,
            "high": 60,
            "minimum": 0,
            "maximum": 100,
        },
    ],
    "properties": [{"name": "strength", "directions": ["along", "across"], "minimum": 0}],
    "objectives": [{"outcome": "strength.along", "goal": "maximize", "threshold": 1}],
    "facts": [{"name": "lot"}, {"name": "needle", "kind": "choice", "choices": ["21G", "23G"]}],
}


@pytest.fixture(scope="module")
def general() -> dict[str, Any]:
    app = FastAPI()
    app.include_router(routes.router)
    app.state.site = SimpleNamespace(front=SimpleNamespace(url=None))
    return described(app)


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return Campaign.model_validate(DEFINITION)


@pytest.fixture(scope="module")
def check(general, campaign):
    """Return a function that says whether a body is one by the campaign's own document."""
    document = described_for(general, 7, campaign)

    def is_valid(body: str, sent: dict) -> bool:
        schema = {"$ref": f"#/components/schemas/{body}", "components": document["components"]}
        return jsonschema.Draft202012Validator(schema).is_valid(sent)

    return is_valid


def test_only_this_campaigns_addresses_are_told(general, campaign) -> None:
    paths = described_for(general, 7, campaign)["paths"]
    assert "/api/v1/campaigns/7/predictions" in paths
    assert all(path.startswith("/api/v1/campaigns/7/") for path in paths)
    names = {
        p["name"] for methods in paths.values() for m in methods.values() for p in m["parameters"]
    }
    assert "campaign" not in names
    assert "/api/v1/campaigns/{campaign}/predictions" in general["paths"]


PLATE = {"collector": "plate", "flow": 0.5}
DRUM = {"collector": "drum", "speed": 100, "flow": 3}


@pytest.mark.parametrize(
    ("conditions", "is_one"),
    [
        (PLATE, True),
        (DRUM, True),
        ({**DRUM, "humidity": 30, "distance": 15}, True),
        ({**PLATE, "speed": 300}, False),
        ({"collector": "drum", "flow": 0.5}, False),
        ({"collector": "plate"}, False),
        ({**PLATE, "collector": "belt"}, False),
        ({**PLATE, "flow": -1}, False),
        ({**PLATE, "humidity": 101}, False),
        ({**PLATE, "humidty": 30}, False),
    ],
)
def test_conditions_are_those_of_the_campaign(check, conditions: dict, is_one: bool) -> None:
    assert check("NewRun", {"conditions": conditions}) is is_one
    assert check("Ask", {"conditions": [conditions]}) is is_one


@pytest.mark.parametrize(
    ("body", "sent", "is_one"),
    [
        ("NewProposal", {"at": {"humidity": 30}, "fixed": {"speed": 600}}, True),
        ("NewProposal", {"fixed": {"speed": 650}}, False),
        ("NewProposal", {"fixed": {"humidity": 30}}, False),
        ("NewProposal", {"at": {"flow": 1}}, False),
        ("Results", {"results": {"strength.along": [1, 2.5]}}, True),
        ("Results", {"results": {"strength.along": -1}}, False),
        ("Results", {"results": {"strength": 1}}, False),
        ("Results", {"results": {}}, False),
        ("RunEdit", {"facts": {"lot": "A17", "needle": None}}, True),
        ("RunEdit", {"facts": {"needle": "22G"}}, False),
        ("RunEdit", {"facts": {"lot": "two\nlines"}}, False),
        ("AskSlices", {"conditions": PLATE, "outcome": "strength.across"}, True),
        ("AskSlices", {"conditions": PLATE, "outcome": "strength"}, False),
        ("AskMap", {"conditions": PLATE, "outcome": "strength", "x": "flow", "y": "f"}, False),
        ("Look", {"conditions": {}}, False),
        ("Look", {"conditions": {"flow": 1}, "k": 5.0}, True),
    ],
)  # fmt: skip
def test_other_names_and_ranges_are_those_of_the_campaign(check, body, sent, is_one) -> None:
    assert check(body, sent) is is_one


def test_settings_are_the_instruments_and_conditions_what_can_exist() -> None:
    voltage = Parameter(name="voltage", unit="kV", low=16, high=22, step=2, minimum=0)
    assert setting_schema(voltage)["enum"] == [16, 18, 20, 22]
    assert condition_schema(voltage)["minimum"] == 0
    assert setting_schema(voltage)["description"] == "kV; in steps of 2"
    fine = Parameter(name="time", low=0, high=100, step=0.001)
    assert (setting_schema(fine)["minimum"], setting_schema(fine)["maximum"]) == (0, 100)


def test_the_server_gives_it(login) -> None:
    document = login("vera").get("/api/v1/campaigns/1/openapi.json").json()
    assert "nanofibre" in document["info"]["title"]
    assert "voltage" in document["components"]["schemas"]["Conditions"]["properties"]
    assert login("vera").get("/api/v1/campaigns/9/openapi.json").status_code == 404


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ("NewRevision", {"note": "a\x00b"}),
        ("Retraction", {"note": "a\x1bb"}),
        ("RunEdit", {"note": "\x07"}),
        ("NewRun", {"conditions": {}, "label": "A7\n"}),
        ("NewRun", {"conditions": {}, "label": "A\u200b7"}),
    ],
)
def test_what_the_document_refuses_is_refused(check, body: str, sent: dict) -> None:
    assert not check(body, {"conditions": DRUM, **sent} if body == "NewRun" else sent)
    with pytest.raises(ValueError, match="expected"):
        getattr(schemas, body).model_validate(sent)


def test_a_number_without_a_fraction_is_an_integer() -> None:
    assert schemas.Look.model_validate({"conditions": {"flow": 1}, "k": 2.0}).k == 2
    for k in (2.5, "2", True):
        with pytest.raises(ValueError, match="integer"):
            schemas.Look.model_validate({"conditions": {"flow": 1}, "k": k})
