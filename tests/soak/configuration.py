"""A plan as the config.toml that its campaign is begun with."""

from __future__ import annotations

import json
from collections.abc import Iterable

from parameters import Condition
from plans import Outcome, Plan


def configuration_of(plan: Plan) -> str:
    """Return the campaign's config.toml."""
    lines = ["[propose]", *(f"{key} = {_toml(value)}" for key, value in plan.budget.items())]
    lines += [
        "", "[campaign]", f"name = {_toml(plan.name)}",
        f"constraints = {_toml(list(plan.constraints))}",
        f"parameter_constraints = {_toml([str(rule) for rule in plan.rules])}",
    ]  # fmt: skip
    for p in plan.parameters:
        lines += [
            "",
            "[[campaign.parameters]]",
            f"name = {_toml(p.name)}",
            f"unit = {_toml(p.unit)}",
        ]
        lines += [f"role = {_toml(p.role)}"]
        if p.choices is not None:
            lines += [f"choices = {_toml(p.choices)}"]
            lines += [f"retired = {_toml(p.retired)}"] if p.retired else []
        else:
            lines += [f"low = {p.low!r}", f"high = {p.high!r}"]
        lines += [f"step = {float(p.step)!r}"] if p.step is not None else []
        lines += ['scale = "log"'] if p.is_log else []
        lines += ["hard_to_change = true"] if p.is_hard else []
        lines += [f"only_if = {_when([p.only_if])}"] if p.only_if else []
        lines += [f"max_distinct = {p.max_distinct}"] if p.max_distinct else []
        lines += [f"aliases = {_toml([p.alias])}"] if p.alias else []
    for exclusion in plan.exclusions:
        lines += ["", "[[campaign.exclusions]]", f"when = {_when(exclusion.when)}"]
    properties: dict[str, list[Outcome]] = {}
    for outcome in plan.outcomes:
        properties.setdefault(outcome.name.partition(".")[0], []).append(outcome)
    for name, outcomes in properties.items():
        first = outcomes[0]
        directions = [o.name.partition(".")[2] for o in outcomes if "." in o.name]
        lines += [
            "",
            "[[campaign.properties]]",
            f"name = {_toml(name)}",
            f"unit = {_toml(first.unit)}",
        ]
        lines += [f"directions = {_toml(directions)}"] if directions else []
        lines += ['scale = "log"'] if first.is_log else []
        lines += [f"minimum = {first.least!r}"] if first.least is not None else []
    for objective in plan.objectives:
        lines += ["", "[[campaign.objectives]]"]
        items = objective.__dict__.items()
        lines += [f"{key} = {_toml(value)}" for key, value in items if value is not None]
    return "\n".join(lines) + "\n"


def _when(conditions: Iterable[Condition]) -> str:
    parts = [
        f"{c.name} = {_toml(c.limit) if c.sign == 'any' else f'{{ {c.sign} = {_toml(c.limit)} }}'}"
        for c in conditions
    ]
    return f"{{ {', '.join(parts)} }}"


def _toml(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
