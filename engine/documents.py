"""What the engine found as JSON documents: the same for ``--json`` and for the API."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from db.records import ExperimentRecord, MeasurementRecord, PredictionRecord
    from engine.campaign import Campaign
    from engine.experiments.record import Recorded
    from engine.predictions.predict import Prediction, Predictions
    from engine.propose.request import Forecast
    from engine.results.status import Standing
    from engine.retrieval.gallery import Statistics
    from engine.retrieval.search import Match, Retrieved


def finite(value: Any) -> Any:
    """Replace numbers that JSON has no word for by ``None``."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def predictions_document(found: Predictions) -> dict[str, Any]:
    """Return the JSON document of predictions."""
    from engine.experiments.export import units_of

    campaign = found.campaign
    return {
        "campaign": campaign.name,
        "level": found.level,
        "finished_runs": found.n_finished,
        "units": units_of(campaign),
        "notes": list(found.notes),
        "rows": [_row_document(campaign, row) for row in found.rows],
    }


def _row_document(campaign: Campaign, row: Prediction) -> dict[str, Any]:
    return {
        "conditions": dict(row.conditions),
        "assumed": list(row.assumed),
        "outcomes": {
            name: {
                "mean": f.mean,
                "lower": f.lower,
                "upper": f.upper,
                "unit": campaign.unit_of(name),
            }
            for name, f in row.outcomes.items()
        },
        "p_success": row.p_success,
        "remoteness": row.remoteness,
        "warnings": list(row.warnings),
        "drives": {
            outcome: [
                {
                    "parameter": drive.parameter,
                    "change": drive.change,
                    "span": drive.span,
                    "highest_at": drive.best,
                    "monotone": drive.is_monotone,
                }
                for drive in drives
            ]
            for outcome, drives in row.drives.items()
        },
    }


def retrieved_document(found: Retrieved) -> dict[str, Any]:
    """Return the JSON document of an answer."""
    return {
        "campaign": found.campaign.name,
        "model": found.model,
        "model_sha256": found.model_id,
        "gallery": found.n_gallery,
        "query_statistics": {**_statistics(found.statistics), "expected": found.is_expected},
        "matches": [_match(place, match) for place, match in enumerate(found.matches, 1)],
        "notes": list(found.notes),
    }


def _match(place: int, match: Match) -> dict[str, Any]:
    item = match.item
    known = [axis.name for axis in item.axes if axis.name in item.conditions]
    conditions = {name: item.conditions[name] for name in known}
    return {
        "rank": place,
        "similarity": match.similarity,
        "fit": match.fit,
        "conditions_similarity": match.conditions_similarity,
        "source": item.source,
        "experiment": item.experiment_id,
        "label": item.label,
        "micrograph": item.micrograph_id,
        "path": str(item.picture.path),
        "conditions": conditions,
        "units": {name: item.unit_of(name) for name in conditions},
        "statistics": _statistics(item.statistics),
        "difference": _statistics(match.difference),
    }


def _statistics(statistics: Statistics) -> dict[str, float | None]:
    return {
        "diameter_nm": statistics.diameter_nm,
        "order": statistics.order,
        "porosity": statistics.porosity,
        "spread": statistics.spread,
        "bead_fraction": statistics.bead_fraction,
    }


def outcomes_document(forecasts: Mapping[str, Forecast]) -> dict[str, dict[str, float]]:
    """Return forecasts as JSON types."""
    return {
        name: {"mean": f.mean, "lower": f.lower, "upper": f.upper} for name, f in forecasts.items()
    }


def status_document(found: Standing) -> dict[str, Any]:
    """Return where a campaign stands."""
    return {
        "campaign": found.record.name,
        "revision": found.record.revision,
        "counts": {status.value: n for status, n in found.counts.items()},
        "pending": [_brief(experiment) for experiment in found.pending],
        "latest": [
            {**_brief(experiment), "outcomes": experiment.replicates()}
            for experiment in found.latest
        ],
        "best": [
            {
                "outcome": best.objective.outcome,
                "goal": best.objective.goal,
                "threshold": best.objective.threshold,
                "value": best.value,
                "experiment": best.experiment.id if best.experiment else None,
                "beyond_threshold": best.n_beyond,
            }
            for best in found.best
        ],
        "beyond_all_thresholds": found.n_beyond_all,
        "breaking_constraints": found.n_breaking,
    }


def _brief(experiment: ExperimentRecord) -> dict[str, Any]:
    return {
        "experiment": experiment.id,
        "label": experiment.label,
        "status": experiment.status.value,
        "batch": experiment.proposal.batch_id if experiment.proposal else None,
        "conditions": experiment.conditions,
    }


def show_document(
    found: ExperimentRecord,
    campaign: Campaign,
    measurements: Sequence[MeasurementRecord],
    predictions: Sequence[PredictionRecord],
) -> dict[str, Any]:
    """Return everything of one run; ``measurements`` with those that were superseded."""
    from engine.experiments.export import experiment_document, measurement_document, units_of

    proposal = found.proposal
    superseded = {m.supersedes_id for m in measurements}
    return {
        **experiment_document(found),
        "conditions": found.conditions,
        "outcomes": found.replicates(),
        "units": units_of(campaign),
        "measurements": [
            {**measurement_document(m), "superseded": m.id in superseded} for m in measurements
        ],
        "proposal": None
        if proposal is None
        else {
            "batch": proposal.batch_id,
            "order": proposal.order,
            "p_success": proposal.p_success,
            "reason": proposal.reason,
            "nearest": proposal.nearest_experiment_id,
        },
        "predictions": [prediction_document(prediction) for prediction in predictions],
    }


def prediction_document(said: PredictionRecord) -> dict[str, Any]:
    """Return what was said of one outcome before the run."""
    return {
        "outcome": said.outcome,
        "mean": said.mean,
        "lower": said.lower,
        "upper": said.upper,
        "level": said.level,
    }


def recorded_document(item: Recorded) -> dict[str, Any]:
    """Return what was recorded of one run."""
    experiment = item.experiment
    return {
        "experiment": experiment.id,
        "label": experiment.label,
        "new": item.is_new,
        "status": experiment.status.value,
        "failure": experiment.failure.value if experiment.failure else None,
        "conditions": experiment.conditions,
        "values": [
            {
                "outcome": value.outcome,
                "replicate": value.replicate,
                "value": value.value,
                "superseded": value.superseded,
            }
            for value in item.values
        ],
        "micrographs": item.n_micrographs,
        "note": experiment.note,
        "warnings": list(item.warnings),
    }
