"""Which runs are on the Pareto front, and how much of the outcome space they win.

Notation

======  =====================================================  ==================
``y``   objective values, in their units                       (runs, objectives)
``g``   gains: y, −y or the distance to a target, negative     (runs, objectives)
``t``   the thresholds' gains: what is below them wins nothing (objectives,)
======  =====================================================  ==================

A run *dominates* another if it is at least as good in every objective and better in one.
The hypervolume is the volume between the front and ``t``; its unit is the product of the
objectives' units.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.campaign.objectives import Objective

Array = NDArray[np.float64]

LARGEST = 1e300
"""The largest hypervolume that is told: a little more, and sums and axes would be infinite."""


def gains_of(values: ArrayLike, objectives: Sequence[Objective]) -> Array:
    """Return the gains of ``values`` (…, objectives): more is better everywhere.

    >>> diameter = Objective(outcome="diameter", goal="target", target=300, tolerance=20)
    >>> gains_of([[5.0, 310.0]], [Objective(outcome="q", threshold=0), diameter]).tolist()
    [[5.0, -10.0]]
    """
    array = np.asarray(values, dtype=np.float64)
    return np.stack([o.gains(array[..., j]) for j, o in enumerate(objectives)], axis=-1)


def front_mask(values: ArrayLike, objectives: Sequence[Objective]) -> NDArray[np.bool_]:
    """Say which rows of ``values`` (runs, objectives) no other row dominates.

    Rows with a missing objective (NaN) are never on the front; equal rows are on it together.

    >>> strength, cost = Objective(outcome="q", threshold=0), Objective(
    ...     outcome="cost", goal="minimize", threshold=9
    ... )
    >>> front_mask([[1, 5], [3, 5], [3, 5], [2, 4]], [strength, cost]).tolist()
    [False, True, True, True]
    """
    return undominated(_gains(values, objectives))


def undominated(gains: Array) -> NDArray[np.bool_]:
    """Say which rows of ``gains`` (runs, objectives) no other row dominates; NaN never."""
    import moocore

    mask: NDArray[np.bool_] = np.all(np.isfinite(gains), axis=1)
    if mask.any():
        # Weakly: of equal rows moocore would else keep one.
        mask[mask] = moocore.is_nondominated(gains[mask], maximise=True, keep_weakly=True)
    return mask


def hypervolume(values: ArrayLike, objectives: Sequence[Objective]) -> float:
    """Return the volume that the rows of ``values`` (runs, objectives) win beyond the thresholds.

    Rows with a missing objective are left out. Exact for any number of objectives
    (Fonseca, Paquete & López-Ibáñez 2006), up to :data:`LARGEST`.

    >>> hypervolume([[3.0], [5.0]], [Objective(outcome="q", threshold=1)])
    4.0
    """
    margins = _margins(values, objectives)
    return _volume(margins) if len(margins) else 0.0


def hypervolume_so_far(values: ArrayLike, objectives: Sequence[Objective]) -> Array:
    """Return the hypervolume after each row of ``values`` (runs, objectives): shape (runs,)."""
    gains = _gains(values, objectives)
    thresholds = np.array([o.reference for o in objectives])
    winning: NDArray[np.bool_] = np.all(gains > thresholds, axis=1)  # false where a value is NaN
    volumes = np.zeros(len(gains))
    front = np.empty((0, len(objectives)))
    for index, gain in enumerate(gains):
        volumes[index] = volumes[index - 1] if index else 0.0
        if winning[index] and not (front >= gain).all(axis=1).any():
            front = np.vstack([front[~(front <= gain).all(axis=1)], gain])
            volumes[index] = _volume(front - thresholds)
    return volumes


def _gains(values: ArrayLike, objectives: Sequence[Objective]) -> Array:
    """Return ``g``: more is better everywhere."""
    array = np.asarray(values, dtype=np.float64).reshape(-1, len(objectives))
    return gains_of(array, objectives)


def _margins(values: ArrayLike, objectives: Sequence[Objective]) -> Array:
    """Return ``g − t`` of the rows that are beyond every threshold."""
    thresholds = np.array([o.reference for o in objectives])
    margins: Array = _gains(values, objectives) - thresholds
    margins = margins[(margins > 0).all(axis=1)]
    return margins


def _volume(margins: Array) -> float:
    """Return the volume under ``margins`` (runs, objectives), all above 0."""
    from pymoo.indicators.hv import HV

    with np.errstate(over="ignore"):
        volume = float(HV(ref_point=np.zeros(margins.shape[1]))(-margins))
    # A number, as JSON has no infinity: three objectives of 1e150 have more than there is.
    return min(volume, LARGEST)
