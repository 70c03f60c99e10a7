"""The OpenAPI document: of every campaign, and of one, with its names, units and ranges.

The general document cannot tell which conditions a campaign has. The one of a campaign can, so that
a client made from it, a form or a test knows what is taken before it asks.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse, Response

from engine.campaign import Campaign, Parameter
from engine.campaign.conditions import Condition
from engine.campaign.facts import MOST_LETTERS, Fact
from engine.experiments.importers.words import label_pattern
from engine.web.addresses import API, CAMPAIGNS
from engine.web.api.common import Problem, answers
from engine.web.rendering import site_of

Schema = dict[str, Any]
router = APIRouter(tags=["campaigns"])

# Beyond so many settings a list of them helps nobody: then their range is told, and their step.
MOST_LEVELS = 1000
_BODIES = "#/components/schemas/"


def described(app: FastAPI) -> Schema:
    """Return the OpenAPI document, with the one schema that every error has."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document["components"]["schemas"]
        schemas["Problem"] = Problem.model_json_schema()
        # FastAPI adds them for its own answer of 422, in whose place ours is.
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        public_url = app.state.site.front.url
        if public_url:
            document["servers"] = [{"url": public_url}]
        app.openapi_schema = document
    return app.openapi_schema


@router.get("/openapi.json", responses=answers(404))
def describe_campaign(request: Request) -> Response:
    """This document for one campaign: its conditions, outcomes and facts by name, with ranges."""
    with site_of(request).workspace.database.read() as tx:
        record, campaign = site_of(request).workspace.active_campaign(tx)
    return JSONResponse(described_for(described(request.app), record.id, campaign))


def described_for(document: Schema, id_: int, campaign: Campaign) -> Schema:
    """Return the general document narrowed to one campaign.

    Every body that it allows names what the campaign has, and values that can be. What depends on
    several values at once (sums of a mixture, exclusions) it leaves to the server.
    """
    narrowed = deepcopy(document)
    narrowed["info"]["title"] = f"{document['info']['title']}: {campaign.name}"
    narrowed["paths"] = _paths_of(narrowed["paths"], id_)
    schemas = narrowed["components"]["schemas"]
    schemas.update(_named_schemas(campaign))
    for body, fields in _fields_of(campaign).items():
        for name, schema in fields.items():
            schemas[body]["properties"][name] = schema
    return narrowed


def _paths_of(paths: Schema, id_: int) -> Schema:
    start = f"{API}{CAMPAIGNS}/{{campaign}}/"
    own: Schema = {}
    for path, methods in paths.items():
        if not path.startswith(start):
            continue
        for operation in methods.values():
            parameters = operation.get("parameters", [])
            operation["parameters"] = [p for p in parameters if p["name"] != "campaign"]
        own[path.replace("{campaign}", str(id_), 1)] = methods
    return own


def _named_schemas(campaign: Campaign) -> Schema:
    parameters = campaign.parameters
    ambient = [p for p in parameters if p.role == "ambient"]
    controlled = [p for p in parameters if p.role == "controlled"]
    return {
        "Conditions": _conditions(parameters, needed=True),
        "SomeConditions": _conditions(parameters),
        "Room": _conditions(ambient),
        "Settings": _object({p.name: setting_schema(p) for p in controlled}),
        "Distinct": _object({p.name: {"type": "integer", "minimum": 1} for p in controlled}),
        "Measured": _object({name: _result(campaign, name) for name in campaign.outcomes}, least=1),
        "Facts": _object({fact.name: _fact(fact) for fact in campaign.facts}),
        "Outcome": {"type": "string", "enum": list(campaign.outcomes)},
        "Parameter": {"type": "string", "enum": [p.name for p in parameters]},
    }


def _fields_of(campaign: Campaign) -> dict[str, Schema]:
    all_conditions, some_conditions = _reference("Conditions"), _reference("SomeConditions")
    outcome, parameter = _reference("Outcome"), _reference("Parameter")
    facts = _reference("Facts")
    rows = {"type": "array", "minItems": 1, "maxItems": 1000, "items": all_conditions}
    outcomes = {"type": "array", "maxItems": len(campaign.outcomes), "items": outcome}
    proposal = {
        "at": _reference("Room"),
        "fixed": _reference("Settings"),
        "max_distinct": _reference("Distinct"),
    }
    return {
        "NewRun": {"conditions": all_conditions, "facts": facts},
        "RunEdit": {"actual": some_conditions, "facts": facts},
        "Results": {"results": _reference("Measured"), "actual": some_conditions},
        "Retraction": {"outcomes": outcomes},
        "NewProposal": proposal,
        "Ask": {"conditions": rows},
        "AskSlices": {"conditions": all_conditions, "outcome": outcome},
        "AskMap": {
            "conditions": all_conditions,
            "outcome": outcome,
            "x": parameter,
            "y": parameter,
        },
        "AskPreview": {"conditions": all_conditions},
        "Look": {"conditions": {**some_conditions, "minProperties": 1}},
    }


def condition_schema(parameter: Parameter) -> Schema:
    """Return the schema of a condition as a run may have it: whatever can exist."""
    if parameter.choices is not None:
        return _with_words(parameter, {"enum": list(parameter.choices)})
    limits = {"minimum": parameter.minimum, "maximum": parameter.maximum}
    return _with_words(parameter, _number(limits))


def setting_schema(parameter: Parameter) -> Schema:
    """Return the schema of a setting: what the machine can be set to, within what is searched."""
    levels = parameter.n_levels
    if levels is not None and levels <= MOST_LEVELS:
        return _with_words(parameter, {"enum": list(parameter.levels or ())})
    low, high = parameter.bounds
    return _with_words(parameter, _number({"minimum": low, "maximum": high}))


def _conditions(parameters: Any, *, needed: bool = False) -> Schema:
    schema = _object({p.name: condition_schema(p) for p in parameters})
    if not needed:
        return schema
    by_name = {p.name: p for p in parameters}
    required = [p for p in parameters if p.role == "controlled" and p.only_value is None]
    schema["required"] = [p.name for p in required if not p.only_if]
    rules = [_only_if(p, by_name) for p in parameters if p.only_if]
    return {**schema, "allOf": rules} if rules else schema


def _only_if(parameter: Parameter, by_name: dict[str, Parameter]) -> Schema:
    """Say that a parameter has a value where its ``only_if`` holds, and none elsewhere."""
    holds = {name: _holding(c, by_name[name]) for name, c in parameter.only_if.items()}
    present = {"required": [parameter.name]}
    return {
        "if": {"properties": holds, "required": list(holds)},
        "then": present,
        "else": {"not": present},
    }


def _holding(condition: Condition, parameter: Parameter) -> Schema:
    if parameter.choices is not None:
        return {"enum": [c for c in parameter.choices if condition.holds(parameter, c)]}
    if condition.any_of:
        return {"enum": list(condition.any_of)}
    if condition.other_than:
        return {"not": {"enum": list(condition.other_than)}}
    names = {
        "exclusiveMinimum": condition.above,
        "minimum": condition.at_least,
        "exclusiveMaximum": condition.below,
        "maximum": condition.at_most,
    }
    return _number(names)


def _result(campaign: Campaign, outcome: str) -> Schema:
    measured = campaign.property_of(outcome)
    single = _number({"minimum": measured.minimum, "maximum": measured.maximum})
    if measured.unit:
        single["description"] = measured.unit
    several = {"type": "array", "items": single, "minItems": 1, "maxItems": 100}
    return {"anyOf": [single, several]}


def _fact(fact: Fact) -> Schema:
    kinds: dict[str, Schema] = {
        "text": {"type": "string", "maxLength": MOST_LETTERS, "pattern": label_pattern()},
        "date": {"type": "string", "format": "date"},
        "choice": {"enum": list(fact.choices)},
    }
    return {"title": fact.title, "anyOf": [kinds[fact.kind], {"type": "null"}]}


def _with_words(parameter: Parameter, schema: Schema) -> Schema:
    parts = [parameter.unit, parameter.description]
    if parameter.step is not None:
        parts.append(f"in steps of {parameter.step:g}")
    text = "; ".join(word for word in parts if word)
    return {**schema, "description": text} if text else schema


def _number(limits: dict[str, float | None]) -> Schema:
    named = {name: value for name, value in limits.items() if value is not None}
    return {"type": "number", "minimum": -1e300, "maximum": 1e300, **named}


def _object(properties: Schema, *, least: int = 0) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return {**schema, "minProperties": least} if least else schema


def _reference(name: str) -> Schema:
    return {"$ref": f"{_BODIES}{name}"}
