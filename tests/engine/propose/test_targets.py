"""A target in every strategy: alone, beside others, with limits, over rooms; and told as one."""

from dataclasses import replace

import numpy as np
import pytest

from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.propose import choose_from_pool, rank_conditions, suggest
from engine.propose.reasons import Explainer
from engine.propose.request import Forecast, ProposeRequest
from engine.propose.space import Space
from engine.propose.work_space import unit_near
from engine.workspace.settings import ProposeSettings

TARGETS = {
    "strength": {"outcome": "strength", "goal": "target", "target": 4.0, "tolerance": 0.4},
    "stretch": {"outcome": "stretch", "goal": "target", "target": 2.0, "tolerance": 0.3},
}
STRAIGHT = {
    "strength": {"outcome": "strength", "threshold": 1.0},
    "stretch": {"outcome": "stretch", "threshold": 1.0},
}
SEARCHES = {
    "alone, a logarithm": [TARGETS["strength"]],
    "alone": [TARGETS["stretch"]],
    "first of two": [TARGETS["strength"], STRAIGHT["stretch"]],
    "second of two": [STRAIGHT["strength"], TARGETS["stretch"]],
    "both": [TARGETS["strength"], TARGETS["stretch"]],
}


@pytest.fixture
def led(quick: ProposeSettings) -> ProposeSettings:
    """A small budget; the model leads from five runs on."""
    return quick.model_copy(update={"cold_start": 5, "mc_samples": 32, "raw_samples": 128})


def mean_gain(campaign: Campaign, batch, truth) -> float:
    """Return the best smallest margin, in tolerances or shares, of a batch by the true values."""
    margins = []
    for suggestion in batch.suggestions:
        true = truth({**suggestion.conditions, "room": 20.0})
        margins.append(
            min(
                (float(o.gains(true[o.outcome])) - o.reference) / abs(o.reference)
                for o in campaign.objectives
            )
        )
    return max(margins)


@pytest.mark.parametrize("search", SEARCHES)
def test_the_search_comes_nearer_than_filling_the_space(
    search, toy_with, runs_of, led, true_outcomes
) -> None:
    campaign = toy_with(objectives=SEARCHES[search])
    history = History(campaign, runs_of(campaign, 20))
    best = {}
    for strategy in ("gp", "sobol"):
        batches = [
            suggest(history, ProposeRequest(n=4, seed=s, strategy=strategy, at={"room": 20.0}), led)
            for s in range(4)
        ]
        best[strategy] = np.mean([mean_gain(campaign, b, true_outcomes) for b in batches])
    assert best["gp"] > best["sobol"]
    assert best["gp"] > 0.0


@pytest.mark.matrix
@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    "request_",
    [
        {"strategy": "gp"},
        {"strategy": "gp", "robust": True},
        {"strategy": "matmcl"},
        {"strategy": "nsga2"},
        {"strategy": "sobol"},
    ],
    ids=lambda r: "-".join(map(str, r.values())),
)
def test_every_strategy_takes_targets(search, request_, toy_with, runs_of, led) -> None:
    campaign = toy_with(objectives=SEARCHES[search])
    history = History(campaign, runs_of(campaign, 20))
    request = ProposeRequest(n=3, seed=1, **request_)
    batch = suggest(history, request, led)
    keys = Space(campaign).keys(s.conditions for s in batch.suggestions)
    assert len(keys) == 3
    again = suggest(history, request, led)
    assert [s.conditions for s in again.suggestions] == [s.conditions for s in batch.suggestions]


@pytest.mark.matrix
@pytest.mark.parametrize("strategy", ["ax", "ax-matmcl"])
@pytest.mark.parametrize("search", ["alone", "first of two"])
def test_ax_maximises_the_distance_turned_round(search, strategy, toy_with, runs_of, led) -> None:
    campaign = toy_with(objectives=SEARCHES[search])
    history = History(campaign, runs_of(campaign, 20))
    batch = suggest(history, ProposeRequest(n=2, seed=1, strategy=strategy), led)
    assert batch.strategy == strategy
    notes = [note for note in batch.notes if "Ax learns the distance" in note]
    assert bool(notes) == (strategy == "ax-matmcl")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_ax_is_told(toy_with, runs_of) -> None:
    from engine.propose.ax_adapter import build_client

    campaign = toy_with(objectives=SEARCHES["first of two"], constraints=["strength <= 6"])
    runs = runs_of(campaign, 24)
    client, _ = build_client(History(campaign, runs), seed=0)
    data = client._experiment.lookup_data().df
    first = data[data.trial_index == 0].set_index("metric_name")["mean"]
    (strength,) = runs[0].outcomes["strength"]
    assert first["distance_0"] == pytest.approx(-abs(strength - 4.0) / 0.4)
    # Told in units of their spread: no number is too large or too small for Ax.
    units = {name: unit_near([r.outcomes[name][0] for r in runs]) for name in runs[0].outcomes}
    assert first["outcome_0"] == pytest.approx(strength / units["strength"])
    config = client._experiment.optimization_config
    weights = dict(config.objective.metric_weights)
    assert weights["distance_0"] == weights["outcome_1"] == 1.0
    bounds = {t.metric_names[0]: t.bound for t in config.objective_thresholds}
    assert bounds == {"distance_0": -1.0, "outcome_1": 1.0 / units["stretch"]}
    (limit,) = config.outcome_constraints
    assert limit.bound == pytest.approx(6.0 / units["strength"])


def test_a_limit_on_the_target_itself_is_one_on_its_value(toy_with, runs_of, led) -> None:
    """Draws carry the distance; the limit looks at the value."""
    campaign = toy_with(objectives=SEARCHES["first of two"], constraints=["strength >= 4.0"])
    history = History(campaign, runs_of(campaign, 20))
    batch = suggest(history, ProposeRequest(n=3, seed=1, at={"room": 20.0}), led)
    assert np.mean([s.outcomes["strength"].mean for s in batch.suggestions]) > 3.8
    assert max(s.outcomes["strength"].mean for s in batch.suggestions) < 5.0


def test_the_other_unit_gives_the_same_settings(toy_with, runs_of, led) -> None:
    def batch(factor: float):
        objective = {"outcome": "stretch", "goal": "target"}
        objective |= {"target": 2.0 * factor, "tolerance": 0.3 * factor}
        campaign = toy_with(objectives=[STRAIGHT["strength"], objective])
        runs = tuple(
            replace(
                run,
                outcomes={
                    **run.outcomes,
                    "stretch": tuple(v * factor for v in run.outcomes["stretch"]),
                },
            )
            for run in runs_of(campaign, 20)
        )
        request = ProposeRequest(n=3, seed=1, at={"room": 20.0})
        return [s.conditions for s in suggest(History(campaign, runs), request, led).suggestions]

    assert batch(1.0) == batch(2.0**10)


def test_candidates_are_ranked_by_what_may_hit(toy_with, runs_of, led, true_outcomes) -> None:
    campaign = toy_with(objectives=[TARGETS["stretch"]])
    history = History(campaign, runs_of(campaign, 20, noise=0.01))
    candidates = [{"a": a, "b": 1.25, "room": 20.0} for a in (0.0, 0.3, 0.6, 0.8, 1.0)]
    values = rank_conditions(history, candidates, led, seed=0).values
    near = [abs(true_outcomes(c)["stretch"] - 2.0) for c in candidates]
    assert int(np.argmax(values)) == int(np.argmin(near))
    assert choose_from_pool(history, candidates, 1, strategy="gp", seed=0, settings=led) == [
        int(np.argmin(near))
    ]


def test_many_runs_keep_those_near_the_target(toy_with, runs_of, led) -> None:
    """Of more runs than are compared with, those most likely to be on the front are kept."""
    campaign = toy_with(objectives=SEARCHES["first of two"])
    history = History(campaign, runs_of(campaign, 120))
    batch = suggest(history, ProposeRequest(n=2, seed=1, at={"room": 20.0}), led)
    assert len(batch.suggestions) == 2


def test_a_mean_on_the_target_that_is_not_sure_explores(toy_with) -> None:
    campaign = toy_with(objectives=[TARGETS["stretch"]])
    run = Run({"a": 0.5, "b": 1.0}, {"stretch": (2.1,)}, id=1)
    explainer = Explainer(campaign, [run], [{"stretch": Forecast(2.1, 2.0, 2.2)}], level=0.9)
    assert explainer.reason({"stretch": Forecast(2.0, 0.0, 4.0)}, 1.0, run, 0.1) == (
        "explores",
        "expected 2 %, could reach 2 %; 0.10 of the range away from run 1",
    )
    assert explainer.reason({"stretch": Forecast(2.0, 1.9, 2.1)}, 1.0, run, 0.1) == (
        "improves_front",
        "expected 2 %: beyond run 1",
    )


def test_before_any_result_the_other_objectives_lead(toy_with, monkeypatch) -> None:
    import torch

    from engine.propose import start
    from engine.propose.batch import DistinctLimits
    from engine.propose.room import plan_room

    def settings_for(objectives):
        campaign = toy_with(objectives=objectives)
        space = Space(campaign)
        monkeypatch.setattr(
            start,
            "_draws",
            lambda heads, labs, X, n, seed: (
                torch.stack([X[:, 0], -X[:, 0]], dim=1).expand(n, -1, -1).clone()
            ),
        )
        return start.guided_settings(
            space,
            campaign,
            None,
            None,
            2,
            room=plan_room(space, History(campaign), {}, robust=False, n_readings=1),
            settings=ProposeSettings(raw_samples=64),
            seed=0,
            excluded=set(),
            limits=DistinctLimits({}),
            fixed={},
        )

    upward = settings_for([STRAIGHT["strength"], TARGETS["stretch"]])
    downward = settings_for([TARGETS["strength"], STRAIGHT["stretch"]])
    assert upward[0, 0] > 0.8
    assert downward[0, 0] < 0.2
    assert len(settings_for([TARGETS["strength"]])) == 0
