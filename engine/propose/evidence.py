"""Who leads: the model or space-filling? Left-out runs decide, not a fixed count.

With few runs the hyperparameters follow the data at hand, so each fold is predicted by a model
fitted without it; with many, leaving one out at held hyperparameters says the same at once.

Notation
--------
======  ==================================================================  =========
symbol  meaning                                                             shape
======  ==================================================================  =========
g       gain of a left-out value: log p(value | model fitted to the         (n,)
        others) − log p(value | mean and spread of the others), summed
        over the objectives
t       mean(g) / (sd(g) / √n): how surely the model beats the mean         scalar
======  ==================================================================  =========
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.propose.forecaster import Forecaster, plain_inputs
from surrogate.gp import fit_outcomes, leave_one_out, marginal_moments

FEWEST_RUNS = 5
"""Fewer left-out runs are no evidence of anything."""
_FOLDS = 5
_ROWS_FOR_ONE_FIT = 64
"""Rows from which leaving one out at held hyperparameters is enough."""


@dataclass(frozen=True)
class Evidence:
    """What leaving out one run after the other says of the model.

    ``r2``: mean leave-one-out R² over the objectives; 1 is perfect, 0 no better than the mean.
    ``t``: how many standard errors the model's predictive density is above the mean's.
    """

    r2: float
    t: float

    @property
    def suffices(self) -> bool:
        """Whether the model predicts left-out runs better than their mean."""
        return self.t > 0.0


def weigh(forecaster: Forecaster, n_objectives: int) -> Evidence:
    """Weigh the model against the mean on the first ``n_objectives`` outcomes of ``forecaster``.

    Outcomes of fewer than :data:`FEWEST_RUNS` values are not asked.
    """
    scores, gains = [], []
    measured = ~np.isnan(forecaster.data.Y[:, :n_objectives])
    is_small = len(forecaster.data.X) < _ROWS_FOR_ONE_FIT
    members = (
        _refitted(forecaster) if is_small else zip(*leave_one_out(forecaster.model), strict=True)
    )
    for values, expected, variance in list(members)[:n_objectives]:
        n = len(values)
        if n < FEWEST_RUNS:
            continue
        # About their mean, or large values of a small spread would drown in their squares.
        observed, mean = values - values.mean(), expected - values.mean()
        mean_of_rest = (observed.sum() - observed) / (n - 1)
        spread = ((observed**2).sum() - observed**2) / (n - 1) - mean_of_rest**2
        # Relative: outcomes are not standardised everywhere.
        least = 1e-9 * float(observed.var())
        spread = spread.clamp_min(least) * n / max(1, n - 2)
        errors = ((observed - mean) ** 2).sum()
        scores.append(1.0 - float(errors / ((observed - mean_of_rest) ** 2).sum()))
        gains.append(
            _log_density(observed, mean, variance) - _log_density(observed, mean_of_rest, spread)
        )
    if not scores:
        return Evidence(0.0, 0.0)
    is_same_rows = bool((measured == measured[:, :1]).all())
    return Evidence(sum(scores) / len(scores), _t_value(gains, is_same_rows=is_same_rows))


def _refitted(forecaster: Forecaster) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Predict each fold of runs from a model fitted to the others: values, means, variances."""
    data = forecaster.data
    X, Y = torch.from_numpy(data.X), torch.from_numpy(data.Y / data.units)
    run = torch.from_numpy(data.run)
    mean, variance = torch.full_like(Y, torch.nan), torch.full_like(Y, torch.nan)
    # By run, not by row: replicates of one mat would tell their own mean.
    for fold in range(_FOLDS):
        out = run % _FOLDS == fold
        fitted = (~torch.isnan(Y[~out])).sum(dim=0) >= 2
        if out.any() and fitted.any():
            model = fit_outcomes(X[~out], Y[~out][:, fitted], inputs=plain_inputs(forecaster.space))
            moments = marginal_moments(model, X[out])
            for part, values in zip((mean, variance), moments, strict=True):
                part[out.nonzero(), fitted.nonzero().T] = values
    predicted = ~torch.isnan(Y) & ~torch.isnan(mean)
    return [
        (Y[predicted[:, i], i], mean[predicted[:, i], i], variance[predicted[:, i], i])
        for i in range(Y.shape[1])
    ]


def _log_density(value: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return -0.5 * ((value - mean) ** 2 / variance + variance.log())


def _t_value(gains: list[Tensor], *, is_same_rows: bool) -> float:
    """Return t of the summed gains; objectives seen on different runs are taken one by one."""
    is_paired = is_same_rows and len({len(gain) for gain in gains}) == 1
    total = torch.stack(gains).sum(dim=0) if is_paired else torch.cat(gains)
    n = len(total)
    if n < 3:  # no spread to speak of: the model has proved nothing
        return 0.0
    return float(total.mean() / (total.std() / math.sqrt(n)).clamp_min(1e-9))
