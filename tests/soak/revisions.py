"""Edits of a campaign under way: wider ranges, further choices, other thresholds and limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from parameters import Parameter
from plans import Objective, Plan
from words import CHOICES


def revise(plan: Plan, luck: Random) -> Plan:
    """Return the plan after an edit or two; what was run before stays possible."""
    for edit in luck.sample(EDITS, 2):
        plan = edit(plan, luck)
    return plan


def _with_parameter(plan: Plan, changed: Parameter) -> Plan:
    parameters = (changed if p.name == changed.name else p for p in plan.parameters)
    return replace(plan, parameters=tuple(parameters))


def _widen(plan: Plan, luck: Random) -> Plan:
    """Widen a range upwards, by as many steps as it has."""
    ranges = [p for p in plan.controlled if p.span > 0 and p.choices is None]
    ranges = [p for p in ranges if not p.name.startswith("part_")]
    if not ranges:
        return plan
    p = luck.choice(ranges)
    n_steps = None if p.n_steps is None else 2 * p.n_steps
    high = p.high + p.span if p.step is None else float(p.level(p.n_steps or 0)) + p.span
    return _with_parameter(plan, replace(p, high=float(f"{high:.12g}"), n_steps=n_steps))


def _add_choice(plan: Plan, luck: Random) -> Plan:
    named = [p for p in plan.controlled if p.is_named]
    if not named:
        return plan
    p = luck.choice(named)
    fresh = luck.choice([choice for choice in CHOICES if choice not in (p.choices or ())])
    return _with_parameter(plan, replace(p, choices=(*(p.choices or ()), fresh)))


def _retire(plan: Plan, luck: Random) -> Plan:
    """Let a choice be out of stock, but for the anchor's."""
    p = luck.choice(plan.controlled)
    if p.name in plan.parents:
        return plan
    others = [choice for choice in p.settable if choice != plan.anchor[p.name]]
    if not others:
        return plan
    return _with_parameter(plan, replace(p, retired=(*p.retired, luck.choice(others))))


def _limit(plan: Plan, luck: Random) -> Plan:
    p = luck.choice(plan.controlled)
    return _with_parameter(plan, replace(p, max_distinct=luck.choice((None, 2, 3))))


def _move_threshold(plan: Plan, luck: Random) -> Plan:
    def moved(objective: Objective) -> Objective:
        if objective.threshold is None:
            return replace(objective, tolerance=(objective.tolerance or 1.0) * 2)
        return replace(objective, threshold=objective.threshold * luck.choice((0.5, 1.1)))

    return replace(plan, objectives=tuple(map(moved, plan.objectives)))


EDITS: tuple[Callable[[Plan, Random], Plan], ...] = (
    _widen,
    _add_choice,
    _retire,
    _limit,
    _move_threshold,
)
