"""Who may use the page and the API: passwords, sessions, tokens.

Passwords are kept as argon2id hashes. Sessions and tokens are 256 random bits; the database holds
their SHA-256 only, so that a copy of it opens no door.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from db.records import Role, TokenRecord, UserRecord
from db.session import login_name
from engine.errors import AccessError, NotFoundError, UsageError, by_voice, nearest_name
from engine.web.passwords import is_guessable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

    from db.transaction import Transaction
    from engine.workspace import Workspace

LEAST_LETTERS = 10
MOST_LETTERS = 1000  # hashing more would keep the server busy for whoever sends it
TOKEN_PREFIX = "spin_"  # noqa: S105 -- what every token begins with, so that scanners know one
RESET_HOURS = 24
"""How long a link to set a password may be used."""
_RESET = "reset:"  # no user's name holds a colon
_NAME = re.compile(r"[\w][\w.@-]{0,63}")


@dataclass(frozen=True)
class Person:
    """Who asks, and what they may do. ``secret`` is the session's or token's own key.

    ``is_program``: came with a token instead of a session.
    """

    name: str
    role: Role
    secret: str
    user_id: int | None = None
    is_program: bool = False

    def is_allowed(self, role: Role) -> bool:
        """Whether they may do what ``role`` may."""
        return self.role.rank >= role.rank

    @property
    def csrf(self) -> str:
        """What a form of theirs carries, so that no other site can send one for them."""
        return hmac.new(self.secret.encode(), b"form", hashlib.sha256).hexdigest()


def add_user(workspace: Workspace, name: str, role: str, password: str) -> UserRecord:
    """Add a user.

    Raises:
        UsageError: a name, role or password that cannot be, or there would be no admin.
        ConflictError: there is a user of that name.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "expected a user's name of at most 64 letters, digits, '.', '_', '@', '-', got "
            f"'{name}'"
        )
    checked = role_of(role)
    hashed = _hash(password, name)
    with workspace.database.write("user add", detail=f"{name} as {checked}") as tx:
        user = tx.users.put(name, checked, hashed)
        _require_admin(tx.users.all(), name)
        return user


def set_password(workspace: Workspace, name: str, password: str) -> None:
    """Give a user another password, and log them out everywhere.

    Raises:
        NotFoundError: there is no such user.
        UsageError: a password that cannot be.
    """
    hashed = _hash(password, name)
    with workspace.database.write("user password", detail=name) as tx:
        user = _present(tx.users.get(name), name, [u.name for u in tx.users.all()])
        tx.users.change(user.id, password_hash=hashed)
        tx.sessions.close_all(user.id)


def change_password(workspace: Workspace, person: Person, old: str, new: str) -> None:
    """Give oneself another password: all other sessions end, tokens stay.

    Raises:
        AccessError: the old password is wrong.
        UsageError: a password that cannot be; or who asks is no user.
    """
    if person.user_id is None:
        raise UsageError("passwords belong to users: make one under People first")
    with workspace.database.read() as tx:
        user = _present(tx.users.get(person.name), person.name, [])
    if len(old) > MOST_LETTERS or not _verify(user.password_hash, old):
        raise AccessError("that is not your password until now; nothing was changed")
    if old == new:
        raise UsageError("expected another one than now", field="password")
    hashed = _hash(new, person.name)
    with workspace.database.write("user password", detail=person.name) as tx:
        user_now = _present(tx.users.get(person.name), person.name, [])
        if user_now.password_hash != user.password_hash:
            raise AccessError("your password was changed meanwhile; nothing was changed now")
        tx.users.change(user.id, password_hash=hashed)
        tx.sessions.close_all(user.id, but=_digest(person.secret))


def make_reset(workspace: Workspace, name: str) -> tuple[str, datetime]:
    """Make the key of a link by which a user sets a password, once; return it and its end.

    It is kept as its hash only, and voids an earlier one. No session ever has such a hash.

    Raises:
        NotFoundError: there is no such user.
    """
    secret, created_at = secrets.token_urlsafe(32), datetime.now(UTC)
    expires_at = created_at + timedelta(hours=RESET_HOURS)
    with workspace.database.write("user reset link", detail=name) as tx:
        user = _present(tx.users.get(name), name, [u.name for u in tx.users.all()])
        tx.note()
        tx.sessions.close_named(user.id, _RESET + user.name)
        tx.sessions.open(
            _reset_digest(secret),
            user_id=user.id,
            actor=_RESET + user.name,
            created_at=created_at,
            expires_at=expires_at,
        )
    return secret, expires_at


def user_of_reset(workspace: Workspace, secret: str) -> str:
    """Return whose password a link sets.

    Raises:
        AccessError: it was used, is too old, or never was one.
    """
    with workspace.database.read() as tx:
        return _reset_name(tx, secret)


def set_password_by_reset(workspace: Workspace, secret: str, password: str) -> str:
    """Set the password that a link is for: the link is void then, all sessions end.

    Raises:
        AccessError: it was used, is too old, or never was one.
        UsageError: a password that cannot be.
    """
    name = user_of_reset(workspace, secret)
    hashed = _hash(password, name)
    with workspace.database.write("user password", actor=name, detail=f"{name} by a link") as tx:
        # Asked again by who writes: of two that come at once the second finds it used.
        user = _present(tx.users.get(_reset_name(tx, secret)), name, [])
        tx.users.change(user.id, password_hash=hashed)
        tx.sessions.close_all(user.id)
    return name


def _reset_name(tx: Transaction, secret: str) -> str:
    session = tx.sessions.find(_reset_digest(secret), datetime.now(UTC))
    if session is None or not session.actor.startswith(_RESET):
        raise AccessError(
            "this link is void: it was used, is older than a day, or a newer one was made. Ask an "
            "admin for another"
        )
    return session.actor.removeprefix(_RESET)


def set_role(workspace: Workspace, name: str, role: str) -> None:
    """Give a user another role.

    Raises:
        NotFoundError: there is no such user.
        UsageError: no such role, or the last admin would be gone.
    """
    checked = role_of(role)
    with workspace.database.write("user role", detail=f"{name} as {checked}") as tx:
        user = _present(tx.users.get(name), name, [u.name for u in tx.users.all()])
        tx.users.change(user.id, role=checked)
        _require_admin(tx.users.all(), name)


def remove_user(workspace: Workspace, name: str) -> None:
    """Remove a user: sessions end, tokens are void. What they did stays in their name.

    Raises:
        NotFoundError: there is no such user.
        UsageError: it is the last admin.
    """
    with workspace.database.write("user remove", detail=name) as tx:
        user = _present(tx.users.get(name), name, [u.name for u in tx.users.all()])
        tx.users.remove(user.id)
        tx.sessions.close_all(user.id)
        _require_admin(tx.users.all(), name)


def list_users(workspace: Workspace) -> list[UserRecord]:
    """Return who may log in, by name."""
    with workspace.database.read() as tx:
        return tx.users.all()


def log_in(workspace: Workspace, name: str, password: str, address: str = "") -> Person:
    """Open a session for who knows the password; the trail tells from which ``address``.

    Raises:
        AccessError: the name or the password is wrong; the message does not say which.
    """
    with workspace.database.read() as tx:
        user = tx.users.get(name)
    # An unknown name takes as long as a wrong password.
    hashed = user.password_hash if user is not None and not user.is_removed else _absent_hash()
    is_right = len(password) <= MOST_LETTERS and _verify(hashed, password)
    if not is_right or user is None or user.is_removed:
        raise AccessError("the name or the password is wrong")
    secret = _open(workspace, user.id, user.name, _origin(address))
    return Person(user.name, user.role, secret, user.id)


def log_in_starter(workspace: Workspace, address: str = "") -> Person:
    """Open a session for who started the server, while there are no users."""
    name, detail = login_name(), f"by the server's key{_origin(address)}"
    return Person(name, Role.ADMIN, _open(workspace, None, name, detail))


def note_refusal(workspace: Workspace, name: str, address: str) -> None:
    """Tell the audit trail that nobody of that name is let in from there for a while."""
    # The name is whatever a stranger typed: it did nothing here, and may hold anything.
    detail = f"too many wrong passwords for {name!r}{_origin(address)}"
    with workspace.database.write("log in refused", detail=detail) as tx:
        tx.note()


def _origin(address: str) -> str:
    return f" from {address}" if address else ""


def log_out(workspace: Workspace, person: Person) -> None:
    """Close a session."""
    with workspace.database.write("log out", actor=person.name) as tx:
        tx.note()
        tx.sessions.close(_digest(person.secret))


def person_of_session(workspace: Workspace, secret: str) -> Person | None:
    """Return who a session belongs to, if it is one.

    A session of who started the server counts as long as there are no users.
    """
    with workspace.database.read() as tx:
        session = tx.sessions.find(_digest(secret), datetime.now(UTC))
        if session is None or session.actor.startswith(_RESET):
            return None
        # The starter's session ends with the first user, who is the one to say who may enter.
        if session.role is None and tx.users.count():
            return None
    return Person(session.actor, session.role or Role.ADMIN, secret, session.user_id)


def person_of_token(workspace: Workspace, secret: str) -> Person | None:
    """Return whom a token lets in, with the lesser of its scope and its user's role."""
    if not secret.startswith(TOKEN_PREFIX):
        return None
    with workspace.database.read() as tx:
        token = tx.tokens.find(_digest(secret), datetime.now(UTC))
    if token is None:
        return None
    # The user's role may have shrunk since.
    role = min(token.role, token.scope, key=lambda role: role.rank)
    return Person(token.user, role, secret, token.user_id, is_program=True)


def make_token(
    workspace: Workspace, user: str, name: str, scope: str, *, days: int | None = None
) -> tuple[str, TokenRecord]:
    """Make a token; its text is returned this once and kept nowhere.

    Raises:
        NotFoundError: there is no such user.
        UsageError: no such scope, a name or a time that cannot be.
        ConflictError: the user has a token of that name.
    """
    checked = role_of(scope, "scope")
    if not 0 < len(name.strip()) <= 64:
        raise UsageError("expected a token's name of 1 to 64 letters", field="name")
    if days is not None and not 1 <= days <= 3660:
        raise UsageError(f"expected 1 to 3660, got {days}", field="days")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with workspace.database.write("token add", detail=f"{name} of {user}, {checked}") as tx:
        owner = _present(tx.users.get(user), user, [u.name for u in tx.users.all()])
        record = tx.tokens.add(
            owner.id,
            name=name.strip(),
            token_hash=_digest(secret),
            scope=checked,
            expires_at=expires,
        )
    return secret, record


def revoke_token(workspace: Workspace, id_: int, *, user_id: int | None = None) -> None:
    """Take a token out of use; with ``user_id`` only one of that user.

    Raises:
        NotFoundError: there is no such token in use.
    """
    with workspace.database.write("token revoke", detail=f"token {id_}") as tx:
        # "None of yours" and "none at all" read alike.
        if id_ not in [token.id for token in tx.tokens.all_of(user_id)]:
            raise NotFoundError(f"there is no token {id_} in use")
        tx.tokens.revoke(id_)


def list_tokens(workspace: Workspace, user_id: int | None = None) -> list[TokenRecord]:
    """Return the tokens in use, of one user or of all."""
    with workspace.database.read() as tx:
        return tx.tokens.all_of(user_id)


def role_of(word: str, field: str = "role") -> Role:
    """Read a role.

    Raises:
        UsageError: there is no such role.
    """
    if word not in set(Role):
        raise UsageError(
            f"expected {', '.join(Role)}, got '{word}'.{nearest_name(word, Role)}", field=field
        )
    return Role(word)


def _present(user: UserRecord | None, name: str, names: list[str]) -> UserRecord:
    if user is None or user.is_removed:
        raise NotFoundError(f"there is no user '{name}'.{nearest_name(name, names)}")
    return user


def is_without_admin(users: Collection[UserRecord]) -> bool:
    """Whether there are users and none of them may let others in."""
    return bool(users) and all(user.role is not Role.ADMIN for user in users)


def _require_admin(users: Collection[UserRecord], name: str) -> None:
    # Asked of what a change leaves, inside its transaction, which the error undoes. Nobody at all
    # is no fault: then the printed key lets in again.
    if not is_without_admin(users):
        return
    if [user.name for user in users] == [name]:
        raise UsageError(
            "expected 'admin', as the first user has to let the others in", field="role"
        )
    raise UsageError(
        f"after this there would be no admin among {', '.join(user.name for user in users)}; make "
        "another one first" + by_voice(": `engine users role NAME admin`", "")
    )


def _open(workspace: Workspace, user_id: int | None, actor: str, detail: str) -> str:
    secret, opened_at = secrets.token_urlsafe(32), datetime.now(UTC)
    with workspace.database.write("log in", actor=actor, detail=detail.strip() or None) as tx:
        tx.note()
        tx.sessions.open(
            _digest(secret),
            user_id=user_id,
            actor=actor,
            created_at=opened_at,
            expires_at=opened_at + timedelta(hours=workspace.settings.web.session_hours),
        )
    return secret


def _digest(secret: str) -> str:
    # No salt, no slow hash: 256 random bits cannot be guessed, and this runs at every request.
    # A header may hold half a surrogate pair, which plain UTF-8 refuses.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _reset_digest(secret: str) -> str:
    # Keyed by another word than sessions', so that no link ever passes for a session, nor a
    # session for a link.
    return hmac.new(b"reset", secret.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


@cache
def _hasher() -> PasswordHasher:
    try:
        from argon2 import PasswordHasher
    except ModuleNotFoundError:
        raise UsageError(
            "users need the package argon2-cffi, which is not installed: run "
            "`pip install 'spinneret[web]'`"
        ) from None
    return PasswordHasher()


@cache
def _absent_hash() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))


def _verify(hashed: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(hashed, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def _hash(password: str, name: str) -> str:
    if not LEAST_LETTERS <= len(password) <= MOST_LETTERS:
        raise UsageError(
            f"expected a password of at least {LEAST_LETTERS} and at most {MOST_LETTERS} letters, "
            f"got {len(password)}",
            field="password",
        )
    if is_guessable(password, name):
        raise UsageError(
            "expected a password that is hard to guess, not the name, a common word, a row of "
            "keys, a year or a repetition with a few letters more; some words that have nothing "
            "to do with one another are easy to keep",
            field="password",
        )
    return _hasher().hash(password)
