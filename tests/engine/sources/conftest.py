"""Another workspace to learn from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.workspace import Workspace


@pytest.fixture
def other(initialised: Path, tmp_path: Path, fill: Callable[[Workspace, int], None]) -> Path:
    """Return another workspace's folder with twelve runs."""
    made = tmp_path / "other"
    shutil.copytree(initialised, made)
    with Workspace.open(made / "config.toml") as workspace:
        fill(workspace, 12)
    return made
