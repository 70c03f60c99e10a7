"""Who leads: the model or space-filling? Left-out runs decide, not a fixed count."""

from __future__ import annotations

import torch

from engine.propose.forecaster import Forecaster
from surrogate.gp import leave_one_out

_MIN_Q2 = 0.0
"""Mean predictive R² over the objectives above which the model leads."""


def predictive_r2(forecaster: Forecaster, n_outcomes: int) -> float:
    """Return the mean leave-one-out R² (Q²) of the first ``n_outcomes`` outcomes.

    1 is perfect, 0 is no better than the mean of the other runs. Replicates of a run are left out
    one by one.
    """
    scores = []
    for observed, predicted, _ in list(zip(*leave_one_out(forecaster.model), strict=True))[
        :n_outcomes
    ]:
        n = len(observed)
        others_mean = (observed.sum() - observed) / (n - 1)
        errors = ((observed - predicted) ** 2).sum()
        scores.append(1.0 - float(errors / ((observed - others_mean) ** 2).sum()))
    return float(torch.tensor(scores).mean())


def model_leads(n_finished: int, n_parameters: int, q2: float, cold_start: int) -> bool:
    """Decide whether the model chooses the next batch.

    ``cold_start`` > 0 replaces the evidence by a fixed count of finished runs.
    """
    if cold_start > 0:
        return n_finished >= cold_start
    return n_finished > n_parameters and q2 > _MIN_Q2
