"""Is there still something to win? What the awaited runs may add, beside what repeating would.

Notation
--------
======  =====================================================================  ================
``y``   objectives' means of the finished runs                                 (n, m)
``s``   replicate noise: pooled standard deviation of replicates, for ``scale  (m,)
        = "log"`` of their logarithms
``g``   expected gain: mean growth of the hypervolume by the awaited runs, as
        predicted and without noise
``h``   standard deviation of the hypervolume if the front's runs were
        repeated
======  =====================================================================  ================

If g < h the search is told to be near its end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from db.records import MeanRecord, PredictionRecord
from engine.campaign import Campaign
from engine.campaign.front import LARGEST, front_mask, hypervolume

Array = NDArray[np.float64]

N_DRAWS = 48  # gain and noise are then known to a seventh and a tenth of their spread
LEAST_REPLICATED = 3
"""Fewer runs with replicates say nothing of the noise."""


@dataclass(frozen=True)
class Advice:
    """``gain``: expected of the awaited runs; ``noise``: of repeating the front; same unit."""

    gain: float
    noise: float
    n_awaited: int

    @property
    def is_near_the_end(self) -> bool:
        """Whether what may still be won is less than what repeating would change."""
        return self.gain < self.noise


def advise(
    campaign: Campaign,
    values: Array,
    replicated: Sequence[MeanRecord],
    awaited: Sequence[Mapping[str, PredictionRecord]],
) -> Advice | None:
    """Weigh the awaited runs; ``None`` where noise, front or predictions are not known,
    or where the hypervolume is larger than any number.

    Args:
        campaign: whose objectives.
        values: (n, m) objectives' means of the finished runs, NaN where unknown.
        replicated: outcomes of runs with several replicates.
        awaited: predictions of the pending runs, by outcome.
    """
    objectives = campaign.objectives
    names = [objective.outcome for objective in objectives]
    noise = [_noise(campaign, name, replicated) for name in names]
    runs = [row for row in awaited if all(name in row for name in names)]
    front = values[front_mask(values, objectives)] if len(values) else values
    if not runs or not len(front) or any(sd is None for sd in noise):
        return None
    sds = np.array(noise, dtype=float)
    is_log = np.array([campaign.property_of(name).scale == "log" for name in names])
    rng = np.random.default_rng(0)
    reached = hypervolume(front, objectives)
    if reached >= LARGEST:
        return None
    repeated = [hypervolume(_noisy(front, sds, is_log, rng), objectives) for _ in range(N_DRAWS)]
    mean, sd = _moments(runs, names, is_log)
    sd = np.sqrt(np.maximum(0.0, sd**2 - sds**2))
    gains = []
    for _ in range(N_DRAWS):
        drawn = mean + sd * rng.standard_normal(mean.shape)
        drawn = np.where(is_log, np.exp(drawn), drawn)
        gains.append(hypervolume(np.vstack([front, drawn]), objectives) - reached)
    return Advice(float(np.mean(gains)), float(np.std(repeated)), len(runs))


def _noise(campaign: Campaign, outcome: str, replicated: Sequence[MeanRecord]) -> float | None:
    rows = [row for row in replicated if row.outcome == outcome and row.variance is not None]
    if len(rows) < LEAST_REPLICATED:
        return None
    is_log = campaign.property_of(outcome).scale == "log"
    total, weight = 0.0, 0
    for row in rows:
        variance = row.variance or 0.0
        if is_log and row.mean > 0:
            variance = math.log1p(variance / row.mean**2)
        total, weight = total + (row.n - 1) * variance, weight + row.n - 1
    return math.sqrt(total / weight)


def _noisy(front: Array, sds: Array, is_log: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    steps = sds * rng.standard_normal(front.shape)
    return np.where(is_log, front * np.exp(steps), front + steps)


def _moments(
    runs: Sequence[Mapping[str, PredictionRecord]],
    names: Sequence[str],
    is_log: NDArray[np.bool_],
) -> tuple[Array, Array]:
    """Return means and standard deviations (n, m), of logarithms where ``is_log``."""
    mean, sd = np.empty((len(runs), len(names))), np.empty((len(runs), len(names)))
    for i, run in enumerate(runs):
        for j, name in enumerate(names):
            prediction = run[name]
            z = NormalDist().inv_cdf(0.5 + prediction.level / 2)
            low, high = prediction.lower, prediction.upper
            if is_log[j] and low > 0:
                low, high = math.log(low), math.log(high)
                mean[i, j] = (low + high) / 2
            else:
                least = math.ulp(0.0)
                mean[i, j] = math.log(max(prediction.mean, least)) if is_log[j] else prediction.mean
            sd[i, j] = (high - low) / (2 * z)
    return mean, sd
