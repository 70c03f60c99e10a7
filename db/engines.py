"""Engines on existing databases: a SQLite file with its pragmas, or a PostgreSQL server."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

from db.errors import NotADatabaseError
from db.translate import not_a_database, unreadable
from db.urls import sqlite_path, sqlite_uri


def make_engine(
    url: str, *, busy_timeout_s: float, foreign_keys: bool = True, may_create: bool = False
) -> Engine:
    """Return an engine on an existing database, with the pragmas told above.

    Only the ``alembic`` command, which has a file of its own to make, says ``may_create``.

    Raises:
        NotADatabaseError: no such file, or an empty one.
        DatabaseError: the URL cannot be used, or its driver is not installed.
    """
    path = sqlite_path(url)
    if path is not None:
        if not may_create:
            _require_file(path)
        return _sqlite_engine(path, busy_timeout_s, foreign_keys, "rwc" if may_create else "rw")
    from db.postgres import make_postgres_engine

    return make_postgres_engine(url, busy_timeout_s=busy_timeout_s)


def _require_file(path: Path) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise NotADatabaseError(
            f"expected a database at {path}, found none.",
            mend="Run `engine init` to make one, or set url in [database] of config.toml.",
            place=path,
        ) from None
    except PermissionError:
        raise unreadable(path) from None
    if not stat.S_ISREG(status.st_mode):
        raise not_a_database(str(path), "is not a file")
    # SQLite takes an empty file for a new database and would say "no such table".
    if status.st_size == 0:
        raise not_a_database(str(path), "is empty")


def _sqlite_engine(path: Path, busy_timeout_s: float, foreign_keys: bool, mode: str) -> Engine:
    # mode=rw never creates a file, and falls back to reading where the file is write-protected.
    uri = sqlite_uri(path, mode)

    def connect() -> sqlite3.Connection:
        # The pool hands a connection to whichever thread asks next (check_same_thread); a
        # transaction stays with one.
        connection = sqlite3.connect(
            uri, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        # Both pragmas are the connection's, not the file's. Foreign keys are off unless asked for.
        # https://www.sqlite.org/foreignkeys.html#fk_enable
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        # With WAL, NORMAL would lose the last commits in a power cut.
        # https://www.sqlite.org/pragma.html#pragma_synchronous
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    # "sqlite://" reads as a database in memory, for which SQLAlchemy would choose one connection a
    # thread.
    # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#threading-pooling-behavior
    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    event.listen(engine, "begin", _emit_begin)
    return engine


def _emit_begin(connection: Connection) -> None:
    # The driver begins nothing by itself (isolation_level=None).
    # Left to itself it would begin only at the first write: what was read before were another
    # snapshot, and a reader that turns writer fails at once instead of waiting.
    # https://docs.python.org/3/library/sqlite3.html#transaction-control
    options: Any = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("spinneret_write") else "BEGIN")
