"""Writers of a SQLite file in turn: who came first goes first.

SQLite itself lets a writer that finds the file locked look again every tenth of a second, and
whoever happens to look at the right moment goes on; with several busy writers and a slow disk one
may look in vain for longer than its patience. Waiting for a lock of the system's is fair and costs
nothing. It is a courtesy only: SQLite's own lock decides, with or without it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db import locks


@contextmanager
def turn(path: Path, patience_s: float) -> Iterator[None]:
    """Hold the turn to write to the database at ``path``, or go on without it after a while.

    The lock is on the database's folder: a file of its own would be one more to be copied, and on
    the database itself it would disturb SQLite's (closing any handle of a file drops them all).
    """
    waiter = _Waiter.in_folder(path.parent)
    try:
        if waiter is not None:
            waiter.wait(patience_s)
        yield
    finally:
        if waiter is not None:
            waiter.leave()


class _Waiter:
    """One place in the queue. The system's lock knows no timeout, so a thread waits for it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self._guard = threading.Lock()
        self._is_mine = threading.Event()

    @classmethod
    def in_folder(cls, folder: Path) -> _Waiter | None:
        """Return a place in the folder's queue, ``None`` where the system has no such locks."""
        try:
            return cls(locks.open_lock(folder))
        except OSError:
            return None

    def wait(self, patience_s: float) -> None:
        assert self._descriptor is not None  # noqa: S101 -- nobody left before waiting
        try:
            # Without waiting first: alone, as nearly always, no thread is needed.
            if locks.lock(self._descriptor, wait=False):
                self._is_mine.set()
                return
            threading.Thread(target=self._queue, args=(self._descriptor,), daemon=True).start()
            # Out of patience it goes on all the same: SQLite's own lock then decides.
            self._is_mine.wait(patience_s)
        except OSError:  # a file system without locks: nobody waits for anybody
            self._is_mine.set()

    def _queue(self, descriptor: int) -> None:
        with contextlib.suppress(OSError):
            locks.lock(descriptor, wait=True)
        with self._guard:
            self._is_mine.set()
            # Under the guard: either `leave` sees that the lock is there and closes, or this does,
            # never both.
            if self._descriptor is None:  # nobody waits any more
                os.close(descriptor)

    def leave(self) -> None:
        """Give the turn to the next, or give up waiting for it."""
        with self._guard:
            descriptor, self._descriptor = self._descriptor, None
            # A thread that still waits holds the descriptor, and closes it when it is through.
            if descriptor is not None and self._is_mine.is_set():
                os.close(descriptor)
