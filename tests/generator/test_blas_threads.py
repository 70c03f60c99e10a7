"""Measuring holds the matrix library to one thread, and gives back what it took."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_info

from generator import statistics
from generator.blas_threads import one_blas_thread


def blas_threads() -> list[int]:
    libraries = threadpool_info()
    return [int(row["num_threads"]) for row in libraries if row["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def two_threads_outside() -> Iterator[None]:
    # Not `threadpool_limits`: while one thread holds that, no other can change anything.
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    before = [library.num_threads for library in libraries]
    for library in libraries:
        library.set_num_threads(2)
    if max(blas_threads(), default=1) < 2:
        pytest.skip("this BLAS cannot be told how many threads it takes")
    yield
    for library, n in zip(libraries, before, strict=True):
        library.set_num_threads(n)


def test_one_thread_inside_and_as_before_after_it() -> None:
    before = blas_threads()
    with one_blas_thread():
        with one_blas_thread():
            assert max(blas_threads()) == 1
        assert max(blas_threads()) == 1
    assert blas_threads() == before


def test_who_ends_first_takes_nothing_from_the_others() -> None:
    before = blas_threads()
    both_inside, one_left = Barrier(2), Barrier(2)

    def hold(leaves_first: bool) -> int:
        with one_blas_thread():
            both_inside.wait(10)
            if leaves_first:
                most = 1
            else:
                one_left.wait(10)
                most = max(blas_threads())
        if leaves_first:
            one_left.wait(10)
        return most

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(hold, [True, False])) == [1, 1]
    assert blas_threads() == before


@pytest.mark.parametrize("measuring", ["measure", "glance"])
def test_pictures_are_measured_with_one_thread(
    measuring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    original = statistics.read

    def counted(image: np.ndarray) -> object:
        counts.append(max(blas_threads()))
        return original(image)

    monkeypatch.setattr(statistics, "read", counted)
    picture = np.random.default_rng(0).random((32, 32))
    getattr(statistics, measuring)(picture)
    assert counts == [1]
    assert max(blas_threads()) == 2
