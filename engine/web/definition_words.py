"""A campaign's definition in the words of a page: what is searched, and what a revision changes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from engine.campaign import Campaign
from engine.campaign.exclusions import Exclusion
from engine.campaign.parameters import Parameter
from engine.web.rendering import as_words, setting
from engine.workspace.differences import Difference

_KEYS = {
    "unit": "unit",
    "role": "how a run comes by it",
    "low": "lower bound",
    "high": "upper bound",
    "step": "step",
    "choices": "choices",
    "retired": "no longer to be had",
    "scale": "scale",
    "minimum": "lowest value that can exist",
    "maximum": "highest value that can exist",
    "hard_to_change": "takes time to change",
    "max_distinct": "different values in a batch at most",
    "only_if": "has a value only where",
    "default": "value of runs that do not tell it",
    "aliases": "other headings in files",
    "description": "description",
    "directions": "directions of the test",
    "censored": "results beyond a limit",
    "goal": "wanted",
    "threshold": "threshold",
    "target": "target",
    "tolerance": "tolerance",
    "note": "note",
    "kind": "kind",
    "label": "name on pages",
}
_SECTIONS = {
    "name": "Name",
    "description": "Description",
    "constraints": "Limits on results",
    "parameter_constraints": "Rules on settings",
    "curves": "Reading of tensile curves",
    "facts": "Who, when, with what",
    "failures": "Kinds of failure",
    "nouns": "What things are called",
    "parameters": "Parameters",
    "properties": "What is measured",
    "objectives": "What is wanted",
    "exclusions": "What must not be set together",
}
_VALUES = {
    "controlled": "set for each run",
    "ambient": "measured for each run",
    "maximize": "as high as can be",
    "minimize": "as low as can be",
    "target": "near a target",
    "log": "ratios count",
    "linear": "differences count",
    "limit": "the limit is learnt from",
    "leave out": "left out of the model",
}
_DEFAULTS = {
    "unit": "none",
    "role": "set for each run",
    "goal": "as high as can be",
    "scale": "differences count",
    "censored": "left out of the model",
    "hard_to_change": "no",
}
_SET = ("low", "high", "step", "minimum", "maximum", "default", "threshold", "target", "tolerance")
_PART = re.compile(r"(parameters|properties|objectives) '([^']+)':(?: ([a-z_]+):)? ?")
_ASSIGNED = re.compile(rf"\b({'|'.join(_KEYS)}) = ")
_PHRASES = (
    ("needs low and high, or choices", "needs a lower and an upper bound, or choices"),
    ("both choices and low/high/step", "both choices and bounds or a step"),
    ("give low and high instead", "give bounds instead"),
    ("narrow low and high instead", "narrow the bounds instead"),
    ("counting from low", "counting from the lower bound"),
    ("never high. Set high to", "never the upper bound. Set that to"),
    ("hard_to_change and max_distinct mean", "time to change and a number of values mean"),
    ("remove them or set role", "remove them, or let it be set for each run"),
    ("only_if means", "a condition on others means"),
    ("parameter constraint", "rule"),
    ("constraints: unknown", "limits on results: unknown"),
    ("objectives: unknown", "what is wanted: unknown"),
)


def changes_in_words(changes: Sequence[Difference], old: Campaign, new: Campaign) -> list[str]:
    """Return what a revision changes, a sentence for each."""
    return [_change(change, old, new) for change in changes]


def _change(change: Difference, old: Campaign, new: Campaign) -> str:
    section = _SECTIONS.get(change.section, as_words(change.section))
    if change.section == "exclusions":
        return _exclusion_change(change, old, new)
    if change.kind == "order":
        return f"{section}: the order is {', '.join(map(as_words, change.new))}"
    if not change.name:
        return f"{section}: {_value('', change.old)} → {_value('', change.new)}"
    campaign = old if change.kind == "removed" else new
    name, unit = as_words(change.name), _unit(campaign, change)
    if change.kind == "removed":
        fate = {
            "parameters": "its values stay on record, and nothing reads them any more",
            "objectives": "it is measured, and no longer wanted",
        }.get(change.section, "")
        return f"{name} is removed" + (f": {fate}" if fate else "")
    if change.kind == "added":
        return f"{name} is added: {_added(change, new)}"
    values = [_value(change.key, value) for value in (change.old, change.new)]
    suffix = f" {unit}" if unit and change.key in _SET and change.new is not None else ""
    return f"{name}, {_KEYS.get(change.key, change.key)}: {values[0]} → {values[1]}{suffix}"


def _exclusion_change(change: Difference, old: Campaign, new: Campaign) -> str:
    texts = {str(e): exclusion_in_words(e, c) for c in (old, new) for e in c.exclusions}
    text = texts.get(change.name, change.name)
    if change.kind == "order":
        return "What must not be set together: only the order or spelling changes"
    if change.kind == "changed":
        return f"Not together, {text}: note {change.old or 'none'} → {change.new or 'none'}"
    return f"No longer kept apart: {text}" if change.kind == "removed" else f"Not together: {text}"


def _added(change: Difference, new: Campaign) -> str:
    if change.section == "parameters":
        return range_in_words(new.parameter(change.name))
    if change.section == "facts":
        return "noted of a run"
    if change.section == "failures":
        return "a kind of failure"
    if change.section == "objectives":
        aim = next(o for o in new.objectives if o.outcome == change.name)
        return objective_in_words(aim, new)
    unit = change.new.get("unit", "")
    return f"measured in {unit}" if unit else "measured without a unit"


def _unit(campaign: Campaign, change: Difference) -> str:
    try:
        if change.section == "properties":
            return next(p.unit for p in campaign.properties if p.name == change.name)
        return campaign.unit_of(change.name)
    except (KeyError, StopIteration):
        return ""


def _value(key: str, value: Any) -> str:
    if value is None:
        return _DEFAULTS.get(key, "none")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        parts = [f"{as_words(name)}: {_value('', part)}" for name, part in value.items()]
        return ", ".join(parts) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(_value("", item) for item in value) or "none"
    if key in ("role", "goal", "scale", "censored"):
        return _VALUES.get(str(value), str(value))
    return setting(value) if isinstance(value, int | float) else str(value)


def range_in_words(parameter: Parameter) -> str:
    """Return what is searched of a parameter: ``10 … 20 kV in steps of 0.5``, or its choices."""
    unit = f" {parameter.unit}" if parameter.unit else ""
    if parameter.choices is not None:
        return ", ".join(map(str, map(setting, parameter.settable))) + unit
    low, high = parameter.bounds
    if low == high:
        return f"always {setting(low)}{unit}"
    steps = "" if parameter.step is None else f" in steps of {setting(parameter.step)}"
    return f"{setting(low)} … {setting(high)}{unit}{steps}"


def marks_of(parameter: Parameter) -> list[str]:
    """Return what else is said of a parameter, in words."""
    marks = [parameter.only_if_text] if parameter.only_if else []
    if parameter.hard_to_change:
        marks.append("takes time to change")
    if parameter.max_distinct:
        n = parameter.max_distinct
        marks.append(f"at most {n} value{'s' if n != 1 else ''} in a batch")
    if parameter.retired:
        marks.append(f"no longer to be had: {', '.join(map(setting, parameter.retired))}")
    low, high = parameter.minimum, parameter.maximum
    if low is not None or high is not None:
        lower = "" if low is None else f" from {setting(low)}"
        marks.append(f"can be{lower}" + ("" if high is None else f" to {setting(high)}"))
    if parameter.scale == "log":
        marks.append("ratios count")
    if parameter.default is not None:
        value = "unknown" if parameter.is_unknown else setting(parameter.default)
        marks.append(f"runs that do not tell it: {value}")
    return marks


def objective_in_words(objective: Any, campaign: Campaign) -> str:
    """Return what is wanted of an outcome: ``as high as can be, from 5 MPa on``."""
    unit = campaign.unit_of(objective.outcome)
    suffix = f" {unit}" if unit else ""
    if objective.target is not None:
        return f"near {setting(objective.target)} ± {setting(objective.tolerance)}{suffix}"
    bound = "from {} on" if objective.goal == "maximize" else "up to {}"
    aim = _VALUES[objective.goal]
    return f"{aim}, {bound.format(setting(objective.threshold) + suffix)}"


def exclusion_in_words(exclusion: Exclusion, campaign: Campaign) -> str:
    """Return which settings must not hold together: ``flow rate above 0.5 mL/h, …``."""
    parts = []
    for name, condition in exclusion.when.items():
        unit = campaign.unit_of(name)
        parts.append(condition.described(as_words(name)) + (f" {unit}" if unit else ""))
    return " with ".join(parts)


def rule_in_words(rule: object, campaign: Campaign) -> str:
    """Return an inequality with the names as words."""
    text = str(rule)
    names = sorted([p.name for p in campaign.parameters] + list(campaign.outcomes), key=len)
    for name in reversed(names):
        text = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])", as_words(name), text)
    return text.replace(">=", "≥").replace("<=", "≤").replace("==", "=")


def in_plain_words(message: str) -> str:
    """Return a refusal of a definition without the configuration's own keys.

    >>> in_plain_words("parameters 'gap': default: expected a number")
    'Gap, value of runs that do not tell it: expected a number'
    """

    def part(match: re.Match[str]) -> str:
        key = match[3]
        label = f", {_KEYS.get(key, as_words(key).lower())}" if key else ""
        return f"{as_words(match[2])}{label}: "

    text = _PART.sub(part, message)
    for phrase, plain in _PHRASES:
        text = text.replace(phrase, plain)
    return _ASSIGNED.sub(lambda match: f"{_KEYS[match[1]]} = ", text)
