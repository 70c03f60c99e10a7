"""What is better: one function for maximise, minimise and target; what a target has to have."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.campaign import Campaign, Objective

DIAMETER = {"outcome": "diameter", "goal": "target", "target": 300.0, "tolerance": 20.0}


def campaign_with(objective: dict[str, object], **prop: object) -> Campaign:
    return Campaign(
        name="toy",
        parameters=[{"name": "x", "low": 0, "high": 1}],
        properties=[{"name": "diameter", "unit": "nm", **prop}],
        objectives=[objective],
    )


@pytest.mark.parametrize(
    ("objective", "values", "gains"),
    [
        ({"threshold": 3}, [1, 4], [1, 4]),
        ({"goal": "minimize", "threshold": 3}, [1, 4], [-1, -4]),
        ({"goal": "target", "target": 3, "tolerance": 0.5}, [1, 4, 3], [-2, -1, 0]),
    ],
)
def test_larger_gains_are_better(objective, values, gains) -> None:
    assert Objective(outcome="y", **objective).gains(values).tolist() == gains


@pytest.mark.parametrize(
    ("objective", "value", "reached"),
    [
        ({"threshold": 3}, 3.0, False),
        ({"threshold": 3}, 3.1, True),
        ({"goal": "minimize", "threshold": 3}, 3.0, False),
        ({"goal": "minimize", "threshold": 3}, 2.9, True),
        ({"goal": "target", "target": 300, "tolerance": 20}, 320.0, True),
        ({"goal": "target", "target": 300, "tolerance": 20}, 279.9, False),
        ({"goal": "target", "target": 300.3, "tolerance": 0.1}, 300.4, True),
        ({"goal": "target", "target": 3e-15, "tolerance": 1e-16}, 3.1e-15, True),
        ({"goal": "target", "target": 3e-15, "tolerance": 1e-16}, 3.2e-15, False),
        ({"goal": "target", "target": 0, "tolerance": 1}, -1.0, True),
        ({"goal": "target", "target": 300, "tolerance": 20}, math.nan, False),
    ],
)
def test_what_is_reached(objective, value, reached) -> None:
    assert bool(Objective(outcome="y", **objective).is_reached(value)) is reached


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_a_target_wins_more_the_nearer(target, tolerance, values) -> None:
    objective = Objective(outcome="y", goal="target", target=target, tolerance=tolerance)
    gains = objective.gains(values)
    best = values[int(np.argmax(gains))]
    assert abs(best - target) == min(abs(value - target) for value in values)
    low, high = objective.edges
    inside = [value for value in values if low <= value <= high]
    assert objective.is_reached(inside).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": None}, "target is missing"),
        ({"tolerance": None}, "tolerance is missing"),
        ({"tolerance": 0}, "expected a tolerance above 0, got 0"),
        ({"tolerance": -5}, "expected a tolerance above 0, got -5"),
        ({"tolerance": 1e-20}, "lost in the rounding"),
        ({"threshold": 250}, "takes no threshold"),
        ({"goal": "maximize", "threshold": 250}, 'target belongs to goal = "target"'),
        ({"goal": "maximize", "target": None, "threshold": 1}, "tolerance belongs to goal"),
        ({"goal": "maximise"}, "'maximize', 'minimize' or 'target'"),
        ({"goal": "minimize", "target": None, "tolerance": None}, "expected a threshold"),
        ({"target": math.inf}, "finite"),
        ({"target": 2e4}, "can never be measured: expected diameter \\[nm\\] to be at most 10000"),
        ({"target": -1}, "can never be measured"),
    ],
)
def test_targets_that_cannot_be(change, words) -> None:
    objective = {k: v for k, v in {**DIAMETER, **change}.items() if v is not None}
    with pytest.raises(ValidationError, match=words):
        campaign_with(objective, minimum=0.0, maximum=1e4)


def test_a_target_on_a_logarithm_is_above_zero() -> None:
    with pytest.raises(ValidationError, match="a 0 has no logarithm"):
        campaign_with({**DIAMETER, "target": 0}, minimum=0.0, scale="log")


@pytest.mark.parametrize("change", [{}, {"goal": "minimize", "threshold": 5.0}])
def test_a_definition_comes_back(change) -> None:
    objective = DIAMETER if not change else {"outcome": "diameter", **change}
    campaign = campaign_with(objective, minimum=0.0)
    assert Campaign(**campaign.definition()) == campaign
    assert campaign.definition()["objectives"] == [objective]
