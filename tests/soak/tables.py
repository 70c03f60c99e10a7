"""Past runs as files that people keep: CSV with points or commas, TSV, Excel; any column order."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from random import Random

from parameters import Value
from plans import Plan, Run

Cell = Value | None

OTHER_UNITS = {
    "kV": ("V", Decimal(1000)),
    "mol/L": ("mmol/L", Decimal(1000)),
    "µm": ("nm", Decimal(1000)),
    "mм": ("m", Decimal("0.001")),
    "m3/s": ("cm3/s", Decimal(10**6)),
    "N·m": ("mN·m", Decimal(1000)),
}
"""Units of tables beside the campaign's, and how many of these one of the campaign's is."""


def write_table(plan: Plan, runs: tuple[Run, ...], folder: Path, luck: Random) -> Path:
    """Write the plan's past runs into a file of one format or another; return its path."""
    headings, rows = _table(plan, runs, luck)
    match luck.choice(("csv", "csv", "excel csv", "tsv", "xlsx")):
        case "xlsx":
            return _write_workbook(folder / "past runs.xlsx", headings, rows)
        case "excel csv":
            return _write_text(folder / "прошлое.csv", headings, rows, ";", "utf-8-sig", comma=True)
        case "tsv":
            return _write_text(folder / "過去.tsv", headings, rows, "\t", "utf-16", comma=False)
        case _:
            return _write_text(folder / "runs.csv", headings, rows, ",", "utf-8", comma=False)


def _table(plan: Plan, runs: tuple[Run, ...], luck: Random) -> tuple[list[str], list[list[Cell]]]:
    columns: dict[str, str] = {}
    factors: dict[str, Decimal] = {}
    for item in (*plan.parameters, *plan.outcomes):
        alias = getattr(item, "alias", None)
        with_unit = f"{item.name} [{item.unit}]" if item.unit else item.name
        columns[item.name] = luck.choice((with_unit, with_unit, item.name, alias or with_unit))
        if item.unit in OTHER_UNITS and luck.random() < 0.15:
            unit, factors[item.name] = OTHER_UNITS[item.unit]
            columns[item.name] = f"{item.name} [{unit}]"
    words = [f"~{word}" for word in ("label", "replicate", "status", "failed", "note")]
    names = {p.name for p in plan.parameters}
    column_words = set(words)
    columns |= {word: f"run {word[1:]}" if word[1:] in names else word[1:] for word in words}
    if all(run.label is None for run in runs):
        words.remove("~label")
    order = [*(name for name in columns if name not in column_words), *words]
    luck.shuffle(order)
    rows = []
    for run in runs:
        n = max(map(len, run.results.values()), default=1)
        for index in range(n):
            cells: dict[str, Cell] = {**run.conditions}
            cells |= {
                name: values[index] for name, values in run.results.items() if index < len(values)
            }
            cells |= {"~label": run.label, "~replicate": float(index + 1), "~note": run.note}
            cells |= {"~status": run.status, "~failed": run.failure}
            for name, factor in factors.items():
                value = cells.get(name)
                if isinstance(value, float):
                    cells[name] = float(Decimal(repr(value)) * factor)
            rows.append([cells.get(name) for name in order])
    return [columns[name] for name in order], rows


def _write_text(
    path: Path,
    headings: list[str],
    rows: list[list[Cell]],
    delimiter: str,
    encoding: str,
    *,
    comma: bool,
) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(headings)
    writer.writerows([[_text(cell, comma=comma) for cell in row] for row in rows])
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def _text(cell: Cell, *, comma: bool) -> str:
    if isinstance(cell, float):
        text = repr(int(cell)) if cell.is_integer() and abs(cell) < 1e9 else repr(cell)
        return text.replace(".", ",") if comma else text
    return cell or ""


def _write_workbook(path: Path, headings: list[str], rows: list[list[Cell]]) -> Path:
    import openpyxl

    workbook = openpyxl.Workbook()
    sheet = workbook.active
    for number, row in enumerate([headings, *rows], 1):
        for column, value in enumerate(row, 1):
            cell = sheet.cell(number, column, value)
            if isinstance(value, str):
                cell.data_type = "s"  # "=A1" is text
    workbook.save(path)
    return path
