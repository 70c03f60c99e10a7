"""Whole files of databases: a new one, a backup, a copy; each complete or not there at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from db import schema
from db.copying import Copied, copy
from db.errors import DatabaseError
from db.files import require_place
from db.session import Database
from db.urls import parse_url, sqlite_path
from surrogate.files import sweep_drafts, whole_file
from surrogate.private_files import file_mode


def create_database(
    url: str,
    *,
    fill: Callable[[Database], None] | None = None,
    group_readable: bool = False,
) -> None:
    """Make a new database.

    Args:
        url: SQLAlchemy URL. A SQLite file must not be there yet; a PostgreSQL database must,
            without Spinneret's tables.
        fill: called with the new database before it is put in its place, to write what it must
            hold from the start; if it raises, nothing is left behind (SQLite).
        group_readable: whether the file is for its owner's group, too.

    Raises:
        DatabaseError: there is a file already, or its folder does not exist.
        ReadOnlyDatabaseError: the folder cannot be written.
    """
    path = sqlite_path(url)
    if path is None:
        schema.create(url, fill=fill)
        return
    with _in_empty_place(path, "engine init", group_readable) as draft:
        schema.create(url, fill=fill, draft=draft)


def back_up(url: str, target: Path | None = None, *, group_readable: bool = False) -> Path:
    """Copy a database, consistent even while others write; return the copy's path.

    Args:
        url: SQLAlchemy URL of the database, at any revision.
        target: the file to make, or a folder to make it in; where not given beside the database,
            or in the working directory for a server's. A file that it names itself is called
            ``<database>-<time in UTC>.db`` (``.dump``).
        group_readable: as of :func:`create_database`.

    Raises:
        NotADatabaseError: no such database, or it is something else, or the copy is not sound.
        DatabaseError: there is a file of that name already, or no ``pg_dump`` here.
        ReadOnlyDatabaseError: the target's folder cannot be written.
    """
    # Before the folder is looked at: a wrong database is what to tell first.
    schema.require_spinneret(url, "back up")
    if target is None or target.is_dir():
        path = sqlite_path(url)
        folder = target or (Path.cwd() if path is None else path.parent)
        target = folder / schema.backup_name(url)
    with _in_empty_place(target, "engine db backup", group_readable) as draft:
        schema.backup(url, draft)
    return target


def copy_database(
    source: str, target: str, *, campaign: str | None = None, group_readable: bool = False
) -> Copied:
    """Copy a database, or one campaign of it, and compare the two (see :func:`db.copying.copy`).

    Raises:
        DatabaseError: as of :func:`db.copying.copy`; nothing is left at the target then.
    """
    path = sqlite_path(target)
    if path is None or parse_url(source) == parse_url(target):
        return copy(source, target, campaign=campaign)
    with _in_empty_place(path, "engine db copy", group_readable) as draft:
        return copy(source, target, campaign=campaign, draft=draft)


@contextmanager
def _in_empty_place(path: Path, command: str, group_readable: bool) -> Iterator[Path]:
    require_place(path, command)
    # Drafts of a process that was killed; those of one at work are younger.
    sweep_drafts(path.parent, of=path.name)
    try:
        # `require_place` above is for the message; this is what holds when two start at once.
        # SQLite gives its log and index beside the file the file's permissions.
        mode = file_mode(group_readable=group_readable)
        with whole_file(path, overwrite=False, mode=mode) as draft:
            yield draft
    except FileExistsError:
        raise DatabaseError(
            f"another process made {path} meanwhile; nothing was overwritten.", place=path
        ) from None
