"""A progress bar with numbers on standard error, where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from engine.cli.output import console

Tell = Callable[[str, int, int, Mapping[str, float]], None]


@contextmanager
def training_bar() -> Iterator[Tell]:
    """Yield a function that is told what is being done, how far it is, and losses."""
    if not sys.stderr.isatty():
        yield lambda what, n, total, losses: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[losses]}"),
    )  # fmt: skip
    with Progress(*columns, console=console(to_stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None, losses="")

        def tell(what: str, n: int, total: int, losses: Mapping[str, float]) -> None:
            shown = "  ".join(
                f"{name.removeprefix('source.')} {value:.3f}"
                for name, value in losses.items()
                if name not in ("step", "rate")
            )
            bar.update(task, description=what, completed=n, total=total, losses=shown)

        yield tell
