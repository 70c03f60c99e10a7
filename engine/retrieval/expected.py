"""What a mat of given conditions should measure: one GP for each statistic, on the campaign's runs.

Notation
--------
=====  ===========================================================================  ==========
Y      statistics of each run, in the order of :data:`LOOKS` (means over its         (n, 5)
       micrographs): ln diameter, order, logit porosity, the diameters' coefficient
       of variation, √bead fraction; NaN where not known
=====  ===========================================================================  ==========
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from db.words import run_name
from engine.campaign import Campaign, Value
from engine.campaign.applicability import lacking
from engine.campaign.history import Run
from engine.errors import ModelError, by_voice
from engine.propose.space import Space
from engine.propose.training_data import typical_ambient
from engine.retrieval.gallery import Item, Statistics
from surrogate.errors import SurrogateError
from surrogate.gp import fit_outcomes, leave_one_out, marginal_moments
from surrogate.sourced_gp import GPConfig

Array = NDArray[np.float64]

LOOKS = ("diameter", "order", "porosity", "spread", "beads")
# A picture without a pore has no logit.
_LEAST_SHARE = 1e-3
# Of the outcome's own: statistics that a model predicts perfectly would make R singular.
_LEAST_VARIANCE = 1e-3
LEAST_RUNS = 12
"""Fewer runs with statistics say nothing of the others."""


@dataclass(frozen=True)
class MeasuredRun:
    """A finished run with micrographs: conditions, mean statistics Y (5,), its place in time."""

    experiment_id: int
    label: str | None
    conditions: Mapping[str, Value]
    Y: Array
    n_pictures: int

    @property
    def name(self) -> str:
        """How it is called: number and label."""
        return run_name(self.experiment_id, self.label)


def measured_runs(campaign: Campaign, items: Sequence[Item]) -> list[MeasuredRun]:
    """Return the campaign's own runs among ``items`` that know every setting, by number."""
    grouped: dict[int, list[Item]] = {}
    for item in items:
        if item.experiment_id is not None and not lacking(campaign.controlled, item.conditions):
            grouped.setdefault(item.experiment_id, []).append(item)
    return [
        MeasuredRun(
            id_,
            group[0].label,
            group[0].conditions,
            _mean([row(item.statistics) for item in group]),
            len(group),
        )
        for id_, group in sorted(grouped.items())
    ]


def row(statistics: Statistics) -> Array:
    """Return a picture's Y (5,), NaN where it shows nothing."""
    diameter, order, porosity, spread, beads = statistics.values
    return np.array(
        [
            np.log(diameter) if diameter is not None and diameter > 0 else np.nan,
            np.nan if order is None else order,
            np.nan if porosity is None else _logit(porosity),
            np.nan if spread is None else spread,
            np.nan if beads is None else math.sqrt(beads),
        ]
    )


def _logit(share: float) -> float:
    inside = min(max(share, _LEAST_SHARE), 1.0 - _LEAST_SHARE)
    return math.log(inside / (1.0 - inside))


def _mean(rows: Sequence[Array]) -> Array:
    stacked = np.stack(rows)
    n = (~np.isnan(stacked)).sum(axis=0)
    return np.where(n > 0, np.nansum(stacked, axis=0) / np.maximum(n, 1), np.nan)


class StatisticsModel:
    """GPs fitted to the statistics of runs; columns of ``Y`` that say too little are left out.

    ``columns``: which of :data:`LOOKS`, and of the (n, c) ``Y``, are modelled.
    """

    def __init__(self, space: Space, model: Any, fill: Array, columns: Sequence[int], Y: Array):
        self.space = space
        self.model = model
        self.fill = fill
        self.columns = tuple(columns)
        self.Y = Y

    @classmethod
    def fit(
        cls, campaign: Campaign, runs: Sequence[MeasuredRun], n_looks: int = len(LOOKS)
    ) -> StatisticsModel:
        """Fit to the runs' statistics, the first ``n_looks`` of them.

        Raises:
            ModelError: fewer than :data:`LEAST_RUNS` have any, or the fit fails.
        """
        space = Space(campaign, [run.conditions for run in runs])
        Y = np.stack([run.Y for run in runs])[:, :n_looks] if runs else np.zeros((0, n_looks))
        n_known = (~np.isnan(Y)).sum(axis=0)
        spread = _spread(Y)
        columns = [j for j in range(Y.shape[1]) if n_known[j] >= LEAST_RUNS and spread[j] > 1e-9]
        if not columns:
            raise ModelError(
                f"expected statistics of at least {LEAST_RUNS} runs with micrographs, got "
                f"{int(n_known.max(initial=0))}: add pictures"
                f"{by_voice(' (`engine micrograph add`)', '')}, or measure them"
                f"{by_voice(' (`engine micrograph measure --missing`)', '')}"
            )
        fill = typical_ambient(space, [Run(run.conditions) for run in runs])
        X = torch.from_numpy(space.encode([run.conditions for run in runs], fill))
        try:
            # One belief: left-out values are told for each row, replicates apart.
            model = fit_outcomes(X, torch.from_numpy(Y[:, columns]), config=GPConfig())
        except SurrogateError as error:
            raise ModelError(f"the statistics' model could not be fitted: {error}") from error
        return cls(space, model, fill, columns, Y)

    def left_out(self) -> tuple[Array, Array]:
        """Return leave-one-out means and standard deviations (n, c); NaN where nothing is known."""
        mean, sd = np.full(self.Y.shape, np.nan), np.full(self.Y.shape, np.nan)
        _, expected, variances = leave_one_out(self.model)
        for column, m, v in zip(self.columns, expected, variances, strict=True):
            is_known = ~np.isnan(self.Y[:, column])
            values = self.Y[is_known, column]
            centre, scale = values.mean(), values.std(ddof=1)
            # Back from the standardised units in which `leave_one_out` answers; ddof=1, as BoTorch
            # standardises.
            mean[is_known, column] = m.numpy() * scale + centre
            sd[is_known, column] = np.sqrt(v.numpy()) * scale
        return mean, sd

    def left_over(self) -> Array:
        """Return the covariance (q, q) of leave-one-out residuals of the modelled columns.

        Over the runs that know them all; where those are few, without correlations.
        """
        residual = (self.Y - self.left_out()[0])[:, self.columns]
        complete = residual[~np.isnan(residual).any(axis=1)]
        floor = np.diag(_LEAST_VARIANCE * np.nanvar(self.Y[:, self.columns], axis=0))
        if len(complete) < LEAST_RUNS:
            return np.asarray(np.diag(np.nanvar(residual, axis=0)) + floor)
        return np.asarray(np.cov(complete.T).reshape(floor.shape) + floor)

    def expect(self, conditions: Sequence[Mapping[str, Value]]) -> tuple[Array, Array]:
        """Return means and standard deviations (n, c) of a new run's statistics."""
        X = torch.from_numpy(self.space.encode(conditions, self.fill))
        mean = np.full((len(X), self.Y.shape[1]), np.nan)
        sd = mean.copy()
        means, variances = marginal_moments(self.model, X)
        mean[:, self.columns] = means.numpy()
        sd[:, self.columns] = variances.sqrt().numpy()
        return mean, sd


def _spread(Y: Array) -> Array:
    return np.array([np.std(y[~np.isnan(y)]) if (~np.isnan(y)).any() else 0.0 for y in Y.T])


def as_statistics(y: Array) -> Statistics:
    """Return a row of Y (5,) as statistics."""
    numbers = [None if np.isnan(value) else float(value) for value in y]
    diameter = None if numbers[0] is None else float(np.exp(numbers[0]))
    porosity = None if numbers[2] is None else 1.0 / (1.0 + math.exp(-numbers[2]))
    spread, beads = (None if value is None else max(value, 0.0) for value in numbers[3:])
    return Statistics(diameter, numbers[1], porosity, spread, None if beads is None else beads**2)
