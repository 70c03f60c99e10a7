"""The jobs of config.toml as rows of the database: listed, paused, resumed, triggered.

Whoever writes a row here need not be the scheduler: it looks at the rows every few seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.records import JobRecord, JobRunRecord, LeaseRecord
from engine.errors import (
    ConfigError,
    DataError,
    NotFoundError,
    StateError,
    by_voice,
    nearest_name,
    place,
)
from engine.jobs.store import next_after, trigger_of
from engine.workspace import Workspace
from engine.workspace.leases import SCHEDULER, is_gone, now

JOBS: Mapping[str, str] = {
    "watch": "refresh if enough is new",
    "refresh": "refresh if anything is new",
    "generator": "train the generator on if enough is new",
    "report": "write the report's page",
    "backup": "copy the database (SQLite)",
    "prune": "remove the files of old models",
}
"""The jobs that there are, and what each is for."""


@dataclass(frozen=True)
class Scheduled:
    """A job, and its newest run if it has run."""

    job: JobRecord
    last: JobRunRecord | None

    @property
    def is_paused(self) -> bool:
        """Whether it waits to be resumed."""
        return self.job.next_run_at is None

    @property
    def times(self) -> str:
        """Its trigger in words."""
        trigger = self.job.definition["trigger"]
        if "cron" in trigger:
            return f"{trigger['cron']} ({trigger.get('timezone', 'UTC')})"
        return f"every {trigger['every_s']:g} s"


@dataclass(frozen=True)
class ScheduleStatus:
    """The schedule, and who runs it (``None``: nobody, or nobody who is alive)."""

    jobs: tuple[Scheduled, ...]
    holder: LeaseRecord | None


def configured_jobs(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Return the jobs that config.toml asks for: definitions by id."""
    settings, refresh = workspace.settings.schedule, workspace.settings.refresh
    common = {"args": {}, "coalesce": True, "late_by_s": settings.late_by_s}
    definitions: dict[str, dict[str, Any]] = {
        "watch": {
            **common,
            "function": "watch",
            "trigger": {"every_s": settings.look_every_s},
        }
    }
    # With "starter" or "none" a trained generator would never serve.
    is_fixed = workspace.settings.generator.pretrained != "auto"
    crons = {
        "refresh": refresh.schedule,
        "generator": "" if is_fixed else settings.generator,
        "report": settings.report,
        "backup": settings.backup,
        "prune": settings.prune,
    }
    for name, cron in crons.items():
        if cron:
            trigger = {"cron": cron, "timezone": settings.timezone}
            definitions[name] = {**common, "function": name, "trigger": trigger}
    for name, definition in definitions.items():
        try:
            # Tried here, so that a misspelt cron expression is told at start and not at three in
            # the morning.
            trigger_of(definition)
        except DataError as error:
            raise ConfigError(
                f"{place(workspace.config_path)}: the times of '{name}': {error}"
            ) from error
    return definitions


def sync(workspace: Workspace) -> None:
    """Bring the rows to what config.toml asks for; what is paused stays so.

    Raises:
        ConfigError: a cron expression cannot be used.
    """
    definitions = configured_jobs(workspace)
    with workspace.database.read() as tx:
        present = {job.id: job for job in tx.schedule.jobs()}
    changed = {
        id_: definition
        for id_, definition in definitions.items()
        if id_ not in present or dict(present[id_].definition) != definition
    }
    removed = [id_ for id_ in present if id_ not in definitions]
    # Every look passes here; a write would make all other writers wait.
    if not changed and not removed:
        return
    with workspace.database.write("schedule") as tx:
        for id_, definition in changed.items():
            row = tx.schedule.get(id_)
            is_paused = row is not None and row.next_run_at is None
            # No next moment is how a pause is kept: APScheduler's own sign for it.
            # https://apscheduler.readthedocs.io/en/3.x/modules/job.html
            moment = None if is_paused else next_after(definition, now())
            tx.schedule.put(JobRecord(id_, moment, definition))
        for id_ in removed:
            tx.schedule.remove(id_)


def schedule_status(workspace: Workspace) -> ScheduleStatus:
    """Return the jobs with their newest runs, and who runs the schedule."""
    sync(workspace)
    with workspace.database.read() as tx:
        jobs = tx.schedule.jobs()
        last = {job.id: next(iter(tx.schedule.runs(job.id, limit=1)), None) for job in jobs}
        holder = tx.leases.get(SCHEDULER)
    # The row of a scheduler that was killed stays until another one takes it over.
    alive = holder is not None and not is_gone(holder.owner) and not is_stale(holder, now())
    return ScheduleStatus(
        tuple(Scheduled(job, last[job.id]) for job in jobs), holder if alive else None
    )


def is_stale(holder: LeaseRecord, moment: datetime) -> bool:
    """Whether a holder gave no sign of life for its time to live."""
    return (moment - holder.heartbeat_at).total_seconds() > holder.ttl_s


def pause(workspace: Workspace, job_id: str) -> None:
    """Let a job wait until it is resumed; a run of it that is under way goes on.

    Raises:
        NotFoundError: there is no such job.
    """
    _store(workspace, job_id, None)


def resume(workspace: Workspace, job_id: str) -> datetime | None:
    """Let a paused job run again at its times; return the next one.

    Raises:
        NotFoundError: there is no such job.
    """
    job = _job(workspace, job_id)
    moment = next_after(job.definition, now())
    _store(workspace, job_id, moment)
    return moment


def trigger(workspace: Workspace, job_id: str) -> bool:
    """Let a job run as soon as the scheduler looks; return whether there is one that is alive.

    Raises:
        NotFoundError: there is no such job.
        StateError: it is paused.
    """
    job = _job(workspace, job_id)
    if job.next_run_at is None:
        mend = by_voice(f"run `engine schedule resume {job_id}` first", "resume it first")
        raise StateError(f"'{job_id}' is paused: {mend}")
    _store(workspace, job_id, now())
    return schedule_status(workspace).holder is not None


def _store(workspace: Workspace, job_id: str, moment: datetime | None) -> None:
    job = _job(workspace, job_id)
    with workspace.database.write("schedule") as tx:
        tx.schedule.put(JobRecord(job.id, moment, job.definition))


def _job(workspace: Workspace, job_id: str) -> JobRecord:
    sync(workspace)
    with workspace.database.read() as tx:
        job = tx.schedule.get(job_id)
        ids = [row.id for row in tx.schedule.jobs()]
    if job is None:
        off = f" It is switched off in {workspace.config_path.name}." if job_id in JOBS else ""
        raise NotFoundError(
            f"there is no job '{job_id}'.{off or nearest_name(job_id, ids)} Scheduled are: "
            f"{', '.join(ids)}"
        )
    return job


def about(definition: Mapping[str, Any]) -> str:
    """Return what a job is for.

    >>> about({"function": "backup"})
    'copy the database (SQLite)'
    """
    return JOBS.get(str(definition.get("function")), "unknown")
