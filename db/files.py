"""Files that appear complete or not at all: written aside, synced, then put in their place."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.errors import DatabaseError, ReadOnlyDatabaseError

_STALE_AFTER_S = 3600.0
_SUFFIXES = ("", "-wal", "-shm", "-journal")


def require_place(path: Path, command: str) -> None:
    """Refuse a place where ``command`` cannot put a new file.

    Raises:
        DatabaseError: there is something already, or no such folder.
        ReadOnlyDatabaseError: the folder cannot be written.
    """
    if path.exists() or path.is_symlink():
        raise DatabaseError(
            f"expected no file at {path} yet, found one; `{command}` overwrites nothing. Choose "
            "another name, or move that file away."
        )
    if not path.parent.is_dir():
        raise DatabaseError(
            f"expected the folder {path.parent}, found none: make it (`mkdir -p {path.parent}`), "
            f"then run `{command}` again."
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ReadOnlyDatabaseError(
            f"the folder {path.parent} is read-only: make it writable (`chmod u+w`) or choose "
            f"another one, then run `{command}` again."
        )


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a draft's path beside ``path``; at the end put it in place, unless anything was raised.

    A killed process leaves a hidden draft at most; drafts of an hour ago are swept away.

    Raises:
        DatabaseError: something else came to that place meanwhile.
    """
    _sweep(path)
    draft = path.with_name(f".{path.name}.new-{os.getpid()}")
    _remove(draft)
    try:
        yield draft
        _sync(draft)
        _place(draft, path)
        _sync(path.parent)
    finally:
        _remove(draft)


def _place(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)  # unlike a rename, it replaces nothing
    except FileExistsError:
        raise DatabaseError(
            f"another process made {path} meanwhile; nothing was overwritten."
        ) from None
    except OSError:  # a file system without links
        draft.rename(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(path: Path) -> None:
    for draft in path.parent.glob(f".{path.name}.new-*"):
        try:
            if time.time() - draft.stat().st_mtime > _STALE_AFTER_S:
                draft.unlink()
        except FileNotFoundError:
            continue


def _remove(draft: Path) -> None:
    for suffix in _SUFFIXES:
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)
