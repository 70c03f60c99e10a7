"""Artifacts: folders below the data folder, named after the hash of their content.

A draft of a folder is filled, brought to the disk and renamed; only then does a row of the database
name it. A killed process leaves at most a folder that nothing refers to (`engine doctor --fix`).
The row holds the SHA-256 of every file, so that a file that was altered or removed later is noticed
before it serves.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from db.records import ModelKind, ModelVersionRecord
from engine.errors import DataError, by_voice, place
from surrogate.files import draft_of, place_folder
from surrogate.private_files import make_folder

FOLDER = "models"
"""Below the data folder."""

FILES = "files"
"""The key of a version's ``config`` under which the hash of every file stands."""

# Full disk, quota used up, larger than the file system takes: to people one and the same.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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


def keep(data_dir: Path, kind: ModelKind, fill: Callable[[Path], None]) -> Kept:
    """Fill a draft of a folder and put it in its place below the data folder.

    Args:
        data_dir: the data folder.
        kind: what the model is for; the first word of the folder's name.
        fill: writes the files into the folder that it is given.

    Raises:
        DataError: the disk is full, or the data folder cannot be written; nothing was kept.
    """
    home = data_dir / FOLDER
    draft = draft_of(home / kind)
    try:
        make_folder(draft)
        fill(draft)
        files = hashes(draft)
        digest = tree_digest(files)
        # 48 bits are enough to tell the models of one database apart.
        folder = home / f"{kind}-{digest[:12]}"
        is_new = not folder.exists()
        if not is_new and hashes(folder) != files:  # damaged meanwhile: the new one is sound
            shutil.rmtree(folder)
            is_new = True
        if is_new:
            place_folder(draft, folder)
    except OSError as error:
        raise unwritable(home, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Kept(folder, folder.relative_to(data_dir).as_posix(), files, digest, is_new)


def unwritable(home: Path, error: OSError) -> DataError:
    """Return the error for a data folder that cannot be written, with what mends it."""
    if error.errno in _FULL:
        reason = "the disk is full"
        mend = "free some space" + by_voice(" (`engine models prune` removes old models)", "")
    else:
        reason = error.strerror or str(error)
        mend = "make the data folder writable, or set data_dir in [storage] of config.toml"
    return DataError(
        f"{place(home)} cannot be written: {reason}. Nothing was kept, what served before goes on "
        f"serving; {mend}."
    )


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
    # As `sha256sum` prints them, so that it can be checked without this program.
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def problems(data_dir: Path, version: ModelVersionRecord) -> list[str]:
    """Return what is wrong with a version's files, in words; nothing if they are as recorded."""
    folder = data_dir / version.artifact_path
    if version.is_pruned:
        return [f"model {version.id}: its files were pruned"]
    if not folder.is_dir():
        return [f"model {version.id}: {place(folder)} is not there"]
    expected = (version.config or {}).get(FILES)
    if expected is None:  # recorded before every file's hash was
        is_surrogate = version.kind is ModelKind.SURROGATE
        expected = {"model.safetensors": version.sha256} if is_surrogate else {}
    findings = []
    for name, digest in expected.items():
        path = folder / name
        try:
            actual = file_sha256(path)
        except OSError as error:
            findings.append(
                f"model {version.id}: {place(path)} cannot be read: {error.strerror or error}"
            )
            continue
        if actual != digest:
            findings.append(
                f"model {version.id}: {place(path)} was altered: expected SHA-256 "
                f"{digest[:12]}…, got {actual[:12]}…"
            )
    return findings
