"""Who may come in at the web page: users, who is logged in, keys of programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What somebody may do: a viewer reads, an operator records, an admin decides and lets in."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0, 1, 2: a higher one may do all that a lower one may."""
        return list(Role).index(self)


@dataclass(frozen=True)
class UserRecord:
    """Somebody who may log in at the web page."""

    id: int
    name: str
    role: Role
    password_hash: str
    is_removed: bool
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True)
class SessionRecord:
    """Somebody logged in. ``user_id`` and ``role`` are ``None`` for who started the server."""

    id: int
    user_id: int | None
    actor: str
    role: Role | None
    expires_at: datetime


@dataclass(frozen=True)
class TokenRecord:
    """A program's key: whose, what it may do at most, until when."""

    id: int
    user_id: int
    user: str
    role: Role
    name: str
    scope: Role
    created_at: datetime
    expires_at: datetime | None
    is_revoked: bool
