"""Measurements: replicates, and corrections that supersede them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import exists, func, insert, select

from db.errors import ConflictError
from db.records import MeanRecord, MeasurementRecord, Status, details
from db.repository.assembly import measurement_record, select_measurements
from db.repository.overview import present, usable
from db.repository.scope import Scope
from db.tables import experiments as e
from db.tables import measurements as m


def columns_of(value: float | None) -> dict[str, Any]:
    """Return the columns that hold a value: its number, and what is known beside it."""
    bound, sd, n = details(value)
    return {"value": None if value is None else float(value), "bound": bound, "sd": sd, "n": n}


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

        A replicate that was taken back is there no more: its number is given again, as a further
        revision.

        Raises:
            ConflictError: a replicate that is there already, a value that is no finite number, or
                an experiment that does not exist.
        """
        if not values:
            return []
        newest = self._newest_of(experiment_id, outcome)
        if first_replicate is None:
            last = max(
                (number for number, row in newest.items() if row.value is not None), default=0
            )
            first_replicate = last + 1
        rows = []
        for replicate, value in enumerate(values, start=first_replicate):
            former = newest.get(replicate)
            if former is not None and former.value is not None:
                former = None  # a twin, which the table refuses
            rows.append(
                {
                    "experiment_id": experiment_id,
                    "outcome": outcome,
                    "replicate": replicate,
                    "revision": 1 if former is None else former.revision + 1,
                    **columns_of(value),
                    "supersedes_id": None if former is None else former.id,
                    "note": note,
                    "change_id": self._scope.change_id,
                }
            )
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
        row = self._newest_of(experiment_id, outcome).get(replicate)
        if row is None:
            raise ConflictError(
                f"experiment {experiment_id} has no replicate {replicate} of {outcome} to correct"
            )
        # SQLite takes NaN for no value, which would be a retraction.
        if math.isnan(value):
            raise ConflictError("correct: a measured value is infinite or not a number")
        return self._supersede(row, experiment_id, outcome, value, note)

    def retract(
        self, experiment_id: int, outcome: str, replicate: int, *, note: str | None = None
    ) -> MeasurementRecord:
        """Take a value back: a further revision that holds none; both stay in the database.

        Raises:
            ConflictError: there is no such replicate, or it was taken back already.
        """
        row = self._newest_of(experiment_id, outcome).get(replicate)
        if row is None or row.value is None:
            raise ConflictError(
                f"experiment {experiment_id} has no replicate {replicate} of {outcome} to retract"
            )
        return self._supersede(row, experiment_id, outcome, None, note)

    def _newest_of(self, experiment_id: int, outcome: str) -> dict[int, Any]:
        """Return id, revision and value of each replicate's newest row, by replicate."""
        self._scope.require_run(experiment_id)
        statement = (
            select(m.c.id, m.c.replicate, m.c.revision, m.c.value)
            .where(m.c.experiment_id == experiment_id, m.c.outcome == outcome)
            .order_by(m.c.replicate, m.c.revision)
        )
        # The last of a replicate's rows wins.
        return {row.replicate: row for row in self._scope.connection.execute(statement)}

    def _supersede(
        self, row: Any, experiment_id: int, outcome: str, value: float | None, note: str | None
    ) -> MeasurementRecord:
        values = {
            "experiment_id": experiment_id,
            "outcome": outcome,
            "replicate": row.replicate,
            "revision": row.revision + 1,
            **columns_of(value),
            "supersedes_id": row.id,
            "note": note,
            "change_id": self._scope.change_id,
        }
        statement = insert(m).values(values).returning(m.c.id)
        return self._by_ids([self._scope.connection.execute(statement).scalar_one()])[0]

    def all_of(self, experiment_id: int) -> list[MeasurementRecord]:
        """Return every measurement of an experiment, superseded and retracted ones included."""
        statement = (
            select_measurements()
            .where(m.c.experiment_id == experiment_id)
            .order_by(m.c.outcome, m.c.replicate, m.c.revision)
        )
        records = [measurement_record(row) for row in self._scope.connection.execute(statement)]
        # A server may sort words in its own way.
        return sorted(records, key=lambda m: (m.outcome, m.replicate, m.revision))

    def count(self, campaign_id: int) -> int:
        """Return how many measurements a campaign has, without what was superseded or retracted."""
        statement = (
            select(func.count())
            .select_from(m)
            .join(e, e.c.id == m.c.experiment_id)
            .where(e.c.campaign_id == campaign_id, present())
        )
        return self._scope.connection.execute(statement).scalar_one()

    def means(
        self, campaign_id: int, outcomes: Collection[str], *, status: Status = Status.COMPLETED
    ) -> list[MeanRecord]:
        """Return the current replicates of each outcome in a few numbers, run by run.

        Of the experiments of that status only; the database does the sums. Values beyond a limit
        are none.
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
                m.c.value.is_not(None),
                m.c.bound.is_(None),
            )
            .group_by(m.c.experiment_id, m.c.outcome)
            .order_by(m.c.experiment_id)
        )
        return [MeanRecord(*row) for row in self._scope.connection.execute(statement)]

    def newest(self, campaign_id: int, outcome: str, n: int) -> list[tuple[int, float]]:
        """Return the newest ``n`` present values of an outcome, each with its experiment's id."""
        statement = (
            select(m.c.experiment_id, m.c.value)
            .where(m.c.outcome == outcome, usable())
            # A question for each row: the newest come first, and few are asked.
            .where(exists().where(e.c.id == m.c.experiment_id, e.c.campaign_id == campaign_id))
            .order_by(m.c.id.desc())
            .limit(n)
        )
        rows = self._scope.connection.execute(statement)
        return [(id_, value) for id_, value in rows if value is not None]

    def _by_ids(self, ids: Sequence[int]) -> list[MeasurementRecord]:
        statement = select_measurements().where(m.c.id.in_(ids)).order_by(m.c.id)
        return [measurement_record(row) for row in self._scope.connection.execute(statement)]
