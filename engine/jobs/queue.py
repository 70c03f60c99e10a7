"""The queue of the background: a row of the database for each task, so that none is lost.

::

    queued ──→ running ──→ done | failed
       └──────────┴──────→ cancelled        asked for; a running one stops at its next step
                  └──────→ interrupted      its worker died, or the scheduler was stopped

People queue tasks from the page and the API; the scheduler queues one for each due moment of a job
(:func:`submit_scheduled`), with a row of ``job_runs`` that shares its outcome. A task's row is
progress and outcome only. What it records goes through the same functions as the command line's,
each one transaction, so a task that dies leaves the state before or after.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from db.errors import ConflictError
from db.records import JobOutcome, TaskRecord, TaskStatus
from db.transaction import Transaction
from engine.errors import NotFoundError, StateError, UsageError
from engine.workspace import Workspace
from engine.workspace.leases import is_gone, now
from surrogate.progress import Progress

BENCH = ("propose", "measure")
TRAINING = ("refresh",)
READING = ("read",)
KINDS = (*BENCH, *TRAINING, *READING)
"""Kinds of tasks that people ask for."""

SCHEDULED = "schedule."
"""What the kinds of tasks that only the scheduler queues begin with; a job's name follows."""
SCHEDULED_TRAINING = tuple(f"{SCHEDULED}{job}" for job in ("watch", "refresh", "generator"))
SCHEDULED_UPKEEP = tuple(f"{SCHEDULED}{job}" for job in ("report", "backup", "prune"))
SCHEDULED_KINDS = (*SCHEDULED_TRAINING, *SCHEDULED_UPKEEP)

# Thirty beats of a worker: some may be missed while the database is busy.
DEAD_AFTER_S = 60.0
"""A worker of another machine that has not been heard of for so long is taken for dead."""

_OUTCOMES = {TaskStatus.DONE: JobOutcome.DONE, TaskStatus.FAILED: JobOutcome.FAILED}

ShouldStop = Callable[[], bool]
Handler = Callable[[Workspace, Mapping[str, Any], Progress, ShouldStop], dict[str, Any]]
"""What a kind of task does: the workspace of who asked, the parameters, whom to report to, and
whether it is to stop; its result as JSON. A scheduled one's result has a ``summary``."""


class TaskCancelledError(Exception):
    """Raised inside a task that was asked to stop; never shown to the user."""


class TaskInterruptedError(Exception):
    """Raised by a task that stopped because its worker is to stop; says what is kept."""


# -- queueing --------------------------------------------------------------------------------------


def submit(
    workspace: Workspace,
    kind: str,
    params: Mapping[str, Any],
    *,
    actor: str,
    rerun_of: int | None = None,
) -> TaskRecord:
    """Put a task into the queue, for the campaign that the workspace is at.

    Raises:
        UsageError: there is no such kind.
    """
    # Nobody but the scheduler may ask for its own kinds: they act for the lab, not for a person.
    if kind not in KINDS:
        raise UsageError(f"expected a task of kind {', '.join(KINDS)}, got '{kind}'")
    with workspace.database.write("task") as tx:
        campaign, _ = workspace.active_campaign(tx)
        return tx.tasks.add(
            campaign.id, kind=kind, actor=actor, params=params, at=now(), rerun_of=rerun_of
        )


def submit_scheduled(
    tx: Transaction, job_id: str, due_at: datetime, *, owner: str
) -> TaskRecord | None:
    """Put the task of a job's due moment into the queue; ``None`` if that was done before.

    Args:
        tx: the transaction that also sees that the scheduler may do so.
        job_id: a job of the schedule.
        due_at: when it was due.
        owner: the scheduler's process.

    Raises:
        ConflictError: another scheduler did at the same moment.
        NotFoundError: there is no such job.
    """
    job = tx.schedule.get(job_id)
    if job is None:
        raise NotFoundError(f"there is no job '{job_id}'")
    # (job, due moment) is unique in job_runs: whoever comes second queues nothing.
    run_id = tx.schedule.claim(job_id, due_at, owner=owner, at=now())
    if run_id is None:
        return None
    # The command line's own campaign, as it is now: the task stays with it.
    campaign = tx.campaigns.active() or next(iter(tx.campaigns.all()), None)
    if campaign is None:
        detail = "no campaign is recorded: there is nothing to do"
        # Claimed and closed, or the moment would come up again at every look.
        # No failure: a database that was just made is as it should be.
        tx.schedule.finish(run_id, JobOutcome.DONE, at=now(), detail=detail)
        return None
    params = {"job": job_id, "run": run_id, "args": dict(job.definition.get("args") or {})}
    kind = f"{SCHEDULED}{job.definition['function']}"
    return tx.tasks.add(campaign.id, kind=kind, actor="scheduler", params=params, at=now())


def get(workspace: Workspace, id_: int) -> TaskRecord:
    """Return a task that somebody asked for; in a workspace of one campaign, one of its own.

    Raises:
        NotFoundError: there is none of that number.
    """
    with workspace.database.read() as tx:
        task = tx.tasks.get(id_)
        if task is not None and workspace.campaign_id not in (None, task.campaign_id):
            name = workspace.active_campaign(tx)[0].name
            raise NotFoundError(f"there is no job {id_} in the campaign '{name}'")
    # The schedule's tasks have their own list (`engine schedule`), and are not for people to
    # cancel.
    if task is None or run_of(task) is not None:
        raise NotFoundError(f"there is no job {id_}")
    return task


def newest(
    workspace: Workspace,
    *,
    kinds: Sequence[str] = KINDS,
    before_id: int | None = None,
    n: int = 50,
) -> list[TaskRecord]:
    """Return the campaign's tasks that people asked for, newest first."""
    with workspace.database.read() as tx:
        campaign, _ = workspace.active_campaign(tx)
        return tx.tasks.find(campaign.id, kinds=kinds, before_id=before_id, newest=n)


def cancel(workspace: Workspace, id_: int) -> TaskRecord:
    """Ask a task to stop.

    Raises:
        NotFoundError: there is none of that number.
        StateError: it is over.
    """
    task = get(workspace, id_)
    if task.status.is_over:
        raise StateError(f"job {id_} is {task.status} already: nothing to cancel")
    with workspace.database.write("task") as tx:
        tx.tasks.cancel(id_, now())
    return get(workspace, id_)


def rerun(workspace: Workspace, id_: int, *, actor: str) -> TaskRecord:
    """Queue what a task asked for once more, for the same campaign.

    Raises:
        NotFoundError: there is none of that number.
        StateError: it is not over.
    """
    task = get(workspace, id_)
    if not task.status.is_over:
        raise StateError(f"job {id_} is {task.status}: cancel it before running it again")
    return submit(
        workspace.in_campaign(task.campaign_id), task.kind, task.params, actor=actor, rerun_of=id_
    )


# -- orphans and outcomes --------------------------------------------------------------------------


def tidy(workspace: Workspace, *, lost: str | None = None) -> list[int]:
    """Mark as interrupted what nobody works at any more; return the tasks' ids.

    Args:
        workspace: whose tasks.
        lost: a worker that is known to be gone (see :func:`worker_name`).
    """
    moment = now()
    with workspace.database.read() as tx:
        # A read first: this is asked often, and nearly always there is nothing to write.
        orphans = [task for task in tx.tasks.running() if _is_orphan(task, moment, lost)]
    close_orphans(workspace, orphans)
    return [task.id for task in orphans]


def close_orphans(workspace: Workspace, orphans: Collection[TaskRecord]) -> None:
    """Record what became of running tasks whose worker is gone."""
    for task in orphans:
        # Looked for before anything else: the work is done, whatever was asked for afterwards.
        result = _recorded_result(workspace, task)
        if result is not None:
            finish(workspace, task, TaskStatus.DONE, result=result)
        elif task.is_cancelled:
            finish(workspace, task, TaskStatus.CANCELLED)
        elif run_of(task) is not None:
            finish(workspace, task, TaskStatus.INTERRUPTED, error="its scheduler is gone")
        else:
            reason = "the server stopped while it ran; nothing half-written was kept"
            finish(workspace, task, TaskStatus.INTERRUPTED, error=reason)


def finish(
    workspace: Workspace,
    task: TaskRecord,
    status: TaskStatus,
    *,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Record what came of a running task, and of the run of a job that it was, in one transaction.

    One that is over already stays as it is.
    """
    with workspace.database.write("task") as tx:
        tx.tasks.finish(task.id, status, now(), result=result, error=error)
        if run_of(task) is not None:
            detail = error if result is None else str(result.get("summary", ""))
            _finish_run(tx, task, status, detail)


def run_of(task: TaskRecord) -> int | None:
    """Return the run of a scheduled job that the task is, ``None`` if a person queued it."""
    return task.params.get("run") if task.kind.startswith(SCHEDULED) else None


def _finish_run(tx: Transaction, task: TaskRecord, status: TaskStatus, detail: str | None) -> None:
    outcome = _OUTCOMES.get(status, JobOutcome.INTERRUPTED)
    with suppress(ConflictError):  # it was closed already
        tx.schedule.finish(int(task.params["run"]), outcome, at=now(), detail=detail)


def _is_orphan(task: TaskRecord, moment: datetime, lost: str | None) -> bool:
    if task.worker is None or task.worker == lost:
        return True
    host, _, pid = task.worker.rpartition(":")
    if host == socket.gethostname():
        # Start 0 stands for "any": a worker's name does not tell when its process began.
        return is_gone(f"{host}/{pid}/0")  # a worker that nobody has reaped is gone, too
    last_beat = task.heartbeat_at or task.created_at
    return moment - last_beat > timedelta(seconds=DEAD_AFTER_S)


def _recorded_result(workspace: Workspace, task: TaskRecord) -> dict[str, Any] | None:
    """Return the result of a task that recorded its work and died before it could say so."""
    if task.kind != "propose":
        return None
    with workspace.database.read() as tx:
        # "job N" in the audit trail was written in the transaction of the batch itself.
        batch = tx.batches.of_change(detail_of(task))
    return None if batch is None else {"batch": batch}


# -- names ---------------------------------------------------------------------------------------


def detail_of(task: TaskRecord) -> str:
    """Return what the audit trail says of a change that a task made."""
    return f"job {task.id}"


def worker_name(pid: int | None = None) -> str:
    """Return how this process (or another of this machine) is called as a worker."""
    return f"{socket.gethostname()}:{os.getpid() if pid is None else pid}"
