"""Nothing but the unit of the outcomes changes: the same proposals, the same words but for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.predictions.predict import ask
from engine.propose import Forecaster, choose_from_pool, rank_conditions, suggest
from engine.propose.evidence import weigh
from engine.propose.reach import measure_reach
from engine.propose.request import ProposeRequest, SuggestionBatch
from engine.workspace.settings import ProposeSettings

SEARCHES: dict[str, dict[str, Sequence[object]]] = {
    "one": {"wanted": [("u", "maximize", 0.5)]},
    "two": {"wanted": [("u", "maximize", 0.5), ("v", "minimize", 1.2)]},
    "three": {"wanted": [("u", "maximize", 0.5), ("v", "minimize", 1.2), ("w", "maximize", 0.0)]},
    "four": {
        "wanted": [
            ("u", "maximize", 0.5),
            ("v", "minimize", 1.2),
            ("w", "maximize", 0.0),
            ("x", "minimize", 1.0),
        ]
    },
    "target": {"wanted": [("u", "target", (1.0, 0.2))]},
    "target of two": {"wanted": [("u", "target", (1.0, 0.2)), ("v", "minimize", 1.2)]},
    "constrained": {"wanted": [("u", "maximize", 0.5)], "limits": [("v", "<=", 0.8)]},
    "two, constrained": {
        "wanted": [("u", "maximize", 0.5), ("v", "minimize", 1.2)],
        "limits": [("w", ">=", 0.3)],
    },
    "out of reach": {"wanted": [("u", "maximize", 4.0), ("v", "minimize", 0.3)]},
    "limits out of reach": {"wanted": [("u", "maximize", 0.5)], "limits": [("v", "<=", -2.0)]},
}
SHIFTS = {"u": 0.0, "v": 1.0, "w": 2.0, "x": 3.0}


def campaign_in(unit: float, search: str, scale: str = "linear") -> Campaign:
    objectives: list[dict[str, object]] = []
    for outcome, goal, edge in SEARCHES[search]["wanted"]:  # type: ignore[misc]
        if goal == "target":
            target, tolerance = (part * unit for part in edge)
            objectives.append(
                {"outcome": outcome, "goal": goal, "target": target, "tolerance": tolerance}
            )
        else:
            objectives.append({"outcome": outcome, "goal": goal, "threshold": edge * unit})
    limits = SEARCHES[search].get("limits", [])
    minimum = {"minimum": 0.0, "scale": "log"} if scale == "log" else {}
    return Campaign(
        name="unit",
        parameters=[
            {"name": "a", "low": 0.0, "high": 1.0, "step": 0.05},
            {"name": "b", "low": 0.0, "high": 1.0, "step": 0.05},
        ],
        properties=[{"name": name, "unit": "m²", **minimum} for name in SHIFTS],
        objectives=objectives,
        constraints=[f"{name} {sign} {bound * unit!r}" for name, sign, bound in limits],  # type: ignore[misc]
    )


def history_in(unit: float, search: str, n: int = 18, scale: str = "linear") -> History:
    rng = np.random.default_rng(0)
    runs = []
    for i in range(n):
        a, b = np.round(rng.random(2) * 20) / 20
        values = {
            name: 0.4 + a * np.cos(shift) + (b - 0.3 * shift) ** 2 + 0.02 * rng.normal()
            for name, shift in SHIFTS.items()
        }
        if scale == "log":
            values = {name: np.exp(value) for name, value in values.items()}
        outcomes = {name: (float(value) * unit,) for name, value in values.items()}
        runs.append(Run({"a": float(a), "b": float(b)}, outcomes, id=i + 1))
    return History(campaign_in(unit, search, scale), tuple(runs))


def batch_of(
    history: History, quick: ProposeSettings, strategy: str = "gp", *, explore: bool = False
) -> SuggestionBatch:
    request = ProposeRequest(n=3, seed=1, strategy=strategy, explore=explore)
    return suggest(history, request, quick.model_copy(update={"cold_start": 5}))


def assert_same(plain: SuggestionBatch, other: SuggestionBatch, unit: float) -> None:
    assert [s.conditions for s in plain.suggestions] == [s.conditions for s in other.suggestions]
    for first, second in zip(plain.suggestions, other.suggestions, strict=True):
        assert first.reason_kind == second.reason_kind
        assert first.p_success == second.p_success
        for name, forecast in first.outcomes.items():
            for part in ("mean", "lower", "upper"):
                assert getattr(second.outcomes[name], part) == getattr(forecast, part) * unit


@pytest.mark.matrix(3)
@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("power", [-49])
def test_powers_of_two_change_no_bit(search: str, power: int, quick: ProposeSettings) -> None:
    """2⁻⁴⁹ is about 1e-15."""
    unit = 2.0**power
    plain, other = (batch_of(history_in(u, search), quick) for u in (1.0, unit))
    assert plain.strategy == other.strategy == "gp"
    assert_same(plain, other, unit)


def assert_nearly_same(plain: SuggestionBatch, other: SuggestionBatch) -> None:
    """Rounding of the last digit moves the fit by less than a thousandth, and at most a tie."""
    first, second = ([s.conditions for s in batch.suggestions] for batch in (plain, other))
    assert plain.strategy == other.strategy == "gp"
    assert sum(row in second for row in first) >= 2


@pytest.mark.matrix
@pytest.mark.parametrize("search", ["one", "two", "target of two", "constrained"])
@pytest.mark.parametrize("unit", [1e-15, 1e15])
def test_decimal_units_change_no_setting(search: str, unit: float, quick: ProposeSettings) -> None:
    assert_nearly_same(*(batch_of(history_in(u, search), quick) for u in (1.0, unit)))


@pytest.mark.matrix
@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("unit", [10.0**power for power in (-15, -8, -5, 3, 15)])
def test_predictions_in_decimal_units(unit: float, scale: str, quick: ProposeSettings) -> None:
    asked = [{"a": a, "b": b} for a in (0.1, 0.9) for b in (0.2, 0.6)]
    plain, other = (
        Forecaster.fit(history_in(u, "two", scale=scale), quick).predict(asked) for u in (1.0, unit)
    )
    for first, second in zip(plain, other, strict=True):
        for name, forecast in first.items():
            width = forecast.upper - forecast.lower
            for part in ("mean", "lower", "upper"):
                value = getattr(second[name], part) / unit
                assert value == pytest.approx(getattr(forecast, part), abs=0.01 * width)


@pytest.mark.deep
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(power=st.integers(-50, 50), search=st.sampled_from(sorted(SEARCHES)), explore=st.booleans())
def test_any_unit_and_search(
    power: int, search: str, explore: bool, quick: ProposeSettings
) -> None:
    unit = 2.0**power
    plain, other = (batch_of(history_in(u, search), quick, explore=explore) for u in (1.0, unit))
    assert_same(plain, other, unit)


@pytest.mark.matrix
@pytest.mark.parametrize("strategy", ["nsga2", "ax", "matmcl"])
@pytest.mark.parametrize("search", ["one", "target of two", "two, constrained"])
def test_every_strategy(strategy: str, search: str, quick: ProposeSettings) -> None:
    unit = 2.0**-49
    plain, other = (batch_of(history_in(u, search), quick, strategy) for u in (1.0, unit))
    assert plain.strategy == strategy
    assert_same(plain, other, unit)


@pytest.mark.matrix
@pytest.mark.parametrize("search", ["one", "two"])
@pytest.mark.parametrize("unit", [1e-15, 1e15])
def test_logarithms(search: str, unit: float, quick: ProposeSettings) -> None:
    histories = (history_in(u, search, scale="log") for u in (1.0, unit))
    assert_nearly_same(*(batch_of(history, quick) for history in histories))


@pytest.mark.parametrize("unit", [2.0**-49, 2.0**49, 2.0**600])
def test_predictions_rankings_and_pools(unit: float, quick: ProposeSettings) -> None:
    asked = [{"a": a, "b": b} for a in (0.1, 0.9) for b in (0.2, 0.6)]
    answers = []
    for factor in (1.0, unit):
        history = history_in(factor, "two")
        forecaster = Forecaster.fit(history, quick)
        rows = ask(forecaster, history, asked, 0.9).rows
        ranking = rank_conditions(history, asked, quick, seed=0)
        chosen = choose_from_pool(history, asked, 2, strategy="gp", seed=0, settings=quick)
        answers.append((rows, np.argsort(ranking.values).tolist(), chosen))
    (plain, plain_order, plain_choice), (other, order, choice) = answers
    assert (order, choice) == (plain_order, plain_choice)
    for first, second in zip(plain, other, strict=True):
        assert second.remoteness == first.remoteness
        for name, forecast in first.outcomes.items():
            assert second.outcomes[name].mean == forecast.mean * unit
            assert second.outcomes[name].upper == forecast.upper * unit
            spans = [
                [d.span / u for d in row.drives[name]] for row, u in ((first, 1), (second, unit))
            ]
            assert spans[0] == spans[1]


def test_the_interval_is_no_wider_in_another_unit(quick: ProposeSettings) -> None:
    """At 1e-8 it was 3e8 times the value."""
    history = history_in(1e-8, "two")
    forecast = Forecaster.fit(history, quick).predict([{"a": 0.5, "b": 0.5}])[0]["u"]
    values = [run.outcomes["u"][0] for run in history.finished]
    assert forecast.upper - forecast.lower < 2 * (max(values) - min(values))


def test_words_differ_by_the_unit_alone() -> None:
    notes = []
    for unit in (1.0, 2.0**20):
        history = history_in(unit, "out of reach")
        reach = measure_reach(history.campaign, history.finished)
        notes.append([note.split("expected")[0] for note in reach.notes()])
    assert notes[0] == notes[1] != []


@pytest.mark.matrix
@pytest.mark.parametrize("shift", [2.0**20, -(2.0**26)])
@pytest.mark.parametrize("n", [14, 70])
def test_a_shift_changes_no_evidence(shift: float, n: int, quick: ProposeSettings) -> None:
    """Degrees Celsius or kelvins, a height above ground or sea: learnt as well, proposed alike."""
    # On a grid of 2⁻²⁰ a shift rounds nothing.
    plain = history_in(1.0, "one", n=n)
    runs = tuple(
        replace(run, outcomes={"u": (round(run.outcomes["u"][0] * 2**20) / 2**20,)})
        for run in plain.finished
    )
    moved = tuple(replace(run, outcomes={"u": (run.outcomes["u"][0] + shift,)}) for run in runs)
    (wanted,) = plain.campaign.objectives
    assert wanted.threshold is not None
    campaign = Campaign(
        **{
            **plain.campaign.definition(),
            "objectives": [{"outcome": "u", "threshold": wanted.threshold + shift}],
        }
    )
    histories = History(plain.campaign, runs), History(campaign, moved)
    first, second = (weigh(Forecaster.fit(history, quick), 1) for history in histories)
    assert second.r2 == pytest.approx(first.r2, abs=0.01)
    assert second.t == pytest.approx(first.t, rel=0.05)
    assert_nearly_same(*(batch_of(history, quick) for history in histories))
