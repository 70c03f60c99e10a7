from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from engine.campaign import Campaign, Objective, Parameter, Property, Value
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
    found = sensitivity(CAMPAIGN, ("y", "flat", "crossed"), additive, n_samples=1024)
    assert found.total[0] == pytest.approx((0.1, 0.4, 0.5, 0.0), abs=0.02)
    assert found.first[0] == pytest.approx((0.1, 0.4, 0.5, 0.0), abs=0.05)
    assert found.spread[0] == pytest.approx(np.sqrt(10), rel=0.02)
    assert found.outcome_headings[0] == "y [m]"


def test_what_never_moves_has_no_shares() -> None:
    found = sensitivity(CAMPAIGN, ("flat",), additive, n_samples=64)
    assert found.total == ((0.0, 0.0, 0.0, 0.0),)
    assert found.spread == (0.0,)


def test_an_interaction_shows_in_the_total_only() -> None:
    found = sensitivity(CAMPAIGN, ("crossed",), additive, n_samples=1024)
    assert found.first[0][:2] == pytest.approx((0.0, 0.0), abs=0.1)
    assert found.total[0][:2] == pytest.approx((1.0, 1.0), abs=0.1)


def test_one_outcome_of_one_parameter() -> None:
    single = Campaign(
        name="line",
        parameters=(Parameter(name="a", low=0, high=1),),
        properties=(Property(name="y"),),
        objectives=(Objective(outcome="y", threshold=0.0),),
    )
    found = sensitivity(single, ("y",), lambda rows: {"y": [float(r["a"]) for r in rows]})
    assert found.total[0] == pytest.approx((1.0,), abs=0.05)
