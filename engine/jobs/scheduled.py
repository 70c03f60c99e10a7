"""What the scheduler runs: functions by name, each of which says in a sentence what it did.

They are the functions that the commands call. Heavy libraries are loaded when a job begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from db.records import ModelKind, RefreshOutcome
from db.urls import sqlite_path
from engine.errors import StateError, spell
from engine.workspace import Workspace

ShouldStop = Callable[[], bool]
Work = Callable[[Workspace, Mapping[str, Any], ShouldStop], str]


class InterruptedJobError(Exception):
    """A job was asked to stop, and did; the message says what is kept."""


def watch(workspace: Workspace, args: Mapping[str, Any], should_stop: ShouldStop) -> str:
    """Refresh if a trigger of ``[refresh]`` is pulled."""
    from engine.refresh.due import due

    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        found = due(tx, record.id, workspace.settings.refresh)
    if not found.is_due:
        return f"not due: {found.n_results} results and {found.n_micrographs} micrographs are new"
    trigger = "; ".join(reason.partition(":")[0] for reason in found.reasons)
    return _refresh(workspace, trigger, should_stop, only_if_due=True)


def refresh(workspace: Workspace, args: Mapping[str, Any], should_stop: ShouldStop) -> str:
    """Refresh if there is anything new at all."""
    from engine.refresh.due import due

    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        found = due(tx, record.id, workspace.settings.refresh)
    if not found.has_news:
        return "nothing is new"
    return _refresh(workspace, "schedule", should_stop)


def generator(workspace: Workspace, args: Mapping[str, Any], should_stop: ShouldStop) -> str:
    """Train the generator on if enough micrographs are new."""
    from engine.refresh.due import due

    kind = ModelKind.GENERATOR
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        found = due(tx, record.id, workspace.settings.refresh, kind)
    if not found.is_due:
        return f"not due: {found.n_micrographs} micrographs are new"
    return _refresh(workspace, "schedule", should_stop, only_if_due=True, kind=kind)


def _refresh(
    workspace: Workspace,
    trigger: str,
    should_stop: ShouldStop,
    *,
    only_if_due: bool = False,
    kind: ModelKind = ModelKind.SURROGATE,
) -> str:
    from engine.refresh.plan import plan
    from engine.refresh.request import RefreshRequest
    from engine.refresh.run import refresh as refresh_now

    request = RefreshRequest(trigger=trigger, only_if_due=only_if_due, kind=kind)
    planned = plan(workspace, request)
    if planned.problem is not None:
        return f"not possible yet: {spell(planned.problem, 'api')}"
    try:
        done = refresh_now(workspace, request, should_stop=should_stop)
    except StateError as error:  # somebody else is at it, or was a moment ago
        return str(error)
    if done.outcome is RefreshOutcome.INTERRUPTED:
        raise InterruptedJobError(spell(done.reason, "api"))
    return f"refresh {done.refresh_id}: {done.outcome}: {spell(done.reason, 'api')}"


def report(workspace: Workspace, args: Mapping[str, Any], should_stop: ShouldStop) -> str:
    """Write the report's page into the data folder."""
    from engine.compute import limit_threads
    from engine.report.write import write_report

    limit_threads(workspace.settings.compute.threads)
    return f"{write_report(workspace).page}"


def backup(workspace: Workspace, args: Mapping[str, Any], should_stop: ShouldStop) -> str:
    """Copy a SQLite database into the data folder's ``backups``, and remove the oldest copies."""
    from db import schema

    path = sqlite_path(workspace.database.url)
    if path is None:
        return "left to the server: a PostgreSQL database is backed up with pg_dump"
    folder = workspace.data_dir / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    made = schema.backup(workspace.database.url, folder)
    copies = sorted(folder.glob(f"{path.stem}-*.db"), key=lambda one: one.stat().st_mtime_ns)
    old = [one for one in copies[: -workspace.settings.schedule.keep_backups] if one != made]
    for one in old:
        one.unlink(missing_ok=True)
    return f"{made}, {len(old)} older removed"


def prune(workspace: Workspace, args: Mapping[str, Any], should_stop: ShouldStop) -> str:
    """Remove the files of old models, and what is remembered of old jobs."""
    from engine.registry.versions import prune as prune_models

    done = prune_models(workspace, keep=workspace.settings.schedule.keep_models)
    with workspace.database.write("schedule") as tx:
        n = tx.schedule.forget_runs(keep=200)
    return f"{len(done.ids)} models, {done.n_bytes / 1e6:.1f} MB; {n} records of jobs"


@dataclass(frozen=True)
class NamedJob:
    """A function and what it is for, in a few words."""

    work: Work
    about: str
    trains: bool = False


JOBS: Mapping[str, NamedJob] = {
    "watch": NamedJob(watch, "refresh if enough is new", trains=True),
    "refresh": NamedJob(refresh, "refresh if anything is new", trains=True),
    "generator": NamedJob(generator, "train the generator on if enough is new", trains=True),
    "report": NamedJob(report, "write the report's page"),
    "backup": NamedJob(backup, "copy the database (SQLite)"),
    "prune": NamedJob(prune, "remove the files of old models"),
}
