"""The schedule: jobs as plain JSON, and every run of them. Moving a job's moment is no change."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, update

from db.errors import ConflictError
from db.records import JobOutcome, JobRecord, JobRunRecord
from db.repository.scope import Scope
from db.tables import job_runs as run
from db.tables import scheduled_jobs as job


class Schedule:
    """Jobs by their ids, and the claims by which each due moment is run once."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    # -- jobs ---------------------------------------------------------------------------------

    def get(self, id_: str) -> JobRecord | None:
        """Return a job."""
        records = self._jobs(job.c.id == id_)
        return records[0] if records else None

    def jobs(self, *, due_at: datetime | None = None) -> tuple[JobRecord, ...]:
        """Return the jobs, the next one first and paused ones last; only those due by a moment."""
        return self._jobs(None if due_at is None else job.c.next_run_at <= due_at)

    def next_run_at(self) -> datetime | None:
        """Return when the next job is due; ``None`` if none is waiting."""
        return self._scope.connection.execute(select(func.min(job.c.next_run_at))).scalar_one()

    def put(self, record: JobRecord) -> None:
        """Add a job, or put it in the place of the one with its id."""
        assert self._scope.change  # noqa: S101 -- the transaction writes
        values = {"next_run_at": record.next_run_at, "definition": dict(record.definition)}
        statement = update(job).where(job.c.id == record.id).values(values)
        if self._scope.connection.execute(statement).rowcount == 0:
            self._scope.connection.execute(insert(job).values(id=record.id, **values))

    def remove(self, id_: str | None = None) -> int:
        """Take a job away, or all of them; return how many there were."""
        assert self._scope.change  # noqa: S101 -- the transaction writes
        statement = delete(job) if id_ is None else delete(job).where(job.c.id == id_)
        return self._scope.connection.execute(statement).rowcount

    def _jobs(self, condition: ColumnElement[bool] | None) -> tuple[JobRecord, ...]:
        statement = select(job.c.id, job.c.next_run_at, job.c.definition)
        if condition is not None:
            statement = statement.where(condition)
        # SQLite sorts NULL first, PostgreSQL last.
        statement = statement.order_by(job.c.next_run_at.is_(None), job.c.next_run_at, job.c.id)
        return tuple(JobRecord(*row) for row in self._scope.connection.execute(statement))

    # -- runs ---------------------------------------------------------------------------------

    def claim(self, job_id: str, due_at: datetime, *, owner: str, at: datetime) -> int | None:
        """Claim the run of a job that was due at a moment; ``None`` if somebody did before.

        Raises:
            ConflictError: somebody claimed it at the same moment.
        """
        assert self._scope.change  # noqa: S101 -- the transaction writes
        # Looked up first: on PostgreSQL a refused INSERT ends the whole transaction. The unique
        # constraint decides between two at the same moment.
        claimed = select(run.c.id).where(run.c.job_id == job_id, run.c.due_at == due_at)
        if self._scope.connection.execute(claimed).first() is not None:
            return None
        values = {
            "job_id": job_id,
            "due_at": due_at,
            "started_at": at,
            "outcome": JobOutcome.RUNNING,
            "owner": owner,
        }
        statement = insert(run).values(values).returning(run.c.id)
        return self._scope.connection.execute(statement).scalar_one()

    def start(self, run_id: int, *, owner: str, at: datetime) -> None:
        """Record who does a run that was claimed before, and since when."""
        assert self._scope.change  # noqa: S101 -- the transaction writes
        values = {"owner": owner, "started_at": at}
        statement = update(run).where(run.c.id == run_id, run.c.outcome == JobOutcome.RUNNING)
        self._scope.connection.execute(statement.values(values))

    def is_running(self, job_id: str) -> bool:
        """Whether a run of a job is under way, or waits for its turn."""
        statement = select(run.c.id).where(
            run.c.job_id == job_id, run.c.outcome == JobOutcome.RUNNING
        )
        return self._scope.connection.execute(statement.limit(1)).first() is not None

    def finish(
        self, run_id: int, outcome: JobOutcome, *, at: datetime, detail: str | None = None
    ) -> None:
        """Record what came of a run.

        Raises:
            ConflictError: there is no such run, or it ended already.
        """
        assert self._scope.change  # noqa: S101 -- the transaction writes
        values = {"outcome": outcome, "finished_at": at, "detail": detail}
        statement = update(run).where(run.c.id == run_id, run.c.outcome == JobOutcome.RUNNING)
        if self._scope.connection.execute(statement.values(values)).rowcount == 0:
            raise ConflictError(f"run {run_id} of a job does not exist or has ended already")

    def runs(
        self,
        job_id: str | None = None,
        *,
        outcome: JobOutcome | None = None,
        limit: int | None = None,
    ) -> tuple[JobRunRecord, ...]:
        """Return runs, newest first."""
        conditions = [run.c.id > 0]
        if job_id is not None:
            conditions.append(run.c.job_id == job_id)
        if outcome is not None:
            conditions.append(run.c.outcome == outcome)
        statement = select(run).where(and_(*conditions)).order_by(run.c.id.desc()).limit(limit)
        return tuple(
            JobRunRecord(id_, name, due, start, end, JobOutcome(outcome_), *columns)
            for id_, name, due, start, end, outcome_, *columns in (
                self._scope.connection.execute(statement)
            )
        )

    def forget_runs(self, *, keep: int) -> int:
        """Remove all but the newest ``keep`` ended runs of each job; return how many went."""
        assert self._scope.change  # noqa: S101 -- the transaction writes
        n = 0
        for job_id in self._scope.connection.execute(select(run.c.job_id).distinct()).scalars():
            newest = (
                select(run.c.id)
                .where(run.c.job_id == job_id)
                .order_by(run.c.id.desc())
                .limit(1)
                .offset(keep - 1)
            )
            oldest = self._scope.connection.execute(newest).scalar()
            if oldest is not None:
                superseded = delete(run).where(
                    run.c.job_id == job_id,
                    run.c.id < oldest,
                    run.c.outcome != JobOutcome.RUNNING,
                )
                n += self._scope.connection.execute(superseded).rowcount
        return n
