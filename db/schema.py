"""Making a database, bringing it up to date, looking whether it is sound, copying it.

The migrations are the only thing that makes tables. They run in one transaction, so a killed
upgrade leaves the database as it was. New SQLite files and backups are written to the path of a
draft that the caller hands in (:mod:`engine.workspace.databases`) and puts in its place once it is
complete, so a killed ``engine init`` leaves no half-made database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError as DriverError

from db.compatibility import mismatch, revision_of
from db.engines import make_engine
from db.errors import DatabaseError
from db.files import require_place
from db.migrating import dangling_rows, differences, migrate
from db.revisions import HEAD, REVISIONS, UNRELEASED
from db.session import Database
from db.translate import translated
from db.urls import display_name, parse_url, sqlite_path, sqlite_uri, sqlite_url

__all__ = ["HEAD", "backup", "check", "create", "exists", "sqlite_path", "upgrade"]

# What the tables cannot refuse by themselves: a sentence, and the query that counts offenders.
_CONSISTENCY = {
    "experiment(s) show another status than their history tells": """
        SELECT count(*) FROM experiments e WHERE NOT EXISTS (
            SELECT 1 FROM status_changes s
            WHERE s.id = (SELECT max(id) FROM status_changes WHERE experiment_id = e.id)
              AND s.status = e.status
              AND coalesce(s.failure, '') = coalesce(e.failure, '')
              AND coalesce(s.note, '') = coalesce(e.note, ''))""",
    "correction(s) supersede something else than the revision before them": """
        SELECT count(*) FROM measurements m JOIN measurements o ON o.id = m.supersedes_id
        WHERE o.experiment_id <> m.experiment_id OR o.outcome <> m.outcome
           OR o.replicate <> m.replicate OR o.revision <> m.revision - 1""",
    "proposal(s) are of another campaign than their batch": """
        SELECT count(*) FROM proposals p
        JOIN experiments e ON e.id = p.experiment_id JOIN batches b ON b.id = p.batch_id
        WHERE e.campaign_id <> b.campaign_id""",
}


def create(
    url: str, *, fill: Callable[[Database], None] | None = None, draft: Path | None = None
) -> None:
    """Make a new database through the migrations.

    Args:
        url: SQLAlchemy URL. A SQLite file must not be there yet; a PostgreSQL database must,
            without Spinneret's tables.
        fill: called with the new database, to write what it must hold from the start.
        draft: where to make a SQLite file instead of where ``url`` says, which messages name.

    Raises:
        DatabaseError: there is a file already, or its folder does not exist.
        ReadOnlyDatabaseError: the folder cannot be written.
    """
    path = sqlite_path(url)
    if path is None:
        if exists(url):
            raise DatabaseError(
                f"expected a database without tables at {display_name(url)}, found Spinneret's; "
                "nothing was overwritten.",
                place=display_name(url),
            )
        with translated(display_name(url), "create the database"):
            migrate(url)
        _fill(url, fill)
        return
    if draft is None:
        require_place(path, "engine init")
    file = draft or path
    with translated(str(path), "create the database"):
        with closing(sqlite3.connect(file)) as connection:
            # Once is enough: the mode is kept in the file.
            # https://www.sqlite.org/wal.html#persistence_of_wal_mode
            connection.execute("PRAGMA journal_mode = WAL")
        migrate(sqlite_url(file))
        _fill(sqlite_url(file), fill)
        # The draft is renamed; a log that stayed behind under the draft's name would be lost rows.
        _empty_log(file)


def exists(url: str) -> bool:
    """Return whether there is a database of Spinneret's: its file, or its tables on a server.

    Raises:
        NotADatabaseError: the server has no database of that name.
        ServerUnreachableError, AccessDeniedError: the server does not answer, or not to us.
    """
    path = sqlite_path(url)
    if path is not None:
        return path.exists()
    with translated(display_name(url), "open"):
        engine = make_engine(url, busy_timeout_s=30.0)
        try:
            with engine.connect() as connection:
                # Answers null where a SELECT from the table would be an error that ends the
                # transaction.
                table = connection.execute(text("SELECT to_regclass('alembic_version')")).scalar()
        finally:
            engine.dispose()
    return table is not None


def upgrade(url: str) -> tuple[str, str]:
    """Bring a database to the revision that this version needs, in one transaction.

    Returns:
        The revision it had and the one it has; the same twice if there was nothing to do.

    Raises:
        NotADatabaseError: no such file, or it is something else.
        SchemaMismatchError: it is at a newer revision than this version knows.
        ReadOnlyDatabaseError: it cannot be written.
    """
    name = display_name(url)
    with translated(name, "upgrade"):
        # Not through `Database.open`, which refuses what is to be upgraded.
        revision = _revision(url)
        if revision == HEAD:
            return HEAD, HEAD
        if revision not in REVISIONS:
            raise mismatch(name, revision)
        return migrate(url), HEAD


def check(url: str) -> list[str]:
    """Return what is wrong with a database, one sentence each; an empty list if it is sound.

    Looks at the file's pages and indexes, at rows naming others that do not exist, at the revision,
    at tables that differ from what this version expects, and at what the tables cannot refuse by
    themselves.

    Raises:
        NotADatabaseError: no such file, or it is something else.
        ReadOnlyDatabaseError: it cannot be opened.
    """
    name = display_name(url)
    with translated(name, "check"):
        engine = make_engine(url, busy_timeout_s=30.0)
        try:
            with engine.connect() as connection:  # taken back at the end: nothing is written
                damage = _damage(connection)
                if damage:  # what else it says of itself is not to be relied on
                    return damage
                revision = revision_of(connection, name)
                findings = dangling_rows(connection)
                if revision == HEAD and not findings:
                    findings = differences(connection) or _inconsistencies(connection)
        finally:
            engine.dispose()
    if revision != HEAD:
        if revision in REVISIONS:
            mend = "run `engine db upgrade`"
        elif revision in UNRELEASED:
            mend = "it is from before 0.1.0: `engine export` with the version that made it"
        else:
            mend = "install a newer spinneret"
        findings.append(f"it is at revision {revision}, this version needs {HEAD}: {mend}")
    return findings


def backup_name(url: str) -> str:
    """Return the name of a backup made now: ``<database>-<time in UTC>.db`` (``.dump``).

    >>> backup_name("sqlite:///lab/mats.db")  # doctest: +ELLIPSIS
    'mats-...Z.db'
    """
    path = sqlite_path(url)
    stem = path.stem if path is not None else parse_url(url).database or "spinneret"
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{stem}-{moment}.{'dump' if path is None else 'db'}"


def require_spinneret(url: str, action: str) -> None:
    """Refuse what is no database of Spinneret's, of whatever revision.

    Raises:
        NotADatabaseError: no such database, or it is something else.
        ReadOnlyDatabaseError, ServerUnreachableError, AccessDeniedError: it cannot be opened.
    """
    with translated(display_name(url), action):
        _revision(url)


def backup(url: str, draft: Path) -> None:
    """Copy a database to a new file, consistent even while others write.

    The copy of a SQLite file is looked over. A PostgreSQL database is dumped by ``pg_dump``, in
    its own format.

    Args:
        url: SQLAlchemy URL of the database, at any revision.
        draft: the file to make, which the caller puts in its place.

    Raises:
        NotADatabaseError: no such database, or it is something else.
        DatabaseError: the copy is not sound, or there is no ``pg_dump``.
    """
    require_spinneret(url, "back up")
    path = sqlite_path(url)
    if path is None:
        from db.dumping import dump

        dump(url, draft)
        return
    with (
        translated(str(path), "back up"),
        # mode=rw: SQLite would make an empty database of a name that is not there. Not ro: reading
        # a WAL file needs its -shm, which a read-only connection may not make.
        # https://www.sqlite.org/wal.html#read_only_databases
        closing(sqlite3.connect(sqlite_uri(path, "rw"), uri=True)) as source,
        closing(sqlite3.connect(draft)) as copy,
    ):
        # SQLite's own copying sees one state while others write; copying the file does not.
        # https://www.sqlite.org/backup.html
        source.backup(copy)
        # The quick check looks at every page but not at indexes against their tables; one finding
        # is enough to refuse.
        (answer,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise DatabaseError(
                f"back up: {path} is damaged ({answer}), no copy was kept.",
                mend="See `engine db check`.",
                place=path,
            )


def _revision(url: str) -> str:
    engine = make_engine(url, busy_timeout_s=30.0)
    try:
        with engine.connect() as connection:
            return revision_of(connection, display_name(url))
    finally:
        engine.dispose()


def _fill(url: str, fill: Callable[[Database], None] | None) -> None:
    if fill is not None:
        with Database.open(url) as database:
            fill(database)


def _empty_log(path: Path) -> None:
    """Bring everything from SQLite's log into the file itself, which is about to be moved."""
    with closing(sqlite3.connect(path)) as connection:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise DatabaseError(
            f"the new database {path} is still in use", mend="close it first.", place=path
        )


def _damage(connection: Connection) -> list[str]:
    if connection.dialect.name != "sqlite":
        return []
    try:
        # Twenty findings are enough to see that a backup is needed; a damaged file can give
        # thousands.
        answers = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
    except DriverError as error:
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        answers = [str(error.orig)]
    return [f"the file is damaged: {answer}" for answer in answers if answer != "ok"]


def _inconsistencies(connection: Connection) -> list[str]:
    counts = {
        offence: connection.execute(text(q)).scalar_one() for offence, q in _CONSISTENCY.items()
    }
    return [f"{n} {offence}" for offence, n in counts.items() if n]
