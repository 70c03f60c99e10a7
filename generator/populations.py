"""Populations of fibres in a distribution of diameters: peaks with a clear valley between them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from generator.judge import BIN_VARIANCE
from generator.outlines import Array

DEPTH = 0.7
"""The lowest of a valley is at most so much of the lower of its peaks."""

LEAST_SHARE = 0.1
"""Of the fibres' length, in either population: less is a tail."""


@dataclass(frozen=True)
class Population:
    """One kind of fibre: ``mean`` and ``sd`` of its diameters, ``share`` of the fibres' length."""

    mean: float
    sd: float
    share: float


def populations(diameters: Array, lengths: Array) -> tuple[Population, ...]:
    """Return the populations, thin first; one where there is no valley, none without a fibre.

    Args:
        diameters: (bins,) middles of the classes, in equal steps of the logarithm.
        lengths: (bins,) visible length of fibre in each.
    """
    if not lengths.sum() > 0:
        return ()
    bounds = [0, *_valleys(lengths / lengths.sum()), len(lengths)]
    parts = [slice(*pair) for pair in itertools.pairwise(bounds)]
    return tuple(_population(diameters[p], lengths[p], float(lengths.sum())) for p in parts)


def _valleys(shares: Array) -> list[int]:
    """Return the first bin of each population but the first."""
    valleys: list[int] = []
    first = 0
    for place in range(1, len(shares) - 1):
        left, right = shares[first:place], shares[place:]
        is_deep = shares[place] < DEPTH * min(left.max(), right.max())
        is_lowest = shares[place] <= min(shares[place - 1], shares[place + 1])
        if is_deep and is_lowest and min(left.sum(), right.sum()) > LEAST_SHARE:
            valleys.append(place)
            first = place
    return valleys


def _population(diameters: Array, lengths: Array, total: float) -> Population:
    mean = float(np.average(diameters, weights=lengths))
    variance = float(np.average((diameters - mean) ** 2, weights=lengths))
    sd = np.sqrt(max(variance - BIN_VARIANCE * mean**2, 0.0))
    return Population(mean, float(sd), float(lengths.sum()) / total)
