"""Figures as plain numbers: what is shown, before anything is drawn.

A report reads them off every record (:class:`~engine.results.material.Material`), the first page
off the sums that the database made (:class:`~engine.results.overview.Overview`). ``plots`` draws
them for both, ``engine.report.png`` for files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from db.records import ExperimentRecord, MeanRecord, PredictionRecord, ScoredRecord, Status
from engine.campaign import Campaign, Objective, Parameter
from engine.campaign.front import front_mask, hypervolume_so_far
from engine.results.ledger import OutcomeScore, score_rows
from engine.results.material import Material, condition_lines, run_name, volume_unit

if TYPE_CHECKING:
    from engine.results.overview import Overview

MAX_PAIRS = 3
"""Fronts drawn when there are more than two objectives: the first pairs of them."""

MAX_POINTS = 1500
"""Runs off the front that a page draws; of more, the newest. Every run of the front is drawn."""


@dataclass(frozen=True)
class Interval:
    """A prediction: the mean and the central interval of a new measurement."""

    mean: float
    lower: float
    upper: float

    @classmethod
    def predicted(cls, prediction: PredictionRecord | ScoredRecord) -> Interval:
        """Take the numbers of a stored prediction."""
        return cls(prediction.mean, prediction.lower, prediction.upper)

    @classmethod
    def measured(cls, mean: MeanRecord) -> Interval:
        """Take the mean of replicates, from the lowest to the highest of them."""
        return cls(mean.mean, mean.lowest, mean.highest)

    @property
    def reach_down(self) -> float:
        """How far the interval reaches below the mean (a skewed mean may lie outside it)."""
        return max(0.0, self.mean - self.lower)

    @property
    def reach_up(self) -> float:
        """How far the interval reaches above the mean."""
        return max(0.0, self.upper - self.mean)


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
    near = [t for t in thresholds if low - spread <= t <= high + spread]
    low, high = min([low, *near]), max([high, *near])
    margin = 0.06 * ((high - low) or spread)
    return low - margin, high + margin


@dataclass(frozen=True)
class Growth:
    """Hypervolume after each run, in the order of the ids; a failed run wins nothing.

    ``batches``: the place, counted from 1, of the first run of each. ``counted``: what the runs
    are, for the axis.
    """

    runs: tuple[str, ...]
    volumes: tuple[float, ...]
    failed: tuple[bool, ...]
    batches: tuple[tuple[int, str], ...]
    unit: str
    n_objectives: int
    counted: str = "runs made"

    @property
    def name(self) -> str:
        """What grows: a volume, or for one objective a distance."""
        return "hypervolume" if self.n_objectives > 1 else "best beyond the threshold"

    def steps(self) -> list[tuple[int, str, float]]:
        """Return place, run and volume where the volume changed, and of the last run."""
        steps: list[tuple[int, str, float]] = []
        for place, (run, volume) in enumerate(zip(self.runs, self.volumes, strict=True), start=1):
            if not steps or volume != steps[-1][2] or place == len(self.runs):
                steps.append((place, run, volume))
        return steps


@dataclass(frozen=True)
class Column:
    """One axis of the parallel coordinates; names of choices where it is categorical."""

    heading: str
    values: tuple[float, ...]
    low: float
    high: float
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Parallel:
    """Conditions and objectives of every finished run, coloured by the first objective."""

    columns: tuple[Column, ...]
    runs: tuple[str, ...]
    on_front: tuple[bool, ...]
    colour: Column


def wilson(n_hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927): ``n_hits`` of ``n``, n > 0.

    >>> [round(bound, 3) for bound in wilson(9, 10)]
    [0.596, 0.982]
    """
    from scipy.stats import binomtest  # half a second: not before somebody asks

    low, high = binomtest(n_hits, n).proportion_ci(method="wilson")
    return float(low), float(high)


def fronts(material: Material) -> tuple[Front, ...]:
    """Return a front for each pair of objectives (the first three); none for one objective.

    ``on_front`` looks at all objectives. A run that breaks a constraint is shown, never on a front.
    """
    pairs = list(combinations(material.campaign.objectives, 2))[:MAX_PAIRS]
    on_front = on_front_ids(material)
    return tuple(_front(material, on_front, first, second) for first, second in pairs)


def on_front_ids(material: Material) -> set[int]:
    """Return the ids of the runs on the front of all objectives."""
    finished = material.with_status(Status.COMPLETED)
    mask = front_mask([material.gains(e) for e in finished], material.campaign.objectives)
    return {e.id for e, hit in zip(finished, mask, strict=True) if hit}


def _front(material: Material, on_front: set[int], first: Objective, second: Objective) -> Front:
    campaign, ledger = material.campaign, material.ledger()
    points = []
    for experiment in material.with_status(Status.COMPLETED):
        averages = material.means(experiment)
        if first.outcome in averages and second.outcome in averages:
            points.append(
                FinishedPoint(
                    run_name(experiment),
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
                PendingPoint(
                    run_name(experiment), Interval.predicted(x), Interval.predicted(y), lines
                )
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
            str(run.experiment.id),
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


def hypervolume_growth(material: Material) -> Growth:
    """Return the hypervolume (for one objective: the best beyond its threshold) after each run."""
    campaign = material.campaign
    ended = material.with_status(Status.COMPLETED, Status.FAILED)
    volumes = hypervolume_so_far([material.gains(e) for e in ended], campaign.objectives)
    batches: dict[int, int] = {}
    for index, experiment in enumerate(ended, start=1):
        if experiment.proposal is not None:
            batches.setdefault(experiment.proposal.batch_id, index)
    return Growth(
        runs=tuple(run_name(e) for e in ended),
        volumes=tuple(float(v) for v in volumes),
        failed=tuple(e.status is Status.FAILED for e in ended),
        batches=tuple((index, f"batch {batch}") for batch, index in batches.items()),
        unit=volume_unit(campaign),
        n_objectives=len(campaign.objectives),
    )


def overview_growth(overview: Overview) -> Growth:
    """Return the hypervolume after each finished run that has every objective."""
    return Growth(
        runs=tuple(str(id_) for id_, _ in overview.volumes),
        volumes=tuple(volume for _, volume in overview.volumes),
        failed=(False,) * len(overview.volumes),
        batches=(),
        unit=overview.unit,
        n_objectives=len(overview.campaign.objectives),
        counted="finished runs",
    )


def parallel(material: Material) -> Parallel | None:
    """Return the finished runs over all parameters and objectives; ``None`` if there are none.

    A run that lacks one of the values is left out.
    """
    campaign = material.campaign
    outcomes = [objective.outcome for objective in campaign.objectives]
    on_front = on_front_ids(material)
    complete = [
        (experiment, material.means(experiment))
        for experiment in material.with_status(Status.COMPLETED)
        if all(p.name in experiment.conditions for p in campaign.parameters)
        and all(outcome in material.means(experiment) for outcome in outcomes)
    ]
    if not complete:
        return None
    runs = [experiment for experiment, _ in complete]
    columns = [_condition_column(campaign, p, runs) for p in campaign.parameters]
    results = [
        _column(campaign.heading(outcome), [averages[outcome] for _, averages in complete])
        for outcome in outcomes
    ]
    return Parallel(
        columns=(*columns, *results),
        runs=tuple(map(run_name, runs)),
        on_front=tuple(e.id in on_front for e in runs),
        colour=results[0],
    )


def _condition_column(
    campaign: Campaign, parameter: Parameter, experiments: Iterable[ExperimentRecord]
) -> Column:
    values = [experiment.conditions[parameter.name] for experiment in experiments]
    heading = campaign.heading(parameter.name)
    if parameter.is_categorical:
        names = tuple(map(str, parameter.choices or ()))
        places = tuple(float(names.index(str(value))) for value in values)
        return Column(heading, places, 0.0, float(len(names) - 1), names)
    return _column(heading, [float(value) for value in values], parameter.bounds)


def _column(heading: str, values: list[float], bounds: tuple[float, float] | None = None) -> Column:
    low, high = min(*(bounds or values), *values), max(*(bounds or values), *values)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return Column(heading, tuple(values), low, high)


def calibration(material: Material) -> tuple[OutcomeScore, ...]:
    """Return predicted against measured, from the ledger, for each outcome with results.

    Every replicate is a measurement of its own.
    """
    ledger = material.ledger()
    rows = [
        ScoredRecord(experiment.id, outcome, p.mean, p.lower, p.upper, p.level, value)
        for experiment in material.with_status(Status.COMPLETED)
        for outcome, replicates in experiment.replicates().items()
        if (p := ledger.get((experiment.id, outcome))) is not None
        for value in replicates
    ]
    scores = {score.outcome: score for score in score_rows(material.campaign, rows)}
    return tuple(scores[name] for name in material.campaign.outcomes if name in scores)
