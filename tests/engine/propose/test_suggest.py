"""Every strategy keeps the same promises; what the request cannot have is refused."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.campaign import Campaign
from engine.campaign.front import hypervolume
from engine.campaign.history import History, Run
from engine.errors import ModelError, UsageError
from engine.propose import choose_from_pool, rank_conditions, suggest
from engine.propose.request import ProposeRequest
from engine.propose.space import Space
from engine.workspace.settings import ProposeSettings

STRATEGIES = ("gp", "sobol", "nsga2")


def keys(history: History, batch) -> list[tuple[float, ...]]:
    space = Space(history.campaign)
    return [space.key(row) for row in space.settings_of([s.conditions for s in batch.suggestions])]


@pytest.mark.parametrize("strategy", STRATEGIES)
class TestEveryStrategy:
    """The contract of a strategy."""

    def test_settings_are_new_distinct_and_on_the_instrument(
        self, strategy: str, history: History, quick: ProposeSettings
    ) -> None:
        batch = suggest(history, ProposeRequest(n=6, seed=1, strategy=strategy), quick)
        space = Space(history.campaign)
        found = keys(history, batch)
        assert len(set(found)) == 6
        assert not set(found) & space.keys(run.conditions for run in history.finished)
        for suggestion in batch.suggestions:
            for name, value in suggestion.conditions.items():
                assert history.campaign.parameter(name).problem_as_setting(value) is None
        assert [s.order for s in batch.suggestions] == [1, 2, 3, 4, 5, 6]

    def test_pending_runs_are_not_proposed_again(
        self, strategy: str, history: History, quick: ProposeSettings
    ) -> None:
        request = ProposeRequest(n=4, seed=1, strategy=strategy)
        first = suggest(history, request, quick)
        pending = tuple(
            Run({**s.conditions, **s.ambient}, id=99 + s.order) for s in first.suggestions
        )
        second = suggest(replace(history, pending=pending), request, quick)
        assert not set(keys(history, first)) & set(keys(history, second))

    def test_the_seed_decides(
        self, strategy: str, history: History, quick: ProposeSettings
    ) -> None:
        request = ProposeRequest(n=3, seed=5, strategy=strategy, at={"room": 22.0})
        assert keys(history, suggest(history, request, quick)) == keys(
            history, suggest(history, request, quick)
        )

    def test_limits_and_fixed_values_hold(
        self, strategy: str, history: History, quick: ProposeSettings
    ) -> None:
        request = ProposeRequest(n=4, seed=1, strategy=strategy, max_distinct={"b": 1})
        batch = suggest(history, request, quick)
        assert len({s.conditions["b"] for s in batch.suggestions}) == 1
        request = ProposeRequest(n=4, seed=1, strategy=strategy, fixed={"a": 0.5})
        batch = suggest(history, request, quick)
        assert {s.conditions["a"] for s in batch.suggestions} == {0.5}

    def test_expectations_come_with_intervals(
        self, strategy: str, history: History, quick: ProposeSettings
    ) -> None:
        batch = suggest(history, ProposeRequest(n=2, seed=1, strategy=strategy), quick)
        for suggestion in batch.suggestions:
            assert set(suggestion.outcomes) == {"strength", "stretch"}
            for forecast in suggestion.outcomes.values():
                assert forecast.lower < forecast.mean < forecast.upper
            assert suggestion.p_success == 1.0
            assert suggestion.nearest is not None
            assert suggestion.reason

    def test_mixtures_and_choices(
        self, strategy: str, mixture_history: History, quick: ProposeSettings
    ) -> None:
        batch = suggest(mixture_history, ProposeRequest(n=4, seed=1, strategy=strategy), quick)
        for s in batch.suggestions:
            assert sum(float(s.conditions[name]) for name in "xyz") == pytest.approx(1.0)
            assert s.conditions["solvent"] in ("water", "ethanol", "acetone")


def test_finds_the_front_sooner_than_space_filling(
    history: History, quick: ProposeSettings, true_outcomes
) -> None:
    """Of the true values: what gp proposes wins more hypervolume than what sobol proposes."""
    won = {}
    for strategy in ("gp", "sobol"):
        totals = []
        for seed in range(4):
            request = ProposeRequest(n=6, seed=seed, strategy=strategy, at={"room": 20.0})
            batch = suggest(history, request, quick)
            values = [
                list(true_outcomes({**s.conditions, "room": 20.0}).values())
                for s in batch.suggestions
            ]
            totals.append(hypervolume(values, history.campaign.objectives))
        won[strategy] = np.mean(totals)
    assert won["gp"] > won["sobol"]


@pytest.mark.parametrize("robust", [False, True])
def test_an_unstated_room_is_averaged_or_feared(
    history: History, quick: ProposeSettings, robust: bool
) -> None:
    batch = suggest(history, ProposeRequest(n=3, seed=1, robust=robust), quick)
    readings = [float(run.conditions["room"]) for run in history.finished[-6:]]
    assert batch.suggestions[0].ambient["room"] == pytest.approx(np.mean(readings), rel=1e-4)


def test_failed_runs_teach(toy: Campaign, runs_of, quick: ProposeSettings) -> None:
    runs = runs_of(toy, 40)
    good = tuple(run for run in runs if float(run.conditions["a"]) < 0.6)
    bad = tuple(Run(run.conditions, id=run.id) for run in runs if float(run.conditions["a"]) >= 0.6)
    batch = suggest(History(toy, good, failed=bad), ProposeRequest(n=4, seed=1), quick)
    assert all(float(s.conditions["a"]) < 0.7 for s in batch.suggestions)
    assert all(0 < s.p_success < 1 for s in batch.suggestions)


def test_outcome_constraints_are_kept_to(toy_with, runs_of, quick: ProposeSettings) -> None:
    campaign = toy_with(constraints=["stretch >= 2.5"])
    history = History(campaign, runs_of(campaign, 30))
    batch = suggest(history, ProposeRequest(n=4, seed=1, at={"room": 20.0}), quick)
    assert np.mean([s.outcomes["stretch"].mean for s in batch.suggestions]) > 2.3


def test_few_data_fill_the_space_and_say_so(toy: Campaign, runs_of, quick: ProposeSettings) -> None:
    for n in (0, 1, 2):
        batch = suggest(History(toy, runs_of(toy, n)), ProposeRequest(n=4, seed=1), quick)
        assert batch.strategy == "sobol"
        assert any("cold start" in note for note in batch.notes)
        assert {s.reason_kind for s in batch.suggestions} == {"space_filling"}


def test_the_beliefs_behind_a_batch_are_told(history: History, quick: ProposeSettings) -> None:
    batch = suggest(history, ProposeRequest(n=2, seed=1, strategy="gp"), quick)
    assert set(batch.beliefs) == set(history.campaign.wanted_outcomes)
    for weights in batch.beliefs.values():
        assert sum(weights.values()) == pytest.approx(1.0)


def test_a_model_that_predicts_nothing_does_not_lead(
    toy: Campaign, runs_of, quick: ProposeSettings
) -> None:
    # One random table in five looks as if there were something to learn; this one does not.
    rng = np.random.default_rng(4)
    runs = tuple(
        replace(
            run,
            outcomes={
                "strength": (float(rng.uniform(1, 9)),),
                "stretch": (float(rng.uniform(1, 9)),),
            },
        )
        for run in runs_of(toy, 12)
    )
    batch = suggest(History(toy, runs), ProposeRequest(n=2, seed=1), quick)
    assert batch.strategy == "sobol"
    assert any("no better than their mean" in note for note in batch.notes)


def test_two_runs_at_one_place_with_different_results(
    history: History, quick: ProposeSettings
) -> None:
    first = history.finished[0]
    twin = replace(first, id=77, outcomes={"strength": (20.0,), "stretch": (0.1,)})
    both = replace(history, finished=(*history.finished, twin))
    assert len(suggest(both, ProposeRequest(n=3, seed=1), quick).suggestions) == 3


def test_an_outlier_is_pointed_out(history: History, quick: ProposeSettings) -> None:
    slip = replace(history.finished[3], outcomes={"strength": (3.0,), "stretch": (1e6,)})
    runs = (*history.finished[:3], slip, *history.finished[4:])
    batch = suggest(
        replace(history, finished=runs), ProposeRequest(n=2, seed=1, explore=True), quick
    )
    assert any("experiment 4" in note and "1e+06" in note for note in batch.notes)


def test_replicates_only_when_meant(toy_with, quick: ProposeSettings) -> None:
    campaign = toy_with(parameters=[{"name": "a", "low": 0.0, "high": 0.3, "step": 0.1}])
    runs = tuple(
        Run({"a": a}, {"strength": (2.0 + a,), "stretch": (3.0 - a,)}, id=i + 1)
        for i, a in enumerate((0.0, 0.1, 0.2, 0.3))
    )
    history = History(campaign, runs)
    for strategy in STRATEGIES:
        with pytest.raises(ModelError, match="replicates"):
            suggest(history, ProposeRequest(n=2, seed=1, strategy=strategy), quick)
    batch = suggest(history, ProposeRequest(n=2, seed=1, replicates=True), quick)
    assert {s.reason_kind for s in batch.suggestions} == {"replicate"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": 0}, "1 to 100"),
        ({"n": 10_000}, "1 to 100"),
        ({"strategy": "gpp"}, "Did you mean 'gp'"),
        ({"at": {"humidity": 5.0}}, "not an ambient parameter"),
        ({"max_distinct": {"c": 1}}, "not a controlled parameter"),
        ({"max_distinct": {"b": 0}}, "expected a whole number, 1 or more"),
        ({"fixed": {"a": 9.0}}, "between 0 and 1"),
        ({"robust": True, "at": {"room": 20.0}}, "every ambient value is stated"),
    ],
)
def test_requests_that_cannot_be_met(
    history: History, quick: ProposeSettings, change: dict[str, object], words: str
) -> None:
    request = replace(ProposeRequest(n=2, seed=1), **change)
    with pytest.raises(UsageError, match=words):
        suggest(history, request, quick)


def test_there_is_no_worst_room_where_the_room_gives_nothing(quick: ProposeSettings) -> None:
    campaign = Campaign(
        name="roomless",
        parameters=[{"name": "a", "low": 0, "high": 1}],
        properties=[{"name": "u"}],
        objectives=[{"outcome": "u", "threshold": 0}],
    )
    with pytest.raises(UsageError, match="'roomless' has no parameter that the room gives"):
        suggest(History(campaign, ()), ProposeRequest(n=2, seed=1, robust=True), quick)


def test_thresholds_beyond_the_data(toy_with, runs_of, quick: ProposeSettings) -> None:
    campaign = toy_with(
        objectives=[
            {"outcome": "strength", "threshold": 1e6},
            {"outcome": "stretch", "threshold": 1.0},
        ]
    )
    history = History(campaign, runs_of(campaign, 20))
    batch = suggest(history, ProposeRequest(n=2, seed=1), quick)
    assert any("no run reaches the threshold of strength [MPa] yet" in n for n in batch.notes)
    batch = suggest(history, ProposeRequest(n=2, seed=1, explore=True), quick)
    assert any("exploring" in note for note in batch.notes)


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    n=st.integers(1, 9),
    n_runs=st.integers(0, 16),
    limit=st.integers(1, 4),
    seed=st.integers(0, 2**31 - 1),
    strategy=st.sampled_from(STRATEGIES),
)
def test_rules_hold_whatever_is_asked(
    toy: Campaign,
    runs_of,
    quick: ProposeSettings,
    n: int,
    n_runs: int,
    limit: int,
    seed: int,
    strategy: str,
) -> None:
    history = History(toy, runs_of(toy, n_runs, seed % 1000))
    request = ProposeRequest(
        n=n, seed=seed, strategy=strategy, max_distinct={"b": limit}, explore=True, forecast=False
    )
    batch = suggest(history, request, quick)
    space = Space(toy)
    found = keys(history, batch)
    assert len(set(found)) == n
    assert not set(found) & space.keys(run.conditions for run in history.finished)
    values = [s.conditions["b"] for s in batch.suggestions]
    assert len(set(values)) <= limit
    changes = sum(x != y for x, y in pairwise(values))
    assert changes == len(set(values)) - 1


class TestPool:
    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_chooses_distinct_rows(
        self, strategy: str, history: History, runs_of, quick: ProposeSettings
    ) -> None:
        pool = [run.conditions for run in runs_of(history.campaign, 30, seed=9)]
        chosen = choose_from_pool(history, pool, 5, strategy=strategy, seed=1, settings=quick)
        assert len(set(chosen)) == 5
        assert all(0 <= i < 30 for i in chosen)

    def test_a_small_pool_gives_what_it_has(self, history: History, quick: ProposeSettings) -> None:
        pool = [history.finished[0].conditions, history.finished[1].conditions]
        chosen = choose_from_pool(history, pool, 5, strategy="gp", seed=1, settings=quick)
        assert sorted(chosen) == [0, 1]


def test_ranking_prefers_what_extends_the_front(history: History, quick: ProposeSettings) -> None:
    poor = {"a": 0.0, "b": 2.0, "room": 20.0}
    rich = {"a": 0.5, "b": 1.0, "room": 20.0}
    ranking = rank_conditions(history, [poor, rich], quick, seed=0)
    assert ranking.values[1] > ranking.values[0]
    assert ranking.forecasts[1]["strength"].mean > ranking.forecasts[0]["strength"].mean
    assert ranking.notes == ()


def test_three_runs_are_no_evidence(toy: Campaign, runs_of, quick: ProposeSettings) -> None:
    batch = suggest(History(toy, runs_of(toy, 4)), ProposeRequest(n=2, seed=1), quick)
    assert batch.strategy == "sobol"
    assert any("leads from 5 finished runs on, so far there are 4" in n for n in batch.notes)


def test_runs_that_break_a_constraint_make_no_front(
    toy_with, runs_of, quick: ProposeSettings
) -> None:
    campaign = toy_with(constraints=["stretch >= 2.5"])
    history = History(campaign, runs_of(campaign, 30))
    broken = {r.id for r in history.finished if r.outcomes["stretch"][0] < 1.5}
    batch = suggest(history, ProposeRequest(n=5, seed=1, at={"room": 20.0}), quick)
    for suggestion in batch.suggestions:
        if suggestion.reason_kind == "improves_front":
            named = {int(word) for word in re.findall(r"run (\d+)", suggestion.reason)}
            assert not named & broken


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", [18378, 3])
def test_a_tight_limit_is_met_where_it_can_be(
    toy: Campaign, runs_of, quick: ProposeSettings, strategy: str, seed: int
) -> None:
    """One value of b leaves eleven settings, some of them run before: found all the same."""
    history = History(toy, runs_of(toy, 10, seed % 1000))
    request = ProposeRequest(
        n=8, seed=seed, strategy=strategy, max_distinct={"b": 1}, explore=True, forecast=False
    )
    batch = suggest(history, request, quick)
    assert len(set(keys(history, batch))) == 8
    assert len({s.conditions["b"] for s in batch.suggestions}) == 1
