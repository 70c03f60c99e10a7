"""Threads, versions, and which of several processes records."""

from __future__ import annotations

import pytest

from engine.compute import is_first_process


def test_the_first_of_several_processes_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert is_first_process()
    monkeypatch.setenv("RANK", "0")
    assert is_first_process()
    monkeypatch.setenv("RANK", "1")
    assert not is_first_process()
