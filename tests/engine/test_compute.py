"""Threads, versions, what is loaded and kept, and which of several processes records."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import platform
import sys
import weakref

import pytest

from engine.compute import is_first_process, keep_memory, loading


def test_the_first_of_several_processes_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert is_first_process()
    monkeypatch.setenv("RANK", "0")
    assert is_first_process()
    monkeypatch.setenv("RANK", "1")
    assert not is_first_process()


@pytest.mark.parametrize("is_on", [True, False])
def test_the_collector_is_as_it_was_after_loading(is_on: bool) -> None:
    try:
        if not is_on:
            gc.disable()
        with contextlib.suppress(ImportError), loading():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() is is_on
    finally:
        gc.enable()
        gc.unfreeze()


def test_what_is_loaded_is_set_aside_once_and_garbage_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Ring:
        def __init__(self) -> None:
            self.itself = self

    try:
        gc.unfreeze()
        with loading():
            monkeypatch.setitem(sys.modules, "a_module_that_was_loaded", sys)
        assert gc.get_freeze_count() > 0
        gc.unfreeze()
        ring = weakref.ref(Ring())
        with loading():
            pass  # everything had been loaded before: a server's next batch
        assert gc.get_freeze_count() == 0
        gc.collect()
        assert ring() is None
    finally:
        gc.unfreeze()


def test_glibc_takes_the_options() -> None:
    assert keep_memory() is (platform.libc_ver()[0] == "glibc")


def test_where_there_is_no_glibc_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: object) -> object:
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert keep_memory.__wrapped__() is False
