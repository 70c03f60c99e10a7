"""Which runs of a large campaign are learnt from: spread, good regions, new; always the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from db.records import ExperimentBrief, Status
from engine.campaign.history import Run
from engine.experiments.learning_set import choose_runs, learning_set
from engine.loop import read_snapshot


def briefs(campaign, n: int, *, seed: int = 0, share_failed: float = 0.0) -> list[ExperimentBrief]:
    """Runs at random settings; both objectives are best where the first parameter is largest."""
    rng = np.random.default_rng(seed)
    found = []
    for id_ in range(1, n + 1):
        u = rng.random(len(campaign.parameters))
        conditions = {
            p.name: p.bounds[0] + x * (p.bounds[1] - p.bounds[0])
            for p, x in zip(campaign.parameters, u, strict=True)
        }
        failed = rng.random() < share_failed
        means = {
            o.outcome: float(o.gains(u[0] + 0.5 * rng.standard_normal()))
            for o in campaign.objectives
        }
        status = Status.FAILED if failed else Status.COMPLETED
        found.append(ExperimentBrief(id_, status, conditions, {} if failed else means))
    return found


def test_few_runs_are_all_learnt_from(nanofibre) -> None:
    runs = briefs(nanofibre, 60, share_failed=0.2)
    chosen = choose_runs(nanofibre, runs, 60)
    assert chosen.ids == tuple(run.id for run in runs)
    assert chosen.left_aside == ()


def test_many_are_chosen_from(nanofibre) -> None:
    runs = briefs(nanofibre, 2000, share_failed=0.1)
    chosen = choose_runs(nanofibre, runs, 100)
    assert chosen.ids == tuple(sorted(set(chosen.ids)))
    assert {run.id for run in chosen.left_aside} | set(chosen.ids) == {run.id for run in runs}
    status = {run.id: run.status for run in runs}
    n_finished = sum(status[id_] is Status.COMPLETED for id_ in chosen.ids)
    n_failed = len(chosen.ids) - n_finished
    assert n_finished == 100
    share = sum(s is Status.FAILED for s in status.values()) / 2000
    assert n_failed / len(chosen.ids) == pytest.approx(share, abs=0.01)
    newest = [run.id for run in runs if run.status is Status.COMPLETED][-12:]
    assert set(newest) <= set(chosen.ids)


def test_it_is_the_same_choice_each_time(nanofibre) -> None:
    runs = briefs(nanofibre, 500)
    assert choose_runs(nanofibre, runs, 80) == choose_runs(nanofibre, runs, 80)


def test_the_whole_space_and_its_best_regions_are_there(nanofibre) -> None:
    runs = briefs(nanofibre, 3000)
    chosen = set(choose_runs(nanofibre, runs, 200).ids)
    first = nanofibre.parameters[0]
    place = {r.id: (r.conditions[first.name] - first.low) / (first.high - first.low) for r in runs}
    at = np.array([place[id_] for id_ in chosen])
    assert at.min() < 0.02
    assert at.max() > 0.98
    assert at.mean() > 0.55  # more where the results are best


def test_runs_are_not_taken_for_their_luck(nanofibre) -> None:
    """Where the place tells nothing, what was chosen is on average like all the others."""
    rng = np.random.default_rng(1)
    runs = [
        ExperimentBrief(
            run.id,
            run.status,
            run.conditions,
            {name: float(rng.standard_normal()) for name in run.means},
        )
        for run in briefs(nanofibre, 4000)
    ]
    chosen = set(choose_runs(nanofibre, runs, 400).ids)
    for objective in nanofibre.objectives:
        values = [run.means[objective.outcome] for run in runs if run.id in chosen]
        assert abs(np.mean(values)) < 3 / np.sqrt(400) + 0.1


def test_equal_settings_and_missing_results_do_no_harm(nanofibre) -> None:
    (one,) = briefs(nanofibre, 1)
    runs = [ExperimentBrief(i, Status.COMPLETED, one.conditions, {}) for i in range(1, 301)]
    chosen = choose_runs(nanofibre, runs, 60)
    assert len(chosen.ids) == 240
    assert chosen.ids[-1] == 300


def test_designs_count_and_not_specimens(nanofibre) -> None:
    """A design of twenty specimens takes one place, and is there with all of them."""
    designs = briefs(nanofibre, 100)
    runs = [replace(designs[i % 100], id=i + 1) for i in range(2000)]
    assert len(choose_runs(nanofibre, runs, 100).ids) == 800
    chosen = choose_runs(nanofibre, runs, 50).ids
    places = {frozenset(runs[id_ - 1].conditions.items()) for id_ in chosen}
    assert len(places) == 50
    assert len(chosen) == 400


def test_a_categorical_campaign(mixture) -> None:
    rng = np.random.default_rng(0)

    def draw(parameter) -> float | str:
        if parameter.is_numeric:
            return float(rng.uniform(*parameter.bounds))
        return str(rng.choice(parameter.choices))

    runs = [
        ExperimentBrief(
            i,
            Status.COMPLETED,
            {
                p.name: float(rng.uniform(*p.bounds))
                if p.is_numeric
                else str(rng.choice(p.choices))
                for p in mixture.parameters
            },
            {o.outcome: float(rng.random()) for o in mixture.objectives},
        )
        for i in range(1, 400)
    ]
    assert len(choose_runs(mixture, runs, 50).ids) == 50


def test_a_history_knows_the_rest(workspace, fill) -> None:
    fill(workspace, 70)
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        small = learning_set(tx, record, campaign, limit=50)
        whole = learning_set(tx, record, campaign, limit=100)
        then = tx.watermark()
    assert (small.n_finished, len(small.left_aside)) == (50, 20)
    assert (whole.n_finished, whole.left_aside, whole.left_out) == (70, (), None)
    assert small.left_out is not None
    assert small.left_out.startswith("learning from 50 of 70 runs")
    known = {run.id: run for run in whole.finished}
    assert all(known[run.id] == run for run in small.finished)
    assert all(known[run.id].conditions == run.conditions for run in small.left_aside)
    assert all(isinstance(run, Run) and not run.outcomes for run in small.left_aside)
    fill(workspace, 30)
    with workspace.database.read() as tx:
        again = learning_set(tx, record, campaign, limit=50, watermark=then)
    assert again == small


def test_a_batch_says_so_and_replays(folder, engine, fill, monkeypatch) -> None:
    from engine.workspace import Workspace

    monkeypatch.setenv("SPINNERET_PROPOSE__MOST_RUNS", "50")
    monkeypatch.setenv("SPINNERET_PROPOSE__STRATEGY", "sobol")
    with Workspace.open(folder / "config.toml") as workspace:
        fill(workspace, 60)
        assert len(read_snapshot(workspace).history.left_aside) == 10
    answer = engine("propose", "--n", "2", "--seed", "1", "--json")
    assert answer.exit_code == 0, answer.err
    assert answer.json["runs"] == {"learnt": 50, "left_out": 10}
    assert "learning from 50 of 60 runs" in answer.json["notes"][0]
    monkeypatch.setenv("SPINNERET_PROPOSE__MOST_RUNS", "1000")
    again = engine("replay", answer.json["batch"], "--json")
    assert again.json["same"], again.err


@pytest.mark.parametrize("kind", ["halves", "never"])
def test_best_regions_of_partly_measured_runs(nanofibre, kind: str) -> None:
    """One objective of each run, or one of all: the best regions are learnt from all the same."""
    names = [objective.outcome for objective in nanofibre.objectives]
    runs = [
        replace(run, means={name: run.means[name]})
        for place, run in enumerate(briefs(nanofibre, 3000))
        for name in [names[place % 2 if kind == "halves" else 0]]
    ]
    chosen = set(choose_runs(nanofibre, runs, 200).ids)
    first = nanofibre.parameters[0]
    places = [
        (run.conditions[first.name] - first.low) / (first.high - first.low)
        for run in runs
        if run.id in chosen
    ]
    assert len(chosen) == 200
    assert np.mean(places) > 0.55
