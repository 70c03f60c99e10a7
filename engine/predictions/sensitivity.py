"""Which parameter moves which outcome: variance-based (Sobol) indices of the fitted model.

Notation

======  ==============================================================  =====================
``f``   the model's expected outcome as a function of the conditions
``V``   variance of ``f`` over the ranges of all parameters
``S``   first order: share of ``V`` explained by one parameter alone    (outcomes, parameters)
``T``   total: share of ``V`` lost if that parameter stood still        (outcomes, parameters)
======  ==============================================================  =====================

Parameters vary independently and uniformly over their ranges (choices: equally often), ambient ones
too, so the indices speak of the design space and not of the runs that happen to have been made.
Estimators: Saltelli et al. 2010, as in ``scipy.stats.sobol_indices``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, Value

Predict = Callable[[Sequence[Mapping[str, Value]]], Mapping[str, Sequence[float]]]
"""Conditions in, expected values by outcome out."""

N_SAMPLES = 256
"""Base samples, a power of two; the model is asked N_SAMPLES × (parameters + 2) times."""


@dataclass(frozen=True)
class Sensitivity:
    """Indices of each outcome (rows) to each parameter (columns), 0 … 1.

    ``spread`` is the standard deviation of the expected outcome over the design space, in its unit:
    where it is small beside the noise, the shares say little.
    """

    outcomes: tuple[str, ...]
    outcome_headings: tuple[str, ...]
    parameters: tuple[str, ...]
    first: tuple[tuple[float, ...], ...]
    total: tuple[tuple[float, ...], ...]
    spread: tuple[float, ...]


def sensitivity(
    campaign: Campaign,
    outcomes: Sequence[str],
    predict: Predict,
    *,
    seed: int = 0,
    n_samples: int = N_SAMPLES,
) -> Sensitivity:
    """Estimate how much each parameter moves each of ``outcomes``.

    An outcome that the model expects to be the same everywhere gets zeros.

    >>> campaign = Campaign(
    ...     name="toy",
    ...     parameters=[{"name": n, "low": 0, "high": 1} for n in ("voltage", "humidity")],
    ...     properties=[{"name": "strength"}],
    ...     objectives=[{"outcome": "strength", "threshold": 0}],
    ... )
    >>> def by_voltage(rows):
    ...     return {"strength": [3 * row["voltage"] for row in rows]}
    >>> shares = sensitivity(campaign, ["strength"], by_voltage).total[0]
    >>> [round(share, 1) for share in shares]
    [1.0, 0.0]
    """
    from scipy.stats import sobol_indices, uniform

    dists: list[Any] = [uniform()] * len(campaign.parameters)
    samples: list[NDArray[np.float64]] = []

    def evaluate(unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Ask the model at ``unit`` (parameters, n) in the unit cube: (outcomes, n)."""
        expected = predict(_conditions(campaign, unit))
        samples.append(np.array([expected[outcome] for outcome in outcomes], dtype=float))
        # A row of zeros beside the outcomes keeps scipy's arrays from collapsing to a number.
        return np.vstack([samples[-1], np.zeros(unit.shape[1])])

    indices = sobol_indices(
        func=evaluate,
        n=n_samples,
        dists=dists,
        rng=np.random.default_rng(seed),
    )
    everywhere = np.concatenate(samples, axis=1)
    spread = everywhere.std(axis=1)
    spread[spread <= 1e-9 * (1 + np.abs(everywhere.mean(axis=1)))] = 0.0
    shape = (len(outcomes) + 1, len(campaign.parameters))
    return Sensitivity(
        outcomes=tuple(outcomes),
        outcome_headings=tuple(campaign.heading(outcome) for outcome in outcomes),
        parameters=tuple(parameter.name for parameter in campaign.parameters),
        first=_shares(np.reshape(indices.first_order, shape)[:-1], spread),
        total=_shares(np.reshape(indices.total_order, shape)[:-1], spread),
        spread=tuple(float(value) for value in spread),
    )


def _conditions(campaign: Campaign, unit: NDArray[np.float64]) -> list[dict[str, Value]]:
    """Spread the unit cube (parameters, n) over the parameters' ranges and choices."""
    columns: list[list[Value]] = []
    for parameter, places in zip(campaign.parameters, unit, strict=True):
        if parameter.choices is not None:
            last = len(parameter.choices) - 1
            columns.append(
                [parameter.choices[min(int(p * (last + 1)), last)] for p in places.tolist()]
            )
        else:
            columns.append([parameter.value_at(p) for p in places.tolist()])
    names = [parameter.name for parameter in campaign.parameters]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _shares(
    indices: NDArray[np.float64], spread: NDArray[np.float64]
) -> tuple[tuple[float, ...], ...]:
    """Clip what sampling leaves outside 0 … 1; an outcome that does not move has no shares."""
    clipped = np.clip(indices, 0.0, 1.0) * (spread > 0)[:, None]
    return tuple(tuple(float(share) for share in row) for row in clipped)
