"""The form of a campaign's definition: its fields, and the definition that they say.

What the form does not show (scales, limits of what can exist, conditions between parameters,
tensile curves) stays as it is, and is edited in the text of the whole definition.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import FormData, UploadFile

from engine.campaign import Campaign
from engine.campaign.parameters import Parameter
from engine.errors import UsageError
from engine.experiments.importers.cells import is_number
from engine.web import forms
from engine.web.rendering import as_words

MOST_PARAMETERS = 40
"""Of more the form has more fields than a request may; then the text is edited."""

GOALS = {
    "": "not wanted",
    "maximize": "as high as can be",
    "minimize": "as low as can be",
    "target": "near a target",
}
_NEW = "new-"


def fields_of(campaign: Campaign) -> FormData:
    """Return the form's fields as a definition fills them."""
    pairs: list[tuple[str, str | UploadFile]] = [("description", campaign.description)]
    for parameter in campaign.parameters:
        pairs += _parameter_fields(parameter)
    for prop in campaign.properties:
        pairs.append((f"unit:{prop.name}", prop.unit))
    goals = {objective.outcome: objective for objective in campaign.objectives}
    for outcome in campaign.outcomes:
        objective = goals.get(outcome)
        if objective is None:
            continue
        aim = objective.target if objective.target is not None else objective.threshold
        pairs += [(f"goal:{outcome}", objective.goal), (f"aim:{outcome}", _written(aim))]
        pairs.append((f"tolerance:{outcome}", _written(objective.tolerance)))
    pairs.append(("limits", "\n".join(map(str, campaign.constraints))))
    pairs.append(("rules", "\n".join(map(str, campaign.parameter_constraints))))
    return FormData(pairs)


def _parameter_fields(parameter: Parameter) -> list[tuple[str, str | UploadFile]]:
    name = parameter.name
    pairs: list[tuple[str, str | UploadFile]] = [(f"unit:{name}", parameter.unit)]
    if parameter.choices is None:
        pairs += [(f"{key}:{name}", _written(getattr(parameter, key))) for key in _RANGE]
    else:
        pairs.append((f"choices:{name}", "\n".join(map(_written, parameter.choices))))
        pairs += [(f"retired:{name}", _written(choice)) for choice in parameter.retired]
    if parameter.default is not None:
        pairs.append((f"default:{name}", _written(parameter.default)))
    if parameter.hard_to_change:
        pairs.append((f"slow:{name}", "yes"))
    return pairs


_RANGE = ("low", "high", "step")


def _written(value: float | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.10g}"


def definition_of_form(form: FormData, campaign: Campaign) -> dict[str, Any]:
    """Return the definition that a form says, edited from ``campaign``.

    Raises:
        UsageError: something that is no number, or a choice that is missing.
    """
    definition = copy.deepcopy(campaign.definition())
    _set(definition, "description", forms.word(form, "description"))
    parameters = []
    for fields, parameter in zip(definition["parameters"], campaign.parameters, strict=True):
        if not forms.word(form, f"drop:{parameter.name}"):
            parameters.append(_edited_parameter(form, fields, parameter))
    if forms.word(form, f"{_NEW}name"):
        parameters.append(_new_parameter(form))
    definition["parameters"] = parameters
    for fields, prop in zip(definition["properties"], campaign.properties, strict=True):
        _set(fields, "unit", forms.word(form, f"unit:{prop.name}"))
    if forms.word(form, f"{_NEW}outcome"):
        outcome = {"name": forms.word(form, f"{_NEW}outcome")}
        _set(outcome, "unit", forms.word(form, f"{_NEW}outcome-unit"))
        definition["properties"].append(outcome)
    definition["objectives"] = _objectives(form, campaign)
    _set(definition, "constraints", _lines(form, "limits"))
    _set(definition, "parameter_constraints", _lines(form, "rules"))
    exclusions = [
        fields
        for fields, exclusion in zip(
            definition.get("exclusions", []), campaign.exclusions, strict=True
        )
        if str(exclusion) not in form.getlist("together")
    ]
    _set(definition, "exclusions", exclusions)
    return definition


def _edited_parameter(
    form: FormData, fields: dict[str, Any], parameter: Parameter
) -> dict[str, Any]:
    name = parameter.name
    _set(fields, "unit", forms.word(form, f"unit:{name}"))
    if parameter.choices is None:
        for key in _RANGE:
            _set_number(fields, key, form, f"{key}:{name}", getattr(parameter, key))
    else:
        numeric = parameter.is_numeric
        choices = _lines(form, f"choices:{name}")
        fields["choices"] = [_choice(word, numeric, f"choices:{name}") for word in choices]
        retired = [
            _choice(str(w), numeric, f"retired:{name}") for w in form.getlist(f"retired:{name}")
        ]
        _set(fields, "retired", [choice for choice in retired if choice in fields["choices"]])
    if parameter.role == "controlled":
        _set(fields, "hard_to_change", bool(forms.word(form, f"slow:{name}")))
        _set(fields, "default", _default(form, f"default:{name}", parameter.is_numeric))
    return fields


def _new_parameter(form: FormData) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": forms.word(form, f"{_NEW}name")}
    _set(fields, "unit", forms.word(form, f"{_NEW}unit"))
    if forms.word(form, f"{_NEW}role") == "ambient":
        fields["role"] = "ambient"
    choices = _lines(form, f"{_NEW}choices")
    numeric = all(map(is_number, choices))
    if choices:
        fields["choices"] = [_choice(word, numeric, f"{_NEW}choices") for word in choices]
    for key in _RANGE:
        _set_number(fields, key, form, f"{_NEW}{key}", None)
    _set(fields, "default", _default(form, f"{_NEW}default", numeric))
    return fields


def _objectives(form: FormData, campaign: Campaign) -> list[dict[str, Any]]:
    former = {objective.outcome: objective for objective in campaign.objectives}
    # Those there are keep their order, which tables and figures have.
    names = [*former, *(name for name in campaign.outcomes if name not in former)]
    objectives = []
    for name in names:
        goal = forms.word(form, f"goal:{name}")
        if goal not in GOALS:
            raise UsageError(f"expected one of {', '.join(GOALS.values())}", field=f"goal:{name}")
        if not goal:
            continue
        fields: dict[str, Any] = {"outcome": name}
        if goal != "maximize":
            fields["goal"] = goal
        objective = former.get(name)
        key = "target" if goal == "target" else "threshold"
        current = None if objective is None else getattr(objective, key)
        _set_number(fields, key, form, f"aim:{name}", current)
        if goal == "target":
            current = None if objective is None else objective.tolerance
            _set_number(fields, "tolerance", form, f"tolerance:{name}", current)
        objectives.append(fields)
    return objectives


def _default(form: FormData, field: str, numeric: bool) -> float | str | None:
    typed = forms.word(form, field)
    if not typed or typed.casefold() == "unknown":
        return typed.casefold() or None
    return forms.number(form, field) if numeric else typed


def _choice(typed: str, numeric: bool, field: str) -> float | str:
    return forms.number(FormData([(field, typed)]), field) or 0.0 if numeric else typed


def _set(fields: dict[str, Any], key: str, value: Any) -> None:
    """Set what is said; what is empty is the default, and left out."""
    if value in ("", None, [], False):
        fields.pop(key, None)
    else:
        fields[key] = value


def _set_number(
    fields: dict[str, Any], key: str, form: FormData, field: str, current: float | None
) -> None:
    """Set a number; where the field shows the one there was, leave it with all its digits."""
    value = forms.number(form, field)
    if current is not None and value is not None and _written(current) == _written(value):
        value = current
    if value is None:
        fields.pop(key, None)
    else:
        fields[key] = value


def _lines(form: FormData, name: str) -> list[str]:
    return [line.strip() for line in forms.word(form, name).splitlines() if line.strip()]


def labels_of(campaign: Campaign, *, extra: Sequence[str] = ()) -> dict[str, str]:
    """Return what the form's fields are called, for the messages that name one."""
    nouns = {
        "low": "lower bound",
        "high": "upper bound",
        "step": "step",
        "default": "value of runs that do not tell it",
        "choices": "choices",
        "retired": "choices",
        "goal": "what is wanted",
        "aim": "threshold or target",
        "tolerance": "tolerance",
    }
    names = [*(p.name for p in campaign.parameters), *campaign.outcomes, *extra]
    labels = {f"{key}:{name}": f"{as_words(name)}, {word}" for key, word in nouns.items()
              for name in names}  # fmt: skip
    return labels | {f"{_NEW}{key}": f"New parameter, {word}" for key, word in nouns.items()}


def fingerprint(definition: dict[str, Any]) -> str:
    """Return what a definition is known by: what is recorded is what was looked at."""
    text = json.dumps(definition, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
