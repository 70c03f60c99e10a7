"""The report's figures as plain numbers: what is shown, before anything is drawn.

``plots`` draws them for the page, ``png`` for files; both show the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from db.records import ExperimentRecord, PredictionRecord, Status
from engine.campaign import Campaign, Objective, Parameter
from engine.campaign.front import front_mask, hypervolume_so_far
from engine.results.material import Material, condition_lines, run_name

MAX_PAIRS = 3
"""Fronts drawn when there are more than two objectives: the first pairs of them."""


@dataclass(frozen=True)
class Interval:
    """A prediction: the mean and the central interval of a new measurement."""

    mean: float
    lower: float
    upper: float

    @classmethod
    def of(cls, prediction: PredictionRecord) -> Interval:
        """Take the numbers of a stored prediction."""
        return cls(prediction.mean, prediction.lower, prediction.upper)

    @property
    def below(self) -> float:
        """How far the interval reaches below the mean (a skewed mean may lie outside it)."""
        return max(0.0, self.mean - self.lower)

    @property
    def above(self) -> float:
        """How far the interval reaches above the mean."""
        return max(0.0, self.upper - self.mean)


@dataclass(frozen=True)
class Aim:
    """One objective's axis."""

    objective: Objective
    heading: str


@dataclass(frozen=True)
class FinishedPoint:
    """A finished run in the plane of two objectives (mean over replicates)."""

    run: str
    x: float
    y: float
    on_front: bool
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class PendingPoint:
    """A proposed run whose result is awaited."""

    run: str
    x: Interval
    y: Interval
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class Front:
    """Two objectives against each other."""

    x: Aim
    y: Aim
    finished: tuple[FinishedPoint, ...]
    pending: tuple[PendingPoint, ...]
    level: float | None

    def staircase(self) -> list[tuple[float, float]]:
        """Return the corners of what is attained, from one end of the front to the other."""
        points = sorted({(p.x, p.y) for p in self.finished if p.on_front})
        mask = front_mask(points, (self.x.objective, self.y.objective))
        corners: list[tuple[float, float]] = []
        for x, y in (point for point, hit in zip(points, mask, strict=True) if hit):
            if corners:
                last_x, last_y = corners[-1]
                # Attained is what is worse in both.
                corners.append((last_x, y) if self.x.objective.sign > 0 else (x, last_y))
            corners.append((x, y))
        return corners

    def extent(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the ranges of x and y to draw: every point and interval, and near thresholds.

        A threshold further off than the points are spread would squeeze them into a corner.
        """
        x = [p.x for p in self.finished] + [v for p in self.pending for v in _ends(p.x)]
        y = [p.y for p in self.finished] + [v for p in self.pending for v in _ends(p.y)]
        return _range(x, self.x.objective.threshold), _range(y, self.y.objective.threshold)


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.mean, interval.lower, interval.upper


def _range(values: list[float], threshold: float) -> tuple[float, float]:
    if not values:
        values = [threshold]
    low, high = min(values), max(values)
    spread = (high - low) or abs(high) or 1.0
    if low - spread <= threshold <= high + spread:
        low, high = min(low, threshold), max(high, threshold)
    margin = 0.06 * ((high - low) or spread)
    return low - margin, high + margin


@dataclass(frozen=True)
class Progress:
    """Hypervolume after each run, in the order of the ids; a failed run wins nothing."""

    runs: tuple[str, ...]
    volumes: tuple[float, ...]
    failed: tuple[bool, ...]
    batches: tuple[tuple[int, str], ...]
    unit: str
    n_objectives: int


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


@dataclass(frozen=True)
class Scored:
    """A prediction and one measurement that came after it."""

    run: str
    predicted: Interval
    measured: float

    @property
    def is_inside(self) -> bool:
        """Whether the measurement fell into the interval."""
        return bool(self.predicted.lower <= self.measured <= self.predicted.upper)


@dataclass(frozen=True)
class Calibration:
    """Predicted against measured for one outcome, every replicate a measurement of its own."""

    outcome: str
    heading: str
    level: float
    points: tuple[Scored, ...]

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
        """Mean of measured minus predicted, in the outcome's unit."""
        return sum(p.measured - p.predicted.mean for p in self.points) / len(self.points)

    @property
    def error(self) -> float:
        """Root mean square of measured minus predicted, in the outcome's unit."""
        squares = [(p.measured - p.predicted.mean) ** 2 for p in self.points]
        return math.sqrt(sum(squares) / len(squares))


def wilson(n_hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927): ``n_hits`` of ``n``, n > 0."""
    share = n_hits / n
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


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
        means = material.means(experiment)
        if first.outcome in means and second.outcome in means:
            points.append(
                FinishedPoint(
                    run_name(experiment),
                    means[first.outcome],
                    means[second.outcome],
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
                PendingPoint(run_name(experiment), Interval.of(x), Interval.of(y), lines)
            )
    return Front(
        _aim(campaign, first), _aim(campaign, second), tuple(points), tuple(pending), level
    )


def _aim(campaign: Campaign, objective: Objective) -> Aim:
    return Aim(objective, campaign.heading(objective.outcome))


def progress(material: Material) -> Progress:
    """Return the hypervolume (for one objective: the best beyond its threshold) after each run."""
    campaign = material.campaign
    names = [objective.outcome for objective in campaign.objectives]
    made = material.with_status(Status.COMPLETED, Status.FAILED)
    volumes = hypervolume_so_far([material.gains(e) for e in made], campaign.objectives)
    batches: dict[int, int] = {}
    for index, experiment in enumerate(made, start=1):
        if experiment.proposal is not None:
            batches.setdefault(experiment.proposal.batch_id, index)
    return Progress(
        runs=tuple(run_name(e) for e in made),
        volumes=tuple(float(v) for v in volumes),
        failed=tuple(e.status is Status.FAILED for e in made),
        batches=tuple((index, f"batch {batch}") for batch, index in batches.items()),
        unit=" · ".join(filter(None, (campaign.unit_of(name) for name in names))),
        n_objectives=len(names),
    )


def parallel(material: Material) -> Parallel | None:
    """Return the finished runs over all parameters and objectives; ``None`` if there are none.

    A run that lacks one of the values is left out.
    """
    campaign = material.campaign
    outcomes = [objective.outcome for objective in campaign.objectives]
    on_front = on_front_ids(material)
    kept = [
        (experiment, material.means(experiment))
        for experiment in material.with_status(Status.COMPLETED)
        if all(p.name in experiment.conditions for p in campaign.parameters)
        and all(outcome in material.means(experiment) for outcome in outcomes)
    ]
    if not kept:
        return None
    columns = [_condition_column(campaign, p, [e for e, _ in kept]) for p in campaign.parameters]
    results = [
        _column(campaign.heading(outcome), [means[outcome] for _, means in kept])
        for outcome in outcomes
    ]
    return Parallel(
        columns=(*columns, *results),
        runs=tuple(run_name(e) for e, _ in kept),
        on_front=tuple(e.id in on_front for e, _ in kept),
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


def calibration(material: Material) -> tuple[Calibration, ...]:
    """Return predicted against measured, from the ledger, for each outcome with results."""
    campaign = material.campaign
    scored: dict[str, list[Scored]] = {}
    levels: dict[str, float] = {}
    ledger = material.ledger()
    for experiment in material.with_status(Status.COMPLETED):
        for outcome, replicates in experiment.replicates().items():
            prediction = ledger.get((experiment.id, outcome))
            if prediction is None or outcome not in campaign.outcomes:
                continue
            levels[outcome] = prediction.level
            scored.setdefault(outcome, []).extend(
                Scored(run_name(experiment), Interval.of(prediction), value) for value in replicates
            )
    return tuple(
        Calibration(outcome, campaign.heading(outcome), levels[outcome], tuple(scored[outcome]))
        for outcome in campaign.outcomes
        if outcome in scored
    )
