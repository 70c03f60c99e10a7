"""Results that teach nothing, zeros on a logarithm, numbers beyond 1e100: the search goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.campaign import Campaign, Property
from engine.campaign.history import History, Run
from engine.predictions.predict import ask
from engine.propose import Forecaster, rank_conditions, suggest
from engine.propose.learnable import assess, is_constant
from engine.propose.request import ProposeRequest, SuggestionBatch
from engine.propose.work_space import WorkSpace, unit_near
from engine.workspace.settings import ProposeSettings

SEARCHING = ("gp", "nsga2", "ax")
LINEAR = [{"name": "strength", "unit": "MPa"}, {"name": "stretch", "unit": "%"}]


def mapped(runs: tuple[Run, ...], change: Callable[[str, float], float]) -> tuple[Run, ...]:
    return tuple(
        replace(
            run, outcomes={k: tuple(change(k, v) for v in vs) for k, vs in run.outcomes.items()}
        )
        for run in runs
    )


def batch_of(
    history: History, quick: ProposeSettings, strategy: str = "gp", n: int = 3
) -> SuggestionBatch:
    request = ProposeRequest(n=n, seed=1, strategy=strategy, at={"room": 20.0})
    return suggest(history, request, quick)


def settings_of(batch: SuggestionBatch) -> list[dict[str, object]]:
    return [dict(s.conditions) for s in batch.suggestions]


@pytest.mark.matrix
@pytest.mark.parametrize("strategy", SEARCHING)
@pytest.mark.parametrize("value", [0.0, -3.0])
def test_one_constant_objective(
    strategy: str, value: float, toy_with, runs_of, quick: ProposeSettings
) -> None:
    campaign = toy_with(properties=LINEAR)
    runs = mapped(runs_of(campaign, 16), lambda name, v: value if name == "strength" else v)
    batch = batch_of(History(campaign, runs), quick, strategy)
    assert batch.strategy == strategy
    assert (
        f"strength [MPa] cannot be learnt yet: it is {value:g} in all of 16 runs; as an objective "
        "it does not count in this batch." in batch.notes
    )
    assert "the search goes by stretch [%]." in batch.notes
    alone = toy_with(properties=LINEAR, objectives=[{"outcome": "stretch", "threshold": 1.0}])
    assert settings_of(batch) == settings_of(batch_of(History(alone, runs), quick, strategy))


@pytest.mark.parametrize("strategy", [*SEARCHING, "matmcl"])
def test_nothing_to_learn_fills_the_space_and_says_why(
    strategy: str, toy: Campaign, runs_of, quick: ProposeSettings
) -> None:
    runs = runs_of(toy, 9)
    constant = mapped(runs, lambda *_: 2.0)
    batch = batch_of(History(toy, constant), quick, strategy)
    assert {s.reason_kind for s in batch.suggestions} == {"space_filling"}
    assert any("strength [MPa] cannot be learnt yet: it is 2 in all of 9" in n for n in batch.notes)
    assert any("nothing that is wanted can be learnt yet" in note for note in batch.notes)
    repeated = tuple(
        replace(run, conditions={**run.conditions, "a": 0.5, "b": 1.0}) for run in runs
    )
    batch = batch_of(History(toy, repeated), quick, strategy)
    assert {s.reason_kind for s in batch.suggestions} == {"space_filling"}
    assert any("9 runs with a value of it have the same setting" in note for note in batch.notes)
    failed = tuple(Run(run.conditions, id=run.id) for run in runs)
    batch = batch_of(History(toy, failed=failed), quick, strategy)
    assert {s.reason_kind for s in batch.suggestions} == {"space_filling"}
    assert any("all 9 runs so far failed" in note for note in batch.notes)


def test_a_constant_constraint_does_not_count(toy_with, runs_of, quick: ProposeSettings) -> None:
    campaign = toy_with(
        objectives=[{"outcome": "strength", "threshold": 1.0}], constraints=["stretch >= 1.5"]
    )
    runs = mapped(runs_of(campaign, 12), lambda name, v: 0.0 if name == "stretch" else v)
    batch = batch_of(History(campaign, runs), quick)
    assert batch.strategy == "gp"
    assert any("the constraint 'stretch >= 1.5' does not count" in note for note in batch.notes)


@pytest.mark.matrix
@pytest.mark.parametrize("n_values", [2, 3])
@pytest.mark.parametrize("strategy", SEARCHING)
def test_an_outcome_with_two_or_three_values(
    strategy: str, n_values: int, toy_with, runs_of, quick: ProposeSettings
) -> None:
    campaign = toy_with(properties=LINEAR)
    runs = mapped(runs_of(campaign, 16), lambda _, v: float(min(int(v / 2), n_values - 1)))
    batch = batch_of(History(campaign, runs), quick, strategy)
    assert len(batch.suggestions) == 3
    assert all(set(s.outcomes) == {"strength", "stretch"} for s in batch.suggestions)


def test_values_that_differ_in_one_run(toy_with, runs_of, quick: ProposeSettings) -> None:
    campaign = toy_with(properties=LINEAR)
    runs = runs_of(campaign, 16)
    runs = (
        replace(runs[0], outcomes={"strength": (1.0,), "stretch": (1.0,)}),
        *mapped(runs[1:], lambda *_: 0.0),
    )
    for strategy in SEARCHING:
        assert len(batch_of(History(campaign, runs), quick, strategy).suggestions) == 3


@pytest.mark.matrix
@pytest.mark.parametrize("strategy", SEARCHING)
@pytest.mark.parametrize("power", [664, 990, -1000])
def test_the_largest_and_smallest_numbers_change_no_setting(
    strategy: str, power: int, toy_with, runs_of, quick: ProposeSettings
) -> None:
    """2⁶⁶⁴ is 1e200; the thresholds are in the same unit."""
    unit = 2.0**power

    def batch(factor: float) -> SuggestionBatch:
        campaign = toy_with(
            properties=LINEAR,
            objectives=[
                {"outcome": "strength", "threshold": factor},
                {"outcome": "stretch", "threshold": factor},
            ],
        )
        runs = mapped(runs_of(campaign, 16), lambda _, v: v * factor)
        return batch_of(History(campaign, runs), quick, strategy)

    plain, huge = batch(1.0), batch(unit)
    assert settings_of(plain) == settings_of(huge)
    for first, second in zip(plain.suggestions, huge.suggestions, strict=True):
        assert first.reason_kind == second.reason_kind
        for name, forecast in first.outcomes.items():
            assert second.outcomes[name].mean == forecast.mean * unit
            assert second.outcomes[name].lower == forecast.lower * unit
            assert second.outcomes[name].upper == forecast.upper * unit


@pytest.mark.parametrize("strategy", SEARCHING)
def test_one_huge_slip_among_results(
    strategy: str, toy_with, runs_of, quick: ProposeSettings
) -> None:
    campaign = toy_with(properties=LINEAR)
    runs = runs_of(campaign, 16)
    slip = replace(runs[3], outcomes={"strength": (1e200,), "stretch": (3.0,)})
    batch = batch_of(History(campaign, (*runs[:3], slip, *runs[4:])), quick, strategy)
    assert len(batch.suggestions) == 3
    if strategy == "gp":
        assert any("experiment 4: strength [MPa] = 1e+200" in note for note in batch.notes)


class TestZerosOnALogarithm:
    """A fibre that breaks at once has a strength of 0, on whatever scale it is learnt."""

    @pytest.fixture
    def runs(self, toy: Campaign, runs_of) -> tuple[Run, ...]:
        return tuple(
            replace(run, outcomes={**run.outcomes, "strength": (0.0,)})
            if float(run.conditions["b"]) > 1.6
            else run
            for run in runs_of(toy, 24)
        )

    @pytest.mark.parametrize("strategy", [*SEARCHING, "matmcl"])
    def test_every_strategy_takes_them(
        self, strategy: str, toy: Campaign, runs, quick: ProposeSettings
    ) -> None:
        batch = batch_of(History(toy, runs), quick, strategy)
        assert batch.strategy in (strategy, "sobol")
        for suggestion in batch.suggestions:
            forecast = suggestion.outcomes["strength"]
            assert 0 <= forecast.lower < forecast.mean < forecast.upper < np.inf
        if strategy == "gp":
            assert any("results of 0 stand as 0.5 in the model" in note for note in batch.notes)

    def test_they_teach_and_are_told(self, toy: Campaign, runs, quick: ProposeSettings) -> None:
        history = History(toy, runs)
        forecaster = Forecaster.fit(history, quick)
        asked = [{"a": 0.5, "b": b, "room": 20.0} for b in (1.0, 2.0)]
        predictions = ask(forecaster, history, asked, 0.9, drives=False)
        good, broken = (row.outcomes["strength"].mean for row in predictions.rows)
        assert broken < 1.5 < good
        assert any("strength [MPa] is learnt as a logarithm" in n for n in predictions.notes)
        assert len(rank_conditions(history, asked, quick, seed=0).values) == 2

    @pytest.mark.parametrize(
        "objective",
        [
            {"outcome": "strength", "goal": "minimize", "threshold": 0.2},
            {"outcome": "strength", "goal": "target", "target": 0.3, "tolerance": 0.2},
        ],
    )
    def test_what_is_asked_for_lies_above_them(
        self, objective: dict[str, object], toy_with, runs, quick: ProposeSettings
    ) -> None:
        """A strength of 0 is below a threshold of 0.2 in the model, too, where it is wanted."""
        campaign = toy_with(objectives=[objective])
        work = WorkSpace.from_runs(campaign, runs)
        (wanted,) = campaign.objectives
        assert work.floors["strength"] < min(edge for edge in wanted.edges if edge > 0)
        is_beyond = work.gains(wanted, np.array([0.0]))[0] > work.reference(wanted)
        assert is_beyond == wanted.is_reached([0.0])[0]
        assert len(batch_of(History(campaign, runs), quick).suggestions) == 3

    def test_zeros_alone_are_constant(self, toy: Campaign, runs_of, quick: ProposeSettings) -> None:
        runs = mapped(runs_of(toy, 9), lambda name, v: 0.0 if name == "strength" else v)
        assert assess(History(toy, runs)).problems == {"strength": "it is 0 in all of 9 runs"}
        assert len(batch_of(History(toy, runs), quick).suggestions) == 3

    def test_only_what_can_be_measured_is_taken(self) -> None:
        prop = Property(name="strength", scale="log", minimum=0)
        assert prop.problem_with(0.0) is None
        for value in (-1e-300, float("nan"), float("inf")):
            assert prop.problem_with(value) is not None
        assert Property(name="strength", scale="log", minimum=0.1).problem_with(0.0) is not None
        with pytest.raises(ValidationError, match="a 0 has no logarithm"):
            Campaign(
                name="toy",
                parameters=[{"name": "x", "low": 0, "high": 1}],
                properties=[prop],
                objectives=[{"outcome": "strength", "goal": "target", "target": 0, "tolerance": 1}],
            )


numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(deadline=None)
@given(st.lists(numbers, min_size=2, max_size=6))
def test_a_unit_is_a_power_of_two_near_the_spread(values: list[float]) -> None:
    unit = unit_near(values)
    assert unit > 0
    assert np.log2(unit) % 1 == 0
    half = max(values) / 2 - min(values) / 2
    if 1e-300 < half < 1e300:
        assert 0.5 <= half / unit < 1.0


@settings(deadline=None)
@given(st.lists(st.floats(-1e9, 1e9, width=32), min_size=2, max_size=6), st.integers(-300, 300))
def test_whether_values_are_one_value_has_no_unit(values: list[float], power: int) -> None:
    scaled = [value * 2.0**power for value in values]
    if all(value == 0 or abs(value) > 1e-30 for value in values):
        assert is_constant(scaled) == is_constant(values)
