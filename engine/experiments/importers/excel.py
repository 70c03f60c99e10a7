"""An Excel workbook's sheet → headings and rows of text cells."""

from __future__ import annotations

import re
import warnings
import zipfile
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.campaign.units import check_unit
from engine.errors import DataError, ImportRefusedError, RowProblem, field, place
from engine.experiments.importers.layout import listed_rows
from engine.experiments.importers.merged_cells import Area, unmerge
from engine.experiments.importers.raw import MAX_BYTES, RawTable, assemble, refuse_too_many

# Words in a number's format: `0.0" kV"`, `0\ "°C"`; `[Red]` and `_)` are none.
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[[^\]]*\]|_.|\*.')


def read_workbook(
    path: Path,
    *,
    max_rows: int,
    sheet: str | None = None,
    hidden: bool = False,
    title_rows: int | None = None,
) -> RawTable:
    """Read one sheet: the values that were saved, formulas included.

    Rows that are hidden, filtered out or struck out are taken with ``hidden`` only, and told.

    Raises:
        DataError: damaged, encrypted, too large; no such sheet, or several and none named; cells
            merged over several columns.
        ImportRefusedError: formulas without a saved value.
    """
    _refuse_damage(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl tells of styles and extensions it leaves out
        try:
            return _read(path, max_rows, sheet, hidden, title_rows)
        except DataError:
            raise
        except Exception as error:
            raise DataError(
                f"{place(path)} cannot be read as an Excel workbook: {error}"
            ) from error


def _refuse_damage(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            # What the archive says of itself, before anything is unpacked.
            size = sum(entry.file_size for entry in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{place(path)} is damaged: {error}; save the workbook again") from error
    if size > 2 * MAX_BYTES:
        raise DataError(
            f"{place(path)}: {size >> 20} MiB unpacked are too many; split the workbook"
        )


def _read(
    path: Path, max_rows: int, sheet: str | None, hidden: bool, title_rows: int | None
) -> RawTable:
    import openpyxl

    # `data_only`: the values that were saved beside the formulas; openpyxl computes none.
    # https://openpyxl.readthedocs.io/en/stable/api/openpyxl.reader.excel.html
    values = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    try:
        worksheet = _choose(path, values, sheet)
        layout = _layout_of(path, worksheet.title)
        records, n_rows, struck = _records(worksheet, max_rows, _has_strikes(path))
    finally:
        values.close()
    refuse_too_many(path, n_rows, max_rows)
    cells = dict(records)
    withdrawn = {
        "hidden or filtered out": layout.hidden_rows & cells.keys(),
        "struck out": struck - layout.hidden_rows,
    }
    aside = set() if hidden else set().union(*withdrawn.values())
    formulas = [(r, c) for r, c in layout.formulas if r not in aside]
    unsaved = [(r, c) for r, c in formulas if not "".join(cells.get(r, [])[c : c + 1])]
    if unsaved:
        headings = records[0][1] if records else []
        raise ImportRefusedError(
            str(path),
            [
                RowProblem(
                    row,
                    headings[column] if column < len(headings) else str(column + 1),
                    None,
                    "a formula without a saved value; open and save the workbook, or paste values",
                )
                for row, column in unsaved
            ],
        )
    consequence = "taken" if hidden else f"left aside ({field('hidden')} takes them)"
    notes = [
        f"{listed_rows(sorted(rows))} of the workbook, {state}: {consequence}"
        for state, rows in withdrawn.items()
        if rows
    ]
    records = [r for r in records if r[0] not in aside and r[0] > (title_rows or 0)]
    unmerged = unmerge(records, [a for a in layout.merged if a.first_row > (title_rows or 0)])
    if unmerged.unclear:
        raise DataError(
            f"{place(path)}: merged cells at {', '.join(unmerged.unclear[:10])}; a value there "
            "belongs to no single column: unmerge them and fill each cell"
        )
    raw = assemble(
        path,
        unmerged.records,
        (*notes, *unmerged.notes),
        decimal_comma=False,
        is_ragged_an_error=False,
    )
    return replace(raw, merged=unmerged.filled)


def _choose(path: Path, workbook: Any, sheet: str | None) -> Any:
    names = [worksheet.title for worksheet in workbook.worksheets]
    if sheet is not None:
        if sheet not in names:
            raise DataError(f"{place(path)}: no sheet '{sheet}'; it has {', '.join(names)}")
        return workbook[sheet]
    filled = [w for w in workbook.worksheets if any(any(row) for row in w.values)]
    if len(filled) == 1:
        return filled[0]
    if len(names) != 1:
        raise DataError(
            f"{place(path)}: several sheets ({', '.join(names)}); name one with {field('sheet')}"
        )
    return workbook.worksheets[0]


def _records(
    worksheet: Any, max_rows: int, has_strikes: bool
) -> tuple[list[tuple[int, list[str]]], int, set[int]]:
    """Return the rows that hold anything, how many they are, and which are struck out."""
    records: list[tuple[int, list[str]]] = []
    struck: set[int] = set()
    n_rows = -1
    worksheet.reset_dimensions()  # what the file claims of its size may be wrong
    for number, cells in enumerate(worksheet.iter_rows(), 1):
        record = [_displayed(cell) for cell in cells]
        if any(record):
            n_rows += 1
            if n_rows <= max_rows:
                records.append((number, record))
                filled = [cell for cell, text in zip(cells, record, strict=True) if text]
                if has_strikes and all(cell.font.strike for cell in filled):
                    struck.add(number)
    return records, n_rows, struck


def _displayed(cell: Any) -> str:
    """Return a cell's text as a person sees it, a number with all its digits.

    From the number's format come the zeros before it (``0005``), the sign of per cent (``45%``)
    and a unit (``18 kV``).
    """
    value = cell.value
    text = _text(value)
    # The format is looked up only where it can matter.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text
    code = str(cell.number_format)
    if code == "General":
        return text
    if text.isdigit() and len(code) > 1 and not code.strip("0"):
        return text.zfill(len(code))
    section = code.split(";", maxsplit=1)[0]
    if "%" in _LITERAL.sub("", section):
        return f"{Decimal(text).scaleb(2).normalize():f}%"
    literals = "".join(quoted or escaped for quoted, escaped in _LITERAL.findall(section)).strip()
    return f"{text} {literals}" if literals and _is_unit(literals) else text


def _is_unit(text: str) -> bool:
    try:
        check_unit(text)
    except DataError:
        return False
    return True


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        # A date in a workbook is its midnight.
        return str(value.date() if value.time() == time() else value)
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value).strip()


@dataclass(frozen=True)
class _Layout:
    """Places (row, column index) of formulas, the rows that are hidden, merged cells."""

    formulas: tuple[tuple[int, int], ...] = ()
    hidden_rows: frozenset[int] = frozenset()
    merged: tuple[Area, ...] = ()


def _layout_of(path: Path, title: str) -> _Layout:
    """Return what is not to be seen in read-only mode."""
    import openpyxl

    # The whole workbook is loaded a second time only where it has any.
    pattern = rb"<(\w+:)?(f|mergeCell)[ >/]|<(\w+:)?row [^>]*hidden="
    if not re.search(pattern, _bytes_of(path, "worksheets/")):
        return _Layout()
    workbook = openpyxl.load_workbook(path, keep_links=False)
    try:
        worksheet = workbook[title]
        areas = sorted(worksheet.merged_cells.ranges, key=lambda area: (area.min_row, area.min_col))
        merged = tuple(
            Area(str(area), area.min_row, area.max_row, area.min_col - 1, area.max_col - 1)
            for area in areas
        )
        formulas = tuple(
            (cell.row, cell.column - 1)
            for row in worksheet.iter_rows()
            for cell in row
            if cell.data_type == "f" and cell.row is not None and cell.column is not None
        )
        dimensions = worksheet.row_dimensions.items()
        hidden = frozenset(number for number, row in dimensions if row.hidden)
        return _Layout(formulas, hidden, merged)
    finally:
        workbook.close()


def _has_strikes(path: Path) -> bool:
    return re.search(rb"<(\w+:)?strike[ />]", _bytes_of(path, "styles.xml")) is not None


def _bytes_of(path: Path, part: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if part in name]
        return b"".join(archive.read(name) for name in names)
