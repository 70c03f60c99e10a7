from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from engine.campaign import Campaign, LinearConstraint, Objective, Parameter, Property, Value
from engine.errors import UsageError
from engine.predictions.sensitivity import sensitivity

CAMPAIGN = Campaign(
    name="toy",
    parameters=(
        Parameter(name="a", low=0, high=1),
        Parameter(name="b", low=10, high=14),
        Parameter(name="kind", choices=("left", "right")),
        Parameter(name="idle", role="ambient", low=-1, high=1),
    ),
    properties=(Property(name="y", unit="m"), Property(name="flat"), Property(name="crossed")),
    objectives=(Objective(outcome="y", threshold=0.0),),
)


def additive(rows: Sequence[Mapping[str, Value]]) -> dict[str, list[float]]:
    """``y`` gets variances 1, 4 and 5 from a, b and kind; ``crossed`` needs a and b together."""
    unit = np.sqrt(12)
    y, crossed = [], []
    for row in rows:
        a, b = float(row["a"]) - 0.5, (float(row["b"]) - 12) / 4
        side = 1.0 if row["kind"] == "right" else -1.0
        y.append(unit * a + 2 * unit * b + np.sqrt(5) * side)
        crossed.append(a * b)
    return {"y": y, "flat": [3.0] * len(rows), "crossed": crossed}


def test_known_shares_are_found() -> None:
    indices = sensitivity(CAMPAIGN, ("y", "flat", "crossed"), additive, n_samples=1024)
    assert indices.total[0] == pytest.approx((0.1, 0.4, 0.5, 0.0), abs=0.02)
    assert indices.first[0] == pytest.approx((0.1, 0.4, 0.5, 0.0), abs=0.05)
    assert indices.spread[0] == pytest.approx(np.sqrt(10), rel=0.02)
    assert indices.outcome_headings[0] == "y [m]"


def test_what_never_moves_has_no_shares() -> None:
    indices = sensitivity(CAMPAIGN, ("flat",), additive, n_samples=64)
    assert indices.total == ((0.0, 0.0, 0.0, 0.0),)
    assert indices.spread == (0.0,)


def test_an_interaction_shows_in_the_total_only() -> None:
    indices = sensitivity(CAMPAIGN, ("crossed",), additive, n_samples=1024)
    assert indices.first[0][:2] == pytest.approx((0.0, 0.0), abs=0.1)
    assert indices.total[0][:2] == pytest.approx((1.0, 1.0), abs=0.1)


def test_one_outcome_of_one_parameter() -> None:
    single = Campaign(
        name="line",
        parameters=(Parameter(name="a", low=0, high=1),),
        properties=(Property(name="y"),),
        objectives=(Objective(outcome="y", threshold=0.0),),
    )
    indices = sensitivity(single, ("y",), lambda rows: {"y": [float(r["a"]) for r in rows]})
    assert indices.total[0] == pytest.approx((1.0,), abs=0.05)


SHARES = ("a", "b", "c")
BLEND = Campaign(
    name="blend",
    parameters=(
        *(Parameter(name=name, low=0, high=1) for name in SHARES),
        Parameter(name="heat", low=20, high=80),
        Parameter(name="kind", choices=("left", "right")),
        Parameter(name="humidity", role="ambient", low=30, high=60),
    ),
    properties=(Property(name="y"), Property(name="warm"), Property(name="flat")),
    objectives=(Objective(outcome="y", threshold=0.0),),
    parameter_constraints=("a + b + c == 1", "a <= 0.6", "heat + 20*b <= 80"),
)


def blended(rows: Sequence[Mapping[str, Value]]) -> dict[str, list[float]]:
    for row in rows:
        assert sum(float(row[name]) for name in SHARES) == pytest.approx(1.0, abs=1e-9)
        assert float(row["a"]) <= 0.6 + 1e-9
        assert float(row["heat"]) + 20 * float(row["b"]) <= 80 + 1e-6
        assert all(-1e-12 <= float(row[name]) <= 1 + 1e-12 for name in SHARES)
    return {
        "y": [3.0 * float(row["a"]) for row in rows],
        "warm": [float(row["heat"]) for row in rows],
        "flat": [1.0] * len(rows),
    }


def test_a_mixture_is_asked_on_its_simplex_only() -> None:
    indices = sensitivity(BLEND, ("y", "warm", "flat"), blended, n_samples=2048)
    a, b, c, heat, kind, humidity = indices.total[0]
    assert a > 0.7
    # Others make room for `a`, so they move it, each less than it moves itself.
    assert 0.05 < b < a
    assert 0.05 < c < a
    assert heat < 0.02
    assert (kind, humidity) == (0.0, 0.0)
    assert indices.first[0][0] == pytest.approx(indices.total[0][0], abs=0.15)
    assert indices.total[1][3] == pytest.approx(1.0, abs=0.1)
    assert indices.total[2] == (0.0,) * 6


def test_where_constraints_bind_nothing_the_shares_are_as_without_them() -> None:
    loose = CAMPAIGN.model_copy(update={"parameter_constraints": ()})
    bound = Campaign(**{**CAMPAIGN.definition(), "parameter_constraints": ["a + b <= 1000"]})
    plain = sensitivity(loose, ("y", "crossed"), additive, n_samples=2048)
    indices = sensitivity(bound, ("y", "crossed"), additive, n_samples=4096)
    assert indices.total[0] == pytest.approx(plain.total[0], abs=0.04)
    assert indices.total[1] == pytest.approx(plain.total[1], abs=0.08)
    assert indices.first[0] == pytest.approx(plain.first[0], abs=0.06)
    assert indices.first[1] == pytest.approx((0, 0, 0, 0), abs=0.06)


@pytest.mark.parametrize("n", [2, 8, 10])
def test_many_components(n: int) -> None:
    names = [f"x{i}" for i in range(n)]
    campaign = Campaign(
        name="many",
        parameters=tuple(Parameter(name=name, low=0, high=1) for name in names),
        properties=(Property(name="y"),),
        objectives=(Objective(outcome="y", threshold=0.0),),
        parameter_constraints=(" + ".join(names) + " == 1",),
    )

    def first_component(rows: Sequence[Mapping[str, Value]]) -> dict[str, list[float]]:
        sums = [sum(float(row[name]) for name in names) for row in rows]
        assert sums == pytest.approx([1.0] * len(rows), abs=1e-9)
        # Uniform on the simplex: each share is 1/n in the mean.
        assert np.mean([float(row["x0"]) for row in rows]) == pytest.approx(1 / n, rel=0.15)
        return {"y": [float(row["x0"]) for row in rows]}

    indices = sensitivity(campaign, ("y",), first_component, n_samples=1024)
    assert np.argmax(indices.total[0]) == 0 or n == 2


def test_constraints_that_leave_nothing() -> None:
    nothing = BLEND.model_copy(
        update={"parameter_constraints": (*BLEND.parameter_constraints, *_impossible())}
    )
    with pytest.raises(UsageError, match="no setting satisfies"):
        sensitivity(nothing, ("y",), blended)


def _impossible() -> tuple[LinearConstraint, ...]:
    return (LinearConstraint(terms={"a": 1.0, "b": 1.0}, operator=">=", bound=1.5),)


@pytest.mark.parametrize("unit", [2.0**-1000, 2.0**-50, 2.0**50, 2.0**1000])
@pytest.mark.parametrize("rules", [[], ["x + y <= 1.5"]])
def test_shares_have_no_unit(unit: float, rules: list[str]) -> None:
    campaign = Campaign(
        name="toy",
        parameters=[{"name": name, "low": 0, "high": 1} for name in ("x", "y")],
        properties=[{"name": "u"}],
        objectives=[{"outcome": "u", "threshold": 0}],
        parameter_constraints=rules,
    )

    def shares_in(unit: float):
        def predict(rows):
            return {"u": [unit * (2 + row["x"] + 0.5 * row["y"] ** 2) for row in rows]}

        return sensitivity(campaign, ["u"], predict, n_samples=32)

    plain, other = shares_in(1.0), shares_in(unit)
    assert (other.first, other.total) == (plain.first, plain.total)
    assert other.spread == (plain.spread[0] * unit,)
    assert plain.total[0][0] > plain.total[0][1] > 0
