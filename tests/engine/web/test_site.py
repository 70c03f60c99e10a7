"""What the server keeps in mind: values by version, and uploads for a while."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

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
