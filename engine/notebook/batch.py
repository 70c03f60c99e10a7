"""A batch as a notebook shows it: a frame, a table, a figure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from db.words import run_name
from engine.campaign import Campaign
from engine.campaign.history import Run
from engine.campaign.html import rows_html, section_html
from engine.campaign.numbers import as_set
from engine.errors import spell
from engine.notebook.frames import suggestions_frame
from engine.notebook.html import interval_text
from engine.propose.request import Suggestion, SuggestionBatch

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Batch:
    """Runs to make next, in the order to make them.

    ``id``: the batch's number in the database, ``None`` where nothing was recorded. ``notes``: what
    the person at the machine should know. ``experiments``: the runs' ids, in their order.
    """

    campaign: Campaign
    answer: SuggestionBatch
    id: int | None = None
    experiments: tuple[int, ...] = ()
    finished: tuple[Run, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the person at the machine should know."""
        return tuple(spell(note, "api") for note in self.answer.notes)

    @property
    def seed(self) -> int:
        """The seed: with the same data it gives the same batch."""
        return self.answer.seed

    @property
    def strategy(self) -> str:
        """The strategy that led; ``sobol`` where results are too few for a model."""
        return self.answer.strategy

    @cached_property
    def numbered(self) -> list[tuple[int | None, Suggestion]]:
        """The runs with their ids (``None``: not recorded)."""
        ids = self.experiments or (None,) * len(self.answer.suggestions)
        return list(zip(ids, self.answer.suggestions, strict=True))

    def __len__(self) -> int:
        return len(self.answer.suggestions)

    def to_frame(self) -> pd.DataFrame:
        """Return settings, expected outcomes with their intervals, and reasons: a row for each run.

        Columns of an outcome are ``NAME.mean``, ``NAME.lower`` and ``NAME.upper``; units stand in
        ``attrs["units"]``. The index is the experiment's id, or the order where nothing was
        recorded.
        """
        return suggestions_frame(self.campaign, self.numbered, _run_name)

    def settings(self) -> pd.DataFrame:
        """Return the settings alone, a row for each run: fill in results and give them back."""
        frame = self.to_frame()
        names = [p.name for p in self.campaign.parameters if p.name in frame.columns]
        return frame[names]

    def plot(self) -> Figure:
        """Draw what is expected beside what was measured: intervals of each run, and the front.

        With one objective its expected values stand in the order of the runs.

        Raises:
            ModelError: nothing is expected yet, as results are too few for a model.
        """
        from engine.notebook.figures import batch_figure

        return batch_figure(self.campaign, self.numbered, self.finished)

    def __repr__(self) -> str:
        name = f"batch {self.id}" if self.id is not None else "batch, not recorded"
        return f"<{name}: {len(self)} runs of '{self.campaign.name}', {self.strategy}>"

    def _repr_html_(self) -> str:
        title = f"Batch {self.id}" if self.id is not None else "Batch, not recorded"
        campaign = self.campaign
        runs = [(str(item.order if id_ is None else id_), item) for id_, item in self.numbered]
        names = [p.name for p in campaign.parameters if self._is_set(p.name)]
        outcomes = [
            name
            for name in campaign.wanted_outcomes
            if any(name in item.outcomes for _, item in self.numbered)
        ]
        rows = [
            [
                run,
                *(as_set({**item.ambient, **item.conditions}.get(name)) for name in names),
                *(_expected(item, name) for name in outcomes),
                f"{item.p_success:.0%}",
            ]
            for run, item in runs
        ]
        headings = [*map(campaign.heading, (*names, *outcomes)), "success"]
        return section_html(
            f"{title} of {campaign.name}",
            rows_html(["run", *headings], rows),
            remarks=(
                *(f"run {run}: {item.reason}" for run, item in runs),
                *self.notes,
                f"strategy {self.strategy}, seed {self.seed}",
            ),
        )

    def _is_set(self, name: str) -> bool:
        return any(name in item.conditions or name in item.ambient for _, item in self.numbered)


def _expected(item: Suggestion, outcome: str) -> str:
    forecast = item.outcomes.get(outcome)
    return "–" if forecast is None else interval_text(forecast)


def _run_name(run: Run) -> str:
    return run_name(run.id, run.label)
