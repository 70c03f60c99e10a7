"""What a caller may give in more than one form, as one form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from db.records import Status
from engine.errors import UsageError
from engine.workspace.lookup import ID

Folder = str | Path


def paths_of(files: Folder | Sequence[Folder]) -> tuple[Path, ...]:
    """Return one file or several as paths."""
    return tuple(map(Path, [files] if isinstance(files, str | Path) else files))


def run_word(experiment: int | str) -> str:
    """Return a number as the run's id for sure, a text as what may be id or label.

    >>> run_word(7), run_word("M7")
    ('id:7', 'M7')
    """
    return experiment if isinstance(experiment, str) else f"{ID}{experiment}"


def statuses_of(words: str | Sequence[str] | None) -> list[Status] | None:
    """Return one status or several by name; ``None`` stands for all.

    Raises:
        UsageError: no status is called so.
    """
    if words is None:
        return None
    return [_status(word) for word in ([words] if isinstance(words, str) else words)]


def _status(word: str) -> Status:
    if word not in list(Status):
        raise UsageError(
            f"expected {', '.join(status.value for status in Status)}, got '{word}'",
            field="status",
        )
    return Status(word)
