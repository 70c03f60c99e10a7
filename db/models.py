"""The tables, typed. What a row may be is said here once, and kept by the database itself.

Nothing that was measured, said or decided is ever overwritten. Rows carry the ``change`` (who did
what, when) that wrote them; a correction is a further row with a higher ``revision``:

===================  ==========================================================================
changes              the audit trail; its ids are the watermarks
campaigns            one search each; at most one is active
campaign_revisions   definitions, as JSON; an edit is a further row
experiments          one sample each, with its present status (a cache of status_changes)
status_changes       every status, failure and note an experiment ever had
condition_values     number or text of one parameter, as proposed or as really run
measurements         one value of one outcome and replicate; a correction names what it supersedes
micrographs          one picture each, by content hash
batches              one call of ``engine propose`` each, with all it takes to replay it
proposals            why an experiment was proposed, and its place in the batch
predictions          what was said of an experiment before it was run
previews             pictures of the mat to expect, with the statistics they show
model_versions       surrogates and generators: candidate, champion (one a kind) or retired
promotions           which version served from when on, and why; the newest row tells which serves
refresh_runs         when and why a model was trained, and what came of it
sources              what models are pretrained on besides: references, re-read at each training
leases               who does what only one may do at a time; the owner's heartbeat keeps it
scheduled_jobs       what the scheduler is to run, and when next; rows change, and are no changes
job_runs             every run of a job; the first row of a due moment is the claim to run it
users                who may come in at the web page, and as what
sessions             who is logged in there; by hash, so that the table opens no door
tokens               keys of programs, by hash, with what they may do
tasks                what was asked of the background: propose, measure, refresh; and how it stands
answers              what was answered to a request that carried a key, so that twice is once
embeddings           what a model made of a picture: computed, and made anew where a row is missing
===================  ==========================================================================

These are SQLAlchemy's typed tables, not mapped classes: repositories turn rows straight into
frozen records, so an identity map would only add its import (a seventh of a second) to every
command of the bench.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Named,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    text,
)

from db.records import (
    FailureKind,
    JobOutcome,
    ModelKind,
    ModelStatus,
    Origin,
    RefreshOutcome,
    Role,
    SourceKind,
    Stage,
    Status,
    TaskStatus,
)
from db.types import Json, Singles, UtcDateTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_LARGEST = "1.7976931348623157e308"


def _one_of(column: str, values: type[StrEnum] | Iterable[str]) -> CheckConstraint:
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=f"{column}_known")


def _finite(column: str) -> CheckConstraint:
    # NULL passes, as in every CHECK; SQLite stores NaN as NULL, PostgreSQL sorts it above all.
    return CheckConstraint(f"{column} BETWEEN -{_LARGEST} AND {_LARGEST}", name=f"{column}_finite")


def _check(name: str, condition: str) -> CheckConstraint:
    return CheckConstraint(condition, name=name)


class _WithId(TypedColumns):
    id: Named[int] = Column(Integer, primary_key=True)


class _WithChange(_WithId):
    change_id: Named[int] = Column(ForeignKey("changes.id"))


class ChangeColumns(_WithId):
    """Who did what, when."""

    at: Named[datetime] = Column(UtcDateTime)
    actor: Named[str] = Column(String)
    action: Named[str] = Column(String)
    detail: Named[str | None] = Column(Text)


class CampaignColumns(_WithChange):
    """One search."""

    name: Named[str] = Column(String, unique=True)
    is_active: Named[bool] = Column(Boolean(create_constraint=True, name="is_active"))


class CampaignRevisionColumns(_WithChange):
    """A campaign's definition, as JSON."""

    campaign_id: Named[int] = Column(ForeignKey("campaigns.id"))
    revision: Named[int]
    definition: Named[Any] = Column(Json, nullable=False)
    note: Named[str | None] = Column(Text)


class ExperimentColumns(_WithChange):
    """One sample. Status, failure and note repeat the newest row of ``status_changes``."""

    campaign_id: Named[int]
    revision_id: Named[int]
    label: Named[str | None] = Column(String)
    origin: Named[str] = Column(String)
    status: Named[str] = Column(String)
    failure: Named[str | None] = Column(String)
    note: Named[str | None] = Column(Text)


class StatusChangeColumns(_WithChange):
    """What an experiment became, and the note it then had."""

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    status: Named[str] = Column(String)
    failure: Named[str | None] = Column(String)
    note: Named[str | None] = Column(Text)


class ConditionValueColumns(TypedColumns):
    """One parameter of one experiment: a number in the parameter's unit, or a choice's name."""

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    parameter: Named[str] = Column(String)
    stage: Named[str] = Column(String)
    revision: Named[int]
    number: Named[float | None] = Column(Double)
    text: Named[str | None] = Column(Text)
    change_id: Named[int] = Column(ForeignKey("changes.id"))


class MeasurementColumns(_WithChange):
    """One value of one outcome, in the outcome's unit."""

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    outcome: Named[str] = Column(String)
    replicate: Named[int]
    revision: Named[int]
    value: Named[float] = Column(Double)
    supersedes_id: Named[int | None] = Column(ForeignKey("measurements.id"), unique=True)
    note: Named[str | None] = Column(Text)


class MicrographColumns(_WithChange):
    """One picture; ``path`` counts from the data folder, the crop box is in pixels."""

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    sha256: Named[str] = Column(String)
    path: Named[str] = Column(String)
    original_name: Named[str] = Column(String)
    width_px: Named[int]
    height_px: Named[int]
    n_bytes: Named[int] = Column(BigInteger)
    nm_per_pixel: Named[float | None] = Column(Double)
    nm_per_pixel_source: Named[str | None] = Column(String)
    rotation_axis: Named[str | None] = Column(String)
    crop_left: Named[int | None]
    crop_top: Named[int | None]
    crop_right: Named[int | None]
    crop_bottom: Named[int | None]
    statistics: Named[Any] = Column(Json, nullable=True)


class BatchColumns(_WithChange):
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


class PredictionColumns(_WithChange):
    """Mean and interval of a new measurement, in the outcome's unit."""

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    outcome: Named[str] = Column(String)
    batch_id: Named[int | None] = Column(ForeignKey("batches.id"), index=True)
    model_version_id: Named[int | None] = Column(ForeignKey("model_versions.id"))
    mean: Named[float] = Column(Double)
    lower: Named[float] = Column(Double)
    upper: Named[float] = Column(Double)
    level: Named[float] = Column(Double)


class PreviewColumns(_WithChange):
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


class ModelVersionColumns(_WithChange):
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


class PromotionColumns(_WithChange):
    """A version that began to serve; none: the starter that ships with the program."""

    campaign_id: Named[int] = Column(ForeignKey("campaigns.id"))
    kind: Named[str] = Column(String)
    model_version_id: Named[int | None] = Column(ForeignKey("model_versions.id"))
    reason: Named[str | None] = Column(Text)


class RefreshRunColumns(_WithChange):
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


class LeaseColumns(TypedColumns):
    """Who does what only one may do at a time. ``beats`` grows while the owner lives."""

    name: Named[str] = Column(String, primary_key=True)
    holder: Named[str] = Column(String)
    owner: Named[str] = Column(String)
    beats: Named[int] = Column(BigInteger)
    acquired_at: Named[datetime] = Column(UtcDateTime)
    heartbeat_at: Named[datetime] = Column(UtcDateTime)
    ttl_s: Named[float] = Column(Double)


class ScheduledJobColumns(TypedColumns):
    """A job as plain JSON: a function by name, its arguments, its trigger. No moment: paused."""

    id: Named[str] = Column(String, primary_key=True)
    next_run_at: Named[datetime | None] = Column(UtcDateTime, index=True)
    definition: Named[Any] = Column(Json, nullable=False)


class JobRunColumns(_WithId):
    """One run of a job."""

    job_id: Named[str] = Column(String)
    due_at: Named[datetime] = Column(UtcDateTime)
    started_at: Named[datetime] = Column(UtcDateTime)
    finished_at: Named[datetime | None] = Column(UtcDateTime)
    outcome: Named[str] = Column(String)
    owner: Named[str] = Column(String)
    detail: Named[str | None] = Column(Text)


class SourceColumns(_WithChange):
    """What to pretrain on: a reference. Without a campaign it serves all of them."""

    campaign_id: Named[int | None] = Column(ForeignKey("campaigns.id"))
    name: Named[str] = Column(String)
    kind: Named[str] = Column(String)
    definition: Named[Any] = Column(Json, nullable=False)
    fingerprint: Named[str] = Column(String)
    removed_change_id: Named[int | None] = Column(ForeignKey("changes.id"))


class UserColumns(_WithChange):
    """Somebody who may log in, with role and password of now; ``changes`` tells who set them."""

    name: Named[str] = Column(String, unique=True)
    role: Named[str] = Column(String)
    password_hash: Named[str] = Column(String)
    removed_change_id: Named[int | None] = Column(ForeignKey("changes.id"))


class SessionColumns(_WithId):
    """Somebody logged in; without a user it is the one who started the server."""

    token_hash: Named[str] = Column(String, unique=True)
    user_id: Named[int | None] = Column(ForeignKey("users.id"))
    actor: Named[str] = Column(String)
    created_at: Named[datetime] = Column(UtcDateTime)
    expires_at: Named[datetime] = Column(UtcDateTime)


class TokenColumns(_WithChange):
    """A program's key: what it may do is the lesser of its scope and its user's role."""

    user_id: Named[int] = Column(ForeignKey("users.id"), index=True)
    name: Named[str] = Column(String)
    token_hash: Named[str] = Column(String, unique=True)
    scope: Named[str] = Column(String)
    expires_at: Named[datetime | None] = Column(UtcDateTime)
    revoked_change_id: Named[int | None] = Column(ForeignKey("changes.id"))


class TaskColumns(_WithId):
    """Something done in the background. No change: what it records has changes of its own."""

    campaign_id: Named[int] = Column(ForeignKey("campaigns.id"))
    kind: Named[str] = Column(String)
    actor: Named[str] = Column(String)
    params: Named[Any] = Column(Json, nullable=False)
    status: Named[str] = Column(String)
    progress: Named[str | None] = Column(Text)
    fraction: Named[float | None] = Column(Double)
    result: Named[Any] = Column(Json, nullable=True)
    error: Named[str | None] = Column(Text)
    worker: Named[str | None] = Column(String)
    is_cancelled: Named[bool] = Column(Boolean(create_constraint=True, name="is_cancelled"))
    created_at: Named[datetime] = Column(UtcDateTime)
    started_at: Named[datetime | None] = Column(UtcDateTime)
    heartbeat_at: Named[datetime | None] = Column(UtcDateTime)
    finished_at: Named[datetime | None] = Column(UtcDateTime)
    rerun_of: Named[int | None] = Column(ForeignKey("tasks.id"))


class AnswerColumns(_WithId):
    """A request with a key of its own, written with what it wrote; its answer follows."""

    actor: Named[str] = Column(String)
    key: Named[str] = Column(String)
    fingerprint: Named[str] = Column(String)
    at: Named[datetime] = Column(UtcDateTime)
    status: Named[int | None]
    body: Named[Any] = Column(Json, nullable=True)


class EmbeddingColumns(TypedColumns):
    """The direction of a picture in a model's latent space.

    ``model``: SHA-256 of its weights. ``picture``: SHA-256 of all that the vector follows from.
    """

    model: Named[str] = Column(String, primary_key=True)
    picture: Named[str] = Column(String, primary_key=True)
    vector: Named[tuple[float, ...]] = Column(Singles)


def _in_its_campaign() -> ForeignKeyConstraint:
    # The revision must be one of the same campaign.
    return ForeignKeyConstraint(
        ["campaign_id", "revision_id"], ["campaign_revisions.campaign_id", "campaign_revisions.id"]
    )


def _status_checks() -> tuple[CheckConstraint, ...]:
    return (
        _one_of("status", Status),
        _one_of("failure", FailureKind),
        _check("failure_iff_failed", "(status = 'failed') = (failure IS NOT NULL)"),
    )


changes = Table("changes", metadata, ChangeColumns)

campaigns = Table("campaigns", metadata, CampaignColumns)
# The migrations restrict partial indexes on PostgreSQL too; to say so here would import its dialect
# at every start.
Index(
    "uq_campaigns_active",
    campaigns.c.is_active,
    unique=True,
    sqlite_where=text("is_active"),
)

campaign_revisions = Table(
    "campaign_revisions",
    metadata,
    CampaignRevisionColumns,
    UniqueConstraint("campaign_id", "revision"),
    UniqueConstraint("campaign_id", "id"),
    _check("revision_positive", "revision >= 1"),
)

experiments = Table(
    "experiments",
    metadata,
    ExperimentColumns,
    _in_its_campaign(),
    UniqueConstraint("campaign_id", "label"),
    Index(None, "campaign_id", "status"),
    Index(None, "campaign_id", "id"),
    _one_of("origin", Origin),
    *_status_checks(),
)

status_changes = Table(
    "status_changes",
    metadata,
    StatusChangeColumns,
    Index(None, "experiment_id", "id"),
    *_status_checks(),
)

condition_values = Table(
    "condition_values",
    metadata,
    ConditionValueColumns,
    PrimaryKeyConstraint("experiment_id", "parameter", "stage", "revision"),
    _one_of("stage", Stage),
    _check("revision_positive", "revision >= 1"),
    _check("number_or_text", "(number IS NULL) <> (text IS NULL)"),
    _finite("number"),
    sqlite_with_rowid=False,
)

measurements = Table(
    "measurements",
    metadata,
    MeasurementColumns,
    UniqueConstraint("experiment_id", "outcome", "replicate", "revision"),
    Index(None, "change_id"),  # what is new since a watermark
    _check("replicate_positive", "replicate >= 1"),
    _check("revision_positive", "revision >= 1"),
    _check("first_supersedes_nothing", "(revision = 1) = (supersedes_id IS NULL)"),
    _finite("value"),
)

micrographs = Table(
    "micrographs",
    metadata,
    MicrographColumns,
    UniqueConstraint("experiment_id", "sha256"),
    Index(None, "sha256"),
    Index(None, "change_id"),
    _check("sha256_length", "length(sha256) = 64"),
    _check("size_positive", "width_px > 0 AND height_px > 0 AND n_bytes > 0"),
    _check("nm_per_pixel_positive", "nm_per_pixel > 0"),
    _finite("nm_per_pixel"),
    _check("scale_has_source", "nm_per_pixel IS NULL OR nm_per_pixel_source IS NOT NULL"),
    _check(
        "crop_whole",
        "(crop_left IS NULL) = (crop_top IS NULL) AND (crop_left IS NULL) = (crop_right IS NULL) "
        "AND (crop_left IS NULL) = (crop_bottom IS NULL)",
    ),
    _check(
        "crop_inside",
        "0 <= crop_left AND crop_left < crop_right AND crop_right <= width_px "
        "AND 0 <= crop_top AND crop_top < crop_bottom AND crop_bottom <= height_px",
    ),
)

batches = Table(
    "batches",
    metadata,
    BatchColumns,
    _in_its_campaign(),
    Index(None, "campaign_id"),
    _check("watermark_positive", "watermark >= 0"),
)

proposals = Table(
    "proposals",
    metadata,
    ProposalColumns,
    UniqueConstraint("batch_id", "run_order"),
    _check("run_order_positive", "run_order >= 1"),
    _check("p_success_is_probability", "p_success BETWEEN 0 AND 1"),
    _finite("acquisition_value"),
)

predictions = Table(
    "predictions",
    metadata,
    PredictionColumns,
    UniqueConstraint("experiment_id", "outcome", "batch_id"),
    _finite("mean"),
    _finite("lower"),
    _finite("upper"),
    _check("interval_ordered", "lower <= upper"),
    _check("level_is_coverage", "level > 0 AND level < 1"),
)

previews = Table(
    "previews",
    metadata,
    PreviewColumns,
    _check("n_pictures_positive", "n_pictures >= 1"),
    _check("level_is_coverage", "level > 0 AND level < 1"),
    _check("sha256_length", "length(sha256) = 64 AND length(generator) = 64"),
)

model_versions = Table(
    "model_versions",
    metadata,
    ModelVersionColumns,
    Index(None, "campaign_id", "kind"),
    _one_of("kind", ModelKind),
    _one_of("status", ModelStatus),
    _check("sha256_length", "length(sha256) = 64"),
    _check("watermark_positive", "watermark >= 0"),
)
Index(
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
    _one_of("kind", ModelKind),
)

refresh_runs = Table(
    "refresh_runs",
    metadata,
    RefreshRunColumns,
    _one_of("kind", ModelKind),
    _one_of("outcome", RefreshOutcome),
    _check("finished_unless_running", "(outcome = 'running') = (finished_at IS NULL)"),
)

leases = Table(
    "leases",
    metadata,
    LeaseColumns,
    _check("ttl_positive", "ttl_s > 0"),
)

scheduled_jobs = Table("scheduled_jobs", metadata, ScheduledJobColumns)

job_runs = Table(
    "job_runs",
    metadata,
    JobRunColumns,
    UniqueConstraint("job_id", "due_at"),
    _one_of("outcome", JobOutcome),
    _check("finished_unless_running", "(outcome = 'running') = (finished_at IS NULL)"),
)

sources = Table(
    "sources",
    metadata,
    SourceColumns,
    _one_of("kind", SourceKind),
    _check("name_given", "length(name) > 0"),
    _check("fingerprint_length", "length(fingerprint) = 64"),
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

users = Table(
    "users",
    metadata,
    UserColumns,
    _one_of("role", Role),
    _check("name_given", "length(name) > 0"),
)

sessions = Table(
    "sessions",
    metadata,
    SessionColumns,
    Index(None, "user_id"),
    _check("token_hash_length", "length(token_hash) = 64"),
)

tokens = Table(
    "tokens",
    metadata,
    TokenColumns,
    _one_of("scope", Role),
    _check("name_given", "length(name) > 0"),
    _check("token_hash_length", "length(token_hash) = 64"),
)

tasks = Table(
    "tasks",
    metadata,
    TaskColumns,
    Index(None, "status", "kind"),
    _one_of("status", TaskStatus),
    _check("fraction_is_share", "fraction BETWEEN 0 AND 1"),
)

answers = Table(
    "answers",
    metadata,
    AnswerColumns,
    UniqueConstraint("actor", "key"),
    Index(None, "at"),
)

embeddings = Table(
    "embeddings",
    metadata,
    EmbeddingColumns,
    _check("sha256_length", "length(model) = 64 AND length(picture) = 64"),
)
