"""For which room is the batch meant? Stated values, or recent readings: their mean, their worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.campaign.history import History, Run
from engine.propose.space import Space
from engine.propose.training_data import typical_ambient

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Room:
    """``readings``: (r, a) ambient values that a proposal must do for, equally likely.

    ``aggregation``: ``stated`` (one reading), ``averaged`` over the readings, or ``worst`` of them.
    """

    readings: Array
    aggregation: Literal["stated", "averaged", "worst"]

    @property
    def typical(self) -> Array:
        """(a,) the mean reading, which a proposal names as its ambient."""
        return self.readings.mean(axis=0)


def plan_room(
    space: Space, history: History, at: Mapping[str, float], *, robust: bool, n_readings: int
) -> Room:
    """Combine stated ambient values with recent readings for those not stated."""
    names = [p.name for p in space.ambient]
    runs = (*history.finished, *history.failed)
    typical = typical_ambient(space, runs)
    recent = space.ambient_of([run.conditions for run in _latest(runs, n_readings)])
    recent = np.where(np.isnan(recent), typical, recent)
    if not len(recent) or len(at) == len(names):
        recent = typical[None, :]
    for name, value in at.items():
        recent[:, names.index(name)] = value
    readings = np.unique(recent, axis=0)
    aggregation: Literal["stated", "averaged", "worst"] = "averaged"
    if len(at) == len(names):
        aggregation = "stated"
    elif robust:
        aggregation = "worst"
    return Room(readings, aggregation)


def _latest(runs: tuple[Run, ...], n: int) -> tuple[Run, ...]:
    return tuple(sorted(runs, key=lambda run: run.id or 0))[-n:]
