"""Simulated labs as a source: drawn from the literature's laws, each with ranges of its own."""

from __future__ import annotations

import numpy as np

from engine.lab.ensemble import draw_lab
from engine.lab.ensemble.campaigns import UNITS
from engine.lab.virtual import nanofibre_campaign
from engine.sources.axes import Axis
from engine.sources.definition import SourceDefinition
from engine.sources.runs import SourceContent, SourceRun, outcomes_of

RUNS_PER_LAB = 32


def read_simulated(definition: SourceDefinition) -> SourceContent:
    """Return some noisy runs of each lab; what a model is trained on is drawn anew from the labs.

    The labs' ranges differ, so the axes have none.
    """
    first, n = definition.seed or 0, definition.labs or 0
    runs = []
    for lab_index, seed in enumerate(range(first, first + n)):
        # A stream of its own: the lab's laws are drawn from its seed already.
        lab, rng = draw_lab(seed), np.random.default_rng([seed, 17])
        columns = {**lab.design(RUNS_PER_LAB, seed=seed), **lab.rooms(rng, RUNS_PER_LAB)}
        values, _ = lab.observe_columns(columns, rng)
        runs += [
            SourceRun(
                f"{lab.name} · {row + 1}",
                {name: float(column[row]) for name, column in columns.items()},
                {name: (float(value[row]),) for name, value in values.items()},
                lab=lab_index,
            )
            for row in range(RUNS_PER_LAB)
        ]
    axes = tuple(Axis(name, unit) for name, unit in UNITS.items())
    return SourceContent(axes, outcomes_of(nanofibre_campaign()), tuple(runs))
