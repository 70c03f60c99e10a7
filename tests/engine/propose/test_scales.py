"""Nothing depends on the unit: ranges from 1e-15 to 1e15 wide, near 0 and far from it."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.campaign import Campaign, Parameter
from engine.campaign.history import History
from engine.errors import UsageError
from engine.propose import suggest
from engine.propose.batch import DistinctLimits
from engine.propose.neighbours import neighbours
from engine.propose.request import ProposeRequest, checked
from engine.propose.sampling import Sampler
from engine.propose.space import Space
from engine.workspace.settings import ProposeSettings

exponents = st.integers(-15, 15)


def scaled(unit: float, shift: float = 0.0) -> Campaign:
    """A mixture of three flows (two on steps) and a position, all in units of ``unit``."""
    flow = {"low": 0.0, "high": unit}
    return Campaign(
        name="scaled",
        parameters=[
            {"name": "a", **flow, "step": unit / 20},
            {"name": "b", **flow, "step": unit / 20},
            {"name": "c", **flow},
            {"name": "place", "low": shift * unit, "high": (shift + 1) * unit, "step": unit / 10},
        ],
        properties=[{"name": "u"}, {"name": "v"}],
        objectives=[{"outcome": "u", "threshold": 0.0}, {"outcome": "v", "threshold": 0.0}],
        parameter_constraints=[f"a + b + c == {unit!r}", f"a - b <= {unit / 2!r}"],
    )


@settings(max_examples=40, deadline=None)
@given(
    exponents, st.integers(1, 9), st.sampled_from([-1e3, -1.0, 0.0, 2.0, 1e4]), st.integers(0, 99)
)
def test_rules_hold_in_every_unit(power: int, digit: int, shift: float, seed: int) -> None:
    unit = float(f"{digit}e{power}")
    campaign = scaled(unit, shift)
    space = Space(campaign)
    sample = Sampler(space).sample(30, seed)
    near = neighbours(space, sample[:3])
    assert len(sample) == 30
    assert len(near) >= 30
    for conditions in space.conditions_of(np.concatenate([sample, near])):
        for name, value in conditions.items():
            assert campaign.parameter(name).problem_as_setting(value) is None
        assert not campaign.broken_by(conditions)
        a, b, c = (float(conditions[name]) for name in "abc")
        assert a + b + c == pytest.approx(unit, rel=1e-5)
        assert a - b <= unit * 0.50001
    assert len(set(space.identities(sample))) == 30
    assert space.keys(space.conditions_of(sample)) == set(space.identities(sample))


@settings(max_examples=40, deadline=None)
@given(exponents, st.integers(0, 99))
def test_a_unit_changes_no_setting(power: int, seed: int) -> None:
    plain, other = Space(scaled(1.0)), Space(scaled(10.0**power))
    np.testing.assert_allclose(
        Sampler(other).sample(20, seed) / 10.0**power, Sampler(plain).sample(20, seed), atol=1e-9
    )
    assert other.identities(Sampler(other).sample(20, seed)) == plain.identities(
        Sampler(plain).sample(20, seed)
    )


@settings(max_examples=40, deadline=None)
@given(exponents, st.sampled_from(["a", "c"]), st.sampled_from([-0.01, 1.01]))
def test_fixed_values_beyond_the_range_are_refused(power: int, name: str, place: float) -> None:
    campaign = scaled(10.0**power)
    request = ProposeRequest(n=2, seed=0, fixed={name: place * 10.0**power})
    with pytest.raises(UsageError, match="between"):
        checked(request, campaign)
    checked(ProposeRequest(n=2, seed=0, fixed={name: 0.5 * 10.0**power}), campaign)
    with pytest.raises(UsageError, match="the nearest is"):
        checked(ProposeRequest(n=2, seed=0, fixed={"a": 0.52 * 10.0**power}), campaign)


@settings(max_examples=30, deadline=None)
@given(exponents)
def test_a_rule_that_is_missed_by_a_hundredth_is_broken(power: int) -> None:
    unit = 10.0**power
    campaign = scaled(unit)
    conditions = {"a": 0.5 * unit, "b": 0.2 * unit, "c": 0.3 * unit, "place": 0.0}
    assert not campaign.broken_by(conditions)
    assert campaign.broken_by({**conditions, "c": 0.31 * unit})
    space = Space(campaign)
    off = space.settings_of([conditions, {**conditions, "c": 0.31 * unit}])
    assert space.is_feasible(off).tolist() == [True, False]


@settings(max_examples=30, deadline=None)
@given(exponents)
def test_limits_count_values_in_every_unit(power: int) -> None:
    unit = 10.0**power
    space = Space(scaled(unit))
    limits = DistinctLimits({0: 2}, {0: space.controlled[0].resolution})
    rows = np.array([[i * 0.05 * unit, 0.0, 0.0, 0.0] for i in range(5)])
    again = rows * (1 + 1e-14)
    assert limits.allowed(again, [rows[1], again[1], rows[3]]).tolist() == [
        False,
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("n_steps", [10**7, 10**9])
def test_a_large_grid_answers_at_once(n_steps: int, quick: ProposeSettings) -> None:
    campaign = Campaign(
        name="large",
        parameters=[
            {"name": "time", "low": 0.0, "high": 1000.0, "step": 1000.0 / n_steps},
            {"name": "heat", "low": 0.0, "high": 10.0, "step": 10.0 / n_steps},
        ],
        properties=[{"name": "u"}, {"name": "v"}],
        objectives=[{"outcome": "u", "threshold": -1e9}, {"outcome": "v", "threshold": -1e9}],
    )
    began = time.process_time()
    parameter = campaign.parameters[0]
    assert parameter.n_levels == n_steps + 1
    assert parameter.problem_as_setting(parameter.level(n_steps // 3)) is None
    assert parameter.snap(123.4) == pytest.approx(123.4)
    for strategy in ("sobol", "gp"):
        batch = suggest(
            History(campaign, ()), ProposeRequest(n=8, seed=0, strategy=strategy), quick
        )
        for suggestion in batch.suggestions:
            for name, value in suggestion.conditions.items():
                assert campaign.parameter(name).problem_as_setting(value) is None
    assert len(neighbours(Space(campaign), Sampler(Space(campaign)).sample(4, 0))) > 40
    assert time.process_time() - began < 5.0


@pytest.mark.parametrize("low", [0.0, 1e6, -1e6])
@pytest.mark.parametrize("step", [1e-4, 0.01])
def test_narrow_ranges_far_from_zero_keep_their_levels(low: float, step: float) -> None:
    parameter = Parameter(name="x", low=low, high=low + 5 * step, step=step)
    levels = [parameter.level(i) for i in range(6)]
    assert len(set(levels)) == 6
    assert all(parameter.problem_as_setting(level) is None for level in levels)
    assert parameter.problem_as_setting(low + 1.5 * step) is not None
