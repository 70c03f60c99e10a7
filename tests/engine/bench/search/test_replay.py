from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from engine.bench.search.replay import ReplayConfig, read_pool, replay
from engine.bench.search.smoothed_pool import smoothed_runs
from engine.campaign import Campaign
from engine.campaign.history import Run
from engine.errors import DataError, UsageError
from engine.lab.virtual import nanofibre_campaign

CONFIG = {
    "table": "rows.csv", "strategies": ("random", "best"), "n_seeds": 4, "start": 5,
    "batch": 3, "budget": 12, "read_at": 8,
}  # fmt: skip
ROOT = Path(__file__).resolve().parents[4]
TABLE = ROOT / os.environ.get("SPINNERET_DATA", "../shared/data") / "matmcl" / "nanofibre_200.csv"


@pytest.fixture
def run(table, pool_strategies):
    def go(runs=None, brought=None, **changes):
        campaign, rows = table
        config = ReplayConfig(**{**CONFIG, **changes})
        return replay(config, campaign, runs or rows, strategies=brought or pool_strategies)

    return go


def test_strategies_start_from_the_same_rows_and_never_repeat_one(run):
    traces = {(t["strategy"], t["seed"]): [r["row"] for r in t["runs"]] for t in run()["traces"]}
    assert traces["random", 0][:5] == traces["best", 0][:5] != traces["best", 1][:5]
    for rows in traces.values():
        assert len(set(rows)) == 12


def test_who_finds_the_best_row_first_wins(run):
    summary = run()["summary"]
    assert summary["baseline"] == "random"
    best = summary["strategies"]["best"]
    assert best["mean"][1] == pytest.approx(1.0)
    assert best["difference"] > 0
    assert summary["checkpoints"] == [5, 8, 11, 12]
    assert (summary["reference"], summary["read_at"]) == ("random", 8)
    assert best["reach"]["ratio"] < 1


def test_strategies_see_only_what_was_revealed(run, pool_strategies):
    def honest(history, pool, n, seed):
        assert {run.conditions["x"] for run in history.finished}.isdisjoint(p["x"] for p in pool)
        assert len(history.finished) + len(pool) == 30
        assert all(set(p) == {"x"} for p in pool)
        return pool_strategies["random"](history, pool, n, seed)

    run(brought={"random": honest, "best": honest})


def test_rows_without_an_objective_are_left_out(run, table):
    _, rows = table
    partial = [type(row)(row.conditions, {"y": row.outcomes["y"]}) for row in rows[:10]]
    assert run(runs=[*partial, *rows[10:]])["pool"]["runs"] == 20
    with pytest.raises(DataError, match="no completed run with y and z"):
        run(runs=partial)


def test_a_smoothed_truth_forgets_who_was_lucky(pool_strategies):
    """To know which values were lucky gains nothing in the smoothed score."""
    campaign = Campaign(
        name="noisy",
        parameters=({"name": "x", "low": 0, "high": 1},),
        properties=({"name": "y"},),
        objectives=({"outcome": "y", "goal": "maximize", "threshold": 0},),
    )
    x = np.linspace(0, 1, 40)
    luck = np.where(np.arange(40) % 10 == 3, 1.0, 0.0)
    values = 1 + x + luck + 0.05 * np.random.default_rng(0).standard_normal(40)
    runs = [Run({"x": float(a)}, {"y": (float(b),)}) for a, b in zip(x, values, strict=True)]
    smooth = np.array([run.outcomes["y"][0] for run in smoothed_runs(campaign, runs)])
    slope, level = np.polyfit(x, smooth, 1)
    assert (slope, level + slope / 2) == (pytest.approx(1, abs=0.3), pytest.approx(1.6, abs=0.1))
    assert np.abs(smooth - (level + slope * x)).max() < 0.3

    def lucky(history, pool, n, seed):
        return [i for i, p in enumerate(pool) if luck[int(np.argmin(np.abs(x - p["x"])))] > 0][:n]

    def steep(history, pool, n, seed):
        return [int(i) for i in np.argsort([-p["x"] for p in pool])[:n]]

    config = ReplayConfig(
        table="noisy", strategies=("lucky", "steep"), n_seeds=3, start=2, batch=2, budget=4,
        reference="lucky", smoothed=True,
    )  # fmt: skip
    document = replay(config, campaign, runs, strategies={"lucky": lucky, "steep": steep})
    measured, smoothed = (
        {name: part["summary"]["strategies"][name]["final"] for name in config.strategies}
        for part in (document, document["smoothed"])
    )
    assert measured["lucky"] > measured["steep"]
    assert smoothed["lucky"] < smoothed["steep"] == pytest.approx(1.0, abs=0.05)


def test_refuses_picks_that_are_none(run):
    with pytest.raises(DataError, match="expected 3 different indices"):
        run(brought={"random": lambda h, pool, n, s: [0] * n}, strategies=("random",))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"budget": 31}, "at most the table's 30 completed runs"),
        ({"strategies": ("bset",)}, "Did you mean 'best'"),
        ({"n_seeds": 0}, "^seeds: "),
        ({"read_at": 3}, "^read_at: expected at least the start's 5"),
        ({"reference": "gp"}, "^reference: "),
    ],
)
def test_refuses_with_a_mend(run, change, told):
    with pytest.raises(UsageError, match=told):
        run(**change)


def test_thresholds_out_of_reach_are_told(run):
    with pytest.raises(DataError, match="every strategy would score 0"):
        run(objectives=("y:max:2", "z"))


def test_an_objective_without_a_threshold_takes_a_quartile(run):
    objectives = run(objectives=("y:min", "z"))["campaign"]["objectives"]
    assert objectives[0]["threshold"] == pytest.approx(0.75, abs=0.02)
    assert objectives[1].get("threshold") == 0.0


def test_reads_a_table_with_the_campaigns_headings(tmp_path, table):
    campaign, _ = table
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["label", "x", "y", "z"], ["a", 0.5, 1, 2], ["b", 0.6, 1, ""]])
    runs = read_pool(path, campaign)
    assert [run.label for run in runs] == ["a", "b"]
    assert runs[0].outcomes == {"y": (1.0,), "z": (2.0,)}
    with pytest.raises(UsageError, match=r"^format: "):
        read_pool(path, campaign, table_format="excel")


@pytest.mark.skipif(not TABLE.is_file(), reason=f"no table at {TABLE}")
def test_reads_the_published_table():
    runs = read_pool(TABLE, nanofibre_campaign(), table_format="matmcl")
    assert len(runs) == 200
    assert all(len(run.outcomes) == 10 for run in runs)
