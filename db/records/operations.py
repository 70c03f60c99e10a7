"""What runs beside the bench: leases, the schedule, tasks of the background, answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobOutcome(StrEnum):
    """What came of a job's run."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class TaskStatus(StrEnum):
    """How a task stands: ``queued → running → done | failed | cancelled | interrupted``."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self not in (TaskStatus.QUEUED, TaskStatus.RUNNING)


@dataclass(frozen=True)
class LeaseRecord:
    """Who does what only one may do at a time. ``holder`` is the owner's proof."""

    name: str
    holder: str
    owner: str
    beats: int
    acquired_at: datetime
    heartbeat_at: datetime
    ttl_s: float


@dataclass(frozen=True)
class JobRecord:
    """A scheduled job: plain JSON; without ``next_run_at`` it is paused."""

    id: str
    next_run_at: datetime | None
    definition: Mapping[str, Any]


@dataclass(frozen=True)
class JobRunRecord:
    """One run of a job."""

    id: int
    job_id: str
    due_at: datetime
    started_at: datetime
    finished_at: datetime | None
    outcome: JobOutcome
    owner: str
    detail: str | None


@dataclass(frozen=True)
class TaskRecord:
    """Something done in the background: what was asked, how far it is, what came of it."""

    id: int
    campaign_id: int
    kind: str
    actor: str
    params: Mapping[str, Any]
    status: TaskStatus
    progress: str | None
    fraction: float | None
    result: Mapping[str, Any] | None
    error: str | None
    worker: str | None
    is_cancelled: bool
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
    rerun_of: int | None


@dataclass(frozen=True)
class AnswerRecord:
    """What was answered to a request with a key; ``status`` is ``None`` until it is known."""

    id: int
    fingerprint: str
    at: datetime
    status: int | None
    body: Any
