"""The best so far: designs, each by the mean of all its specimens, beside what a model expects.

One lucky specimen is no best: whatever was set alike counts together, in one run or in several.
``engine status``, the page and the report all show what stands here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from db.records import CampaignRecord, ExperimentBrief, MeanRecord, PredictionRecord, Status
from db.session import Transaction
from db.words import run_name
from engine.campaign import Campaign, Objective, Value
from engine.campaign.designs import Key, design_key
from engine.campaign.numbers import written

N_BATCHES = 20
"""So many batches are looked through for what a model expects, newest first."""

N_BEST = 10
"""So many settings of each objective page and report list."""

N_NAMED = 3
"""So many runs of a setting are named; of more the newest."""


@dataclass(frozen=True)
class Expected:
    """What the newest model that was asked expects of a further specimen; ``batch``: when."""

    mean: float
    lower: float
    upper: float
    level: float
    batch: int


@dataclass(frozen=True)
class Design:
    """One setting: its runs, oldest first, what they were set to, and its outcomes.

    ``means`` are over all specimens of all its runs; ``conditions`` those of the newest.
    """

    runs: tuple[int, ...]
    names: tuple[str, ...]
    conditions: Mapping[str, Value]
    means: Mapping[str, MeanRecord]
    expected: Mapping[str, Expected] = field(default_factory=dict)

    def value(self, outcome: str) -> float | None:
        """Return the mean of an outcome, ``None`` where it was not measured."""
        mean = self.means.get(outcome)
        return None if mean is None else mean.mean


@dataclass(frozen=True)
class BestDesigns:
    """The best designs of each objective, best first, and those that no other beats in all."""

    ranked: Mapping[str, tuple[Design, ...]]
    front: tuple[Design, ...] = ()


def best_designs(
    tx: Transaction,
    record: CampaignRecord,
    campaign: Campaign,
    *,
    n: int,
    has_front: bool = True,
    means: Sequence[MeanRecord] | None = None,
) -> BestDesigns:
    """Return the best so far, with what a model expects of it.

    Args:
        tx: what is read.
        record: the campaign.
        campaign: its definition.
        n: designs of each objective.
        has_front: whether the front is wanted, too (which takes numpy).
        means: of the wanted outcomes of the completed runs, where they are at hand.
    """
    if means is None:
        means = tx.measurements.means(record.id, campaign.wanted_outcomes)
    designs = _designs(tx, record, campaign, means)
    ranks = {o.outcome: ranked(designs, o)[:n] for o in campaign.objectives}
    front = front_of(designs, campaign) if has_front else []
    chosen = {design.runs: design for design in (*front, *chain(*ranks.values()))}
    expected = _expected(tx, record, chosen)
    labels = {id_: label for label, id_ in tx.experiments.labels(record.id).items()}
    full = {
        ids: replace(
            design,
            names=tuple(run_name(id_, labels.get(id_)) for id_ in ids),
            expected=expected[ids],
        )
        for ids, design in chosen.items()
    }
    return BestDesigns(
        {outcome: tuple(full[d.runs] for d in rows) for outcome, rows in ranks.items()},
        tuple(full[d.runs] for d in front),
    )


def _designs(
    tx: Transaction, record: CampaignRecord, campaign: Campaign, means: Sequence[MeanRecord]
) -> tuple[Design, ...]:
    """Return what was spun and completed, without runs or designs known to break a constraint."""
    by_run: dict[int, dict[str, MeanRecord]] = {}
    for mean in means:
        by_run.setdefault(mean.experiment_id, {})[mean.outcome] = mean
    groups: dict[Key, list[ExperimentBrief]] = {}
    for brief in tx.experiments.briefs(record.id, (), status=(Status.COMPLETED,)):
        if brief.id in by_run and not _is_breaking(campaign, by_run[brief.id]):
            groups.setdefault(design_key(campaign, brief.conditions), []).append(brief)
    designs = (
        Design(
            tuple(run.id for run in runs),
            (),
            runs[-1].conditions,
            _pooled([by_run[run.id] for run in runs]),
        )
        for runs in groups.values()
    )
    return tuple(design for design in designs if not _is_breaking(campaign, design.means))


def ranked(designs: Sequence[Design], objective: Objective) -> list[Design]:
    """Return the designs that an objective was measured of, the best first."""
    measured = [
        (-objective.gain(value), place)
        for place, design in enumerate(designs)
        if (value := design.value(objective.outcome)) is not None
    ]
    return [designs[place] for _, place in sorted(measured)]


def front_of(designs: Sequence[Design], campaign: Campaign) -> list[Design]:
    """Return the designs that no other beats in every objective."""
    from engine.campaign.front import front_mask  # numpy: `engine status` does without

    values = [[_number(d.value(o.outcome)) for o in campaign.objectives] for d in designs]
    mask = front_mask(values, campaign.objectives)
    return [design for design, hit in zip(designs, mask, strict=True) if hit]


def specimens(mean: MeanRecord) -> str:
    """Say how many specimens a mean is of, and between which values they lie.

    >>> specimens(MeanRecord(1, "strength", 9.0, 81.5, 8.0, 10.0, 3))
    '3: 8 … 10'
    """
    return str(mean.n) if mean.n == 1 else f"{mean.n}: {_text(mean.lowest)} … {_text(mean.highest)}"


def expected_text(expected: Expected) -> str:
    """Say what is expected: the mean, then its interval.

    >>> expected_text(Expected(9.04, 7.51, 11.2, 0.9, 3))
    '9.04 (7.51 … 11.2)'
    """
    return f"{_text(expected.mean)} ({_text(expected.lower)} … {_text(expected.upper)})"


def runs_text(design: Design) -> str:
    """Name a design's runs, of many the newest.

    >>> runs_text(Design((1, 2, 3, 4), ("1 · label a", "2", "3", "4"), {}, {}))
    '2, 3, 4 and 1 more'
    """
    n_more = len(design.names) - N_NAMED
    rest = f" and {n_more} more" if n_more > 0 else ""
    return ", ".join(design.names[-N_NAMED:]) + rest


def _text(value: float) -> str:
    return written(value, 4)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _is_breaking(campaign: Campaign, rows: Mapping[str, MeanRecord]) -> bool:
    means = {outcome: mean.mean for outcome, mean in rows.items()}
    return any(
        constraint.terms.keys() <= means.keys() and not constraint.is_met(means)
        for constraint in campaign.constraints
    )


def _pooled(rows: Sequence[Mapping[str, MeanRecord]]) -> dict[str, MeanRecord]:
    """Return the means of all specimens together, whichever run they are of."""
    by_outcome: dict[str, list[MeanRecord]] = {}
    for row in rows:
        for outcome, mean in row.items():
            by_outcome.setdefault(outcome, []).append(mean)
    return {outcome: _pool(means) for outcome, means in by_outcome.items()}


def _pool(means: Sequence[MeanRecord]) -> MeanRecord:
    if len(means) == 1:
        return means[0]
    n = sum(mean.n for mean in means)
    return MeanRecord(
        means[0].experiment_id,
        means[0].outcome,
        sum(mean.mean * mean.n for mean in means) / n,
        sum(mean.square * mean.n for mean in means) / n,
        min(mean.lowest for mean in means),
        max(mean.highest for mean in means),
        n,
    )


def _expected(
    tx: Transaction, record: CampaignRecord, chosen: Collection[tuple[int, ...]]
) -> dict[tuple[int, ...], dict[str, Expected]]:
    """Return by the runs of a design what the newest batch expects that says anything of it.

    A batch tells what its model, having learnt all results by then, expects of the best runs; of
    others there is what was said before they were spun.
    """
    rows: dict[int, dict[str, Expected]] = {}
    for prediction in tx.batches.predictions_of(*{id_ for ids in chosen for id_ in ids}):
        rows.setdefault(prediction.experiment_id, {})[prediction.outcome] = _forecast(prediction)
    for batch in tx.batches.newest(record.id, N_BATCHES):
        level = float(batch.request.get("settings", {}).get("level", 0.9))
        entries: Sequence[Mapping[str, Any]] = batch.request.get("expected", ())
        for entry in entries:
            row = rows.setdefault(int(entry["run"]), {})
            for outcome, (mean, lower, upper) in entry["outcomes"].items():
                if outcome not in row or row[outcome].batch < batch.id:
                    row[outcome] = Expected(mean, lower, upper, level, batch.id)
    expected: dict[tuple[int, ...], dict[str, Expected]] = {ids: {} for ids in chosen}
    for ids, newest in expected.items():
        for outcome, forecast in (item for id_ in ids for item in rows.get(id_, {}).items()):
            if outcome not in newest or newest[outcome].batch <= forecast.batch:
                newest[outcome] = forecast
    return expected


def _forecast(prediction: PredictionRecord) -> Expected:
    return Expected(
        prediction.mean,
        prediction.lower,
        prediction.upper,
        prediction.level,
        prediction.batch_id or 0,
    )
