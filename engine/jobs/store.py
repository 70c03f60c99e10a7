"""APScheduler's jobs in the engine's own database, as plain JSON rows.

APScheduler's own stores pickle their jobs: whoever can write the table could run anything on the
machine of the scheduler, and a job of an older version could not be read any more. Here a row names
a kind of task (of :data:`engine.jobs.kinds.TASK_HANDLERS`), with JSON arguments and a trigger that
is a cron expression or a number of seconds; anything else is refused. It goes through the
repositories, so the schedule follows the database wherever that is.

A clock that was set back would leave an interval's next moment a day ahead: a job whose trigger
would fire earlier, counted from now, is moved to that moment. That no due moment is run twice is
not the store's business but the claim's (:mod:`engine.jobs.scheduler`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.job import Job
from apscheduler.jobstores.base import BaseJobStore, ConflictingIdError, JobLookupError
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from db.records import JobRecord
from db.session import Database
from engine.errors import DataError
from engine.jobs.crontab import CrontabTrigger
from engine.jobs.kinds import TASK_HANDLERS
from engine.jobs.queue import SCHEDULED

PLACEHOLDER = "engine.jobs.store:no_operation"
"""Stands for a job's function: APScheduler asks for one, but its jobs are only queued here."""

# Moments that differ by less are one: an interval is counted from a `now` that moves between looks.
_AHEAD = timedelta(seconds=5)


def no_operation() -> None:
    """Do nothing."""


def trigger_of(definition: Mapping[str, Any]) -> BaseTrigger:
    """Return a definition's trigger.

    Raises:
        DataError: it is neither a cron expression nor a number of seconds.
    """
    trigger = definition.get("trigger") or {}
    try:
        if "cron" in trigger:
            zone = ZoneInfo(str(trigger.get("timezone", "UTC")))
            return CrontabTrigger(str(trigger["cron"]), zone)
        return IntervalTrigger(seconds=float(trigger["every_s"]), timezone=UTC)
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"a scheduled job has the trigger {trigger}: expected a cron expression or a number of "
            f"seconds ({error})"
        ) from error


def next_after(definition: Mapping[str, Any], moment: datetime) -> datetime | None:
    """Return when a definition's trigger fires next, counted from a moment.

    >>> next_after({"trigger": {"cron": "0 3 * * *"}}, datetime(2026, 1, 1, 12, tzinfo=UTC))
    datetime.datetime(2026, 1, 2, 3, 0, tzinfo=datetime.timezone.utc)

    Raises:
        DataError: as :func:`trigger_of`.
    """
    next_moment: datetime | None = trigger_of(definition).get_next_fire_time(None, moment)
    return next_moment


class JsonJobStore(BaseJobStore):
    """Jobs as rows of ``scheduled_jobs``."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self._read_moments: dict[str, datetime | None] = {}

    def lookup_job(self, job_id: str) -> Job | None:
        """Return a job, or ``None``."""
        with self._database.read() as tx:
            record = tx.schedule.get(job_id)
        return None if record is None else self._job(record)

    def get_due_jobs(self, moment: datetime) -> list[Job]:
        """Return the jobs that are due."""
        self._mend_clock(moment)
        with self._database.read() as tx:
            records = tx.schedule.jobs(due_at=moment)
        self._read_moments = {record.id: record.next_run_at for record in records}
        return [self._job(record) for record in records]

    def get_next_run_time(self) -> datetime | None:
        """Return when the next job is due."""
        with self._database.read() as tx:
            return tx.schedule.next_run_at()

    def get_all_jobs(self) -> list[Job]:
        """Return every job, paused ones last."""
        with self._database.read() as tx:
            return [self._job(record) for record in tx.schedule.jobs()]

    def add_job(self, job: Job) -> None:
        """Add a job.

        Raises:
            ConflictingIdError: there is one of its id.
        """
        with self._database.write("schedule") as tx:
            if tx.schedule.get(job.id) is not None:
                raise ConflictingIdError(job.id)
            tx.schedule.put(self._record(job))

    def update_job(self, job: Job) -> None:
        """Write when a job is due next, unless it was paused or triggered by hand meanwhile.

        Raises:
            JobLookupError: there is none of its id.
        """
        with self._database.write("schedule") as tx:
            record = tx.schedule.get(job.id)
            if record is None:
                raise JobLookupError(job.id)
            # APScheduler writes back what it read a moment ago; a pause in between must win.
            if record.next_run_at == self._read_moments.get(job.id, record.next_run_at):
                tx.schedule.put(JobRecord(job.id, job.next_run_time, record.definition))

    def remove_job(self, job_id: str) -> None:
        """Take a job away.

        Raises:
            JobLookupError: there is none of that id.
        """
        with self._database.write("schedule") as tx:
            if not tx.schedule.remove(job_id):
                raise JobLookupError(job_id)

    def remove_all_jobs(self) -> None:
        """Take every job away."""
        with self._database.write("schedule") as tx:
            tx.schedule.remove()

    def _mend_clock(self, moment: datetime) -> None:
        with self._database.read() as tx:
            waiting = [record for record in tx.schedule.jobs() if record.next_run_at is not None]
        for record in waiting:
            earlier = next_after(record.definition, moment)
            assert record.next_run_at is not None  # noqa: S101 -- chosen so
            if earlier is not None and record.next_run_at > earlier + _AHEAD:
                with self._database.write("schedule") as tx:
                    tx.schedule.put(JobRecord(record.id, earlier, record.definition))

    def _job(self, record: JobRecord) -> Job:
        definition = record.definition
        name = str(definition.get("function"))
        if f"{SCHEDULED}{name}" not in TASK_HANDLERS:
            names = [k.removeprefix(SCHEDULED) for k in TASK_HANDLERS if k.startswith(SCHEDULED)]
            raise DataError(
                f"the scheduled job '{record.id}' names the function '{name}': expected one of "
                f"{', '.join(names)}"
            )
        # Job() asks for a scheduler that runs; its state is what APScheduler's own stores restore.
        job = Job.__new__(Job)
        job.__setstate__(
            {
                "version": 1,
                "id": record.id,
                "func": PLACEHOLDER,
                "trigger": trigger_of(definition),
                "executor": "default",
                "args": (),
                "kwargs": {},
                "name": name,
                "misfire_grace_time": definition.get("late_by_s"),
                "coalesce": bool(definition.get("coalesce", True)),
                "max_instances": 1,
                "next_run_time": record.next_run_at,
            }
        )
        # What APScheduler's own `_reconstitute_job` sets; there is no public way.
        # https://github.com/agronholm/apscheduler/blob/3.x/apscheduler/jobstores/sqlalchemy.py
        job._scheduler = self._scheduler
        job._jobstore_alias = self._alias
        return job

    @staticmethod
    def _record(job: Job) -> JobRecord:
        raise DataError(f"'{job.id}': jobs are added with engine.jobs.schedule.sync, as plain JSON")
