"""Where a new file may be made. Who calls puts it in its place: ``db`` writes to drafts."""

from __future__ import annotations

import os
from pathlib import Path

from db.errors import DatabaseError, ReadOnlyDatabaseError


def log_bytes(path: Path) -> int:
    """Return the size of SQLite's log beside a database: what the file alone may not hold [B]."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size
    except OSError:
        return 0


def require_place(path: Path, command: str) -> None:
    """Refuse a place where ``command`` cannot put a new file.

    Raises:
        DatabaseError: there is something already, or no such folder.
        ReadOnlyDatabaseError: the folder cannot be written.
    """
    # A link that leads nowhere does not "exist", yet a rename would replace it.
    if path.exists() or path.is_symlink():
        raise DatabaseError(
            f"expected no file at {path} yet, found one; this overwrites nothing.",
            mend="Choose another name, or move that file away.",
            place=path,
        )
    if not path.parent.is_dir():
        raise DatabaseError(
            f"expected the folder {path.parent}, found none",
            mend=f"make it (`mkdir -p {path.parent}`), then run `{command}` again.",
            place=path.parent,
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ReadOnlyDatabaseError(
            f"the folder {path.parent} is read-only",
            mend=f"make it writable (`chmod u+w`) or choose another one, then run `{command}` "
            "again.",
            place=path.parent,
        )
