"""A batch spins no setting all but twice; small grids of choices are seen to be exhausted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.errors import ModelError
from engine.propose import suggest
from engine.propose import suggestion as under_test
from engine.propose.batch import DistinctLimits
from engine.propose.request import ProposeRequest
from engine.propose.space import Space
from engine.propose.twins import NEAR, twin_rule

PROPERTIES = [{"name": "strength", "unit": "MPa"}]
OBJECTIVES = [{"outcome": "strength", "threshold": 0.0}]


def continuous() -> Campaign:
    return Campaign(
        name="toy",
        parameters=[
            {"name": "a", "unit": "kV", "low": 10.0, "high": 20.0},
            {"name": "b", "low": 0.0, "high": 1.0},
        ],
        properties=PROPERTIES,
        objectives=OBJECTIVES,
    )


def history(campaign: Campaign) -> History:
    """Return runs that all but tell where the one peak is."""
    rng = np.random.default_rng(0)
    runs = []
    for i in range(20):
        a, b = rng.uniform(10, 20), rng.uniform(0, 1)
        strength = 50.0 - (a - 14.0) ** 2 - 20 * (b - 0.4) ** 2
        runs.append(Run({"a": a, "b": b}, {"strength": (strength,)}, id=i + 1))
    return History(campaign, tuple(runs))


def least_distance(batch) -> float:
    rows = [((s.conditions["a"] - 10.0) / 10.0, s.conditions["b"]) for s in batch.suggestions]
    return min(
        max(abs(x - y) for x, y in zip(one, two, strict=True))
        for one, two in itertools.combinations(rows, 2)
    )


def test_a_batch_holds_no_twins(quick, monkeypatch) -> None:
    campaign = continuous()
    request = ProposeRequest(n=4, seed=1, strategy="gp")
    batch = suggest(history(campaign), request, quick)
    assert least_distance(batch) >= NEAR * (1 - 1e-9)
    monkeypatch.setattr(under_test, "twin_rule", lambda space: None)
    assert least_distance(suggest(history(campaign), request, quick)) < NEAR


def test_twins_are_taken_where_nothing_else_is_left() -> None:
    space = Space(continuous())
    limits = DistinctLimits({}, are_twins=twin_rule(space))
    pool = np.array([[15.0, 0.5], [15.05, 0.505], [15.0, 0.52], [15.1, 0.51]])
    assert limits.allowed(pool, [pool[0]]).tolist() == [False, False, True, False]
    assert limits.allowed(pool[[0, 1, 3]], [pool[0]]).tolist() == [True, True, True]


def test_a_narrow_range_still_fills_a_batch(quick) -> None:
    campaign = continuous()
    request = ProposeRequest(n=52, seed=1, strategy="sobol", fixed={"a": 15.0})
    batch = suggest(History(campaign), request, quick)
    values = [s.conditions["b"] for s in batch.suggestions]
    assert len(set(values)) == 52


@pytest.mark.parametrize("strategy", ["sobol", "gp"])
def test_choices_that_were_all_tried_are_seen_at_once(quick, strategy) -> None:
    campaign = Campaign(
        name="choices",
        parameters=[
            {"name": "solvent", "choices": ["DMF", "DMAc", "water"]},
            {"name": "needle", "choices": [18, 20]},
        ],
        properties=PROPERTIES,
        objectives=OBJECTIVES,
    )
    grid = itertools.product(["DMF", "DMAc", "water"], [18, 20])
    runs = [
        Run({"solvent": s, "needle": n}, {"strength": (float(n),)}, id=i + 1)
        for i, (s, n) in enumerate(grid)
    ]
    request = ProposeRequest(n=1, seed=0, strategy=strategy)
    with pytest.raises(ModelError, match="of the 6 that can be set 0 are left"):
        suggest(History(campaign, tuple(runs)), request, quick)
    (left,) = suggest(History(campaign, tuple(runs[1:])), request, quick).suggestions
    assert left.conditions == {"solvent": "DMF", "needle": 18}
