"""Writers of one SQLite file take turns, and nobody waits for ever."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from db.turns import turn

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the system has no such locks")


def test_one_at_a_time_and_everybody_once(tmp_path: Path) -> None:
    path, order, inside = tmp_path / "x.db", [], []

    def work(name: int) -> None:
        with turn(path, 30.0):
            inside.append(name)
            assert inside == [name]
            time.sleep(0.01)
            inside.remove(name)
            order.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(order) == list(range(8))


def test_patience_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with turn(path, 1.0):
        began = time.monotonic()
        with turn(path, 0.05):
            waited = time.monotonic() - began
    assert 0.04 < waited < 5
    for _ in range(100):  # who gave up stands in nobody's way
        with turn(path, 0.05):
            began = time.monotonic()
        if time.monotonic() - began < 0.04:
            break


def test_no_handle_is_left(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    for _ in range(20):
        with turn(tmp_path / "x.db", 1.0), turn(tmp_path / "x.db", 0.001):
            pass
    time.sleep(0.3)
    after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    assert after <= before + 1
