"""What is done in the background and at its times, and who did what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import AliasPath, Field

from db.records import JobOutcome, TaskStatus
from engine.documents import Document, Moment

if TYPE_CHECKING:
    from engine.jobs.schedule import ScheduleStatus


class JobOut(Document):
    """Something done in the background; ``result`` when it is done."""

    job: int = Field(validation_alias="id")
    kind: str
    status: TaskStatus
    progress: str | None
    fraction: float | None
    result: dict[str, Any] | None
    error: str | None
    asked_by: str = Field(validation_alias="actor")
    params: dict[str, Any]
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    rerun_of: int | None


class JobsOut(Document):
    """A page of jobs, newest first."""

    items: tuple[JobOut, ...]
    next: int | None


class ChangeOut(Document):
    """Who did what."""

    change: int = Field(validation_alias="id")
    at: Moment
    actor: str
    action: str
    detail: str | None


class ChangesOut(Document):
    """The audit trail, newest first."""

    items: tuple[ChangeOut, ...]


class JobRunOut(Document):
    """One run of a scheduled job."""

    due_at: Moment
    started_at: Moment
    finished_at: Moment | None
    outcome: JobOutcome
    detail: str | None


class ScheduledJobOut(Document):
    """A job of the schedule: when it runs, and what became of it last."""

    job: str = Field(validation_alias=AliasPath("job", "id"))
    when: str = Field(validation_alias="times")
    paused: bool = Field(validation_alias="is_paused")
    next_at: Moment | None = Field(validation_alias=AliasPath("job", "next_run_at"))
    last: JobRunOut | None


class ScheduleOut(Document):
    """The schedule, and the scheduler at work on it."""

    scheduler: str | None = None
    heartbeat_at: Moment | None = None
    items: tuple[ScheduledJobOut, ...]

    @classmethod
    def build(cls, schedule: ScheduleStatus) -> Self:
        """Return the schedule's document."""
        holder = schedule.holder
        return cls(
            scheduler=None if holder is None else holder.owner,
            heartbeat_at=None if holder is None else holder.heartbeat_at,
            items=tuple(map(ScheduledJobOut.model_validate, schedule.jobs)),
        )
