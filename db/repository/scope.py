"""What repositories share: the connection of their transaction, and the change being written."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import func, insert, select
from sqlalchemy.engine import Connection

from db.errors import DatabaseError
from db.models import changes


@dataclass(frozen=True)
class Change:
    """Who does what; becomes a row of ``changes`` as soon as anything is written."""

    actor: str
    action: str
    detail: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Scope:
    """One transaction as its repositories see it."""

    def __init__(self, connection: Connection, change: Change | None) -> None:
        self.connection = connection
        self._change = change
        self._change_id: int | None = None

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

    def watermark(self) -> int:
        """Return the highest change id but the one being written; 0 when there is none."""
        statement = select(func.coalesce(func.max(changes.c.id), 0))
        if self._change_id is not None:
            statement = statement.where(changes.c.id < self._change_id)
        return self.connection.execute(statement).scalar_one()
