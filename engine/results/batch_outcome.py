"""What a batch costs and what came of it: changes of solution, results beside what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from db.records import ExperimentRecord, PredictionRecord
from engine.campaign import Campaign, Value


@dataclass(frozen=True)
class Outcome:
    """A measured mean beside what was expected of the run."""

    mean: float
    n: int
    lower: float
    upper: float

    @property
    def is_inside(self) -> bool:
        """Whether the mean lies in the interval."""
        return self.lower <= self.mean <= self.upper


@dataclass(frozen=True)
class Changes:
    """How often settings that mean a new solution change from run to run.

    Attributes:
        names: the parameters that are marked ``hard_to_change``.
        as_listed: in the order of the runs that were given.
        as_numbered: in the order of their numbers.
        order: the runs in an order with the fewest changes; the first of each setting leads.
        fewest: changes in that order.
    """

    names: tuple[str, ...]
    as_listed: int
    as_numbered: int
    order: tuple[int, ...]
    fewest: int


def measured_beside_expected(
    run: ExperimentRecord, predictions: Mapping[str, PredictionRecord]
) -> dict[str, Outcome]:
    """Return the measured means of a run whose outcomes were predicted."""
    return {
        name: Outcome(
            sum(values) / len(values),
            len(values),
            predictions[name].lower,
            predictions[name].upper,
        )
        for name, values in run.replicates().items()
        if name in predictions
    }


def solution_changes(campaign: Campaign, runs: Sequence[ExperimentRecord]) -> Changes | None:
    """Return what runs cost in changes of solution; ``None`` where no parameter means one."""
    names = tuple(p.name for p in campaign.controlled if p.hard_to_change)
    if not names or len(runs) < 2:
        return None

    def solution(run: ExperimentRecord) -> tuple[Value | None, ...]:
        return tuple(run.conditions.get(name) for name in names)

    groups: dict[tuple[Value | None, ...], list[int]] = {}
    for run in runs:
        groups.setdefault(solution(run), []).append(run.id)
    numbered = sorted(runs, key=lambda run: run.id)
    return Changes(
        names,
        _changes([solution(run) for run in runs]),
        _changes([solution(run) for run in numbered]),
        tuple(id_ for ids in groups.values() for id_ in ids),
        len(groups) - 1,
    )


def _changes(solutions: Sequence[tuple[Value | None, ...]]) -> int:
    return sum(first != second for first, second in pairwise(solutions))
