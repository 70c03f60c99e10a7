"""How the commands slow down as a campaign grows: a database filled to a size, then timed.

Filling adds runs of the virtual lab to the workspace's campaign (the nanofibre template), in bulk,
on SQLite and PostgreSQL alike. Of each outcome a run has one value: ten measurements a run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.records import NewExperiment, Origin, Status
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.lab.virtual import VirtualLab
from engine.results.status import campaign_status
from engine.workspace import Workspace

Array = NDArray[np.float64]

CHUNK = 5_000  # runs in one change
FAILED = 0.05  # share of runs without a mat
NOISE = 0.15  # relative standard deviation of one measurement


def fill(workspace: Workspace, n_measurements: int, *, seed: int = 0) -> tuple[int, float]:
    """Add runs until there are ``n_measurements`` more; return how many runs, and the seconds."""
    rng = np.random.default_rng([seed, n_measurements])
    began, n_runs = time.perf_counter(), 0
    n_outcomes = len(VirtualLab().campaign.outcomes)
    n_missing = -(-n_measurements // n_outcomes)
    with workspace.database.read() as tx:
        record_, _ = workspace.active_campaign(tx)
    while n_missing > 0:
        new = list(_runs(min(CHUNK, n_missing), rng))
        with workspace.database.write("fill", detail=f"{len(new)} runs of the virtual lab") as tx:
            tx.experiments.add(record_, new)
        n_runs += len(new)
        n_missing -= sum(run.status is Status.COMPLETED for run in new)
    return n_runs, time.perf_counter() - began


def _runs(n: int, rng: np.random.Generator) -> Iterator[NewExperiment]:
    """Draw settings on the instrument's grid, rooms, and what the virtual lab measures there."""
    lab = VirtualLab()
    columns: dict[str, Array] = {}
    for parameter in lab.campaign.controlled:
        columns[parameter.name] = rng.choice(np.asarray(parameter.levels, dtype=float), n)
    rooms = [lab.room(rng) for _ in range(n)]
    for name in rooms[0]:
        columns[name] = np.array([room[name] for room in rooms])
    truth = lab.truth_columns(columns)
    measured = {
        name: values * np.exp(NOISE * rng.standard_normal(n)) for name, values in truth.items()
    }
    failed = rng.random(n) < FAILED
    for i in range(n):
        conditions = {name: float(values[i]) for name, values in columns.items()}
        if failed[i]:
            yield NewExperiment(Origin.IMPORT, Status.FAILED, failure="beads", actual=conditions)
        else:
            outcomes = {name: (float(values[i]),) for name, values in measured.items()}
            yield NewExperiment(
                Origin.IMPORT, Status.COMPLETED, actual=conditions, outcomes=outcomes
            )


def timed(workspace: Workspace, *, repeats: int = 5) -> dict[str, Any]:
    """Time what the commands ask of the database, in seconds: the median of ``repeats``."""
    with workspace.database.read() as tx:
        record_, campaign = workspace.active_campaign(tx)
        n_runs = sum(tx.experiments.count(record_.id).values())
        n_measurements = tx.measurements.count(record_.id)
    rng = np.random.default_rng(7)
    outcome = campaign.objectives[0].outcome

    def log_one() -> None:
        conditions = {
            p.name: float(rng.choice(np.asarray(p.levels, dtype=float)))
            for p in campaign.controlled
        }
        record(workspace, Entry(conditions=conditions, results={outcome: 10.0}))

    return {
        "database": workspace.database.name.partition("://")[0]
        if "://" in workspace.database.name
        else "sqlite",
        "runs": n_runs,
        "measurements": n_measurements,
        "log_s": _median(log_one, repeats),
        "status_s": _median(lambda: campaign_status(workspace), repeats),
    }


def _median(work: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))
