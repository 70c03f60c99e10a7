"""Previews against what came: for each run that was drawn before it was made, its real micrograph.

The first preview of a run and its first micrograph with statistics count, as in the ledger of
predictions: what was said last, with the result at hand, proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from db.records import ExperimentRecord, MicrographRecord, PreviewRecord, Status
from engine.previews.expected_statistics import NAMES, Interval, errors_of, expected_of, shown_of


@dataclass(frozen=True)
class Drawn:
    """A run with its preview; ``micrograph`` and ``shown``: the real one, once it was logged.

    ``errors``: standard errors of what it shows, where they are known.
    """

    experiment: ExperimentRecord
    record: PreviewRecord
    expected: Mapping[str, Interval]
    micrograph: MicrographRecord | None
    shown: Mapping[str, float]
    errors: Mapping[str, float]

    def is_inside(self, name: str) -> bool | None:
        """Whether the real statistic lies in its interval; ``None`` where that cannot be told."""
        interval, real = self.expected.get(name), self.shown.get(name)
        if interval is None or real is None:
            return None
        # The interval is of the mat; a micrograph shows a part of it.
        wide = NormalDist().inv_cdf(0.5 + 0.5 * self.record.preview.level)
        return interval.holds(real, wide * self.errors.get(name, 0.0))


@dataclass(frozen=True)
class Coverage:
    """How often the real statistic fell into the previews' intervals, meant to hold ``level``.

    ``bias``: mean of real − expected; ``error``: its root mean square; in the statistic's unit.
    """

    name: str
    level: float
    n: int
    n_inside: int
    bias: float
    error: float

    @property
    def share(self) -> float:
        """The share inside."""
        return self.n_inside / self.n


def drawn_runs(
    experiments: Sequence[ExperimentRecord], previews: Sequence[PreviewRecord]
) -> list[Drawn]:
    """Return the runs that have a preview, in the order of their ids."""
    first: dict[int, PreviewRecord] = {}
    for record in previews:
        if record.experiment_id is not None:
            # Rows come oldest first.
            first.setdefault(record.experiment_id, record)
    runs = []
    for experiment in experiments:
        drawn = first.get(experiment.id)
        if drawn is None or experiment.status is Status.ABANDONED:
            continue
        real = next((m for m in experiment.micrographs if m.statistics), None)
        runs.append(
            Drawn(
                experiment,
                drawn,
                expected_of(drawn.preview.statistics),
                real,
                shown_of(None if real is None else real.statistics),
                errors_of(None if real is None else real.statistics),
            )
        )
    return runs


def coverages(runs: Sequence[Drawn]) -> list[Coverage]:
    """Return the coverage of each statistic that was compared at least once."""
    results = []
    for name in NAMES:
        compared = [run for run in runs if run.is_inside(name) is not None]
        if not compared:
            continue
        off = [run.shown[name] - run.expected[name].mean for run in compared]
        results.append(
            Coverage(
                name,
                compared[0].record.preview.level,
                len(compared),
                sum(bool(run.is_inside(name)) for run in compared),
                sum(off) / len(off),
                (sum(x * x for x in off) / len(off)) ** 0.5,
            )
        )
    return results
