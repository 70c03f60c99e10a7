"""Files and folders that appear whole or not at all: drafted beside their place, synced, renamed.

The only code that puts files in their place; ``generator`` and ``engine`` use it, and ``db`` is
handed the draft's path by them. Each draft bears process, thread and a count in its name, so that
any number of writers of one place may work at once: each writes a draft of its own, and the last
rename wins, whole.
"""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from surrogate.private_files import mode_at, protect, touch

WINDOWS = os.name == "nt"
_DRAFT = ".draft-"
_FORMER_DRAFT = ".new-"  # how 0.1.0 called the drafts of databases
# A draft is written in minutes at most.
_STALE_AFTER_S = 3600.0
_COUNT = itertools.count()
# SQLite keeps these beside a database that is being written.
_COMPANIONS = ("-wal", "-shm", "-journal")


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk (where the system can)."""
    if WINDOWS and path.is_dir():  # Windows opens no folders
        return
    # Windows flushes only what is open for writing.
    descriptor = os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def draft_of(path: Path) -> Path:
    """Return the path of a new draft beside ``path``, which no other thread or process uses."""
    # Process numbers come again after a restart, thread numbers within a process, the count with
    # neither.
    writer = f"{os.getpid()}-{threading.get_native_id()}-{next(_COUNT)}"
    # Beside its place, as a rename is atomic within one file system only. The suffix is kept: NumPy
    # and Pillow go by it.
    return path.with_name(f".{path.name}{_DRAFT}{writer}{path.suffix}")


@contextmanager
def whole_file(path: Path, *, overwrite: bool = True, mode: int | None = None) -> Iterator[Path]:
    """Give a draft's path to write to; at the end put it in place, unless anything was raised.

    Args:
        path: where the file is to be. Its folder must be there.
        overwrite: take the place of a file that is there; else one that came meanwhile stays.
        mode: its permissions; ``None``: those of its place (:mod:`surrogate.private_files`).

    Raises:
        FileExistsError: ``overwrite`` is off and something is at ``path``; it was not touched.
        OSError: the draft cannot be written, synced or renamed; nothing is left behind.

    >>> path = Path("runs.csv")
    >>> with whole_file(path) as draft:
    ...     characters = draft.write_text("id,voltage")
    ...     path.exists()
    False
    >>> path.read_text()
    'id,voltage'
    >>> path.unlink()
    """
    draft = draft_of(path)
    mode = mode_at(path) if mode is None else mode
    try:
        touch(draft, mode)
        yield draft
        protect(draft, mode)  # again: the draft may be a copy that brought its own
        # Before the rename: else a power cut may leave the new name with none of the content.
        # https://lwn.net/Articles/457667/
        sync(draft)
        if overwrite:
            draft.replace(path)
        else:
            _put_in_empty_place(draft, path)
        # A rename is a change of the folder, and lasts once that is on the disk.
        sync(path.parent)
    finally:
        for companion in ("", *_COMPANIONS):
            draft.with_name(draft.name + companion).unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str, *, mode: int | None = None) -> None:
    """Write a file whole; text becomes UTF-8. ``mode`` is that of :func:`whole_file`.

    Raises:
        OSError: as of :func:`whole_file`.
    """
    with whole_file(path, mode=mode) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty draft of a folder to fill; at the end sync its files and put it in
    place.

    Raises:
        OSError: something is at ``path`` (an empty folder apart), or the disk refuses; no draft is
        left.
    """
    draft = draft_of(path)
    draft.mkdir()
    protect(draft, at=path)
    try:
        yield draft
        place_folder(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def place_folder(draft: Path, path: Path) -> None:
    """Sync a draft's files and put it in its place, where its name is known only when it is full.

    Raises:
        OSError: as of :func:`whole_folder`; the draft is left to the caller.
    """
    protect(draft, at=path)
    for inner in sorted(draft.rglob("*")):
        sync(inner)
    sync(draft)
    draft.rename(path)
    sync(path.parent)


def sweep_drafts(
    folder: Path, *, of: str | None = None, older_than_s: float = _STALE_AFTER_S
) -> list[Path]:
    """Remove drafts that killed processes left in ``folder``; return what was removed.

    Args:
        folder: where to look.
        of: only drafts of the file or folder of this name (all, if ``None``).
        older_than_s: leave younger ones, which may still be written.
    """
    swept = []
    name = "*" if of is None else escape(of)
    for draft in (
        path for mark in (_DRAFT, _FORMER_DRAFT) for path in folder.glob(f".{name}{mark}*")
    ):
        try:
            if time.time() - draft.stat().st_mtime <= older_than_s:
                continue
            if draft.is_dir():
                shutil.rmtree(draft)
            else:
                draft.unlink()
        # Another process sweeps as well, or the draft was just put in its place.
        except FileNotFoundError:
            continue
        swept.append(draft)
    return swept


def _put_in_empty_place(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)  # unlike a rename, it replaces nothing
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if path.exists():
            raise FileExistsError(path) from None
        draft.rename(path)
