import json
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from db.records import Origin, Status
from engine.cli.app import app
from engine.demo import Audience, DemoConfig, Played, new_folder, play, remove_unfinished
from engine.errors import UsageError
from engine.workspace import Workspace

TINY = {"SPINNERET_PROPOSE__MC_SAMPLES": "8", "SPINNERET_PROPOSE__RAW_SAMPLES": "16"}


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, told: list[str]) -> Played:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in TINY.items():
            patch.setenv(name, value)
        audience = Audience(
            step=told.append,
            begun=lambda campaign, score: told.append(f"begun {campaign.name} {score.n_runs}"),
            round=lambda _campaign, played: told.append(f"played {played.number}"),
        )
        config = DemoConfig(rounds=2, n=2, history=12, seed=3, curves=True)
        return play(tmp_path_factory.mktemp("demo") / "new", config, audience)


def test_the_records_are_those_of_a_real_campaign(played: Played) -> None:
    with (
        Workspace.open(played.folder / "config.toml") as workspace,
        workspace.database.read() as tx,
    ):
        record, campaign = workspace.active_campaign(tx)
        experiments = tx.experiments.find(record.id)
        batches = tx.batches.all_of(record.id)
        curves = tx.curves.find(record.id)
    assert len(experiments) == 12 + 2 * 2
    assert len(batches) == 2
    assert not any(experiment.status.is_pending for experiment in experiments)
    proposed = [e for e in experiments if e.origin is Origin.PROPOSAL]
    assert len(proposed) == 4
    for experiment in proposed:
        assert set(experiment.conditions) == {p.name for p in campaign.parameters}
        if experiment.status is Status.COMPLETED:
            assert set(experiment.replicates()) == set(campaign.outcomes)
            assert len(experiment.micrographs) == 1
    assert not list(played.folder.glob("run-*"))
    results = {tried.experiment_id: tried.result for each in played.rounds for tried in each.tried}
    assert curves
    for curve in curves:
        read = {v["outcome"]: v["recorded"] for v in curve.fit.results["values"]}
        drawn = results[curve.experiment_id].outcomes
        assert read == pytest.approx({name: drawn[name] for name in read}, rel=0.011)


def test_the_score_grows_and_never_passes_the_true_front(played: Played) -> None:
    scores = [played.start, *(each.score for each in played.rounds)]
    assert [score.n_runs for score in scores] == [12, 14, 16]
    won = [score.true for score in scores]
    assert won == sorted(won)
    assert all(0 <= score.fraction <= 1 + 1e-9 for score in scores)
    assert scores[0].front > 0


def test_it_ends_with_a_report(played: Played) -> None:
    assert played.report.is_file()
    assert "nanofibre" in played.report.read_text(encoding="utf-8")


def test_the_audience_is_told_every_step(played: Played, told: list[str]) -> None:
    steps = [word for word in told if not word.startswith(("begun", "played"))]
    assert len(steps) == DemoConfig(rounds=2, n=2, history=12).n_steps
    assert "begun nanofibre 12" in told
    assert told.index("played 1") < told.index("played 2")
    assert len(played.rounds) == 2


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("mine")
    answer = CliRunner().invoke(app, ["demo", "--folder", str(tmp_path)])
    assert answer.exit_code == 2
    assert "expected a new or empty folder" in answer.output
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


@pytest.mark.parametrize("word", ["--rounds", "--n", "--history"])
def test_sizes_that_cannot_be_are_refused(word: str, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    answer = CliRunner().invoke(app, ["demo", "--folder", str(folder), word, "0"])
    assert answer.exit_code == 2
    assert f"{word}: expected 1 to" in answer.output
    assert not folder.exists()
    with pytest.raises(UsageError):
        DemoConfig(rounds=0)


def test_a_new_folder_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    noon = datetime(2026, 3, 1, 12)
    first = new_folder(noon)
    first.mkdir(parents=True)
    second = new_folder(noon)
    assert first == Path("demo/2026-03-01-120000")
    assert second == Path("demo/2026-03-01-120000-2")
    remove_unfinished(first)
    assert not Path("demo").exists()


def test_a_stopped_demo_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def stop(folder: Path, *_: object) -> None:
        folder.mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.demo.play", stop)
    answer = CliRunner().invoke(app, ["demo"])
    assert answer.exit_code == 130
    assert list(tmp_path.iterdir()) == []
    CliRunner().invoke(app, ["demo", "--keep"])
    assert len(list((tmp_path / "demo").iterdir())) == 1


def test_json_is_one_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TINY.items():
        monkeypatch.setenv(name, value)
    words = ["demo", "--folder", str(tmp_path / "new"), "--json"]
    answer = CliRunner().invoke(app, [*words, "--rounds", "1", "--n", "1", "--history", "3"])
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    assert Path(document["report"]).is_file()
    (round_,) = document["rounds"]
    assert set(round_["runs"][0]) >= {"experiment", "conditions", "expected", "measured", "failure"}
    assert "Round 1" in answer.stderr
