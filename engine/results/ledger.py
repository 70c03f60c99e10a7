"""How well the predictions held that were made before the runs: the honest score of the engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from db.records import ScoredRecord
from engine.campaign import Campaign
from engine.workspace import Workspace


@dataclass(frozen=True)
class OutcomeScore:
    """One outcome's predictions against what was measured.

    ``coverage``: share inside intervals meant to hold ``level``. ``error``: root mean square of
    measured minus predicted, ``bias`` its mean, in the outcome's unit. ``r2``: against the mean of
    what was measured; ``None`` where nothing varied.
    """

    outcome: str
    heading: str
    level: float
    points: tuple[ScoredRecord, ...]

    @property
    def n_inside(self) -> int:
        """How many measurements fell into their intervals."""
        return sum(point.is_inside for point in self.points)

    @property
    def coverage(self) -> float:
        """The share of measurements inside their intervals."""
        return self.n_inside / len(self.points)

    @property
    def bias(self) -> float:
        """Mean of measured minus predicted."""
        return sum(p.measured - p.mean for p in self.points) / len(self.points)

    @property
    def error(self) -> float:
        """Root mean square of measured minus predicted."""
        return math.sqrt(sum((p.measured - p.mean) ** 2 for p in self.points) / len(self.points))

    @property
    def r2(self) -> float | None:
        """The share of the variance that was predicted."""
        centre = sum(p.measured for p in self.points) / len(self.points)
        total = sum((p.measured - centre) ** 2 for p in self.points)
        if total <= 0 or len(self.points) < 3:
            return None
        return 1.0 - sum((p.measured - p.mean) ** 2 for p in self.points) / total


def scores(workspace: Workspace) -> list[OutcomeScore]:
    """Return the score of each outcome that was predicted and measured, wanted ones first.

    Raises:
        NotFoundError: no campaign is active.
    """
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        rows = tx.batches.scored(record.id)
    return score_rows(campaign, rows)


def score_rows(campaign: Campaign, rows: Sequence[ScoredRecord]) -> list[OutcomeScore]:
    """Group predictions by outcome."""
    scores = []
    for outcome in dict.fromkeys((*campaign.wanted_outcomes, *campaign.outcomes)):
        points = tuple(row for row in rows if row.outcome == outcome)
        if points:
            heading = campaign.heading(outcome)
            scores.append(OutcomeScore(outcome, heading, points[0].level, points))
    return scores
