"""While a threshold is not reached or a constraint not met, the search goes towards it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.campaign.history import History
from engine.propose import suggest
from engine.propose.reach import contradictions, measure_reach, reference_point
from engine.propose.request import ProposeRequest
from engine.workspace.settings import ProposeSettings

STRENGTH = {"outcome": "strength", "threshold": 1.0}
STRETCH = {"outcome": "stretch", "threshold": 1.0}


def objective(outcome: str, threshold: float, goal: str = "maximize") -> dict[str, object]:
    return {"outcome": outcome, "goal": goal, "threshold": threshold}


CASES = {
    "one objective": ([objective("strength", 1e5)], []),
    "one of two": ([objective("strength", 8.0), STRETCH], []),
    "one of two to minimise": ([objective("strength", 0.1, "minimize"), STRETCH], []),
    "both": ([objective("strength", 800.0), objective("stretch", 100.0)], []),
    "a target": (
        [{"outcome": "strength", "goal": "target", "target": 400, "tolerance": 1}, STRETCH],
        [],
    ),
    "a constraint": ([STRENGTH, STRETCH], ["stretch >= 30"]),
    "a constraint, one objective": ([STRENGTH], ["stretch >= 30"]),
    "constraint and threshold": ([objective("strength", 1e5)], ["stretch >= 30"]),
    "constraints that contradict": ([STRENGTH, STRETCH], ["stretch >= 3", "stretch <= 1"]),
    "constraint against threshold": (
        [STRENGTH, objective("stretch", 3.0)],
        ["stretch <= 1"],
    ),
}


@pytest.fixture
def led(quick: ProposeSettings) -> ProposeSettings:
    """A small budget; the model leads from five runs on."""
    return quick.model_copy(update={"cold_start": 5, "mc_samples": 32, "raw_samples": 128})


def history_of(case: str, toy_with, runs_of, n: int = 24) -> History:
    objectives, constraints = CASES[case]
    campaign = toy_with(objectives=objectives, constraints=constraints)
    return History(campaign, runs_of(campaign, n))


@pytest.mark.matrix
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "request_",
    [
        {"strategy": "gp"},
        {"strategy": "gp", "robust": True},
        {"strategy": "gp", "explore": True},
        {"strategy": "matmcl"},
        {"strategy": "nsga2"},
    ],
    ids=lambda r: "-".join(map(str, r.values())),
)
def test_every_strategy_goes_on_and_says_so(case, request_, toy_with, runs_of, led) -> None:
    history = history_of(case, toy_with, runs_of)
    request = ProposeRequest(n=3, seed=1, **request_)
    torch.manual_seed(1)
    batch = suggest(history, request, led)
    assert len(batch.suggestions) == 3
    assert any("no run" in note for note in batch.notes)
    # Nothing hangs on the state of the library's own random numbers.
    torch.manual_seed(2)
    again = suggest(history, request, led)
    assert [s.conditions for s in again.suggestions] == [s.conditions for s in batch.suggestions]


@pytest.mark.matrix
@pytest.mark.parametrize("case", ["one of two", "a constraint, one objective"])
@pytest.mark.parametrize("strategy", ["ax", "ax-matmcl"])
def test_ax_goes_on_and_says_so(case, strategy, toy_with, runs_of, led) -> None:
    history = history_of(case, toy_with, runs_of)
    batch = suggest(history, ProposeRequest(n=2, seed=1, strategy=strategy), led)
    assert batch.strategy == strategy
    assert any("no run" in note for note in batch.notes)


@pytest.mark.parametrize(
    ("case", "outcome", "goes_up"),
    [
        ("one objective", "strength", True),
        ("one of two", "strength", True),
        ("one of two to minimise", "strength", False),
        ("a target", "strength", True),
        ("a constraint", "stretch", True),
        ("a constraint, one objective", "stretch", True),
    ],
)
def test_the_batch_lies_towards_it(
    case, outcome, goes_up, toy_with, runs_of, led, true_outcomes
) -> None:
    """By the true values, the batch's best is beyond nine in ten of the runs."""
    history = history_of(case, toy_with, runs_of)
    request = ProposeRequest(n=4, seed=1, at={"room": 20.0})
    side = 1.0 if goes_up else -1.0
    batch = suggest(history, request, led)
    conditions = [{**s.conditions, "room": 20.0} for s in batch.suggestions]
    values = [side * true_outcomes(row)[outcome] for row in conditions]
    old = [side * true_outcomes({**r.conditions, "room": 20.0})[outcome] for r in history.finished]
    assert max(values) > np.quantile(old, 0.9)
    assert np.mean(values) > np.mean(old)


def test_contradicting_constraints_are_missed_least(toy_with, runs_of, led, true_outcomes) -> None:
    """Of stretch ≥ 3 and ≤ 1, what lies between."""
    history = history_of("constraints that contradict", toy_with, runs_of)
    batch = suggest(history, ProposeRequest(n=4, seed=1, at={"room": 20.0}), led)
    values = [true_outcomes({**s.conditions, "room": 20.0})["stretch"] for s in batch.suggestions]
    assert 1.0 < min(values) <= max(values) < 3.0
    assert any("contradict each other" in note for note in batch.notes)


@pytest.mark.parametrize("case", ["one of two", "a constraint", "a target"])
def test_once_it_is_reached_the_usual_search_goes_on(case, toy_with, runs_of, led) -> None:
    history = history_of(case, toy_with, runs_of)
    hit = {"strength": (400.0 if case == "a target" else 9.0,), "stretch": (31.0,)}
    reached = replace(history.finished[0], outcomes=hit)
    history = replace(history, finished=(reached, *history.finished[1:]))
    assert measure_reach(history.campaign, history.finished).notes() == []


def test_three_objectives_two_of_them_out_of_reach(toy_with, runs_of, led) -> None:
    campaign = toy_with(
        properties=[
            {"name": "strength", "unit": "MPa", "minimum": 0.0, "scale": "log"},
            {"name": "stretch", "unit": "%"},
            {"name": "cost", "unit": "EUR"},
        ],
        objectives=[
            objective("strength", 1e4),
            objective("stretch", 50.0),
            objective("cost", 10.0, "minimize"),
        ],
    )
    runs = tuple(
        replace(run, outcomes={**run.outcomes, "cost": (float(run.conditions["a"]),)})
        for run in runs_of(campaign, 24)
    )
    batch = suggest(History(campaign, runs), ProposeRequest(n=3, seed=1), led)
    notes = [note for note in batch.notes if "no run reaches the threshold of" in note]
    assert [note.split("threshold of ")[1].split(" ")[0] for note in notes] == [
        "strength",
        "stretch",
    ]
    assert len(batch.suggestions) == 3


def test_what_is_said(toy_with, runs_of) -> None:
    campaign = toy_with(
        objectives=[
            {"outcome": "strength", "goal": "target", "target": 400, "tolerance": 1},
            objective("stretch", 100.0),
        ],
        constraints=["strength <= 0.5"],
    )
    runs = runs_of(campaign, 5)
    strength = min(run.outcomes["strength"][0] for run in runs)
    notes = measure_reach(campaign, runs).notes()
    assert [note.split(". The search")[0] for note in notes[1:]] == [
        "no run comes within the tolerance of strength [MPa] yet: expected 400 ± 1, the nearest "
        f"of 5 is {max(run.outcomes['strength'][0] for run in runs):.4g}",
        "no run reaches the threshold of stretch [%] yet: expected ≥ 100, the best of 5 is "
        f"{max(run.outcomes['stretch'][0] for run in runs):.4g}",
        f"no run meets the constraint 'strength <= 0.5' yet: the nearest of 5 is {strength:.4g}",
    ]
    assert "strength <= 0.5 and the threshold of strength, 400 ± 1 contradict" in notes[0]


def test_thresholds_that_only_breaking_runs_reach(toy_with, runs_of) -> None:
    campaign = toy_with(
        objectives=[STRENGTH, objective("stretch", 3.0)], constraints=["stretch <= 2"]
    )
    reach = measure_reach(campaign, runs_of(campaign, 24))
    assert [o.outcome for o in reach.unreached] == ["stretch"]
    assert any("no run that meets the constraints reaches" in note for note in reach.notes())


def test_each_is_met_and_never_together(toy_with, runs_of) -> None:
    campaign = toy_with(constraints=["strength >= 5", "stretch >= 3.5"])
    assert any(
        "no run meets all constraints together" in note
        for note in measure_reach(campaign, runs_of(campaign, 24)).notes()
    )
    campaign = toy_with(objectives=[objective("strength", 5.0), objective("stretch", 3.5)])
    (note,) = measure_reach(campaign, runs_of(campaign, 24)).notes()
    assert "no run lies beyond every threshold at once yet" in note


@pytest.mark.parametrize(
    ("objectives", "constraints", "n"),
    [
        ([STRENGTH], [], 0),
        ([STRENGTH], ["strength <= 5", "strength >= 5"], 0),
        ([STRENGTH], ["strength <= 5", "-1 strength <= -6"], 1),
        ([STRENGTH], ["strength <= 0.5"], 1),
        ([objective("strength", 0.0, "minimize")], [], 0),
        ([objective("strength", -1.0, "minimize")], [], 1),
        (
            [{"outcome": "stretch", "goal": "target", "target": 5, "tolerance": 1}],
            ["stretch >= 6"],
            0,
        ),
        (
            [{"outcome": "stretch", "goal": "target", "target": 5, "tolerance": 1}],
            ["stretch >= 6.1"],
            1,
        ),
    ],
)
def test_rules_that_no_value_meets(objectives, constraints, n, toy_with) -> None:
    assert len(contradictions(toy_with(objectives=objectives, constraints=constraints))) == n


def test_the_reference_is_the_nearest_run_or_the_worst_corner(toy_with, runs_of) -> None:
    campaign = toy_with(objectives=[objective("strength", 8.0), STRETCH])
    runs = runs_of(campaign, 24)
    near, _ = reference_point(campaign, runs, explore=False)
    far, _ = reference_point(campaign, runs, explore=True)
    gains = np.array([[np.log(r.outcomes["strength"][0]), r.outcomes["stretch"][0]] for r in runs])
    assert far == [pytest.approx(gains[:, 0].min() - 0.1 * np.ptp(gains[:, 0])), 1.0]
    nearest = gains[np.argmin(np.abs(gains[:, 0] - near[0]))]
    assert near == [nearest[0], min(1.0, nearest[1])]
    assert gains[:, 0].min() < near[0] < np.log(8.0)
    assert reference_point(toy_with(), runs, explore=False)[0] == [0.0, 1.0]


def test_constraints_that_few_draws_meet(toy_with, runs_of, led) -> None:
    """One run meets it just so: in many draws none does, and the search still goes on alike."""
    campaign = toy_with(objectives=[STRENGTH], constraints=["stretch <= 1.0"])
    history = History(campaign, runs_of(campaign, 24))
    batches = []
    for state in (1, 2):
        torch.manual_seed(state)
        batches.append(suggest(history, ProposeRequest(n=4, seed=3), led))
    assert [s.acquisition_value for s in batches[0].suggestions] == [
        s.acquisition_value for s in batches[1].suggestions
    ]
