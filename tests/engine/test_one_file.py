"""The database's file alone: what it holds once a command or server has ended, however it did."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ("flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400")
# A command that has written, and goes on with something long.
SLOW = """
import os, signal, sys, time, typer
from engine.terminal.exits import OneLineGroup
from engine.workspace import Workspace

# A test run in the background hands on that interrupts are ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
app = typer.Typer(cls=OneLineGroup)

@app.command()
def wait() -> None:
    with Workspace.open() as workspace:
        with workspace.database.write("note") as tx:
            record, _ = workspace.active_campaign(tx)
            tx.campaigns.use(record.name)
        print("written", flush=True)
        time.sleep(60)

@app.callback()
def root() -> None: ...

app(["wait"])
"""


def rows_of_the_file_alone(folder: Path, target: Path) -> int:
    """Copy the file as somebody does who knows nothing of logs, and count what it tells."""
    target.mkdir()
    shutil.copy(folder / "spinneret.db", target)
    shutil.copy(folder / "config.toml", target)
    with Workspace.open(target / "config.toml") as workspace, workspace.database.read() as tx:
        return tx.watermark()


def written(folder: Path) -> int:
    with Workspace.open(folder / "config.toml") as workspace, workspace.database.read() as tx:
        return tx.watermark()


def test_a_command_brings_in_the_log_while_others_have_the_file_open(
    engine, workspace: Workspace, folder: Path, tmp_path: Path
) -> None:
    with workspace.database.read() as tx:  # this process has it open, and did not close it
        before = tx.watermark()
    engine("log", "--new", *SETTINGS, "elongation.longitudinal=88")
    assert rows_of_the_file_alone(folder, tmp_path / "copy") > before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_file_is_whole_after_a_signal(folder: Path, tmp_path: Path, number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    assert (folder / "spinneret.db-wal").stat().st_size > 0
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == (-signal.SIGTERM if number == signal.SIGTERM else 130)
    assert "stopped" in err
    assert "Traceback" not in err
    assert not (folder / "spinneret.db-wal").exists()
    assert rows_of_the_file_alone(folder, tmp_path / "copy") == written(folder) == 2


def test_doctor_and_check_see_what_a_killed_process_left(engine, folder: Path) -> None:
    for command in (("doctor", "--quick"), ("db", "check")):
        process = subprocess.Popen(
            [sys.executable, "-c", SLOW],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()
        process.communicate()
        answer = engine(*command)
        assert answer.exit_code == 0
        assert "spinneret.db-wal" in answer.out + answer.err
        assert "engine db backup" in answer.out + answer.err
        # Looking brought it in.
        assert "-wal" not in engine(*command).out
    assert engine("db", "check", "--json").json["log_bytes"] == 0


def test_a_backup_holds_what_lies_in_the_log(engine, folder: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    copy = Path(engine("db", "backup", tmp_path / "b.db", "--json").json["backup"])
    process.kill()
    process.communicate()
    (tmp_path / "moved").mkdir()
    copy.rename(tmp_path / "moved" / "spinneret.db")
    shutil.copy(folder / "config.toml", tmp_path / "moved")
    assert written(tmp_path / "moved") == 2
