"""One database, and transactions over it.

SQLite is opened in WAL mode: a reader sees one unchanging snapshot and neither waits for a writer
nor holds one up. A writer takes the write lock at once (``BEGIN IMMEDIATE``), so that what it read
still holds when it writes; the next one waits up to the busy timeout. ``synchronous = FULL``: a
result that was said to be recorded survives a power cut, and a lab's few commits a day can afford
the fsync.

On PostgreSQL, readers take ``REPEATABLE READ`` and writers lock ``changes`` against one another,
so that change ids become visible in their order; without that, watermarks would mean nothing.
"""

from __future__ import annotations

import getpass
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import create_engine, event, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from db.errors import DatabaseError, NotADatabaseError, SchemaMismatchError
from db.models import changes
from db.records import ChangeRecord
from db.repository import (
    Answers,
    Batches,
    Campaigns,
    Experiments,
    Leases,
    Measurements,
    Micrographs,
    Models,
    Refreshes,
    Schedule,
    Sessions,
    Sources,
    Tasks,
    Tokens,
    Users,
)
from db.repository.scope import Change, Scope
from db.revisions import HEAD, REVISIONS
from db.translate import not_a_database, translated, unreadable
from db.urls import display_name, parse_url, sqlite_path


class Transaction:
    """The repositories, over one consistent state. Made by :meth:`Database.read` and ``write``."""

    def __init__(self, connection: Connection, change: Change | None = None) -> None:
        self._scope = Scope(connection, change)
        self.campaigns = Campaigns(self._scope)
        self.measurements = Measurements(self._scope)
        self.micrographs = Micrographs(self._scope)
        self.experiments = Experiments(self._scope)
        self.batches = Batches(self._scope, self.experiments)
        self.models = Models(self._scope)
        self.sources = Sources(self._scope)
        self.refreshes = Refreshes(self._scope)
        self.leases = Leases(self._scope)
        self.schedule = Schedule(self._scope)
        self.users = Users(self._scope)
        self.sessions = Sessions(self._scope)
        self.tokens = Tokens(self._scope)
        self.tasks = Tasks(self._scope)
        self.answers = Answers(self._scope)

    def watermark(self) -> int:
        """Return the highest change id but the one being written; 0 when there is none."""
        return self._scope.watermark()

    def changes(self, *, limit: int = 50) -> list[ChangeRecord]:
        """Return the audit trail, newest first."""
        columns = (changes.c.id, changes.c.at, changes.c.actor, changes.c.action, changes.c.detail)
        statement = select(*columns).order_by(changes.c.id.desc()).limit(limit)
        rows = self._scope.connection.execute(statement)
        return [ChangeRecord(*row) for row in rows]


class Database:
    """An open database at exactly the revision that this version needs.

    Threads may share one; a transaction belongs to the thread that began it. Close it when done,
    or use it as a context manager.
    """

    def __init__(self, engine: Engine, url: str, busy_timeout_s: float) -> None:
        self._engine = engine
        self.url = url
        self.name = display_name(url)
        self.busy_timeout_s = busy_timeout_s
        self._actor: str | None = None
        self._detail: str | None = None
        self._before_commit: Callable[[Transaction], None] | None = None

    def acting(
        self,
        actor: str,
        *,
        detail: str | None = None,
        before_commit: Callable[[Transaction], None] | None = None,
    ) -> Database:
        """Return this database for somebody: every write through it is theirs.

        Args:
            actor: who does it, where a write does not say otherwise.
            detail: what the audit trail tells besides, where a write does not say otherwise.
            before_commit: called at the end of every write, inside its transaction; what it raises
                undoes the write.
        """
        mine = Database(self._engine, self.url, self.busy_timeout_s)
        mine._actor, mine._detail, mine._before_commit = actor, detail, before_commit
        return mine

    @classmethod
    def open(cls, url: str, *, busy_timeout_s: float = 30.0) -> Database:
        """Open an existing database.

        Args:
            url: SQLAlchemy URL; a relative SQLite path counts from the working directory.
            busy_timeout_s: how long a write waits for another process to finish, in seconds.

        Raises:
            NotADatabaseError: no such file, or it is something else.
            SchemaMismatchError: the database is at an older or newer revision.
            ReadOnlyDatabaseError: the file, or the folder that SQLite needs, cannot be opened.
        """
        engine = make_engine(url, busy_timeout_s=busy_timeout_s)
        database = cls(engine, url, busy_timeout_s)
        try:
            with database._begin("open") as connection:
                require_head(connection, database.name)
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Read one consistent snapshot; what others write meanwhile stays unseen."""
        with self._begin("read") as connection:
            yield Transaction(connection)

    @contextmanager
    def write(
        self, action: str, *, actor: str | None = None, detail: str | None = None
    ) -> Iterator[Transaction]:
        """Write as one change: all of it is kept at the end, or nothing if anything is raised.

        The change's row is written with the first other row; a block that writes nothing leaves
        no trace.

        Args:
            action: what is being done, one word or two: ``"log"``, ``"import"``.
            actor: who does it; the login name where not given.
            detail: what the audit trail should tell besides: the file's name, the command's words.

        Raises:
            ConflictError: a row would contradict one that is there.
            DatabaseBusyError: another process wrote for longer than the busy timeout.
            ReadOnlyDatabaseError: the file or its folder cannot be written.
        """
        who = actor or self._actor or login_name()
        change = Change(who, action, detail or self._detail)
        with self._begin(action, write=True) as connection:
            transaction = Transaction(connection, change)
            yield transaction
            if self._before_commit is not None:
                self._before_commit(transaction)

    @contextmanager
    def _begin(self, action: str, *, write: bool = False) -> Iterator[Connection]:
        with (
            translated(self.name, action, self.busy_timeout_s),
            self._engine.connect() as connection,
        ):
            begin = begin_write if write else begin_read
            begin(connection)
            yield connection
            if write:
                connection.commit()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def login_name() -> str:
    """Return who runs this process, ``"unknown"`` where the system does not tell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


def begin_read(connection: Connection) -> None:
    """Begin a transaction that sees one snapshot."""
    if connection.dialect.name == "postgresql":
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    connection.begin()


def begin_write(connection: Connection) -> None:
    """Begin a transaction that no other writer can come between."""
    connection.execution_options(spinneret_write=True)
    connection.begin()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE changes IN EXCLUSIVE MODE")


def require_head(connection: Connection, name: str) -> None:
    """Refuse a database of another revision than this version's.

    Raises:
        NotADatabaseError: it is not one of Spinneret's.
        SchemaMismatchError: it is older or newer; the message holds the command that mends it.
    """
    revision = revision_of(connection, name)
    if revision == HEAD:
        return
    if revision in REVISIONS:
        raise SchemaMismatchError(
            f"{name} is at revision {revision}, this version needs {HEAD}: run `engine db upgrade`."
        )
    raise newer_than_known(name, revision)


def newer_than_known(name: str, revision: str) -> SchemaMismatchError:
    """Return the error for a database that a newer version made."""
    return SchemaMismatchError(
        f"{name} is at revision {revision}, which a newer version of Spinneret made; this version "
        f"knows up to {HEAD}: run `pip install --upgrade spinneret`."
    )


def revision_of(connection: Connection, name: str) -> str:
    """Return the database's revision by plain SQL.

    Raises:
        NotADatabaseError: it holds no Spinneret tables.
    """
    try:
        connection.exec_driver_sql("SELECT max(id) FROM changes")
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code != sqlite3.SQLITE_ERROR:  # anything but a missing table
            raise
        revision = None
    if revision is None:
        raise not_a_database(name, "is a database, but not one of Spinneret's")
    return str(revision)


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
    try:
        return create_engine(parse_url(url), pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"{display_name(url)} needs the driver '{error.name}', which is not installed: "
            "run `pip install psycopg[binary]`."
        ) from error


def _require_file(path: Path) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise NotADatabaseError(
            f"expected a database at {path}, found none. Run `engine init` to make one, or set url "
            "in [database] of config.toml."
        ) from None
    except PermissionError:
        raise unreadable(path) from None
    if not stat.S_ISREG(status.st_mode):
        raise not_a_database(str(path), "is not a file")
    if status.st_size == 0:
        raise not_a_database(str(path), "is empty")


def _sqlite_engine(path: Path, busy_timeout_s: float, foreign_keys: bool, mode: str) -> Engine:
    # mode=rw never creates a file, and falls back to reading where the file is write-protected.
    uri = f"file:{quote(os.fspath(path.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    event.listen(engine, "begin", _emit_begin)
    return engine


def _emit_begin(connection: Connection) -> None:
    # The driver begins nothing by itself (isolation_level=None).
    options: Any = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("spinneret_write") else "BEGIN")
