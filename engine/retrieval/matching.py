r"""How well pictures go with conditions and with one another, by what was measured of them.

Notation
--------
=====  =============================================================================  ======
y      statistics of a picture (:data:`~engine.retrieval.expected.LOOKS`)              (·, 5)
μ      what conditions lead one to expect of y; μ_k at those of the campaign's runs   (·, 5)
R      covariance of the runs' leave-one-out residuals y − μ: lots, sampling, errors  (5, 5)
p      Student's t with 8 degrees of freedom about μ with scale R: lots have tails    —
fit    ln p(y | μ) − ln (1/m) Σ_k p(y | μ_k): how many times likelier such a picture  (a, b)
       is of these conditions than of those of a run drawn at random
d      how far apart two mats are in ln diameter and order, in units of what counts   (a, b)
       as the same: 10 % in diameter, 0.1 in order
=====  =============================================================================  ======

Both orders name first what comes nearest in diameter and order, then what else agrees:

.. math:: s(\text{conditions} \to \text{picture}) = \mathrm{fit} - \tfrac{3}{2} d^2, \qquad
          s(\text{picture} \to \text{picture}) = -d^2 - (y - y')^T R^{-1} (y - y') / 40

The fit alone finds the very picture of given conditions more often, and mats that look as the
conditions promise less often: a ratio of likelihoods prefers what is unlike all else. The weights
were chosen on virtual mats (docs/benchmarks.md). MatMCL's latent is asked where something was not
measured; beside the statistics it brought nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Value
from engine.retrieval.expected import MeasuredRun, StatisticsModel

Array = NDArray[np.float64]
Places = NDArray[np.intp]

# Both units are what counts as a hit: within 10 % in diameter and 0.1 in order (docs/benchmarks.md,
# "Retrieval").
LOG_DIAMETER = float(np.log(1.1))
ORDER = 0.1
DEGREES = 8.0
# Chosen on seeds 1001 to 1003: 0.5 finds the own partner more often and hits less, 5 the other way
# (docs/notes/retrieval.md).
NEARNESS = 1.5
"""Weight of d² beside the fit, conditions → picture."""

OTHERWISE = 1.0 / 40.0
"""Weight of all statistics beside d², picture → picture."""


def apart(difference: Array) -> Array:
    """Return d (…) of differences (…, 2) in ln diameter and order; infinite where one is NaN."""
    scaled = np.nan_to_num(difference / np.array([LOG_DIAMETER, ORDER]), nan=np.inf)
    return np.asarray(np.sqrt((scaled**2).sum(axis=-1)))


@dataclass(frozen=True)
class Matcher:
    """Scores pairs by what the campaign's runs teach of them.

    ``model``: what conditions lead one to expect, fitted to the ``runs``; ``references``: μ_k
    (m, 5) of their conditions; ``R``: (q, q) over the model's columns.
    """

    model: StatisticsModel
    runs: tuple[Mapping[str, Value], ...]
    references: Array
    R: Array

    @classmethod
    def prepare(cls, model: StatisticsModel, runs: Sequence[MeasuredRun]) -> Self:
        """Prepare for the runs that the model was fitted to."""
        conditions = tuple(run.conditions for run in runs)
        return cls(model, conditions, model.expect(conditions)[0], model.left_over())

    def expect(self, conditions: Sequence[Mapping[str, Value]]) -> Array:
        """Return μ (n, 5) of conditions; where some are open, the mean over the runs' own ones."""
        names = {parameter.name for parameter in self.model.space.campaign.parameters}
        expected = [
            self.model.expect([stated])[0][0]
            if names <= stated.keys()
            else self.model.expect([{**run, **stated} for run in self.runs])[0].mean(axis=0)
            for stated in conditions
        ]
        return np.stack(expected)

    def fit(self, expected: Array, pictures: Array) -> Array:
        """Return the fits (a, b) of expectations (a, 5) and pictures (b, 5); 0 where none is known.

        Statistics that a picture lacks do not count.
        """
        fits = np.zeros((len(expected), len(pictures)))
        for rows, columns, R in self._patterns(pictures):
            fits[:, rows] = log_ratio(
                expected[:, columns],
                pictures[np.ix_(rows, columns)],
                self.references[:, columns],
                R,
            )
        return fits

    def unlikeness(self, queries: Array, pictures: Array) -> Array:
        """Return (y − y')ᵀ R⁻¹ (y − y') (a, b) of pictures (a, 5) and (b, 5).

        What one of them lacks is left out.
        """
        distances = np.zeros((len(queries), len(pictures)))
        for rows, columns, _ in self._patterns(queries):
            for places, shared, R in self._patterns(pictures, columns):
                inner = _squares(queries[np.ix_(rows, shared)], pictures[np.ix_(places, shared)], R)
                distances[np.ix_(rows, places)] = inner
        return distances

    def _patterns(
        self, Y: Array, among: Places | None = None
    ) -> Iterator[tuple[Places, Places, Array]]:
        """Yield rows of Y that know the same statistics, which these are, and their part of R."""
        columns = np.array(self.model.columns, dtype=np.intp)
        allowed = np.isin(columns, columns if among is None else among)
        is_known = ~np.isnan(Y[:, columns]) & allowed
        for pattern in np.unique(is_known, axis=0):
            if pattern.any():
                rows = np.flatnonzero((is_known == pattern).all(axis=1))
                inner = np.flatnonzero(pattern)
                yield rows, columns[pattern], self.R[np.ix_(inner, inner)]


def for_conditions(matcher: Matcher, expected: Array, pictures: Array) -> Array:
    """Return s (a, b) of expectations (a, 5) and pictures (b, 5); −∞ where d is not known."""
    d = apart(expected[:, None, :2] - pictures[None, :, :2])
    return np.asarray(matcher.fit(expected, pictures) - NEARNESS * d**2)


def for_picture(matcher: Matcher | None, queries: Array, pictures: Array) -> Array:
    """Return s (a, b) of pictures (a, 5) and (b, 5); −∞ where d is not known.

    Without a matcher, diameter and order alone.
    """
    score = -(apart(queries[:, None, :2] - pictures[None, :, :2]) ** 2)
    if matcher is not None:
        score = score - OTHERWISE * matcher.unlikeness(queries, pictures)
    return np.asarray(score)


def ordered(score: Array, similarity: Array, k: int) -> Places:
    """Return the places of the ``k`` first: best score first; those without, most similar first.

    Args:
        score: (n,), −∞ where nothing was measured.
        similarity: (n,) in the latent.
        k: how many.
    """
    return np.lexsort((-similarity, -score))[:k]


def log_ratio(expected: Array, pictures: Array, references: Array, R: Array) -> Array:
    """Return the fit (a, b) of μ (a, q) and y (b, q), all of it known, beside μ_k (m, q)."""
    matched, mismatched = _log_density(expected, pictures, R), _log_density(references, pictures, R)
    # Taken out before the exponential, which would else be 0 for every picture far from all.
    top = mismatched.max(axis=0)
    return np.asarray(matched - top - np.log(np.exp(mismatched - top).mean(axis=0)))


def _log_density(expected: Array, pictures: Array, R: Array) -> Array:
    """Return ln p (a, b), up to what depends on R alone."""
    squares = _squares(expected, pictures, R)
    return np.asarray(-0.5 * (DEGREES + len(R)) * np.log1p(squares / DEGREES))


def _squares(a: Array, b: Array, R: Array) -> Array:
    """Return the squared Mahalanobis distances (a, b)."""
    # Whitened by the factor: no inverse, and never a negative square.
    root = np.linalg.cholesky(R)
    a_white, b_white = np.linalg.solve(root, a.T).T, np.linalg.solve(root, b.T).T
    return np.asarray(((a_white[:, None, :] - b_white[None, :, :]) ** 2).sum(axis=-1))
