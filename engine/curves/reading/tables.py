"""Where in a grid the tables stand: runs of number rows, and the headings above each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from engine.curves.reading.grid import Grid
from engine.curves.reading.numbers import is_missing, looks_numeric
from engine.curves.reading.quantities import (
    Quantity,
    Unit,
    plain_words,
    read_quantity,
    read_unit,
    split_unit,
)
from engine.errors import DataError

Row = tuple[str, ...]

_MAX_HEADER_ROWS = 8
_SPECIMEN_WORDS = (
    "specimen", "sample", "probe", "eprouvette", "probka", "provino", "probeta", "test run",
    "vzorek", "试样", "試験片", "образец", "numune", "replicate",
)  # fmt: skip
_AXIS = ("x", "y", "z")
_LOST_ROWS = 5


@dataclass(frozen=True)
class Heading:
    """One column's heading, read."""

    index: int
    text: str
    quantity: Quantity | None
    unit: Unit | None
    axis: str = ""
    strange_unit: str = ""
    """What stands where a unit should, and is none that is known."""


@dataclass
class Table:
    """Rows of numbers under one header."""

    headings: list[Heading]
    rows: list[Row]
    first_row: int
    labels: Row = ()
    """The row of specimens' names, where one stands above or below the headings."""

    titles: list[str] = field(default_factory=list)
    """Single cells above the table, nearest last."""

    strays: list[int] = field(default_factory=list)
    """Rows inside the table that are no numbers."""

    @property
    def is_curve(self) -> bool:
        """Whether some column says how far it was pulled and another how hard."""
        kinds = {heading.quantity for heading in self.headings}
        return bool(kinds & {"extension", "strain", "true strain", "position"}) and bool(
            kinds & {"force", "stress", "true stress"}
        )


def find_tables(grid: Grid) -> tuple[list[Table], list[int]]:
    """Return the tables of a grid, and the rows that belong to none (titles, facts, results)."""
    rows = grid.rows
    tables: list[Table] = []
    outside: list[int] = []
    index = 0
    while index < len(rows):
        if not is_number_row(rows[index]):
            outside.append(index)
            index += 1
            continue
        end = index
        while end < len(rows) and is_number_row(rows[end]):
            end += 1
        table = _table(rows, index, end, outside)
        previous = tables[-1] if tables else None
        if previous is not None and not table.headings and _continues(rows, previous, table):
            gap = range(previous.first_row + _span(previous), index)
            previous.strays += [i for i in gap if any(rows[i])]
            previous.rows += [rows[i] for i in gap] + list(rows[index:end])
            previous.rows = [row for row in previous.rows if is_number_row(row)]
        else:
            if previous is not None and not table.headings:
                table.headings = previous.headings
            tables.append(table)
        index = end
    return tables, outside


def refuse_disorder(grid: Grid, tables: Sequence[Table]) -> None:
    """Refuse a grid whose lines were moved: headings inside a table, or numbers above them.

    Raises:
        DataError: with the line.
    """
    for table in tables:
        for index in table.strays:
            cells = [cell for cell in grid.rows[index] if cell]
            if len(cells) > 1 and all(read_unit(c) or _recognised(c) for c in cells):
                raise DataError(
                    f"line {index + 1}, inside the table, is one of its headings: the lines are "
                    "out of order; export the curve again"
                )
    curves = [table for table in tables if table.is_curve]
    widths = {len(table.rows[0]) for table in curves}
    lost = [
        table for table in tables
        if not table.headings and len(table.rows[0]) in widths and not _has_header(grid, table)
    ]  # fmt: skip
    n_lost = sum(len(table.rows) for table in lost)
    if curves and n_lost >= _LOST_ROWS:
        raise DataError(
            f"{n_lost} rows of numbers stand above the headings (line {curves[0].first_row + 1}): "
            "the lines are out of order; export the curve again"
        )


def _has_header(grid: Grid, table: Table) -> bool:
    for index in range(table.first_row - 1, max(table.first_row - 5, -1), -1):
        cells = [cell for cell in grid.rows[index] if cell]
        if is_number_row(grid.rows[index]):
            return False
        if len(cells) > 1 and not all(map(read_unit, cells)):
            return True
    return False


def is_number_row(row: Row) -> bool:
    """Whether a row is one of a table: two numbers at least, and half of its cells."""
    filled = [cell for cell in row if not is_missing(cell)]
    n = sum(looks_numeric(cell) for cell in filled)
    return n >= 2 and n * 2 >= len(filled)


def _span(table: Table) -> int:
    return len(table.rows) + len(table.strays)


def _continues(rows: Sequence[Row], previous: Table, table: Table) -> bool:
    """Whether a table without a header goes on where the one above was interrupted."""
    gap = rows[previous.first_row + _span(previous) : table.first_row]
    phrases = [plain_words(cell) for row in gap for cell in row if cell]
    return not any(word.startswith(_SPECIMEN_WORDS) for word in phrases)


def _table(rows: Sequence[Row], start: int, end: int, outside: list[int]) -> Table:
    header: list[int] = []
    index = start - 1
    while index >= 0 and len(header) < _MAX_HEADER_ROWS and not is_number_row(rows[index]):
        if any(rows[index]):
            header.append(index)
        index -= 1
    header.reverse()
    counts = [sum(_recognised(cell) for cell in rows[i]) for i in header]
    table = Table([], list(rows[start:end]), start)
    if not counts or max(counts) < 2:
        table.titles = [rows[i][0] for i in header if sum(map(bool, rows[i])) == 1]
        return table
    # The lowest of equals: what stands above it is a results table's heading.
    best = len(counts) - 1 - counts[::-1].index(max(counts))
    under = [rows[i] for i in header[best + 1 :]]
    n_units = [sum(read_unit(cell) is not None for cell in row) for row in under]
    units: Row = ()
    if n_units and max(n_units) > 0:
        units = under[n_units.index(max(n_units))]
    labels = [row for row in under if row is not units and any(row)]
    previous_row = rows[header[best] - 1] if header[best] > 0 else ()
    names = rows[header[best]]
    if not labels and _is_label_row(previous_row, names):
        labels = [previous_row]
    table.labels = labels[0] if labels else ()
    table.titles = [
        next(filter(None, rows[i])) for i in header[:best] if sum(map(bool, rows[i])) == 1
    ]
    width = max(len(row) for row in table.rows)
    table.headings = _headings(names, units, width)
    for i in header[best:]:
        if i in outside:
            outside.remove(i)
    return table


def _recognised(cell: str) -> bool:
    # A number is no heading, and a whole sentence is none.
    if not cell or looks_numeric(cell) or len(cell) > 60:
        return False
    name, unit = split_unit(cell)
    return _quantity(name, unit)[0] not in (None, "specimen")


def _quantity(name: str, unit: Unit | None) -> tuple[Quantity | None, str]:
    """Return what a heading means, and its axis if it begins with one (``XForce``)."""
    if name[:1].casefold() in _AXIS and name[1:2] and not name[1:2].islower():
        quantity = read_quantity(name[1:].strip(" _-"), unit)
        if quantity is not None:
            return quantity, name[0].casefold()
    return read_quantity(name, unit), ""


def _headings(names: Row, units: Row, width: int) -> list[Heading]:
    headings = []
    for index, cell in enumerate(names):
        if not cell:
            continue
        name, unit = split_unit(cell)
        under = units[index] if index < len(units) else ""
        unit = read_unit(under) or unit
        quantity, axis = _quantity(name, unit)
        strange = "" if unit is not None else under or _strange_unit(cell)
        headings.append(Heading(index, cell, quantity, unit, axis, strange))
    return _repeated(headings, width)


def _strange_unit(heading: str) -> str:
    """Return what a heading has in brackets if it is short, and no word of a quantity."""
    bracket = re.search(r"[(\[]([^()\[\]]*)[)\]]\s*$", heading)
    text = bracket[1].strip() if bracket else ""
    is_word = " " in text or len(text) > 6 or read_quantity(text, None) is not None
    return "" if is_word or text.isdigit() else text


def _repeated(headings: list[Heading], width: int) -> list[Heading]:
    """Repeat the names of a first block for the blocks beside it, if those have none."""
    if not headings:
        return headings
    period = headings[-1].index + 1
    if width <= period or width % period or len(headings) != period:
        return headings
    return [
        replace(heading, index=heading.index + block * period)
        for block in range(width // period)
        for heading in headings
    ]


def _is_label_row(row: Row, names: Row) -> bool:
    """Whether the row above the headings names specimens, each at the first of its columns."""
    filled = [i for i, cell in enumerate(row) if cell]
    if not filled or any(len(row[i]) > 60 for i in filled):
        return False
    n_of_name: dict[str, int] = {}
    for name in names:
        if name:
            n_of_name[name] = n_of_name.get(name, 0) + 1
    n_blocks = max(n_of_name.values(), default=1)
    if n_blocks > 1:
        return len(filled) in (n_blocks, n_blocks * 2) or len(filled) == n_blocks - 1
    return False
