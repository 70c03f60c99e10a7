"""`engine refresh`: from new results to what serves, or to a reason why not."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from db.records import ModelKind, ModelStatus, RefreshOutcome
from engine.errors import DataError, StateError
from engine.experiments.learning_set import history_from_records
from engine.propose.forecaster import Forecaster
from engine.refresh import gate
from engine.refresh.plan import plan
from engine.refresh.rebuild import rebuild
from engine.refresh.request import RefreshRequest
from engine.refresh.run import refresh, state_folder
from engine.registry.files import hashes
from engine.registry.versions import list_models, rollback
from engine.sources.knowledge import knowledge_of
from engine.sources.serving_surrogate import STARTER, serving_folder
from engine.workspace import Workspace
from engine.workspace.leases import TRAINING, held

Engine = Callable[..., Any]
AnyCall = Callable[..., Any]
OUTCOMES = ("fracture_strength.longitudinal", "elongation.longitudinal")
QUICK = RefreshRequest(steps=2)


@pytest.fixture
def folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let chance decide nothing: two steps of training change next to nothing."""
    monkeypatch.setenv("SPINNERET_REFRESH__TOLERANCE", "0.5")
    return folder


@pytest.fixture(autouse=True)
def few_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge by one block of recipes, unless the judgement is what the test is of: it fits most."""
    if request.cls is not TestTheWholeWay:
        monkeypatch.setattr(gate, "BLOCKS", 1)


def champion_id(workspace: Workspace) -> int | None:
    with workspace.database.read() as tx:
        found = tx.models.champion(1, ModelKind.SURROGATE)
    return None if found is None else found.id


def runs_of(workspace: Workspace) -> list[tuple[str, RefreshOutcome]]:
    with workspace.database.read() as tx:
        return [(run.trigger, run.outcome) for run in tx.refreshes.find(1)]


def predictions(workspace: Workspace) -> np.ndarray[Any, Any]:
    with workspace.database.read() as tx:
        record_, campaign = workspace.active_campaign(tx)
        history = history_from_records(campaign, tx.experiments.find(record_.id)[:40])
        folder = serving_folder(workspace, tx, record_.id)
    assert folder is not None
    forecaster = Forecaster.fit(
        history, workspace.settings.propose, outcomes=OUTCOMES,
        knowledge=knowledge_of(campaign, folder),
    )  # fmt: skip
    X = np.random.default_rng(0).uniform(size=(5, forecaster.space.d))
    return np.stack(forecaster.moments(X))


class TestTheWholeWay:
    def test_full_then_incremental_then_back(
        self, filled: Workspace, lab_runs: AnyCall, record: AnyCall
    ) -> None:
        first = refresh(filled, QUICK)
        assert (first.outcome, first.mode) == (RefreshOutcome.PROMOTED, "full"), first.reason
        before = predictions(filled)
        record(filled, lab_runs(8, seed=1))
        second = refresh(filled, QUICK)
        assert (second.outcome, second.mode) == (RefreshOutcome.PROMOTED, "incremental")
        assert second.former_id == first.model_id
        newest, _ = list_models(filled)
        assert newest.version.parent_id == first.model_id
        assert newest.version.config is not None
        assert newest.version.config["refresh"]["settings"]["steps"] == 2
        assert newest.version.seed == 0
        assert newest.version.metrics["own_curves"] == 0
        assert newest.version.versions is not None
        assert "torch" in newest.version.versions
        assert newest.refresh is not None
        assert newest.refresh.id == second.refresh_id
        gate = newest.version.metrics["gate"]
        assert set(gate["against"]) == {"champion", "plain"}
        assert gate["n_recipes"] >= 4
        done = rollback(filled)
        assert (done.now_id, done.former_id) == (first.model_id, second.model_id)
        assert np.array_equal(predictions(filled), before)
        assert rollback(filled).now_id is None
        with filled.database.read() as tx:
            assert serving_folder(filled, tx, 1) == STARTER
        with pytest.raises(StateError, match="nothing to roll back"):
            rollback(filled)

    def test_a_candidate_that_loses_does_not_serve(
        self, filled: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        honest = gate.paired

        def worse(one: gate.Scores, other: gate.Scores) -> dict[str, Any]:
            return {**honest(one, other), "d_r2": -0.7, "se_r2": 0.1}

        monkeypatch.setattr(gate, "paired", worse)
        done = refresh(filled, QUICK)
        assert done.outcome is RefreshOutcome.REJECTED
        assert "it is worse on" in done.reason
        assert champion_id(filled) is None
        (entry,) = list_models(filled)
        assert entry.version.status is ModelStatus.REJECTED
        again = plan(filled, QUICK)
        assert not again.is_due  # not made again from the same results
        assert again.n_results == 0

    def test_too_few_to_judge_by(
        self, workspace: Workspace, lab_runs: AnyCall, record: AnyCall
    ) -> None:
        record(workspace, lab_runs(10))
        assert plan(workspace, QUICK).problem is not None
        with pytest.raises(StateError, match="log more"):
            refresh(workspace, QUICK)
        assert runs_of(workspace) == []


class TestRebuilding:
    def test_the_same_weights_and_files(
        self, filled: Workspace, lab_runs: AnyCall, record: AnyCall
    ) -> None:
        request = RefreshRequest(steps=12)
        first = refresh(filled, request)
        record(filled, lab_runs(8, seed=1))
        second = refresh(filled, request)
        assert first.model_id and second.model_id and second.artifact  # noqa: PT018
        record(filled, lab_runs(8, seed=2))  # nothing of it was known then
        folder = filled.data_dir / second.artifact
        before = hashes(folder)
        shutil.rmtree(folder)
        done = rebuild(filled, second.model_id)
        assert (done.is_same, done.restored, done.differences) == (True, True, ())
        assert hashes(folder) == before
        assert rebuild(filled, first.model_id).is_same
        assert first.artifact is not None
        shutil.rmtree(filled.data_dir / first.artifact)
        with pytest.raises(DataError, match="Rebuild that one first") as refused:
            rebuild(filled, second.model_id)
        assert f"engine models rebuild {first.model_id}" in refused.value.worded("cli")


class TestPoison:
    @pytest.mark.matrix(1)
    @pytest.mark.parametrize("poison", ["labels", "units"])
    def test_is_not_promoted(
        self,
        workspace: Workspace,
        poison: str,
        lab_runs: AnyCall,
        record: AnyCall,
        shuffled: AnyCall,
        scaled: AnyCall,
    ) -> None:
        runs = lab_runs(100)
        record(workspace, runs[:80])
        first = refresh(workspace, QUICK)
        assert first.outcome is RefreshOutcome.PROMOTED
        bad = shuffled(runs[80:]) if poison == "labels" else scaled(runs[80:], 1000.0)
        ids = record(workspace, bad)
        done = refresh(workspace, QUICK)
        assert done.outcome is RefreshOutcome.REJECTED
        assert "not believed" in done.reason
        assert champion_id(workspace) == first.model_id
        told = done.report["suspicion"]
        assert set(told["suspects"]) <= set(ids)
        if poison == "units":
            assert "1000 times" in done.reason
            assert len(told["suspects"]) == 20

    def test_one_odd_result_is_left_out(
        self, filled: Workspace, lab_runs: AnyCall, record: AnyCall, scaled: AnyCall
    ) -> None:
        refresh(filled, QUICK)
        runs = lab_runs(9, seed=3)
        ids = record(filled, [*runs[:8], *scaled(runs[8:], 1000.0)])
        done = refresh(filled, QUICK)
        assert done.outcome is RefreshOutcome.PROMOTED
        assert f"experiment {ids[-1]}" in done.notes[0]
        newest = list_models(filled)[0].version
        assert newest.config is not None
        assert newest.config["refresh"]["left_out"] == [ids[-1]]


class TestWholeOrNotAtAll:
    def test_one_at_a_time(self, filled: Workspace) -> None:
        with held(filled.database, TRAINING), pytest.raises(StateError, match="at it already"):
            refresh(filled, QUICK)
        assert runs_of(filled) == []

    def test_stopped_and_taken_up_again(self, filled: Workspace) -> None:
        asked: list[int] = []

        def tell(
            stage: str,
            completed: int = 0,
            total: int = 0,
            numbers: Mapping[str, float] | None = None,
        ) -> None:
            if stage == "training" and completed >= 10:
                asked.append(completed)

        request = RefreshRequest(steps=20)
        done = refresh(filled, request, tell, lambda: bool(asked))
        assert done.outcome is RefreshOutcome.INTERRUPTED
        state = state_folder(filled, 1, ModelKind.SURROGATE)
        assert any(state.iterdir())
        assert champion_id(filled) is None
        steps: list[int] = []
        whole = refresh(filled, request, lambda stage, n=0, *_: steps.append(n)
                        if stage == "training" else None)  # fmt: skip
        assert whole.outcome is RefreshOutcome.PROMOTED
        assert min(steps) > 10
        assert not state.exists()

    def test_what_died_is_closed(self, filled: Workspace) -> None:
        from engine.workspace.leases import now

        with filled.database.write("refresh") as tx:
            tx.refreshes.start(1, kind=ModelKind.SURROGATE, trigger="cron", watermark=1, at=now())
        refresh(filled, QUICK)
        assert runs_of(filled) == [
            ("by hand", RefreshOutcome.PROMOTED), ("cron", RefreshOutcome.INTERRUPTED)
        ]  # fmt: skip

    def test_a_full_disk_is_told_and_the_champion_serves(
        self,
        filled: Workspace,
        lab_runs: AnyCall,
        record: AnyCall,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        first = refresh(filled, QUICK)
        record(filled, lab_runs(8, seed=1))

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("engine.registry.files.place_folder", full)
        with pytest.raises(DataError, match="the disk is full"):
            refresh(filled, QUICK)
        monkeypatch.undo()
        assert champion_id(filled) == first.model_id
        assert runs_of(filled)[0] == ("by hand", RefreshOutcome.FAILED)
        assert len(list_models(filled)) == 1

    def test_one_taken_for_dead_records_nothing(self, filled: Workspace) -> None:
        def tell(
            stage: str,
            completed: int = 0,
            total: int = 0,
            numbers: Mapping[str, float] | None = None,
        ) -> None:
            if stage == "judging" and completed == 0:
                with filled.database.write("lease") as tx:
                    found = tx.leases.get(TRAINING)
                    assert found is not None
                    tx.leases.take_over(
                        found, holder="other", owner="elsewhere/1/1", ttl_s=30.0,
                        at=found.heartbeat_at,
                    )  # fmt: skip

        with pytest.raises(StateError, match="taken over"):
            refresh(filled, QUICK, tell)
        assert list_models(filled) == []
        home = filled.data_dir / "models"
        assert [one.name for one in home.iterdir() if not one.name.startswith(".refresh-")] == []


class TestCommand:
    @pytest.mark.parametrize(("step_s", "code"), [(0.05, 0), (60.0, 143)])
    def test_sigterm_ends_it_in_time(self, step_s: float, code: int) -> None:
        script = (
            "import os, signal, time\n"
            "from engine.cli.refresh import stopped_by_sigterm\n"
            "with stopped_by_sigterm(grace_s=0.5) as should_stop:\n"
            "    os.kill(os.getpid(), signal.SIGTERM)\n"
            f"    while not should_stop(): time.sleep(0.01)\n"
            f"    time.sleep({step_s})\n"
        )
        root = Path(__file__).resolve().parents[3]
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=root, capture_output=True, text=True,
            timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == code
        assert ("what was trained is kept" in done.stderr) == (code != 0)

    def test_dry_run_and_json(
        self, engine: Engine, folder: Path, lab_runs: AnyCall, record: AnyCall
    ) -> None:
        with Workspace.open(folder / "config.toml") as workspace:
            record(workspace, lab_runs(60))
        told = engine("refresh", "--dry-run")
        assert told.exit_code == 0
        assert "due: min_new_results: 60 runs" in told.out
        assert "would train in full from the starter" in told.out
        assert engine("refresh", "--dry-run", "--json").json["mode"] == "full"
        done = engine("refresh", "--steps", "2", "--json")
        assert done.exit_code == 0, done.err
        assert done.json["outcome"] == "promoted"
        assert "not due" in engine("refresh", "--due").out
        listed = engine("models", "list", "--json").json["items"]
        assert [(one["model"], one["status"]) for one in listed] == [(1, "champion")]
        assert "served from" in engine("models", "show", "1").out
        compared = engine("models", "compare", "1", "--json").json
        assert set(compared["r2"]) == {"model 1", "starter", "plain"}
        assert "model 1" in engine("models", "compare", "1").out
        assert "starter serves" in engine("models", "rollback").out
        assert "model 1 serves" in engine("models", "promote", "1").out
        again = engine("models", "promote", "1")
        assert (again.exit_code, "champion already" in again.err) == (1, True)
        assert engine("models", "show", "9").exit_code == 1
        assert engine("models", "list", "--kind", "oracle").exit_code == 2
        assert "removed: none" in engine("models", "prune").out

    def test_that_it_is_due_is_told_once(
        self, engine: Engine, folder: Path, lab_runs: AnyCall, record: AnyCall
    ) -> None:
        words = ("flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400")
        with Workspace.open(folder / "config.toml") as workspace:
            record(workspace, lab_runs(7))
        answer = engine("log", "--new", *words, "elongation.longitudinal=80")
        assert "a refresh is due (min_new_results: 8 runs" in answer.err
        again = engine("log", "--new", *words, "elongation.longitudinal=81")
        assert again.exit_code == 0
        assert "is due" not in again.err
        as_json = engine("log", "--new", *words, "elongation.longitudinal=82", "--json")
        assert as_json.json["refresh_due"] != []
