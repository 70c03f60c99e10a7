"""Tasks of the background: queued, done, cancelled, interrupted, run again."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from db.records import TaskStatus
from engine.errors import NotFoundError, StateError, UsageError
from engine.jobs import queue as tasks
from engine.jobs.kinds import TASK_HANDLERS, request_of
from engine.jobs.queue import TaskCancelledError
from engine.jobs.worker import work
from engine.workspace import Workspace
from engine.workspace.leases import is_gone
from surrogate.progress import Progress, silent

SMALL = {"n": 2, "strategy": "sobol", "seed": 1}


def test_a_batch_is_proposed_in_the_name_of_who_asked(workspace: Workspace) -> None:
    task = tasks.submit(workspace, "propose", SMALL, actor="anna")
    assert work(workspace, tasks.BENCH, TASK_HANDLERS)
    assert not work(workspace, tasks.BENCH, TASK_HANDLERS)
    done = tasks.get(workspace, task.id)
    assert done.status is TaskStatus.DONE, done.error
    assert done.result is not None
    with workspace.database.read() as tx:
        batch = tx.batches.get(done.result["batch"])
        assert batch is not None
        assert batch.created_by == "anna"
        assert tx.changes(limit=1)[0].detail == f"job {task.id}"


def test_what_a_user_asked_wrongly_is_told_in_the_row(workspace: Workspace) -> None:
    task = tasks.submit(workspace, "propose", {**SMALL, "fixed": {"voltage": 99.0}}, actor="a")
    work(workspace, tasks.BENCH, TASK_HANDLERS)
    done = tasks.get(workspace, task.id)
    assert done.status is TaskStatus.FAILED
    assert done.error is not None
    assert "expected voltage [kV] between 16 and 22" in done.error


def test_a_fault_does_not_stop_the_worker(workspace: Workspace) -> None:
    def broken(*_: Any) -> dict[str, Any]:
        raise ZeroDivisionError

    task = tasks.submit(workspace, "propose", SMALL, actor="anna")
    assert work(workspace, tasks.BENCH, {"propose": broken})
    assert "ZeroDivisionError" in str(tasks.get(workspace, task.id).error)


def test_a_running_one_stops_at_its_next_step(workspace: Workspace) -> None:
    task = tasks.submit(workspace, "propose", SMALL, actor="anna")
    begun = threading.Event()

    def slow(_: Workspace, __: Any, progress: Progress, ___: Any) -> dict[str, Any]:
        for step in range(200):
            begun.set()
            progress("counting", step, 200)
            time.sleep(0.02)
        return {}

    thread = threading.Thread(target=work, args=(workspace, tasks.BENCH, {"propose": slow}))
    thread.start()
    assert begun.wait(10)
    tasks.cancel(workspace, task.id)
    thread.join(10)
    done = tasks.get(workspace, task.id)
    assert (done.status, done.progress) == (TaskStatus.CANCELLED, "counting")
    with pytest.raises(StateError, match="cancelled already"):
        tasks.cancel(workspace, task.id)


def claimed_by(workspace: Workspace, worker: str) -> int:
    from datetime import UTC, datetime

    task = tasks.submit(workspace, "propose", SMALL, actor="anna")
    with workspace.database.write("task") as tx:
        assert tx.tasks.claim(tasks.BENCH, worker, datetime.now(UTC)) is not None
    return task.id


def test_what_a_dead_worker_left_is_interrupted_and_can_be_run_again(
    workspace: Workspace,
) -> None:
    id_ = claimed_by(workspace, tasks.worker_name(2**22 - 1))
    assert tasks.tidy(workspace) == [id_]
    lost = tasks.get(workspace, id_)
    assert lost.status is TaskStatus.INTERRUPTED
    assert "nothing half-written" in str(lost.error)
    again = tasks.rerun(workspace, id_, actor="ben")
    assert (again.rerun_of, dict(again.params), again.status) == (id_, SMALL, TaskStatus.QUEUED)
    with pytest.raises(StateError, match="cancel it before"):
        tasks.rerun(workspace, again.id, actor="ben")


def test_what_recorded_its_batch_before_it_died_is_done(workspace: Workspace) -> None:
    id_ = claimed_by(workspace, tasks.worker_name(2**22 - 1))
    acting = workspace.acting("anna", detail=f"job {id_}")
    result = TASK_HANDLERS["propose"](acting, SMALL, silent, lambda: False)
    tasks.tidy(workspace)
    done = tasks.get(workspace, id_)
    assert (done.status, done.result) == (TaskStatus.DONE, {"batch": result["batch"]})


def test_a_living_workers_task_is_left_alone(workspace: Workspace) -> None:
    claimed_by(workspace, tasks.worker_name())
    claimed_by(workspace, "elsewhere:1")
    assert tasks.tidy(workspace) == []


def test_what_is_not_there(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="no job 5"):
        tasks.get(workspace, 5)
    with pytest.raises(UsageError, match="expected a task of kind"):
        tasks.submit(workspace, "sing", {}, actor="anna")
    assert tasks.newest(workspace) == []
    assert issubclass(TaskCancelledError, Exception)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"n": 101}, "1 to 100 runs"),
        ({"strategy": "luck"}, "unknown strategy 'luck'"),
        ({"at": {"humidty": 5}}, "Did you mean 'humidity'"),
        ({"at": {"humidity": 500}}, "at most 100"),
        ({"fixed": {"voltage": 17.3}}, "on the instrument's settings"),
        ({"max_distinct": {"voltage": 0}}, "1 or more"),
    ],
)
def test_requests_are_checked_before_anything_is_computed(
    workspace: Workspace, params: dict[str, Any], told: str
) -> None:
    with workspace.database.read() as tx:
        _, campaign = workspace.active_campaign(tx)
    with pytest.raises(UsageError, match=told):
        request_of(params, campaign, workspace.settings.propose)


def test_the_task_of_a_worker_that_nobody_reaped_is_interrupted(workspace: Workspace) -> None:
    task = tasks.submit(workspace, "propose", {"n": 2}, actor="anna")
    child = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 30
    while not is_gone(f"{socket.gethostname()}/{child.pid}/0"):  # ended, its parent never asked
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with workspace.database.write("test") as tx:
        tx.tasks.claim(tasks.BENCH, tasks.worker_name(child.pid), datetime.now(UTC))
    assert tasks.tidy(workspace) == [task.id]
    assert tasks.get(workspace, task.id).status is TaskStatus.INTERRUPTED
    child.wait()
