"""What only PostgreSQL has: its connections, the writers' lock, what its errors mean.

Writers take one advisory lock, held to the end of their transaction, so that change ids become
visible in their order; without that, watermarks would mean nothing. Unlike a lock on the table it
is in nobody else's way, vacuum's included. As all writers queue for one lock, none of them can
deadlock with another.

A connection may break while a transaction is being committed, and then nobody on this side knows
whether it was kept. The server does: it is asked for the state of the transaction by its number
(``pg_xact_status``), so a result is neither lost nor recorded twice.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection, Engine

from db.errors import (
    AccessDeniedError,
    CollisionError,
    ConflictError,
    ConnectionLostError,
    DatabaseBusyError,
    DatabaseError,
    NotADatabaseError,
    ReadOnlyDatabaseError,
    ServerUnreachableError,
)
from db.urls import display_name, parse_url

# Any number will do, so long as every version of Spinneret uses the same.
# "SPIN" in ASCII.
WRITE_LOCK = 0x5350_494E
MIGRATION_LOCK = WRITE_LOCK + 1
# libpq's own default is to wait as long as the system does, minutes for a host that drops packets.
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-CONNECT-TIMEOUT
_CONNECT_TIMEOUT_S = 10
# A writer that says nothing for so long is gone, or asleep in somebody's bag.
_IDLE_WRITER_S = 600
# A machine that vanishes is found out within a minute; the system's default is two hours.
_SESSION = {
    "jit": "off",
    # 30 s + 3 probes 10 s apart. Here for the server, which else holds a dead writer's lock for
    # hours …
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
# … and here for our own end.
_KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


def make_postgres_engine(url: str, *, busy_timeout_s: float) -> Engine:
    """Return an engine on a PostgreSQL database; nothing is connected yet.

    Raises:
        DatabaseError: the URL cannot be used, or the driver is not installed.
    """
    try:
        engine = create_engine(
            parse_url(url),
            # A connection that the pool kept may be one of before the server's restart.
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": _CONNECT_TIMEOUT_S,
                "application_name": "spinneret",
                **_KEEPALIVES,
            },
        )
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"{display_name(url)} needs the driver '{error.name}', which is not installed",
            mend="run `pip install 'psycopg[binary]'`.",
            place=display_name(url),
        ) from error
    # `lock_timeout` is what ends the wait for the advisory lock: it counts as any lock.
    settings = {**_SESSION, "lock_timeout": f"{max(1, round(busy_timeout_s * 1000))}ms"}
    calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())

    def prepare(connection: Any, _: Any) -> None:
        connection.execute(f"SELECT {calls}")
        # The driver began a transaction with the SELECT. Rolled back by the pool it would take the
        # settings with it, which SET undoes with its transaction.
        # https://www.postgresql.org/docs/current/sql-set.html
        connection.commit()

    event.listen(engine, "connect", prepare)
    return engine


def lock_out_writers(connection: Connection) -> None:
    """Wait for the other writers of this database, up to the busy timeout, and be the only one."""
    connection.exec_driver_sql(
        # Of the transaction, not of the session: it goes with commit, rollback or a broken
        # connection, and nobody has to give it back.
        # https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
        f"SELECT pg_advisory_xact_lock({WRITE_LOCK}), "
        # `true`: for this transaction only. A reader may take its time; it is in nobody's way.
        f"set_config('idle_in_transaction_session_timeout', '{_IDLE_WRITER_S}s', true)"
    )


def lock_out_migrations(connection: Connection) -> None:
    """Let no other process migrate the same database meanwhile."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")


def transaction_number(connection: Connection) -> str | None:
    """Return the number under which the server knows this transaction; none if it wrote nothing."""
    # The plain `pg_current_xact_id` would give a number to a transaction that wrote nothing.
    # https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
    number = connection.exec_driver_sql("SELECT pg_current_xact_id_if_assigned()::text").scalar()
    return None if number is None else str(number)


def transaction_status(connection: Connection, number: str) -> str | None:
    """Return ``committed``, ``aborted`` or ``in progress``; ``None`` if it is too long ago."""
    result = connection.execute(text("SELECT pg_xact_status(CAST(:n AS xid8))"), {"n": number})
    status = result.scalar()
    return None if status is None else str(status)


def translate_postgres(
    error: BaseException, name: str, action: str, busy_timeout_s: float
) -> DatabaseError:
    """Return what the driver's error means, with the mend; a password is never in it."""
    state = str(getattr(error, "sqlstate", None) or "")
    message = one_line(str(error))
    # libpq gives no SQLSTATE to what fails before the server answers.
    if state == "":
        return _without_state(message, name, action)
    values = {"action": action, "name": name, "message": message, "timeout": f"{busy_timeout_s:g}"}
    for states, kind, (sentence, mend) in _BY_STATE:
        # Two letters name a class, such as 08, "connection exception".
        # https://www.postgresql.org/docs/current/errcodes-appendix.html
        if state in states or state[:2] in states:
            return kind(sentence.format(**values), mend=mend, place=name)
    return DatabaseError(f"{action}: {name}: {message}", place=name)


def is_worth_waiting(error: BaseException | None) -> bool:
    """Whether a connection that failed so may succeed a moment later."""
    state = getattr(error, "sqlstate", None)
    message = str(error)
    # Starting up, too many connections, shut down by its administrator: all of them pass.
    return state in ("57P03", "53300", "57P01") or bool(_PASSING.search(message))


_UNREACHABLE = (
    "{action}: no answer from the server of {name}: {message}. Nothing was written.",
    "Is it running, and are host and port in the url in [database] of config.toml right?",
)
_LOST = (
    "{action}: the connection to {name} broke ({message}); nothing was written.",
    "Run the command again.",
)
# SQLSTATE codes, or the two letters of their class; what they are to people, and what mends it.
_BY_STATE: tuple[tuple[frozenset[str], type[DatabaseError], tuple[str, str]], ...] = (
    (
        frozenset({"55P03"}),
        DatabaseBusyError,
        (
            "{action}: another process has been writing to {name} for more than {timeout} s; "
            "nothing was written.",
            "Let that one finish, then run the command again.",
        ),
    ),
    (
        frozenset({"40001", "40P01"}),
        CollisionError,
        (
            "{action}: another transaction on {name} came in the way ({message}); nothing was "
            "written.",
            "Run the command again.",
        ),
    ),
    (frozenset({"53300", "57P03"}), ServerUnreachableError, _UNREACHABLE),
    (frozenset({"08", "57P01", "57P02", "57P05", "25P03", "25P04"}), ConnectionLostError, _LOST),
    (
        frozenset({"42501"}),
        AccessDeniedError,
        (
            "{action}: {name}: {message}. The role lacks a right",
            "let its owner GRANT it, or name another role in the url in [database] of config.toml.",
        ),
    ),
    (
        frozenset({"25006"}),
        ReadOnlyDatabaseError,
        (
            "{action}: {name} takes no writes now (a standby server, or "
            "default_transaction_read_only). Nothing was written.",
            "Name the primary server as url in [database] of config.toml.",
        ),
    ),
    (
        frozenset({"53100", "53200"}),
        DatabaseError,
        ("{action}: the server of {name} has no room left ({message}); nothing was written.", ""),
    ),
    (
        frozenset({"22021", "22P05"}),
        ConflictError,
        ("{action}: a text holds what cannot be stored ({message}); nothing was written.", ""),
    ),
)
# libpq's words and the server's, where the driver gives no code.
_PASSING = re.compile(
    "Connection refused|No such file or directory|starting up|shutting down|recovery mode"
    "|closed the connection unexpectedly|Connection reset|too many (clients|connections)"
    "|remaining connection slots|not yet accepting|Connection timed out"
)
_DENIED = re.compile(
    'authentication failed|no password supplied|role ".*" does not exist|no pg_hba.conf entry'
    "|is not permitted to log in|permission denied for database|too many connections for role"
)
_BROKEN = re.compile(
    "closed the connection|Connection reset|Broken pipe|could not (send|receive)"
    "|connection (is|was) (closed|lost)|consuming input failed|sending (query|prepared)"
)


def _without_state(message: str, name: str, action: str) -> DatabaseError:
    """Tell errors of connecting apart; the driver gives them no code."""
    # Looked for first: its message begins as that of an unreachable server does.
    absent = re.search('database "(.*)" does not exist', message)
    if absent:
        return NotADatabaseError(
            f"expected a database at {name}, the server has none of that name.",
            mend=f"Make one (`createdb {absent[1]}`, or CREATE DATABASE), then run `engine init`; "
            "or set url in [database] of config.toml.",
            place=name,
        )
    if _DENIED.search(message):
        return AccessDeniedError(
            f"{action}: the server of {name} lets nobody in like that: {_essence(message)}.",
            mend="Look at the role and password in the url in [database] of config.toml (or "
            "PGPASSWORD, or ~/.pgpass), and at the server's pg_hba.conf.",
            place=name,
        )
    if message.startswith(("connection failed", "connection is bad", "failed to resolve")) or (
        "timeout expired" in message
    ):
        sentence, mend = _UNREACHABLE
        return ServerUnreachableError(
            sentence.format(action=action, name=name, message=_essence(message)),
            mend=mend,
            place=name,
        )
    if _BROKEN.search(message):
        sentence, mend = _LOST
        return ConnectionLostError(
            sentence.format(action=action, name=name, message=message), mend=mend, place=name
        )
    # psycopg refuses it before anything is sent, so there is no code either.
    if "NUL" in message:
        return ConflictError(f"{action}: a text holds a NUL character, which cannot be stored.")
    return DatabaseError(f"{action}: {name}: {message}", place=name)


def _essence(message: str) -> str:
    """Return the server's own words, without where the driver heard them."""
    return re.sub(r"^connection (failed|is bad): (connection to server .*? failed: )?", "", message)


def one_line(message: str) -> str:
    """Return the first line of what the driver said, without a full stop."""
    lines = [line.strip() for line in message.strip().splitlines()]
    return lines[0].rstrip(".") if lines else "no reason given"
