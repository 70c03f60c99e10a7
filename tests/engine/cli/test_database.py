"""``engine db``: what is printed, where, and with which exit code."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from db.revisions import HEAD
from db.schema import create
from engine.cli.app import app

COMMANDS = ("path", "upgrade", "check", "backup")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working directory with a configuration that names mats.db."""
    (tmp_path / "config.toml").write_text('[database]\nurl = "sqlite:///mats.db"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPINNERET_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def file(folder: Path) -> Path:
    """Return the database in ``folder``."""
    create(f"sqlite:///{folder / 'mats.db'}")
    return folder / "mats.db"


def engine(*words: str) -> Result:
    return CliRunner().invoke(app, ["db", *words])


def test_path(folder: Path) -> None:
    assert engine("path").stdout == f"{folder / 'mats.db'}\n"
    document = json.loads(engine("path", "--json").stdout)
    assert document == {"database": str(folder / "mats.db"), "exists": False}
    assert not (folder / "mats.db").exists()


def test_path_counts_from_the_configuration(
    folder: Path,
    file: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    shown = json.loads(engine("path", "--json", "--config", str(folder / "config.toml")).stdout)
    assert shown == {"database": str(file), "exists": True}


def test_a_password_is_not_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPINNERET_DATABASE__URL", "postgresql+psycopg://lab:secret@host/mats")
    result = engine("path", "--json")
    assert "secret" not in result.stdout
    assert json.loads(result.stdout)["exists"] is None


def test_upgrade_with_nothing_to_do(file: Path) -> None:
    assert f"is at revision {HEAD} already" in engine("upgrade").stdout
    shown = json.loads(engine("upgrade", "--json").stdout)
    assert shown == {"database": str(file), "from": HEAD, "to": HEAD}


def test_check_of_a_sound_one(file: Path) -> None:
    assert engine("check").stdout == f"{file} is sound (revision {HEAD}).\n"
    shown = json.loads(engine("check", "--json").stdout)
    assert shown == {"database": str(file), "sound": True, "findings": [], "log_bytes": 0}


def test_check_of_a_broken_one(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE proposals")
    result = engine("check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "a missing table: proposals" in result.stderr
    result = engine("check", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["findings"] == ["a missing table: proposals"]


def test_backup(folder: Path, file: Path) -> None:
    assert f"{file} was copied to copy.db." in engine("backup", "copy.db").stdout
    shown = json.loads(engine("backup", "--json").stdout)
    copy = Path(shown["backup"])
    assert (copy.parent, shown["n_bytes"]) == (folder, copy.stat().st_size)
    refused = engine("backup", "copy.db")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "overwrites nothing" in refused.stderr


@pytest.mark.parametrize("command", COMMANDS[1:])
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_missing_database(folder: Path, command: str, as_json: list[str]) -> None:
    result = engine(command, *as_json)
    assert result.exit_code == 1
    if as_json:
        assert json.loads(result.stdout)["detail"].startswith("expected a database at ")
    else:
        assert result.stdout == ""
    assert result.stderr.startswith("error: expected a database at ")
    assert "engine init" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["config.toml"]


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_something_else_than_a_database(folder: Path, command: str) -> None:
    (folder / "mats.db").write_text("voltage,strength\n18,4\n" * 100)
    result = engine(command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is not a database" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPINNERET_CONFIG", raising=False)
    result = engine(command)
    assert result.exit_code == 2
    assert "expected a configuration at config.toml" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    shown = engine(command, "--help").stdout
    assert "--json" in shown
    assert "--config" in shown
