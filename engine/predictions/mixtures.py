"""Conditions that keep their sums: a mixture stays on its simplex while one component moves.

Notation
--------
==========  ==============================================================================
sum         a parameter constraint Σ a_i x_i = b; a mixture's is Σ x_i = 1
gap         b − Σ a_i x_i, what the others have to make up for
room        how far x_i may still move in that direction, |a_i| · (its bound − x_i)
==========  ==============================================================================

The others share a gap by their rooms: none leaves its range as long as all of them together have
room enough, and the proportions within a mixture change as little as the ranges let them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from engine.campaign import Campaign, Value
from engine.campaign.definition import LinearConstraint

MOST_ROUNDS = 20
"""Of sums that share parameters each disturbs the other; they settle quickly."""


def sums_of(campaign: Campaign) -> list[LinearConstraint]:
    """Return the campaign's sums."""
    return [rule for rule in campaign.parameter_constraints if rule.operator == "=="]


def keep_sums(
    campaign: Campaign, conditions: Mapping[str, Value], fixed: Collection[str] = ()
) -> dict[str, Value]:
    """Return conditions that keep every sum, with ``fixed`` as they are.

    Where no values can, they come as near as the ranges let them; ``Campaign.broken_by`` tells.

    >>> from engine.campaign import Campaign, Parameter, Property, Objective
    >>> parts = [Parameter(name=name, low=0, high=1) for name in "abc"]
    >>> blend = Campaign(
    ...     name="blend",
    ...     parameters=parts,
    ...     properties=[Property(name="y")],
    ...     objectives=[Objective(outcome="y", goal="maximize", threshold=0)],
    ...     parameter_constraints=["a + b + c == 1"],
    ... )
    >>> blended = keep_sums(blend, {"a": 0.5, "b": 0.5, "c": 0.5}, fixed=["a"])
    >>> blended["a"], round(blended["b"] + blended["c"], 12)
    (0.5, 0.5)
    """
    row = dict(conditions)
    sums = [rule for rule in sums_of(campaign) if rule.terms.keys() <= row.keys()]
    for _ in range(MOST_ROUNDS):
        broken = [rule for rule in sums if abs(_gap(rule, row)) > _tolerance(rule)]
        if not broken:
            break
        for rule in broken:
            _share(campaign, rule, row, fixed)
    return row


def on_the_grid(campaign: Campaign, conditions: Mapping[str, Value]) -> dict[str, Value]:
    """Return conditions on the instrument's steps that keep every sum, if such are near.

    All but one part of a sum are rounded to their steps, and the one is what remains.
    """
    row = dict(conditions)
    for rule in sums_of(campaign):
        if not rule.terms.keys() <= row.keys():
            continue
        for filler in rule.terms:
            rounded = dict(row)
            for name in rule.terms:
                if name != filler:
                    rounded[name] = campaign.parameter(name).snap(float(row[name]))
            remainder = float(rounded[filler]) + _gap(rule, rounded) / rule.terms[filler]
            parameter = campaign.parameter(filler)
            setting = parameter.snap(remainder)
            low, high = parameter.bounds
            slack = 1e-9 * max(1.0, abs(remainder))
            if low - slack <= remainder <= high + slack and abs(setting - remainder) <= slack:
                row = {**rounded, filler: setting}
                break
    return row


def _gap(rule: LinearConstraint, row: Mapping[str, Value]) -> float:
    return rule.bound - sum(factor * float(row[name]) for name, factor in rule.terms.items())


def _tolerance(rule: LinearConstraint) -> float:
    return 1e-12 * max(1.0, abs(rule.bound))


def _share(
    campaign: Campaign, rule: LinearConstraint, row: dict[str, Value], fixed: Collection[str]
) -> None:
    gap = _gap(rule, row)
    rooms: dict[str, float] = {}
    for name, factor in rule.terms.items():
        parameter = campaign.parameter(name)
        if name in fixed or parameter.is_constant:
            continue
        low, high = parameter.bounds
        is_up = (gap > 0) == (factor > 0)
        room = high - float(row[name]) if is_up else float(row[name]) - low
        rooms[name] = abs(factor) * max(0.0, room)
    total = sum(rooms.values())
    if not total:
        return
    part = min(1.0, abs(gap) / total)
    for name, room in rooms.items():
        factor = rule.terms[name]
        sign = 1.0 if (gap > 0) == (factor > 0) else -1.0
        row[name] = float(row[name]) + sign * part * room / abs(factor)
