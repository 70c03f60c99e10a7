"""The suite: tables as they were published, strategies side by side, one chart."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.bench.search import baybe_loop
from engine.bench.search.finished_tables import (
    MATMCL,
    TABLES,
    FinishedTable,
    read_definitions,
    read_finished,
    tables_named,
)
from engine.bench.search.plain_loop import choose_by_botorch
from engine.bench.search.strategies import PEERS
from engine.bench.search.suite import SuiteConfig, mean_over_tables, score_after, suite
from engine.campaign.history import History
from engine.errors import DataError, NotFoundError, UsageError

ROOT = Path(__file__).resolve().parents[4]
DATA = ROOT / os.environ.get("SPINNERET_DATA", "../shared/data")
INKS = FinishedTable(file="inks.csv", inputs=("share", "dye"), maximize=("colour",))


@pytest.fixture
def baybe() -> Iterator[None]:
    """Skip where BayBE is not installed.

    Each of its modules collects garbage once it is loaded: a minute where much is loaded already,
    unless that is set aside.
    """
    gc.freeze()
    try:
        pytest.importorskip("baybe", reason="the extra 'peers' is not installed")
        yield
    finally:
        gc.unfreeze()


@pytest.fixture
def inks(tmp_path: Path) -> Path:
    rows = ["share,dye,colour"]
    for i in range(24):
        dye = "red" if i % 2 else "blue"
        rows += [f"{i / 23:.4f},{dye},{(i / 23) * (1.5 if i % 2 else 1.0) + noise:.4f}"
                 for noise in (-0.01, 0.01)]  # fmt: skip
    (tmp_path / "inks.csv").write_text("\n".join([*rows, "0.5,red,n.d.", ",red,1.0"]) + "\n")
    return tmp_path


def test_rows_of_equal_settings_are_replicates_and_gaps_are_left_out(inks: Path) -> None:
    campaign, runs = read_finished(inks, "inks", INKS)
    assert len(runs) == 24
    assert {len(run.outcomes["outcome_1"]) for run in runs} == {2}
    assert campaign.parameters[0].bounds == (0.0, 1.0)
    assert campaign.parameters[1].choices == ("blue", "red")
    means = [np.mean(run.outcomes["outcome_1"]) for run in runs]
    assert np.mean(np.array(means) > campaign.objectives[0].threshold) == pytest.approx(0.75)


def test_what_is_missing_is_named(inks: Path) -> None:
    with pytest.raises(DataError, match="expected the columns hue"):
        read_finished(inks, "inks", INKS.model_copy(update={"maximize": ("hue",)}))
    with pytest.raises(NotFoundError, match="found no such file"):
        read_finished(inks, "inks", INKS.model_copy(update={"file": "gone.csv"}))
    with pytest.raises(UsageError, match="Did you mean 'agnp'"):
        tables_named(["agnb"])


def test_tables_of_ones_own_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[tables.inks]\nfile = "inks.csv"\ninputs = ["share", "dye"]\nmaximize = ["colour"]\n'
    )
    custom = read_definitions(path)
    assert tables_named(["inks"], custom) == {"inks": INKS}
    assert tables_named([]) == dict(TABLES)
    path.write_text('[tables.inks]\nfile = "inks.csv"\ninput = ["share"]\n')
    with pytest.raises(DataError, match="input"):
        read_definitions(path)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the published tables are not at {DATA}")
def test_the_plain_loop_chooses_the_same_whatever_was_drawn_before() -> None:
    # On this table every third fit of BoTorch's begins anew somewhere else.
    campaign, runs = read_finished(DATA, "perovskite", TABLES["perovskite"])
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(runs))
        history = History(campaign, tuple(runs[row] for row in order[:25]))
        pool = [runs[row].conditions for row in order[25:]]
        torch.manual_seed(1)
        rows = choose_by_botorch(history, pool, 3, seed=7)
        state = torch.get_rng_state()
        torch.manual_seed(2)
        assert choose_by_botorch(history, pool, 3, seed=7) == rows
        torch.manual_seed(1)
        assert torch.equal(torch.get_rng_state(), state)


def test_even_rows_are_where_few_others_are(inks: Path) -> None:
    """Nine rows in ten crowd at one end: most rows at random lie there, few of the even ones."""
    campaign, runs = read_finished(inks, "inks", INKS)
    history = History(campaign, tuple(runs[:4]))
    crowd = [{"input_1": 0.9 + place / 1000, "input_2": "red"} for place in range(90)]
    pool = [*crowd, *({"input_1": place / 10, "input_2": "red"} for place in range(10))]
    even = [row for seed in range(20) for row in PEERS["even"](history, pool, 5, seed)]
    assert np.mean(np.array(even) >= 90) > 0.7
    assert len(set(PEERS["even"](history, pool, 100, 0))) == 100


@pytest.mark.parametrize("name", [name for name in PEERS if name != "even"])
def test_peers_choose_what_is_best_by_far(
    inks: Path, name: str, request: pytest.FixtureRequest
) -> None:
    if name == "baybe":
        request.getfixturevalue("baybe")
    campaign, runs = read_finished(inks, "inks", INKS)
    history = History(campaign, tuple(runs[::3]))
    pool = [run.conditions for run in runs if run not in history.finished]
    rows = PEERS[name](history, pool, 2, 0)
    assert len(set(rows)) == 2
    assert pool[rows[0]]["input_2"] == "red"
    assert float(pool[rows[0]]["input_1"]) > 0.7
    if name == "baybe" and not request.config.getoption("every_case"):
        return  # many seconds
    np.random.seed(5)
    state = np.random.get_state()[1].tolist()
    assert PEERS[name](history, pool, 2, 0) == rows
    assert np.random.get_state()[1].tolist() == state


@pytest.mark.usefixtures("baybe")
def test_two_objectives_and_other_goals_reach_baybe(inks: Path) -> None:
    table = INKS.model_copy(update={"maximize": (), "minimize": ("colour", "share")})
    campaign, runs = read_finished(inks, "inks", table)
    history = History(campaign, tuple(runs[3:9]))
    pool = [run.conditions for run in runs if run not in history.finished]
    chosen = [pool[row] for row in PEERS["baybe"](history, pool, 2, 0)]
    assert min(float(conditions["input_1"]) for conditions in chosen) < 0.2


def test_a_peer_that_is_not_installed_is_told(inks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign, runs = read_finished(inks, "inks", INKS)
    monkeypatch.setattr(baybe_loop, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'spinneret\[peers\]'"):
        PEERS["baybe"](History(campaign, tuple(runs[:6])), [runs[7].conditions], 1, 0)


def test_strategies_stand_side_by_side(inks: Path, tmp_path: Path) -> None:
    config = SuiteConfig(("random", "botorch"), n_seeds=2, start=6, batch=7, budget=20)
    out = tmp_path / "results"
    out.mkdir()
    document = suite(config, inks, {"inks": INKS}, out=out)
    summary = document["tables"]["inks"]
    assert score_after(summary, "botorch", 20) == document["mean"]["botorch"]["20"] > 0.9
    assert score_after(summary, "botorch", 30) is None
    assert summary["strategies"]["botorch"]["mean"][0] == summary["strategies"]["random"]["mean"][0]
    assert json.loads((out / "inks.json").read_text())["config"]["table"] == "inks"

    from engine.bench.harness.plots import plot_suite

    plot_suite(document, tmp_path / "suite.png")
    assert (tmp_path / "suite.png").stat().st_size > 1000


def test_a_mean_is_over_the_tables_that_go_so_far() -> None:
    summaries = {
        "short": {"checkpoints": [10, 20], "strategies": {"gp": {"mean": [0.1, 0.2]}}},
        "long": {"checkpoints": [10, 20, 30], "strategies": {"gp": {"mean": [0.3, 0.4, 0.9]}}},
    }
    assert mean_over_tables(summaries, ["gp"], [20, 30, 40]) == {
        "gp": {"20": pytest.approx(0.3), "30": 0.9}
    }


def test_a_reference_that_does_not_run_is_refused() -> None:
    with pytest.raises(UsageError, match="reference: expected one of random, gp"):
        SuiteConfig(("random", "gp"))


@pytest.mark.parametrize("name", TABLES)
def test_every_published_table_is_read(name: str) -> None:
    table = TABLES[name]
    if not (DATA / table.file).is_file():
        pytest.skip(f"{table.file} is not beside the project")
    campaign, runs = read_finished(DATA, name, table)
    assert len(runs) >= 70
    assert campaign.objectives
    assert name == MATMCL or all(run.outcomes for run in runs)
