"""Random rules among parameters that at least one setting meets, and whether a setting does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

from parameters import Condition, Parameter, Value


@dataclass(frozen=True)
class Rule:
    """``Σ terms[name] · value  operator  bound``; ``allowance``: what rounding may miss it by."""

    terms: Mapping[str, float]
    operator: str
    bound: float
    allowance: float

    def __str__(self) -> str:
        parts = [f"{'-' if f < 0 else '+'} {abs(f)!r}*{name}" for name, f in self.terms.items()]
        return f"{' '.join(parts).removeprefix('+ ')} {self.operator} {self.bound!r}"

    def total(self, settings: Mapping[str, Value]) -> float:
        """Return the weighted sum."""
        return math.fsum(factor * float(settings[name]) for name, factor in self.terms.items())

    def is_met(self, settings: Mapping[str, Value]) -> bool:
        """Whether the settings meet the rule, but for rounding."""
        miss = self.total(settings) - self.bound
        excess = {"<=": miss, ">=": -miss, "==": abs(miss)}[self.operator]
        return excess <= self.allowance


@dataclass(frozen=True)
class Exclusion:
    """Conditions that must not hold together."""

    when: tuple[Condition, ...]

    def holds(self, settings: Mapping[str, Value]) -> bool:
        """Whether the settings are excluded."""
        return all(condition.holds(settings) for condition in self.when)


def draw_exclusions(
    luck: Random, parameters: list[Parameter], anchor: Mapping[str, Value]
) -> list[Exclusion]:
    """Return up to two exclusions that the settings of ``anchor`` are clear of."""
    exclusions = []
    for _ in range(luck.choices((0, 1, 2), (6, 3, 2))[0]):
        varying = [p for p in parameters if not p.is_constant]
        chosen = luck.sample(varying, min(len(varying), luck.randint(2, 3)))
        if len(chosen) < 2:
            break
        exclusion = Exclusion(tuple(_draw_condition(luck, p) for p in chosen))
        if not exclusion.holds(anchor):
            exclusions.append(exclusion)
    return exclusions


def draw_conditional(luck: Random, parameters: list[Parameter]) -> list[Parameter]:
    """Let a parameter have a value only where another one's fulfils a condition."""
    parents = [p for p in parameters if not p.is_constant and p.n_levels != 1]
    children = [p for p in parameters if not p.name.startswith("part_")]
    if len(parameters) < 3 or not parents or not children or luck.random() < 0.75:
        return parameters
    parent, child = luck.choice(parents), luck.choice(children)
    condition = _draw_condition(luck, parent)
    draws = {condition.holds({parent.name: parent.draw(Random(n))}) for n in range(40)}  # noqa: S311
    if parent.name == child.name or len(draws) == 1:
        return parameters
    changed = replace(child, only_if=condition)
    return [changed if p.name == child.name else p for p in parameters]


def _draw_condition(luck: Random, parameter: Parameter) -> Condition:
    limit: Value | tuple[Value, ...] = parameter.draw(luck)
    if parameter.is_named and parameter.choices is not None:
        n = luck.randint(1, len(parameter.choices) - 1)
        values = tuple(luck.sample(parameter.choices, n))
        sign, limit = luck.choice(("any", "other_than")), values if n > 1 else values[0]
    else:
        ends = parameter.choices or (parameter.low, parameter.high)
        first = "at_least" if limit == ends[-1] else "above"
        last = "at_most" if limit == ends[0] else "below"
        sign = luck.choice((first, last, "at_least", "at_most"))
    rounding = parameter.grain if parameter.step is not None else 0.0
    size = 1e-8 * abs(limit) if isinstance(limit, float) and parameter.is_log else 0.0
    return Condition(parameter.name, sign, limit, max(parameter.grain, size), rounding)


def make_rule(
    parameters: Mapping[str, Parameter], terms: Mapping[str, float], operator: str, bound: float
) -> Rule:
    """Return a rule that may be missed by two millionths of its finest term."""
    spans = {name: parameters[name].span for name in terms if parameters[name].span > 0}
    moves = [abs(terms[name]) * span for name, span in spans.items()] or [0.0]
    sizes = [
        abs(factor) * max(abs(parameters[name].low), abs(parameters[name].high))
        for name, factor in terms.items()
    ]
    return Rule(
        terms, operator, bound, max(2e-6 * min(moves), 2e-9 * sum(moves), 1e-14 * max(sizes))
    )


def draw_mixture(luck: Random) -> tuple[list[Parameter], dict[str, Value], Rule]:
    """Return three to five components, a composition, and the rule of their sum."""
    n = luck.randint(3, 5)
    total, n_steps = luck.choice(((1, 20), (1, 10), (100, 100), (100, 20)))
    unit = "" if total == 1 else luck.choice(("%", "wt%"))
    step = Decimal(total) / n_steps
    cuts = sorted(luck.choices(range(n_steps + 1), k=n - 1))
    shares = [b - a for a, b in zip([0, *cuts], [*cuts, n_steps], strict=True)]
    is_stepped = luck.random() < 0.5
    components, composition = [], {}
    for index, share in enumerate(shares):
        # Half of the components are held near their share, as recipes are.
        room = n_steps if luck.random() < 0.5 else luck.randint(0, n_steps)
        least, most = max(0, share - room), min(n_steps, share + room)
        name = f"part_{'abcde'[index]}"
        components.append(
            Parameter(
                name, unit, low=float(least * step), high=float(most * step),
                n_steps=most - least if is_stepped and most > least else None,
            )
        )  # fmt: skip
        composition[name] = float(share * step)
    by_name = {component.name: component for component in components}
    return components, composition, make_rule(by_name, dict.fromkeys(by_name, 1.0), "==", total)


def draw_twins(luck: Random, parameters: list[Parameter]) -> list[Parameter]:
    """Give two stepped parameters the same step, so that an equality can tie them."""
    stepped = [p for p in parameters if p.n_steps is not None and not p.is_log]
    if len(stepped) < 2 or luck.random() < 0.5:
        return parameters
    first, second = luck.sample(stepped, 2)
    twin = replace(second, low=first.low, high=first.high, n_steps=first.n_steps)
    return [twin if p.name == second.name else p for p in parameters]


def draw_rules(
    luck: Random, parameters: list[Parameter], anchor: Mapping[str, Value]
) -> list[Rule]:
    """Return up to three rules that the settings of ``anchor`` meet."""
    ruled = [p for p in parameters if p.choices is None and p.only_if is None]
    by_name = {p.name: p for p in ruled if p.span > 0}
    rules = []
    for _ in range(luck.choices((0, 1, 2, 3), (5, 3, 2, 1))[0]):
        if len(by_name) < 2:
            break
        names = luck.sample(sorted(by_name), luck.randint(2, min(3, len(by_name))))
        terms = {
            name: float(f"{luck.choice((-1, 1)) * luck.uniform(0.3, 3) / by_name[name].span:.4g}")
            for name in names
        }
        is_continuum = all(by_name[name].n_steps is None for name in names)
        operator = luck.choice(("<=", ">=", "==") if is_continuum else ("<=", ">="))
        slack = luck.choice((0.0, luck.uniform(0, 0.3), luck.uniform(0, 1)))
        at_anchor = math.fsum(terms[name] * float(anchor[name]) for name in names)
        bound = at_anchor + {"<=": slack, ">=": -slack, "==": 0.0}[operator]
        rules.append(make_rule(by_name, terms, operator, bound))
    twins = [
        (a, b)
        for a in by_name.values()
        for b in by_name.values()
        if a.name < b.name and a.n_steps is not None and (a.low, a.high) == (b.low, b.high)
        and not a.name.startswith("part_")
    ]  # fmt: skip
    if twins and luck.random() < 0.7:
        first, second = twins[0]
        sign = luck.choice((-1, 1))
        exact = Decimal(repr(anchor[first.name])) + sign * Decimal(repr(anchor[second.name]))
        terms = {first.name: 1.0, second.name: float(sign)}
        rules.append(make_rule(by_name, terms, "==", float(exact)))
    return rules
