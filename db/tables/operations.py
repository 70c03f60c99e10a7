"""What runs beside the bench: leases, the schedule, tasks of the background, answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
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

from db.records import JobOutcome, TaskStatus
from db.tables.common import WithId, check, metadata, one_of
from db.types import Json, UtcDateTime


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


class JobRunColumns(WithId):
    """One run of a job."""

    job_id: Named[str] = Column(String)
    due_at: Named[datetime] = Column(UtcDateTime)
    started_at: Named[datetime] = Column(UtcDateTime)
    finished_at: Named[datetime | None] = Column(UtcDateTime)
    outcome: Named[str] = Column(String)
    owner: Named[str] = Column(String)
    detail: Named[str | None] = Column(Text)


class TaskColumns(WithId):
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


class AnswerColumns(WithId):
    """A request with a key of its own, written with what it wrote; its answer follows."""

    actor: Named[str] = Column(String)
    key: Named[str] = Column(String)
    fingerprint: Named[str] = Column(String)
    at: Named[datetime] = Column(UtcDateTime)
    status: Named[int | None]
    body: Named[Any] = Column(Json, nullable=True)


leases = Table(
    "leases",
    metadata,
    LeaseColumns,
    check("ttl_positive", "ttl_s > 0"),
)


scheduled_jobs = Table("scheduled_jobs", metadata, ScheduledJobColumns)


job_runs = Table(
    "job_runs",
    metadata,
    JobRunColumns,
    # The claim: of two schedulers that queue one due moment, the second is refused.
    UniqueConstraint("job_id", "due_at"),
    one_of("outcome", JobOutcome),
    check("finished_unless_running", "(outcome = 'running') = (finished_at IS NULL)"),
)


tasks = Table(
    "tasks",
    metadata,
    TaskColumns,
    Index(None, "status", "kind"),
    one_of("status", TaskStatus),
    check("fraction_is_share", "fraction BETWEEN 0 AND 1"),
)


answers = Table(
    "answers",
    metadata,
    AnswerColumns,
    # A key is its sender's own: nobody can take or guess another one's.
    UniqueConstraint("actor", "key"),
    Index(None, "at"),
)
