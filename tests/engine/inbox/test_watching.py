"""Files in a folder: whole ones are registered once, others are listed, nothing is guessed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from inbox_files import SETTINGS, draw
from tensile_files import Made, bluehill_en

from engine.errors import NotFoundError, StateError, UsageError
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.inbox.files import Looks
from engine.inbox.watching import LEASE, Watcher, watched_folder
from engine.jobs.scheduler import Scheduler
from engine.workspace import Workspace
from engine.workspace.leases import held
from engine.workspace.settings import WatchSettings


def pictures(workspace: Workspace) -> dict[str, int]:
    """Return the registered pictures: name → run."""
    with workspace.database.read() as tx:
        runs = tx.experiments.find(workspace.active_campaign(tx)[0].id)
        return {m.original_name: run.id for run in runs for m in run.micrographs}


def test_a_picture_goes_to_its_run_once(watcher: Watcher, workspace: Workspace) -> None:
    draw(watcher.folder / "2_1.png", 1)
    draw(watcher.folder / "Mu\u0308ller-1_12.png", 2)  # as a Mac spells it
    outcomes = watcher.look()
    assert [o.registered.runs for o in outcomes if o.registered] == [(2,), (4,)]
    assert pictures(workspace) == {"2_1.png": 2, "Mu\u0308ller-1_12.png": 4}
    assert watcher.look() == []
    again = Watcher(workspace, watcher.folder, SETTINGS)
    assert [o.registered.is_new for o in again.look() if o.registered] == [False, False]
    assert len(pictures(workspace)) == 2
    with workspace.database.read() as tx:
        assert tx.experiments.get(2).micrographs[0].statistics is not None


def test_what_belongs_nowhere_or_to_two_is_listed_and_not_guessed(
    watcher: Watcher, workspace: Workspace
) -> None:
    for seed, name in enumerate(("S_1.png", "99_1.png", "notes.docx", "table.csv", "broken_1.png")):
        draw(watcher.folder / "x.png", seed).rename(watcher.folder / name)
    (watcher.folder / "1_1.png").write_bytes(b"no picture at all")
    watcher.look()
    problems = {o.path.name: str(o.problem) for o in watcher.unmatched}
    assert problems.keys() == {
        "S_1.png", "99_1.png", "notes.docx", "table.csv", "broken_1.png", "1_1.png"
    }  # fmt: skip
    assert "runs 1 · label S and 2 · label S_1" in problems["S_1.png"]
    assert "99" in problems["99_1.png"]
    assert "expected a picture" in problems["notes.docx"]
    assert pictures(workspace) == {}


def test_a_run_that_comes_later_gets_its_picture(watcher: Watcher, workspace: Workspace) -> None:
    draw(watcher.folder / "late_1.png", 3)
    assert [o.is_unmatched for o in watcher.look()] == [True]
    assert watcher.look() == []
    conditions = {"flow_rate": 0.3, "concentration": 25, "voltage": 15, "collector_speed": 500}
    run = record(workspace, Entry(label="late", conditions=conditions, running=True))
    assert [o.registered.runs for o in watcher.look() if o.registered] == [(run.experiment.id,)]
    assert watcher.unmatched == []


def test_the_same_picture_under_two_names_is_one(watcher: Watcher, workspace: Workspace) -> None:
    draw(watcher.folder / "2_1.png", 1)
    shutil.copy(watcher.folder / "2_1.png", watcher.folder / "4_1.png")
    watcher.look()
    assert pictures(workspace) == {"2_1.png": 2}


def test_a_picture_that_was_taken_off_its_run_does_not_come_back(
    watcher: Watcher, workspace: Workspace
) -> None:
    draw(watcher.folder / "2_1.png", 1)
    watcher.look()
    with workspace.database.read() as tx:
        (picture,) = tx.experiments.get(2).micrographs
    record(workspace, Entry("2", removed=(picture.id,), note="another mat"))
    assert pictures(workspace) == {}
    (outcome,) = Watcher(workspace, watcher.folder, SETTINGS).look()
    assert outcome.registered is not None
    assert not outcome.registered.is_new
    assert pictures(workspace) == {}


def test_a_file_is_whole_when_nobody_writes_to_it_any_more(tmp_path: Path) -> None:
    looks = Looks(tmp_path, settle_s=2)
    path = tmp_path / "a.tif"
    path.write_bytes(b"")
    assert looks.settled(0) == []
    assert looks.settled(10) == [], "an empty file is none yet"
    path.write_bytes(b"half")
    assert looks.settled(11) == []
    path.write_bytes(b"half and more")
    assert looks.settled(12.5) == []
    assert looks.n_waiting == 1
    assert [name for name, _ in looks.settled(14.6)] == [path]
    path.unlink()
    assert looks.settled(15) == []
    (tmp_path / "b.tif.part").write_bytes(b"x")
    assert looks.settled(16) == looks.settled(99) == []


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    draw(tmp_path / "away" / "2_1.png", 1)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "2_2.png").symlink_to(tmp_path / "away" / "2_1.png")
    (tmp_path / "in" / "more").symlink_to(tmp_path / "away")
    looks = Looks(tmp_path / "in", settle_s=0)
    assert looks.settled(0) == looks.settled(1) == []


def test_a_worksheet_is_logged_once_whatever_is_corrected_later(
    watcher: Watcher, workspace: Workspace
) -> None:
    table = "experiment,elongation.longitudinal\n2,88\n4,91\n"
    (watcher.folder / "Worksheet 3.csv").write_text(table, encoding="utf-8")
    (outcome,) = watcher.look()
    assert outcome.registered is not None
    assert outcome.registered.runs == (2, 4)
    record(workspace, Entry("2", results={"elongation.longitudinal": 80.0}, correct=True))
    (outcome,) = Watcher(workspace, watcher.folder, SETTINGS).look()
    assert outcome.registered is not None
    assert not outcome.registered.is_new
    with workspace.database.read() as tx:
        assert tx.experiments.get(2).replicates() == {"elongation.longitudinal": (80.0,)}


def test_a_worksheet_that_brings_nothing_new_is_not_held_against_later_corrections(
    watcher: Watcher, workspace: Workspace
) -> None:
    record(workspace, Entry("2", results={"elongation.longitudinal": 88.0}))
    table = "experiment,elongation.longitudinal\n2,88\n"
    (watcher.folder / "worksheet.csv").write_text(table, encoding="utf-8")
    watcher.look()
    record(workspace, Entry("2", results={"elongation.longitudinal": 80.0}, correct=True))
    (outcome,) = Watcher(workspace, watcher.folder, SETTINGS).look()
    assert outcome.problem is None
    with workspace.database.read() as tx:
        assert tx.experiments.get(2).replicates() == {"elongation.longitudinal": (80.0,)}


def test_a_curve_goes_to_its_run_once(watcher: Watcher, workspace: Workspace) -> None:
    for name in ("2_curve_longitudinal.csv", "Müller-1_tensile_transverse_1.csv", "4_curve.csv"):
        strength = 20.0 + len(name)
        content = bluehill_en([Made(yield_mpa=strength)])
        (watcher.folder / name).write_bytes(content)
    outcomes = {o.path.name: o for o in watcher.look()}
    assert "direction" in str(outcomes["4_curve.csv"].problem)
    with workspace.database.read() as tx:
        campaign = workspace.active_campaign(tx)[0]
        runs = {curve.experiment_id for curve in tx.curves.find(campaign.id)}
        values = tx.experiments.get(2).replicates()
    assert runs == {2, 4}
    assert "fracture_strength.longitudinal" in values
    again = Watcher(workspace, watcher.folder, SETTINGS).look()
    assert [o.registered.is_new for o in again if o.registered] == [False, False]
    with workspace.database.read() as tx:
        assert tx.experiments.get(2).replicates() == values


def test_a_worksheet_that_cannot_be_taken_is_listed_and_nothing_of_it_recorded(
    watcher: Watcher, workspace: Workspace
) -> None:
    table = "experiment,elongation.longitudinal\n2,88\n77,91\n"
    (watcher.folder / "results.csv").write_text(table, encoding="utf-8")
    watcher.look()
    assert "77" in str(watcher.unmatched[0].problem)
    with workspace.database.read() as tx:
        assert tx.experiments.get(2).replicates() == {}
    (watcher.folder / "results.csv").write_text(table.replace("77", "4"), encoding="utf-8")
    assert [o.registered is not None for o in watcher.look()] == [True]


def test_folders_that_cannot_be_watched(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such folder"):
        Watcher(workspace, tmp_path / "nowhere", SETTINGS)
    with pytest.raises(UsageError, match="data folder"):
        Watcher(workspace, tmp_path, SETTINGS)
    with pytest.raises(UsageError, match="expected a folder to watch"):
        watched_folder(workspace)


def test_the_scheduler_watches_the_folder_of_the_configuration(
    workspace: Workspace, inbox: Path
) -> None:
    draw(inbox / "2_1.png", 1)
    watch = WatchSettings(folder="../inbox", settle_s=0)
    settings = workspace.settings.model_copy(update={"watch": watch})
    scheduler = Scheduler(replace(workspace, settings=settings), look_s=0.05)
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    try:
        until = time.monotonic() + 30
        while not pictures(workspace) and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        scheduler.stop()
        thread.join()
    assert pictures(workspace) == {"2_1.png": 2}


def test_one_watch_at_a_time(watcher: Watcher, workspace: Workspace) -> None:
    with held(workspace.database, LEASE), pytest.raises(StateError):
        next(watcher.run(lambda: True))
    looks = watcher.run(lambda: True, look_s=0.05)
    assert next(looks) == []
    assert list(looks) == []


def engine_watch(config: Path, folder: Path, *words: str) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[3]
    return subprocess.Popen(
        [sys.executable, "-m", "engine.cli.app", "watch", str(folder), "--config", str(config),
         "--settle", "0.3", *words],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_files_in_pieces_from_two_writers_while_the_process_is_killed(
    workspace: Workspace, inbox: Path, tmp_path: Path
) -> None:
    # WATCHED_FILES=200 WATCH_KILLS=10 for the long form.
    n_files = int(os.environ.get("WATCHED_FILES", "12"))
    n_kills = int(os.environ.get("WATCH_KILLS", "3"))
    sources = [draw(tmp_path / f"{n}.png", n) for n in range(n_files)]

    def write(numbers: range) -> None:
        for n in numbers:
            content = sources[n].read_bytes()
            with (inbox / f"{(1, 2, 4)[n % 3]}_{n}.png").open("wb") as file:
                for start in range(0, len(content), 1500):
                    file.write(content[start : start + 1500])
                    file.flush()
                    time.sleep(0.02)

    writers = [threading.Thread(target=write, args=(range(k, n_files, 2),)) for k in (0, 1)]
    for writer in writers:
        writer.start()
    for _ in range(n_kills):
        process = engine_watch(workspace.config_path, inbox)
        process.stderr.readline()  # it says that it watches
        time.sleep(0.4)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    for writer in writers:
        writer.join()
    last = engine_watch(workspace.config_path, inbox, "--once")
    output, errors = last.communicate(timeout=60)
    assert last.returncode == 0, errors
    assert "0 left aside, 0 still being written" in output
    assert len(pictures(workspace)) == n_files
    assert pictures(workspace) == {p.name: int(p.name[0]) for p in inbox.iterdir()}
