"""A table of results for ``engine log --file``: rows that name a recorded run → entries."""

from __future__ import annotations

from pathlib import Path

from engine.campaign import Campaign
from engine.campaign.vocabulary import Kind, Vocabulary, loosely
from engine.errors import ImportRefusedError, RowProblem
from engine.experiments.entries import Entry
from engine.experiments.importers.cell_reader import CellReader
from engine.experiments.importers.grouping import Row
from engine.experiments.importers.headings import Columns
from engine.experiments.importers.scatter import join_scatter
from engine.experiments.importers.table import read_rows
from engine.workspace.lookup import ID, is_number

_RESERVED: dict[str, Kind] = {
    "experiment": "experiment",
    "id": "experiment",
    "label": "label",
    "name": "label",
    "sample": "label",
    "sample id": "label",
    "failed": "failed",
    "failure": "failed",
    "note": "note",
    "notes": "note",
    "comment": "note",
    "replicate": "replicate",
}


def read_entries(
    path: Path,
    campaign: Campaign,
    *,
    max_rows: int,
    sheet: str | None = None,
    encoding: str | None = None,
    hidden: bool = False,
    replicate: bool = False,
    correct: bool = False,
) -> tuple[list[tuple[int, Entry]], list[str]]:
    """Read results of runs that are recorded already.

    ``experiment`` (or ``id``) holds the number that ``engine status`` shows, ``label`` the label.
    Columns named after parameters hold conditions as really run. Where a table has columns for
    results and a row has none, the run is awaited, and nothing is recorded of it. With ``correct``
    a column ``replicate`` tells which value is meant; without, numbers above 1 add a further value.

    What a run has already, to the last digit, is left as it is when the entries are recorded
    (:func:`~engine.experiments.record.record_all`), so that one worksheet may come back twice.

    Returns the entries with their rows, and warnings.

    Raises:
        NotFoundError, DataError: the file cannot be read as a table.
        ImportRefusedError: something in it is wrong; carries every problem found.
    """
    vocabulary = Vocabulary(campaign, _RESERVED)

    def check(columns: Columns) -> list[RowProblem]:
        if not columns.of_kind("experiment", "label"):
            headings = " or ".join(f"'{vocabulary.unclaimed(w)}'" for w in ("experiment", "label"))
            expected = f"expected a column {headings} that says whose results they are"
            return [RowProblem(1, None, None, expected)]
        if not columns.of_kind("outcome", "failed", "note", "parameter", "fact"):
            names = ", ".join(campaign.heading(outcome) for outcome in campaign.outcomes)
            return [RowProblem(1, None, None, f"no column holds a result; expected {names}")]
        return []

    table = read_rows(
        path,
        vocabulary,
        check,
        max_rows=max_rows,
        sheet=sheet,
        encoding=encoding,
        hidden=hidden,
    )
    columns, reader = table.columns, table.reader
    notes = join_scatter(table.rows, columns, reader)
    entries: list[tuple[int, Entry]] = []
    n_silent = 0
    awaits_results = bool(columns.of_kind("outcome", "failed"))
    for row in table.rows:
        first, *replicates = _entries(row, columns, reader, replicate=replicate, correct=correct)
        says_what_became = first.results or first.failure or first.note or first.facts
        if says_what_became or replicates or (first.actual and not awaits_results):
            entries += [(row.number, entry) for entry in (first, *replicates)]
        else:
            n_silent += 1
    if reader.problems:
        raise ImportRefusedError(table.raw.source, reader.problems)
    warnings = [*table.notes, *notes]
    if columns.ignored:
        warnings.append(f"columns left aside: {', '.join(columns.ignored)}")
    if n_silent:
        rows = "1 row holds" if n_silent == 1 else f"{n_silent} rows hold"
        warnings.append(f"{rows} no result, failure or note: nothing to record")
    return entries, warnings


def _identity(columns: Columns, word: str) -> str:
    """Return a run's name; what heads a column ``experiment`` is the number that status shows."""
    # A column "id" may hold a lab's own numbers: those are asked for where they mean two runs.
    heading = columns.of_kind("experiment")[0].heading
    is_ours = loosely(heading).removeprefix("run ") == "experiment"
    return f"{ID}{word}" if is_ours and is_number(word) else word


def _entries(
    row: Row, columns: Columns, reader: CellReader, *, replicate: bool, correct: bool
) -> list[Entry]:
    """Return what a row says: one entry, and a further one for each replicate beside it."""
    if row.experiment is None and row.label is None:
        expected = "expected the number or label of a recorded run"
        reader.problems.append(RowProblem(row.number, None, None, expected))
        return [Entry()]
    number = row.replicate if columns.of_kind("replicate") else None
    name = row.label if row.experiment is None else _identity(columns, row.experiment)
    series: dict[int, dict[str, float]] = {}
    for outcome, values in row.series.items():
        for place, value in values.items():
            series.setdefault(place, {})[outcome] = value
    results = {**row.results, **series.pop(1, {})}
    first = Entry(
        experiment=name,
        is_label=row.experiment is None,
        actual=row.conditions,
        results=results,
        replicate=bool(results) and not correct and (replicate or (number or 1) > 1),
        correct=correct and bool(results),
        which=number if correct and results else None,
        number=number,
        failure=row.failure,
        note=row.note,
        facts=row.facts,
    )
    return [
        first,
        *(
            Entry(
                experiment=name,
                is_label=row.experiment is None,
                results=values,
                replicate=not correct,
                correct=correct,
                which=place if correct else None,
                number=place,
            )
            for place, values in sorted(series.items())
        ),
    ]
