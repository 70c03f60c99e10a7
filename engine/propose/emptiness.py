"""Why nothing can be set: constraints, exclusions and values that leave no setting, named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from engine.campaign import LinearConstraint, Parameter, Value
from engine.campaign.exclusions import Exclusion
from engine.errors import UsageError
from engine.propose.polytope import contradiction
from engine.propose.regions import Regions
from engine.propose.space import Space


def refuse(space: Space, fixed: Mapping[str, Value]) -> NoReturn:
    """Say what leaves no setting.

    Raises:
        UsageError: always; the message names what contradicts, and nothing needlessly.
    """
    campaign = space.campaign
    rules = list(campaign.parameter_constraints)
    exclusions = list(campaign.exclusions)
    pinned = dict(fixed)
    parts = ["the bounds", "the steps"]
    parts += ["the parameter constraints"] if rules or not exclusions else []
    parts += ["the exclusions"] if exclusions else []
    kinds = f"{', '.join(parts[:-1])} and {parts[-1]}"
    begin = f"no setting satisfies {kinds} together"
    try:
        is_cut = bool(exclusions) or space.is_conditional
        if is_cut and _is_empty(space, rules, exclusions, pinned):
            rules, exclusions, pinned = _least(space, rules, exclusions, pinned)
            begin += ", and none can"
        elif rules and not is_cut:
            rules, pinned, begin = _of_rules(space, rules, pinned, begin)
    except TimeoutError:
        begin = begin.replace("no setting satisfies", "no setting was found that satisfies")
    ranges = ", ".join(
        f"{p.name} {_range_of(p)}"
        for p in space.controlled
        if p.is_numeric and any(p.name in rule.terms for rule in rules)
    )
    listed = [f"constraints: {', '.join(map(str, rules)) or 'none'}"]
    if campaign.exclusions:
        listed.append(f"exclusions: {', '.join(f'{item}' for item in exclusions) or 'none'}")
    assignments = [_assignment(*pair) for pair in pinned.items()]
    listed.append(f"fixed: {', '.join(assignments) or 'none'}")
    listed.append(f"ranges: {ranges or 'all'}")
    raise UsageError(f"{begin} ({'; '.join(listed)}). Widen or drop one of them.")


def _of_rules(
    space: Space, rules: list[LinearConstraint], pinned: dict[str, Value], begin: str
) -> tuple[list[LinearConstraint], dict[str, Value], str]:
    """Return the rules and values that contradict each other, and how the message begins."""
    (region,) = Regions(space, pinned).listed
    if region.polytope.nearest() is not None:
        return rules, pinned, begin
    numeric = [p for p in space.controlled if p.is_numeric]
    places = [place for place, p in enumerate(numeric) if p.name in pinned]
    rows, needed_places = contradiction(region.polytope, places)
    needed = {numeric[i].name: pinned[numeric[i].name] for i in needed_places}
    return [rules[row] for row in rows], needed, f"{begin}, and none can"


def _least(
    space: Space,
    rules: list[LinearConstraint],
    exclusions: list[Exclusion],
    pinned: dict[str, Value],
) -> tuple[list[LinearConstraint], list[Exclusion], dict[str, Value]]:
    """Drop one after the other of what contradicts, as long as it still does."""
    for name in list(pinned):
        fewer = {key: value for key, value in pinned.items() if key != name}
        if _is_empty(space, rules, exclusions, fewer):
            pinned = fewer
    for rule in reversed(rules):
        remaining = [item for item in rules if item is not rule]
        if _is_empty(space, remaining, exclusions, pinned):
            rules = remaining
    for exclusion in reversed(exclusions):
        fewer_exclusions = [item for item in exclusions if item is not exclusion]
        if _is_empty(space, rules, fewer_exclusions, pinned):
            exclusions = fewer_exclusions
    return rules, exclusions, pinned


def _is_empty(
    space: Space,
    rules: Sequence[LinearConstraint],
    exclusions: Sequence[Exclusion],
    pinned: Mapping[str, Value],
) -> bool:
    """Whether it is proven that nothing is left.

    Raises:
        TimeoutError: neither that nor the opposite was found out in time.
    """
    changes = {"parameter_constraints": tuple(rules), "exclusions": tuple(exclusions)}
    regions = Regions(Space(space.campaign.model_copy(update=changes)), pinned)
    if any(region.nearest(None) is not None for region in regions.listed):
        return False
    if not regions.is_all:
        raise TimeoutError
    return True


def _assignment(name: str, value: Value) -> str:
    return f"{name}={value}" if isinstance(value, str) else f"{name}={value:g}"


def _range_of(parameter: Parameter) -> str:
    low, high = parameter.bounds
    if parameter.is_constant:
        return f"{low:g} alone"
    step = f" in steps of {parameter.step:g}" if parameter.step is not None else ""
    return f"{low:g} … {high:g}{step}"
