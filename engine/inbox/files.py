"""Files of a folder, and which of them are whole: nobody has written to them for a while."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.inbox.names import is_finished_name


@dataclass(frozen=True)
class Stamp:
    """How a file stood at one look: bytes, time of the last change, which file it was."""

    n_bytes: int
    modified_ns: int
    inode: int


def stamp_of(path: Path) -> Stamp | None:
    """Return how a file stands, ``None`` if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class Looks:
    """What each look at the folder has seen of its files.

    A file is whole once it has stood unchanged, and not empty, for ``settle_s`` seconds between two
    looks: instruments write in pieces, and a copy over the network takes its time.
    """

    folder: Path
    settle_s: float
    n_waiting: int = 0
    """How many files the last look found that are not whole yet."""
    _seen: dict[Path, tuple[Stamp, float]] = field(default_factory=dict)

    def settled(self, now_s: float) -> list[tuple[Path, Stamp]]:
        """Look, and return the files that are whole, in the order of their names.

        Raises:
            OSError: the folder cannot be read.
        """
        seen: dict[Path, tuple[Stamp, float]] = {}
        files = []
        for path in files_below(self.folder):
            stamp = stamp_of(path)
            if stamp is None:
                continue
            former = self._seen.get(path)
            since = former[1] if former is not None and former[0] == stamp else now_s
            seen[path] = (stamp, since)
            if stamp.n_bytes and now_s - since >= self.settle_s:
                files.append((path, stamp))
        self._seen, self.n_waiting = seen, len(seen) - len(files)
        return sorted(files)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those in it; links are not followed.

    Raises:
        OSError: the folder cannot be read.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            if not is_finished_name(path):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from files_below(path)
            elif entry.is_file(follow_symlinks=False):
                yield path
