"""A campaign with finished runs of the virtual lab, two outcomes each: quick to fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import virtual_runs
from virtual_runs import TWO

from engine.campaign.history import Run
from engine.workspace import Workspace

Draw = Callable[..., list[Run]]
Record = Callable[[Workspace, Sequence[Run]], list[int]]


def draw(n: int, seed: int = 0) -> list[Run]:
    return virtual_runs.draw(n, seed, TWO)


@pytest.fixture
def lab_runs() -> Draw:
    """Return a function that draws n finished runs of the virtual lab, without ids."""
    return draw


@pytest.fixture
def record() -> Record:
    """Return a function that records finished runs and returns their ids."""
    return virtual_runs.record


@pytest.fixture
def shuffled() -> Callable[[Sequence[Run]], list[Run]]:
    """Return a function that exchanges the results of runs."""

    def exchange(runs: Sequence[Run], seed: int = 0) -> list[Run]:
        order = np.random.default_rng(seed).permutation(len(runs))
        return [
            Run(run.conditions, runs[int(other)].outcomes)
            for run, other in zip(runs, order, strict=True)
        ]

    return exchange


@pytest.fixture
def scaled() -> Callable[[Sequence[Run], float], list[Run]]:
    """Return a function that makes a unit error in the first outcome."""

    def scale(runs: Sequence[Run], factor: float) -> list[Run]:
        first = TWO[0]
        return [
            Run(run.conditions, {**run.outcomes, first: (factor * run.outcomes[first][0],)})
            for run in runs
        ]

    return scale


@pytest.fixture
def filled(workspace: Workspace, record: Record) -> Workspace:
    """Return a workspace with 60 finished runs."""
    record(workspace, draw(60))
    return workspace
