"""Runs count by outcome: strength of some mats, stretch of others, a constraint of few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from engine.campaign import Campaign
from engine.campaign.front import hypervolume
from engine.campaign.history import History, Run
from engine.lab.virtual import nanofibre_campaign
from engine.predictions.predict import ask
from engine.propose import Forecaster, choose_from_pool, rank_conditions, suggest
from engine.propose.learnable import assess
from engine.propose.reach import measure_reach, reference_point
from engine.propose.request import ProposeRequest, SuggestionBatch
from engine.sources.knowledge import starter_knowledge
from engine.workspace.settings import ProposeSettings

SEARCHING = ("gp", "matmcl", "nsga2", "ax")
WANTED = {
    "maximize": [{"outcome": "strength", "threshold": 1.0}, {"outcome": "stretch", "threshold": 1}],
    "target": [
        {"outcome": "strength", "goal": "target", "target": 3.0, "tolerance": 0.5},
        {"outcome": "stretch", "threshold": 1.0},
    ],
    "out of reach": [
        {"outcome": "strength", "threshold": 1e4},
        {"outcome": "stretch", "threshold": 1.0},
    ],
}


def only(run: Run, *names: str) -> Run:
    return replace(run, outcomes={k: v for k, v in run.outcomes.items() if k in names})


def halves(runs: Sequence[Run]) -> tuple[Run, ...]:
    return tuple(only(run, ("strength", "stretch")[i % 2]) for i, run in enumerate(runs))


def batch_of(
    history: History, quick: ProposeSettings, strategy: str = "gp", n: int = 3, seed: int = 1
) -> SuggestionBatch:
    request = ProposeRequest(n=n, seed=seed, strategy=strategy, at={"room": 20.0})
    return suggest(history, request, quick)


@pytest.mark.matrix
@pytest.mark.parametrize("strategy", SEARCHING)
@pytest.mark.parametrize("objectives", WANTED.values(), ids=WANTED)
def test_every_strategy_searches_where_no_run_has_both(
    strategy: str, objectives: list[dict[str, object]], toy_with, runs_of, quick: ProposeSettings
) -> None:
    campaign = toy_with(objectives=objectives)
    batch = batch_of(History(campaign, halves(runs_of(campaign, 24))), quick, strategy)
    assert batch.strategy == strategy
    assert {s.reason_kind for s in batch.suggestions} != {"space_filling"}
    assert all(set(s.outcomes) == {"strength", "stretch"} for s in batch.suggestions)
    assert any("strength [MPa] on 12, stretch [%] on 12 runs" in note for note in batch.notes)
    assert not any("beyond every threshold at once" in note for note in batch.notes)


@pytest.mark.parametrize("strategy", ["matmcl", "ax-matmcl"])
def test_sources_lead_where_no_run_has_both(strategy: str, quick: ProposeSettings) -> None:
    campaign = nanofibre_campaign()
    first, second = (objective.outcome for objective in campaign.objectives)
    rng = np.random.default_rng(0)
    runs = []
    for i in range(14):
        conditions = {p.name: float(rng.uniform(*p.bounds)) for p in campaign.parameters}
        value = 5.0 + conditions["collector_speed"] / 200 if i % 2 else 100.0
        value *= float(np.exp(0.1 * rng.normal()))
        runs.append(Run(conditions, {first if i % 2 else second: (value,)}, id=i + 1))
    request = ProposeRequest(n=2, seed=1, strategy=strategy)
    batch = suggest(History(campaign, tuple(runs)), request, quick, starter_knowledge(campaign))
    assert batch.strategy == strategy or any("no better" in note for note in batch.notes)
    assert all({first, second} <= set(s.outcomes) for s in batch.suggestions)


@pytest.mark.deep
def test_half_the_results_find_the_front_sooner_than_space_filling(
    toy: Campaign, runs_of, true_outcomes, quick: ProposeSettings
) -> None:
    won = {}
    for strategy in ("gp", "sobol"):
        volumes = []
        for seed in range(3):
            history = History(toy, halves(runs_of(toy, 32, seed=seed)))
            rows = [
                list(true_outcomes({**s.conditions, "room": 20.0}).values())
                for s in batch_of(history, quick, strategy, n=6, seed=seed).suggestions
            ]
            volumes.append(hypervolume(rows, toy.objectives))
        won[strategy] = np.mean(volumes)
    assert won["gp"] > won["sobol"]


def test_runs_count_by_outcome(toy: Campaign, runs_of, quick: ProposeSettings) -> None:
    runs = halves(runs_of(toy, 8))
    (note,) = batch_of(History(toy, runs), quick).notes
    assert "from 5 finished runs on, so far there are 4 with strength, 4 with stretch" in note
    note = batch_of(History(toy, runs_of(toy, 1)), quick).notes[0]
    assert "so far there is 1;" in note
    learnable = assess(History(toy, runs))
    assert (learnable.n_runs, learnable.n_complete) == (4, 0)


def test_a_run_without_the_other_value_teaches(toy: Campaign, runs_of) -> None:
    runs = runs_of(toy, 30)
    scarce = (*runs[:6], *(only(run, "stretch") for run in runs[6:]))
    at = [{"a": 0.5, "b": 1.0, "room": 20.0}]
    widths = {}
    for name, part in (("without", scarce[:6]), ("with", scarce)):
        forecast = Forecaster.fit(History(toy, part), ProposeSettings()).predict(at)[0]["stretch"]
        widths[name] = forecast.upper - forecast.lower
    assert widths["with"] < widths["without"]


@pytest.mark.parametrize("strategy", SEARCHING)
def test_a_constraint_measured_on_few_runs(
    strategy: str, toy_with, runs_of, quick: ProposeSettings
) -> None:
    campaign = toy_with(
        objectives=[{"outcome": "strength", "threshold": 1.0}], constraints=["stretch >= 1.5"]
    )
    runs = runs_of(campaign, 24)
    few = (*runs[:4], *(only(run, "strength") for run in runs[4:]))
    batch = batch_of(History(campaign, few), quick, strategy)
    assert batch.strategy == strategy
    assert any("stretch [%] on 4 runs, all that is wanted on 4" in note for note in batch.notes)
    never = tuple(only(run, "strength") for run in runs)
    batch = batch_of(History(campaign, never), quick, strategy)
    assert batch.strategy == strategy
    assert (
        "stretch [%] cannot be learnt yet: no finished run has a value of it, at least 2 are "
        "needed; the constraint 'stretch >= 1.5' does not count in this batch." in batch.notes
    )


def test_a_constraint_measured_on_few_runs_still_holds_the_batch(
    toy_with, runs_of, true_outcomes, quick: ProposeSettings
) -> None:
    """Of the truth: strength draws to a = 1, where stretch is below 1.6."""
    wanted = {"objectives": [{"outcome": "strength", "threshold": 1.0}]}
    limited = toy_with(**wanted, constraints=["stretch >= 2.2"])
    runs = [
        run
        for run in runs_of(limited, 60, noise=0.01)
        if not (0.3 < float(run.conditions["a"]) < 0.9 and float(run.conditions["b"]) > 0.5)
    ]
    few = (*runs[:15], *(only(run, "strength") for run in runs[15:]))
    stretches = {}
    for name, campaign in (("limited", limited), ("free", toy_with(**wanted))):
        batch = batch_of(History(campaign, few), quick, n=4)
        truth = [true_outcomes({**s.conditions, "room": 20.0}) for s in batch.suggestions]
        stretches[name] = [values["stretch"] for values in truth]
    assert np.mean(stretches["limited"]) > 2.0
    assert max(stretches["free"]) < 2.0


@pytest.mark.matrix
@pytest.mark.parametrize("strategy", ["gp", "nsga2"])
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_up_to_four_objectives_and_none_measured_together(
    strategy: str, k: int, quick: ProposeSettings
) -> None:
    names = [f"y{j}" for j in range(k)]
    campaign = Campaign(
        name="many",
        parameters=[{"name": "a", "low": 0, "high": 1}, {"name": "b", "low": 0, "high": 1}],
        properties=[{"name": name} for name in names],
        objectives=[
            {"outcome": name, "goal": ("maximize", "minimize")[j % 2], "threshold": 0.5}
            for j, name in enumerate(names)
        ],
    )
    rng = np.random.default_rng(0)
    runs = []
    for i in range(10 * k):
        a, b = rng.random(2)
        value = float(np.sin(3 * a + i % k) + (b - 0.2 * (i % k)) ** 2)
        runs.append(Run({"a": float(a), "b": float(b)}, {names[i % k]: (value,)}, id=i + 1))
    batch = suggest(
        History(campaign, tuple(runs)), ProposeRequest(n=2, seed=1, strategy=strategy), quick
    )
    assert batch.strategy == strategy
    assert all(set(s.outcomes) == set(names) for s in batch.suggestions)


def test_the_reference_where_no_run_has_both(toy_with, runs_of) -> None:
    campaign = toy_with(objectives=WANTED["out of reach"])
    runs = halves(runs_of(campaign, 24))
    best = max(np.log(run.outcomes["strength"][0]) for run in runs if "strength" in run.outcomes)
    reference, _ = reference_point(campaign, runs, explore=False)
    assert reference == pytest.approx([best, 1.0])
    assert measure_reach(campaign, runs).n_complete == 0


def test_a_pool_and_a_ranking_go_by_what_there_is(
    toy: Campaign, runs_of, quick: ProposeSettings
) -> None:
    runs = runs_of(toy, 24)
    poor, rich = {"a": 0.0, "b": 2.0, "room": 20.0}, {"a": 0.5, "b": 1.0, "room": 20.0}
    for history in (
        History(toy, halves(runs)),
        History(toy, tuple(only(run, "strength") for run in runs)),
    ):
        ranking = rank_conditions(history, [poor, rich], quick, seed=0)
        assert ranking.values[1] > ranking.values[0]
        chosen = choose_from_pool(history, [poor, rich], 1, strategy="gp", seed=0, settings=quick)
        assert chosen == [1]
    assert any("stretch [%] cannot be learnt yet" in note for note in ranking.notes)


def test_a_prediction_says_what_it_leaves_out(
    toy: Campaign, runs_of: Callable[..., tuple[Run, ...]], quick: ProposeSettings
) -> None:
    history = History(toy, tuple(only(run, "strength") for run in runs_of(toy, 12)))
    forecaster = Forecaster.fit(history, quick)
    predictions = ask(forecaster, history, [{"a": 0.5, "b": 1.0}], 0.9, drives=False)
    assert set(predictions.rows[0].outcomes) == {"strength"}
    assert any(
        "stretch [%] is not predicted: no finished run has a value of it" in note
        for note in predictions.notes
    )


def test_labs_left_aside_for_missing_values_are_told(
    quick: ProposeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("surrogate.labs.gate.MOST_RAGGED_VALUES", 10)
    campaign = nanofibre_campaign()
    first, second = (objective.outcome for objective in campaign.objectives)
    rng = np.random.default_rng(0)
    runs = [
        Run(
            {p.name: float(rng.uniform(*p.bounds)) for p in campaign.parameters},
            {first if i % 2 else second: (float(rng.uniform(5, 50)),)},
            id=i + 1,
        )
        for i in range(14)
    ]
    history = History(campaign, tuple(runs))
    forecaster = Forecaster.fit(history, quick, knowledge=starter_knowledge(campaign))
    assert any("too many results for simulated labs" in note for note in forecaster.data.notes)
    assert not any("simulated labs" in n for n in Forecaster.fit(history, quick).data.notes)
