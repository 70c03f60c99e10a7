"""A table whose headings are the campaign's names (CSV, TSV, Excel) → runs.

One row is one run, or one replicate of it where rows share a label (or an experiment number) and a
column ``replicate`` tells them apart. Beside conditions and results a table may have the columns
``label``, ``experiment``, ``replicate``, ``status``, ``failed`` and ``note``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from engine.campaign import Campaign, Parameter, Value
from engine.campaign.applicability import applies, surplus, with_constants
from engine.campaign.vocabulary import Kind, Vocabulary
from engine.errors import ImportRefusedError, RowProblem, UsageError, by_voice, nearest_name
from engine.experiments.importers import cells
from engine.experiments.importers.cell_reader import CellReader
from engine.experiments.importers.grouping import Row, group_rows
from engine.experiments.importers.headings import (
    Column,
    Columns,
    default_line,
    map_headings,
    missing_columns,
)
from engine.experiments.importers.number_styles import plain_numbers
from engine.experiments.importers.raw import RawTable
from engine.experiments.importers.reading import read_table
from engine.experiments.importers.runs import (
    ImportedTable,
    censored_notes,
    constant_note,
    outside_warnings,
    surplus_warning,
    waiting_warnings,
)
from engine.experiments.importers.scatter import join_scatter, read_scatter
from engine.experiments.importers.words import clean_label, clean_text


def read_runs(
    path: Path,
    campaign: Campaign,
    *,
    max_rows: int,
    sheet: str | None = None,
    encoding: str | None = None,
    hidden: bool = False,
    title_rows: int | None = None,
    columns_named: Mapping[str, str] | None = None,
    replicates: bool = False,
) -> ImportedTable:
    """Read a table of runs; ``sheet`` … ``title_rows`` as of :func:`read_table`.

    ``columns_named``: headings, and the names of the campaign that they mean in this file;
    ``replicates``: rows of equal conditions are replicates of one run.

    Every controlled parameter that is no constant needs a column and a value in each row. An
    ambient column may be absent or have empty cells. Columns that mean nothing to the campaign are
    left aside with a warning, but a heading that nearly spells a name the table lacks is refused.

    Raises:
        NotFoundError, DataError: the file cannot be read as a table.
        ImportRefusedError: something in it is wrong; carries every problem found.
    """

    def check(columns: Columns) -> list[RowProblem]:
        problems = missing_columns(_everywhere(campaign), columns)
        return problems if columns.understood else [*problems, _nothing_known(campaign)]

    vocabulary = Vocabulary(campaign)
    for heading, name in (columns_named or {}).items():
        try:
            vocabulary.learn(heading, name)
        except KeyError:
            names = [*(p.name for p in campaign.parameters), *campaign.outcomes]
            raise UsageError(
                f"'{name}' is no name of this campaign.{nearest_name(name, names)}", field="column"
            ) from None
    table = read_rows(
        path,
        vocabulary,
        check,
        max_rows=max_rows,
        sheet=sheet,
        encoding=encoding,
        hidden=hidden,
        title_rows=title_rows,
    )
    raw, columns, rows, reader = table.raw, table.columns, table.rows, table.reader
    left_out = [*_drop_surplus(rows, campaign), *_fill_constants(rows, campaign)]
    _refuse_missing_controlled(rows, columns, reader)
    left_out += join_scatter(rows, columns, reader)
    runs, repeated = group_rows(
        rows, columns, reader.problems, campaign.failures, are_replicates=replicates
    )
    if reader.problems:
        raise ImportRefusedError(raw.source, sorted(reader.problems, key=_place))
    warnings = [*table.notes, *left_out]
    warnings += [*_column_warnings(campaign, columns), *repeated]
    warnings += [*outside_warnings(campaign, runs), *waiting_warnings(runs)]
    warnings += censored_notes(campaign, runs)
    return ImportedTable(raw.source, runs, tuple(warnings))


@dataclass(frozen=True)
class RowTable:
    """A table's rows as they are read, before anything is made of them."""

    raw: RawTable
    columns: Columns
    rows: list[Row]
    reader: CellReader

    @property
    def notes(self) -> list[str]:
        """What was read in another way than it stands there."""
        campaign = self.reader.campaign
        return [*self.raw.notes, *self.reader.notes, *self.columns.conversions(campaign)]


def read_rows(
    path: Path,
    vocabulary: Vocabulary,
    check: Callable[[Columns], list[RowProblem]],
    *,
    max_rows: int,
    sheet: str | None = None,
    encoding: str | None = None,
    hidden: bool = False,
    title_rows: int | None = None,
    kinds: Sequence[Kind] | None = None,
) -> RowTable:
    """Read a table's rows; what is wrong with cells is collected in ``reader``.

    ``check`` says what is wrong with the headings; only columns of ``kinds`` are looked at.

    Raises:
        NotFoundError, DataError: the file cannot be read as a table.
        ImportRefusedError: headings are wrong.
    """
    raw = read_table(
        path,
        max_rows=max_rows,
        sheet=sheet,
        encoding=encoding,
        hidden=hidden,
        title_rows=title_rows,
    )
    columns, problems = map_headings(raw.headings, vocabulary, kinds=kinds)
    problems += check(columns)
    problems = _in_heading_row(problems, raw)
    if problems:
        problems += _headings_further_down(raw, vocabulary, len(columns.understood))
        problems += _names_in_a_column(raw, vocabulary, len(columns.understood))
        raise ImportRefusedError(raw.source, problems)
    numbers = plain_numbers(raw, columns, vocabulary.campaign)
    reader = CellReader(
        vocabulary.campaign, numbers.decimal_comma, list(numbers.problems), merged=raw.merged
    )
    rows = [
        _row(number, texts, columns, reader)
        for number, texts in zip(numbers.raw.numbers, numbers.raw.rows, strict=True)
    ]
    return RowTable(numbers.raw, columns, rows, reader)


def _in_heading_row(problems: Sequence[RowProblem], raw: RawTable) -> list[RowProblem]:
    """Place what is wrong with headings in the row in which they stand, titles above counted."""
    return [replace(problem, row=raw.heading_row) for problem in problems]


def _headings_further_down(
    raw: RawTable, vocabulary: Vocabulary, n_understood: int
) -> list[RowProblem]:
    """Point out a row below the headings that says more names of the campaign than these do."""
    for number, row in zip(raw.numbers[:30], raw.rows[:30], strict=True):
        n_names = sum(vocabulary.meaning(cell)[0] is not None for cell in row if cell.strip())
        if n_names >= 2 and n_names > n_understood:
            mend = by_voice(f"--title-rows {number - 1}", f"the table from row {number} on")
            return [RowProblem(number, None, None, "looks like the row of headings", mend)]
    return []


def _names_in_a_column(
    raw: RawTable, vocabulary: Vocabulary, n_understood: int
) -> list[RowProblem]:
    """Point out a table whose rows are parameters and whose columns are runs."""
    names = [raw.headings[0], *(row[0] for row in raw.rows[:60])]
    n_names = sum(vocabulary.meaning(name)[0] is not None for name in names if name.strip())
    if n_names < 3 or n_names <= n_understood:
        return []
    expected = "names stand below one another here: runs are expected in rows, names in columns"
    mend = "the table turned around (in a spreadsheet: copy, paste special, transpose)"
    return [RowProblem(None, raw.headings[0] or "1", None, expected, mend)]


def read_conditions(
    path: Path,
    campaign: Campaign,
    *,
    max_rows: int,
    require_controlled: bool = True,
    sheet: str | None = None,
    encoding: str | None = None,
    hidden: bool = False,
) -> tuple[RawTable, list[dict[str, Value]]]:
    """Read the conditions of a table of candidates; all its columns are kept as text.

    Returns the table as it stands, and row by row the conditions in it: one dictionary for each of
    ``table.rows``, without the parameters whose cell is empty or whose column is absent.

    Raises:
        NotFoundError, DataError: the file cannot be read as a table.
        ImportRefusedError: a controlled parameter is missing (with ``require_controlled``), or a
            condition cannot be; carries every problem found.
    """
    raw = read_table(path, max_rows=max_rows, sheet=sheet, encoding=encoding, hidden=hidden)
    columns, problems = map_headings(raw.headings, Vocabulary(campaign), kinds=("parameter",))
    if require_controlled:
        problems += missing_columns(_everywhere(campaign), columns, raw.headings)
    if problems:
        raise ImportRefusedError(raw.source, _in_heading_row(problems, raw))
    numbers = plain_numbers(raw, columns, campaign)
    raw = numbers.raw
    reader = CellReader(campaign, numbers.decimal_comma, list(numbers.problems))
    rows = [
        _row(number, texts, columns, reader)
        for number, texts in zip(raw.numbers, raw.rows, strict=True)
    ]
    left_out = _drop_surplus(rows, campaign)
    if require_controlled:
        left_out += _fill_constants(rows, campaign)
        _refuse_missing_controlled(rows, columns, reader)
    if reader.problems:
        raise ImportRefusedError(raw.source, sorted(reader.problems, key=_place))
    notes = (*raw.notes, *reader.notes, *columns.conversions(campaign), *left_out)
    return replace(raw, notes=notes), [row.conditions for row in rows]


def _row(number: int, texts: Sequence[str], columns: Columns, reader: CellReader) -> Row:
    row = Row(number)
    n_problems = len(reader.problems)
    for column in columns.understood:
        text = texts[column.index]
        if column.kind == "parameter":
            condition = reader.condition(number, column, text)
            if condition is not None:
                row.conditions[column.name] = condition
        elif column.kind == "outcome":
            result = reader.result(number, column, text)
            if result is not None and column.replicate is not None:
                row.series.setdefault(column.name, {})[column.replicate] = result
            elif result is not None:
                row.results[column.name] = result
        elif column.kind == "fact":
            fact = reader.fact(number, column, text)
            if fact is not None:
                row.facts[column.name] = fact
        elif column.kind in ("scatter", "specimens"):
            read_scatter(row, column, text, reader)
        else:
            _word(row, column, text, reader)
    row.is_sound = len(reader.problems) == n_problems
    return row


def _word(row: Row, column: Column, text: str, reader: CellReader) -> None:
    """Read the cell of a column that means the same in every campaign."""
    kinds = reader.campaign.failures
    if column.kind == "label":
        row.label = reader.read(row.number, column, text, clean_label)
    elif column.kind == "experiment":
        row.experiment = text.strip() or None
    elif column.kind == "note":
        row.note = reader.read(row.number, column, text, clean_text)
    elif column.kind == "replicate":
        row.replicate = reader.read(row.number, column, text, cells.parse_replicate) or 1
    elif column.kind == "success":
        is_success = reader.read(row.number, column, text, cells.parse_success)
        if is_success is False:
            row.is_without_success = True
    elif column.kind == "failed":
        failure = reader.read(row.number, column, text, partial(cells.parse_failure, kinds=kinds))
        row.failure = failure or row.failure
    else:
        stated = reader.read(row.number, column, text, partial(cells.parse_status, kinds=kinds))
        if stated is not None:
            row.status = stated[0]
            row.failure = row.failure or stated[1]


def _refuse_missing_controlled(rows: Sequence[Row], columns: Columns, reader: CellReader) -> None:
    controlled = {parameter.name for parameter in reader.campaign.controlled}
    reported = {(problem.row, problem.column) for problem in reader.problems}
    for column in columns.of_kind("parameter"):
        if column.name not in controlled:
            continue
        expected = f"the cell is empty; expected a value of {reader.campaign.heading(column.name)}"
        mend = f"{default_line(reader.campaign.parameter(column.name))} takes runs without it"
        reader.problems += [
            RowProblem(row.number, column.heading, None, expected, mend)
            for row in rows
            if _lacks(row, column.name, reader.campaign)
            and (row.number, column.heading) not in reported
        ]
    present = columns.names("parameter")
    for parameter in reader.campaign.controlled:
        if not parameter.only_if or parameter.name in present:
            continue
        expected = (
            f"this column is missing, and the row needs it: {parameter.name} has a value "
            f"{parameter.only_if_text}"
        )
        reader.problems += [
            RowProblem(row.number, reader.campaign.heading(parameter.name), None, expected)
            for row in rows
            if _lacks(row, parameter.name, reader.campaign)
        ]


def _lacks(row: Row, name: str, campaign: Campaign) -> bool:
    """Whether a row has no value of a controlled parameter although it must have one."""
    if name in row.conditions or campaign.parameter(name).default is not None:
        return False
    return not campaign.parameter(name).only_if or bool(
        applies(campaign.parameters, name, row.conditions)
    )


def _everywhere(campaign: Campaign) -> list[Parameter]:
    """Return the controlled parameters whose value a table has to tell, whatever the others are."""
    return [
        parameter
        for parameter in campaign.controlled
        if not parameter.only_if and parameter.only_value is None and parameter.default is None
    ]


def _fill_constants(rows: Sequence[Row], campaign: Campaign) -> list[str]:
    """Give rows the constants that they leave out, and say of how many."""
    counts: Counter[str] = Counter()
    for row in rows:
        complete = with_constants(campaign.parameters, row.conditions)
        counts.update(complete.keys() - row.conditions.keys())
        row.conditions.update(complete)
    return [constant_note(campaign.parameter(name), n) for name, n in counts.items()]


def _drop_surplus(rows: Sequence[Row], campaign: Campaign) -> list[str]:
    """Take values of parameters that have none out of the rows, and say of how many."""
    counts: Counter[str] = Counter()
    for row in rows:
        for parameter in surplus(campaign.parameters, row.conditions):
            del row.conditions[parameter.name]
            counts[parameter.name] += 1
    return [surplus_warning(campaign.parameter(name), n) for name, n in counts.items()]


def _column_warnings(campaign: Campaign, columns: Columns) -> list[str]:
    warnings = []
    if columns.ignored:
        warnings.append(f"columns left aside: {', '.join(columns.ignored)}")
    present = columns.names("parameter", "outcome")
    absent = [campaign.heading(p.name) for p in campaign.ambient if p.name not in present]
    if absent:
        warnings.append(f"no column for {', '.join(absent)}: not known for these runs")
    objectives = [o.outcome for o in campaign.objectives if o.outcome not in present]
    if objectives:
        warnings.append(
            f"no column for the objective {', '.join(map(campaign.heading, objectives))}"
        )
    if not columns.of_kind("label"):
        warnings.append(
            "no column names the runs (id, label): runs already recorded are known by equal "
            "conditions and results"
        )
    return warnings


def _nothing_known(campaign: Campaign) -> RowProblem:
    names = [campaign.heading(p.name) for p in campaign.parameters]
    names += [campaign.heading(outcome) for outcome in campaign.outcomes]
    return RowProblem(1, None, None, f"no heading is known; expected {', '.join(names)}")


def _place(problem: RowProblem) -> tuple[int, str]:
    return problem.row or 0, problem.column or ""
