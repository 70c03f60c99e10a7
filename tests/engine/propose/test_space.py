import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.campaign import Campaign
from engine.errors import UsageError
from engine.propose.neighbours import neighbours
from engine.propose.sampling import Sampler
from engine.propose.space import Space


@st.composite
def campaigns(draw: st.DrawFn) -> Campaign:
    """Campaigns with ranges (stepped or not), numeric and named choices."""
    parameters = []
    for i in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["stepped", "range", "numbers", "names"]))
        parameter: dict[str, object] = {"name": f"p{i}"}
        if kind == "names":
            parameter["choices"] = ["u", "v", "w"][: draw(st.integers(2, 3))]
        elif kind == "numbers":
            parameter["choices"] = [0.5, 2.0, 7.0]
        else:
            low = draw(st.integers(-50, 50)) / 10
            steps = draw(st.integers(1, 40))
            step = draw(st.sampled_from([0.05, 0.1, 0.5, 2.0]))
            parameter |= {"low": low, "high": low + steps * step}
            if kind == "stepped":
                parameter["step"] = step
        parameters.append(parameter)
    return Campaign(
        name="drawn",
        parameters=parameters,
        properties=[{"name": "y"}],
        objectives=[{"outcome": "y", "threshold": 0.0}],
    )


@settings(max_examples=40, deadline=None)
@given(campaigns(), st.integers(0, 2**31))
def test_samples_are_settings_that_the_instrument_has(campaign: Campaign, seed: int) -> None:
    space = Space(campaign)
    sample = Sampler(space).sample(16, seed)
    assert space.is_feasible(sample).all()
    assert len({space.key(row) for row in sample}) == len(sample)
    for conditions in space.conditions_of(sample):
        for name, value in conditions.items():
            assert campaign.parameter(name).problem_as_setting(value) is None


@settings(max_examples=40, deadline=None)
@given(campaigns(), st.integers(0, 2**31))
def test_settings_survive_the_way_to_conditions_and_back(campaign: Campaign, seed: int) -> None:
    space = Space(campaign)
    sample = Sampler(space).sample(8, seed)
    again = space.settings_of(space.conditions_of(sample))
    np.testing.assert_allclose(again, sample, atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(campaigns(), st.integers(0, 2**31))
def test_neighbours_differ_and_are_feasible(campaign: Campaign, seed: int) -> None:
    space = Space(campaign)
    row = Sampler(space).sample(1, seed)[0]
    near = neighbours(space, row)
    assert space.is_feasible(near).all()
    assert space.key(row) not in {space.key(other) for other in near}


def test_the_cube_is_the_unit_cube(toy: Campaign) -> None:
    space = Space(toy)
    sample = Sampler(space).sample(50, 0)
    X = space.cube(sample, np.full((len(sample), 1), 30.0))
    assert X.shape == (len(sample), 3)
    assert X.min() >= 0
    assert X.max() <= 1
    assert (X[:, 2] == 1).all()


def test_choices_are_one_hot(mixture: Campaign) -> None:
    space = Space(mixture)
    X = space.encode([{"x": 0.2, "y": 0.3, "z": 0.5, "solvent": "ethanol"}])
    assert space.labels[-3:] == ("solvent=water", "solvent=ethanol", "solvent=acetone")
    np.testing.assert_allclose(X[0], [0.2, 0.3, 0.5, 0, 1, 0])


@pytest.mark.parametrize("seed", range(3))
def test_mixtures_sum_to_one(mixture: Campaign, seed: int) -> None:
    space = Space(mixture)
    sample = Sampler(space).sample(40, seed)
    np.testing.assert_allclose(sample[:, :3].sum(axis=1), 1.0, atol=1e-6)
    near = np.concatenate([neighbours(space, row) for row in sample[:5]])
    assert len(near)
    np.testing.assert_allclose(near[:, :3].sum(axis=1), 1.0, atol=1e-6)


def test_fixed_parameters_stay(mixture: Campaign) -> None:
    space = Space(mixture)
    sample = Sampler(space).sample(20, 0, {"x": 0.3, "solvent": "water"})
    assert set(sample[:, 0]) == {0.3}
    assert set(sample[:, 3]) == {0.0}
    near = neighbours(space, sample[0], {"x": 0.3, "solvent": "water"})
    assert set(near[:, 0]) == {0.3}


def test_a_space_without_a_setting_is_refused(toy_with) -> None:
    space = Space(toy_with(parameter_constraints=["a + b >= 5"]))
    with pytest.raises(UsageError, match=r"no setting satisfies.*a \+ b >= 5"):
        Sampler(space).sample(4, 0)
