"""The best finished runs, of which a batch tells what its model expects of a further specimen."""

from __future__ import annotations

import math

import numpy as np

from engine.campaign.designs import Key, design_key
from engine.campaign.front import front_mask
from engine.campaign.history import History, Run

N_EACH = 5
"""Designs of each objective."""

N_FRONT = 30
"""Designs of the front, the newest if there are more."""


def best_runs(history: History) -> list[Run]:
    """Return the newest run of each of the best designs, by the means of all their specimens."""
    campaign, groups = history.campaign, dict[Key, list[Run]]()
    for run in history.finished:
        groups.setdefault(design_key(campaign, run.conditions), []).append(run)
    designs = list(groups.values())
    values = np.array(
        [[_mean(runs, objective.outcome) for objective in campaign.objectives] for runs in designs]
    ).reshape(-1, len(campaign.objectives))
    chosen: set[int] = set()
    for objective, column in zip(campaign.objectives, values.T, strict=True):
        gains = np.where(np.isfinite(column), objective.gains(column), -np.inf)
        order = np.argsort(-gains, kind="stable")
        chosen.update(int(row) for row in order[:N_EACH] if np.isfinite(gains[row]))
    front = np.flatnonzero(front_mask(values, campaign.objectives))
    chosen.update(int(row) for row in front[-N_FRONT:])
    return [designs[row][-1] for row in sorted(chosen)]


def _mean(runs: list[Run], outcome: str) -> float:
    values = [value for run in runs for value in run.outcomes.get(outcome, ())]
    return sum(values) / len(values) if values else math.nan
