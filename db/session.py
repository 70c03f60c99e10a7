"""One database, and transactions over it.

SQLite is opened in WAL mode: a reader sees one unchanging snapshot and neither waits for a writer
nor holds one up. A writer takes the write lock at once (``BEGIN IMMEDIATE``), so that what it read
still holds when it writes; the next one waits up to the busy timeout. ``synchronous = FULL``: a
result that was said to be recorded survives a power cut, and a lab's few commits a day can afford
the fsync.

On PostgreSQL, readers take ``REPEATABLE READ`` and writers one lock against one another (see
:mod:`db.postgres`). A server that does not answer, because it is being started again say, is waited
for; a connection that breaks during a commit is taken up again to ask what became of it.
"""

from __future__ import annotations

import getpass
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TypeVar

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from db.compatibility import require_head
from db.engines import make_engine
from db.errors import CollisionError, ConnectionLostError, OutcomeUnknownError
from db.files import log_bytes
from db.repository.scope import Change
from db.transaction import Transaction
from db.translate import translated
from db.urls import display_name, sqlite_path

_T = TypeVar("_T")
# Doubled each time: 0.75 s in all before the last of five attempts.
_PAUSE_S = (0.05, 1.0)  # between two attempts: the first, and the longest
_ATTEMPTS = 5  # of a transaction that others came in the way of
_LOG_PATIENCE_MS = 200  # with readers and writers, when the log is emptied at the end


class Database:
    """An open database at exactly the revision that this version needs.

    Threads may share one; a transaction belongs to the thread that began it. Close it when done,
    or use it as a context manager.
    """

    def __init__(self, engine: Engine, url: str, busy_timeout_s: float, wait_s: float) -> None:
        self._engine = engine
        self.url = url
        self.name = display_name(url)
        self.busy_timeout_s = busy_timeout_s
        self.wait_s = wait_s
        # None on a server: only a file has turns to wait for (`db.turns`).
        self._file = sqlite_path(url)
        self._is_ours = False  # opened, and found to be what it should be
        self._actor: str | None = None
        self._detail: str | None = None
        self._before_commit: Callable[[Transaction], None] | None = None
        self._campaign_id: int | None = None

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
        mine = self._twin()
        mine._actor, mine._detail, mine._before_commit = actor, detail, before_commit
        return mine

    def in_campaign(self, campaign_id: int) -> Database:
        """Return this database for one campaign: what would be another's is refused.

        Raises:
            ConflictError: later, by whatever writes for another campaign.
        """
        mine = self._twin()
        mine._campaign_id = campaign_id
        return mine

    def _twin(self) -> Database:
        # The same engine and pool: acting for somebody opens no connection.
        twin = Database(self._engine, self.url, self.busy_timeout_s, self.wait_s)
        twin._actor, twin._detail, twin._before_commit = (
            self._actor,
            self._detail,
            self._before_commit,
        )
        twin._campaign_id = self._campaign_id
        return twin

    @classmethod
    def open(cls, url: str, *, busy_timeout_s: float = 30.0, wait_s: float = 10.0) -> Database:
        """Open an existing database.

        Args:
            url: SQLAlchemy URL; a relative SQLite path counts from the working directory.
            busy_timeout_s: how long a write waits for another process to finish, in seconds.
            wait_s: how long to wait for a server that does not answer, in seconds.

        Raises:
            NotADatabaseError: no such file, or it is something else.
            SchemaMismatchError: the database is at an older or newer revision.
            ReadOnlyDatabaseError: the file, or the folder that SQLite needs, cannot be opened.
            ServerUnreachableError, AccessDeniedError: the server does not answer, or not to us.
        """
        engine = make_engine(url, busy_timeout_s=busy_timeout_s)
        database = cls(engine, url, busy_timeout_s, wait_s)
        try:
            with database._begin("open") as connection:
                require_head(connection, database.name)
        except BaseException:
            database.close()
            raise
        database._is_ours = True
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
            CollisionError, ConnectionLostError: nothing was written, it may be tried again.
            OutcomeUnknownError: the server went away during the commit, and stayed away.
        """
        name = actor or self._actor or login_name()
        change = Change(name, action, detail or self._detail)
        with self._begin(action, write=True) as connection:
            transaction = Transaction(connection, change, self._campaign_id)
            yield transaction
            # Last, inside the transaction: the key of a request is kept with what the request
            # wrote, or neither is.
            if self._before_commit is not None:
                self._before_commit(transaction)

    def transact(
        self,
        action: str,
        work: Callable[[Transaction], _T],
        *,
        actor: str | None = None,
        detail: str | None = None,
    ) -> _T:
        """Write as one change what ``work`` does, again from the start if that is safe and of use.

        It is when another transaction came in the way, or when the connection broke before the
        commit: then nothing was written. ``work`` may therefore run several times.

        Raises:
            DatabaseError: as :meth:`write`; what may be tried again, after some attempts.
        """
        for attempt in range(_ATTEMPTS):
            try:
                with self.write(action, actor=actor, detail=detail) as tx:
                    result = work(tx)
            # Only what may succeed a moment later and certainly wrote nothing. A busy database has
            # had its patience already; after an unknown outcome a second attempt might record a
            # result twice.
            except (CollisionError, ConnectionLostError):
                if attempt + 1 == _ATTEMPTS:
                    raise
                time.sleep(_pause_s(attempt))
            else:
                return result
        raise AssertionError("unreachable")

    @contextmanager
    def _begin(self, action: str, *, write: bool = False) -> Iterator[Connection]:
        with (
            # In this order: what waiting for the turn, connecting or beginning raises is translated
            # as well, and the connection is closed before the next writer has its turn.
            translated(self.name, action, self.busy_timeout_s),
            self._turn(write),
            self._connection(write) as connection,
        ):
            yield connection
            if write:
                # Not left to the connection's own `with`, which rolls back: a PostgreSQL commit
                # needs a look at its outcome.
                self._commit(connection, action)

    def _turn(self, write: bool) -> AbstractContextManager[None]:
        if not write or self._file is None:
            return nullcontext()
        # Imported where used: readers, and all of PostgreSQL, do without.
        from db.turns import turn

        return turn(self._file, self.busy_timeout_s)

    def _connection(self, write: bool) -> Connection:
        """Connect and begin; as long as that is all, waiting for a server or a file is safe."""
        begin = begin_write if write else begin_read
        # A busy file is another writer at work; a silent server is one that is down. Each has its
        # setting.
        patience_s = self.busy_timeout_s if self._is_sqlite else self.wait_s
        deadline, attempt = time.monotonic() + patience_s, 0
        while True:
            connection = None
            try:
                # Nothing was executed yet, so trying again cannot do anything twice.
                connection = self._engine.connect()
                begin(connection)
                return connection
            except (DBAPIError, sqlite3.Error) as error:
                if connection is not None:
                    connection.close()
                if not self._is_worth_waiting(error) or time.monotonic() > deadline:
                    raise
            except BaseException:
                if connection is not None:
                    connection.close()
                raise
            time.sleep(_pause_s(attempt))
            attempt += 1

    @property
    def _is_sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    def _is_worth_waiting(self, error: BaseException) -> bool:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if self._is_sqlite:
            # The driver waits by itself, but not in every moment of another one's closing.
            # The low byte is the primary code; SQLITE_BUSY_RECOVERY and its like are BUSY too.
            # https://www.sqlite.org/rescode.html#primary_result_codes_versus_extended_result_codes
            return getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        from db.postgres import is_worth_waiting

        return is_worth_waiting(cause)

    def _commit(self, connection: Connection, action: str) -> None:
        if self._is_sqlite:
            connection.commit()
            return
        from db.postgres import transaction_number

        # Before the commit: when the connection has broken it is too late to ask for the number.
        number = transaction_number(connection)
        try:
            connection.commit()
        except DBAPIError as error:
            # Without a number the transaction wrote nothing, and nothing can have become of it.
            if not error.connection_invalidated or number is None:
                raise
            if self._outcome_of(number, action, error) != "committed":
                raise ConnectionLostError(
                    f"{action}: the connection to {self.name} broke; nothing was written.",
                    mend="Run the command again.",
                    place=self.name,
                ) from error

    def _outcome_of(self, number: str, action: str, cause: BaseException) -> str:
        """Ask the server what became of a transaction, until it knows or patience ends."""
        from db.postgres import transaction_status

        # The longer of the two: a server that crashed has to recover before it can be asked.
        deadline, attempt = time.monotonic() + max(self.wait_s, self.busy_timeout_s), 0
        while time.monotonic() < deadline:
            try:
                with self._connection(write=False) as connection:
                    status = transaction_status(connection, number)
            except DBAPIError:
                # No answer is no outcome: the server may still be starting.
                status = "in progress"
            if status in ("committed", "aborted"):
                return status
            time.sleep(_pause_s(attempt))
            attempt += 1
        raise OutcomeUnknownError(
            f"{action}: the connection to {self.name} broke while this was being committed, and "
            "the server could not be asked since. It may be recorded or not, as a whole",
            mend="look (`engine status`, `engine show`) before running the command again.",
            place=self.name,
        ) from cause

    def close(self) -> None:
        """Close every connection; a SQLite file then holds everything, unless others are at it."""
        if self._is_ours and self._file is not None and log_bytes(self._file):
            # Best effort: what is in the log is as safe as what is in the file.
            with suppress(DBAPIError, sqlite3.Error), self._engine.connect() as connection:
                _empty_log(connection)
        self._engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _empty_log(connection: Connection) -> None:
    # The last process to close does this by itself; while a server has the file open, nobody is
    # the last, and a copy of the file alone would miss what lies in the log.
    # https://www.sqlite.org/wal.html#checkpointing
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 -- connected
    # Others at work are not waited for: what can be is brought in all the same.
    driver.execute(f"PRAGMA busy_timeout = {_LOG_PATIENCE_MS}")
    driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _pause_s(attempt: int) -> float:
    first, longest = _PAUSE_S
    return min(longest, first * 2.0**attempt)


def login_name() -> str:
    """Return who runs this process, ``"unknown"`` where the system does not tell."""
    try:
        return getpass.getuser()
    # `getpass` looks into the password database where no variable names the user: containers that
    # run under a bare number have no entry there, and Windows has no `pwd`.
    # https://docs.python.org/3/library/getpass.html#getpass.getuser
    except (KeyError, OSError, ImportError):
        return "unknown"


def begin_read(connection: Connection) -> None:
    """Begin a transaction that sees one snapshot."""
    if connection.dialect.name == "postgresql":
        # READ COMMITTED, the default, takes a new snapshot at every statement, and a page would mix
        # two states.
        # https://www.postgresql.org/docs/current/transaction-iso.html
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    connection.begin()


def begin_write(connection: Connection) -> None:
    """Begin a transaction that no other writer can come between."""
    # Read by the listener in `db.engines`, which makes it BEGIN IMMEDIATE; PostgreSQL ignores it.
    connection.execution_options(spinneret_write=True)
    connection.begin()
    if connection.dialect.name == "postgresql":
        from db.postgres import lock_out_writers

        lock_out_writers(connection)
