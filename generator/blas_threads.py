"""One thread for numpy's matrix products while pictures are measured.

The judge multiplies a hundred patches at a time by small matrices. Threads of a BLAS wait for one
another in busy loops meanwhile: on two cores a picture then takes four to seven times the processor
time, the more so where several pictures are measured beside one another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold the BLAS of this process to one thread; afterwards it has those that it had.

    May be nested. Who measures in several threads holds it around all of them: the first thread to
    hold it decides until it lets go, whatever the others ask for.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    # Looking for the libraries takes milliseconds; numpy's is there once this module is called.
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
