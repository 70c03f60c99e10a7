"""A process killed at any moment leaves all of its work or nothing; two at once both succeed."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from db.schema import check
from engine.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ["flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400"]
N_ROWS = 300


def start(folder: Path, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "engine.cli.app", *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def counts(folder: Path) -> tuple[int, int, int]:
    """Return how many experiments, measurements and changes are recorded."""
    with Workspace.open(folder / "config.toml") as workspace, workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        n_experiments = len(tx.experiments.find(record.id))
        return n_experiments, tx.measurements.count(record.id), len(tx.changes(limit=1000))


def killed_after(process: subprocess.Popen[str], seconds: float) -> bool:
    """Kill the process after a while; return whether it had finished by itself."""
    try:
        process.communicate(timeout=seconds)
        return True
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return False


def spread(i: int, n: int, first: float, last: float) -> float:
    """Return the ``i``-th of ``n`` evenly spread moments."""
    return first + (last - first) * i / (n - 1)


def duration(process: subprocess.Popen[str]) -> float:
    begun = time.monotonic()
    _, err = process.communicate()
    assert process.returncode == 0, err
    return time.monotonic() - begun


@pytest.fixture
def table(folder: Path) -> Path:
    path = folder / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["ID", *(word.partition("=")[0] for word in SETTINGS)])
        writer.writerow(["warm-up", "0.4", "18", "18", "400"])
    return path


def rewrite(path: Path, prefix: str) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = [word.partition("=")[0] for word in SETTINGS]
        writer.writerow(["ID", *names, "elongation.longitudinal"])
        writer.writerows(
            [f"{prefix}{i}", "0.4", "18", "18", "400", str(50 + i % 50)] for i in range(N_ROWS)
        )


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
def test_an_import_killed_at_any_moment(folder, table, n_kills) -> None:
    usual = duration(start(folder, "import", table))
    before = counts(folder)
    for i in range(n_kills):
        rewrite(table, f"r{i}-")
        finished = killed_after(
            start(folder, "import", table), spread(i, n_kills, 0.3, 1.1) * usual
        )
        after = counts(folder)
        whole = (before[0] + N_ROWS, before[1] + N_ROWS, before[2] + 1)
        assert after in (before, whole)
        assert after == whole or not finished
        before = after
    assert check(f"sqlite:///{folder / 'spinneret.db'}") == []


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
def test_a_log_killed_at_any_moment(folder, n_kills) -> None:
    results = ["elongation.longitudinal=88", "elongation.transverse=70"]
    usual = duration(start(folder, "log", "--new", *SETTINGS, *results))
    before = counts(folder)
    for i in range(n_kills):
        process = start(folder, "log", "--new", *SETTINGS, *results, "--at", "humidity=61")
        finished = killed_after(process, spread(i, n_kills, 0.4, 1.1) * usual)
        after = counts(folder)
        whole = (before[0] + 1, before[1] + 2, before[2] + 1)
        assert after in (before, whole)
        assert after == whole or not finished
        before = after
    assert check(f"sqlite:///{folder / 'spinneret.db'}") == []


DIES_WHILE_WRITING = """
import os, signal, sys
from db.repository import Experiments, Measurements
owner = {"add": Experiments, "measure": Measurements, "status": Experiments}[sys.argv[1]]
name = {"add": "add", "measure": "add", "status": "set_status"}[sys.argv[1]]
original = getattr(owner, name)
def dying(*args, **kwargs):
    original(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, dying)
sys.argv[1:] = sys.argv[2:]
from engine.cli.app import main
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("add", ["import", "t.csv"]),
        ("add", ["log", "--new", *SETTINGS, "elongation.longitudinal=88"]),
        ("measure", ["log", "--new", *SETTINGS, "elongation.longitudinal=88"]),
        ("measure", ["log", "1", "elongation.longitudinal=88", "--at", "humidity=61"]),
        ("status", ["log", "1", "elongation.longitudinal=88", "--note", "x"]),
        ("status", ["log", "1", "--failed", "beads", "--note", "x"]),
    ],
)
def test_a_process_that_dies_between_two_rows(
    engine, folder, state, table, *, moment, words
) -> None:
    engine("log", "--new", *SETTINGS)
    assert table.is_file()
    before = state()
    done = subprocess.run(
        [sys.executable, "-c", DIES_WHILE_WRITING, moment, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert state() == before
    assert engine(*words).exit_code == 0


def test_several_logs_at_once_all_succeed(folder) -> None:
    processes = [
        start(folder, "log", "--new", *SETTINGS, f"elongation.longitudinal={80 + i}")
        for i in range(4)
    ]
    for process in processes:
        _, err = process.communicate()
        assert process.returncode == 0, err
    assert counts(folder)[:2] == (4, 4)


def test_two_logs_of_one_result_do_not_both_win(folder, engine) -> None:
    engine("log", "--new", *SETTINGS)
    processes = [start(folder, "log", 1, "elongation.longitudinal=88") for _ in range(2)]
    codes = []
    for process in processes:
        process.communicate()
        codes.append(process.returncode)
    assert sorted(codes) == [0, 1]
    assert counts(folder)[:2] == (1, 1)


@pytest.mark.deep
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
def test_an_init_killed_at_any_moment_can_be_run_again(tmp_path, n_kills) -> None:
    (tmp_path / "first").mkdir()
    usual = duration(start(tmp_path / "first", "init"))
    for i in range(n_kills):
        folder = tmp_path / f"{i}"
        folder.mkdir()
        finished = killed_after(start(folder, "init"), spread(i, n_kills, 0.4, 1.0) * usual)
        if not finished and not (folder / "spinneret.db").exists():
            duration(start(folder, "init"))
        assert counts(folder)[0] == 0
