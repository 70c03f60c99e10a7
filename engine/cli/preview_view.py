"""Previews as people and scripts see them: tables, JSON, contact sheets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import SpinneretError, UsageError
from engine.terminal.output import console, grid, say, warn

if TYPE_CHECKING:
    from engine.loop import ProposedBatch
    from engine.previews.expected_statistics import Interval
    from engine.previews.preview import Previews


def refuse_sheet(path: Path | None) -> None:
    """Refuse, before anything is computed, a file that could not be written.

    Raises:
        UsageError: its folder does not exist, or it is a folder itself.
    """
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise UsageError(f"--sheet: expected a file in an existing folder, got {path}")


def written(write: Callable[[], Path | None]) -> Path | None:
    """Write a contact sheet; say so where it cannot be: what it shows is recorded all the same."""
    try:
        return write()
    except SpinneretError as error:
        warn(f"the contact sheet is missing: {error.worded('cli')}")
        return None


def show_batch_previews(proposed: ProposedBatch, sheet: Path | None, *, to_stderr: bool) -> None:
    """Print what a batch's previews show, and where they are."""
    for remark in proposed.remarks:
        warn(remark)
    if proposed.previews is None:
        return
    names = ["–" if id_ is None else str(id_) for id_ in proposed.experiment_ids]
    show_previews(proposed.previews, names, sheet, to_stderr=to_stderr)


def show_previews(
    previews: Previews, names: Sequence[str], sheet: Path | None, *, to_stderr: bool = False
) -> None:
    """Print what previews show as a table, with warnings and where the pictures are."""
    screen = console(to_stderr=to_stderr)
    rows = [
        [
            name,
            *(_expected(key, item.expected.get(key)) for key in ("diameter", "order", "porosity")),
            ", ".join(near.name for near in item.near) or "–",
        ]
        for name, item in zip(names, previews.items, strict=True)
    ]
    headings = ["run", "diameter [nm]", "order [–]", "porosity [%]", "nearest real"]
    n = len(previews.items[0].pictures)
    screen.print(
        f"what the mats should look like, from {n} pictures each ({previews.name}); in brackets "
        f"the {previews.level:.0%} interval of the mat",
        markup=False,
    )
    screen.print(grid(headings, rows))
    for item in previews.items:
        for warning in item.warnings:
            warn(warning)
    for note in previews.notes:
        say(note)
    if sheet is not None:
        screen.print("pictures:", end=" ")
        screen.print(str(sheet), markup=False, soft_wrap=True)


def _expected(name: str, interval: Interval | None) -> str:
    if interval is None:
        return "–"
    from engine.previews.expected_statistics import bare

    if interval.lower is None or interval.upper is None:
        return bare(name, interval.mean)
    ends = f"{bare(name, interval.lower)}–{bare(name, interval.upper)}"
    return f"{bare(name, interval.mean)} ({ends})"
