"""Fronts as plain numbers: two objectives against each other, what is measured and what is awaited.

``plots`` draws them on pages and in reports, ``engine.report.png`` in files.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from db.records import Status
from engine.campaign import Campaign, Objective
from engine.campaign.front import front_mask
from engine.results.figures import Interval, on_front_ids
from engine.results.material import Material, condition_lines

if TYPE_CHECKING:
    from engine.results.overview import Overview

MAX_PAIRS = 3
"""Fronts drawn when there are more than two objectives: the first pairs of them."""

MAX_POINTS = 1500
"""Runs off the front that a page draws; of more, the newest. Every run of the front is drawn."""


@dataclass(frozen=True)
class Aim:
    """One objective's axis."""

    objective: Objective
    heading: str


@dataclass(frozen=True)
class FinishedPoint:
    """A finished run in the plane of two objectives (mean over replicates).

    ``spread``: lowest to highest replicate of x and of y, where that is to be shown. ``link``: the
    run's page, where there is one.
    """

    run: str
    x: float
    y: float
    on_front: bool
    conditions: tuple[str, ...] = ()
    spread: tuple[Interval, Interval] | None = None
    link: str | None = None


@dataclass(frozen=True)
class PendingPoint:
    """A proposed run whose result is awaited."""

    run: str
    x: Interval
    y: Interval
    conditions: tuple[str, ...] = ()
    link: str | None = None


@dataclass(frozen=True)
class Front:
    """Two objectives against each other; ``n_hidden``: runs off the front that are left out.

    >>> x, y = (Objective(outcome=name, threshold=0.0) for name in ("strength", "stretch"))
    >>> points = (FinishedPoint("1", 1.0, 3.0, True), FinishedPoint("2", 2.0, 1.0, True))
    >>> Front(Aim(x, "strength [MPa]"), Aim(y, "stretch [%]"), points, (), None).staircase()
    [(1.0, 3.0), (1.0, 1.0), (2.0, 1.0)]
    """

    x: Aim
    y: Aim
    finished: tuple[FinishedPoint, ...]
    pending: tuple[PendingPoint, ...]
    level: float | None
    n_hidden: int = 0

    def staircase(self) -> list[tuple[float, float]]:
        """Return the corners of what is attained, from one end of the front to the other.

        None where a target is one of the two: what is attained lies on both sides of it.
        """
        if any(aim.objective.goal == "target" for aim in (self.x, self.y)):
            return []
        points = sorted({(p.x, p.y) for p in self.finished if p.on_front})
        mask = front_mask(points, (self.x.objective, self.y.objective))
        corners: list[tuple[float, float]] = []
        for x, y in (point for point, hit in zip(points, mask, strict=True) if hit):
            if corners:
                last_x, last_y = corners[-1]
                # Attained is what is worse in both.
                corners.append((last_x, y) if self.x.objective.goal == "maximize" else (x, last_y))
            corners.append((x, y))
        return corners

    def extent(
        self, *, with_intervals: bool = True
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the ranges of x and y to draw: every point and interval, and near thresholds.

        A threshold further off than the points are spread would squeeze them into a corner.
        """

        def ends(interval: Interval) -> tuple[float, ...]:
            edges = (interval.lower, interval.upper) if with_intervals else ()
            return interval.mean, *edges

        x = [p.x for p in self.finished] + [v for p in self.pending for v in ends(p.x)]
        y = [p.y for p in self.finished] + [v for p in self.pending for v in ends(p.y)]
        return _range(x, self.x.objective.edges), _range(y, self.y.objective.edges)


def _range(values: list[float], thresholds: tuple[float, ...]) -> tuple[float, float]:
    values = values or list(thresholds)
    low, high = min(values), max(values)
    spread = (high - low) or abs(high) or 1.0
    # Of a tolerance both ends are in sight, or neither: one alone would look like a threshold.
    if any(low - spread <= edge <= high + spread for edge in thresholds):
        low, high = min(low, *thresholds), max(high, *thresholds)
    margin = 0.06 * ((high - low) or spread)
    return low - margin, high + margin


def fronts(material: Material) -> tuple[Front, ...]:
    """Return a front for each pair of objectives (the first three); none for one objective.

    ``on_front`` looks at all objectives. A run that breaks a constraint is shown, never on a front.
    """
    pairs = list(combinations(material.campaign.objectives, 2))[:MAX_PAIRS]
    on_front = on_front_ids(material)
    return tuple(_front(material, on_front, first, second) for first, second in pairs)


def _front(material: Material, on_front: set[int], first: Objective, second: Objective) -> Front:
    campaign, ledger = material.campaign, material.ledger()
    points = []
    for experiment in material.with_status(Status.COMPLETED):
        averages = material.means(experiment)
        if first.outcome in averages and second.outcome in averages:
            points.append(
                FinishedPoint(
                    experiment.name,
                    averages[first.outcome],
                    averages[second.outcome],
                    experiment.id in on_front,
                    condition_lines(campaign, experiment.conditions),
                )
            )
    pending, level = [], None
    for experiment in material.with_status(Status.PROPOSED, Status.RUNNING):
        x = ledger.get((experiment.id, first.outcome))
        y = ledger.get((experiment.id, second.outcome))
        if x is not None and y is not None:
            level = x.level
            lines = condition_lines(campaign, experiment.conditions)
            pending.append(
                PendingPoint(experiment.name, Interval.predicted(x), Interval.predicted(y), lines)
            )
    return Front(
        _aim(campaign, first), _aim(campaign, second), tuple(points), tuple(pending), level
    )


def _aim(campaign: Campaign, objective: Objective) -> Aim:
    return Aim(objective, campaign.heading(objective.outcome))


def overview_fronts(overview: Overview) -> tuple[Front, ...]:
    """Return a front for each pair of neighbouring objectives (the first three pairs).

    Of the runs off the front the newest :data:`MAX_POINTS`; each run with its spread and its page.
    """
    n_pairs = min(MAX_PAIRS, len(overview.campaign.objectives) - 1)
    return tuple(_overview_front(overview, i, i + 1) for i in range(n_pairs))


def _overview_front(overview: Overview, i: int, j: int) -> Front:
    first, second = (overview.campaign.objectives[place] for place in (i, j))
    dominated = [point for point in overview.points if not point.on_front]
    drawn = [*dominated[-MAX_POINTS:], *overview.front]
    pending = [
        PendingPoint(
            run.experiment.name,
            Interval.predicted(run.predictions[first.outcome]),
            Interval.predicted(run.predictions[second.outcome]),
            link=f"/runs/{run.experiment.id}",
        )
        for run in overview.awaited
        if first.outcome in run.predictions and second.outcome in run.predictions
    ]
    finished = [
        FinishedPoint(
            point.name,
            point.means[i].mean,
            point.means[j].mean,
            point.on_front,
            spread=(Interval.measured(point.means[i]), Interval.measured(point.means[j])),
            link=f"/runs/{point.id}",
        )
        for point in drawn
    ]
    return Front(
        _aim(overview.campaign, first),
        _aim(overview.campaign, second),
        tuple(finished),
        tuple(pending),
        level=None,
        n_hidden=max(0, len(dominated) - MAX_POINTS),
    )
