"""What is being done, for whoever watches: in a notebook's output, or on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from surrogate.progress import Progress, silent


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Show a bar while the work lasts; nothing where the output is a file."""
    console = Console(stderr=True)
    if not (console.is_jupyter or console.is_terminal):
        yield silent
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(
            stage: str,
            completed: int = 0,
            total: int = 0,
            numbers: Mapping[str, float] | None = None,
        ) -> None:
            bar.update(task, description=stage, completed=completed, total=total or None)

        yield show
