"""Locks between processes of one machine, by the system's own means: `flock`, on Windows msvcrt."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

WINDOWS = os.name == "nt"


def open_lock(folder: Path) -> int:
    """Return a descriptor by which processes of this machine can lock a folder.

    Raises:
        OSError: the folder cannot be opened, or the system has no locks.
    """
    if not WINDOWS:
        # A folder cannot be opened to write; a lock does not need that.
        return os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    # Windows locks files only. One beside the database would be one more to be copied.
    digest = hashlib.sha256(os.path.realpath(folder).casefold().encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"spinneret-{digest}.lock"
    return os.open(path, os.O_RDWR | os.O_CREAT)


def lock(descriptor: int, *, wait: bool) -> bool:
    """Take a lock, which is given back when its descriptor is closed.

    Args:
        descriptor: of :func:`open_lock`, opened by whoever takes the lock.
        wait: until whoever holds it gives it back.

    Returns:
        Whether it is held now; ``False`` only without ``wait``.

    Raises:
        OSError: the file system has no locks.
    """
    if WINDOWS:
        return _lock_on_windows(descriptor, wait=wait)
    import fcntl

    # `flock` and not `lockf`, whose locks belong to the process, so that two threads of one would
    # not wait for one another: https://man7.org/linux/man-pages/man2/flock.2.html
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _lock_on_windows(descriptor: int, *, wait: bool) -> bool:
    import importlib

    msvcrt: Any = importlib.import_module("msvcrt")  # typed on Windows alone
    while True:
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            # LK_LOCK tries ten times, a second apart, and gives up.
            # https://docs.python.org/3/library/msvcrt.html#msvcrt.locking
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            if not wait:
                return False
        else:
            return True
