"""The scheduler: one at work, any number standing by.

Who holds the lease ``scheduler`` queues a task for each due moment, and does those tasks with
workers of its own; the others wait, and one of them takes over when its owner is gone. APScheduler
keeps the times and does nothing else. A task is queued with its row of ``job_runs``, which is
unique by job and due moment, in a transaction that asks for the lease once more; so is every claim:
even where a scheduler that was taken for dead wakes up again, no due moment is run twice.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from apscheduler.executors.base import BaseExecutor, MaxInstancesReachedError
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler

from db.errors import ConflictError, DatabaseError
from db.records import JobOutcome, TaskRecord, TaskStatus
from engine.errors import NotFoundError, SpinneretError, StateError
from engine.jobs import queue
from engine.jobs.kinds import TASK_HANDLERS
from engine.jobs.queue import SCHEDULED, SCHEDULED_KINDS, SCHEDULED_TRAINING, SCHEDULED_UPKEEP
from engine.jobs.schedule import sync
from engine.jobs.store import JsonJobStore
from engine.jobs.worker import Worker
from engine.workspace import Workspace
from engine.workspace.leases import SCHEDULER, Lease, held, is_gone, now

_LOG = logging.getLogger("spinneret.schedule")

# (`docker stop` waits ten; systemd's default is 90.)
# https://docs.docker.com/reference/cli/docker/container/stop/
GRACE_S = 8.0
"""How long a job under way may take to stop, of the ten seconds that service managers give; a
refresh keeps what it trained."""
LOOK_S = 2.0
"""Seconds between looks at the rows: what was triggered by hand runs that soon."""
# Ten looks; the heart beats four times in it (`leases.held`).
TTL_S = 20.0

LANES = (SCHEDULED_TRAINING, SCHEDULED_UPKEEP)
"""Kinds of tasks that wait for one another: a backup does not wait for a training."""


class _Enqueuer(BaseExecutor):
    """Queues a task for a due job, where APScheduler's own executors would run a function."""

    def __init__(self, enqueue: Callable[[str, datetime], bool]) -> None:
        super().__init__()
        self._enqueue = enqueue

    def submit_job(self, job: Job, run_times: list[datetime]) -> None:
        """Queue a task for the last of the moments, unless that is too long ago.

        Raises:
            MaxInstancesReachedError: an earlier run of the job is not over; this one is skipped.
        """
        due_at = run_times[-1]
        patience = job.misfire_grace_time
        if patience is not None and now() - due_at > timedelta(seconds=patience):
            _LOG.warning("'%s' of %s was missed by too long", job.id, due_at.isoformat())
        elif not self._enqueue(job.id, due_at):
            raise MaxInstancesReachedError(job)

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        """Not called: :meth:`submit_job` counts no instances, the queue does."""


class Scheduler:
    """The jobs of one workspace, queued and done by this process while it holds the lease.

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
        self._workers: list[Worker] = []

    def stop(self) -> None:
        """Ask it to stop; from any thread or a signal's handler."""
        self._stop.set()

    def run(self) -> bool:
        """Stand by, work, and so on until asked to stop; whether every job had stopped by then.

        Raises:
            ConfigError: a cron expression cannot be used.
        """
        sync(self.workspace)
        is_announced = False
        while not self._stop.is_set():
            try:
                # `wait_s`: a stand-by has to watch the heartbeat for a while to tell a clock that
                # was set back from a holder who is alive.
                with held(self.workspace.database, SCHEDULER, ttl_s=self._ttl_s, wait_s=1) as lease:
                    is_announced = False
                    self._work(lease)
            except StateError:
                if not is_announced:
                    _LOG.info("another scheduler is at work: standing by")
                    is_announced = True
            except DatabaseError as error:
                _LOG.warning("the database does not answer: %s", error)
                self._stop.wait(self._look_s)
        return not self._under_way()

    def _work(self, lease: Lease) -> None:
        _LOG.info("this scheduler is at work", extra={"owner": lease.record.owner})
        # Before anything is claimed: what looks as if it were running would make due moments be
        # skipped.
        self._close_dead(lease)
        self.is_working = True
        lost = threading.Event()
        wake = threading.Condition()

        def should_stop() -> bool:
            return self._stop.is_set() or lost.is_set() or lease.is_lost

        for kinds in LANES:
            worker = Worker(
                self.workspace,
                kinds,
                TASK_HANDLERS,
                should_stop,
                lease.require,
                record_attempts=math.inf,
            )
            self._workers.append(worker)
            # Daemons: one that does not stop in time must not hold the process up.
            threading.Thread(target=self._lane, args=(worker, wake), daemon=True).start()
        if self.workspace.settings.watch.folder:
            threading.Thread(target=self._watch, args=(should_stop,), daemon=True).start()
        scheduler = BackgroundScheduler(
            jobstores={"default": JsonJobStore(self.workspace.database)},
            executors={"default": _Enqueuer(partial(self._enqueue, lease, should_stop, wake))},
            timezone=UTC,
            daemon=True,
        )
        scheduler.start()
        try:
            while not self._stop.wait(self._look_s) and not lease.is_lost:
                sync(self.workspace)
                # APScheduler sleeps to the next moment that it knows of; rows change behind its
                # back.
                # https://apscheduler.readthedocs.io/en/3.x/modules/schedulers/base.html
                scheduler.wakeup()
        finally:
            self.is_working = False
            # First, so that no lane claims anything more; only then are they woken, to see it.
            lost.set()
            with wake:
                wake.notify_all()
            # Nothing to wait for: its executor only queues.
            scheduler.shutdown(wait=False)
            self._await_jobs()

    # -- queueing ------------------------------------------------------------------------------

    def _enqueue(
        self,
        lease: Lease,
        should_stop: Callable[[], bool],
        wake: threading.Condition,
        job_id: str,
        due_at: datetime,
    ) -> bool:
        """Queue the task of a due moment; ``False`` where an earlier run of the job is not over."""
        if should_stop():
            return True
        task = None
        try:
            with self.workspace.database.write("schedule") as tx:
                lease.require(tx)
                # In the transaction of the claim, so that two schedulers cannot both find it idle.
                if tx.schedule.is_running(job_id):
                    return False
                task = queue.submit_scheduled(tx, job_id, due_at, owner=lease.record.owner)
        except (ConflictError, StateError, NotFoundError):
            pass  # another scheduler queued it, works now, or removed the job
        if task is None:
            _LOG.info("'%s' of %s has run already", job_id, due_at.isoformat())
        with wake:
            wake.notify_all()
        return True

    # -- doing ---------------------------------------------------------------------------------

    def _lane(self, worker: Worker, wake: threading.Condition) -> None:
        """Do the tasks of a lane until the worker is to stop."""
        while not worker.should_stop():
            started = time.monotonic()
            try:
                task = worker.work()
            except StateError:  # the lease is another's
                return
            except DatabaseError as error:
                _LOG.warning("the database does not answer: %s", error)
                task = None
            if task is None:
                with wake:
                    wake.wait(self._look_s)
            else:
                _log_outcome(task, time.monotonic() - started)

    def _watch(self, should_stop: Callable[[], bool]) -> None:
        """Register what instruments write into the folder of ``[watch]``."""
        from engine.inbox.watching import Watcher, watched_folder

        settings = self.workspace.settings.watch
        while not should_stop():
            try:
                folder = watched_folder(self.workspace)
                for outcomes in Watcher(self.workspace, folder, settings).run(should_stop):
                    for outcome in outcomes:
                        _LOG.info("%s", outcome)
            except (SpinneretError, DatabaseError) as error:
                _LOG.warning("the watched folder: %s; trying again in a minute", error)
                for _ in range(60):
                    if should_stop():
                        return
                    time.sleep(1.0)

    def _under_way(self) -> list[tuple[Worker, TaskRecord]]:
        return [(worker, worker.task) for worker in self._workers if worker.task is not None]

    def _await_jobs(self) -> None:
        until = time.monotonic() + self._grace_s
        while self._under_way() and time.monotonic() < until:
            time.sleep(0.05)
        for _, task in self._under_way():
            name = task.params["job"]
            _LOG.error("'%s' did not stop within %g s: given up", name, self._grace_s)
            with suppress(DatabaseError):  # the next scheduler closes it
                reason = "given up at the end of the scheduler"
                queue.finish(self.workspace, task, TaskStatus.INTERRUPTED, error=reason)
        self._workers = [worker for worker, _ in self._under_way()]

    def _close_dead(self, lease: Lease) -> None:
        """Record that what schedulers that are gone were at was interrupted.

        What they only queued is done by this one.
        """
        with self.workspace.database.read() as tx:
            runs = tx.schedule.runs(outcome=JobOutcome.RUNNING)
            tasks = {task.params["run"]: task for task in tx.tasks.unfinished(SCHEDULED_KINDS)}
        # By the run's owner, not the task's worker: its name tells when the process began, and
        # process numbers come again (every container's first is 1).
        dead = [run for run in runs if run.owner != lease.record.owner or is_gone(run.owner)]
        for run in dead:
            task = tasks.get(run.id)
            if task is not None and task.status is TaskStatus.RUNNING:
                queue.close_orphans(self.workspace, [task])
            elif task is None:
                with suppress(ConflictError), self.workspace.database.write("schedule") as tx:
                    tx.schedule.finish(
                        run.id, JobOutcome.INTERRUPTED, at=now(), detail="its scheduler is gone"
                    )


def _log_outcome(task: TaskRecord, seconds: float) -> None:
    name = task.kind.removeprefix(SCHEDULED)
    detail = task.error if task.result is None else task.result.get("summary")
    level = logging.ERROR if task.status is TaskStatus.FAILED else logging.INFO
    extra = {"job": name, "outcome": str(task.status), "seconds": round(seconds, 3)}
    _LOG.log(level, "'%s': %s: %s", name, task.status, detail, extra=extra)
