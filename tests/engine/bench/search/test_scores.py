from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bench.harness.intervals import mean_interval
from engine.bench.harness.tasks import Trace
from engine.bench.search.scores import (
    Protocol,
    crossing,
    experiments_to,
    reference_of,
    summarise,
)
from engine.errors import UsageError

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
    summary = summarise(traces, ("gp", "sobol"), PROTOCOL, "sobol")
    gp = summary["strategies"]["gp"]
    assert summary["baseline"] == "sobol"
    assert gp["mean"] == pytest.approx([0.1, 0.7, 0.9])
    assert gp["difference"] == pytest.approx(0.4)
    assert gp["difference_interval"] == pytest.approx([0.4, 0.4])
    assert gp["experiments_to_target"] == 3
    assert gp["acceleration"] == pytest.approx(2.0)
    assert gp["seconds_per_batch"] == pytest.approx(1.0)


def test_one_seed_has_no_interval():
    summary = summarise([trace("gp", 0, FAST)], ("gp",), PROTOCOL, "gp")
    gp = summary["strategies"]["gp"]
    assert summary["baseline"] == "gp"
    assert gp["interval"] is None
    assert gp["sd"] is None
    assert gp["difference"] == pytest.approx(0.0)


def test_only_seeds_that_both_ran_are_compared():
    traces = [trace("sobol", 0, SLOW), trace("sobol", 1, SLOW), trace("gp", 1, FAST)]
    gp = summarise(traces, ("sobol", "gp"), PROTOCOL, "gp")["strategies"]["gp"]
    assert gp["paired_seeds"] == 1
    lonely = [trace("sobol", 0, SLOW), trace("gp", 1, FAST)]
    apart = summarise(lonely, ("sobol", "gp"), PROTOCOL, "gp")
    assert apart["strategies"]["gp"]["paired_seeds"] == 0


def test_never_reached_is_none():
    traces = [trace("sobol", 0, FAST), trace("gp", 0, SLOW)]
    gp = summarise(traces, ("sobol", "gp"), PROTOCOL, "gp")["strategies"]["gp"]
    assert gp["experiments_to_target"] is None
    assert gp["acceleration"] is None


def test_a_short_curve_goes_on_at_its_end():
    gp = summarise([trace("gp", 0, (0.1, 0.4))], ("gp",), PROTOCOL, "gp")["strategies"]["gp"]
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


def test_experiments_to_reach_the_reference_are_read_between_batches():
    """FAST has 0.1, 0.7, 0.9 after 2, 4, 6; SLOW ends at 0.5: two thirds of the way from 2 to 4."""
    traces = [trace("gp", s, SLOW) for s in (0, 1)] + [trace("matmcl", s, FAST) for s in (0, 1)]
    found = summarise(traces, ("gp", "matmcl"), PROTOCOL, "gp")["strategies"]
    reach = found["matmcl"]["reach"]
    assert reach["target"] == pytest.approx(0.5)
    assert reach["experiments"] == pytest.approx(2 + 2 * 0.4 / 0.6)
    assert reach["ratio"] == pytest.approx(reach["experiments"] / 6)
    assert reach["ratio_interval"] == pytest.approx([reach["ratio"]] * 2)
    assert reach["by_seed"]["ratio"] == pytest.approx(reach["ratio"])
    assert reach["final_difference"] == pytest.approx(0.4)
    assert reach["final_difference_se"] == pytest.approx(0.0)
    assert found["gp"]["reach"]["ratio"] == pytest.approx(1.0)


def test_what_never_gets_there_is_censored_at_the_budget():
    traces = [trace("gp", s, FAST) for s in (0, 1)] + [
        trace("matmcl", 0, SLOW),
        trace("matmcl", 1, FAST),
    ]
    reach = summarise(traces, ("gp", "matmcl"), PROTOCOL, "gp")["strategies"]["matmcl"]["reach"]
    assert reach["is_censored"]
    assert reach["experiments"] == 6
    assert reach["by_seed"]["censored"] == [True, False]
    assert reach["final_difference_se"] > 0


def test_the_references_score_can_be_read_early():
    protocol = Protocol(2, 2, 6, read_at=4)
    traces = [trace("gp", 0, SLOW), trace("matmcl", 0, FAST)]
    reach = summarise(traces, ("gp", "matmcl"), protocol, "gp")["strategies"]["matmcl"]["reach"]
    assert reach["target"] == pytest.approx(0.3)
    assert reach["experiments"] == pytest.approx(2 + 2 * 0.2 / 0.6)
    assert reach["ratio"] == pytest.approx(reach["experiments"] / 4)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.floats(0, 1.2))
def test_a_crossing_is_where_the_line_is(steps, target):
    y = np.cumsum(steps)
    x = np.arange(1.0, len(y) + 1)
    found = crossing(target, x, y)
    if np.isnan(found):
        assert y[-1] < target
    elif found > x[0]:
        assert np.interp(found, x, y) == pytest.approx(target, abs=1e-9)
    else:
        assert y[0] >= target - 1e-9


def test_the_reference_is_gp_where_it_runs():
    assert reference_of("", ("sobol", "gp", "matmcl")) == "gp"
    assert reference_of("", ("sobol", "ax")) == "sobol"
    with pytest.raises(UsageError, match="Did you mean 'sobol'"):
        reference_of("sobl", ("sobol", "ax"))
