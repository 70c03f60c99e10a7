from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from inbox_files import SETTINGS

from engine.experiments.entries import Entry
from engine.experiments.record import record_series
from engine.inbox.watching import Watcher
from engine.workspace import Workspace
from engine.workspace.init import initialise

LABELS = ("S", "S_1", "7", "Müller-1")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Yield a workspace with runs 1 to 4, the third of them labelled 7."""
    (tmp_path / "lab").mkdir()
    initialise(tmp_path / "lab" / "config.toml", template="nanofibre")
    with Workspace.open(tmp_path / "lab" / "config.toml") as opened:
        for place, label in enumerate(LABELS):
            conditions = {
                "flow_rate": 0.3, "concentration": 15 + place, "voltage": 15,
                "collector_speed": 500,
            }  # fmt: skip
            record_series(opened, [Entry(label=label, conditions=conditions, running=True)])
        yield opened


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def watcher(workspace: Workspace, inbox: Path) -> Watcher:
    return Watcher(workspace, inbox, SETTINGS)
