"""Measuring holds the matrix library to one thread, and gives back what it took."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from engine.previews import expected_statistics
from generator import statistics
from generator.blas_threads import one_blas_thread


def blas_threads() -> list[int]:
    libraries = threadpool_info()
    return [int(row["num_threads"]) for row in libraries if row["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def two_threads_outside() -> Iterator[None]:
    with threadpool_limits(2, user_api="blas"):
        if max(blas_threads(), default=1) < 2:
            pytest.skip("this BLAS cannot be told how many threads it takes")
        yield


def test_one_thread_inside_and_as_before_after_it() -> None:
    before = blas_threads()
    with one_blas_thread():
        with one_blas_thread():
            assert max(blas_threads()) == 1
        assert max(blas_threads()) == 1
        # What a thread of a pool asks for meanwhile changes nothing, nor does its end.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(statistics.glance, np.eye(32)).result()
        assert max(blas_threads()) == 1
    assert blas_threads() == before


@pytest.mark.parametrize("measuring", ["measure", "glance", "measured"])
def test_pictures_are_measured_with_one_thread(
    measuring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    original = statistics.read

    def counted(image: np.ndarray) -> object:
        counts.append(max(blas_threads()))
        return original(image)

    monkeypatch.setattr(statistics, "read", counted)
    picture = (np.random.default_rng(0).random((32, 32)) * 255.0).astype(np.uint8)
    if measuring == "measured":
        expected_statistics.measured(picture[None], 100.0, workers=2)
    else:
        getattr(statistics, measuring)(picture)
    assert counts == [1]
    assert max(blas_threads()) == 2
