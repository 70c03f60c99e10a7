"""The settings that a search begins with, and which of many are worth a close look."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Value
from engine.propose.sampling import Sampler
from engine.propose.space import Space

Array = NDArray[np.float64]

_ENDS = 0.4  # share of values put at an end of their range
_MAX_CORNERS = 64
_VIEWS = 12  # weightings of the objectives whose best settings stay in view


def spread_settings(space: Space, n: int, seed: int, fixed: Mapping[str, Value]) -> Array:
    """Return settings (p, c) all over the space: ``n``, a share of them at its ends, and corners.

    Fronts lie at ends and in corners of the ranges more often than an even sample goes there.
    """
    n_even, sampler = n - n // 4, Sampler(space)
    return np.concatenate(
        [
            sampler.sample(n_even, seed, fixed),
            sampler.sample(max(1, n - n_even), seed + 1, fixed, ends=_ENDS),
            _corners(space, sampler, seed, fixed),
        ]
    )


def _corners(space: Space, sampler: Sampler, seed: int, fixed: Mapping[str, Value]) -> Array:
    """Return the corners of the ranges, or of what rules leave of them, as far as they are few."""
    if space.is_ruled:
        return sampler.corners(fixed)[:_MAX_CORNERS]
    numeric = [i for i in space.free if space.controlled[i].is_numeric]
    free = [i for i in numeric if space.controlled[i].name not in fixed]
    if 2 ** len(free) > _MAX_CORNERS:
        return np.empty((0, len(space.controlled)))
    corners = np.repeat(sampler.sample(1, seed, fixed), 2 ** len(free), axis=0)
    bounds = [space.controlled[i].bounds for i in free]
    corners[:, free] = np.array(list(product(*bounds))).reshape(len(corners), len(free))
    return corners[space.is_feasible(corners)]


def leaders_of(values: Array, gains: Array, n: int) -> NDArray[np.int64]:
    """Return the indices of up to ``n`` settings: two in three by value, the rest along the front.

    A value is that of a setting alone. A batch needs the whole front in view, so the rest are the
    best by weighted sums of the objectives' logarithms.
    """
    order = np.argsort(-values, kind="stable")
    k = gains.shape[1]
    if len(values) <= n or k < 2:
        return order[:n]
    chosen = list(order[: (2 * n) // 3])
    remaining = order[(2 * n) // 3 :]
    share = -(-(n - len(chosen)) // _VIEWS)
    log_gains = np.log(np.maximum(gains[remaining], 1e-9))
    for weights in _weights(k):
        chosen.extend(remaining[np.argsort(-(log_gains @ weights), kind="stable")[:share]])
    return np.array(list(dict.fromkeys(chosen))[:n], dtype=np.int64)


def _weights(k: int) -> Array:
    """Return (views, k) weightings of the objectives that sum to one."""
    if k == 2:
        first = np.linspace(0.05, 0.95, _VIEWS)
        return np.stack([first, 1.0 - first], axis=1)
    return np.random.default_rng(0).dirichlet(np.ones(k), _VIEWS)
