"""Finished runs of the virtual lab, drawn at random, and their record in a workspace."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from db.records import NewExperiment, Origin, Status
from engine.campaign.history import Run
from engine.lab import VirtualLab
from engine.workspace import Workspace

TWO = ("fracture_strength.longitudinal", "elongation.longitudinal")
"""Outcomes of a campaign that is quick to fit."""


def draw(n: int, seed: int = 0, outcomes: Collection[str] | None = None) -> list[Run]:
    """Return n finished runs without ids, with these outcomes or all."""
    lab, rng = VirtualLab(), np.random.default_rng(seed)
    found: list[Run] = []
    while len(found) < n:
        conditions = {
            p.name: float(p.levels[rng.integers(len(p.levels))])  # type: ignore[index,arg-type]
            for p in lab.campaign.controlled
        }
        room = lab.room(rng)
        result = lab.run(conditions, room, rng)
        if result.failure is None:
            names = result.outcomes if outcomes is None else outcomes
            values = {name: (float(result.outcomes[name]),) for name in names}
            found.append(Run({**conditions, **room}, values))
    return found


def record(workspace: Workspace, runs: Sequence[Run]) -> list[int]:
    """Record finished runs in the active campaign; return their ids."""
    new = [
        NewExperiment(
            Origin.MANUAL, Status.COMPLETED, actual=dict(run.conditions), outcomes=run.outcomes
        )
        for run in runs
    ]
    with workspace.database.write("test") as tx:
        return tx.experiments.add(workspace.active_campaign(tx)[0], new)
