"""The design space cut into boxes that no exclusion touches.

Notation

========  ==========================================================================
span      of a number: from, to, both settings of the machine; of a named parameter:
          the places of its choices
box       a span of each controlled parameter: everything in it may be set
========  ==========================================================================

Boxes are disjoint, and together they are what exclusions leave. There may be as many as there are
ways to keep all of them, so that they come one by one, and a search gives up after many.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from engine.campaign.applicability import Requirement, requirements
from engine.campaign.conditions import Condition, Interval
from engine.campaign.exclusions import Exclusion
from engine.campaign.parameters import Parameter

Span = Interval | frozenset[int]
Box = tuple[Span, ...]

_MOST_CUTS = 20_000


class TooManyCutsError(Exception):
    """Exclusions cut the space so often that the search for what they leave was given up."""


def whole_box(parameters: Sequence[Parameter], pinned: Mapping[str, float]) -> Box:
    """Return the box of everything; ``pinned`` are values, or places of choices, that are held."""
    spans: list[Span] = []
    for parameter in parameters:
        code = pinned.get(parameter.name)
        if parameter.is_categorical:
            spans.append(parameter.codes if code is None else frozenset([round(code)]))
        else:
            spans.append(parameter.bounds if code is None else (code, code))
    return tuple(spans)


def boxes_outside(
    parameters: Sequence[Parameter],
    exclusions: Sequence[Exclusion],
    pinned: Mapping[str, float] | None = None,
    rng: random.Random | None = None,
) -> Iterator[Box]:
    """Yield disjoint boxes outside all exclusions; no box: they leave nothing.

    Args:
        parameters: the controlled ones.
        exclusions: what to keep out of.
        pinned: values (places of choices) that are held.
        rng: boxes come in its order; in theirs without.

    Raises:
        TooManyCutsError: the search was given up.
    """
    places = {parameter.name: i for i, parameter in enumerate(parameters)}
    needs = requirements(parameters)
    parts = [whole_box(parameters, pinned or {})]
    for name in needs:
        parts = _told_apart(parameters, places, parts, (name, needs[name]), pinned or {})
    waiting = [(box, 0) for box in reversed(parts)]
    conjunctions = [
        [*exclusion.when.items(), *chain.from_iterable(needs.get(n, ()) for n in exclusion.when)]
        for exclusion in exclusions
    ]
    n_cuts = 0
    while waiting:
        box, n_kept = waiting.pop()
        if n_kept == len(exclusions):
            yield box
            continue
        n_cuts += 1
        if n_cuts > _MOST_CUTS:
            raise TooManyCutsError
        allowed, _ = _cut(parameters, places, box, conjunctions[n_kept])
        pieces = [(piece, n_kept + 1) for piece in allowed]
        if rng is not None:
            rng.shuffle(pieces)
        waiting.extend(reversed(pieces))


def is_anything_left(
    parameters: Sequence[Parameter],
    exclusions: Sequence[Exclusion],
    pinned: Mapping[str, float] | None = None,
) -> bool:
    """Whether exclusions leave a box, or it would take too long to tell that they do not."""
    try:
        return next(boxes_outside(parameters, exclusions, pinned), None) is not None
    except TooManyCutsError:
        return True


def least_contradiction(
    parameters: Sequence[Parameter],
    exclusions: Sequence[Exclusion],
    pinned: Mapping[str, float] | None = None,
) -> tuple[list[Exclusion], dict[str, float]]:
    """Return exclusions and pinned values that leave nothing, none of them needlessly."""
    needed, remaining = list(exclusions), dict(pinned or {})
    for name in list(remaining):
        fewer = {key: value for key, value in remaining.items() if key != name}
        if not is_anything_left(parameters, needed, fewer):
            remaining = fewer
    for exclusion in exclusions:
        remainder = [item for item in needed if item is not exclusion]
        if not is_anything_left(parameters, remainder, remaining):
            needed = remainder
    return needed, remaining


def spans_outside(parameter: Parameter, condition: Condition) -> Sequence[Span]:
    """Return where in its range a parameter does not fulfil a condition."""
    (span,) = whole_box([parameter], {})
    return _split(parameter, span, condition)[0]


def can_hold(parameter: Parameter, condition: Condition) -> bool:
    """Whether any setting of the machine, retired or not, fulfils the condition."""
    if parameter.choices is not None:
        return any(condition.holds(parameter, choice) for choice in parameter.choices)
    (span,) = whole_box([parameter], {})
    return bool(_split(parameter, span, condition)[1])


def share_of(parameters: Sequence[Parameter], box: Box) -> float:
    """Return the box's share of the design space, up to one factor for all boxes."""
    share = 1.0
    for parameter, span in zip(parameters, box, strict=True):
        if isinstance(span, frozenset):
            share *= len(span) / len(parameter.choices or (1,))
            continue
        low, high = parameter.bounds
        n_levels = parameter.n_levels
        step = (high - low) / (n_levels - 1) if n_levels and n_levels > 1 else 0.0
        width = span[1] - span[0] + step
        # A value that is held is a point, in every box: it makes none of them smaller.
        share *= width / (high - low + step) if width > 0 and high > low else 1.0
    return share


def _told_apart(
    parameters: Sequence[Parameter],
    places: Mapping[str, int],
    boxes: Sequence[Box],
    need: tuple[str, Sequence[Requirement]],
    pinned: Mapping[str, float],
) -> list[Box]:
    """Return boxes in which a conditional parameter has a value throughout, or its stand-in."""
    name, conjunction = need
    place = places[name]
    stand_in = stand_in_span(parameters[place])
    parts: list[Box] = []
    for box in boxes:
        outside, inside = _cut(parameters, places, box, conjunction)
        parts += inside
        # Whoever holds a value wants the parameter to have one.
        if name not in pinned:
            parts += [(*part[:place], stand_in, *part[place + 1 :]) for part in outside]
    return parts


def stand_in_span(parameter: Parameter) -> Span:
    """Return the span of what stands where a parameter has no value."""
    value = parameter.stand_in
    if isinstance(value, str):
        return frozenset([list(parameter.choices or ()).index(value)])
    return value, value


def _cut(
    parameters: Sequence[Parameter],
    places: Mapping[str, int],
    box: Box,
    conjunction: Sequence[Requirement],
) -> tuple[list[Box], list[Box]]:
    """Return the disjoint parts of ``box`` outside and inside all conditions together."""
    outside: list[Box] = []
    inside = [box]
    for name, condition in conjunction:
        place = places[name]
        covered: list[Box] = []
        for part in inside:
            free, excluded = _split(parameters[place], part[place], condition)
            outside += [(*part[:place], span, *part[place + 1 :]) for span in free]
            covered += [(*part[:place], span, *part[place + 1 :]) for span in excluded]
        inside = covered
    return outside, inside


def _split(
    parameter: Parameter, span: Span, condition: Condition
) -> tuple[Sequence[Span], Sequence[Span]]:
    """Return where in ``span`` the condition does not hold, and where it does."""
    if isinstance(span, frozenset):
        codes = condition.codes(parameter)
        return [s for s in (span - codes,) if s], [s for s in (span & codes,) if s]
    intervals = sorted(condition.intervals(parameter))
    gaps: list[Interval] = []
    start = -math.inf
    for first, last in intervals:
        gaps.append((start, first))
        start = last
    gaps.append((start, math.inf))
    outside = [s for gap in gaps if (s := _clearance(parameter, span, gap)) is not None]
    inside = [s for part in intervals if (s := _intersection(parameter, span, part)) is not None]
    return outside, inside


def _intersection(parameter: Parameter, span: Interval, part: Interval) -> Interval | None:
    """Return what ``span`` and the closed ``part`` have in common, on settings of the machine."""
    low, high = max(span[0], part[0]), min(span[1], part[1])
    if parameter.n_levels is None or span[0] == span[1]:
        return (low, high) if low <= high else None
    return _levels_between(parameter, low, high)


def _clearance(parameter: Parameter, span: Interval, gap: Interval) -> Interval | None:
    """Return what ``span`` has in common with the open ``gap``, on settings of the machine."""
    start, stop = gap
    if span[0] == span[1]:
        return span if start < span[0] < stop else None
    if parameter.n_levels is not None:
        return _levels_between(parameter, max(span[0], start), min(span[1], stop))
    # Where a limit itself is allowed (`above = 60`), intervals begin that far beyond it.
    low = max(span[0], start + _clear(parameter, start))
    high = min(span[1], stop - _clear(parameter, stop))
    return (low, high) if low <= high else None


def _clear(parameter: Parameter, limit: float) -> float:
    return 1.5 * parameter.resolution_at(limit) if math.isfinite(limit) else 0.0


def _levels_between(parameter: Parameter, low: float, high: float) -> Interval | None:
    """Return the first and last of a parameter's levels within limits; ``None``: there is none."""
    if not low <= high:
        return None
    if parameter.choices is not None:
        inside = [float(level) for level in parameter.settable if low <= float(level) <= high]
        return (inside[0], inside[-1]) if inside else None
    start, step = parameter.bounds[0], float(parameter.step or 1.0)
    first = math.ceil((low - start) / step - 1e-9)
    last = math.floor((high - start) / step + 1e-9)
    if first > last:
        return None
    return parameter.level(first), parameter.level(last)
