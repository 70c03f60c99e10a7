"""What repositories share: the connection of their transaction, and the change being written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Table, func, insert, select
from sqlalchemy.engine import Connection

from db.errors import ConflictError, DatabaseError
from db.tables import changes, experiments

_COPIED_FROM = 500  # rows

AT_THE_DOOR = ("log in", "log out", "log in refused")
"""Changes that record nothing of a run: in the trail, and no watermark.

A proposal that is being chosen would begin again with each login.
"""


@dataclass(frozen=True)
class Change:
    """Who does what; becomes a row of ``changes`` as soon as anything is written."""

    actor: str
    action: str
    detail: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Scope:
    """One transaction as its repositories see it."""

    def __init__(
        self, connection: Connection, change: Change | None, campaign_id: int | None = None
    ) -> None:
        self.connection = connection
        self._change = change
        self._change_id: int | None = None
        self._campaign_id = campaign_id

    @property
    def change(self) -> Change:
        """The change being written.

        Raises:
            DatabaseError: the transaction only reads.
        """
        if self._change is None:
            raise DatabaseError("this transaction only reads; open one with Database.write()")
        return self._change

    @property
    def change_id(self) -> int:
        """The id of the change being written; its row is written at the first call.

        Raises:
            DatabaseError: the transaction only reads.
        """
        # Not before the first row: a block that writes nothing leaves no change, and moves no
        # watermark.
        if self._change_id is None:
            change = self.change
            statement = insert(changes).returning(changes.c.id)
            self._change_id = self.connection.execute(
                statement,
                {
                    "at": change.at,
                    "actor": change.actor,
                    "action": change.action,
                    "detail": change.detail,
                },
            ).scalar_one()
        return self._change_id

    def require_campaign(self, campaign_id: int | None) -> None:
        """Refuse to write for another campaign than the one that this is done for.

        Raises:
            ConflictError: it is another one's.
        """
        if self._campaign_id is not None and campaign_id != self._campaign_id:
            other = "none" if campaign_id is None else f"campaign {campaign_id}"
            raise ConflictError(
                f"this is done for campaign {self._campaign_id}, and was about to be recorded for "
                f"{other}; nothing was written"
            )

    def require_run(self, experiment_id: int) -> None:
        """Refuse to write to a run of another campaign than the one that this is done for.

        Raises:
            ConflictError: it is another one's.
        """
        if self._campaign_id is not None:
            owner = select(experiments.c.campaign_id).where(experiments.c.id == experiment_id)
            campaign_id: int | None = self.connection.execute(owner).scalar()
            if campaign_id is not None:  # a run that is not there is refused where it is looked up
                self.require_campaign(campaign_id)

    def insert_many(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows that name the same columns: numbers, texts and nothing else.

        Many at once go to PostgreSQL as a ``COPY``, ten times as fast as statements.
        """
        if not rows:
            return
        names = list(rows[0])
        if self.connection.dialect.name == "sqlite":
            # Straight to the driver: converting half a million values one by one takes as long as
            # writing them.
            compiled = insert(table).compile(dialect=self.connection.dialect, column_keys=names)
            order = compiled.positiontup or names
            values = list(map(itemgetter(*order), rows))
            self.connection.exec_driver_sql(compiled.string, values)
            return
        if len(rows) < _COPIED_FROM:
            self.connection.execute(insert(table), [dict(row) for row in rows])
            return
        columns = ", ".join(f'"{name}"' for name in names)
        # psycopg's own connection: SQLAlchemy has no COPY, but it is the same transaction.
        # https://www.psycopg.org/psycopg3/docs/basic/copy.html
        driver: Any = self.connection.connection.driver_connection
        with driver.cursor().copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])

    def watermark(self) -> int:
        """Return the highest change id but the one being written; 0 when there is none.

        Logins do not count.
        """
        statement = select(func.coalesce(func.max(changes.c.id), 0)).where(
            changes.c.action.not_in(AT_THE_DOOR)
        )
        if self._change_id is not None:
            # What is being written is no result that was known when it was written.
            statement = statement.where(changes.c.id < self._change_id)
        return self.connection.execute(statement).scalar_one()
