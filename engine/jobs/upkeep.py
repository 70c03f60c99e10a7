"""What the schedule's jobs do; each says in a sentence (``summary``) what it did.

They call the functions that the commands call. Heavy libraries are loaded when a job begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from glob import escape
from typing import Any

from db.records import ModelKind, RefreshOutcome
from db.urls import sqlite_path
from engine.errors import DataError, StateError, spell
from engine.jobs.queue import (
    SCHEDULED_KINDS,
    ShouldStop,
    TaskCancelledError,
    TaskInterruptedError,
)
from engine.workspace import Workspace
from engine.workspace.leases import now
from surrogate.private_files import make_folder
from surrogate.progress import Progress

KEPT_RECORDS = 200
"""Ended runs of each job that are remembered."""
KEPT_ANSWERS = timedelta(days=30)
"""How long the key of a request is remembered: a client that lost an answer asks again sooner."""


def watch(
    workspace: Workspace, args: Mapping[str, Any], progress: Progress, should_stop: ShouldStop
) -> dict[str, Any]:
    """Refresh if a trigger of ``[refresh]`` is pulled."""
    from engine.refresh.due import due

    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        news = due(tx, record.id, workspace.settings.refresh)
    if not news.is_due:
        return _summary(
            f"not due: {news.n_results} results and {news.n_micrographs} micrographs are new"
        )
    # The setting's name alone; the numbers stand in the refresh's own record.
    trigger = "; ".join(reason.partition(":")[0] for reason in news.reasons)
    # Asked again once the lease is held: somebody may have trained in between.
    return _refresh(workspace, progress, should_stop, trigger=trigger, only_if_due=True)


def refresh_if_new(
    workspace: Workspace, args: Mapping[str, Any], progress: Progress, should_stop: ShouldStop
) -> dict[str, Any]:
    """Refresh if there is anything new at all."""
    from engine.refresh.due import due

    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        news = due(tx, record.id, workspace.settings.refresh)
    if not news.has_news:
        return _summary("nothing is new")
    return _refresh(workspace, progress, should_stop)


def refresh_generator(
    workspace: Workspace, args: Mapping[str, Any], progress: Progress, should_stop: ShouldStop
) -> dict[str, Any]:
    """Train the generator on if enough micrographs are new."""
    from engine.refresh.due import due

    kind = ModelKind.GENERATOR
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        news = due(tx, record.id, workspace.settings.refresh, kind)
    if not news.is_due:
        return _summary(f"not due: {news.n_micrographs} micrographs are new")
    return _refresh(workspace, progress, should_stop, only_if_due=True, kind=kind)


def _refresh(
    workspace: Workspace,
    progress: Progress,
    should_stop: ShouldStop,
    *,
    trigger: str = "schedule",
    only_if_due: bool = False,
    kind: ModelKind = ModelKind.SURROGATE,
) -> dict[str, Any]:
    from engine.refresh.plan import plan
    from engine.refresh.request import RefreshRequest
    from engine.refresh.run import refresh

    request = RefreshRequest(trigger=trigger, only_if_due=only_if_due, kind=kind)
    # A plan costs no training: "too few results yet" is no failure to be told every night.
    planned = plan(workspace, request)
    if planned.problem is not None:
        return _summary(f"not possible yet: {planned.problem}")
    try:
        refreshed = refresh(workspace, request, to_the_end(progress), should_stop)
    except StateError as error:  # another process trains, or has just done so
        return _summary(str(error))
    if refreshed.outcome is RefreshOutcome.INTERRUPTED:
        raise TaskInterruptedError(spell(refreshed.reason, "api"))
    return _summary(f"refresh {refreshed.refresh_id}: {refreshed.outcome}: {refreshed.reason}")


def to_the_end(progress: Progress) -> Progress:
    """Return a progress that raises nothing: a training is to stop at a step that it can resume."""

    def report(
        stage: str,
        completed: int = 0,
        total: int = 0,
        numbers: Mapping[str, float] | None = None,
    ) -> None:
        with suppress(TaskCancelledError):
            progress(stage, completed, total, numbers)

    return report


def write_report(
    workspace: Workspace, args: Mapping[str, Any], progress: Progress, should_stop: ShouldStop
) -> dict[str, Any]:
    """Write the report's page into the data folder.

    Raises:
        DataError: the disk refuses.
    """
    from engine.compute import limit_threads
    from engine.report import write

    # The report fits a model; refreshes limit their threads themselves.
    limit_threads(workspace.settings.compute.threads)
    try:
        return _summary(f"{write.write_report(workspace).page}")
    except OSError as error:
        raise DataError(str(error)) from error


def backup(
    workspace: Workspace, args: Mapping[str, Any], progress: Progress, should_stop: ShouldStop
) -> dict[str, Any]:
    """Copy a SQLite database into the data folder's ``backups``, and remove the oldest copies.

    Raises:
        DataError: the disk refuses.
    """
    from engine.workspace.databases import back_up

    path = sqlite_path(workspace.database.url)
    if path is None:
        return _summary("left to the server: a PostgreSQL database is backed up with pg_dump")
    folder = workspace.data_dir / "backups"
    try:
        make_folder(folder)
        group_readable = workspace.settings.storage.group_readable
        newest = back_up(workspace.database.url, folder, group_readable=group_readable)
        # By time of writing, not by name: a database that was renamed would sort before its older
        # copies.
        copies = sorted(
            folder.glob(f"{escape(path.stem)}-*.db"), key=lambda copy: copy.stat().st_mtime_ns
        )
        surplus = copies[: -workspace.settings.schedule.keep_backups]
        # Never the one just made, however the clock stands.
        old = [copy for copy in surplus if copy != newest]
        for copy in old:
            copy.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(str(error)) from error
    return _summary(f"{newest}, {len(old)} older removed")


def prune(
    workspace: Workspace, args: Mapping[str, Any], progress: Progress, should_stop: ShouldStop
) -> dict[str, Any]:
    """Remove the files of old models, old jobs' and requests' records, pictures read without a run.

    Raises:
        DataError: the disk refuses.
    """
    from engine.bulk.dropped import forget_old
    from engine.registry.versions import prune as prune_models

    try:
        pruned = prune_models(workspace, keep=workspace.settings.schedule.keep_models)
    except OSError as error:
        raise DataError(str(error)) from error
    n_readings = forget_old(workspace)
    with workspace.database.write("schedule") as tx:
        n = tx.schedule.forget_runs(keep=KEPT_RECORDS)
        for kind in SCHEDULED_KINDS:
            tx.tasks.forget([kind], keep=KEPT_RECORDS)
        n_answers = tx.answers.forget(now() - KEPT_ANSWERS)
    megabytes = pruned.n_bytes / 1e6
    return _summary(
        f"{len(pruned.ids)} models, {megabytes:.1f} MB; {n} records of jobs, {n_answers} of "
        f"answered requests, {n_readings} of pictures read without a run"
    )


def _summary(text: str) -> dict[str, Any]:
    return {"summary": spell(text, "api")}
