"""The cold start: scrambled Sobol settings on the instrument's grid, even with what was run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from engine.campaign import Value
from engine.campaign.history import History
from engine.propose.batch import DistinctLimits
from engine.propose.sampling import Sampler
from engine.propose.space import Space

Array = NDArray[np.float64]

_SCRAMBLES = 24  # batches compared; also the stride that keeps the scrambles of two seeds apart
_WIDE_POOL = 2048


def fill_space(
    space: Space,
    n: int,
    seed: int,
    *,
    excluded: set[tuple[int, ...]],
    existing: Array,
    limits: DistinctLimits,
    fixed: Mapping[str, Value],
    chosen: Sequence[Array] = (),
) -> Array:
    """Return up to ``n`` new settings (n, c), beside those ``chosen`` for the batch already.

    Of several scrambled Sobol batches the one is taken that leaves the union with the runs so far
    (``existing``: (k, c)) the most even, by centred discrepancy.
    """
    sampler = Sampler(space)
    best, best_score = np.empty((0, len(space.controlled))), np.inf
    for scramble in range(_SCRAMBLES):
        # A pool that left the batch short is too small for the limits: look at more of the space.
        size = _WIDE_POOL if scramble and len(best) < n else 8 * n + 64
        pool = sampler.sample(size, seed * _SCRAMBLES + scramble, fixed)
        batch = _take(space, pool, n, excluded=excluded, limits=limits, chosen=chosen)
        if len(batch) < len(best):
            continue
        score = _unevenness(space, np.concatenate([existing, batch]))
        if len(batch) > len(best) or score < best_score:
            best, best_score = batch, score
    return best


def take_then_fill(
    space: Space,
    history: History,
    candidates: Iterable[Array],
    n: int,
    seed: int,
    *,
    excluded: set[tuple[int, ...]],
    limits: DistinctLimits,
    fixed: Mapping[str, Value],
) -> tuple[Array, int]:
    """Take the first ``n`` new settings that can be set; where they are fewer, fill the space.

    Args:
        space: the campaign's geometry.
        history: its finished runs are what the rest is spread beside.
        candidates: settings (c,) on the instrument's steps, best first; read no further than
            needed.
        n: how many settings are wanted.
        seed: of the space-filling.
        excluded: settings that must not come again.
        limits: of distinct values in the batch.
        fixed: controlled parameters that are held.

    Returns:
        Up to ``n`` settings (n, c), and how many of them fill the space.
    """
    chosen: list[Array] = []
    unavailable = set(excluded)
    for setting in candidates:
        if (
            len(space.new_among(setting[None], unavailable))
            and space.is_feasible(setting[None])[0]
            and limits.allowed(setting[None], chosen)[0]
        ):
            unavailable.add(space.key(setting))
            chosen.append(setting)
        if len(chosen) == n:
            return np.stack(chosen), 0
    existing = space.settings_of([run.conditions for run in history.finished])
    filling = fill_space(
        space,
        n - len(chosen),
        seed,
        excluded=unavailable,
        existing=existing,
        limits=limits,
        fixed=fixed,
        chosen=chosen,
    )
    return np.concatenate([np.reshape(chosen, (-1, len(space.controlled))), filling]), len(filling)


def _take(
    space: Space,
    pool: Array,
    n: int,
    *,
    excluded: set[tuple[int, ...]],
    limits: DistinctLimits,
    chosen: Sequence[Array],
) -> Array:
    pool = space.new_among(pool, excluded)
    batch: list[Array] = []
    is_free = np.ones(len(pool), dtype=bool)
    while len(batch) < n:
        rows = np.flatnonzero(is_free)
        good = limits.allowed(pool[rows], [*chosen, *batch])
        if not good.any():
            break
        first = int(rows[np.argmax(good)])
        batch.append(pool[first])
        is_free[first] = False
    return np.stack(batch) if batch else np.empty((0, pool.shape[1]))


def _unevenness(space: Space, settings: Array) -> float:
    X = space.cube(settings, np.zeros((len(settings), len(space.ambient))))
    controlled = X[:, : sum(len(space.columns[p.name]) for p in space.controlled)]
    if len(controlled) < 2:
        return 0.0
    return float(qmc.discrepancy(np.clip(controlled, 0.0, 1.0), method="CD"))
