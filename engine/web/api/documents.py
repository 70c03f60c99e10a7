"""Records as the API tells them."""

from __future__ import annotations

from typing import Any

from db.records import (
    BatchRecord,
    CampaignRecord,
    ExperimentRecord,
    MicrographRecord,
    ModelVersionRecord,
    PredictionRecord,
    ProposalRecord,
    TaskRecord,
)
from db.session import Transaction
from engine.campaign import Campaign
from engine.documents import prediction_document
from engine.experiments.export import experiment_document, units_of
from engine.results.ledger import OutcomeScore
from engine.results.overview import Overview


def run_document(run: ExperimentRecord) -> dict[str, Any]:
    """Return a run."""
    return {
        **experiment_document(run),
        "conditions": run.conditions,
        "micrographs": [picture_document(picture) for picture in run.micrographs],
        "batch": run.proposal.batch_id if run.proposal else None,
    }


def whole_document(tx: Transaction, run: ExperimentRecord, campaign: Campaign) -> dict[str, Any]:
    """Return a run with its predictions and version."""
    return {
        **run_document(run),
        "version": tx.experiments.version(run.id),
        "units": units_of(campaign),
        "predictions": [prediction_document(p) for p in tx.batches.predictions_of(run.id)],
    }


def picture_document(picture: MicrographRecord) -> dict[str, Any]:
    """Return a picture."""
    return {
        "id": picture.id,
        "experiment": picture.experiment_id,
        "sha256": picture.sha256,
        "original_name": picture.original_name,
        "width_px": picture.width_px,
        "height_px": picture.height_px,
        "nm_per_pixel": picture.nm_per_pixel,
        "nm_per_pixel_source": picture.nm_per_pixel_source,
        "rotation_axis": picture.rotation_axis,
        "statistics": None if picture.statistics is None else dict(picture.statistics),
    }


def campaign_document(record: CampaignRecord) -> dict[str, Any]:
    """Return a campaign."""
    return {
        "id": record.id,
        "name": record.name,
        "revision": record.revision,
        "is_active": record.is_active,
        "definition": dict(record.definition),
    }


def overview_document(found: Overview) -> dict[str, Any]:
    """Return where the campaign stands."""
    names = [objective.outcome for objective in found.campaign.objectives]
    advice = found.advice
    return {
        "campaign": found.record.name,
        "revision": found.record.revision,
        "watermark": found.watermark,
        "counts": {status.value: n for status, n in found.counts.items()},
        "hypervolume": found.volume,
        "hypervolume_unit": found.unit,
        "front": [
            {
                "experiment": point.id,
                "name": point.name,
                "outcomes": {
                    name: mean.mean for name, mean in zip(names, point.means, strict=True)
                },
            }
            for point in found.front
        ],
        "pending": [
            {
                "experiment": one.experiment.id,
                "status": one.experiment.status.value,
                "conditions": one.experiment.conditions,
                "predictions": [prediction_document(said) for said in one.predictions.values()],
            }
            for one in found.awaited
        ],
        "due": {
            "running": found.due.n_running,
            "unmeasured_pictures": found.due.n_unmeasured,
            "results_since_training": found.due.n_unlearnt,
        },
        "advice": None
        if advice is None
        else {
            "expected_gain": advice.gain,
            "noise": advice.noise,
            "is_near_the_end": advice.is_near_the_end,
        },
    }


def batch_brief(batch: BatchRecord) -> dict[str, Any]:
    """Return a batch without its runs."""
    return {
        "id": batch.id,
        "strategy": batch.strategy,
        "seed": batch.seed,
        "watermark": batch.watermark,
        "created_at": batch.created_at.isoformat(),
        "created_by": batch.created_by,
        "request": dict(batch.request),
    }


def proposed_document(
    proposal: ProposalRecord, run: ExperimentRecord, said: list[PredictionRecord]
) -> dict[str, Any]:
    """Return one proposed run."""
    return {
        "experiment": run.id,
        "order": proposal.order,
        "status": run.status.value,
        "conditions": dict(run.proposed),
        "p_success": proposal.p_success,
        "reason_kind": proposal.reason_kind,
        "reason": proposal.reason,
        "nearest": proposal.nearest_experiment_id,
        "predictions": [prediction_document(one) for one in said],
    }


def job_document(task: TaskRecord) -> dict[str, Any]:
    """Return a job."""
    return {
        "id": task.id,
        "kind": task.kind,
        "status": task.status.value,
        "progress": task.progress,
        "fraction": task.fraction,
        "result": None if task.result is None else dict(task.result),
        "error": task.error,
        "asked_by": task.actor,
        "params": dict(task.params),
        "created_at": task.created_at.isoformat(),
        "started_at": task.started_at.isoformat() if task.started_at else None,
        "finished_at": task.finished_at.isoformat() if task.finished_at else None,
        "rerun_of": task.rerun_of,
    }


def model_document(model: ModelVersionRecord) -> dict[str, Any]:
    """Return a trained model."""
    return {
        "id": model.id,
        "kind": model.kind.value,
        "status": model.status.value,
        "parent": model.parent_id,
        "watermark": model.watermark,
        "sha256": model.sha256,
        "metrics": dict(model.metrics),
        "created_at": model.created_at.isoformat(),
        "created_by": model.created_by,
    }


def score_document(score: OutcomeScore, campaign: Campaign) -> dict[str, Any]:
    """Return how the predictions of one outcome held."""
    return {
        "outcome": score.outcome,
        "unit": campaign.unit_of(score.outcome),
        "level": score.level,
        "n": len(score.points),
        "coverage": score.coverage,
        "bias": score.bias,
        "error": score.error,
        "r2": score.r2,
    }
