"""How far a piece of work is, on standard error where somebody watches: a bar, or a line."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from engine.terminal.output import console
from surrogate.progress import Progress, silent


@contextmanager
def progress_bar(stage: str = "reading") -> Iterator[Progress]:
    """Show a bar for work that knows how far it is, with its numbers; ``stage``: the first one."""
    # A log file would fill with the bar's every step.
    if not sys.stderr.isatty():
        yield silent
        return
    from rich import progress as rich_progress
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[losses]}"),
    )  # fmt: skip
    with rich_progress.Progress(*columns, console=console(to_stderr=True), transient=True) as bar:
        task = bar.add_task(stage, total=None, losses="")

        def advance(
            stage: str,
            completed: int = 0,
            total: int = 0,
            numbers: Mapping[str, float] | None = None,
        ) -> None:
            losses = "  ".join(
                f"{name.removeprefix('source.')} {value:.3f}"
                for name, value in (numbers or {}).items()
                if name not in ("step", "rate")
            )
            bar.update(
                task, description=stage, completed=completed, total=total or None, losses=losses
            )

        yield advance


@contextmanager
def progress_line() -> Iterator[Progress]:
    """Show a line that says what is being done."""
    with console(to_stderr=True).status("starting") as status:

        def show(
            stage: str,
            completed: int = 0,
            total: int = 0,
            numbers: Mapping[str, float] | None = None,
        ) -> None:
            status.update(f"{stage} …")

        yield show
