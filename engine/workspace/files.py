"""Files of a workspace: which names can be recorded, and writing one whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import DataError, StateError, place
from surrogate.files import whole_file, write_whole


def refuse_broken_name(path: Path) -> None:
    """Refuse a file whose name could not be recorded.

    Raises:
        DataError: its name is no UTF-8.
    """
    # Python stands surrogates in for bytes that are no UTF-8 (PEP 383); no database stores those.
    # https://peps.python.org/pep-0383/
    if any("\ud800" <= letter <= "\udfff" for letter in str(path)):
        printable = str(path).encode(errors="replace").decode()
        raise DataError(f"{place(printable)}: the file's name is no UTF-8; rename it")


def write_aside(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Write a file whole or not at all; ``mode`` is that of :func:`surrogate.files.whole_file`.

    Raises:
        StateError: its folder cannot be written.
    """
    with _refusals_of(path):
        write_whole(path, content, mode=mode)


def write_parts_aside(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file part by part, whole or not at all.

    Raises:
        StateError: its folder cannot be written.
    """
    with _refusals_of(path), whole_file(path) as draft, draft.open("wb") as file:
        file.writelines(parts)


@contextmanager
def _refusals_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not os.access(path.parent, os.W_OK | os.X_OK):
            folder = place(path.resolve().parent)
            raise StateError(f"the folder {folder} cannot be written: {error.strerror}") from error
        raise StateError(f"{place(path)} cannot be written: {error.strerror}") from error
