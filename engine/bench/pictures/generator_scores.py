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
class Shown:
    """What n pictures show; ``nan`` where nothing was found.

    ``quantiles``: (n, q) of the diameter [nm]. ``directions``: (n, d) shares. ``means``: (n, 3):
    mean diameter [nm], order, porosity.
    """

    quantiles: Array
    directions: Array
    means: Array

    @classmethod
    def of(cls, pictures: NDArray[np.uint8], nm_per_pixel: float) -> Shown:
        """Measure pictures (n, s, s)."""
        return cls.read([measure(one, nm_per_pixel).statistics for one in pictures])

    @classmethod
    def read(cls, found: Sequence[MicrostructureStatistics]) -> Shown:
        """Collect statistics."""
        nothing = (np.nan,) * len(QUANTILES)
        return cls(
            np.array([one.diameter.quantiles or nothing for one in found], dtype=np.float64),
            np.array([one.directions for one in found], dtype=np.float64),
            np.array(
                [[one.diameter.mean, one.order, one.porosity] for one in found], dtype=np.float64
            ),
        )


def pair_distances(one: Shown, other: Shown) -> Array:
    """Return the mean W over all pairs of pictures: of diameter, orientation, porosity, (3,)."""
    knots = np.array(QUANTILES)
    gap = np.abs(one.quantiles[:, None] - other.quantiles[None])  # (n, m, q)
    diameter = np.trapezoid(gap, knots, axis=-1) / (knots[-1] - knots[0])
    orientation = circular(one.directions[:, None] - other.directions[None])
    porosity = np.abs(one.means[:, None, 2] - other.means[None, :, 2])
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


def set_distances(one: Shown, other: Shown) -> Array:
    """Return W between two sets of pictures' means: of diameter [nm], order, porosity, (3,)."""
    found = []
    for k in range(3):
        a, b = (x.means[:, k][~np.isnan(x.means[:, k])] for x in (one, other))
        found.append(wasserstein_distance(a, b) if a.size and b.size else np.nan)
    return np.array(found)


def ratio(over: Array, under: Array, seed: int = 0) -> dict[str, float]:
    """Return Σ over / Σ under over conditions (n,), with its 95 % bootstrap interval."""
    known = ~(np.isnan(over) | np.isnan(under))
    a, b = over[known], under[known]
    if not a.size or b.sum() <= 0:
        return {"ratio": float("nan"), "lower": float("nan"), "upper": float("nan")}
    rows = np.random.default_rng(seed).integers(0, a.size, (RESAMPLES, a.size))
    drawn = a[rows].sum(axis=1) / b[rows].sum(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {"ratio": float(a.sum() / b.sum()), "lower": float(low), "upper": float(high)}


def correlation(values: Array, truth: Array) -> float:
    """Return Pearson's r over the conditions where both are known; ``nan`` if one is constant."""
    known = ~(np.isnan(values) | np.isnan(truth))
    if known.sum() < 3 or min(np.std(values[known]), np.std(truth[known])) < 1e-12:
        return float("nan")
    return float(np.corrcoef(values[known], truth[known])[0, 1])


def kernel_distance(x: Array, y: Array) -> float:
    """Return the unbiased MMD² of two samples (n, d), (m, d) under KID's cubic kernel.

    Bińkowski et al. 2018; embeddings standardised beforehand, here of the generator's own encoder.
    """
    d = x.shape[1]

    def kernel(a: Array, b: Array) -> Array:
        return np.asarray((a @ b.T / d + 1.0) ** 3)

    n, m = len(x), len(y)
    own = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (kernel(x, x), kernel(y, y))]
    return float(own[0] + own[1] - 2.0 * kernel(x, y).sum() / (n * m))


def nearest_distances(pictures: NDArray[np.uint8], training: NDArray[np.uint8]) -> Array:
    """Return the root mean square difference [grey values] of each picture to its nearest one.

    Both (n, s, s); training pictures are also looked at mirrored.
    """
    x = pictures.reshape(len(pictures), -1).astype(np.float32)
    best = np.full(len(x), np.inf, dtype=np.float64)
    for axes in ((), (1,), (2,), (1, 2)):
        flipped = np.flip(training, axes) if axes else training
        y = flipped.reshape(len(training), -1).astype(np.float32)
        for some in np.array_split(y, max(1, len(y) // 2000)):
            square = (x**2).sum(1)[:, None] + (some**2).sum(1)[None] - 2.0 * x @ some.T
            best = np.minimum(best, square.min(axis=1))
    return np.asarray(np.sqrt(np.maximum(best, 0.0) / x.shape[1]))


def _mean(values: Any) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
