"""A lab's bench during one closed loop: what was run, in which room, with which noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.campaign import Campaign, Value
from engine.campaign.history import History, Run
from engine.lab import Lab

START_STREAM, ROOM_STREAM, NOISE_STREAM, STRATEGY_STREAM = range(4)


@dataclass
class Bench:
    """The lab's bench during one task: what was run, in which room, with which noise."""

    lab: Lab
    campaign: Campaign
    seed: int
    runs: list[dict[str, Any]]
    day: int = 0

    @property
    def history(self) -> History:
        """What a strategy may know."""
        finished = [run for run in self.runs if run["failure"] is None]
        failed = [run for run in self.runs if run["failure"] is not None]
        return History(
            self.campaign, tuple(map(_as_run, finished)), (), tuple(map(_as_run, failed))
        )

    def today(self) -> dict[str, float]:
        """Return the room of the day on which the next runs begin."""
        return self.lab.room(generator(self.seed, ROOM_STREAM, self.day))

    def run(self, settings: Sequence[Mapping[str, Value]], per_day: int) -> None:
        """Run ``settings`` in order, at most ``per_day`` on one day."""
        for index, conditions in enumerate(settings):
            day = self.day + index // per_day
            ambient = self.lab.room(generator(self.seed, ROOM_STREAM, day))
            # By the number of the experiment, not by what was run: strategies meet equal noise.
            noise = generator(self.seed, NOISE_STREAM, len(self.runs))
            result = self.lab.run(conditions, ambient, noise)
            self.runs.append(
                {
                    "conditions": dict(conditions),
                    "ambient": ambient,
                    "outcomes": {name: float(v) for name, v in result.outcomes.items()},
                    "failure": result.failure,
                    "day": day,
                }
            )
        self.day = self.runs[-1]["day"] + 1


def _as_run(run: Mapping[str, Any]) -> Run:
    outcomes = {name: (value,) for name, value in run["outcomes"].items()}
    return Run({**run["conditions"], **run["ambient"]}, outcomes)


def generator(seed: int, stream: int, index: int) -> np.random.Generator:
    """Return the generator of one draw: equal for all strategies of a seed."""
    return np.random.default_rng([seed, stream, index])
