"""``engine schedule run``: one scheduler at work, any number standing by.

Who holds the lease ``scheduler`` runs the jobs; the others wait, and one of them takes over when
its owner is gone. A job runs only after its due moment was claimed in ``job_runs``, in a
transaction that asks for the lease once more: even where a scheduler that was taken for dead wakes
up again, no due moment is run twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler

from db.errors import ConflictError, DatabaseError
from db.records import JobOutcome
from engine.errors import SpinneretError, StateError
from engine.jobs.schedule import sync
from engine.jobs.scheduled import JOBS, InterruptedJobError
from engine.jobs.store import JsonJobStore
from engine.workspace import Workspace
from engine.workspace.leases import SCHEDULER, Lease, held, is_gone, now

_LOG = logging.getLogger("spinneret.schedule")

GRACE_S = 8.0
"""How long a job under way may take to stop; a refresh keeps what it trained."""
LOOK_S = 2.0
"""Seconds between looks at the rows: what was triggered by hand runs that soon."""
TTL_S = 20.0


class _Executor(ThreadPoolExecutor):
    """One thread; puts the named function in a job's place, with the moment it was due."""

    def __init__(self, call: Callable[[str, datetime], None]) -> None:
        super().__init__(1)
        self._call = call

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        job.func = partial(self._call, job.id, run_times[-1])
        super()._do_submit_job(job, run_times[-1:])


class Scheduler:
    """The jobs of one workspace, run by this process while it holds the lease.

    Args:
        workspace: whose schedule.
        ttl_s: of the lease: how long after a death another scheduler takes over at the latest.
        look_s: seconds between looks at the rows.
        grace_s: how long jobs may take to stop.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        ttl_s: float = TTL_S,
        look_s: float = LOOK_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self.workspace = workspace
        self.is_working = False
        self._ttl_s, self._look_s, self._grace_s = ttl_s, look_s, grace_s
        self._stop = threading.Event()
        self._under_way: dict[int, str] = {}
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Ask it to stop; from any thread or a signal's handler."""
        self._stop.set()

    def run(self) -> bool:
        """Stand by, work, and so on until asked to stop; whether every job had stopped by then.

        Raises:
            ConfigError: a cron expression cannot be used.
        """
        sync(self.workspace)
        is_told = False
        while not self._stop.is_set():
            try:
                with held(self.workspace.database, SCHEDULER, ttl_s=self._ttl_s, wait_s=1) as lease:
                    is_told = False
                    self._work(lease)
            except StateError:
                if not is_told:
                    _LOG.info("another scheduler is at work: standing by")
                    is_told = True
            except DatabaseError as error:
                _LOG.warning("the database does not answer: %s", error)
                self._stop.wait(self._look_s)
        return not self._under_way

    def _work(self, lease: Lease) -> None:
        _LOG.info("this scheduler is at work", extra={"owner": lease.record.owner})
        self._close_dead(lease)
        self.is_working = True
        lost = threading.Event()
        scheduler = self._made(lease, lost)
        scheduler.start()
        try:
            while not self._stop.wait(self._look_s) and not lease.is_lost:
                sync(self.workspace)
                scheduler.wakeup()
        finally:
            self.is_working = False
            lost.set()
            scheduler.shutdown(wait=False)
            self._await_jobs()

    def _made(self, lease: Lease, lost: threading.Event) -> BackgroundScheduler:
        def should_stop() -> bool:
            return self._stop.is_set() or lost.is_set() or lease.is_lost

        call = partial(self._call, lease, should_stop)
        return BackgroundScheduler(
            jobstores={"default": JsonJobStore(self.workspace.database)},
            executors={"default": _Executor(call), "training": _Executor(call)},
            timezone=UTC,
            daemon=True,
        )

    def _await_jobs(self) -> None:
        until = time.monotonic() + self._grace_s
        while self._under_way and time.monotonic() < until:
            time.sleep(0.05)
        with self._lock:
            left = dict(self._under_way)
        for run_id, name in left.items():
            _LOG.error("'%s' did not stop within %g s: given up", name, self._grace_s)
            self._finish(run_id, JobOutcome.INTERRUPTED, "given up at the end of the scheduler")

    def _close_dead(self, lease: Lease) -> None:
        """Record that runs of schedulers that are gone were interrupted."""
        with self.workspace.database.read() as tx:
            dead = tx.schedule.runs(outcome=JobOutcome.RUNNING)
        for run in dead:
            if run.owner != lease.record.owner or is_gone(run.owner):
                self._finish(run.id, JobOutcome.INTERRUPTED, "its scheduler is gone")

    # -- one job -------------------------------------------------------------------------------

    def _call(
        self, lease: Lease, should_stop: Callable[[], bool], job_id: str, due_at: datetime
    ) -> None:
        if should_stop():
            return
        claimed = self._claim(lease, job_id, due_at)
        if claimed is None:
            _LOG.info("'%s' of %s has run already", job_id, due_at.isoformat())
            return
        run_id, definition = claimed
        with self._lock:
            self._under_way[run_id] = job_id
        name = str(definition["function"])
        started = time.monotonic()
        try:
            outcome, detail = self._outcome(name, definition, should_stop)
            seconds = round(time.monotonic() - started, 3)
            level = logging.ERROR if outcome is JobOutcome.FAILED else logging.INFO
            _LOG.log(
                level,
                "'%s': %s: %s",
                job_id,
                outcome,
                detail,
                extra={"job": job_id, "outcome": str(outcome), "seconds": seconds},
            )
            self._finish(run_id, outcome, detail)
        finally:
            with self._lock:
                self._under_way.pop(run_id, None)

    def _claim(
        self, lease: Lease, job_id: str, due_at: datetime
    ) -> tuple[int, dict[str, Any]] | None:
        try:
            with self.workspace.database.write("schedule") as tx:
                lease.require(tx)
                job = tx.schedule.get(job_id)
                if job is None:
                    return None
                owner = lease.record.owner
                run_id = tx.schedule.claim(job_id, due_at, owner=owner, at=now())
                return None if run_id is None else (run_id, dict(job.definition))
        except (ConflictError, StateError):
            return None

    def _outcome(
        self, name: str, definition: dict[str, Any], should_stop: Callable[[], bool]
    ) -> tuple[JobOutcome, str]:
        try:
            detail = JOBS[name].work(self.workspace, definition.get("args") or {}, should_stop)
        except InterruptedJobError as error:
            return JobOutcome.INTERRUPTED, str(error)
        except (SpinneretError, DatabaseError, OSError) as error:
            return JobOutcome.FAILED, str(error)
        except BaseException as error:
            _LOG.exception("'%s' failed in a way that nobody foresaw", name)
            return JobOutcome.FAILED, f"{type(error).__name__}: {error}"
        return JobOutcome.DONE, detail

    def _finish(self, run_id: int, outcome: JobOutcome, detail: str) -> None:
        with suppress(ConflictError):  # it was closed already
            try:
                with self.workspace.database.write("schedule") as tx:
                    tx.schedule.finish(run_id, outcome, at=now(), detail=detail)
            except ConflictError:
                raise
            except DatabaseError as error:
                _LOG.warning("what became of run %s is not recorded: %s", run_id, error)
