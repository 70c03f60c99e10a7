"""Settings beside others: steps along each parameter, other choices, exchanges within a mixture."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.campaign import LinearConstraint, Value
from engine.campaign.boxes import spans_outside
from engine.propose.space import Space, places, values_at

Array = NDArray[np.float64]


def neighbours(space: Space, rows: Array, fixed: Mapping[str, Value] | None = None) -> Array:
    """Return distinct feasible settings near ``rows``, (c,) or (k, c), without these.

    Along each parameter: steps near, middling and far, and both ends of the range; other
    choices; where an equality ties parameters, exchanges between two of them; and where a step
    leads into an exclusion, another of its parameters leads out again.
    """
    rows = np.atleast_2d(rows)
    moved = [np.empty((0, rows.shape[1]))]
    for i, parameter in enumerate(space.controlled):
        if parameter.name in (fixed or {}) or parameter.is_constant:
            continue
        values = _nearby_values(space, i, rows[:, i])
        steps = np.repeat(rows, values.shape[1], axis=0)
        steps[:, i] = values.ravel()
        steps = steps[steps[:, i] != np.repeat(rows[:, i], values.shape[1])]
        moved.append(steps)
        moved.extend(_compensated(space, steps, i, fixed or {}))
        moved.extend(evaded(space, steps, {*(fixed or {}), parameter.name}))
    candidates = space.canonical(np.concatenate(moved))
    return space.new_among(candidates[space.is_feasible(candidates)], set(space.identities(rows)))


def _nearby_values(space: Space, i: int, values: Array) -> Array:
    """Return (k, t) other values of parameter ``i`` near (k,) ``values``."""
    parameter = space.controlled[i]
    n_levels = parameter.n_levels
    far = np.array([-0.15, -0.06, -0.02, 0.02, 0.06, 0.15])
    if n_levels is None:
        shares = np.clip(places(parameter, values)[:, None] + far, 0.0, 1.0)
        ends = np.tile(parameter.bounds, (len(values), 1))
        parts = [values_at(parameter, shares), ends]
        borders = _borders(space, i)
        if borders:
            parts.append(np.tile(borders, (len(values), 1)))
        return np.concatenate(parts, axis=1)
    place = space.level_of(i, values)[:, None]
    if parameter.is_categorical:
        return space.at_level(i, (place + np.arange(1, n_levels)) % n_levels)
    strides = {1, 2, max(2, n_levels // 8), max(3, n_levels // 4)}
    shifts = np.array(sorted(s * stride for stride in strides for s in (-1, 1)))
    ends = np.tile(np.array([0, n_levels - 1]), (len(values), 1))
    near = np.clip(np.concatenate([place + shifts, ends], axis=1), 0, n_levels - 1)
    steps = space.at_level(i, near.astype(np.int64))
    if parameter.scale == "linear":
        return steps
    # Steps are small at one end of decades and large at the other: ratios as well.
    ratios = values_at(parameter, np.clip(places(parameter, values)[:, None] + far, 0.0, 1.0))
    return np.concatenate([steps, space.snapped(i, ratios)], axis=1)


def _borders(space: Space, i: int) -> list[float]:
    """Return where exclusions begin and end within the range of continuous parameter ``i``."""
    parameter = space.controlled[i]
    spans = [
        span
        for exclusion in space.campaign.exclusions
        for name, condition in exclusion.when.items()
        if name == parameter.name
        for span in spans_outside(parameter, condition)
    ]
    ends = {end for span in spans if isinstance(span, tuple) for end in span}
    return sorted(ends - set(parameter.bounds))


def evaded(space: Space, settings: Array, pinned: Collection[str]) -> list[Array]:
    """Return variants of excluded settings (n, c): one parameter of an exclusion leads out of it.

    Args:
        space: the campaign's.
        settings: those that lie in no exclusion have no variants.
        pinned: parameters that stay.
    """
    variants = []
    for exclusion in space.campaign.exclusions:
        inside = settings[space.is_inside(exclusion, settings)]
        if not len(inside):
            continue
        for name, condition in exclusion.when.items():
            if name in pinned:
                continue
            place = space.place_of(name)
            for span in spans_outside(space.controlled[place], condition):
                ways: list[float | tuple[float, float]] = (
                    [span] if isinstance(span, tuple) else [float(code) for code in sorted(span)]
                )
                for way in ways:
                    variant = inside.copy()
                    # The nearest value outside, or the choice.
                    variant[:, place] = (
                        np.clip(inside[:, place], *way) if isinstance(way, tuple) else way
                    )
                    variants.append(variant)
    return variants


def nearest_allowed(space: Space, setting: Array, fixed: Mapping[str, Value]) -> Array:
    """Return ``setting`` (c,), or what is near it and lies in no exclusion, if there is any.

    As many parameters change as there are exclusions to leave, each as little as it can.
    """
    nowhere = np.zeros((1, len(space.ambient)))
    setting = space.canonical(setting[None])[0]
    for _ in space.campaign.exclusions:
        variants = evaded(space, setting[None], fixed)
        if not variants:
            break
        candidates = space.canonical(np.concatenate(variants))
        allowed = candidates[space.is_feasible(candidates)]
        candidates = allowed if len(allowed) else candidates
        X = space.cube(candidates, np.tile(nowhere, (len(candidates), 1)))
        distances = np.linalg.norm(X - space.cube(setting[None], nowhere), axis=1)
        setting = candidates[int(np.argmin(distances))]
    return setting


def _compensated(space: Space, steps: Array, moved: int, fixed: Mapping[str, Value]) -> list[Array]:
    """Return variants of ``steps`` that meet the equalities they broke, another giving way."""
    variants = []
    for constraint in space.campaign.parameter_constraints:
        if constraint.operator != "==" or space.controlled[moved].name not in constraint.terms:
            continue
        for name, factor in constraint.terms.items():
            place = space.place_of(name)
            if place != moved and factor and name not in fixed:
                variant = space.solve(constraint, steps, place)
                variants.append(variant)
                variants.extend(_passed_on(space, variant, constraint, (moved, place), fixed))
    return variants


def _passed_on(
    space: Space,
    steps: Array,
    met: LinearConstraint,
    moved: tuple[int, int],
    fixed: Mapping[str, Value],
) -> list[Array]:
    """Return variants that meet a further equality, by what is in none that is met already."""
    variants = []
    for constraint in space.campaign.parameter_constraints:
        names = {space.controlled[place].name for place in moved} & constraint.terms.keys()
        if constraint.operator != "==" or constraint is met or not names:
            continue
        for name, factor in constraint.terms.items():
            place = space.place_of(name)
            if place not in moved and factor and name not in {*fixed, *met.terms}:
                variants.append(space.solve(constraint, steps, place))
    return variants
