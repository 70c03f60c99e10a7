"""The study of refreshes: toy sizes, the document and the table; and strategies that refresh."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from engine.bench.harness.labs import finished_runs, lab_of
from engine.bench.models import refresh as bench
from engine.bench.models.trainings import material_of
from engine.bench.refresh import app, print_refresh
from engine.bench.search import refreshing
from engine.bench.search.strategies import check_names
from engine.campaign.history import History
from engine.errors import UsageError


def test_poison() -> None:
    runs = [run for run, _ in finished_runs(lab_of("standard"), 6, 0)]
    outcome = lab_of("standard").campaign.objectives[0].outcome
    exchanged = bench.poisoned(runs, "labels shuffled", outcome, 0)
    assert [run.conditions for run in exchanged] == [run.conditions for run in runs]
    assert sorted(run.outcomes[outcome] for run in exchanged) == sorted(
        run.outcomes[outcome] for run in runs
    )
    wrong = bench.poisoned(runs, "unit error ×1000", outcome, 0)
    assert wrong[0].outcomes[outcome][0] == 1000 * runs[0].outcomes[outcome][0]
    assert bench.poisoned(runs, "none", outcome, 0) == runs


@pytest.mark.parametrize("number", [{"n_old": 3}, {"n_seeds": 0}, {"n_poisoned": 1}])
def test_numbers_that_make_no_benchmark(number: Mapping[str, int]) -> None:
    with pytest.raises(UsageError, match="expected"):
        bench.RefreshConfig(**number)  # type: ignore[arg-type]


def test_summary_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    from engine.bench.harness.tasks import Trace

    round_ = {
        "seconds": {"full": 10.0, "incremental": 1.5},
        "cpu_seconds": {"full": 4.0, "incremental": 0.6},
        "steps": {"full": 100, "incremental": 30},
        "r2": {name: {"r2": 0.8, "r2_noisy": 0.4} for name in bench.MODELS},
        "doubted": {poison: "×" in poison for poison in bench.POISONS},
    }
    traces = [Trace("refresh", seed, (), (round_,)) for seed in range(3)]
    found = bench.summarise(traces)
    assert found["ratio"]["mean"] == pytest.approx(0.15)
    assert found["doubted"] == {poison: 3 * ("×" in poison) for poison in bench.POISONS}
    document: dict[str, Any] = {
        "summary": found,
        "config": bench.RefreshConfig().conditions(),
        "environment": _environment(),
    }
    print_refresh(document, 1)
    shown = capsys.readouterr().out
    assert "not believed in 3 of 3" in shown
    assert "0.150" in shown


def _environment() -> Any:
    from engine.bench.harness.environment import environment

    return environment()


def test_doubts_only() -> None:
    config = bench.RefreshConfig(n_seeds=1, n_old=40, n_poisoned=16, doubts_only=True)
    document = bench.refresh(config)
    assert document["summary"]["doubted"]["unit error ×1000"] == 1
    assert set(document["summary"]) == {"n_seeds", "doubted"}
    print_refresh(document, 1)


def test_strategies_are_known(tmp_path: Path) -> None:
    assert check_names(["refresh:full", "gp"]) == ("refresh:full", "gp")
    with pytest.raises(UsageError, match="Did you mean 'refresh:full'"):
        check_names(["refresh:ful"])
    answer = CliRunner().invoke(app, ["--old", "2"])
    assert answer.exit_code == 2
    assert answer.stderr == "error: --old: expected 24 or more, got 2\n"
    refresher = refreshing.Refresher(refreshing.SCHEDULED, 0, tmp_path)
    runs = [run for run, _ in finished_runs(lab_of("standard"), 4, 0)]
    known = refresher.serve(History(lab_of("standard").campaign, tuple(runs)))
    assert known.identity.startswith("starter")  # too few results to train on
    assert refresher.n_trained == 0


def test_runs_become_what_a_training_reads() -> None:
    campaign = lab_of("standard").campaign
    runs = [run for run, _ in finished_runs(lab_of("standard"), 3, 0)]
    material = material_of(campaign, runs)
    assert [dict(one.replicates()) for one in material.experiments] == [
        dict(run.outcomes) for run in runs
    ]
    assert np.all([one.conditions == run.conditions for one, run in
                   zip(material.experiments, runs, strict=True)])  # fmt: skip
