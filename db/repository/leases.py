"""Leases: who does what only one may do at a time. Rows of the moment, not of the history.

A lease is one row with its owner and a count of heartbeats. Whoever wants it while it is held
watches that count, and takes the row over in one statement that says which count it saw: of two
that try, one succeeds. No clock has to agree with another for that.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select, update

from db.records import LeaseRecord
from db.repository.scope import Scope
from db.tables import leases as t


class Leases:
    """The leases of a database, by name."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def get(self, name: str) -> LeaseRecord | None:
        """Return a lease that somebody holds, or held when he was last seen."""
        row = self._scope.connection.execute(select(t).where(t.c.name == name)).one_or_none()
        return None if row is None else LeaseRecord(*row)

    def all(self) -> tuple[LeaseRecord, ...]:
        """Return every lease, by name."""
        rows = self._scope.connection.execute(select(t).order_by(t.c.name))
        return tuple(LeaseRecord(*row) for row in rows)

    def acquire(
        self, name: str, *, holder: str, owner: str, ttl_s: float, at: datetime
    ) -> LeaseRecord | None:
        """Take a lease that nobody holds; ``None`` if somebody does.

        Args:
            name: what it is for.
            holder: the new owner's proof, unlike any other.
            owner: who that is, to people and to other processes of the same machine.
            ttl_s: seconds without a heartbeat after which the owner counts as gone.
            at: now.

        Raises:
            ConflictError: another one took it at the same moment.
        """
        assert self._scope.change  # noqa: S101 -- the transaction writes
        if self.get(name) is not None:
            return None
        values = {
            "name": name,
            "holder": holder,
            "owner": owner,
            "beats": 0,
            "acquired_at": at,
            "heartbeat_at": at,
            "ttl_s": ttl_s,
        }
        self._scope.connection.execute(insert(t).values(values))
        return self.get(name)

    def take_over(
        self, earlier: LeaseRecord, *, holder: str, owner: str, ttl_s: float, at: datetime
    ) -> LeaseRecord | None:
        """Take a lease from an owner who is gone; ``None`` if it gave a sign of life since."""
        assert self._scope.change  # noqa: S101 -- the transaction writes
        # Compare and swap: of two that saw the same count, one finds it changed.
        statement = (
            update(t)
            .where(
                t.c.name == earlier.name, t.c.holder == earlier.holder, t.c.beats == earlier.beats
            )
            .values(
                holder=holder, owner=owner, beats=0, acquired_at=at, heartbeat_at=at, ttl_s=ttl_s
            )
        )
        result = self._scope.connection.execute(statement)
        return self.get(earlier.name) if result.rowcount == 1 else None

    def beat(self, name: str, holder: str, *, at: datetime) -> bool:
        """Give a sign of life; whether the lease is still held by that holder."""
        assert self._scope.change  # noqa: S101 -- the transaction writes
        statement = (
            update(t)
            .where(t.c.name == name, t.c.holder == holder)
            .values(beats=t.c.beats + 1, heartbeat_at=at)
        )
        return self._scope.connection.execute(statement).rowcount == 1

    def holds(self, name: str, holder: str) -> bool:
        """Whether the lease is held by that holder."""
        record = self.get(name)
        return record is not None and record.holder == holder

    def release(self, name: str, holder: str) -> bool:
        """Give a lease back; whether it was still held by that holder."""
        assert self._scope.change  # noqa: S101 -- the transaction writes
        statement = delete(t).where(t.c.name == name, t.c.holder == holder)
        return self._scope.connection.execute(statement).rowcount == 1
