"""Means with their scatter in columns of their own: ``strength``, ``strength_sd``, ``n``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from db.records import Reading
from engine.errors import RowProblem
from engine.experiments.importers import cells
from engine.experiments.importers.cell_reader import CellReader
from engine.experiments.importers.grouping import Row
from engine.experiments.importers.headings import Column, Columns


def read_scatter(row: Row, column: Column, text: str, reader: CellReader) -> None:
    """Read the cell of a column of scatters, or of numbers of specimens."""
    if cells.is_missing(text):
        return
    if column.kind == "specimens":
        count = reader.read(row.number, column, text, cells.parse_count)
        if count is not None:
            row.counts[column.name] = count
        return
    label = f"the scatter of {column.name}"
    value = reader.read(row.number, column, text, lambda word: cells.parse_scatter(word, label))
    if value is not None:
        target = row.scatter if column.part == "sd" else row.errors
        target[column.name] = abs(column.converted(value))


def join_scatter(rows: Sequence[Row], columns: Columns, reader: CellReader) -> list[str]:
    """Put scatter and counts of specimens to the results that they are of; say what is odd."""
    if not columns.of_kind("scatter", "specimens"):
        return []
    headings = {(c.kind, c.name): c.heading for c in columns.understood}
    n_unknown: Counter[str] = Counter()
    for row in rows:
        for outcome, value in row.results.items():
            sd = row.scatter.get(outcome)
            error = row.errors.get(outcome)
            # A bare "n" is of what scatters.
            bare = row.counts.get("") if sd is not None or error is not None else None
            n = row.counts.get(outcome, bare)
            if error is not None and sd is None:
                if n is None:
                    reader.problems.append(
                        RowProblem(
                            row.number,
                            headings["scatter", outcome],
                            f"{error:g}",
                            "a standard error says nothing of the scatter without the number of "
                            "specimens; add a column 'n'",
                        )
                    )
                    continue
                sd = error * n**0.5
            if sd is None and n is None:
                continue
            if not isinstance(value, Reading):
                row.results[outcome] = Reading(value, sd=sd, n=n)
            n_unknown[outcome] += sd is not None and n is None
    return [
        f"{reader.campaign.heading(outcome)}: the scatter of {n} results is kept, and says nothing "
        "to models without the number of specimens (a column 'n')"
        for outcome, n in n_unknown.items()
        if n
    ]
