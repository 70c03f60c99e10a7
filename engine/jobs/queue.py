"""Tasks of the background: a row of the database each, so that none is lost with the process.

::

    queued ──→ running ──→ done | failed
       └──────────┴──────→ cancelled        asked for; a running one stops at its next step
                  └──────→ interrupted      its worker died; it can be run again

A task's row is progress and outcome only. What it records goes through the same functions as the
command line's, each one transaction, so a task that dies leaves the state before or after.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from db.errors import DatabaseError
from db.records import TaskRecord, TaskStatus
from engine.errors import NotFoundError, SpinneretError, StateError, UsageError
from engine.workspace import Workspace
from engine.workspace.leases import is_gone

BENCH = ("propose", "measure")
TRAINING = ("refresh",)
KINDS = (*BENCH, *TRAINING)

BEAT_S = 2.0
DEAD_AFTER_S = 60.0
"""A worker of another machine that has not been heard of for so long is taken for dead."""

Tell = Callable[..., None]
"""``tell(message, fraction=None)``: what is being done, and how far it is (0 … 1)."""

Work = Callable[[Workspace, Mapping[str, Any], Tell], dict[str, Any]]
"""What a kind of task does: the workspace of who asked, the parameters; its result as JSON."""


class TaskCancelledError(Exception):
    """Raised inside a task that was asked to stop; never told to the user."""


def submit(
    workspace: Workspace,
    kind: str,
    params: Mapping[str, Any],
    *,
    actor: str,
    rerun_of: int | None = None,
) -> TaskRecord:
    """Put a task into the queue, for the active campaign.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in KINDS:
        raise UsageError(f"expected a task of kind {', '.join(KINDS)}, got '{kind}'")
    with workspace.database.write("task") as tx:
        campaign, _ = workspace.active_campaign(tx)
        return tx.tasks.add(
            campaign.id,
            kind=kind,
            actor=actor,
            params=params,
            at=datetime.now(UTC),
            rerun_of=rerun_of,
        )


def get(workspace: Workspace, id_: int) -> TaskRecord:
    """Return a task.

    Raises:
        NotFoundError: there is none of that number.
    """
    with workspace.database.read() as tx:
        found = tx.tasks.get(id_)
    if found is None:
        raise NotFoundError(f"there is no job {id_}")
    return found


def newest(
    workspace: Workspace,
    *,
    kinds: Sequence[str] | None = None,
    before: int | None = None,
    n: int = 50,
) -> list[TaskRecord]:
    """Return the active campaign's tasks, newest first."""
    with workspace.database.read() as tx:
        campaign, _ = workspace.active_campaign(tx)
        return tx.tasks.find(campaign.id, kinds=kinds, before=before, newest=n)


def cancel(workspace: Workspace, id_: int) -> TaskRecord:
    """Ask a task to stop.

    Raises:
        NotFoundError: there is none of that number.
        StateError: it is over.
    """
    found = get(workspace, id_)
    if found.status.is_over:
        raise StateError(f"job {id_} is {found.status} already: nothing to cancel")
    with workspace.database.write("task") as tx:
        tx.tasks.cancel(id_, datetime.now(UTC))
    return get(workspace, id_)


def again(workspace: Workspace, id_: int, *, actor: str) -> TaskRecord:
    """Queue what a task asked for once more.

    Raises:
        NotFoundError: there is none of that number.
        StateError: it is not over, or it was of another campaign.
    """
    found = get(workspace, id_)
    if not found.status.is_over:
        raise StateError(f"job {id_} is {found.status}: cancel it before running it again")
    with workspace.database.read() as tx:
        campaign, _ = workspace.active_campaign(tx)
    if campaign.id != found.campaign_id:
        raise StateError(f"job {id_} was of another campaign than '{campaign.name}'")
    return submit(workspace, found.kind, found.params, actor=actor, rerun_of=id_)


def tidy(workspace: Workspace, *, lost: str | None = None) -> list[int]:
    """Mark as interrupted what nobody works at any more; return the tasks' ids.

    Args:
        workspace: whose tasks.
        lost: a worker that is known to be gone (see :func:`worker_name`).
    """
    now = datetime.now(UTC)
    with workspace.database.read() as tx:
        orphans = [task for task in tx.tasks.running() if _is_orphan(task, now, lost)]
    for task in orphans:
        done = _done_all_the_same(workspace, task)
        with workspace.database.write("task") as tx:
            if done is not None:
                tx.tasks.finish(task.id, TaskStatus.DONE, now, result=done)
            elif task.is_cancelled:
                tx.tasks.finish(task.id, TaskStatus.CANCELLED, now)
            else:
                why = "the server stopped while it ran; nothing half-written was kept"
                tx.tasks.finish(task.id, TaskStatus.INTERRUPTED, now, error=why)
    return [task.id for task in orphans]


def work(workspace: Workspace, kinds: Sequence[str], doing: Mapping[str, Work]) -> bool:
    """Take the oldest waiting task of these kinds and do it; return whether there was one."""
    with workspace.database.read() as tx:
        if not tx.tasks.has_waiting(kinds):
            return False
    with workspace.database.write("task") as tx:
        task = tx.tasks.claim(kinds, worker_name(), datetime.now(UTC))
        active = tx.campaigns.active()
    if task is None:
        return False
    status, result, error = TaskStatus.DONE, None, None
    try:
        if active is None or active.id != task.campaign_id:
            raise StateError("another campaign is active now; switch back and run it again")
        acting = workspace.acting(task.actor, detail=detail_of(task))
        with _beating(workspace, task) as reporter:
            result = doing[task.kind](acting, task.params, reporter.tell)
    except TaskCancelledError:
        status = TaskStatus.CANCELLED
    except (SpinneretError, DatabaseError) as problem:
        status, error = TaskStatus.FAILED, str(problem)
    except Exception as problem:  # a fault of the program must not stop the worker
        status, error = TaskStatus.FAILED, f"a fault of the program: {problem!r}"
    with workspace.database.write("task") as tx:
        tx.tasks.finish(task.id, status, datetime.now(UTC), result=result, error=error)
    return True


def detail_of(task: TaskRecord) -> str:
    """Return what the audit trail tells of a change that a task made."""
    return f"job {task.id}"


def worker_name(pid: int | None = None) -> str:
    """Return how this process (or another of this machine) is called as a worker."""
    return f"{socket.gethostname()}:{os.getpid() if pid is None else pid}"


@dataclass
class _Reporter:
    """Writes progress and heartbeat, and passes on the wish to stop."""

    workspace: Workspace
    task: TaskRecord
    message: str | None = None
    fraction: float | None = None
    is_cancelled: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    last: float = 0.0

    def tell(self, message: str, fraction: float | None = None) -> None:
        self.message, self.fraction = message, fraction
        if time.monotonic() - self.last > 0.25:
            self.beat()
        if self.is_cancelled:
            raise TaskCancelledError

    def beat(self) -> None:
        self.last = time.monotonic()
        with self.workspace.database.write("task") as tx:
            self.is_cancelled |= tx.tasks.beat(
                self.task.id, datetime.now(UTC), progress=self.message, fraction=self.fraction
            )

    def run(self) -> None:
        while not self.over.wait(BEAT_S):
            try:
                self.beat()
            except DatabaseError:
                continue  # busy: the next one will do


@contextmanager
def _beating(workspace: Workspace, task: TaskRecord) -> Iterator[_Reporter]:
    reporter = _Reporter(workspace, task)
    thread = threading.Thread(target=reporter.run, daemon=True)
    thread.start()
    try:
        yield reporter
    finally:
        reporter.over.set()
        thread.join()


def _is_orphan(task: TaskRecord, now: datetime, lost: str | None) -> bool:
    if task.worker is None or task.worker == lost:
        return True
    host, _, pid = task.worker.rpartition(":")
    if host == socket.gethostname():
        return is_gone(f"{host}/{pid}/0")  # a worker that nobody has reaped is gone, too
    heard = task.heartbeat_at or task.created_at
    return now - heard > timedelta(seconds=DEAD_AFTER_S)


def _done_all_the_same(workspace: Workspace, task: TaskRecord) -> dict[str, Any] | None:
    """Return the result of a task that recorded its work and died before it could say so."""
    if task.kind != "propose":
        return None
    with workspace.database.read() as tx:
        batch = tx.batches.of_change(detail_of(task))
    return None if batch is None else {"batch": batch}
