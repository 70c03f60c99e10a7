r"""How far generated micrographs are from true ones of the same conditions.

Notation
--------
======  ==========================================================================================
W(a,b)  Wasserstein-1 distance of two pictures' distributions of a statistic: of the diameters [nm]
        over the quantiles that are measured, of the directions [°] on the circle of 180°, of the
        porosity (one number a picture) the difference
G_i     generated pictures of a condition, i = 1 … n
A_j, B_j  two sets of n true micrographs of it, every one of a lot of its own
======  ==========================================================================================

.. math:: \text{ratio} = \frac{\sum_{x} \operatorname{mean}_{ij} W(G_{xi}, A_{xj})}
                              {\sum_{x} \operatorname{mean}_{ij} W(B_{xi}, A_{xj})}

over the held-out conditions x: 1 is perfect. What always draws the middle would come below 1, so
that a second ratio stands beside it: the same of the *sets*, the distance of the pictures' means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from generator.statistics import QUANTILES, MicrostructureStatistics, measure

Array = NDArray[np.float64]

NAMES = ("diameter", "orientation", "porosity")
RESAMPLES = 2000


@dataclass(frozen=True)
class Looks:
    """What n pictures show; ``nan`` where nothing was measured.

    ``quantiles``: (n, q) of the diameter [nm]. ``directions``: (n, d) shares. ``averages``:
    (n, 3): mean diameter [nm], order, porosity.
    """

    quantiles: Array
    directions: Array
    averages: Array

    @classmethod
    def measured(cls, pictures: NDArray[np.uint8], nm_per_pixel: float) -> Looks:
        """Measure pictures (n, s, s)."""
        return cls.collected([measure(picture, nm_per_pixel).statistics for picture in pictures])

    @classmethod
    def collected(cls, statistics: Sequence[MicrostructureStatistics]) -> Looks:
        """Collect the statistics of n pictures."""
        unmeasured = (np.nan,) * len(QUANTILES)
        return cls(
            np.array([s.diameter.quantiles or unmeasured for s in statistics], dtype=np.float64),
            np.array([s.directions for s in statistics], dtype=np.float64),
            np.array(
                [[s.diameter.mean, s.order, s.porosity] for s in statistics], dtype=np.float64
            ),
        )


def pair_distances(a: Looks, b: Looks) -> Array:
    """Return the mean W over all pairs of pictures: of diameter, orientation, porosity, (3,)."""
    knots = np.array(QUANTILES)
    gap = np.abs(a.quantiles[:, None] - b.quantiles[None])  # (n, m, q)
    diameter = np.trapezoid(gap, knots, axis=-1) / (knots[-1] - knots[0])
    orientation = circular(a.directions[:, None] - b.directions[None])
    porosity = np.abs(a.averages[:, None, 2] - b.averages[None, :, 2])
    return np.array([_mean(diameter), _mean(orientation), _mean(porosity)])


def circular(difference: Array) -> Array:
    """Return the Wasserstein-1 distance [°] on the circle of 180° of histograms' differences.

    ``difference``: (..., d), summing to 0. Rabin, Delon and Gousseau 2011: the distance is that of
    the cumulated difference from its own median.
    """
    cumulated = np.cumsum(difference, axis=-1)
    off = cumulated - np.median(cumulated, axis=-1, keepdims=True)
    step = 180.0 / difference.shape[-1]
    return np.asarray(np.abs(off).sum(axis=-1) * step)


def set_distances(a: Looks, b: Looks) -> Array:
    """Return W between two sets of pictures' means: of diameter [nm], order, porosity, (3,)."""
    distances = []
    for k in range(3):
        x, y = (set_.averages[:, k][~np.isnan(set_.averages[:, k])] for set_ in (a, b))
        distances.append(wasserstein_distance(x, y) if x.size and y.size else np.nan)
    return np.array(distances)


def ratio(over: Array, under: Array, seed: int = 0) -> dict[str, float]:
    """Return Σ over / Σ under over conditions (n,), with its 95 % bootstrap interval.

    >>> ratio(np.array([2.0, 4.0]), np.array([1.0, 2.0]))
    {'ratio': 2.0, 'lower': 2.0, 'upper': 2.0}
    """
    is_finite = ~(np.isnan(over) | np.isnan(under))
    a, b = over[is_finite], under[is_finite]
    if not a.size or b.sum() <= 0:
        return {"ratio": float("nan"), "lower": float("nan"), "upper": float("nan")}
    rows = np.random.default_rng(seed).integers(0, a.size, (RESAMPLES, a.size))
    drawn = a[rows].sum(axis=1) / b[rows].sum(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {"ratio": float(a.sum() / b.sum()), "lower": float(low), "upper": float(high)}


def correlation(values: Array, truth: Array) -> float:
    """Return Pearson's r over the conditions where both are known; ``nan`` if one is constant."""
    is_finite = ~(np.isnan(values) | np.isnan(truth))
    x, y = values[is_finite], truth[is_finite]
    if x.size < 3 or min(np.std(x), np.std(y)) < 1e-12:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def kernel_distance(x: Array, y: Array) -> float:
    """Return the unbiased MMD² of two samples (n, d), (m, d) under KID's cubic kernel.

    Bińkowski et al. 2018; embeddings standardised beforehand, here of the generator's own encoder.
    """
    d = x.shape[1]

    def kernel(a: Array, b: Array) -> Array:
        return np.asarray((a @ b.T / d + 1.0) ** 3)

    n, m = len(x), len(y)
    within_x, within_y = (
        (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (kernel(x, x), kernel(y, y))
    )
    return float(within_x + within_y - 2.0 * kernel(x, y).sum() / (n * m))


def nearest_distances(pictures: NDArray[np.uint8], training: NDArray[np.uint8]) -> Array:
    """Return the root mean square difference [grey values] of each picture to its nearest one.

    Both (n, s, s); training pictures are also looked at mirrored.
    """
    x = pictures.reshape(len(pictures), -1).astype(np.float32)
    best = np.full(len(x), np.inf, dtype=np.float64)
    for axes in ((), (1,), (2,), (1, 2)):
        flipped = np.flip(training, axes) if axes else training
        y = flipped.reshape(len(training), -1).astype(np.float32)
        for part in np.array_split(y, max(1, len(y) // 2000)):
            square = (x**2).sum(1)[:, None] + (part**2).sum(1)[None] - 2.0 * x @ part.T
            best = np.minimum(best, square.min(axis=1))
    return np.asarray(np.sqrt(np.maximum(best, 0.0) / x.shape[1]))


def _mean(values: Any) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
