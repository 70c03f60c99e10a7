"""Twins: settings that are all but the same. A batch spins one of them, unless nothing is left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.propose.space import Space

Array = NDArray[np.float64]

NEAR = 0.02
"""Settings that differ less in every parameter, as a share of its range, are twins."""


def twin_rule(space: Space) -> Callable[[Array, Array], NDArray[np.bool_]] | None:
    """Return what says which of (n, c) settings are twins of one; ``None`` where steps are coarse.

    >>> from engine.lab.virtual import nanofibre_campaign
    >>> twin_rule(Space(nanofibre_campaign())) is None
    True
    """
    is_fine = any(
        p.is_numeric and not p.is_constant and (p.n_levels is None or (p.n_levels - 1) * NEAR > 1)
        for p in space.controlled
    )
    if not is_fine:
        return None

    def are_twins(settings: Array, setting: Array) -> NDArray[np.bool_]:
        both = np.concatenate([settings, setting[None]])
        places = space.cube(both, np.zeros((len(both), len(space.ambient))))
        # A step of just so much is a step.
        twins: NDArray[np.bool_] = np.abs(places[:-1] - places[-1]).max(axis=1) < NEAR * (1 - 1e-9)
        return twins

    return are_twins
