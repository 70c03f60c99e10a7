"""Which conditions give a mat at all: a Gaussian-process classifier learnt from failed runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surrogate.laplace import Classifier

Array = NDArray[np.float64]

_MAX_RUNS = 400
"""Laplace's approximation costs O(n³) at each step of the fit: all failures and, beyond this many
runs, the most recent successes are learnt from."""


class Feasibility:
    """Probability that a run succeeds. Use it where some runs failed; without any it says 1.

    Args:
        X: (n, d) conditions in the unit cube, in the order in which they were run.
        succeeded: (n,) whether a mat came of it.
    """

    def __init__(self, X: Array, succeeded: NDArray[np.bool_]) -> None:
        self._rate = 1.0
        self._classifier: Classifier | None = None
        if succeeded.all():
            return
        # Laplace's rule of succession: a first failure does not make everything impossible.
        self._rate = float((succeeded.sum() + 1) / (len(succeeded) + 2))
        if not succeeded.any():
            return
        # Half of the budget at most, the newest: without successes beside them nothing could be
        # told apart.
        failures = np.flatnonzero(~succeeded)[-_MAX_RUNS // 2 :]
        successes = np.flatnonzero(succeeded)[-(_MAX_RUNS - len(failures)) :]
        rows = np.sort(np.concatenate([failures, successes]))
        # c and ℓ at a bound are an answer, too: failures may not depend on some conditions.
        self._classifier = Classifier.fit(
            X[rows], succeeded[rows], start=(4.0, 0.7), bounds=((0.3, 50.0), (0.15, 5.0))
        )

    def probability(self, X: Array) -> Array:
        """Return the probability of success, (n,), for conditions (n, d) in the unit cube."""
        if self._classifier is None:
            return np.full(len(X), self._rate)
        return self._classifier.probability(X)
