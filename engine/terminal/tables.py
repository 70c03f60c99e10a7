"""A table that never cuts what it shows: where the screen is too narrow, it is folded.

Columns that do not fit go into a further table below, which begins with the first column again.
Numbers and settings stay on one line; sentences are broken between words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.table import Table

# What SIMPLE_HEAD puts beside each column, and at both ends of a row.
_PADDING = 3
_EDGES = 2
_EMPTY = ("", "–")


@dataclass(frozen=True)
class Column:
    """A heading, which may have several lines, and the cells below it."""

    heading: str
    cells: tuple[str, ...]

    @property
    def is_number(self) -> bool:
        """Whether all cells begin as numbers do: means with intervals are numbers, too."""
        cells = [cell for cell in self.cells if cell not in _EMPTY]
        return bool(cells) and all(cell[:1] in "+-−.0123456789" for cell in cells)

    @property
    def widest(self) -> int:
        """How wide it is where nothing is broken."""
        lines = [line for text in (self.heading, *self.cells) for line in text.split("\n")]
        return max(map(cell_len, lines), default=1)

    @property
    def narrowest(self) -> int:
        """How wide it is where sentences are broken between words, and numbers nowhere."""
        pieces = [word for text in (self.heading, *self.cells) for word in text.split()]
        if self.is_number:
            pieces += self.cells
        return max(map(cell_len, pieces), default=1)


@dataclass(frozen=True)
class Grid:
    """Columns side by side, folded to the width of the screen that they are printed on."""

    columns: tuple[Column, ...]
    title: str | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or those that it is folded into."""
        for place, block in enumerate(self._blocks(options.max_width)):
            yield _table(block, options.max_width, self.title if place == 0 else None)

    def _blocks(self, width: int) -> Iterator[Sequence[Column]]:
        first, *columns = self.columns
        if _total(c.widest for c in self.columns) <= width or not columns:
            yield self.columns
            return
        block: list[Column] = [first]
        for column in columns:
            if len(block) > 1 and _total(c.narrowest for c in (*block, column)) > width:
                yield block
                block = [first]
            block.append(column)
        yield block


def _total(widths: Iterator[int] | Sequence[int]) -> int:
    return sum(width + _PADDING for width in widths) + _EDGES


def _table(columns: Sequence[Column], width: int, title: str | None) -> Table:
    table = Table(title=escape(title) if title else None, box=SIMPLE_HEAD, title_justify="left")
    for column, n in zip(columns, _widths(columns, width), strict=True):
        # Wider than the screen even so, it goes on in the next line rather than be cut.
        table.add_column(
            escape(column.heading),
            justify="right" if column.is_number else "left",
            overflow="fold",
            width=n,
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(escape, row))
    return table


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """Return a width for each column: what it needs, and of what is spare, what it would like."""
    widths = [column.narrowest for column in columns]
    spare = width - _total(widths)
    for place, column in enumerate(columns):
        extra = max(0, min(column.widest - widths[place], spare))
        widths[place] += extra
        spare -= extra
    # Only a column that is wider than the screen by itself, or beside the first, gets less.
    while spare < 0 and max(widths) > 1:
        longest = widths.index(max(widths))
        widths[longest] -= 1
        spare += 1
    return widths
