"""Looks at where a workspace is kept: can it be written, is there space, who may read it?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from db.urls import sqlite_path
from engine.doctor.findings import Finding, Level
from engine.workspace import Workspace
from surrogate.private_files import file_mode, folder_mode

LITTLE_SPACE = 1 << 30


def data_folder(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look whether the data folder can be written."""
    folder = workspace.data_dir
    place = folder
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK) or not _can_write(place):
        yield Finding(
            "data folder", Level.WRONG,
            f"{folder} cannot be written: make it writable (`chmod u+w`), or set data_dir in "
            "[storage] of config.toml",
        )  # fmt: skip
        return
    yield Finding("data folder", Level.FINE, str(folder))


def _can_write(folder: Path) -> bool:
    probe = folder / f".spinneret-doctor-{os.getpid()}"
    try:
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError:
        return False
    return True


def readers(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look who may read what is kept: files of earlier versions, or of before the setting."""
    if os.name == "nt":
        return
    is_shared = workspace.settings.storage.group_readable
    allowed = folder_mode(file_mode(group_readable=is_shared))
    places = [workspace.config_path, workspace.data_dir, sqlite_path(workspace.database.url)]
    present = [place for place in places if place is not None and place.exists()]
    if open_places := [str(place) for place in present if place.stat().st_mode & 0o077 & ~allowed]:
        yield Finding(
            "readers", Level.LOOK,
            f"others on this machine may read {', '.join(open_places)}: "
            f"`chmod -R {'g-w,o=' if is_shared else 'go='}` closes them",
        )  # fmt: skip


def disk(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look how much space is left."""
    place = workspace.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    text = f"{free / 1e9:.1f} GB free at {place}"
    if free < LITTLE_SPACE:
        yield Finding("disk", Level.LOOK, f"{text}: little; `engine models prune` frees some")
    else:
        yield Finding("disk", Level.FINE, text)
