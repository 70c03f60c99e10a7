"""The schedule: plain rows, once each, whoever dies, whatever the clock does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.exposition import generate_latest

from db.records import JobOutcome, JobRecord, TaskStatus
from engine.errors import DataError, NotFoundError, StateError
from engine.jobs import queue
from engine.jobs.kinds import TASK_HANDLERS
from engine.jobs.metrics import registry_of, serve
from engine.jobs.queue import TaskInterruptedError
from engine.jobs.schedule import (
    JOBS,
    configured_jobs,
    pause,
    resume,
    schedule_status,
    sync,
    trigger,
)
from engine.jobs.scheduler import Scheduler
from engine.jobs.store import JsonJobStore, next_after
from engine.workspace import Workspace
from engine.workspace.leases import SCHEDULER, now, try_acquire
from surrogate.progress import silent

ROOT = Path(__file__).resolve().parents[3]
Engine = Callable[..., Any]


def put(workspace: Workspace, id_: str, moment: datetime | None, **changes: Any) -> None:
    definition = {
        "function": id_, "args": {}, "trigger": {"every_s": 3600.0}, "coalesce": True,
        "late_by_s": 86400.0, **changes,
    }  # fmt: skip
    with workspace.database.write("test") as tx:
        tx.schedule.put(JobRecord(id_, moment, definition))


def runs(workspace: Workspace, id_: str) -> list[JobOutcome]:
    with workspace.database.read() as tx:
        return [run.outcome for run in tx.schedule.runs(id_)]


def next_run_at(workspace: Workspace, id_: str) -> datetime:
    with workspace.database.read() as tx:
        job = tx.schedule.get(id_)
    assert job is not None
    assert job.next_run_at is not None
    return job.next_run_at


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the jobs by one that only counts; nothing else is due by itself."""
    calls: list[str] = []

    def work(workspace: Workspace, *_: Any) -> dict[str, Any]:
        calls.append("report")
        return {"summary": f"call {len(calls)}"}

    monkeypatch.setitem(TASK_HANDLERS, "schedule.report", work)
    return calls


@pytest.fixture
def started() -> Iterator[Callable[..., Scheduler]]:
    """Return a function that starts a scheduler in a thread; it ends with the test."""
    found: list[tuple[Scheduler, threading.Thread]] = []

    def start(workspace: Workspace, **settings: float) -> Scheduler:
        scheduler = Scheduler(workspace, **{"ttl_s": 2.0, "look_s": 0.1, "grace_s": 2.0} | settings)
        thread = threading.Thread(target=scheduler.run)
        thread.start()
        found.append((scheduler, thread))
        return scheduler

    yield start
    for scheduler, _ in found:
        scheduler.stop()
    for _, thread in found:
        thread.join(timeout=15)
        assert not thread.is_alive()


class TestRows:
    def test_follow_the_configuration(self, workspace: Workspace) -> None:
        sync(workspace)
        found = schedule_status(workspace)
        assert {one.job.id for one in found.jobs} == set(JOBS)
        assert found.holder is None
        assert all(one.job.next_run_at for one in found.jobs)
        put(workspace, "old", now(), function="report")
        sync(workspace)
        assert {one.job.id for one in schedule_status(workspace).jobs} == set(JOBS)

    @pytest.mark.parametrize("which", ["auto", "starter", "none"])
    def test_a_fixed_generator_is_not_trained_on(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, which: str
    ) -> None:
        monkeypatch.setenv("SPINNERET_GENERATOR__PRETRAINED", which)
        with Workspace.open(folder / "config.toml") as workspace:
            found = {one.job.id for one in schedule_status(workspace).jobs}
        assert set(JOBS) - found == (set() if which == "auto" else {"generator"})

    def test_pause_resume_trigger(self, workspace: Workspace) -> None:
        pause(workspace, "report")
        sync(workspace)
        assert {one.job.id for one in schedule_status(workspace).jobs if one.is_paused} == {
            "report"
        }
        with pytest.raises(StateError, match="is paused"):
            trigger(workspace, "report")
        moment = resume(workspace, "report")
        assert moment is not None
        assert moment > now()
        assert trigger(workspace, "report") is False
        with pytest.raises(NotFoundError, match="Did you mean 'report'"):
            pause(workspace, "raport")

    def test_what_is_switched_off(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SPINNERET_SCHEDULE__REPORT", "")
        with Workspace.open(folder / "config.toml") as workspace:
            assert "report" not in configured_jobs(workspace)
            with pytest.raises(NotFoundError, match="switched off"):
                trigger(workspace, "report")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"function": "os.system"}, "names the function 'os.system'"),
            ({"trigger": {"date": 1}}, "expected a cron expression"),
            ({"trigger": {"cron": "x x x x x"}}, "expected a cron expression"),
        ],
    )
    def test_foreign_rows_are_refused(
        self, workspace: Workspace, changes: dict[str, Any], message: str
    ) -> None:
        put(workspace, "report", now() - timedelta(seconds=1), **changes)
        with pytest.raises(DataError, match=message):
            JsonJobStore(workspace.database).get_due_jobs(now())

    def test_a_clock_set_back_by_a_day(self, workspace: Workspace) -> None:
        tomorrow = now() + timedelta(days=1)
        put(workspace, "report", tomorrow)
        put(workspace, "prune", tomorrow, trigger={"cron": "0 3 * * *"})
        put(workspace, "backup", None)
        store = JsonJobStore(workspace.database)
        assert store.get_due_jobs(now()) == []
        moment = store.get_next_run_time()
        assert moment is not None
        assert moment <= now() + timedelta(hours=1)
        with workspace.database.read() as tx:
            paused = tx.schedule.get("backup")
        assert paused is not None
        assert paused.next_run_at is None

    def test_next_moments(self) -> None:
        start = datetime(2026, 11, 25, 2, 59, tzinfo=UTC)
        cron = {"trigger": {"cron": "0 3 * * *", "timezone": "Europe/Berlin"}}
        found = next_after(cron, start)
        assert found is not None
        assert found.astimezone(UTC) == datetime(2026, 11, 26, 2, 0, tzinfo=UTC)


class TestRunning:
    def test_missed_runs_coalesce(
        self, workspace: Workspace, counted: list[str], started: Callable[..., Scheduler]
    ) -> None:
        sync(workspace)
        put(workspace, "report", now() - timedelta(hours=10, minutes=1))
        put(workspace, "backup", None)
        with workspace.database.read() as tx:
            wanted_ = tx.schedule.get("report")
        assert wanted_ is not None
        scheduler = started(workspace)
        # the definition differs from the configuration's: sync moves it, so trigger by hand
        wait_for(lambda: scheduler.is_working)
        trigger(workspace, "report")
        wait_for(lambda: runs(workspace, "report")[:1] == [JobOutcome.DONE])
        assert len(counted) <= 2
        with workspace.database.read() as tx:
            (newest, *_) = tx.schedule.runs("report")
        assert newest.detail == f"call {len(counted)}"

    def test_two_schedulers_run_it_once(
        self, folder: Path, counted: list[str], started: Callable[..., Scheduler]
    ) -> None:
        config = folder / "config.toml"
        with Workspace.open(config) as one, Workspace.open(config) as other:
            sync(one)
            first = started(one)
            wait_for(lambda: first.is_working)
            second = started(other)
            for n in range(3):
                trigger(one, "report")
                wait_for(lambda n=n: len(counted) == n + 1)  # type: ignore[misc]
            assert not second.is_working
            wait_for(lambda: runs(one, "report") == [JobOutcome.DONE] * 3)
            first.stop()
            wait_for(lambda: second.is_working)
            trigger(one, "report")
            wait_for(lambda: len(counted) == 4)
            first.stop()
            second.stop()
            wait_for(lambda: not second.is_working)

    def test_a_due_moment_queues_one_task_whoever_sees_it(self, folder: Path) -> None:
        config = folder / "config.toml"
        due_at = now()
        queued: list[object] = []
        with Workspace.open(config) as one, Workspace.open(config) as other:
            sync(one)

            def enqueue(workspace: Workspace) -> None:
                with workspace.database.write("test") as tx:
                    queued.append(queue.submit_scheduled(tx, "report", due_at, owner="a/1/1"))

            threads = [threading.Thread(target=enqueue, args=(each,)) for each in (one, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=30)
            with one.database.read() as tx:
                tasks = tx.tasks.unfinished(queue.SCHEDULED_KINDS)
                assert [run.due_at for run in tx.schedule.runs("report")] == [due_at]
        assert len(queued) == 2
        assert [task.kind for task in tasks] == ["schedule.report"]
        assert [task for task in queued if task is not None] == tasks

    def test_tasks_and_runs_end_together(
        self, workspace: Workspace, counted: list[str], started: Callable[..., Scheduler]
    ) -> None:
        sync(workspace)
        started(workspace)
        trigger(workspace, "report")
        wait_for(lambda: runs(workspace, "report") == [JobOutcome.DONE])
        with workspace.database.read() as tx:
            assert tx.tasks.unfinished(queue.SCHEDULED_KINDS) == []
            (run,) = tx.schedule.runs("report")
            (task,) = tx.tasks.find(1, kinds=["schedule.report"])
        assert (task.params["run"], task.status) == (run.id, TaskStatus.DONE)
        assert task.result == {"summary": run.detail}
        assert queue.newest(workspace) == []  # nobody asked for it
        with pytest.raises(NotFoundError, match=f"no job {task.id}"):
            queue.cancel(workspace, task.id)

    def test_a_worker_killed_in_the_middle(
        self, folder: Path, counted: list[str], started: Callable[..., Scheduler]
    ) -> None:
        script = (
            "import sys, time\n"
            "from pathlib import Path\n"
            "from engine.jobs.kinds import TASK_HANDLERS\n"
            "from engine.jobs.scheduler import Scheduler\n"
            "from engine.workspace import Workspace\n"
            "TASK_HANDLERS['schedule.report'] = lambda *_: time.sleep(600)\n"
            "with Workspace.open(Path(sys.argv[1])) as workspace:\n"
            "    Scheduler(workspace, ttl_s=2.0, look_s=0.1).run()\n"
        )
        config = folder / "config.toml"
        with Workspace.open(config) as workspace:
            sync(workspace)
            trigger(workspace, "report")
            process = subprocess.Popen(
                [sys.executable, "-c", script, str(config)],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

            def is_under_way() -> bool:
                with workspace.database.read() as tx:
                    tasks = tx.tasks.unfinished(["schedule.report"])
                return [task.status for task in tasks] == [TaskStatus.RUNNING]

            try:
                wait_for(is_under_way)
            finally:
                process.kill()
                process.wait()
            assert runs(workspace, "report") == [JobOutcome.RUNNING]
            scheduler = started(workspace)
            wait_for(lambda: runs(workspace, "report") == [JobOutcome.INTERRUPTED])
            with workspace.database.read() as tx:
                (task,) = tx.tasks.find(1, kinds=["schedule.report"])
                (run,) = tx.schedule.runs("report")
            assert task.status is TaskStatus.INTERRUPTED
            assert run.detail == task.error == "its scheduler is gone"
            assert scheduler.is_working
            trigger(workspace, "report")
            wait_for(lambda: runs(workspace, "report") == [JobOutcome.DONE, JobOutcome.INTERRUPTED])

    def test_what_a_dead_scheduler_only_queued_is_done_once(
        self, workspace: Workspace, counted: list[str], started: Callable[..., Scheduler]
    ) -> None:
        sync(workspace)
        with workspace.database.write("test") as tx:
            queue.submit_scheduled(tx, "report", now(), owner="elsewhere/1/1")
        started(workspace)
        wait_for(lambda: runs(workspace, "report") == [JobOutcome.DONE])
        assert counted == ["report"]

    def test_a_run_under_way_is_not_doubled(
        self,
        workspace: Workspace,
        started: Callable[..., Scheduler],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        release = threading.Event()
        n_calls = [0]

        def work(*_: Any) -> dict[str, Any]:
            n_calls[0] += 1
            assert release.wait(30)
            return {"summary": "late"}

        monkeypatch.setitem(TASK_HANDLERS, "schedule.report", work)
        sync(workspace)
        started(workspace)
        trigger(workspace, "report")
        wait_for(lambda: n_calls[0] == 1)
        trigger(workspace, "report")  # skipped: the job moves on to its next time
        wait_for(lambda: next_run_at(workspace, "report") > now())
        release.set()
        wait_for(lambda: runs(workspace, "report") == [JobOutcome.DONE])
        assert n_calls == [1]

    def test_two_schedulers_on_postgresql(
        self,
        folder: Path,
        counted: list[str],
        postgres_url: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with (
            Workspace.open(folder / "config.toml") as workspace,
            workspace.database.read() as tx,
        ):
            record, _ = workspace.active_campaign(tx)
        monkeypatch.setenv("SPINNERET_DATABASE__URL", postgres_url)
        config = folder / "config.toml"
        with Workspace.open(config) as one, Workspace.open(config) as other:
            with one.database.write("init") as tx:
                tx.campaigns.create(record.name, dict(record.definition))
            sync(one)
            schedulers = [Scheduler(each, ttl_s=2.0, look_s=0.1) for each in (one, other)]
            threads = [threading.Thread(target=each.run) for each in schedulers]
            for thread in threads:
                thread.start()
            wait_for(lambda: any(each.is_working for each in schedulers))
            for n in range(5):
                trigger(other, "report")
                wait_for(lambda n=n: len(counted) == n + 1)  # type: ignore[misc]
            wait_for(lambda: runs(one, "report") == [JobOutcome.DONE] * 5)
            assert sum(each.is_working for each in schedulers) == 1
            for each in schedulers:
                each.stop()
            for thread in threads:  # before their connections are closed
                thread.join(timeout=30)
                assert not thread.is_alive()

    def test_what_died_is_closed(
        self, workspace: Workspace, counted: list[str], started: Callable[..., Scheduler]
    ) -> None:
        with workspace.database.write("test") as tx:
            tx.schedule.claim("report", now(), owner="elsewhere/1/1", at=now())
        dead = try_acquire(workspace.database, SCHEDULER, owner="elsewhere/1/1", ttl_s=0.3)
        assert dead is not None
        scheduler = started(workspace, ttl_s=0.3)
        wait_for(lambda: scheduler.is_working)
        wait_for(lambda: runs(workspace, "report") == [JobOutcome.INTERRUPTED])

    def test_a_failure_is_told(
        self,
        workspace: Workspace,
        counted: list[str],
        started: Callable[..., Scheduler],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def fail(*_: Any) -> dict[str, Any]:
            raise DataError("no paper")

        monkeypatch.setitem(TASK_HANDLERS, "schedule.report", fail)
        sync(workspace)
        started(workspace)
        trigger(workspace, "report")
        wait_for(lambda: runs(workspace, "report") == [JobOutcome.FAILED])

    def test_a_job_is_asked_to_stop(
        self,
        workspace: Workspace,
        counted: list[str],
        started: Callable[..., Scheduler],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def work(_: Any, __: Any, ___: Any, should_stop: Callable[[], bool]) -> dict[str, Any]:
            while not should_stop():
                time.sleep(0.02)
            raise TaskInterruptedError("kept")

        monkeypatch.setitem(TASK_HANDLERS, "schedule.report", work)
        sync(workspace)
        scheduler = started(workspace)
        trigger(workspace, "report")
        wait_for(lambda: runs(workspace, "report") == [JobOutcome.RUNNING])
        scheduler.stop()
        wait_for(lambda: runs(workspace, "report") == [JobOutcome.INTERRUPTED])

    def test_jobs_of_its_own(self, workspace: Workspace) -> None:
        def summary_of(job: str) -> str:
            handler = TASK_HANDLERS[f"schedule.{job}"]
            return str(handler(workspace, {}, silent, lambda: False)["summary"])

        assert "not due" in summary_of("watch")
        assert summary_of("refresh") == "nothing is new"
        assert "not due: 0 micrographs" in summary_of("generator")
        for _ in range(2):
            made = summary_of("backup")
            time.sleep(1.05)
        assert ".db, 0 older removed" in made
        assert "0 models" in summary_of("prune")

    def test_every_job_has_a_handler_and_a_lane(self) -> None:
        kinds = {f"schedule.{job}" for job in JOBS}
        assert kinds == set(queue.SCHEDULED_KINDS)
        assert kinds | set(queue.KINDS) == set(TASK_HANDLERS)


class TestMetrics:
    def test_text(self, workspace: Workspace) -> None:
        sync(workspace)
        with workspace.database.write("test") as tx:
            id_ = tx.schedule.claim("backup", now(), owner="a", at=now())
            assert id_ is not None
            tx.schedule.finish(id_, JobOutcome.DONE, at=now())
        told = generate_latest(registry_of(workspace, lambda: True)).decode()
        assert "spinneret_scheduler_working 1.0" in told
        assert 'spinneret_job_runs_total{job="backup",outcome="done"} 1.0' in told
        assert "spinneret_refresh_due 0.0" in told
        assert "spinneret_database_up 1.0" in told

    def test_over_http_on_the_loopback(self, workspace: Workspace) -> None:
        server, thread = serve(workspace, lambda: False, 0)
        try:
            assert server.server_address[0] == "127.0.0.1"
            url = f"http://127.0.0.1:{server.server_address[1]}/metrics"
            with urllib.request.urlopen(url, timeout=10) as answer:
                assert b"spinneret_scheduler_working 0.0" in answer.read()
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class TestCommand:
    def test_list_pause_resume_trigger(self, engine: Engine) -> None:
        assert {one["job"] for one in engine("schedule", "list", "--json").json["items"]} == set(
            JOBS
        )
        assert "report is paused" in engine("schedule", "pause", "report").out
        assert "paused" in engine("schedule", "list").out
        assert "runs again, next at" in engine("schedule", "resume", "report").out
        answer = engine("schedule", "trigger", "report")
        assert (answer.exit_code, "no scheduler is at work" in answer.err) == (0, True)
        assert engine("schedule", "pause", "nothing").exit_code == 1

    def test_sigterm_ends_it_within_ten_seconds(self, folder: Path) -> None:
        words = [sys.executable, "-m", "engine.cli.app", "schedule", "run", "--json-log"]
        process = subprocess.Popen(
            words, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        first = json.loads(process.stderr.readline())
        assert first["event"] == "this scheduler is at work"
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - asked < 10
        process.stderr.close()
        with Workspace.open(folder / "config.toml") as workspace, workspace.database.read() as tx:
            assert tx.leases.get(SCHEDULER) is None
