from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bench.running import Trace
from engine.bench.scores import Protocol, experiments_to, mean_interval, summarise

PROTOCOL = Protocol(start=2, batch=2, budget=6)


def trace(name, seed, curve):
    return Trace(name, seed, (), ({"seconds": {"total": 9.0}}, {"seconds": {"total": 1.0}}), curve)


SLOW = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
FAST = (0.0, 0.1, 0.5, 0.7, 0.8, 0.9)


def test_checkpoints_are_the_ends_of_batches():
    assert PROTOCOL.checkpoints == [2, 4, 6]
    assert Protocol(10, 5, 22).checkpoints == [10, 15, 20, 22]


def test_comparison_on_paper():
    traces = [trace("sobol", s, SLOW) for s in (0, 1)] + [trace("gp", s, FAST) for s in (0, 1)]
    summary = summarise(traces, ("gp", "sobol"), PROTOCOL)
    gp = summary["strategies"]["gp"]
    assert summary["baseline"] == "sobol"
    assert gp["mean"] == pytest.approx([0.1, 0.7, 0.9])
    assert gp["difference"] == pytest.approx(0.4)
    assert gp["difference_interval"] == pytest.approx([0.4, 0.4])
    assert gp["experiments_to_target"] == 3
    assert gp["acceleration"] == pytest.approx(2.0)
    assert gp["seconds_per_batch"] == pytest.approx(1.0)


def test_one_seed_has_no_interval():
    summary = summarise([trace("gp", 0, FAST)], ("gp",), PROTOCOL)
    gp = summary["strategies"]["gp"]
    assert summary["baseline"] == "gp"
    assert gp["interval"] is None
    assert gp["sd"] is None
    assert gp["difference"] == pytest.approx(0.0)


def test_only_seeds_that_both_ran_are_compared():
    traces = [trace("sobol", 0, SLOW), trace("sobol", 1, SLOW), trace("gp", 1, FAST)]
    gp = summarise(traces, ("sobol", "gp"), PROTOCOL)["strategies"]["gp"]
    assert gp["paired_seeds"] == 1
    apart = summarise([trace("sobol", 0, SLOW), trace("gp", 1, FAST)], ("sobol", "gp"), PROTOCOL)
    assert apart["strategies"]["gp"]["paired_seeds"] == 0


def test_never_reached_is_none():
    traces = [trace("sobol", 0, FAST), trace("gp", 0, SLOW)]
    gp = summarise(traces, ("sobol", "gp"), PROTOCOL)["strategies"]["gp"]
    assert gp["experiments_to_target"] is None
    assert gp["acceleration"] is None


def test_a_short_curve_goes_on_at_its_end():
    gp = summarise([trace("gp", 0, (0.1, 0.4))], ("gp",), PROTOCOL)["strategies"]["gp"]
    assert gp["mean"] == pytest.approx([0.4, 0.4, 0.4])


def test_intervals_hold_the_truth_about_as_often_as_said():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        low, high = mean_interval(rng.normal(1.0, 0.5, 20))
        held += low <= 1.0 <= high
    assert 0.86 <= held / 200 <= 0.99


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0, 1))
def test_experiments_to_is_the_first_that_reaches(gains, target):
    curve = np.maximum.accumulate(np.array(gains))
    n = experiments_to(target, curve)
    if n is None:
        assert curve[-1] < target
    else:
        assert curve[n - 1] >= target - 1e-9
        assert n == 1 or curve[n - 2] < target
