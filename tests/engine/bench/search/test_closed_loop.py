from __future__ import annotations

import json

import numpy as np
import pytest

from engine.bench.harness.tasks import Task
from engine.bench.search.closed_loop import ClosedLoopConfig, closed_loop
from engine.errors import DataError, ModelError, UsageError

CONFIG = {"strategies": ("sobol", "sweep"), "n_seeds": 3, "start": 4, "batch": 3, "budget": 12}


@pytest.fixture
def run(lab, strategies):
    def go(**changes):
        options = {"lab": lab, "strategies": changes.pop("brought", strategies)}
        options |= {k: changes.pop(k) for k in ("out", "resume", "progress") if k in changes}
        options["lab"] = changes.pop("on", lab)
        return closed_loop(ClosedLoopConfig(**{**CONFIG, **changes}), **options)

    return go


def by_task(document):
    return {(t["strategy"], t["seed"]): t for t in document["traces"]}


def test_strategies_of_one_seed_share_start_room_and_noise(run):
    traces = by_task(run())
    for seed in range(3):
        one, other = traces["sobol", seed]["runs"], traces["sweep", seed]["runs"]
        assert one[:4] == other[:4]
        assert [r["ambient"] for r in one] == [r["ambient"] for r in other]
        assert [r["failure"] for r in one] == [r["failure"] for r in other]
    assert traces["sobol", 0]["runs"] != traces["sobol", 1]["runs"]


def test_the_same_seeds_give_the_same_numbers(run):
    first, second = run(), run()
    assert [t["runs"] for t in first["traces"]] == [t["runs"] for t in second["traces"]]
    assert first["summary"]["strategies"]["sweep"]["final"] == pytest.approx(
        second["summary"]["strategies"]["sweep"]["final"], abs=0
    )


def test_scores_are_shares_of_the_true_front_that_only_grow(run):
    document = run()
    assert document["score"] == "hypervolume fraction"
    for trace in document["traces"]:
        curve = np.array(trace["curve"])
        assert len(curve) == len(trace["runs"]) == 12
        assert np.all(np.diff(curve) >= 0)
        assert 0 <= curve[0] <= curve[-1] <= 1 + 1e-9


def test_the_sweep_beats_space_filling(run):
    summary = run()["summary"]
    assert summary["baseline"] == "sobol"
    found = summary["strategies"]["sweep"]
    assert found["difference"] > 0
    assert found["acceleration"] > 1
    assert found["experiments_to_target"] < 12


def test_failed_runs_cost_and_win_nothing(run):
    traces = [t for t in run()["traces"] if any(r["failure"] for r in t["runs"])]
    assert traces
    for trace in traces:
        scores = np.diff([0.0, *trace["curve"]])
        failed = [r["failure"] is not None for r in trace["runs"]]
        assert np.all(scores[failed] == 0)


def test_a_lab_without_truth_is_scored_by_what_it_measured(run, unknown_lab):
    document = run(on=unknown_lab)
    assert document["score"] == "measured hypervolume"
    assert document["truth"] is None
    assert document["traces"][0]["curve"][-1] > 0


def test_constraints_leave_out_what_breaks_them(run, unknown_lab):
    free = run()
    bound = run(constraints=("z >= 0.9",))
    assert bound["truth"]["hypervolume"] < free["truth"]["hypervolume"]
    assert all(z >= 0.9 for _, z in bound["truth"]["front"])
    measured = run(on=unknown_lab, constraints=("z >= 2",))
    assert {t["curve"][-1] for t in measured["traces"]} == {0.0}


def test_objectives_can_be_chosen_and_turned(run):
    document = run(objectives=("y:min:1", "z"))
    first, second = document["campaign"]["objectives"]
    assert (first["goal"], first["threshold"]) == ("minimize", 1.0)
    assert second["outcome"] == "z"


def test_rounds_are_told(run):
    steps = []
    run(progress=lambda *step: steps.append(step), n_seeds=1)
    assert steps == [
        (str(Task(name, 0)), n, 12) for name in ("sobol", "sweep") for n in (4, 7, 10, 12)
    ]
    assert steps[0][0] == "sobol, seed 0"


def test_an_interrupted_run_goes_on_where_it_was(run, strategies, tmp_path):
    out = tmp_path / "out.json"

    def breaks(history, n, seed, at):
        if history.n_finished + len(history.failed) > 6:
            raise ModelError("no more")
        return strategies["sweep"](history, n, seed, at)

    with pytest.raises(ModelError, match="sweep, seed 0, after 7 experiments: no more"):
        run(out=out, brought={**strategies, "sweep": breaks})
    kept = json.loads(out.read_text())
    assert not kept["complete"]
    assert [(t["strategy"], t["seed"]) for t in kept["traces"]] == [("sobol", 0)]

    with pytest.raises(UsageError, match="go on with resume"):
        run(out=out)
    asked = []

    def counting(history, n, seed, at):
        asked.append(len(history.finished))
        return strategies["sobol"](history, n, seed, at)

    document = run(out=out, resume=True, brought={**strategies, "sobol": counting})
    assert document["complete"]
    assert json.loads(out.read_text()) == json.loads(json.dumps(document))
    whole = run()
    assert [t["runs"] for t in document["traces"]] == [t["runs"] for t in whole["traces"]]
    n_rounds = 1 + 3  # the start, and three batches
    assert len(asked) == 2 * n_rounds + 3  # two seeds of sobol were missing; sweep's starts


def test_a_finished_file_is_written_anew_and_more_seeds_are_added(run, tmp_path):
    out = tmp_path / "out.json"
    run(out=out, n_seeds=1)
    run(out=out, n_seeds=1)
    document = run(out=out, n_seeds=2, resume=True)
    assert len(document["traces"]) == 4
    assert not list(tmp_path.glob(".*"))


def test_resume_refuses_other_options_and_other_files(run, tmp_path):
    out = tmp_path / "out.json"
    run(out=out, n_seeds=1)
    with pytest.raises(DataError, match="budget: 12 then, 13 now"):
        run(out=out, resume=True, budget=13)
    with pytest.raises(UsageError, match=r"^resume: expected out"):
        run(resume=True)
    out.write_text("[]")
    with pytest.raises(DataError, match="expected a benchmark's JSON results"):
        run(out=out, resume=True)
    out.write_text('{"kind": "replay"}')
    with pytest.raises(DataError, match="expected results of closed-loop"):
        run(out=out, resume=True)


def test_a_strategy_with_no_more_to_say_ends_early(run, strategies):
    def silent(history, n, seed, at):
        return type(strategies["sobol"](history, 1, 0, at))([], "silent")

    document = run(brought={**strategies, "sweep": silent})
    assert {len(t["runs"]) for t in document["traces"] if t["strategy"] == "sweep"} == {4}
    assert document["summary"]["strategies"]["sweep"]["final"] > 0


def test_a_target_among_the_objectives(run):
    document = run(objectives=("y:target:0.5:0.2", "z"))
    assert document["campaign"]["objectives"][0] == {
        "outcome": "y",
        "goal": "target",
        "target": 0.5,
        "tolerance": 0.2,
    }
    shares = [s["final"] for s in document["summary"]["strategies"].values()]
    assert 0 < max(shares) <= 1


def test_thresholds_out_of_reach_are_told(run):
    with pytest.raises(DataError, match="every strategy would score 0"):
        run(objectives=("y:max:5", "z"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"n_seeds": 0}, "^seeds: expected 1 or more, got 0"),
        ({"start": 0}, "^start: "),
        ({"batch": 0}, "^batch: "),
        ({"start": 101, "budget": 200}, "^start: expected 1 to 100, got 101"),
        ({"first_seed": -1}, "^first_seed: "),
        ({"start_by": "sorce"}, "Did you mean 'source'"),
        ({"reference": "gp"}, "^reference: expected one of the strategies compared"),
        ({"budget": 4}, "more experiments than the start's 4"),
        ({"strategies": ("sobl",)}, "Did you mean 'sobol'"),
        ({"objectives": ("q",)}, "unknown outcome 'q'"),
        ({"objectives": ("y:up",)}, "outcome:min or outcome:max"),
        ({"objectives": ("y:max:high",)}, "expected a number as threshold"),
        ({"objectives": ("y:target",)}, "expected the value to hit and its tolerance"),
        ({"objectives": ("y:target:1",)}, "expected the value to hit and its tolerance"),
        ({"objectives": ("y:target:1:wide",)}, "expected a number as threshold"),
        ({"objectives": ("y:target:1:0",)}, "expected a tolerance above 0"),
        ({"constraints": ("q >= 1",)}, "unknown outcome 'q'"),
    ],
)
def test_refuses_with_a_mend(run, change, told):
    with pytest.raises(UsageError, match=told):
        run(**change)


@pytest.mark.deep
def test_two_jobs_give_what_one_gives(tmp_path):
    """Work goes to other processes by name: here a strategy that needs no model."""
    config = ClosedLoopConfig(strategies=("sobol",), n_seeds=2, start=4, batch=4, budget=8)
    steps = []
    two = closed_loop(
        config, jobs=2, out=tmp_path / "two.json", progress=lambda *step: steps.append(step)
    )
    one = closed_loop(config, jobs=1)
    assert [t["runs"] for t in two["traces"]] == [t["runs"] for t in one["traces"]]
    assert len(steps) == 4


def test_a_failing_worker_stops_the_others():
    config = ClosedLoopConfig(strategies=("sobol",), n_seeds=2, start=4, batch=4, budget=8)
    with pytest.raises(TypeError, match="takes exactly one argument"):
        closed_loop(config, jobs=2, strategies={"sobol": len})


def test_one_objective_is_enough(run):
    document = run(objectives=("z",))
    assert document["traces"][0]["curve"][-1] > 0.5


def test_each_strategy_can_make_its_own_start(run, strategies):
    def empty_handed(history, n, seed, at):
        if not history.finished and not history.failed:
            return strategies["sweep"](history, n, seed, at)
        return strategies["sobol"](history, n, seed, at)

    brought = {"sobol": strategies["sobol"], "sweep": empty_handed}
    traces = by_task(run(brought=brought, start_by="source"))
    assert [r["conditions"]["x"] for r in traces["sweep", 0]["runs"][:4]] == [0.0, 0.1, 0.2, 0.3]
    same = by_task(run(brought=brought))
    assert same["sweep", 0]["runs"][:4] == same["sobol", 0]["runs"][:4]
    assert same["sobol", 0]["runs"][:4] == traces["sobol", 0]["runs"][:4]


def test_a_family_has_another_lab_each_seed_with_a_front_of_its_own():
    config = ClosedLoopConfig(("sobol",), n_seeds=2, start=4, batch=4, budget=8, lab="family")
    document = closed_loop(config)
    first, second = document["truth"]["hypervolumes"].values()
    assert first != second
    for trace in document["traces"]:
        assert 0 < trace["curve"][-1] <= 1
    one, other = (t["runs"][0] for t in document["traces"])
    assert one["outcomes"] != other["outcomes"]
