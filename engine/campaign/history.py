"""What a campaign knows so far, as plain frozen data: the input of every strategy.

The database makes one (``engine.loop``), a benchmark makes one in memory (``engine.bench``); the
strategies never learn which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from db.words import run_name
from engine.campaign.choices import Value
from engine.campaign.definition import Campaign
from engine.campaign.html import rows_html, section_html
from engine.campaign.numbers import as_set, written


@dataclass(frozen=True)
class Run:
    """One experiment: its conditions and what came of it.

    ``conditions`` holds every known parameter, ambient ones included: as really run where that is
    known, as proposed otherwise. ``outcomes`` holds the current replicates of each outcome.
    """

    conditions: Mapping[str, Value]
    outcomes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    id: int | None = None
    label: str | None = None

    @property
    def name(self) -> str:
        """How the run is called in messages."""
        return f"experiment {run_name(self.id, self.label)}".strip()

    def _repr_html_(self) -> str:
        values = {name: ", ".join(map(written, row)) for name, row in self.outcomes.items()}
        return section_html(
            f"Run {run_name(self.id, self.label)}".strip(),
            rows_html(["condition", ""], ([k, as_set(v)] for k, v in self.conditions.items())),
            rows_html(["outcome", "measured"], map(list, values.items())),
        )


@dataclass(frozen=True)
class History:
    """Everything a strategy may look at, in the order in which it was recorded.

    ``left_aside``: finished and failed runs of a large campaign that are not learnt from, without
    their results (see :mod:`engine.experiments.learning_set`).
    """

    campaign: Campaign
    finished: tuple[Run, ...] = ()
    pending: tuple[Run, ...] = ()
    failed: tuple[Run, ...] = ()
    left_aside: tuple[Run, ...] = ()

    @property
    def n_finished(self) -> int:
        """How many runs have results."""
        return len(self.finished)

    @property
    def runs(self) -> tuple[Run, ...]:
        """All of them, whatever became of them."""
        return (*self.finished, *self.pending, *self.failed, *self.left_aside)

    @property
    def left_out(self) -> str | None:
        """What to tell of runs that are not learnt from, if there are any."""
        if not self.left_aside:
            return None
        n_learnt = self.n_finished + len(self.failed)
        return (
            f"learning from {n_learnt:,} of {n_learnt + len(self.left_aside):,} runs: spread over "
            "the space, from its best regions, and the newest (most_runs in [propose])."
        )
