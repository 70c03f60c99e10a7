"""How benchmarks show themselves: a bar while they run, tables with units and where they ran."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.terminal.output import console, print_json, say

if TYPE_CHECKING:
    from rich.console import Console

    from surrogate.progress import Progress

WIDTH = 118


@contextmanager
def progress_bar(total: int, noun: str, *, stages_add_up: bool = True) -> Iterator[Progress]:
    """Show one bar of ``total`` steps on standard error, with the stage beside it.

    ``stages_add_up``: each stage counts its own steps, as tasks side by side do; otherwise each
    call tells how many there were in all.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn  # isort: skip

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    steps_of: dict[str, int] = {}
    with Progress(*columns, console=console(to_stderr=True)) as bar:
        line = bar.add_task(noun, total=total)

        def progress(
            stage: str,
            completed: int = 0,
            total: int = 0,
            numbers: Mapping[str, float] | None = None,
        ) -> None:
            steps_of[stage if stages_add_up else noun] = completed
            bar.update(line, completed=sum(steps_of.values()), description=stage)

        yield progress


def say_stage(
    stage: str, completed: int = 0, total: int = 0, numbers: Mapping[str, float] | None = None
) -> None:
    """Say the stage on standard error, for what a bar would slow down."""
    say(stage)


def show(
    document: Mapping[str, Any],
    print_tables: Callable[[], None],
    *,
    as_json: bool,
    files: tuple[Path | None, ...] = (),
) -> None:
    """Print a document: as JSON, or its tables and the files that were written."""
    if as_json:
        print_json(document)
        return
    print_tables()
    for path in files:
        if path is not None:
            say(f"written: {path}")


def report_screen() -> Console:
    """Return a console on standard output; into a file or pipe, wide enough for the tables."""
    screen = console()
    if not screen.is_terminal:
        screen.width = WIDTH
    return screen


def print_line(screen: Console, text: str) -> None:
    """Print a line as it stands; into a file or pipe, unbroken."""
    screen.print(text, markup=False, soft_wrap=not screen.is_terminal)


def print_where(screen: Console, document: Mapping[str, Any], threads: str) -> None:
    """Print on which machine, with which threads and versions, a document came about."""
    from engine.bench.harness.environment import environment_line

    print_line(screen, environment_line(document["environment"], threads=threads))


def jobs_text(jobs: int) -> str:
    """Return how many processes ran, for :func:`print_where`.

    >>> jobs_text(2)
    '2 jobs of 1 thread'
    """
    return f"{jobs} {'job' if jobs == 1 else 'jobs'} of 1 thread"
