"""``python -m engine.bench.picture``: the picture and the four tables of docs/benchmarks.md.

Both come from one file of numbers, docs/pictures/benchmarks.json, that holds for each table the
command that gave it, its columns and its rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.bench.options import study
from engine.errors import DataError, place
from engine.terminal.options import JsonOption

PICTURES = Path("docs/pictures")


def picture(
    numbers: Annotated[
        Path, typer.Option("--numbers", help="The tables' numbers (JSON).")
    ] = PICTURES / "benchmarks.json",
    out: Annotated[Path, typer.Option("--out", help="Draw the picture here (SVG).")] = PICTURES
    / "benchmarks.svg",
    as_json: JsonOption = False,
) -> None:
    """Draw the four benchmarks side by side, and print their tables for the document.

    After new runs put their numbers into the file, run this, and paste the tables.
    """
    from engine.bench.harness.plots import plot_overview
    from engine.bench.harness.results import check_folders
    from engine.bench.harness.screen import show

    check_folders(out)
    tables = read_tables(numbers)
    plot_overview(tables, out)
    text = "\n\n".join(markdown(table) for table in tables.values())
    show({"tables": tables}, lambda: typer.echo(text), as_json=as_json, files=(out,))


def read_tables(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return the tables of a file of numbers, by name.

    Raises:
        DataError: the file is not there, or is no such file.
    """
    try:
        tables: dict[str, Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))[
            "tables"
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{place(path)}: expected a file of tables ({error})") from error
    return tables


def markdown(table: Mapping[str, Any]) -> str:
    """Return a table as it stands in a document.

    >>> rows = [["gp", 0.5], ["x", None]]
    >>> print(markdown({"columns": ["model", "R²"], "digits": 2, "rows": rows}))
    | model | R² |
    |---|--:|
    | `gp` | 0.50 |
    | `x` | – |
    """
    columns, rows = table["columns"], table["rows"]
    aligned = ["---" if isinstance(cell, str) else "--:" for cell in rows[0]]
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join(aligned)}|"]
    lines += [f"| {' | '.join(_cell(cell, table['digits']) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(cell: str | float | None, digits: int) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return f"`{cell}`"
    # Shares in per cent need no third decimal, whatever the scores beside them need.
    return f"{cell:.{1 if abs(cell) >= 10 else digits}f}".replace("-", "−")


app = study(picture, "picture --out docs/pictures/benchmarks.svg")

if __name__ == "__main__":
    app()
