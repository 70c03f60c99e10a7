"""Whether a database is at the revision that this version needs, and what mends it if not."""

from __future__ import annotations

import sqlite3

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from db.errors import SchemaMismatchError
from db.revisions import HEAD, REVISIONS, UNRELEASED
from db.translate import not_a_database


def require_head(connection: Connection, name: str) -> None:
    """Refuse a database of another revision than this version's.

    Raises:
        NotADatabaseError: it is not one of Spinneret's.
        SchemaMismatchError: it is older or newer; the message holds the command that mends it.
    """
    revision = revision_of(connection, name)
    if revision != HEAD:
        raise mismatch(name, revision)


def mismatch(name: str, revision: str) -> SchemaMismatchError:
    """Return the error for a database at ``revision``, with what mends it."""
    position = f"{name} is at revision {revision}"
    if revision in REVISIONS:
        return SchemaMismatchError(
            f"{position}, this version needs {HEAD}", mend="run `engine db upgrade`.", place=name
        )
    if revision in UNRELEASED:
        return SchemaMismatchError(
            f"{position}, which is from before 0.1.0 and cannot be upgraded; this version needs "
            f"{HEAD}",
            mend="run `engine export` with the version that made it, then `engine init` and "
            "`engine import` with this one.",
            place=name,
        )
    return SchemaMismatchError(
        f"{position}, which a newer version of Spinneret made; this version knows up to {HEAD}",
        mend="run `pip install --upgrade spinneret`.",
        place=name,
    )


def revision_of(connection: Connection, name: str) -> str:
    """Return the database's revision by plain SQL.

    Raises:
        NotADatabaseError: it holds no Spinneret tables.
    """
    try:
        # Alembic's table alone does not tell: any program that uses Alembic has one of that name.
        connection.exec_driver_sql("SELECT max(id) FROM changes")
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except DBAPIError as error:
        # What "no such table" is to SQLite (which has no finer code for it) and to PostgreSQL.
        missing = (sqlite3.SQLITE_ERROR, "42P01")  # anything else is told as what it is
        code = getattr(error.orig, "sqlite_errorcode", getattr(error.orig, "sqlstate", None))
        if code not in missing:
            raise
        revision = None
    if revision is None:
        raise not_a_database(name, "is a database, but not one of Spinneret's")
    return str(revision)
