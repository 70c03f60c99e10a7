"""Models: versions, which of them served, trainings, sources to pretrain on, embeddings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Named,
    String,
    Table,
    Text,
    TypedColumns,
    text,
)

from db.records import ModelKind, ModelStatus, RefreshOutcome, SourceKind
from db.tables.common import WithChange, check, metadata, one_of
from db.types import Json, Singles, UtcDateTime


class ModelVersionColumns(WithChange):
    """A trained model and its file."""

    campaign_id: Named[int] = Column(ForeignKey("campaigns.id"))
    kind: Named[str] = Column(String)
    status: Named[str] = Column(String)
    parent_id: Named[int | None] = Column(ForeignKey("model_versions.id"))
    artifact_path: Named[str] = Column(String)
    sha256: Named[str] = Column(String)
    watermark: Named[int]
    metrics: Named[Any] = Column(Json, nullable=False)
    config: Named[Any] = Column(Json, nullable=True)
    seed: Named[int | None] = Column(BigInteger)
    versions: Named[Any] = Column(Json, nullable=True)
    pruned_change_id: Named[int | None] = Column(ForeignKey("changes.id"))


class PromotionColumns(WithChange):
    """A version that began to serve; none: the starter that ships with the program."""

    campaign_id: Named[int] = Column(ForeignKey("campaigns.id"))
    kind: Named[str] = Column(String)
    model_version_id: Named[int | None] = Column(ForeignKey("model_versions.id"))
    reason: Named[str | None] = Column(Text)


class RefreshRunColumns(WithChange):
    """One training and what came of it."""

    campaign_id: Named[int] = Column(ForeignKey("campaigns.id"), index=True)
    trigger: Named[str] = Column(String)
    started_at: Named[datetime] = Column(UtcDateTime)
    finished_at: Named[datetime | None] = Column(UtcDateTime)
    outcome: Named[str] = Column(String)
    log: Named[str | None] = Column(Text)
    model_version_id: Named[int | None] = Column(ForeignKey("model_versions.id"))
    kind: Named[str] = Column(String, server_default=text("'surrogate'"))
    watermark: Named[int | None]
    report: Named[Any] = Column(Json, nullable=True)


class SourceColumns(WithChange):
    """What to pretrain on: a reference. Without a campaign it serves all of them."""

    campaign_id: Named[int | None] = Column(ForeignKey("campaigns.id"))
    name: Named[str] = Column(String)
    kind: Named[str] = Column(String)
    definition: Named[Any] = Column(Json, nullable=False)
    fingerprint: Named[str] = Column(String)
    removed_change_id: Named[int | None] = Column(ForeignKey("changes.id"))


class EmbeddingColumns(TypedColumns):
    """The direction of a picture in a model's latent space.

    ``model``: SHA-256 of its weights. ``picture``: SHA-256 of all that the vector follows from.
    """

    model: Named[str] = Column(String, primary_key=True)
    picture: Named[str] = Column(String, primary_key=True)
    vector: Named[tuple[float, ...]] = Column(Singles)


model_versions = Table(
    "model_versions",
    metadata,
    ModelVersionColumns,
    Index(None, "campaign_id", "kind"),
    one_of("kind", ModelKind),
    one_of("status", ModelStatus),
    check("sha256_length", "length(sha256) = 64"),
    check("watermark_positive", "watermark >= 0"),
)


Index(
    # One champion of a kind, whatever two processes do at once.
    "uq_model_versions_champion",
    model_versions.c.campaign_id,
    model_versions.c.kind,
    unique=True,
    sqlite_where=text("status = 'champion'"),
)


promotions = Table(
    "promotions",
    metadata,
    PromotionColumns,
    Index(None, "campaign_id", "kind"),
    one_of("kind", ModelKind),
)


refresh_runs = Table(
    "refresh_runs",
    metadata,
    RefreshRunColumns,
    one_of("kind", ModelKind),
    one_of("outcome", RefreshOutcome),
    check("finished_unless_running", "(outcome = 'running') = (finished_at IS NULL)"),
)


sources = Table(
    "sources",
    metadata,
    SourceColumns,
    one_of("kind", SourceKind),
    check("name_given", "length(name) > 0"),
    check("fingerprint_length", "length(fingerprint) = 64"),
)


# A name serves once among the sources in use, in a campaign and among those of all campaigns.
Index(
    "uq_sources_campaign_id_name",
    sources.c.campaign_id,
    sources.c.name,
    unique=True,
    sqlite_where=text("removed_change_id IS NULL"),
)


Index(
    "uq_sources_name_of_all",
    sources.c.name,
    unique=True,
    sqlite_where=text("removed_change_id IS NULL AND campaign_id IS NULL"),
)


embeddings = Table(
    "embeddings",
    metadata,
    EmbeddingColumns,
    check("sha256_length", "length(model) = 64 AND length(picture) = 64"),
)
