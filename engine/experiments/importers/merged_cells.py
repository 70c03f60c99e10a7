"""Merged cells of a workbook: which say something plain, and what.

A title over the table, a heading over its unit, a line of text: nothing but layout. A value over
several rows of one column holds for each of them; where it is a result, it is of no single run,
and :class:`~engine.experiments.importers.cell_reader.CellReader` refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.experiments.importers.layout import Record, without_titles


@dataclass(frozen=True)
class Area:
    """Rows as a spreadsheet counts them, columns from 0; the ends belong to it."""

    name: str
    first_row: int
    last_row: int
    first_column: int
    last_column: int


@dataclass(frozen=True)
class Unmerged:
    """Records in which each cell says what it holds, and what is not plain."""

    records: list[Record]
    filled: frozenset[tuple[int, int]]
    """Places (row, column) of cells of a value that stands over several rows."""

    notes: tuple[str, ...]
    unclear: tuple[str, ...]
    """Areas that belong to several columns."""


def unmerge(records: Sequence[Record], areas: Sequence[Area]) -> Unmerged:
    """Return what merged cells say. ``records``: rows in which anything stands."""
    cells = {number: list(row) for number, row in records}
    table, _ = without_titles(records) if areas and records else ([], [])
    heading_row = table[0][0] if table else 0
    filled: set[tuple[int, int]] = set()
    spread, unclear = [], []
    for area in areas:
        row = cells.get(area.first_row, [])
        value = "".join(row[area.first_column : area.first_column + 1])
        if not value.strip() or _is_alone(row, area):
            continue
        if area.first_column < area.last_column:
            if area.first_row < area.last_row or _has_more_columns(cells, area):
                unclear.append(area.name)
            continue
        # A heading over its unit, or over the second line of headings.
        if area.first_row <= heading_row:
            continue
        for number in range(area.first_row, area.last_row + 1):
            if number in cells:
                record = cells[number]
                record += [""] * (area.first_column + 1 - len(record))
                record[area.first_column] = value
                filled.add((number, area.first_column))
        spread.append(area.name)
    notes = (f"merged cells {_listed(spread)}: the value counts for each row",) if spread else ()
    unmerged = [(number, cells[number]) for number, _ in records]
    return Unmerged(unmerged, frozenset(filled), notes, tuple(unclear))


def _is_alone(row: Sequence[str], area: Area) -> bool:
    """Whether nothing else stands in the row: a title, or a line of text."""
    is_one_row = area.first_row == area.last_row
    neighbours = (cell for index, cell in enumerate(row) if index != area.first_column)
    return is_one_row and not any(cell.strip() for cell in neighbours)


def _has_more_columns(cells: dict[int, list[str]], area: Area) -> bool:
    """Whether anything stands in the columns over which a cell was drawn out."""
    return any(
        cell.strip()
        for row in cells.values()
        for cell in row[area.first_column + 1 : area.last_column + 1]
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
