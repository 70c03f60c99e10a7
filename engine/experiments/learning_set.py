"""What a model learns from: records of the database → a history, an informative part if too many.

Exact Gaussian processes take time that grows with the cube of the runs, so of a large campaign
``[propose] most_runs`` designs are learnt from and the others only known of (nothing that was run
is proposed again by oversight). The choice is a function of what is recorded, and so replays.

======  ====================================================================================
``N``   finished runs; ``M`` of them are chosen
``X``   their conditions in the unit cube, (N, d)
``G``   the means of the objectives, the larger the better, each by its rank in 0 … 1, (N, k)
======  ====================================================================================

1. *Spread*, M/2: each next run is the one farthest from those chosen (Gonzalez 1985). They also
   cut the space into cells: each run belongs to the nearest of them.
2. *Best regions*, 3M/8: cells are compared by the mean of G over their runs, from many points of
   view (weighted Chebyshev distances to the ideal), and the newest runs of the best cells are
   taken. Runs are never taken for their own high value: where measurements are noisy that would
   collect the lucky ones, and the model would promise too much.
3. *Newest*, the rest.

Failed runs are chosen by place alone, in the same share as finished ones, so that the chance of a
failure stays what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from db.records import CampaignRecord, ExperimentBrief, ExperimentRecord, Reading, Status
from db.transaction import Transaction
from engine.campaign import Campaign, Property, Value
from engine.campaign.applicability import typical_values, with_defaults, without_surplus
from engine.campaign.history import History, Run
from engine.campaign.ranges import reaches_of

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

_ENDED = (Status.COMPLETED, Status.FAILED)
_PENDING = tuple(status for status in Status if status.is_pending)
_VIEWS = 16  # points of view from which cells are compared
_PER_CELL = 8  # runs taken of one cell for its goodness
_FEWEST_REPLICATES = 8  # runs of one design that are learnt from, if there are so many


def learning_set(
    tx: Transaction,
    record: CampaignRecord,
    campaign: Campaign,
    *,
    limit: int,
    watermark: int | None = None,
) -> History:
    """Return the campaign's history, learning from an informative part of it if it is large.

    Args:
        tx: what is read.
        record: the campaign.
        campaign: its definition.
        limit: finished runs to learn from.
        watermark: everything as it stood when this change had been written.
    """
    # All of them, whatever their status: the usual campaign needs one cheap count.
    if sum(tx.experiments.count(record.id).values()) <= limit:
        return history_from_records(campaign, tx.experiments.find(record.id, watermark=watermark))
    briefs = tx.experiments.briefs(
        record.id, campaign.wanted_outcomes, status=_ENDED, watermark=watermark
    )
    chosen = choose_runs(campaign, briefs, limit)
    ended = tx.experiments.get_all(chosen.ids, watermark=watermark)
    pending = tx.experiments.find(record.id, status=_PENDING, watermark=watermark)
    history = history_from_records(campaign, sorted([*ended, *pending], key=lambda run: run.id))
    return replace(history, left_aside=_without_results(campaign, chosen.left_aside))


def learnable(
    tx: Transaction, record: CampaignRecord, campaign: Campaign, *, limit: int
) -> tuple[list[ExperimentRecord], int]:
    """Return the experiments that a training looks at, and how many finished ones it does not.

    Of a campaign of up to ``limit`` finished runs these are all. Of a larger one, half are an
    informative part (:func:`choose_runs`), up to a quarter the newest with
    micrographs, and the rest the newest: on those a candidate is judged, and they are what is
    doubted first.
    """
    n_finished = tx.experiments.count(record.id).get(Status.COMPLETED, 0)
    if n_finished <= limit:
        return tx.experiments.find(record.id), 0
    briefs = tx.experiments.briefs(record.id, campaign.wanted_outcomes, status=_ENDED)
    finished = [brief.id for brief in briefs if brief.status is Status.COMPLETED]
    chosen = set(choose_runs(campaign, briefs, limit // 2).ids)
    chosen |= set(tx.experiments.pictured(record.id, newest=limit // 4))
    n_chosen = len(chosen.intersection(finished))
    for id_ in reversed(finished):
        if n_chosen >= limit:
            break
        n_chosen += id_ not in chosen
        chosen.add(id_)
    return list(tx.experiments.get_all(sorted(chosen))), len(finished) - n_chosen


def _without_results(campaign: Campaign, briefs: Sequence[ExperimentBrief]) -> tuple[Run, ...]:
    stated = [_stated(campaign, brief) for brief in briefs]
    typical = typical_values(campaign.parameters, stated)
    return tuple(
        Run(with_defaults(campaign.parameters, conditions, typical), id=brief.id)
        for conditions, brief in zip(stated, briefs, strict=True)
    )


def _stated(campaign: Campaign, run: ExperimentBrief | ExperimentRecord) -> dict[str, Value]:
    """Return what is recorded of a run's conditions, of those that the campaign names."""
    names = {parameter.name for parameter in campaign.parameters}
    return {name: value for name, value in run.conditions.items() if name in names}


def history_from_records(campaign: Campaign, experiments: Sequence[ExperimentRecord]) -> History:
    """Return the campaign's history, in the order of ``experiments``.

    Finished are completed runs with any current result of the campaign; pending those proposed or
    running; failed those without a mat. Abandoned runs are left out, and so are parameters and
    outcomes that the campaign's definition no longer names. What a run does not tell of a parameter
    with a default is that, or where it is unknown what is typical of the others.
    """
    typical = typical_values(campaign.parameters, [_stated(campaign, e) for e in experiments])
    outcomes = set(campaign.outcomes)
    finished, pending, failed = [], [], []
    for experiment in experiments:
        results = experiment.replicates(with_censored=True)
        run = Run(
            conditions=with_defaults(
                campaign.parameters,
                without_surplus(campaign.parameters, _stated(campaign, experiment)),
                typical,
            ),
            outcomes={
                outcome: learnt
                for outcome, values in results.items()
                if outcome in outcomes
                and (learnt := _specimens(campaign.property_of(outcome), values))
            },
            id=experiment.id,
            label=experiment.label,
        )
        if experiment.status is Status.FAILED:
            failed.append(run)
        elif experiment.status.is_pending:
            pending.append(run)
        elif experiment.status is Status.COMPLETED and run.outcomes:
            finished.append(run)
    return History(campaign, tuple(finished), tuple(pending), tuple(failed))


def _specimens(prop: Property, values: Sequence[float]) -> tuple[float, ...]:
    """Return what a model reads: means as specimens of their scatter, limits as the property says.

    A result with a known scatter thus has its own weight and says how large the noise is.
    """
    specimens: list[float] = []
    for value in values:
        if not isinstance(value, Reading):
            specimens.append(value)
        elif value.bound is None:
            specimens += value.specimens(is_ratio=prop.scale == "log")
        elif prop.censored == "limit":
            specimens.append(float(value))
    return tuple(specimens)


@dataclass(frozen=True)
class Chosen:
    """Ids of the runs to learn from, in their order, and the conditions of all others."""

    ids: tuple[int, ...]
    left_aside: tuple[ExperimentBrief, ...]


def choose_runs(campaign: Campaign, briefs: Sequence[ExperimentBrief], limit: int) -> Chosen:
    """Choose at most ``limit`` finished runs, and failed ones in the same share.

    Args:
        campaign: whose parameters and objectives count.
        briefs: completed and failed experiments, in the order of their ids.
        limit: designs to learn from, each with the runs of its conditions, the newest if many.
    """
    finished = [brief for brief in briefs if brief.status is Status.COMPLETED]
    failed = [brief for brief in briefs if brief.status is Status.FAILED]
    if len(finished) <= limit:
        return Chosen(tuple(brief.id for brief in briefs), ())
    designs = _designs(finished)
    picked: Sequence[int] = range(len(designs))
    if len(designs) > limit:
        picked = _finished(campaign, [_mean_of(runs) for runs in designs], limit)
    n_each = max(_FEWEST_REPLICATES, 4 * limit // len(designs))
    share = -(-len(failed) * len(picked) // len(designs))
    ids = {brief.id for row in picked for brief in designs[row][-n_each:]}
    ids |= {failed[row].id for row in _evenly(len(failed), share)}
    left_aside = tuple(brief for brief in briefs if brief.id not in ids)
    return Chosen(tuple(sorted(ids)), left_aside)


def _designs(finished: Sequence[ExperimentBrief]) -> list[list[ExperimentBrief]]:
    """Return the runs of equal conditions together, the designs in the order of their newest run.

    A setting that was spun twenty times is one thing to learn from: a model reads its replicates
    as one mean and their scatter.
    """
    groups: dict[frozenset[tuple[str, Value]], list[ExperimentBrief]] = {}
    for brief in finished:
        groups.setdefault(frozenset(brief.conditions.items()), []).append(brief)
    return sorted(groups.values(), key=lambda runs: runs[-1].id)


def _mean_of(runs: Sequence[ExperimentBrief]) -> ExperimentBrief:
    """Return one run in place of those of a design, its outcomes their means."""
    if len(runs) == 1:
        return runs[0]
    values: dict[str, list[float]] = {}
    for run in runs:
        for outcome, mean in run.means.items():
            values.setdefault(outcome, []).append(mean)
    return replace(runs[-1], means={o: sum(v) / len(v) for o, v in values.items()})


def _finished(campaign: Campaign, finished: Sequence[ExperimentBrief], limit: int) -> list[int]:
    X = _cube(campaign, finished)
    centres, owner = _spread(X, max(1, limit // 2))
    chosen = dict.fromkeys(int(row) for row in centres)
    for row in _of_best_cells(_ranks(campaign, finished), owner, len(centres)):
        if len(chosen) >= limit // 2 + 3 * limit // 8:
            break
        chosen[row] = None
    for row in range(len(finished) - 1, -1, -1):
        if len(chosen) >= limit:
            break
        chosen[row] = None
    return sorted(chosen)


def _cube(campaign: Campaign, runs: Sequence[ExperimentBrief]) -> Array:
    """Return X (N, d): numbers by their range, choices one-hot, unknown ones in the middle."""
    columns = []
    reaches = reaches_of(campaign, [run.conditions for run in runs])
    for parameter in campaign.parameters:
        values = [run.conditions.get(parameter.name) for run in runs]
        if parameter.is_numeric:
            numbers = np.array([np.nan if v is None else float(v) for v in values])
            columns.append(np.nan_to_num(reaches[parameter.name].places(numbers), nan=0.5))
        else:
            choices = parameter.choices or ()
            columns += [np.array([float(v == choice) for v in values]) for choice in choices]
    return np.stack(columns, axis=1)


def _ranks(campaign: Campaign, runs: Sequence[ExperimentBrief]) -> Array:
    """Return G (N, k), NaN where an objective was not measured."""
    columns = []
    for objective in campaign.objectives:
        values = np.array([run.means.get(objective.outcome, np.nan) for run in runs])
        measured = np.isfinite(values)
        ranks = np.full(len(values), np.nan)
        order = np.argsort(objective.gains(values[measured]), kind="stable")
        positions = np.empty(len(order))
        positions[order] = np.linspace(0.0, 1.0, len(order)) if len(order) > 1 else 1.0
        ranks[measured] = positions
        columns.append(ranks)
    return np.stack(columns, axis=1)


def _spread(X: Array, n: int) -> tuple[Rows, Rows]:
    """Return the rows of ``n`` runs far from one another, and for every run the nearest of them."""
    # The middle run, so that the choice is the same every time.
    first = int(np.argmin(((X - X.mean(axis=0)) ** 2).sum(axis=1)))
    centres, owner = [first], np.zeros(len(X), dtype=np.int64)
    squares = (X**2).sum(axis=1)
    distance = _squared_distances(X, squares, first)
    while len(centres) < n:
        farthest = int(np.argmax(distance))
        if distance[farthest] <= 1e-12:  # every setting is there already
            break
        to_it = _squared_distances(X, squares, farthest)
        nearer = to_it < distance
        owner[nearer] = len(centres)
        distance[nearer] = to_it[nearer]
        centres.append(farthest)
    return np.array(centres, dtype=np.int64), owner


def _squared_distances(X: Array, squares: Array, row: int) -> Array:
    # |x|² + |y|² − 2xy: one product in place of an (N, d) difference. Rounding may leave it just
    # below 0.
    squares_to_it: Array = np.maximum(squares + squares[row] - 2.0 * (X @ X[row]), 0.0)
    return squares_to_it


def _of_best_cells(ranks: Array, owner: Rows, n_cells: int) -> list[int]:
    """Return rows of the best cells, the newest of each first, one view after the other."""
    averages = _cell_means(ranks, owner, n_cells)
    by_cell: list[list[int]] = [[] for _ in range(n_cells)]
    for row in range(len(owner) - 1, -1, -1):
        if len(by_cell[owner[row]]) < _PER_CELL:
            by_cell[owner[row]].append(row)
    is_known = np.isfinite(averages)
    comparable = np.flatnonzero(is_known.any(axis=1))
    # Where an objective was not measured nothing is known of it: the middle.
    averages = np.where(is_known, averages, 0.5)
    orders = []
    for weights in _weights(ranks.shape[1]):
        loss = (weights * (1.0 - averages[comparable])).max(axis=1)
        orders.append(comparable[np.argsort(loss, kind="stable")])
    cells = dict.fromkeys(int(cell) for place in zip(*orders, strict=True) for cell in place)
    return [row for cell in cells for row in by_cell[cell]]


def _cell_means(ranks: Array, owner: Rows, n_cells: int) -> Array:
    """Return (cells, k): means that lean towards the middle where a cell holds few runs."""
    columns = []
    for values in ranks.T:
        measured = np.isfinite(values)
        n = np.bincount(owner[measured], minlength=n_cells)
        total = np.bincount(owner[measured], weights=values[measured], minlength=n_cells)
        # As if each cell had one further run of the middle rank: a single lucky one makes no best
        # region.
        columns.append(np.where(n > 0, (total + 0.5) / (n + 1.0), np.nan))
    return np.stack(columns, axis=1)


def _weights(k: int) -> Array:
    """Return (views, k) weights of the objectives, evenly spread, each row with a largest of 1."""
    if k == 1:
        return np.ones((1, 1))
    if k == 2:
        # Not quite to the axes: there the other objective would not count at all.
        angle = np.linspace(0.05, np.pi / 2 - 0.05, _VIEWS)
        weights = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    else:
        # A fixed seed: which runs are learnt from must replay.
        weights = np.random.default_rng(0).dirichlet(np.ones(k), _VIEWS)
    largest: Array = weights.max(axis=1, keepdims=True)
    return np.asarray(weights / largest)


def _evenly(n: int, share: int) -> Rows:
    """Return ``share`` of ``n`` rows, evenly over the order in which they were recorded."""
    if share >= n:
        return np.arange(n)
    return np.unique(np.linspace(0, n - 1, share).round().astype(np.int64))
