"""Who may come in at the web page: users, who is logged in, keys of programs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table

from db.records import Role
from db.tables.common import WithChange, WithId, check, metadata, one_of
from db.types import UtcDateTime


class UserColumns(WithChange):
    """Somebody who may log in, with role and password of now; ``changes`` tells who set them."""

    name: Named[str] = Column(String, unique=True)
    role: Named[str] = Column(String)
    password_hash: Named[str] = Column(String)
    removed_change_id: Named[int | None] = Column(ForeignKey("changes.id"))


class SessionColumns(WithId):
    """Somebody logged in; without a user it is the one who started the server."""

    token_hash: Named[str] = Column(String, unique=True)
    user_id: Named[int | None] = Column(ForeignKey("users.id"))
    actor: Named[str] = Column(String)
    created_at: Named[datetime] = Column(UtcDateTime)
    expires_at: Named[datetime] = Column(UtcDateTime)


class TokenColumns(WithChange):
    """A program's key: what it may do is the lesser of its scope and its user's role."""

    user_id: Named[int] = Column(ForeignKey("users.id"), index=True)
    name: Named[str] = Column(String)
    token_hash: Named[str] = Column(String, unique=True)
    scope: Named[str] = Column(String)
    expires_at: Named[datetime | None] = Column(UtcDateTime)
    revoked_change_id: Named[int | None] = Column(ForeignKey("changes.id"))


users = Table(
    "users",
    metadata,
    UserColumns,
    one_of("role", Role),
    check("name_given", "length(name) > 0"),
)


sessions = Table(
    "sessions",
    metadata,
    SessionColumns,
    Index(None, "user_id"),
    check("token_hash_length", "length(token_hash) = 64"),
)


tokens = Table(
    "tokens",
    metadata,
    TokenColumns,
    one_of("scope", Role),
    check("name_given", "length(name) > 0"),
    check("token_hash_length", "length(token_hash) = 64"),
)
