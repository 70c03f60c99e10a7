"""Settings beside others: steps along each parameter, other choices, exchanges within a mixture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.campaign import LinearConstraint, Value
from engine.propose.space import Space, places, values_at

Array = NDArray[np.float64]


def neighbours(space: Space, rows: Array, fixed: Mapping[str, Value] | None = None) -> Array:
    """Return distinct feasible settings near ``rows``, (c,) or (k, c), without these.

    Along each parameter: steps near, middling and far, and both ends of the range; other
    choices; and where an equality ties parameters, exchanges between two of them.
    """
    rows = np.atleast_2d(rows)
    moved = [np.empty((0, rows.shape[1]))]
    for i, parameter in enumerate(space.controlled):
        if parameter.name in (fixed or {}):
            continue
        values = _nearby_values(space, i, rows[:, i])
        steps = np.repeat(rows, values.shape[1], axis=0)
        steps[:, i] = values.ravel()
        steps = steps[steps[:, i] != np.repeat(rows[:, i], values.shape[1])]
        moved.append(steps)
        moved.extend(_compensated(space, steps, i, fixed or {}))
    candidates = np.concatenate(moved)
    return space.new_among(candidates[space.is_feasible(candidates)], set(space.identities(rows)))


def _nearby_values(space: Space, i: int, values: Array) -> Array:
    """Return (k, t) other values of parameter ``i`` near (k,) ``values``."""
    parameter = space.controlled[i]
    n_levels = parameter.n_levels
    far = np.array([-0.15, -0.06, -0.02, 0.02, 0.06, 0.15])
    if n_levels is None:
        shares = np.clip(places(parameter, values)[:, None] + far, 0.0, 1.0)
        ends = np.tile(parameter.bounds, (len(values), 1))
        return np.concatenate([values_at(parameter, shares), ends], axis=1)
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
