"""Measurements: replicates, and corrections that supersede them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import exists, func, insert, select

from db.errors import ConflictError
from db.records import MeanRecord, MeasurementRecord, Status
from db.repository.assembly import measurement_record, select_measurements
from db.repository.scope import Scope
from db.tables import experiments as e
from db.tables import measurements as m


class Measurements:
    """What was measured, each value in its outcome's unit."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def add(
        self,
        experiment_id: int,
        outcome: str,
        values: Sequence[float],
        *,
        first_replicate: int | None = None,
        note: str | None = None,
    ) -> list[MeasurementRecord]:
        """Record replicates, numbered from ``first_replicate`` or else after the last one.

        Raises:
            ConflictError: a replicate that is there already, a value that is no finite number, or
                an experiment that does not exist.
        """
        if not values:
            return []
        if first_replicate is None:
            last = select(func.max(m.c.replicate)).where(
                m.c.experiment_id == experiment_id, m.c.outcome == outcome
            )
            first_replicate = (self._scope.connection.execute(last).scalar_one() or 0) + 1
        rows = [
            {
                "experiment_id": experiment_id,
                "outcome": outcome,
                "replicate": replicate,
                "revision": 1,
                "value": value,
                "note": note,
                "change_id": self._scope.change_id,
            }
            for replicate, value in enumerate(values, start=first_replicate)
        ]
        statement = insert(m).returning(m.c.id, sort_by_parameter_order=True)
        return self._by_ids(list(self._scope.connection.execute(statement, rows).scalars()))

    def correct(
        self,
        experiment_id: int,
        outcome: str,
        replicate: int,
        value: float,
        *,
        note: str | None = None,
    ) -> MeasurementRecord:
        """Record a value that supersedes the present one; both stay in the database.

        Raises:
            ConflictError: there is no such replicate, or the value is no finite number.
        """
        present = (
            select(m.c.id, m.c.revision)
            .where(
                m.c.experiment_id == experiment_id,
                m.c.outcome == outcome,
                m.c.replicate == replicate,
            )
            .order_by(m.c.revision.desc())
            .limit(1)
        )
        row = self._scope.connection.execute(present).one_or_none()
        if row is None:
            raise ConflictError(
                f"experiment {experiment_id} has no replicate {replicate} of {outcome} to correct"
            )
        superseded_id, revision = row
        values = {
            "experiment_id": experiment_id,
            "outcome": outcome,
            "replicate": replicate,
            "revision": revision + 1,
            "value": value,
            "supersedes_id": superseded_id,
            "note": note,
            "change_id": self._scope.change_id,
        }
        statement = insert(m).values(values).returning(m.c.id)
        return self._by_ids([self._scope.connection.execute(statement).scalar_one()])[0]

    def all_of(self, experiment_id: int) -> list[MeasurementRecord]:
        """Return every measurement of an experiment, superseded ones included."""
        statement = (
            select_measurements()
            .where(m.c.experiment_id == experiment_id)
            .order_by(m.c.outcome, m.c.replicate, m.c.revision)
        )
        records = [measurement_record(row) for row in self._scope.connection.execute(statement)]
        # A server may sort words in its own way.
        return sorted(records, key=lambda m: (m.outcome, m.replicate, m.revision))

    def count(self, campaign_id: int) -> int:
        """Return how many measurements a campaign has, superseded ones left out."""
        # Replicates have one first revision each, however often they are corrected.
        statement = (
            select(func.count())
            .select_from(m)
            .join(e, e.c.id == m.c.experiment_id)
            .where(e.c.campaign_id == campaign_id, m.c.revision == 1)
        )
        return self._scope.connection.execute(statement).scalar_one()

    def means(
        self, campaign_id: int, outcomes: Collection[str], *, status: Status = Status.COMPLETED
    ) -> list[MeanRecord]:
        """Return the current replicates of each outcome in a few numbers, run by run.

        Of the experiments of that status only; the database does the sums.
        """
        later = m.alias("later")
        statement = (
            select(
                m.c.experiment_id,
                m.c.outcome,
                func.avg(m.c.value),
                # For the spread: SQLite has no standard deviation of its own.
                func.avg(m.c.value * m.c.value),
                func.min(m.c.value),
                func.max(m.c.value),
                func.count(),
            )
            .join(e, e.c.id == m.c.experiment_id)
            .outerjoin(later, later.c.supersedes_id == m.c.id)
            .where(
                e.c.campaign_id == campaign_id,
                e.c.status == status,
                m.c.outcome.in_(list(outcomes)),
                later.c.id.is_(None),
            )
            .group_by(m.c.experiment_id, m.c.outcome)
            .order_by(m.c.experiment_id)
        )
        return [MeanRecord(*row) for row in self._scope.connection.execute(statement)]

    def newest(self, campaign_id: int, outcome: str, n: int) -> list[tuple[int, float]]:
        """Return the newest ``n`` present values of an outcome, each with its experiment's id."""
        superseded = select(m.c.supersedes_id).where(m.c.supersedes_id.is_not(None))
        statement = (
            select(m.c.experiment_id, m.c.value)
            .where(m.c.outcome == outcome, m.c.id.not_in(superseded))
            # A question for each row: the newest come first, and few are asked.
            .where(exists().where(e.c.id == m.c.experiment_id, e.c.campaign_id == campaign_id))
            .order_by(m.c.id.desc())
            .limit(n)
        )
        return [(id_, value) for id_, value in self._scope.connection.execute(statement)]

    def _by_ids(self, ids: Sequence[int]) -> list[MeasurementRecord]:
        statement = select_measurements().where(m.c.id.in_(ids)).order_by(m.c.id)
        return [measurement_record(row) for row in self._scope.connection.execute(statement)]
