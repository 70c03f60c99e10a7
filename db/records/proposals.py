"""Batches of proposals, and what was said of them beforehand: predictions, previews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.records.conditions import Value


@dataclass(frozen=True)
class PredictionRecord:
    """What was said of an experiment before it was run. Kept for ever."""

    experiment_id: int
    outcome: str
    mean: float
    lower: float
    upper: float
    level: float
    batch_id: int | None = None
    model_version_id: int | None = None


@dataclass(frozen=True)
class ProposalRecord:
    """Why an experiment was proposed, and its place in its batch."""

    experiment_id: int
    batch_id: int
    order: int
    p_success: float
    reason_kind: str
    reason: str
    nearest_experiment_id: int | None
    acquisition_value: float | None = None


@dataclass(frozen=True)
class BatchRecord:
    """One call of ``engine propose``: everything needed to replay it to the same result."""

    id: int
    campaign_id: int
    revision_id: int
    strategy: str
    seed: int
    request: Mapping[str, Any]
    watermark: int
    versions: Mapping[str, str]
    created_at: datetime
    created_by: str
    model_version_id: int | None = None


@dataclass(frozen=True)
class NewPreview:
    """Pictures of the mat to expect, in one file below the data folder.

    ``generator``: SHA-256 of what drew them; ``request``: what of, plain JSON types;
    ``statistics``: what each shows and what to expect of a real one, at ``level``; ``sha256``: of
    the file.
    """

    generator: str
    seed: int
    n_pictures: int
    request: Mapping[str, Any]
    level: float
    statistics: Mapping[str, Any]
    sha256: str
    path: str
    model_version_id: int | None = None


@dataclass(frozen=True)
class PreviewRecord:
    """Pictures that were drawn before a run was made (or of no run). Kept for ever."""

    id: int
    campaign_id: int
    experiment_id: int | None
    batch_id: int | None
    preview: NewPreview
    created_at: datetime
    created_by: str


@dataclass(frozen=True)
class NewProposal:
    """One proposed experiment with its reasons and predictions."""

    conditions: Mapping[str, Value]
    order: int
    p_success: float
    reason_kind: str
    reason: str
    nearest_experiment_id: int | None
    acquisition_value: float | None
    predictions: Mapping[str, tuple[float, float, float]]
    level: float
    preview: NewPreview | None = None
