"""The model-led search: ends and corners, small and exhausted grids, limits."""

import time
from dataclasses import replace

import numpy as np
import pytest

from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.errors import ModelError
from engine.propose import suggest
from engine.propose.candidates import leaders_of, spread_settings
from engine.propose.request import ProposeRequest
from engine.propose.sampling import Sampler
from engine.propose.space import Space
from engine.workspace.settings import ProposeSettings

STRATEGIES = ("gp", "sobol", "nsga2")


def grid(*sizes: int, **changes: object) -> Campaign:
    return Campaign(
        name="grid",
        parameters=[
            {"name": f"p{i}", "low": 0.0, "high": n - 1.0, "step": 1.0} for i, n in enumerate(sizes)
        ],
        properties=[{"name": "u"}, {"name": "v"}],
        objectives=[{"outcome": "u", "threshold": -10.0}, {"outcome": "v", "threshold": -10.0}],
        **changes,
    )


def runs_at(campaign: Campaign, settings: np.ndarray) -> tuple[Run, ...]:
    """Runs of two outcomes that conflict and are best at the far end of the first parameter."""
    runs = []
    for i, conditions in enumerate(Space(campaign).conditions_of(settings)):
        x, *rest = (float(v) for v in conditions.values())
        outcomes = {"u": (x - 0.1 * sum(rest),), "v": (x - 0.1 * sum((r - 3) ** 2 for r in rest),)}
        runs.append(Run(conditions, outcomes, id=i + 1))
    return tuple(runs)


@pytest.mark.parametrize("fixed", [{}, {"p0": 2.0}])
def test_every_setting_of_a_small_grid(fixed: dict[str, float]) -> None:
    campaign = grid(5, 4, 3, parameter_constraints=["p0 + p1 <= 4"])
    space = Space(campaign)
    settings = space.every_setting(fixed)
    assert settings is not None
    expected = {
        (a, b, c)
        for a in range(5)
        for b in range(4)
        for c in range(3)
        if a + b <= 4 and a == fixed.get("p0", a)
    }
    assert {tuple(row) for row in settings.astype(int)} == expected
    assert Space(grid(100, 100)).every_setting() is None
    assert {tuple(row) for row in Sampler(space).sample(500, 3, fixed).astype(int)} == expected


def test_the_last_settings_of_a_grid_are_sampled() -> None:
    space = Space(grid(40, 40))
    assert len(space.new_among(Sampler(space).sample(1590, 0), ())) == 1590


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("n_left", [0, 3])
def test_an_exhausted_grid_is_seen_at_once(
    strategy: str, n_left: int, quick: ProposeSettings
) -> None:
    campaign = grid(12, 12, 2)
    everything = Sampler(Space(campaign)).sample(288, 0)
    history = History(campaign, runs_at(campaign, everything[n_left:]))
    began = time.process_time()
    with pytest.raises(ModelError, match=rf"of the 288 that can be set {n_left} are left"):
        suggest(history, ProposeRequest(n=4, seed=0, strategy=strategy), quick)
    assert time.process_time() - began < 2.0
    if n_left:
        batch = suggest(history, ProposeRequest(n=3, seed=0, strategy=strategy), quick)
        assert len(batch.suggestions) == 3


def test_a_front_in_the_corner_is_reached(quick: ProposeSettings) -> None:
    campaign = grid(60, 9, 9, 9)
    space = Space(campaign)
    middle = np.random.default_rng(0).integers([5, 2, 2, 2], [50, 7, 7, 7], (25, 4)).astype(float)
    history = History(campaign, runs_at(campaign, middle))
    batch = suggest(history, ProposeRequest(n=6, seed=1, explore=True), quick)
    proposed = space.settings_of([s.conditions for s in batch.suggestions])
    assert (proposed[:, 0] >= 57.0).all()
    assert 59.0 in proposed[:, 0]


def test_first_settings_hold_ends_and_corners() -> None:
    space = Space(grid(30, 30, 30))
    settings = spread_settings(space, 64, 0, {"p2": 7.0})
    assert (settings[:, 2] == 7.0).all()
    corners = {(a, b, 7.0) for a in (0.0, 29.0) for b in (0.0, 29.0)}
    assert corners <= {tuple(row) for row in settings}
    assert space.is_feasible(settings).all()


def test_leaders_keep_the_whole_front_in_view() -> None:
    rng = np.random.default_rng(0)
    means = rng.uniform(0.1, 1.0, (400, 2))
    values = -np.abs(means[:, 0] - 0.5)  # all that is promised lies in the middle
    leaders = leaders_of(values, means, 30)
    assert len(set(leaders.tolist())) == len(leaders) <= 30
    assert means[leaders, 1].max() == means[:, 1].max()
    assert means[leaders, 0].max() > 0.95
    assert leaders_of(values, means, 1000).tolist() == np.argsort(-values, kind="stable").tolist()


@pytest.mark.matrix
@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("limit", [None, 1])
def test_the_search_serves_any_number_of_objectives(
    toy: Campaign, toy_with, runs_of, quick: ProposeSettings, objectives: int, limit: int | None
) -> None:
    goals = [
        {"outcome": "strength", "threshold": 1.0},
        {"outcome": "stretch", "threshold": 1.0},
        {"outcome": "cost", "goal": "minimize", "threshold": 9.0},
        {"outcome": "mass", "threshold": 0.0},
    ][:objectives]
    campaign = toy_with(
        properties=[p.model_dump() for p in toy.properties] + [{"name": "cost"}, {"name": "mass"}],
        objectives=goals,
    )
    runs = tuple(
        replace(
            run,
            outcomes={
                **run.outcomes,
                "cost": (float(run.conditions["a"]) ** 2 + 1,),
                "mass": (2 - float(run.conditions["b"]) * 0.5,),
            },
        )
        for run in runs_of(campaign, 20)
    )
    request = ProposeRequest(
        n=4, seed=2, explore=True, forecast=False, max_distinct={} if limit is None else {"b": 1}
    )
    batch = suggest(History(campaign, runs), request, quick)
    assert batch.strategy == "gp"
    assert len({tuple(s.conditions.values()) for s in batch.suggestions}) == 4
    if limit is not None:
        assert len({s.conditions["b"] for s in batch.suggestions}) == 1
