"""Tasks of the background, and answers to requests that carry a key. Neither writes a change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.engine import Row

from db.errors import ConflictError
from db.records import AnswerRecord, TaskRecord, TaskStatus
from db.repository.scope import Scope
from db.tables import answers as a
from db.tables import tasks as w


class Tasks:
    """What was asked of the background, and how it stands."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def add(
        self,
        campaign_id: int,
        *,
        kind: str,
        actor: str,
        params: Mapping[str, Any],
        at: datetime,
        rerun_of: int | None = None,
    ) -> TaskRecord:
        """Put a task into the queue."""
        self._scope.require_campaign(campaign_id)
        values = {
            "campaign_id": campaign_id,
            "kind": kind,
            "actor": actor,
            "params": dict(params),
            "status": TaskStatus.QUEUED,
            "is_cancelled": False,
            "created_at": at,
            "rerun_of": rerun_of,
        }
        statement = insert(w).values(values).returning(w.c.id)
        id_ = self._scope.connection.execute(statement).scalar_one()
        return self._select(w.c.id == id_)[0]

    def claim(self, kinds: Collection[str], worker: str, at: datetime) -> TaskRecord | None:
        """Take the oldest task of these kinds that waits; ``None`` if none does."""
        waiting = select(func.min(w.c.id)).where(
            w.c.status == TaskStatus.QUEUED, w.c.kind.in_(list(kinds))
        )
        id_: int | None = self._scope.connection.execute(waiting).scalar()
        if id_ is None:
            return None
        values = {
            "status": TaskStatus.RUNNING,
            "worker": worker,
            "started_at": at,
            "heartbeat_at": at,
        }
        # On PostgreSQL two workers may have seen the same one wait; the first to write gets it.
        mine = update(w).where(w.c.id == id_, w.c.status == TaskStatus.QUEUED).values(values)
        if self._scope.connection.execute(mine).rowcount == 0:
            return None
        return self.get(id_)

    def has_waiting(self, kinds: Collection[str]) -> bool:
        """Whether a task of these kinds waits; reads only."""
        statement = (
            select(w.c.id)
            .where(w.c.status == TaskStatus.QUEUED, w.c.kind.in_(list(kinds)))
            .limit(1)
        )
        return self._scope.connection.execute(statement).first() is not None

    def beat(
        self, id_: int, at: datetime, *, progress: str | None = None, fraction: float | None = None
    ) -> bool:
        """Say that a task is alive and how far it is; return whether it is to stop."""
        values: dict[str, Any] = {"heartbeat_at": at}
        if progress is not None:
            values |= {"progress": progress, "fraction": fraction}
        running = (w.c.id == id_, w.c.status == TaskStatus.RUNNING)
        statement = update(w).where(*running).values(values).returning(w.c.is_cancelled)
        is_cancelled = self._scope.connection.execute(statement).scalar_one_or_none()
        # No such running task: it was closed as an orphan, and whoever does it must stop.
        return is_cancelled is None or is_cancelled

    def cancel(self, id_: int, at: datetime) -> None:
        """Ask a running task to stop; one that still waits is cancelled at once."""
        waiting = (w.c.id == id_, w.c.status == TaskStatus.QUEUED)
        over = {"status": TaskStatus.CANCELLED, "finished_at": at, "is_cancelled": True}
        self._scope.connection.execute(update(w).where(*waiting).values(over))
        running = (w.c.id == id_, w.c.status == TaskStatus.RUNNING)
        self._scope.connection.execute(update(w).where(*running).values(is_cancelled=True))

    def finish(
        self,
        id_: int,
        status: TaskStatus,
        at: datetime,
        *,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Say what came of a running task; one that is over already stays as it is."""
        values = {
            "status": status,
            "finished_at": at,
            "result": None if result is None else dict(result),
            "error": error,
        }
        running = (w.c.id == id_, w.c.status == TaskStatus.RUNNING)
        self._scope.connection.execute(update(w).where(*running).values(values))

    def get(self, id_: int) -> TaskRecord | None:
        """Return one task."""
        if not 0 < id_ < 2**63:
            return None
        records = self._select(w.c.id == id_)
        return records[0] if records else None

    def running(self) -> list[TaskRecord]:
        """Return the tasks that a worker does, or did when it died."""
        return self._select(w.c.status == TaskStatus.RUNNING)

    def unfinished(self, kinds: Collection[str]) -> list[TaskRecord]:
        """Return the tasks of these kinds that wait or run."""
        statuses = (TaskStatus.QUEUED, TaskStatus.RUNNING)
        return self._select(w.c.status.in_(statuses), w.c.kind.in_(list(kinds)))

    def forget(self, kinds: Collection[str], *, keep: int) -> int:
        """Remove all but the newest ``keep`` ended tasks of these kinds; return how many went.

        Only for kinds that nobody runs again: ``rerun_of`` would hold the row.
        """
        over = (
            w.c.kind.in_(list(kinds)),
            w.c.status.not_in((TaskStatus.QUEUED, TaskStatus.RUNNING)),
        )
        newest = select(w.c.id).where(*over).order_by(w.c.id.desc()).limit(1).offset(keep - 1)
        oldest: int | None = self._scope.connection.execute(newest).scalar()
        if oldest is None:
            return 0
        return self._scope.connection.execute(delete(w).where(*over, w.c.id < oldest)).rowcount

    def _select(
        self, *conditions: ColumnElement[bool], newest: int | None = None
    ) -> list[TaskRecord]:
        statement = (
            select(
                w.c.id,
                w.c.campaign_id,
                w.c.kind,
                w.c.actor,
                w.c.params,
                w.c.status,
                w.c.progress,
                w.c.fraction,
                w.c.result,
                w.c.error,
                w.c.worker,
                w.c.is_cancelled,
                w.c.created_at,
                w.c.started_at,
                w.c.heartbeat_at,
                w.c.finished_at,
                w.c.rerun_of,
            )
            .where(*conditions)
            .order_by(w.c.id.desc())
            .limit(newest)
        )
        rows = self._scope.connection.execute(statement)
        return [_record(row) for row in rows]

    def find(
        self,
        campaign_id: int,
        *,
        kinds: Collection[str] | None = None,
        before_id: int | None = None,
        newest: int = 50,
    ) -> list[TaskRecord]:
        """Return a campaign's newest tasks, newest first, of those with ids below ``before_id``."""
        conditions = [w.c.campaign_id == campaign_id]
        if kinds is not None:
            conditions.append(w.c.kind.in_(list(kinds)))
        if before_id is not None:
            conditions.append(w.c.id < before_id)
        return self._select(*conditions, newest=newest)


def _record(row: Row[*tuple[Any, ...]]) -> TaskRecord:
    id_, campaign_id, kind, actor, params, status, *columns = row
    return TaskRecord(id_, campaign_id, kind, actor, params, TaskStatus(status), *columns)


class Answers:
    """What was answered to requests that carry a key: twice the same is carried out once."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def begin(self, actor: str, key: str, fingerprint: str, at: datetime) -> None:
        """Take the key, in the transaction that carries the request out.

        Raises:
            ConflictError: it is taken.
        """
        if self.find(actor, key) is not None:
            raise ConflictError(f"the idempotency key '{key}' is taken")
        values = {"actor": actor, "key": key, "fingerprint": fingerprint, "at": at}
        self._scope.connection.execute(insert(a).values(values))

    def finish(self, actor: str, key: str, status: int, body: Any) -> None:
        """Keep the answer."""
        mine = (a.c.actor == actor, a.c.key == key)
        values = {"status": status, "body": body}
        self._scope.connection.execute(update(a).where(*mine).values(values))

    def forget(self, before: datetime) -> int:
        """Remove the keys of requests made before a moment; return how many went."""
        statement = delete(a).where(a.c.at < before)
        return self._scope.connection.execute(statement).rowcount

    def find(self, actor: str, key: str) -> AnswerRecord | None:
        """Return what is known of a key."""
        statement = select(a.c.id, a.c.fingerprint, a.c.at, a.c.status, a.c.body).where(
            a.c.actor == actor, a.c.key == key
        )
        row = self._scope.connection.execute(statement).one_or_none()
        return None if row is None else AnswerRecord(*row)
