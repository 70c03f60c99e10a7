"""The short form of ``writers.py``; the long one is run by hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def writers() -> ModuleType:
    path = Path(__file__).parent / "writers.py"
    spec = importlib.util.spec_from_file_location("load_writers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.matrix(1)
@pytest.mark.parametrize(("database", "n", "results"), [("sqlite", 4, 60), ("postgresql", 4, 80)])
def test_every_result_is_there_once(writers, tmp_path, database, n, results) -> None:
    outcome = writers.run(tmp_path, database=database, writers=n, results=results, durable=False)
    assert outcome.holds, outcome
    assert outcome.failures == ()  # nor did anybody have to try again


@pytest.mark.deep
def test_the_server_goes_away_for_a_while(writers, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SPINNERET_DATABASE__WAIT_S", "1")
    outcome = writers.run(
        tmp_path, database="postgresql", writers=3, results=240, away_s=2.0
    )  # durable: a server that need not keep what it has confirmed may lose it in a crash
    assert outcome.holds, outcome
    for failure in outcome.failures:
        assert failure.startswith(("ConnectionLost", "ServerUnreachable", "unknown")), failure
