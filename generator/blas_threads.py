"""One thread for numpy's matrix products while pictures are measured.

The judge multiplies a hundred patches at a time by small matrices. Threads of a BLAS wait for one
another in busy loops meanwhile: on two cores a picture then takes four to seven times the processor
time, the more so where several pictures are measured beside one another.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController, threadpool_limits


class _Hold:
    """How many threads of ours are measuring: the first sets the limit, the last takes it back.

    The limit is the whole process's, so each for itself would restore what another has set.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n = 0
        self._limit: threadpool_limits | None = None

    def take(self) -> None:
        with self._lock:
            if self._n == 0:
                self._limit = _controller().limit(limits=1, user_api="blas")
            self._n += 1

    def give_back(self) -> None:
        with self._lock:
            self._n -= 1
            if self._n == 0 and self._limit is not None:
                self._limit.restore_original_limits()


_HOLD = _Hold()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold the BLAS of this process to one thread; may be nested, and entered by many threads."""
    _HOLD.take()
    try:
        yield
    finally:
        _HOLD.give_back()


@cache
def _controller() -> ThreadpoolController:
    # Looking for the libraries takes milliseconds; numpy's is there once this module is called.
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
