"""Values that runs had of a parameter before the campaign knew it: from a column of a table.

A parameter that is added in mid-campaign has a value for every past run: one for all (its
``default``), or each its own, which a lab book or an old table tells::

    engine campaign revise --past humidity=old.xlsx:rh
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from db.records import ExperimentRecord
from db.words import nfc, run_name
from engine.campaign import Campaign, Value
from engine.campaign.vocabulary import Kind, Vocabulary
from engine.errors import ImportRefusedError, RowProblem, UsageError, nearest_name, place
from engine.experiments.importers.headings import Columns
from engine.experiments.importers.table import read_rows
from engine.workspace.revisions import Past

_NAMES: tuple[Kind, ...] = ("label", "experiment")


@dataclass(frozen=True)
class PastRow:
    """One row: which run it is of, and the value that it had."""

    number: int
    run: str
    value: Value


@dataclass(frozen=True)
class PastColumn:
    """One column of a table: the values of one parameter, run by run."""

    parameter: str
    path: Path
    heading: str
    rows: tuple[PastRow, ...]
    notes: tuple[str, ...] = ()


def read_past(
    assignments: Sequence[str], campaign: Campaign, *, max_rows: int
) -> tuple[PastColumn, ...]:
    """Read columns of past values, each named ``parameter=file:heading`` (or ``parameter=file``).

    Raises:
        UsageError: a word that names no parameter and file.
        NotFoundError, DataError, ImportRefusedError: a file that cannot be read, or that lacks the
            column, or a column that names the runs.
    """
    columns = []
    for word in assignments:
        name, _, source = word.partition("=")
        names = [parameter.name for parameter in campaign.parameters]
        if name not in names:
            raise UsageError(
                f"expected a parameter of the new definition, such as {names[0]}=old.xlsx:heading, "
                f"got '{word}'.{nearest_name(name, names)}",
                field="past",
            )
        # A file may have a colon in its name, as every path of Windows has.
        file, _, heading = (source, "", "") if Path(source).exists() else source.rpartition(":")
        if not file:
            file, heading = heading, ""
        if not file:
            raise UsageError(f"expected {name}=FILE:HEADING, got '{word}'", field="past")
        columns.append(_read(Path(file), name, heading.strip(), campaign, max_rows))
    return tuple(columns)


def _read(path: Path, name: str, heading: str, campaign: Campaign, max_rows: int) -> PastColumn:
    vocabulary = Vocabulary(campaign)
    if heading:
        vocabulary.learn(heading, name)

    def check(columns: Columns) -> list[RowProblem]:
        problems = []
        if not any(column.name == name for column in columns.of_kind("parameter")):
            expected = f"expected a column '{heading or name}' with past values of {name}"
            problems.append(RowProblem(1, heading or name, None, expected))
        if not columns.of_kind(*_NAMES):
            expected = "expected a column that names the runs, such as label or experiment"
            problems.append(RowProblem(1, None, None, expected))
        return problems

    # Other columns of an old table may hold whatever they like.
    table = read_rows(path, vocabulary, check, max_rows=max_rows, kinds=("parameter", *_NAMES))
    (column,) = [c for c in table.columns.of_kind("parameter") if c.name == name][:1]
    problems = [problem for problem in table.reader.problems if problem.column == column.heading]
    if problems:
        raise ImportRefusedError(str(path), problems)
    rows = [
        PastRow(row.number, row.label or row.experiment or "", row.conditions[name])
        for row in table.rows
        if name in row.conditions
    ]
    return PastColumn(name, path, column.heading, tuple(rows), tuple(table.notes))


def match_past(columns: Sequence[PastColumn], experiments: Sequence[ExperimentRecord]) -> Past:
    """Say which run each value is of, what belongs to none, and what contradicts the record."""
    values: dict[int, dict[str, Value]] = {}
    notes: list[str] = []
    problems: list[str] = []
    runs = {run.id: run for run in experiments}
    by_word = {str(run.id): run for run in experiments}
    # A label is what a person wrote on the mat: it goes before a number of ours.
    by_word |= {nfc(run.label): run for run in experiments if run.label is not None}
    for column in columns:
        unmatched: list[PastRow] = []
        for row in column.rows:
            run = by_word.get(nfc(row.run.removesuffix(".0")) if row.run else "")
            if run is None:
                unmatched.append(row)
                continue
            earlier = values.setdefault(run.id, {}).setdefault(column.parameter, row.value)
            recorded = runs[run.id].conditions.get(column.parameter, row.value)
            for value, origin in ((earlier, "another row says"), (recorded, "recorded is")):
                if value != row.value:
                    problems.append(
                        f"{place(column.path)}, row {row.number}: {column.parameter} of run "
                        f"{run_name(run.id, run.label)} is {row.value}, {origin} {value}"
                    )
        notes += [f"{place(column.path)}: {note}" for note in column.notes]
        notes += _unmatched(column, unmatched)
        matched = sum(column.parameter in row for row in values.values())
        n_without = len(experiments) - matched
        if n_without:
            notes.append(
                f"{n_without} of {len(experiments)} runs have no value of {column.parameter} in "
                f"{place(column.path)}"
            )
    return Past(values, tuple(notes), tuple(problems))


def _unmatched(column: PastColumn, rows: Sequence[PastRow]) -> list[str]:
    if not rows:
        return []
    listed = ", ".join(
        f"{row.number} ('{row.run}')" if row.run else str(row.number) for row in rows[:10]
    )
    remainder = f" … ({len(rows)} in all)" if len(rows) > 10 else ""
    return [
        f"{place(column.path)}: {'row' if len(rows) == 1 else 'rows'} {listed}{remainder} name"
        f"{'s' if len(rows) == 1 else ''} no run of this campaign; left aside"
    ]
