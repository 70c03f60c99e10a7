"""A finished table without its luck: each run's outcomes as a model of all runs expects them.

Measured values reward luck: the best of two hundred noisy runs is better than it would be again.
So the rows that a strategy chose can be scored once more by a smoothed truth: what BoTorch's
default model, fitted to every run of the table, expects at their conditions. The judge is none of
the models that choose. Measured and smoothed scores bracket what a strategy is worth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.bench.models.peers import botorch_default
from engine.campaign import Campaign
from engine.campaign.history import History, Run

Array = NDArray[np.float64]

JUDGE = "BoTorch's SingleTaskGP of all runs' means"


def smoothed_runs(campaign: Campaign, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Return ``runs`` with what :data:`JUDGE` expects in place of what was measured.

    Outcomes that are neither objective nor constrained are left out; runs keep their order.

    Raises:
        ModelError: the table cannot be fitted.
    """
    outcomes = list(campaign.wanted_outcomes)
    averages = tuple(
        Run(run.conditions, {name: (float(np.mean(v)),) for name, v in run.outcomes.items() if v})
        for run in runs
    )
    conditions = [run.conditions for run in runs]
    predicted = botorch_default(
        History(campaign, averages), conditions, outcomes, level=0.9, seed=0
    )
    return tuple(
        Run(run.conditions, dict(zip(outcomes, ((float(value),) for value in row), strict=True)))
        for run, row in zip(runs, predicted.mean, strict=True)
    )
