"""What takes tasks off the queue and does them, beating all the while."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from db.errors import DatabaseError
from db.records import TaskRecord, TaskStatus
from db.transaction import Transaction
from engine.errors import SpinneretError
from engine.jobs.queue import (
    Handler,
    ShouldStop,
    TaskCancelledError,
    TaskInterruptedError,
    detail_of,
    finish,
    run_of,
    worker_name,
)
from engine.workspace import Workspace
from engine.workspace.leases import now, process_identity

_LOG = logging.getLogger("spinneret.tasks")

BEAT_S = 2.0
"""Also how soon a task hears that it is to stop: the beat's answer tells."""
_REPORT_S = 0.25  # an update of the row for every step of a training would be most of its time


def work(workspace: Workspace, kinds: Sequence[str], handlers: Mapping[str, Handler]) -> bool:
    """Take the oldest waiting task of these kinds and do it; return whether there was one."""
    return Worker(workspace, kinds, handlers).work() is not None


def _no_stop() -> bool:
    return False


def _allow(tx: Transaction) -> None:
    """Let every claim pass."""


@dataclass
class Worker:
    """Does the tasks of some kinds, one after the other.

    Attributes:
        workspace: whose tasks.
        kinds: which of them.
        handlers: what each kind does (``TASK_HANDLERS`` of :mod:`engine.jobs.kinds`).
        should_stop: whether it is to stop; a task under way hears of it.
        require: raises within the transaction of a claim where the worker may not claim.
        record_attempts: how often to try to record what came of a task. A process that dies when
            the database refuses leaves an orphan for :func:`tidy`; one that lives on must not.
        task: the one under way.
    """

    workspace: Workspace
    kinds: Sequence[str]
    handlers: Mapping[str, Handler]
    should_stop: ShouldStop = _no_stop
    require: Callable[[Transaction], None] = _allow
    record_attempts: float = 1
    task: TaskRecord | None = None

    def work(self) -> TaskRecord | None:
        """Take the oldest waiting task and do it; return it as it ended, ``None``: none waited.

        Raises:
            StateError: it may not claim.
            DatabaseError: the database does not answer.
        """
        # A look that writes nothing first: on SQLite every write waits for every other.
        with self.workspace.database.read() as tx:
            if not tx.tasks.has_waiting(self.kinds):
                return None
        with self.workspace.database.write("task") as tx:
            # In the claim's own transaction: asked before it, the lease could be lost in between.
            self.require(tx)
            task = tx.tasks.claim(self.kinds, worker_name(), now())
            if task is not None and run_of(task) is not None:
                tx.schedule.start(int(task.params["run"]), owner=process_identity(), at=now())
        if task is None:
            return None
        self.task = task
        try:
            self._finish(task, *self._outcome_of(task))
        finally:
            self.task = None
        with self.workspace.database.read() as tx:
            return tx.tasks.get(task.id)

    def _finish(
        self,
        task: TaskRecord,
        status: TaskStatus,
        result: dict[str, Any] | None,
        error: str | None,
    ) -> None:
        for attempt in itertools.count(1):
            try:
                finish(self.workspace, task, status, result=result, error=error)
            except DatabaseError as problem:
                if attempt >= self.record_attempts or self.should_stop():
                    raise
                _LOG.warning("what became of job %s is not recorded yet: %s", task.id, problem)
                time.sleep(BEAT_S)
            else:
                return

    def _outcome_of(self, task: TaskRecord) -> tuple[TaskStatus, dict[str, Any] | None, str | None]:
        """Return what came of a task: its status, its result or the error."""
        is_scheduled = run_of(task) is not None
        reporter = _Reporter(self.workspace, task, self.should_stop)
        params = task.params["args"] if is_scheduled else task.params
        # Its own campaign, whichever people look at or the command line uses by now.
        acting = self.workspace.in_campaign(task.campaign_id)
        try:
            if not is_scheduled:  # a job of the schedule acts for the lab
                acting = acting.acting(task.actor, detail=detail_of(task))
            with _beating(reporter):
                handler = self.handlers[task.kind]
                return TaskStatus.DONE, handler(acting, params, reporter, reporter.is_to_stop), None
        except TaskCancelledError:
            return TaskStatus.CANCELLED, None, None
        except TaskInterruptedError as reason:
            if reporter.is_cancelled:
                return TaskStatus.CANCELLED, None, None
            return TaskStatus.INTERRUPTED, None, str(reason)
        except (SpinneretError, DatabaseError) as problem:
            return TaskStatus.FAILED, None, str(problem)
        except Exception as problem:  # a fault of the program must not stop the worker
            _LOG.exception("job %s (%s) failed by a fault of the program", task.id, task.kind)
            return TaskStatus.FAILED, None, f"a fault of the program: {problem!r}"


@dataclass
class _Reporter:
    """Writes progress and heartbeat, and passes on the wish to stop. Is a ``Progress``."""

    workspace: Workspace
    task: TaskRecord
    should_stop: ShouldStop
    message: str | None = None
    fraction: float | None = None
    is_cancelled: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    last_beat: float = 0.0

    def __call__(
        self,
        stage: str,
        completed: int = 0,
        total: int = 0,
        numbers: Mapping[str, float] | None = None,
    ) -> None:
        values = [f"{name} {value:.3g}" for name, value in (numbers or {}).items()]
        self.message = ", ".join([stage, *values])
        self.fraction = min(1.0, completed / total) if total else None
        if time.monotonic() - self.last_beat > _REPORT_S:
            self.beat()
        if self.is_cancelled:
            raise TaskCancelledError

    def is_to_stop(self) -> bool:
        return self.is_cancelled or self.should_stop()

    def beat(self) -> None:
        self.last_beat = time.monotonic()
        with self.workspace.database.write("task") as tx:
            self.is_cancelled |= tx.tasks.beat(
                self.task.id, now(), progress=self.message, fraction=self.fraction
            )

    def run(self) -> None:
        while not self.over.wait(BEAT_S):
            try:
                self.beat()
            except DatabaseError:
                continue  # busy: the next one will do


@contextmanager
def _beating(reporter: _Reporter) -> Iterator[None]:
    # A thread of its own: a fit says nothing for minutes, and a worker that is silent is taken for
    # dead.
    thread = threading.Thread(target=reporter.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        reporter.over.set()
        thread.join()
