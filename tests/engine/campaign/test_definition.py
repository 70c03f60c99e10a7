from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.campaign import Campaign, LinearConstraint, Parameter, Property


def refusal(make, **fields) -> str:
    with pytest.raises(ValidationError) as caught:
        make(**fields)
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"low": 22, "high": 16}, "bounds reversed: low = 22 must be below high = 16"),
        ({"low": 16, "high": 22, "step": 4}, "would reach 20 and 24, never high"),
        ({"low": 16, "high": 22, "step": 7}, "does not divide"),
        ({"low": 16}, "needs low and high, or choices"),
        ({"low": -1, "high": 1, "minimum": 0}, "leaves what can exist, minimum = 0"),
        ({"low": 0, "high": 3, "maximum": 2}, "leaves what can exist, maximum = 2"),
        ({"low": 0, "high": math.inf}, "finite"),
        ({"choices": []}, "at least one choice"),
        ({"low": 1, "high": 2, "retired": [1.0]}, "a range has none; narrow low and high"),
        ({"choices": ["a", "b"], "retired": ["c"]}, "'c', which is none of the choices (a, b)"),
        ({"choices": ["a", "b"], "retired": ["b", "a"]}, "all of its choices are retired"),
        ({"choices": ["a", "b", "a"]}, "names a choice twice"),
        ({"choices": [3.0, 1.0]}, "rising order"),
        ({"choices": ["a", "b"], "low": 0}, "both choices and low/high/step"),
        ({"low": 0, "high": 1, "role": "ambient", "hard_to_change": True}, "the room gives it"),
        ({"choices": ["dry", "wet"], "role": "ambient"}, "a reading of the room is a number"),
        ({"low": 0, "high": 1, "stepp": 1}, "Extra inputs"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(fields, told) -> None:
    assert told in refusal(Parameter, name="voltage", **fields)


def test_levels_are_what_the_instrument_can_be_set_to() -> None:
    parameter = Parameter(name="flow_rate", low=0.2, high=0.6, step=0.05)
    assert parameter.levels == (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
    assert Parameter(name="x", low=0, high=1).levels is None
    assert Parameter(name="x", choices=["a", "b"]).levels == ("a", "b")


@given(
    low=st.floats(-100, 100),
    n_steps=st.integers(1, 200),
    step=st.floats(0.01, 10),
    value=st.floats(-3000, 3000),
)
def test_a_snapped_value_is_a_setting_and_the_nearest_one(low, n_steps, step, value) -> None:
    low, step = round(low, 2), round(step, 2)
    parameter = Parameter(name="x", low=low, high=low + n_steps * step, step=step)
    snapped = parameter.snap(value)
    assert parameter.problem_as_setting(snapped) is None
    assert parameter.levels is not None
    nearest = min(abs(float(level) - value) for level in parameter.levels)
    assert abs(snapped - value) == pytest.approx(nearest, rel=1e-9, abs=1e-9)
    assert parameter.snap(snapped) == snapped


def test_possible_is_wider_than_proposable() -> None:
    parameter = Parameter(name="voltage", unit="kV", low=16, high=22, step=0.5, minimum=0)
    assert parameter.problem_with(30.0) is None
    assert "between 16 and 22" in str(parameter.problem_as_setting(30.0))
    assert "the nearest is 17.5" in str(parameter.problem_as_setting(17.6))
    assert "at least 0" in str(parameter.problem_with(-1.0))
    assert "finite" in str(parameter.problem_with(math.nan))
    assert "finite" in str(parameter.problem_with("high"))


def test_a_property_has_an_outcome_for_each_direction() -> None:
    assert Property(name="toughness").outcomes == ("toughness",)
    both = Property(name="strength", directions=("longitudinal", "transverse"))
    assert both.outcomes == ("strength.longitudinal", "strength.transverse")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"scale": "log"}, "needs minimum = 0 or more"),
        ({"minimum": 3, "maximum": 2}, "must be below"),
        ({"directions": ["a", "a"]}, "a direction twice"),
    ],
)
def test_a_property_that_makes_no_sense_is_refused(fields, told) -> None:
    assert told in refusal(Property, name="strength", **fields)


def test_a_log_scaled_value_is_zero_or_more() -> None:
    prop = Property(name="strength", unit="MPa", scale="log", minimum=0, maximum=100)
    assert prop.problem_with(0.0) is None
    assert "at least 0" in str(prop.problem_with(-0.1))
    assert "at most 100" in str(prop.problem_with(101.0))
    assert prop.problem_with(0.1) is None


def small(**changes) -> dict:
    return {
        "name": "small",
        "parameters": [{"name": "a", "low": 0, "high": 1}, {"name": "b", "choices": ["x", "y"]}],
        "properties": [{"name": "y", "directions": ["along", "across"]}, {"name": "cost"}],
        "objectives": [{"outcome": "y.along", "threshold": 1}],
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"objectives": []}, "at least 1 item"),
        ({"objectives": [{"outcome": "y.alng", "threshold": 0}]}, "Did you mean 'y.along'?"),
        ({"objectives": [{"outcome": "cost", "threshold": 0}] * 2}, "an objective twice"),
        ({"objectives": [{"outcome": "cost", "threshold": math.nan}]}, "finite"),
        ({"constraints": ["y.along + cost >= 2"]}, "expected one outcome"),
        ({"constraints": ["yy.along >= 2"]}, "Did you mean"),
        ({"parameter_constraints": ["a + c <= 1"]}, "'c' is not a numeric controlled parameter"),
        ({"parameter_constraints": ["a + b <= 1"]}, "'b' is not a numeric controlled parameter"),
        ({"parameter_constraints": ["a <"]}, "expected a linear inequality"),
        ({"properties": [{"name": "a"}]}, "both a parameter and a property"),
        ({"properties": [{"name": "cost"}] * 2}, "defined twice"),
        ({"parameters": [{"name": "t", "low": 0, "high": 1, "role": "ambient"}]}, "at least one"),
        ({"name": "no/slash"}, "pattern"),
    ],
)
def test_a_campaign_that_contradicts_itself_is_refused(changes, told) -> None:
    assert told in refusal(Campaign, **small(**changes))


def test_a_definition_gives_the_campaign_back(nanofibre, mixture) -> None:
    constrained = Campaign(
        **small(constraints=["y.along >= 0.123456789"], parameter_constraints=["a <= 0.5"])
    )
    for campaign in (nanofibre, mixture, constrained):
        assert Campaign(**campaign.definition()) == campaign


def test_headings_carry_units(nanofibre, mixture) -> None:
    assert nanofibre.heading("flow_rate") == "flow_rate [mL/h]"
    assert nanofibre.heading("elongation.transverse") == "elongation.transverse [%]"
    assert mixture.heading("solvent") == "solvent"
    with pytest.raises(KeyError):
        nanofibre.heading("voltge")


def test_slack_is_the_room_left() -> None:
    at_most = LinearConstraint.model_validate("a + 2*b <= 3")
    assert at_most.slack({"a": 1, "b": 0.5}) == 1.0
    assert not at_most.is_met({"a": 3, "b": 0.5})
    exactly = LinearConstraint.model_validate("a + b == 1")
    assert exactly.is_met({"a": 0.1 + 0.2, "b": 0.7})
    assert not exactly.is_met({"a": 0.4, "b": 0.7})


def test_conditions_that_break_a_constraint_are_found(mixture) -> None:
    parts = {"polymer": 0.6, "plasticiser": 0.2, "filler": 0.1, "solvent": "water"}
    (broken,) = mixture.broken_by(parts)
    assert str(broken) == "polymer + plasticiser + filler == 1"
    assert mixture.broken_by({**parts, "filler": 0.2}) == ()
    assert mixture.broken_by({"polymer": 0.6}) == ()
