"""Artifacts: folders below the data folder, named after the hash of their content.

A folder is filled aside, brought to the disk and renamed; only then does a row of the database name
it. A killed process leaves at most a folder that nothing refers to (`engine doctor --fix`). The row
holds the SHA-256 of every file, so that a file that was altered or removed later is noticed before
it serves.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from db.records import ModelKind, ModelVersionRecord
from engine.errors import DataError

FOLDER = "models"
"""Below the data folder."""

FILES = "files"
"""The key of a version's ``config`` under which the hash of every file stands."""

_ASIDE = ".new-"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Disk:
    """What the registry does to the disk. Tests bring one that fails."""

    def make_aside(self, home: Path) -> Path:
        """Return a new, empty, hidden folder in ``home``, which is made if need be."""
        home.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=home, prefix=_ASIDE))

    def flush(self, path: Path) -> None:
        """Bring a file or a folder's names to the disk (where the system can)."""
        if os.name == "nt":
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, aside: Path, place: Path) -> None:
        """Put a whole folder in its place."""
        aside.rename(place)


@dataclass(frozen=True)
class Kept:
    """A folder in its place; ``is_new``: it was not there before.

    ``artifact``: relative to the data folder. ``files``: SHA-256 by relative path. ``digest``: of
    all of them together.
    """

    folder: Path
    artifact: str
    files: Mapping[str, str]
    digest: str
    is_new: bool


def keep(
    data_dir: Path, kind: ModelKind, fill: Callable[[Path], None], *, disk: Disk | None = None
) -> Kept:
    """Fill a folder aside and put it in its place below the data folder.

    Args:
        data_dir: the data folder.
        kind: what the model is for; the first word of the folder's name.
        fill: writes the files into the folder that it is given.
        disk: what is done to the disk.

    Raises:
        DataError: the disk is full, or the data folder cannot be written; nothing was kept.
    """
    disk = disk or Disk()
    home = data_dir / FOLDER
    aside: Path | None = None
    try:
        aside = disk.make_aside(home)
        fill(aside)
        files = hashes(aside)
        digest = tree_digest(files)
        folder = home / f"{kind}-{digest[:12]}"
        is_new = not folder.exists()
        if not is_new and hashes(folder) != files:  # damaged meanwhile: the new one is sound
            shutil.rmtree(folder)
            is_new = True
        if is_new:
            aside.chmod(0o755)
            for name in files:
                disk.flush(aside / name)
            disk.flush(aside)
            disk.rename(aside, folder)
            disk.flush(home)
    except OSError as error:
        raise unwritable(home, error) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    return Kept(folder, folder.relative_to(data_dir).as_posix(), files, digest, is_new)


def unwritable(home: Path, error: OSError) -> DataError:
    """Return the error for a data folder that cannot be written, with what mends it."""
    if error.errno in _FULL:
        why, mend = "the disk is full", "free some space (`engine models prune` removes old models)"
    else:
        why = error.strerror or str(error)
        mend = "make the data folder writable, or set data_dir in [storage] of config.toml"
    return DataError(f"{home} cannot be written: {why}. Nothing was kept, what served before goes "
                     f"on serving; {mend}.")  # fmt: skip


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def file_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def tree_digest(files: Mapping[str, str]) -> str:
    """Return one SHA-256 for all files of a folder."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def problems(data_dir: Path, version: ModelVersionRecord) -> list[str]:
    """Return what is wrong with a version's files, in words; nothing if they are as recorded."""
    folder = data_dir / version.artifact_path
    if version.is_pruned:
        return [f"model {version.id}: its files were pruned"]
    if not folder.is_dir():
        return [f"model {version.id}: {folder} is not there"]
    expected = (version.config or {}).get(FILES)
    if expected is None:  # recorded before every file's hash was
        is_surrogate = version.kind is ModelKind.SURROGATE
        expected = {"model.safetensors": version.sha256} if is_surrogate else {}
    found = []
    for name, digest in expected.items():
        path = folder / name
        try:
            actual = file_sha256(path)
        except OSError as error:
            found.append(f"model {version.id}: {path} cannot be read: {error.strerror or error}")
            continue
        if actual != digest:
            found.append(
                f"model {version.id}: {path} was altered: expected SHA-256 {digest[:12]}…, got "
                f"{actual[:12]}…"
            )
    return found
