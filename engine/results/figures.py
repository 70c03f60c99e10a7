"""Figures as plain numbers: what is shown, before anything is drawn.

A report reads them off every record (:class:`~engine.results.material.Material`), the first page
off the sums that the database made (:class:`~engine.results.overview.Overview`). ``plots`` draws
them for both, ``engine.report.png`` for files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.records import ExperimentRecord, MeanRecord, PredictionRecord, ScoredRecord, Status
from engine.campaign import Campaign, Parameter
from engine.campaign.applicability import unaccounted
from engine.campaign.front import front_mask, hypervolume_so_far
from engine.results.ledger import OutcomeScore, score_rows
from engine.results.material import Material, volume_unit

if TYPE_CHECKING:
    from engine.results.overview import Overview


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
        return "dominated hypervolume" if self.n_objectives > 1 else "best beyond the threshold"

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


def on_front_ids(material: Material) -> set[int]:
    """Return the ids of the runs on the front of all objectives."""
    finished = material.with_status(Status.COMPLETED)
    mask = front_mask(
        [material.objective_values(e) for e in finished], material.campaign.objectives
    )
    return {e.id for e, hit in zip(finished, mask, strict=True) if hit}


def hypervolume_growth(material: Material) -> Growth:
    """Return the hypervolume (for one objective: the best beyond its threshold) after each run."""
    campaign = material.campaign
    ended = material.with_status(Status.COMPLETED, Status.FAILED)
    volumes = hypervolume_so_far([material.objective_values(e) for e in ended], campaign.objectives)
    batches: dict[int, int] = {}
    for index, experiment in enumerate(ended, start=1):
        if experiment.proposal is not None:
            batches.setdefault(experiment.proposal.batch_id, index)
    return Growth(
        runs=tuple(e.name for e in ended),
        volumes=tuple(float(v) for v in volumes),
        failed=tuple(e.status is Status.FAILED for e in ended),
        batches=tuple((index, f"batch {batch}") for batch, index in batches.items()),
        unit=volume_unit(campaign),
        n_objectives=len(campaign.objectives),
    )


def overview_growth(overview: Overview) -> Growth:
    """Return the hypervolume after each finished run that has every objective."""
    return Growth(
        runs=tuple(point.name for point in overview.points),
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
        if not unaccounted(campaign.controlled, experiment.conditions)
        and all(p.name in experiment.conditions for p in campaign.ambient)
        and all(outcome in material.means(experiment) for outcome in outcomes)
    ]
    if not complete:
        return None
    runs = [experiment for experiment, _ in complete]
    columns = [
        _condition_column(campaign, p, runs)
        for p in campaign.parameters
        if all(p.name in experiment.conditions for experiment in runs)
    ]
    results = [
        _column(campaign.heading(outcome), [averages[outcome] for _, averages in complete])
        for outcome in outcomes
    ]
    return Parallel(
        columns=(*columns, *results),
        runs=tuple(experiment.name for experiment in runs),
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
        # Of one choice alone there is a range all the same, about it.
        ends = (0.0, float(len(names) - 1)) if len(names) > 1 else (-0.5, 0.5)
        return Column(heading, places, *ends, names)
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
