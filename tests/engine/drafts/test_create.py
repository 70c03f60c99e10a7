"""``engine init --from``: made and filled, or nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from db.records import Status
from engine.drafts.config_text import config_text
from engine.drafts.create import create_from_table
from engine.drafts.wishes import Wishes, read_wish
from engine.errors import ImportRefusedError, StateError
from engine.workspace import Workspace
from engine.workspace.settings import parse_campaign

TABLE = "Voltage (kV),distance [cm],humidity,strength [MPa],stable\n" + "".join(
    f"{12 + 2 * (i % 4)},{10 + 5 * (i % 3)},{40 + i},{5 + 1.3 * i:.2f},yes\n" for i in range(12)
)


@pytest.fixture
def results(tmp_path) -> Path:
    path = tmp_path / "my results.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_the_command_makes_and_fills_a_campaign(
    tmp_path, monkeypatch, bare_engine, results
) -> None:
    monkeypatch.chdir(tmp_path)
    dry = bare_engine("init", "--from", results, "--dry-run")
    assert (dry.exit_code, sorted(p.name for p in tmp_path.iterdir())) == (0, ["my results.csv"])
    assert "12 experiments would be added" in dry.out
    answer = bare_engine(
        "init", "--from", results, "--objective", "strength:max:6", "--name", "inks", "--json"
    )
    assert answer.exit_code == 0, answer.err
    assert answer.json["import"]["added"] == 12
    assert answer.json["definition"]["objectives"][0]["threshold"] == 6.0
    text = (tmp_path / "config.toml").read_text(encoding="utf-8")
    assert "# 'Voltage (kV)': 4 values from 12 to 18" in text
    with Workspace.open(tmp_path / "config.toml") as workspace, workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        assert campaign.name == "inks"
        assert tx.experiments.count(record.id)[Status.COMPLETED] == 12
    again = bare_engine("init", "--from", results)
    assert (again.exit_code, "exists" in again.err) == (1, True)
    # The file is what it was drafted from: a second import changes nothing.
    assert bare_engine("import", results, "--json").json["unchanged"] == 12


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--objective", "strength:max"], "--objective: is for --from"),
        (["--from", "x.csv", "--template", "blank"], "contradicts --from"),
        (["--from", "missing.csv"], "no such file"),
    ],
)
def test_options_that_do_not_fit(tmp_path, monkeypatch, bare_engine, words, problem) -> None:
    monkeypatch.chdir(tmp_path)
    answer = bare_engine("init", *words)
    assert answer.exit_code in (1, 2)
    assert problem in answer.err
    assert not list(tmp_path.iterdir())


def test_a_table_that_cannot_be_taken_leaves_nothing_behind(tmp_path, results) -> None:
    results.write_text(TABLE + "12,10,50,strong,yes\n", encoding="utf-8")
    with pytest.raises(ImportRefusedError, match="finite number"):
        create_from_table(tmp_path / "config.toml", results)
    assert [path.name for path in tmp_path.iterdir()] == ["my results.csv"]


def test_a_configuration_that_is_there_is_not_replaced(tmp_path, results) -> None:
    (tmp_path / "config.toml").write_text("[propose]\nn = 3\n", encoding="utf-8")
    with pytest.raises(StateError, match="exists"):
        create_from_table(tmp_path / "config.toml", results)
    created = create_from_table(tmp_path / "config.toml", results, force=True)
    assert created.initialised is not None
    assert created.initialised.kept_config is not None


def test_the_configuration_is_the_definition(tmp_path, results) -> None:
    wishes = Wishes((read_wish("strength:20±2"),), name='a "b"'.replace('"', "_"))
    created = create_from_table(tmp_path / "config.toml", results, wishes, dry_run=True)
    content = tomllib.loads(config_text(created.draft, "x.csv"))
    assert parse_campaign(content["campaign"], "x") == created.campaign


def test_runs_without_success_have_failed(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "x,was_formation_stable,strength\n" + "1,True,5\n2,True,6\n3,False,\n4,True,7\n" * 3,
        encoding="utf-8",
    )
    created = create_from_table(tmp_path / "config.toml", path)
    assert created.imported.n_added == 12
    with Workspace.open(tmp_path / "config.toml") as workspace, workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        counts = tx.experiments.count(record.id)
    assert (counts[Status.COMPLETED], counts[Status.FAILED]) == (9, 3)
