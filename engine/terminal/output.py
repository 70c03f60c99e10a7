"""Consoles, tables, remarks, JSON on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Any

from rich.console import Console

from engine.errors import spell
from engine.terminal.labels import LABELS
from engine.terminal.streams import is_unicode

is_answered: ContextVar[bool] = ContextVar("is_answered", default=False)
"""Whether this command has printed its document: a second one would spoil standard output."""


def console(*, to_stderr: bool = False) -> Console:
    """Return a console on the stream as it is now (tests and pipes replace it)."""
    screen = Console(file=sys.stderr if to_stderr else sys.stdout, highlight=False, soft_wrap=False)
    if not screen.is_terminal:
        screen.width = max(screen.width, 200)  # a file or pipe has no edge
    return screen


def stacked(heading: str) -> str:
    """Put direction and unit under a name, which keeps tables narrow: ``name.direction [unit]``."""
    name, separator, unit = heading.partition(" [")
    return "\n".join(filter(None, [*name.split("."), f"[{unit}" if separator else ""]))


def print_json(document: Any, *, to_stderr: bool = False) -> None:
    """Print ``document`` as one JSON document; NaN and infinity become ``null``."""
    from engine.documents import plain

    stream = sys.stderr if to_stderr else sys.stdout

    text = json.dumps(plain(document), ensure_ascii=False, indent=2)
    # Marks are filled in after escaping: what they hold was escaped with the rest.
    text = spell(text, "cli", LABELS)
    if not is_unicode(stream):
        # JSON has its own spelling of what the console lacks, and a program that reads this loses
        # nothing by it. All letters beyond ASCII stand within strings.
        text = "".join(letter if letter.isascii() else json.dumps(letter)[1:-1] for letter in text)
    stream.write(text + "\n")
    is_answered.set(True)


def print_table(text: str) -> None:
    """Print CSV for programs: UTF-8 into a file or pipe, what it can show on a console."""
    stream = sys.stdout
    if not stream.isatty() and hasattr(stream, "buffer"):
        stream.flush()
        stream.buffer.write(text.encode())
        stream.buffer.flush()
    else:
        stream.write(text)


def warn(message: str) -> None:
    """Print a warning on standard error."""
    console(to_stderr=True).print(f"[yellow]warning:[/yellow] {_plain(message)}")


def say(message: str) -> None:
    """Print a remark on standard error."""
    console(to_stderr=True).print(_plain(message))


def _plain(message: str) -> str:
    # rich reads [brackets] as markup, and units stand in brackets.
    return spell(message, "cli", LABELS).replace("[", r"\[")


def grid(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None
) -> Any:
    """Return a table, numbers to the right, units in its headings; a narrow screen folds it."""
    from engine.terminal.tables import Column, Grid

    body = [tuple(map(str, row)) for row in rows]
    columns = [
        Column(stacked(heading), tuple(row[index] for row in body))
        for index, heading in enumerate(headings)
    ]
    return Grid(tuple(columns), title)
