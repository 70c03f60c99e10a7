"""Which conditions give a mat at all: a Gaussian-process classifier learnt from failed runs."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessClassifier

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
        self._classifier: GaussianProcessClassifier | None = None
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
        # With pandas behind it, a third of a second: not before a run has failed.
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessClassifier
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel

        kernel = ConstantKernel(4.0, (0.3, 50.0)) * RBF(0.7, (0.15, 5.0))
        classifier = GaussianProcessClassifier(kernel, random_state=0)
        with warnings.catch_warnings():
            # A lengthscale at its bound is an answer here: failures may not depend on some
            # conditions.
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(X[rows], succeeded[rows])
        self._classifier = classifier

    def probability(self, X: Array) -> Array:
        """Return the probability of success, (n,), for conditions (n, d) in the unit cube."""
        if self._classifier is None:
            return np.full(len(X), self._rate)
        return np.asarray(self._classifier.predict_proba(X)[:, 1], dtype=float)
