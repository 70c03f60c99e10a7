"""A table as text cells, whatever file it came from: CSV, TSV or a workbook's sheet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataError, ImportRefusedError, RowProblem, place
from engine.experiments.importers.formula_text import unescape_formula
from engine.experiments.importers.layout import (
    counts_rows,
    with_units_below,
    without_asides,
    without_titles,
)

# Read whole into memory; the 20,000 rows that [imports] allows take some megabytes.
MAX_BYTES = 256 * 1024 * 1024
_PERCENT = re.compile(r"[+-]?[0-9.,]*[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?\s*%")


@dataclass(frozen=True)
class RawTable:
    """A table as text. ``numbers[i]`` is the row that a spreadsheet shows for ``rows[i]``.

    Every row has as many cells as there are ``headings``. ``may_use_decimal_comma``: cells are
    separated by something else than a comma, so that ``1,5`` can be a number. ``heading_row``: the
    row in which the headings stand, below titles.
    """

    source: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    notes: tuple[str, ...] = ()
    may_use_decimal_comma: bool = False
    heading_row: int = 1
    merged: frozenset[tuple[int, int]] = frozenset()
    """Row number and column of each cell whose value a workbook shows over several rows."""


def refuse_too_many(path: Path, n_rows: int, max_rows: int) -> None:
    """Refuse a table of more than ``max_rows`` rows below its headings.

    Raises:
        DataError: there are more.
    """
    if n_rows > max_rows:
        raise DataError(
            f"{place(path)}: expected at most {max_rows:,} rows, got {n_rows:,}; split the file, "
            "or raise max_rows under [imports] in config.toml"
        )


def assemble(
    path: Path,
    records: list[tuple[int, list[str]]],
    notes: tuple[str, ...],
    *,
    decimal_comma: bool,
    is_ragged_an_error: bool,
) -> RawTable:
    """Put the headings and the rows below them together, all of one width.

    Raises:
        DataError: no headings, or no rows.
        ImportRefusedError: rows of another width, or cells without a heading.
    """
    if not records:
        raise DataError(f"{place(path)} is empty; expected a row of headings and rows of values")
    records = [
        (number, [unescape_formula(cell) if cell[:1] == "'" else cell for cell in record])
        for number, record in records
    ]
    records, title_notes = without_titles(records)
    records, unit_notes, problems = with_units_below(records)
    headings = [cell.strip() for cell in records[0][1]]
    # Spreadsheets save empty columns at the right that somebody once touched.
    while headings and not headings[-1]:
        headings.pop()
    body, aside_notes = without_asides(headings, records[1:])
    if not body:
        raise DataError(f"{place(path)}: expected rows of values below the headings, found none")
    width = len(headings)
    rows: list[tuple[str, ...]] = []
    for number, record in body:
        filled = max((i + 1 for i, cell in enumerate(record) if cell.strip()), default=0)
        if filled > width or (is_ragged_an_error and len(record) < width):
            got = filled if filled > width else len(record)
            expected = f"expected {width} cells as in the headings, got {got}"
            problems.append(RowProblem(number, None, None, expected))
        rows.append(tuple((record + [""] * width)[:width]))
    index_notes = []
    if headings[:1] == [""] and width > 1 and counts_rows([row[0] for row in rows]):
        rows = [("", *row[1:]) for row in rows]
        index_notes.append("the first column has no heading and counts the rows: left aside")
    for index, heading in enumerate(headings):
        if not heading and any(row[index].strip() for row in rows):
            problems.append(
                RowProblem(None, f"{index + 1}", None, "has values but no heading; name it")
            )
    if problems:
        raise ImportRefusedError(str(path), problems)
    return RawTable(
        source=str(path),
        headings=tuple(headings),
        rows=tuple(rows),
        numbers=tuple(number for number, _ in body),
        notes=(
            *notes,
            *title_notes,
            *unit_notes,
            *aside_notes,
            *index_notes,
            *_mixed_percent(headings, rows),
        ),
        may_use_decimal_comma=decimal_comma,
        heading_row=records[0][0],
    )


def _mixed_percent(headings: Sequence[str], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Say in which columns some numbers are per cent and others are not."""
    notes = []
    for index, heading in enumerate(headings):
        cells = [row[index].strip() for row in rows]
        if not any(text.endswith("%") for text in cells):
            continue
        n_percent = sum(_PERCENT.fullmatch(word) is not None for word in cells)
        n_plain = sum(_PERCENT.fullmatch(f"{word}%") is not None for word in cells)
        if n_percent and n_plain:
            notes.append(
                f"column '{heading}': {n_percent} cells are per cent and {n_plain} are plain "
                "numbers, which are taken as they stand; check them"
            )
    return notes
