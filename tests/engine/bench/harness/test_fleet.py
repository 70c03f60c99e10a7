"""The same numbers on a Ray cluster as without; and what is said where there is no Ray."""

from __future__ import annotations

import sys

import pytest

from engine.bench.search.closed_loop import ClosedLoopConfig, closed_loop
from engine.errors import UsageError

CONFIG = ClosedLoopConfig(strategies=("sobol", "nsga2"), n_seeds=2, start=4, batch=2, budget=8)


def numbers(document):
    return [(t["strategy"], t["seed"], t["runs"], t["curve"]) for t in sorted_traces(document)]


def sorted_traces(document):
    return sorted(document["traces"], key=lambda t: (t["strategy"], t["seed"]))


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_the_same_numbers() -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    alone = closed_loop(CONFIG)
    spread = closed_loop(CONFIG, ray="local", jobs=2)
    assert numbers(spread) == numbers(alone)


def test_without_ray_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'spinneret\[ray\]'"):
        closed_loop(CONFIG, ray="local")
