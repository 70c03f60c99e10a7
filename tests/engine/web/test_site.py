"""What the server keeps in mind: values by version, and uploads for a while."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from engine.web import site as site_module
from engine.web.site import SHARE, Cache, Site


def test_a_value_is_worked_out_once_for_each_version() -> None:
    cache, made = Cache(), []
    for version in (1, 1, 2, 2):
        cache.until.clear()
        assert cache.get("x", version, lambda v=version: made.append(v) or v) == version
    assert made == [1, 2]


def test_an_expensive_value_is_kept_for_a_while(monkeypatch) -> None:
    seconds = iter([0.0, 0.0, 2.0, 2.0 + 2.0 * SHARE - 0.1, 2.0 + 2.0 * SHARE, 13.0, 13.0])
    monkeypatch.setattr("engine.web.site.time.monotonic", lambda: next(seconds))
    monkeypatch.setattr(site_module, "PATIENCE_S", 60.0)
    cache = Cache()
    cache.get("x", 1, lambda: "old")  # from 0 to 2 s
    assert cache.get("x", 2, lambda: "new") == "old"
    assert cache.get("x", 2, lambda: "new") == "new"


def test_others_get_the_last_value_meanwhile() -> None:
    cache, begun, go = Cache(), threading.Event(), threading.Event()
    cache.get("x", 1, lambda: "old")
    cache.until.clear()

    def slow() -> str:
        begun.set()
        assert go.wait(10)
        return "new"

    thread = threading.Thread(target=cache.get, args=("x", 2, slow))
    thread.start()
    assert begun.wait(10)
    assert cache.get("x", 2, lambda: "never") == "old"
    go.set()
    thread.join()
    assert cache.get("x", 2, lambda: "never") == "new"


def test_what_cannot_be_worked_out_is_tried_again() -> None:
    cache = Cache()
    with pytest.raises(ZeroDivisionError):
        cache.get("x", 1, lambda: 1 // 0)
    assert cache.get("x", 1, lambda: "now") == "now"


def test_an_upload_that_a_killed_server_left_is_swept_at_the_next_start(tmp_path) -> None:
    site = object.__new__(Site)
    site.workspace = SimpleNamespace(data_dir=tmp_path)
    site.crew = SimpleNamespace(start=lambda: None)
    folder = tmp_path / "uploads" / "abc"
    folder.mkdir(parents=True)
    (folder / "41a.tif").write_bytes(b"half")
    (tmp_path / "uploads" / "loose.csv").write_text("half")
    site.start()
    assert list((tmp_path / "uploads").iterdir()) == []


def test_nobody_waits_for_what_takes_long_and_was_computed_before(monkeypatch) -> None:
    monkeypatch.setattr(site_module, "PATIENCE_S", 0.0)
    monkeypatch.setattr(site_module, "SHARE", 0.0)
    cache, go = Cache(), threading.Event()
    assert cache.get("runs", 1, lambda: time.sleep(0.001) or "old") == "old"

    def make() -> str:
        assert go.wait(10)
        return "new"

    assert cache.get("runs", 2, make) == "old"
    assert cache.get("runs", 2, make) == "old", "and it is computed once"
    go.set()
    assert cache.get("runs", 2, make, is_exact=True) == "new"


def test_a_fault_behind_the_pages_is_told_to_who_asks_next(monkeypatch) -> None:
    monkeypatch.setattr(site_module, "PATIENCE_S", 0.0)
    monkeypatch.setattr(site_module, "SHARE", 0.0)
    cache, over = Cache(), threading.Event()
    cache.get("runs", 1, lambda: time.sleep(0.001) or "old")

    def fail() -> str:
        over.set()
        raise ZeroDivisionError

    assert cache.get("runs", 2, fail) == "old"
    assert over.wait(10)
    with pytest.raises(ZeroDivisionError):
        cache.get("runs", 2, fail, is_exact=True)
