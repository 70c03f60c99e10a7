"""The best so far: designs, each by the mean of all its specimens, beside what a model expects.

One lucky specimen is no best: whatever was set alike counts together, in one run or in several.
``engine status``, the page and the report all show what stands here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from db.records import CampaignRecord, DesignRecord, Goal, MeanRecord, PredictionRecord
from db.transaction import Transaction
from engine.campaign import Campaign, Objective, Value
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
) -> BestDesigns:
    """Return the best so far, with what a model expects of it.

    Args:
        tx: what is read.
        record: the campaign.
        campaign: its definition.
        n: designs of each objective.
        has_front: whether the front is wanted, too (which takes numpy).
    """
    if has_front or campaign.constraints:
        designs = _sound_designs(tx, record, campaign)
        ranks = {o.outcome: ranked(designs, o)[:n] for o in campaign.objectives}
        front = front_of(designs, campaign) if has_front else []
    else:
        # Of 100,000 designs these are all that need to come out of the database.
        goals = [goal_of(objective) for objective in campaign.objectives]
        outcomes = [goal.outcome for goal in goals]
        best = tx.designs.best(record.id, _settings(campaign), outcomes, goals, n)
        ranks = dict(zip(outcomes, best, strict=True))
        front = []
    chosen = {design.runs: design for design in (*front, *chain(*ranks.values()))}
    expected = _expected(tx, record, chosen)
    runs = {run.id: run for run in tx.experiments.get_all({i for ids in chosen for i in ids})}
    full = {
        ids: Design(
            ids,
            tuple(runs[id_].name for id_ in ids),
            runs[ids[-1]].conditions,
            design.means,
            expected[ids],
        )
        for ids, design in chosen.items()
    }
    return BestDesigns(
        {outcome: tuple(full[d.runs] for d in rows) for outcome, rows in ranks.items()},
        tuple(full[d.runs] for d in front),
    )


def _sound_designs(
    tx: Transaction, record: CampaignRecord, campaign: Campaign
) -> list[DesignRecord]:
    """Return what was spun and completed, without runs or designs known to break a constraint."""
    limited = {name for constraint in campaign.constraints for name in constraint.terms}
    by_run: dict[int, dict[str, MeanRecord]] = {}
    for mean in tx.measurements.means(record.id, limited) if limited else ():
        by_run.setdefault(mean.experiment_id, {})[mean.outcome] = mean
    breaking = [id_ for id_, means in by_run.items() if _is_breaking(campaign, means)]
    designs = tx.designs.pooled(
        record.id, _settings(campaign), campaign.wanted_outcomes, excluded=breaking
    )
    return [design for design in designs if not _is_breaking(campaign, design.means)]


def _settings(campaign: Campaign) -> dict[str, Value | None]:
    """Return what makes a design, with defaults: what was set, whatever the room was like."""
    # A default that stands for a value nobody knows makes no two runs alike.
    return {p.name: None if p.is_unknown else p.default for p in campaign.controlled}


def goal_of(objective: Objective) -> Goal:
    """Return an objective as the database compares by it."""
    if objective.threshold is None:
        return Goal(objective.outcome, 1.0, -objective.least, objective.target)
    return Goal(
        objective.outcome, 1.0 if objective.goal == "maximize" else -1.0, objective.threshold
    )


def ranked(designs: Sequence[DesignRecord], objective: Objective) -> list[DesignRecord]:
    """Return the designs that an objective was measured of, the best first."""
    measured = [
        (-objective.gain(value), place)
        for place, design in enumerate(designs)
        if (value := _value(design, objective.outcome)) is not None
    ]
    return [designs[place] for _, place in sorted(measured)]


def front_of(designs: Sequence[DesignRecord], campaign: Campaign) -> list[DesignRecord]:
    """Return the designs that no other beats in every objective."""
    from engine.campaign.front import front_mask  # numpy: `engine status` does without

    values = [[_value(d, o.outcome) for o in campaign.objectives] for d in designs]
    numbers = [[math.nan if value is None else value for value in row] for row in values]
    mask = front_mask(numbers, campaign.objectives)
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


def _value(design: DesignRecord, outcome: str) -> float | None:
    mean = design.means.get(outcome)
    return None if mean is None else mean.mean


def _is_breaking(campaign: Campaign, rows: Mapping[str, MeanRecord]) -> bool:
    means = {outcome: mean.mean for outcome, mean in rows.items()}
    return any(
        constraint.terms.keys() <= means.keys() and not constraint.is_met(means)
        for constraint in campaign.constraints
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
