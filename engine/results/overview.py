"""Where a campaign stands at a glance: front, hypervolume, what is awaited, what is due.

Made for a page that is looked at all day: the database does the sums, so that ten thousand runs
take a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from db.records import (
    CampaignRecord,
    ExperimentRecord,
    MeanRecord,
    ModelVersionRecord,
    PredictionRecord,
    Status,
)
from db.words import run_name
from engine.campaign import Campaign
from engine.campaign.front import front_mask, hypervolume_so_far
from engine.refresh.due import due
from engine.results.advice import Advice, advise
from engine.results.designs import N_BEST, BestDesigns, best_designs
from engine.results.material import volume_unit
from engine.workspace import Workspace


@dataclass(frozen=True)
class Point:
    """A finished run: its objectives' means with the lowest and highest replicate of each."""

    id: int
    name: str
    means: tuple[MeanRecord, ...]
    on_front: bool


@dataclass(frozen=True)
class Awaited:
    """A pending run and what was said of it, by outcome."""

    experiment: ExperimentRecord
    predictions: Mapping[str, PredictionRecord]


@dataclass(frozen=True)
class Due:
    """What waits for somebody: runs spun and not tested, pictures not measured, results unlearnt.

    ``n_unlearnt``: runs finished since the last training. ``reasons``: why a training is due.
    """

    n_running: int
    n_unmeasured: int
    n_unlearnt: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """Everything that the first page shows. ``volumes``: after each finished run, by id."""

    record: CampaignRecord
    campaign: Campaign
    watermark: int
    counts: Mapping[Status, int]
    points: tuple[Point, ...]
    volumes: tuple[tuple[int, float], ...]
    awaited: tuple[Awaited, ...]
    due: Due
    champion: ModelVersionRecord | None
    advice: Advice | None
    n_breaking: int
    best: BestDesigns

    @property
    def front(self) -> tuple[Point, ...]:
        """The runs that no other dominates."""
        return tuple(point for point in self.points if point.on_front)

    @property
    def volume(self) -> float:
        """The hypervolume won so far."""
        return self.volumes[-1][1] if self.volumes else 0.0

    @property
    def unit(self) -> str:
        """The hypervolume's unit: the product of the objectives'."""
        return volume_unit(self.campaign)


def overview(workspace: Workspace) -> Overview:
    """Read where the active campaign stands.

    Raises:
        NotFoundError: no campaign is active.
    """
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        watermark = tx.watermark()
        counts = tx.experiments.count(record.id)
        mean_rows = tx.measurements.means(record.id, campaign.wanted_outcomes)
        labels = {id_: label for label, id_ in tx.experiments.labels(record.id).items()}
        pending = tx.experiments.find(record.id, status=(Status.PROPOSED, Status.RUNNING))
        predictions = tx.batches.predictions(record.id, status=(Status.PROPOSED, Status.RUNNING))
        n_unmeasured = tx.micrographs.count_unmeasured(record.id)
        champions = [m for m in tx.models.all_of(record.id) if m.status == "champion"]
        champion = champions[-1] if champions else None
        best = best_designs(tx, record, campaign, n=N_BEST)
        training = due(tx, record.id, workspace.settings.refresh)
    rows = _by_run(mean_rows)
    points, values, n_breaking = _points(campaign, rows, labels)
    volumes = hypervolume_so_far(values, campaign.objectives)
    awaited = _awaited(pending, predictions)
    replicated = [mean for mean in mean_rows if mean.n > 1]
    return Overview(
        record=record,
        campaign=campaign,
        watermark=watermark,
        counts=counts,
        points=points,
        volumes=tuple(
            (point.id, float(volume)) for point, volume in zip(points, volumes, strict=True)
        ),
        awaited=awaited,
        due=Due(counts[Status.RUNNING], n_unmeasured, training.n_results, training.reasons),
        champion=champion,
        advice=advise(campaign, values, replicated, [run.predictions for run in awaited]),
        n_breaking=n_breaking,
        best=best,
    )


def _by_run(mean_rows: list[MeanRecord]) -> dict[int, dict[str, MeanRecord]]:
    rows: dict[int, dict[str, MeanRecord]] = {}
    for mean in mean_rows:
        rows.setdefault(mean.experiment_id, {})[mean.outcome] = mean
    return rows


def _points(
    campaign: Campaign, rows: Mapping[int, Mapping[str, MeanRecord]], labels: Mapping[int, str]
) -> tuple[tuple[Point, ...], np.ndarray[tuple[int, ...], np.dtype[np.float64]], int]:
    """Return the runs with every objective, their values (n, m), and how many break a rule."""
    names = [objective.outcome for objective in campaign.objectives]
    complete, n_breaking = [], 0
    for id_, row in rows.items():
        # As `engine status` counts them: whether or not every objective was measured.
        if any(
            constraint.terms.keys() <= row.keys()
            and not constraint.is_met({name: row[name].mean for name in constraint.terms})
            for constraint in campaign.constraints
        ):
            n_breaking += 1
            continue
        if not all(name in row for name in names):
            continue
        complete.append((id_, tuple(row[name] for name in names)))
    values = np.array([[mean.mean for mean in results] for _, results in complete], dtype=float)
    values = values.reshape(-1, len(names))
    mask = front_mask(values, campaign.objectives)
    points = tuple(
        Point(id_, run_name(id_, labels.get(id_)), results, bool(hit))
        for (id_, results), hit in zip(complete, mask, strict=True)
    )
    return points, values, n_breaking


def _awaited(
    pending: list[ExperimentRecord], predictions: list[PredictionRecord]
) -> tuple[Awaited, ...]:
    ledger: dict[int, dict[str, PredictionRecord]] = {}
    for prediction in predictions:
        ledger.setdefault(prediction.experiment_id, {}).setdefault(prediction.outcome, prediction)
    return tuple(Awaited(run, ledger.get(run.id, {})) for run in pending)
