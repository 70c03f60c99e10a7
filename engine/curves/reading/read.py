"""A tester's export → its curves: the one door through which files come in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.curves.reading.decoding import decode
from engine.curves.reading.facts import specimen_facts, table_facts
from engine.curves.reading.grid import Grid, cut_into_cells
from engine.curves.reading.numbers import NumberStyle, find_style
from engine.curves.reading.order import in_order
from engine.curves.reading.programs import program_of
from engine.curves.reading.quantities import language_of, read_quantity, read_unit, split_unit
from engine.curves.reading.records import CurveFile, RawCurve, Specimen
from engine.curves.reading.specimens import MIN_POINTS, read_specimens
from engine.curves.reading.tables import Heading, Table, find_tables, refuse_disorder
from engine.errors import DataError, NotFoundError, SpinneretError, UsageError, marked, place

MAX_BYTES = 256 * 1024 * 1024
_WORKBOOKS = (".xlsx", ".xlsm")


def read_curve_file(
    path: Path,
    *,
    encoding: str | None = None,
    units: Mapping[str, str] | None = None,
    columns: Sequence[str] | None = None,
) -> CurveFile:
    """Read every curve of a file.

    Args:
        path: text (CSV, TXT, TRA, MTR, TSV …) or a workbook (.xlsx).
        encoding: the text's encoding; found out if not given.
        units: units by quantity (``{"strain": "%"}``), where the file names none or wrong ones.
        columns: headings in the order of the columns, for a table that has none.

    Raises:
        NotFoundError: no such file.
        DataError: no curve in it, or one that contradicts itself.
        UsageError: a unit or heading that means nothing here.
    """
    if not path.is_file():
        raise NotFoundError(f"{place(path)}: no such file")
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{place(path)}: expected at most {MAX_BYTES >> 20} MB")
    content = path.read_bytes()
    return read_curves(path.name, content, encoding=encoding, units=units, columns=columns)


def read_curves(
    name: str,
    content: bytes,
    *,
    encoding: str | None = None,
    units: Mapping[str, str] | None = None,
    columns: Sequence[str] | None = None,
) -> CurveFile:
    """Read every curve of a file's bytes; see :func:`read_curve_file`."""
    try:
        return _read(name, content, encoding, dict(units or {}), columns)
    except UsageError:
        raise
    except SpinneretError as error:
        raise DataError(f"{name}: {marked(error)}") from error


def _read(
    name: str,
    content: bytes,
    encoding: str | None,
    units: dict[str, str],
    columns: Sequence[str] | None,
) -> CurveFile:
    _check_units(units)
    suffix = Path(name).suffix.casefold()
    if suffix in _WORKBOOKS or content[:4] == b"PK\x03\x04":
        from engine.curves.reading.workbook import read_grids

        grids, encoding_name, text = read_grids(content), "workbook", ""
    else:
        text, encoding_name = decode(content, encoding)
        grids = [cut_into_cells(text)]
    curves: list[RawCurve] = []
    notes: list[str] = []
    headings: list[str] = []
    styles: list[NumberStyle] = []
    for grid in grids:
        part = _read_grid(grid, units, columns, len(curves) + 1)
        named = [replace(c, name=_in_sheet(grid, c, len(part.curves))) for c in part.curves]
        curves += named
        notes += part.notes
        headings += part.headings
        styles += [part.style] if part.curves else []
    if not curves:
        raise DataError(_describe_lack(grids, headings))
    return CurveFile(
        name,
        program_of(text, headings, suffix),
        encoding_name,
        grids[0].separator,
        styles[0].decimal,
        language_of(headings),
        tuple(_unique_names(curves)),
        tuple(dict.fromkeys(notes)),
    )


class _GridPart:
    def __init__(self, style: NumberStyle) -> None:
        self.style = style
        self.curves: list[RawCurve] = []
        self.notes: list[str] = []
        self.headings: list[str] = []


def _read_grid(
    grid: Grid, units: Mapping[str, str], columns: Sequence[str] | None, first: int
) -> _GridPart:
    tables, outside = find_tables(grid)
    if columns is not None:
        _name_columns(tables, columns)
    curve_tables = [t for t in tables if t.is_curve and len(t.rows) >= 3]
    style = _style(curve_tables, grid)
    part = _GridPart(style)
    part.headings = [h.text for t in curve_tables for h in t.headings]
    shared, fact_notes = specimen_facts(grid, outside, style)
    part.notes += fact_notes
    by_name: dict[str, Specimen] = {}
    for table in tables:
        if not table.is_curve:
            by_name |= table_facts(grid, table, style)
    too_short = None
    refuse_disorder(grid, tables)
    for table in curve_tables:
        if not grid.ends_whole and table is tables[-1]:
            table.rows = _without_cut_end(table)
        read = read_specimens(table, style, units, number_from=first + len(part.curves))
        for curve in read:
            n = len(curve.channels[0].values)
            if n < MIN_POINTS:
                too_short = f"'{curve.name}' has {n} points; expected {MIN_POINTS} at least"
                continue
            part.curves.append(_checked(curve, shared))
        if table.strays:
            lines = ", ".join(str(i + 1) for i in table.strays[:5])
            part.notes.append(f"line {lines} inside the table is no row of numbers: left aside")
    if by_name:
        part.curves = _with_own_facts(part.curves, by_name)
    if too_short:
        if not part.curves:
            raise DataError(f"{too_short}; the file is cut short, or holds no curve")
        part.notes.append(f"{too_short}: left aside")
    return part


def _checked(curve: RawCurve, shared: Specimen) -> RawCurve:
    from engine.curves.reading.consistency import check_consistency

    specimen = curve.specimen.or_else(shared)
    return check_consistency(in_order(replace(curve, specimen=specimen)))


def _style(tables: Sequence[Table], grid: Grid) -> NumberStyle:
    if grid.separator == "sheet":
        return NumberStyle()
    cells = [
        row[h.index] for t in tables for h in t.headings if h.quantity is not None
        for row in t.rows if h.index < len(row)
    ]  # fmt: skip
    return find_style(cells)


def _without_cut_end(table: Table) -> list[tuple[str, ...]]:
    """Leave the last row aside where the file ends within it and it does not go on smoothly."""
    rows = table.rows
    if len(rows) < 12:
        return rows[:-1]
    if len(rows[-1]) < len(rows[-2]):
        return rows[:-1]
    for index, (last, former) in enumerate(zip(rows[-1], rows[-2], strict=False)):
        column = [row[index] for row in rows[-12:-1] if index < len(row)]
        lengths = {len(cell.rpartition(".")[2]) for cell in column if "." in cell}
        # With as many decimals as all above it, a number is whole.
        if last and former and len(lengths) == 1 and len(last.rpartition(".")[2]) in lengths:
            continue
        if last != former and len(last) < min(map(len, column), default=0):
            return rows[:-1]
    return rows if _goes_on(rows) else rows[:-1]


def _goes_on(rows: Sequence[tuple[str, ...]]) -> bool:
    tail = rows[-12:]
    for index in range(len(tail[-1])):
        try:
            column = np.array([float(row[index].replace(",", ".")) for row in tail])
        except (ValueError, IndexError):
            continue
        steps = np.abs(np.diff(column))
        if steps[-1] > 3 * steps[:-1].max() + 1e-12:
            return False
    return True


def _with_own_facts(curves: Sequence[RawCurve], by_name: Mapping[str, Specimen]) -> list[RawCurve]:
    names = list(by_name)
    matched = []
    for index, curve in enumerate(curves):
        specimen = by_name.get(curve.name)
        if specimen is None and len(names) == len(curves):
            specimen = by_name[names[index]]
        if specimen is None and len(names) == 1:
            specimen = by_name[names[0]]
        matched.append(
            replace(curve, specimen=curve.specimen.or_else(specimen)) if specimen else curve
        )
    return matched


def _name_columns(tables: Sequence[Table], columns: Sequence[str]) -> None:
    headings = []
    for index, text in enumerate(columns):
        name, unit = split_unit(text)
        quantity = read_quantity(name, unit)
        if quantity is None and name not in ("", "-", "_"):
            raise UsageError(
                "expected headings such as 'time (s)', 'extension (mm)', 'force (N)', "
                f"'strain (%)', 'stress (MPa)', or - for a column to leave aside; got '{text}'",
                field="columns",
            )
        headings.append(Heading(index, text, quantity, unit))
    for table in tables:
        table.headings = headings


def _check_units(units: Mapping[str, str]) -> None:
    quantities = ("time", "force", "extension", "position", "size", "strain", "stress")
    for quantity, text in units.items():
        if quantity not in quantities:
            raise UsageError(
                f"expected one of {', '.join(quantities)}, got '{quantity}'", field="units"
            )
        if read_unit(text) is None:
            raise UsageError(f"'{text}' is no unit of {quantity}", field="units")


def _in_sheet(grid: Grid, curve: RawCurve, n: int) -> str:
    if not grid.name:
        return curve.name
    return grid.name if n == 1 else f"{grid.name} {curve.name}"


def _unique_names(curves: Sequence[RawCurve]) -> list[RawCurve]:
    n_of_name: dict[str, int] = {}
    unique = []
    for curve in curves:
        n_of_name[curve.name] = n_of_name.get(curve.name, 0) + 1
        n = n_of_name[curve.name]
        unique.append(curve if n == 1 else replace(curve, name=f"{curve.name} ({n})"))
    return unique


def _describe_lack(grids: Sequence[Grid], headings: Sequence[str]) -> str:
    n_rows = sum(len(grid.rows) for grid in grids)
    tables = [table for grid in grids for table in find_tables(grid)[0]]
    longest = max(tables, key=lambda table: len(table.rows), default=None)
    if longest is None or len(longest.rows) < 3:
        return f"expected a table of numbers, got {n_rows} lines without one"
    if not longest.headings:
        header = [
            r for g in grids for r in g.rows[max(longest.first_row - 3, 0) : longest.first_row]
        ]
        headings_row = next((row for row in reversed(header) if sum(map(bool, row)) > 1), None)
        first = " | ".join((headings_row or longest.rows[0])[:6])
        lacking = "no headings that mean anything here" if headings_row else "no headings"
        return (
            f"the table has {lacking} ({first} …): say what its columns are, as in "
            "'extension (mm), force (N)'"
        )
    texts = ", ".join(h.text for h in longest.headings[:10])
    return (
        "expected a column of extension or strain and one of force or stress; got "
        f"{texts or ', '.join(headings)}. Say what the columns are, as in "
        "'extension (mm), force (N)'"
    )
