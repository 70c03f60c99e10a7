"""What a monitoring system may ask the scheduler: Prometheus' text format, on the loopback only.

Everything is read from the database when it is asked for, so that a scheduler that stands by
answers as the one at work does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import start_http_server
from prometheus_client.registry import Collector

from db.errors import DatabaseError
from db.records import JobOutcome, ModelKind
from engine.errors import SpinneretError
from engine.refresh.due import due
from engine.workspace import Workspace
from engine.workspace.leases import SCHEDULER, now

# There is no password on it; who wants more puts a proxy in front.
LOOPBACK = "127.0.0.1"


class EngineCollector(Collector):
    """The metrics of one workspace.

    Args:
        workspace: whose.
        is_working: whether this scheduler holds the lease.
    """

    def __init__(self, workspace: Workspace, is_working: Callable[[], bool]) -> None:
        self._workspace = workspace
        self._is_working = is_working

    def describe(self) -> Iterator[Metric]:
        """Nothing is asked at registration."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        prefix = "spinneret"
        yield _gauge(f"{prefix}_scheduler_working", "1: this scheduler runs the jobs",
                     float(self._is_working()))  # fmt: skip
        try:
            metrics = list(self._from_database(prefix))
        except (DatabaseError, SpinneretError):
            yield _gauge(f"{prefix}_database_up", "1: the database answers", 0.0)
            return
        yield _gauge(f"{prefix}_database_up", "1: the database answers", 1.0)
        yield from metrics

    def _from_database(self, prefix: str) -> Iterator[Metric]:
        workspace = self._workspace
        with workspace.database.read() as tx:
            record, _ = workspace.active_campaign(tx)
            news = due(tx, record.id, workspace.settings.refresh)
            runs = tx.schedule.runs(limit=1000)
            jobs = tx.schedule.jobs()
            lease = tx.leases.get(SCHEDULER)
            champion = tx.models.champion(record.id, ModelKind.SURROGATE)
            refreshes = tx.refreshes.find(record.id, limit=1000)
        yield _gauge(f"{prefix}_new_results", "Runs with results since the last training",
                     float(news.n_results))  # fmt: skip
        yield _gauge(f"{prefix}_new_micrographs", "Micrographs since the last training",
                     float(news.n_micrographs))  # fmt: skip
        yield _gauge(f"{prefix}_refresh_due", "1: a trigger of [refresh] is pulled",
                     float(news.is_due))  # fmt: skip
        yield _gauge(f"{prefix}_champion", "Number of the surrogate that serves, 0: the starter",
                     0.0 if champion is None else float(champion.id))  # fmt: skip
        if lease is not None:
            age = (now() - lease.heartbeat_at).total_seconds()
            name = f"{prefix}_scheduler_heartbeat_age_seconds"
            yield _gauge(name, "Seconds since the scheduler at work gave a sign of life", age)
        ran = CounterMetricFamily(
            f"{prefix}_job_runs", "Runs of jobs, of those remembered", labels=["job", "outcome"]
        )
        counts: dict[tuple[str, str], int] = {}
        for run in runs:
            key = run.job_id, str(run.outcome)
            counts[key] = counts.get(key, 0) + 1
        for (job, outcome), n in sorted(counts.items()):
            ran.add_metric([job, outcome], float(n))
        yield ran
        last = GaugeMetricFamily(
            f"{prefix}_job_last_success_timestamp_seconds", "When a job last succeeded",
            labels=["job"],
        )  # fmt: skip
        duration = GaugeMetricFamily(
            f"{prefix}_job_last_duration_seconds", "How long it then took", labels=["job"]
        )
        for scheduled in jobs:
            good = next(
                (r for r in runs if r.job_id == scheduled.id and r.outcome is JobOutcome.DONE), None
            )
            if good is not None and good.finished_at is not None:
                last.add_metric([scheduled.id], good.finished_at.timestamp())
                duration.add_metric(
                    [scheduled.id], (good.finished_at - good.started_at).total_seconds()
                )
        yield last
        yield duration
        trained = CounterMetricFamily(
            f"{prefix}_refreshes", "Trainings by what came of them", labels=["outcome"]
        )
        by_outcome: dict[str, int] = {}
        for run_ in refreshes:
            by_outcome[str(run_.outcome)] = by_outcome.get(str(run_.outcome), 0) + 1
        for outcome, n in sorted(by_outcome.items()):
            trained.add_metric([outcome], float(n))
        yield trained


def _gauge(name: str, about: str, value: float) -> Metric:
    gauge = GaugeMetricFamily(name, about)
    gauge.add_metric([], value)
    return gauge


def registry_of(workspace: Workspace, is_working: Callable[[], bool]) -> CollectorRegistry:
    """Return a registry with the metrics of a workspace."""
    registry = CollectorRegistry()
    registry.register(EngineCollector(workspace, is_working))
    return registry


def serve(
    workspace: Workspace, is_working: Callable[[], bool], port: int
) -> tuple[ThreadingHTTPServer | Any, threading.Thread]:
    """Answer ``GET /metrics`` on the loopback; return the server, to be shut down, and its thread.

    Raises:
        OSError: the port is taken.
    """
    return start_http_server(port, addr=LOOPBACK, registry=registry_of(workspace, is_working))
