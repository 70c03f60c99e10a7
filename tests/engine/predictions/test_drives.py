"""What drives an outcome of a mixture: asked on the simplex, wherever the asked point lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.campaign import Campaign, Objective, Parameter, Property, Value
from engine.predictions.feasible import FeasibleSet
from engine.predictions.predict import what_drives
from engine.propose.request import Forecast

BLEND = Campaign(
    name="blend",
    parameters=(
        *(Parameter(name=name, low=0, high=1) for name in "abc"),
        Parameter(name="heat", low=20, high=80),
        Parameter(name="kind", choices=("left", "right")),
    ),
    properties=(Property(name="y"),),
    objectives=(Objective(outcome="y", threshold=0.0),),
    parameter_constraints=("a + b + c == 1", "a <= 0.6"),
)


class Linear:
    """Answers ``y = 3 a − b``, and refuses to be asked off the simplex."""

    space = SimpleNamespace(campaign=BLEND)
    outcomes = ("y",)

    def predict(self, rows: Sequence[Mapping[str, Value]]) -> list[dict[str, Forecast]]:
        answers = []
        for row in rows:
            a, b, c = (float(row[name]) for name in "abc")
            assert a + b + c == pytest.approx(1.0, abs=1e-8)
            assert min(a, b, c) >= -1e-7
            assert a <= 0.6 + 1e-7
            y = 3 * a - b
            answers.append({"y": Forecast(y, y - 1, y + 1)})
        return answers


def drives_at(**row: Any) -> dict[str, Any]:
    model: Any = Linear()
    (drives,) = what_drives(model, [{"heat": 50.0, "kind": "left", **row}])
    return {drive.parameter: drive for drive in drives["y"]}


def test_others_make_room_and_the_range_is_what_the_constraints_leave() -> None:
    drives = drives_at(a=0.3, b=0.4, c=0.3)
    # `a` goes from 0 to 0.6; b and c give way alike: y rises by 1.8 + 0.3.
    assert drives["a"].change == pytest.approx(2.1, abs=1e-6)
    assert drives["a"].best == pytest.approx(0.6, abs=1e-6)
    assert drives["heat"].span == drives["kind"].span == 0.0
    assert drives["b"].change < -1


def test_from_a_corner_where_a_component_is_missing() -> None:
    drives = drives_at(a=0.5, b=0.5, c=0.0)
    assert drives["a"].change is not None
    assert drives["a"].change > 1.8
    assert drives["c"].span > 0


@given(
    shares=st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda s: sum(s) > 0.1),
    i=st.integers(0, 3),
)
def test_lines_keep_every_constraint(shares: list[float], i: int) -> None:
    names = ["w", "x", "y", "z"]
    campaign = Campaign(
        name="four",
        parameters=tuple(Parameter(name=name, low=0, high=1) for name in names),
        properties=(Property(name="p"),),
        objectives=(Objective(outcome="p", threshold=0.0),),
        parameter_constraints=("w + x + y + z == 1", "w - x <= 0.2", "y >= 0.1"),
    )
    asked = np.array([shares]) / sum(shares)
    points = FeasibleSet(campaign).lines(asked, i, 5)[0]
    assert np.abs(points.sum(axis=1) - 1).max() < 1e-9
    assert points.min() > -1e-6
    assert (points[:, 0] - points[:, 1]).max() < 0.2 + 1e-6
    assert points[:, 2].min() > 0.1 - 1e-6
    assert np.all(np.diff(points[:, i]) > 0)
