"""What every strategy is handed, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.campaign.history import History
from engine.propose.batch import DistinctLimits
from engine.propose.forecaster import Forecaster
from engine.propose.request import ProposeRequest
from engine.propose.room import Room
from engine.propose.space import Space
from engine.workspace.plugins import Plugin
from engine.workspace.settings import ProposeSettings

if TYPE_CHECKING:
    from engine.sources.knowledge import Knowledge

Array = NDArray[np.float64]


@dataclass
class Task:
    """What every strategy is handed."""

    history: History
    request: ProposeRequest
    settings: ProposeSettings
    space: Space
    room: Room
    limits: DistinctLimits
    excluded: set[tuple[int, ...]]
    notes: list[str]
    seconds: dict[str, float]
    knowledge: Knowledge | None


@dataclass(frozen=True)
class Answer:
    """What a strategy chose, and the models that it fitted for it."""

    settings: Array
    strategy: str
    values: tuple[float, ...] = ()
    forecaster: Forecaster | None = None
    full_forecaster: Forecaster | None = None
    """Of the wanted outcomes alone, and of all that were fitted with them."""
    n_guided: int = 0
    """So many of the settings, the first ones, lie where sources expect the front."""
    plugin: Plugin | None = None
