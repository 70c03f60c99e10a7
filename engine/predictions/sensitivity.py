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

Under parameter constraints they cannot vary independently: a mixture's share grows at the cost of
others; nor beside exclusions. Then only settings that keep them are asked, uniformly
(:mod:`engine.predictions.feasible`). ``T`` is the share of ``V`` that is lost if nothing moved
along the parameter's direction, in which others make room for it (Jansen 1999). ``S`` comes from
the same answers by classes of the parameter, and is at most ``T``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, Value
from engine.propose.work_space import unit_near

Predict = Callable[[Sequence[Mapping[str, Value]]], Mapping[str, Sequence[float]]]
"""Conditions in, expected values by outcome out."""

_CLASSES = 16
_ATTEMPTS = 30  # a parameter that finds no other place outside exclusions stays where it is
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
    units: dict[str, float] = {}

    def predict_scaled(conditions: Sequence[Mapping[str, Value]]) -> Mapping[str, Sequence[float]]:
        """Ask in units of the first answers' spread: no square is too large or too small."""
        expected = predict(conditions)
        for outcome in outcomes:
            units.setdefault(outcome, unit_near(expected[outcome]))
        return {outcome: [v / units[outcome] for v in expected[outcome]] for outcome in outcomes}

    shares = _estimate(campaign, outcomes, predict_scaled, seed, n_samples)
    spread = (value * units[o] for o, value in zip(outcomes, shares.spread, strict=True))
    return replace(shares, spread=tuple(spread))


def _estimate(
    campaign: Campaign, outcomes: Sequence[str], predict: Predict, seed: int, n_samples: int
) -> Sensitivity:
    if campaign.parameter_constraints or campaign.exclusions:
        return _constrained(campaign, outcomes, predict, seed, n_samples)
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
    shape = (len(outcomes) + 1, len(campaign.parameters))
    return _sensitivity(
        campaign,
        outcomes,
        np.concatenate(samples, axis=1),
        np.reshape(indices.first_order, shape)[:-1],
        np.reshape(indices.total_order, shape)[:-1],
    )


def _sensitivity(
    campaign: Campaign,
    outcomes: Sequence[str],
    everywhere: NDArray[np.float64],
    first: NDArray[np.float64],
    total: NDArray[np.float64],
) -> Sensitivity:
    """Return the indices (outcomes, parameters), given all answers (outcomes, n)."""
    spread = everywhere.std(axis=1)
    spread[spread <= 1e-9 * np.abs(everywhere).max(axis=1)] = 0.0
    return Sensitivity(
        outcomes=tuple(outcomes),
        outcome_headings=tuple(campaign.heading(outcome) for outcome in outcomes),
        parameters=tuple(parameter.name for parameter in campaign.parameters),
        first=_shares(first, spread),
        total=_shares(total, spread),
        spread=tuple(float(value) for value in spread),
    )


def _constrained(
    campaign: Campaign, outcomes: Sequence[str], predict: Predict, seed: int, n: int
) -> Sensitivity:
    """Estimate the indices over the settings that constraints and exclusions leave."""
    from engine.predictions.feasible import FeasibleSet

    names = [parameter.name for parameter in campaign.parameters]
    feasible, rng = FeasibleSet(campaign), np.random.default_rng(seed)
    base = feasible.sample_all(n, rng)
    points = [base]
    for j in range(len(names)):
        moved = feasible.move(base, j, rng)
        for _ in range(_ATTEMPTS):
            is_out = feasible.is_excluded(moved)
            if not is_out.any():
                break
            moved[is_out] = feasible.move(base[is_out], j, rng)
        is_out = feasible.is_excluded(moved)
        moved[is_out] = base[is_out]
        points.append(moved)
    unit = np.concatenate(points)
    expected = predict(_conditions(campaign, unit.T))
    answers = np.array([expected[outcome] for outcome in outcomes], dtype=float)
    variance = np.maximum(answers.var(axis=1), np.finfo(float).tiny)
    started, moved = answers[:, :n], answers[:, n:].reshape(len(outcomes), len(names), n)
    total = ((moved - started[:, None, :]) ** 2).mean(axis=2) / 2 / variance[:, None]
    first = np.stack([_by_classes(unit[:, j], answers) for j in range(len(names))], axis=1)
    return _sensitivity(campaign, outcomes, answers, np.minimum(first, total), total)


def _by_classes(places: NDArray[np.float64], answers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (outcomes,) the share of variance between classes of one parameter's places (n,)."""
    edges = np.unique(np.quantile(places, np.linspace(0, 1, _CLASSES + 1)))
    groups = np.clip(np.searchsorted(edges, places, side="right") - 1, 0, max(len(edges) - 2, 0))
    members = [answers[:, groups == group] for group in np.unique(groups)]
    n = answers.shape[1]
    residual = sum(part.var(axis=1) * part.shape[1] for part in members)
    if n <= len(members):
        return np.zeros(len(answers))
    # Means of few answers differ by chance: what that would explain is taken off.
    overall = np.maximum(answers.var(axis=1) * n / (n - 1), np.finfo(float).tiny)
    share: NDArray[np.float64] = 1.0 - residual / (n - len(members)) / overall
    return share


def _conditions(campaign: Campaign, unit: NDArray[np.float64]) -> list[dict[str, Value]]:
    """Spread the unit cube (parameters, n) over the parameters' ranges and choices."""
    columns: list[list[Value]] = []
    for parameter, places in zip(campaign.parameters, unit, strict=True):
        if parameter.choices is not None:
            last = len(parameter.settable) - 1
            columns.append(
                [parameter.settable[min(int(p * (last + 1)), last)] for p in places.tolist()]
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
