"""A table of results for ``engine log --file``: rows that name a recorded run → entries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.campaign import Campaign
from engine.campaign.vocabulary import Kind, Vocabulary, loosely
from engine.errors import ImportRefusedError, RowProblem
from engine.experiments.entries import Entry
from engine.experiments.importers import cells
from engine.experiments.importers.cell_reader import CellReader
from engine.experiments.importers.headings import Column, Columns, map_headings
from engine.experiments.importers.number_styles import plain_numbers
from engine.experiments.importers.reading import read_table
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

WORKSHEET = ("order", "p_success", "reason")
"""Columns of the worksheet of `engine propose --csv` that say nothing of what became of a run."""


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
) -> tuple[dict[int, Entry], list[str]]:
    """Read results of runs that are recorded already.

    ``experiment`` (or ``id``) holds the number that ``engine status`` shows, ``label`` the label.
    Columns named after parameters hold conditions as really run. Where a table has columns for
    results and a row has none, the run is awaited, and nothing is recorded of it. With ``correct``
    a column ``replicate`` tells which value is meant; without, numbers above 1 add a further value.

    Returns the entries by row, and warnings.

    Raises:
        NotFoundError, DataError: the file cannot be read as a table.
        ImportRefusedError: something in it is wrong; carries every problem found.
    """
    raw = read_table(path, max_rows=max_rows, sheet=sheet, encoding=encoding, hidden=hidden)
    vocabulary = Vocabulary(campaign, _RESERVED)
    columns, problems = map_headings(raw.headings, vocabulary)
    if not columns.of_kind("experiment", "label"):
        headings = " or ".join(f"'{vocabulary.unclaimed(w)}'" for w in ("experiment", "label"))
        expected = f"expected a column {headings} that says whose results they are"
        problems.append(RowProblem(1, None, None, expected))
    if not columns.of_kind("outcome", "failed", "note", "parameter") and not problems:
        names = ", ".join(campaign.heading(outcome) for outcome in campaign.outcomes)
        problems.append(RowProblem(1, None, None, f"no column holds a result; expected {names}"))
    problems += [
        RowProblem(1, column.heading, None, "is for `engine import`; here a row is one value")
        for column in columns.understood
        if column.replicate is not None or column.kind in ("scatter", "specimens")
    ]
    if problems:
        raise ImportRefusedError(raw.source, problems)
    numbers = plain_numbers(raw, columns, campaign)
    raw = numbers.raw
    reader = CellReader(campaign, numbers.decimal_comma, list(numbers.problems))
    entries: dict[int, Entry] = {}
    n_silent = 0
    awaits_results = bool(columns.of_kind("outcome", "failed"))
    for number, texts in zip(raw.numbers, raw.rows, strict=True):
        entry = _entry(number, texts, columns, reader, replicate=replicate, correct=correct)
        says_what_became = entry.results or entry.failure or entry.note
        if says_what_became or (entry.actual and not awaits_results):
            entries[number] = entry
        else:
            n_silent += 1
    if reader.problems:
        raise ImportRefusedError(raw.source, reader.problems)
    warnings = [*raw.notes, *reader.notes, *columns.conversions(campaign)]
    ours = {*WORKSHEET, *map(vocabulary.unclaimed, WORKSHEET)}
    ignored = [heading for heading in columns.ignored if heading not in ours]
    if ignored:
        warnings.append(f"columns left aside: {', '.join(ignored)}")
    if n_silent:
        rows = "1 row holds" if n_silent == 1 else f"{n_silent} rows hold"
        warnings.append(f"{rows} no result, failure or note: nothing to record")
    return entries, warnings


def _identity(column: Column, word: str) -> str:
    """Return a run's name; what heads a column ``experiment`` is the number that status shows."""
    # A column "id" may hold a lab's own numbers: those are asked for where they mean two runs.
    is_ours = loosely(column.heading).removeprefix("run ") == "experiment"
    return f"{ID}{word}" if is_ours and is_number(word) else word


def _entry(
    number: int,
    texts: Sequence[str],
    columns: Columns,
    reader: CellReader,
    *,
    replicate: bool,
    correct: bool,
) -> Entry:
    actual, results = {}, {}
    identities: dict[str, str] = {}
    failure = note = replicate_number = None
    for column in columns.understood:
        text = texts[column.index]
        if column.kind == "parameter":
            condition = reader.condition(number, column, text)
            if condition is not None:
                actual[column.name] = condition
        elif column.kind == "outcome":
            result = reader.result(number, column, text)
            if result is not None:
                results[column.name] = result
        elif column.kind == "failed":
            failure = reader.read(number, column, text, cells.parse_failure)
        elif column.kind == "note":
            note = reader.read(number, column, text, cells.clean_text)
        elif column.kind == "replicate" and text.strip():
            replicate_number = reader.read(number, column, text, cells.parse_replicate)
        elif text.strip():
            identities[column.kind] = _identity(column, text.strip())
    if not identities:
        expected = "expected the number or label of a recorded run"
        reader.problems.append(RowProblem(number, None, None, expected))
    return Entry(
        experiment=identities.get("experiment", identities.get("label")),
        is_label="experiment" not in identities,
        actual=actual,
        results=results,
        replicate=bool(results) and not correct and (replicate or (replicate_number or 1) > 1),
        correct=correct and bool(results),
        which=replicate_number if correct and results else None,
        failure=failure,
        note=note,
    )
