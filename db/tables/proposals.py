"""Batches of proposals, and what was said of them beforehand: predictions, previews."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Named,
    String,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
)

from db.tables.common import WithChange, check, finite, in_its_campaign, metadata
from db.types import Json


class BatchColumns(WithChange):
    """One call of ``engine propose``."""

    campaign_id: Named[int]
    revision_id: Named[int]
    strategy: Named[str] = Column(String)
    seed: Named[int] = Column(BigInteger)
    request: Named[Any] = Column(Json, nullable=False)
    watermark: Named[int]
    versions: Named[Any] = Column(Json, nullable=False)
    model_version_id: Named[int | None] = Column(ForeignKey("model_versions.id"))


class ProposalColumns(TypedColumns):
    """Why an experiment was proposed."""

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"), primary_key=True)
    batch_id: Named[int] = Column(ForeignKey("batches.id"))
    run_order: Named[int]
    p_success: Named[float] = Column(Double)
    reason_kind: Named[str] = Column(String)
    reason: Named[str] = Column(Text)
    nearest_experiment_id: Named[int | None] = Column(ForeignKey("experiments.id"))
    acquisition_value: Named[float | None] = Column(Double)


class PredictionColumns(WithChange):
    """Mean and interval of a new measurement, in the outcome's unit."""

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    outcome: Named[str] = Column(String)
    batch_id: Named[int | None] = Column(ForeignKey("batches.id"), index=True)
    model_version_id: Named[int | None] = Column(ForeignKey("model_versions.id"))
    mean: Named[float] = Column(Double)
    lower: Named[float] = Column(Double)
    upper: Named[float] = Column(Double)
    level: Named[float] = Column(Double)


class PreviewColumns(WithChange):
    """Pictures of the mat to expect; ``path`` counts from the data folder."""

    campaign_id: Named[int] = Column(ForeignKey("campaigns.id"), index=True)
    experiment_id: Named[int | None] = Column(ForeignKey("experiments.id"), index=True)
    batch_id: Named[int | None] = Column(ForeignKey("batches.id"))
    model_version_id: Named[int | None] = Column(ForeignKey("model_versions.id"))
    generator: Named[str] = Column(String)
    seed: Named[int] = Column(BigInteger)
    n_pictures: Named[int]
    request: Named[Any] = Column(Json, nullable=False)
    level: Named[float] = Column(Double)
    statistics: Named[Any] = Column(Json, nullable=False)
    sha256: Named[str] = Column(String)
    path: Named[str] = Column(String)


batches = Table(
    "batches",
    metadata,
    BatchColumns,
    in_its_campaign(),
    Index(None, "campaign_id"),
    check("watermark_positive", "watermark >= 0"),
)


proposals = Table(
    "proposals",
    metadata,
    ProposalColumns,
    UniqueConstraint("batch_id", "run_order"),
    check("run_order_positive", "run_order >= 1"),
    check("p_success_is_probability", "p_success BETWEEN 0 AND 1"),
    finite("acquisition_value"),
)


predictions = Table(
    "predictions",
    metadata,
    PredictionColumns,
    UniqueConstraint("experiment_id", "outcome", "batch_id"),
    finite("mean"),
    finite("lower"),
    finite("upper"),
    check("interval_ordered", "lower <= upper"),
    check("level_is_coverage", "level > 0 AND level < 1"),
)


previews = Table(
    "previews",
    metadata,
    PreviewColumns,
    check("n_pictures_positive", "n_pictures >= 1"),
    check("level_is_coverage", "level > 0 AND level < 1"),
    check("sha256_length", "length(sha256) = 64 AND length(generator) = 64"),
)
