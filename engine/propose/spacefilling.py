"""The cold start: scrambled Sobol settings on the instrument's grid, even with what was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from engine.campaign import Value
from engine.propose.batch import DistinctLimits
from engine.propose.space import Space

Array = NDArray[np.float64]

_SCRAMBLES = 24
_WIDE_POOL = 2048


def fill_space(
    space: Space,
    n: int,
    seed: int,
    *,
    taken: set[tuple[float, ...]],
    known: Array,
    limits: DistinctLimits,
    fixed: Mapping[str, Value],
    chosen: Sequence[Array] = (),
) -> Array:
    """Return up to ``n`` new settings (n, c), beside those ``chosen`` for the batch already.

    Of several scrambled Sobol batches the one is taken that leaves the union with the runs so far
    (``known``: (k, c)) the most even, by centred discrepancy.
    """
    best, best_score = np.empty((0, len(space.controlled))), np.inf
    for scramble in range(_SCRAMBLES):
        # A pool that left the batch short is too small for the limits: look at more of the space.
        size = _WIDE_POOL if scramble and len(best) < n else 8 * n + 64
        pool = space.sample(size, seed * _SCRAMBLES + scramble, fixed)
        batch = _take(space, pool, n, taken=taken, limits=limits, chosen=chosen)
        if len(batch) < len(best):
            continue
        score = _unevenness(space, np.concatenate([known, batch]))
        if len(batch) > len(best) or score < best_score:
            best, best_score = batch, score
    return best


def _take(
    space: Space,
    pool: Array,
    n: int,
    *,
    taken: set[tuple[float, ...]],
    limits: DistinctLimits,
    chosen: Sequence[Array],
) -> Array:
    found: list[Array] = []
    for row in pool:
        if len(found) == n:
            break
        if space.key(row) not in taken and limits.allowed(row[None], [*chosen, *found])[0]:
            found.append(row)
    return np.stack(found) if found else np.empty((0, pool.shape[1]))


def _unevenness(space: Space, settings: Array) -> float:
    X = space.cube(settings, np.zeros((len(settings), len(space.ambient))))
    controlled = X[:, : space.d - len(space.ambient)]
    if len(controlled) < 2:
        return 0.0
    return float(qmc.discrepancy(np.clip(controlled, 0.0, 1.0), method="CD"))
