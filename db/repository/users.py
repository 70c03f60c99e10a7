"""Who may come in at the web page: users, who is logged in, the keys of programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update

from db.errors import ConflictError
from db.records import Role, SessionRecord, TokenRecord, UserRecord
from db.repository.scope import Scope
from db.tables import changes
from db.tables import sessions as s
from db.tables import tokens as t
from db.tables import users as u


class Users:
    """The people who may log in. Each edit is a change: the audit trail tells who let whom in."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def put(self, name: str, role: Role, password_hash: str) -> UserRecord:
        """Add a user, or bring a removed one back.

        Raises:
            ConflictError: there is a user of that name.
        """
        former = self.get(name)
        if former is not None and not former.is_removed:
            raise ConflictError(f"there is a user '{name}' already")
        values: dict[str, Any] = {
            "name": name,
            "role": role,
            "password_hash": password_hash,
            "removed_change_id": None,
            "change_id": self._scope.change_id,
        }
        # The row of a removed user is taken up again: its name is in the audit trail.
        if former is None:
            self._scope.connection.execute(insert(u).values(values))
        else:
            self._scope.connection.execute(update(u).where(u.c.id == former.id).values(values))
        records = self.get(name)
        assert records is not None  # noqa: S101 -- written above, in this transaction
        return records

    def change(
        self, id_: int, *, role: Role | None = None, password_hash: str | None = None
    ) -> None:
        """Give a user another role or password."""
        values: dict[str, Any] = {"change_id": self._scope.change_id}
        if role is not None:
            values["role"] = role
        if password_hash is not None:
            values["password_hash"] = password_hash
        self._scope.connection.execute(update(u).where(u.c.id == id_).values(values))

    def remove(self, id_: int) -> None:
        """Let a user in no more; the row stays for the audit trail."""
        values = {"removed_change_id": self._scope.change_id}
        self._scope.connection.execute(update(u).where(u.c.id == id_).values(values))

    def get(self, name: str) -> UserRecord | None:
        """Return the user of that name, a removed one too."""
        records = self._select(u.c.name == name)
        return records[0] if records else None

    def count(self) -> int:
        """Return how many may log in."""
        statement = select(func.count()).select_from(u).where(u.c.removed_change_id.is_(None))
        return self._scope.connection.execute(statement).scalar_one()

    def _select(self, *conditions: ColumnElement[bool]) -> list[UserRecord]:
        statement = (
            select(
                u.c.id,
                u.c.name,
                u.c.role,
                u.c.password_hash,
                u.c.removed_change_id,
                changes.c.at,
                changes.c.actor,
            )
            .join(changes, changes.c.id == u.c.change_id)
            .where(*conditions)
            .order_by(u.c.name)
        )
        return [
            UserRecord(id_, name, Role(role), password, removed is not None, at, actor)
            for id_, name, role, password, removed, at, actor in self._scope.connection.execute(
                statement
            )
        ]

    def all(self) -> list[UserRecord]:
        """Return who may log in, by name."""
        return self._select(u.c.removed_change_id.is_(None))


class Sessions:
    """Who is logged in. The rows name no change: who came and went is in the trail beside them."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def open(
        self,
        token_hash: str,
        *,
        user_id: int | None,
        actor: str,
        created_at: datetime,
        expires_at: datetime,
    ) -> None:
        """Remember a session, and forget those that are over."""
        # Here, where something is written anyway: there is no other time at which they would be.
        self._scope.connection.execute(delete(s).where(s.c.expires_at <= created_at))
        values = {
            "token_hash": token_hash,
            "user_id": user_id,
            "actor": actor,
            "created_at": created_at,
            "expires_at": expires_at,
        }
        self._scope.connection.execute(insert(s).values(values))

    def find(self, token_hash: str, moment: datetime) -> SessionRecord | None:
        """Return the session of that token, if it is not over and its user may still log in."""
        statement = (
            select(s.c.id, s.c.user_id, s.c.actor, u.c.role, s.c.expires_at)
            .outerjoin(u, u.c.id == s.c.user_id)
            .where(
                s.c.token_hash == token_hash,
                s.c.expires_at > moment,
                or_(s.c.user_id.is_(None), u.c.removed_change_id.is_(None)),
            )
        )
        row = self._scope.connection.execute(statement).one_or_none()
        if row is None:
            return None
        id_, user_id, actor, role, expires_at = row
        return SessionRecord(
            id_, user_id, actor, None if user_id is None else Role(role), expires_at
        )

    def close(self, token_hash: str) -> None:
        """Log out."""
        self._scope.connection.execute(delete(s).where(s.c.token_hash == token_hash))

    def close_all(self, user_id: int | None, *, but: str = "") -> None:
        """Log a user out everywhere (``but``: not from the session of this hash)."""
        condition = s.c.user_id.is_(None) if user_id is None else s.c.user_id == user_id
        self._scope.connection.execute(delete(s).where(condition, s.c.token_hash != but))

    def close_named(self, user_id: int, actor: str) -> None:
        """End a user's sessions under one name: those that open a single door."""
        self._scope.connection.execute(delete(s).where(s.c.user_id == user_id, s.c.actor == actor))


class Tokens:
    """The keys of programs."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def add(
        self,
        user_id: int,
        *,
        name: str,
        token_hash: str,
        scope: Role,
        expires_at: datetime | None = None,
    ) -> TokenRecord:
        """Record a key by its hash.

        Raises:
            ConflictError: the user has a key of that name in use.
        """
        in_use = and_(t.c.user_id == user_id, t.c.name == name, t.c.revoked_change_id.is_(None))
        if self._select(in_use):
            raise ConflictError(f"there is a token '{name}' in use already; choose another name")
        values = {
            "user_id": user_id,
            "name": name,
            "token_hash": token_hash,
            "scope": scope,
            "expires_at": expires_at,
            "change_id": self._scope.change_id,
        }
        statement = insert(t).values(values).returning(t.c.id)
        id_ = self._scope.connection.execute(statement).scalar_one()
        return self._select(t.c.id == id_)[0]

    def find(self, token_hash: str, moment: datetime) -> TokenRecord | None:
        """Return the key of that hash, if it may be used."""
        records = self._select(
            t.c.token_hash == token_hash,
            t.c.revoked_change_id.is_(None),
            or_(t.c.expires_at.is_(None), t.c.expires_at > moment),
            u.c.removed_change_id.is_(None),
        )
        return records[0] if records else None

    def revoke(self, id_: int) -> None:
        """Take a key out of use."""
        values = {"revoked_change_id": self._scope.change_id}
        self._scope.connection.execute(update(t).where(t.c.id == id_).values(values))

    def _select(self, *conditions: ColumnElement[bool]) -> list[TokenRecord]:
        statement = (
            select(
                t.c.id,
                t.c.user_id,
                u.c.name,
                u.c.role,
                t.c.name,
                t.c.scope,
                changes.c.at,
                t.c.expires_at,
                t.c.revoked_change_id,
            )
            .join(u, u.c.id == t.c.user_id)
            .join(changes, changes.c.id == t.c.change_id)
            .where(*conditions)
            .order_by(t.c.id)
        )
        return [
            TokenRecord(
                id_, user_id, user, Role(role), name, Role(scope), at, expires, revoked is not None
            )
            for id_, user_id, user, role, name, scope, at, expires, revoked in (
                self._scope.connection.execute(statement)
            )
        ]

    def all_of(self, user_id: int | None = None) -> list[TokenRecord]:
        """Return the keys in use, of one user or of all."""
        mine = () if user_id is None else (t.c.user_id == user_id,)
        return self._select(t.c.revoked_change_id.is_(None), *mine)
