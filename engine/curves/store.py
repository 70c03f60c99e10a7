"""Testers' files in the data folder: ``curves/<aa>/<sha256>.<ext>``, each content once."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataError, NotFoundError, place
from engine.workspace.files import refuse_broken_name
from surrogate.files import write_whole
from surrogate.private_files import make_folder

FOLDER = "curves"
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


@dataclass(frozen=True)
class StoredCurveFile:
    """A tester's file as it lies in the data folder; ``path`` is relative to that folder."""

    sha256: str
    path: str
    original_name: str
    n_bytes: int


def read_source(source: Path, max_bytes: int) -> bytes:
    """Return the content of a file that a person names.

    Raises:
        NotFoundError: no such file.
        DataError: a folder, too large, or a name that cannot be recorded.
    """
    if not source.exists():
        raise NotFoundError(f"{place(source)}: no such file")
    if not source.is_file():
        raise DataError(f"{place(source)}: expected a tester's file, got a folder or device")
    refuse_broken_name(source)
    if source.stat().st_size > max_bytes:
        raise DataError(f"{place(source)}: expected at most {max_bytes >> 20} MB")
    try:
        return source.read_bytes()
    except OSError as error:
        raise DataError(f"{place(source)} cannot be read: {error.strerror or error}") from error


def store_curve_file(name: str, content: bytes, data_dir: Path) -> StoredCurveFile:
    """Write a file's content into the data folder, unless it is there already.

    Raises:
        DataError: the data folder cannot be written.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    suffix = Path(name).suffix.casefold()
    suffix = suffix if _SUFFIX.fullmatch(suffix) else ".dat"
    folder = data_dir / FOLDER / sha256[:2]
    try:
        make_folder(folder)
        # One file for one content, whatever it was called.
        path = next(folder.glob(f"{sha256}.*"), folder / f"{sha256}{suffix}")
        if not path.is_file() or path.stat().st_size != len(content):
            write_whole(path, content)
    except OSError as error:
        raise DataError(
            f"{name} cannot be kept in {place(folder)}: {error.strerror or error}"
        ) from error
    return StoredCurveFile(sha256, path.relative_to(data_dir).as_posix(), name, len(content))
