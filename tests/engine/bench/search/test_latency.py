from __future__ import annotations

import csv

import pytest
from botorch.acquisition.multi_objective import logei  # noqa: F401, loaded so that none compiles it

from engine.bench.search.latency import LatencyConfig, latency, virtual_runs, write_table
from engine.errors import ModelError, UsageError


def test_virtual_runs_are_finished_distinct_and_repeatable():
    campaign, runs = virtual_runs(40, seed=3)
    assert len(runs) == 40
    assert all(set(run.outcomes) == set(campaign.outcomes) for run in runs)
    assert len({tuple(run.conditions.items()) for run in runs}) == 40
    assert runs == virtual_runs(40, seed=3)[1]


def test_times_ours_and_the_peer_on_the_same_data(strategies):
    campaign, runs = virtual_runs(10, seed=0)
    seen = []

    def counting(history, n, seed, at):
        seen.append((history.n_finished, n, seed, dict(at)))
        return strategies["sobol"](history, n, seed, at)

    config = LatencyConfig(n=3, observations=10, repeats=2)
    stages = []
    document = latency(
        config,
        campaign,
        runs,
        ours=counting,
        peer=counting,
        process=lambda: 2.5,
        progress=lambda *step: stages.append(step),
    )
    assert len(set(map(str, seen))) == 1
    assert document["measured"][0]["strategy"] == "gp"
    assert {entry["strategy"] for entry in document["measured"][1:]} == {"ax"}
    assert all(len(entry["seconds"]) == 2 for entry in document["measured"])
    assert document["ratio"] > 0
    assert document["process_seconds"] == [2.5, 2.5]
    assert stages[0][:2] == ("gp, 1 thread", 0)
    assert stages[-1][1] + 1 == stages[-1][2]


def test_the_peers_threads_can_be_chosen(strategies):
    campaign, runs = virtual_runs(5, seed=0)
    config = LatencyConfig(n=2, peer_threads=(3, 1))
    fake = strategies["sobol"]
    document = latency(config, campaign, runs, ours=fake, peer=fake)
    assert [entry["threads"] for entry in document["measured"]] == [1, 3, 1]


def test_without_a_peer_there_is_no_ratio(strategies):
    campaign, runs = virtual_runs(5, seed=0)
    document = latency(LatencyConfig(n=2, peer=None), campaign, runs, ours=strategies["sobol"])
    assert document["ratio"] is None


def test_too_few_suggestions_are_no_timing(strategies):
    campaign, runs = virtual_runs(5, seed=0)

    def short(history, n, seed, at):
        return strategies["sobol"](history, n - 1, seed, at)

    with pytest.raises(ModelError, match="expected 3 suggestions"):
        latency(LatencyConfig(n=3, peer=None), campaign, runs, ours=short)


def test_the_table_is_one_that_the_program_reads(tmp_path):
    from engine.bench.search.replay import read_pool

    campaign, runs = virtual_runs(5, seed=0)
    path = tmp_path / "runs.csv"
    write_table(path, campaign, runs)
    with path.open(encoding="utf-8") as file:
        assert "collector_speed [rpm]" in next(csv.reader(file))
    again = read_pool(path, campaign)
    assert [run.conditions for run in again] == [dict(run.conditions) for run in runs]
    assert [run.outcomes for run in again] == [dict(run.outcomes) for run in runs]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"peer_threads": (0,)}, "^ax_threads: "),
        ({"n": 0}, "^n: "),
        ({"observations": 1}, "^observations: "),
        ({"repeats": 0}, "^repeats: "),
    ],
)
def test_refuses_with_a_mend(change, told):
    with pytest.raises(UsageError, match=told):
        LatencyConfig(**change)
