"""Who may read the files that are kept: below guarded places their owner alone, or the group too.

Elsewhere the process's umask decides, as for every file that somebody names.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

OWNER = 0o600
OWNER_AND_GROUP = 0o640

_GUARDED: dict[Path, int] = {}


def file_mode(*, group_readable: bool) -> int:
    """Return the permissions of a file that is kept.

    >>> oct(file_mode(group_readable=False)), oct(folder_mode(file_mode(group_readable=True)))
    ('0o600', '0o750')
    """
    return OWNER_AND_GROUP if group_readable else OWNER


def folder_mode(mode: int) -> int:
    """Return the permissions of a folder whose files have these: who reads may look in."""
    return mode | (mode & 0o444) >> 2


def guard(place: Path, *, group_readable: bool) -> None:
    """Keep what is made at or below ``place`` from now on, in this process, from others."""
    _GUARDED[Path(os.path.realpath(place))] = file_mode(group_readable=group_readable)


def mode_at(path: Path) -> int | None:
    """Return the permissions of a new file at ``path``; ``None``: the umask decides."""
    real = Path(os.path.realpath(path))
    for place in (real, *real.parents):
        if place in _GUARDED:
            return _GUARDED[place]
    return None


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless they are there; guarded ones for their owner.

    Raises:
        OSError: it cannot be made, or a file is there.
    """
    # Not `mkdir(parents=True)`, which gives its mode to the last one only.
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            mode = mode_at(folder)
            folder.mkdir(0o777 if mode is None else folder_mode(mode), exist_ok=True)
            protect(folder)
    path.mkdir(exist_ok=True)


def touch(path: Path, mode: int | None) -> None:
    """Make an empty file of these permissions, so that it is never open to more while it fills."""
    if mode is not None:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))


def protect(path: Path, mode: int | None = None, *, at: Path | None = None) -> None:
    """Give a file, or a folder with all that is in it, the permissions of its place.

    Args:
        path: what is to be protected; of a place that nobody guards it stays as it is.
        mode: of the files; ``None``: that of the place.
        at: the place where it is going to be, if it is another one.
    """
    mode = mode_at(at or path) if mode is None else mode
    if mode is None:
        return
    for inner in (path, *(path.rglob("*") if path.is_dir() else ())):
        # File systems without owners (exFAT, some shares) refuse; `engine doctor` tells.
        with suppress(PermissionError, NotImplementedError):
            if not inner.is_symlink():
                inner.chmod(folder_mode(mode) if inner.is_dir() else mode)
