"""APScheduler's jobs in the engine's own database, as plain JSON rows.

APScheduler's own stores pickle their jobs: whoever can write the table could run anything on the
machine of the scheduler, and a job of an older version could not be read any more. Here a row names
one of :data:`engine.jobs.scheduled.JOBS`, with JSON arguments and a trigger that is a cron
expression or a number of seconds; anything else is refused. It goes through the repositories, so
the schedule follows the database wherever that is.

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
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from db.records import JobRecord
from db.session import Database
from engine.errors import DataError
from engine.jobs.scheduled import JOBS

PLACE = "engine.jobs.store:nothing"
"""What stands for a job's function; the executor puts the real one in its place."""

_AHEAD = timedelta(seconds=5)


def nothing() -> None:
    """Do nothing."""


def trigger_of(definition: Mapping[str, Any]) -> BaseTrigger:
    """Return a definition's trigger.

    Raises:
        DataError: it is neither a cron expression nor a number of seconds.
    """
    found = definition.get("trigger") or {}
    try:
        if "cron" in found:
            zone = ZoneInfo(str(found.get("timezone", "UTC")))
            return CronTrigger.from_crontab(str(found["cron"]), timezone=zone)
        return IntervalTrigger(seconds=float(found["every_s"]), timezone=UTC)
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"a scheduled job has the trigger {found}: expected a cron expression or a number of "
            f"seconds ({error})"
        ) from error


def next_after(definition: Mapping[str, Any], moment: datetime) -> datetime | None:
    """Return when a definition's trigger fires next, counted from a moment."""
    found: datetime | None = trigger_of(definition).get_next_fire_time(None, moment)
    return found


class JsonJobStore(BaseJobStore):
    """Jobs as rows of ``scheduled_jobs``."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self._seen: dict[str, datetime | None] = {}

    def lookup_job(self, job_id: str) -> Job | None:
        """Return a job, or ``None``."""
        with self._database.read() as tx:
            found = tx.schedule.get(job_id)
        return None if found is None else self._job(found)

    def get_due_jobs(self, now: datetime) -> list[Job]:
        """Return the jobs that are due."""
        self._mend_clock(now)
        with self._database.read() as tx:
            found = tx.schedule.jobs(due_at=now)
        self._seen = {one.id: one.next_run_at for one in found}
        return [self._job(one) for one in found]

    def get_next_run_time(self) -> datetime | None:
        """Return when the next job is due."""
        with self._database.read() as tx:
            return tx.schedule.next_run_at()

    def get_all_jobs(self) -> list[Job]:
        """Return every job, paused ones last."""
        with self._database.read() as tx:
            return [self._job(one) for one in tx.schedule.jobs()]

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
            found = tx.schedule.get(job.id)
            if found is None:
                raise JobLookupError(job.id)
            if found.next_run_at == self._seen.get(job.id, found.next_run_at):
                tx.schedule.put(JobRecord(job.id, job.next_run_time, found.definition))

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

    def _mend_clock(self, now: datetime) -> None:
        with self._database.read() as tx:
            waiting = [one for one in tx.schedule.jobs() if one.next_run_at is not None]
        for one in waiting:
            earlier = next_after(one.definition, now)
            assert one.next_run_at is not None  # noqa: S101 -- chosen so
            if earlier is not None and one.next_run_at > earlier + _AHEAD:
                with self._database.write("schedule") as tx:
                    tx.schedule.put(JobRecord(one.id, earlier, one.definition))

    def _job(self, record: JobRecord) -> Job:
        definition = record.definition
        name = str(definition.get("function"))
        if name not in JOBS:
            raise DataError(
                f"the scheduled job '{record.id}' names the function '{name}': expected one of "
                f"{', '.join(JOBS)}"
            )
        job = Job.__new__(Job)
        job.__setstate__(
            {
                "version": 1,
                "id": record.id,
                "func": PLACE,
                "trigger": trigger_of(definition),
                "executor": "training" if JOBS[name].trains else "default",
                "args": (),
                "kwargs": {},
                "name": name,
                "misfire_grace_time": definition.get("late_by_s"),
                "coalesce": bool(definition.get("coalesce", True)),
                "max_instances": 1,
                "next_run_time": record.next_run_at,
            }
        )
        job._scheduler = self._scheduler
        job._jobstore_alias = self._alias
        return job

    @staticmethod
    def _record(job: Job) -> JobRecord:
        raise DataError(f"'{job.id}': jobs are added with engine.jobs.schedule.sync, as plain JSON")
