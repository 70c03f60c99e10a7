"""Rows of a table → runs: which rows are replicates of one run, and whether they agree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from db.records import Status
from db.words import nfc
from engine.campaign import Value
from engine.campaign.failures import OTHER, Failure, match_failure
from engine.errors import RowProblem
from engine.errors import field as field_name
from engine.experiments.importers.headings import Columns
from engine.experiments.importers.runs import ImportedRun, contradiction, status_of


@dataclass
class Row:
    """What the cells of one row say. ``is_sound``: none of them had to be refused.

    ``series``: replicates that stand in columns of their own, by outcome and number. ``scatter``,
    ``errors``, ``counts``: of the results, standard deviations, standard errors, specimens.
    """

    number: int
    label: str | None = None
    experiment: str | None = None
    replicate: int = 1
    conditions: dict[str, Value] = field(default_factory=dict)
    results: dict[str, float] = field(default_factory=dict)
    series: dict[str, dict[int, float]] = field(default_factory=dict)
    scatter: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    status: Status | None = None
    failure: str | None = None
    note: str | None = None
    facts: dict[str, str] = field(default_factory=dict)
    is_without_success: bool = False
    is_sound: bool = True

    @property
    def has_results(self) -> bool:
        """Whether anything was measured."""
        return bool(self.results or self.series)

    def says_the_same(self, peer: Row) -> bool:
        """Whether both rows hold the same, wherever they stand in the file."""
        return all(
            getattr(self, name) == getattr(peer, name)
            for name in (
                "replicate",
                "conditions",
                "results",
                "series",
                "status",
                "failure",
                "note",
                "facts",
            )
        )


def group_rows(
    rows: Sequence[Row],
    columns: Columns,
    problems: list[RowProblem],
    kinds: Sequence[Failure],
    *,
    are_replicates: bool = False,
) -> tuple[tuple[ImportedRun, ...], list[str]]:
    """Put the rows of each run together; add what contradicts itself to ``problems``.

    Rows of one label (or, without one, of one experiment number) are one run. Where neither names
    the rows but a column numbers the replicates, rows of equal conditions are one run until a
    number comes again. Rows that repeat another one of their run in everything are dropped.
    ``are_replicates``: rows of equal conditions that nothing names are one run, its replicates
    numbered as they come; without, that is offered. ``kinds``: those of failure.

    Returns the runs in the file's order, and warnings.
    """
    is_numbered = bool(columns.of_kind("replicate"))
    if are_replicates and not is_numbered:
        _number_replicates(rows)
        is_numbered = True
    groups: dict[tuple[Hashable, ...], list[Row]] = {}
    for row in rows:
        if row.is_sound:
            groups.setdefault(_key(row, groups, is_numbered), []).append(row)
    n_repeated = 0
    runs = []
    for group in groups.values():
        distinct: list[Row] = []
        for row in group:
            if any(row.says_the_same(peer) for peer in distinct):
                n_repeated += 1
            else:
                distinct.append(row)
        run = _merge(distinct, columns, problems, kinds)
        if run is not None:
            runs.append(run)
    warnings = []
    if n_repeated:
        warnings.append(f"{n_repeated} rows repeat another row of their run exactly; taken once")
    warnings += _offer(rows, is_numbered=is_numbered)
    n_twins = _count_twins([row for (kind, *_), (row, *_) in groups.items() if kind == "row"])
    if n_twins:
        warnings.append(
            f"{n_twins} rows without a label hold exactly what another row holds; taken as runs of "
            "their own (remove them if they are copies)"
        )
    return tuple(runs), warnings


def _number_replicates(rows: Sequence[Row]) -> None:
    """Number the rows of equal conditions that neither a label nor a number names."""
    counts: Counter[Hashable] = Counter()
    for row in rows:
        if row.label is None and row.experiment is None:
            key = frozenset(row.conditions.items())
            counts[key] += 1
            row.replicate = counts[key]


def _offer(rows: Sequence[Row], *, is_numbered: bool) -> list[str]:
    """Say that equal settings may be replicates, where nothing in the table says so."""
    if is_numbered:
        return []
    unnamed = [row for row in rows if row.label is None and row.experiment is None]
    n_settings = len({frozenset(row.conditions.items()) for row in unnamed})
    if not unnamed or n_settings > 0.8 * len(unnamed):
        return []
    return [
        f"{len(unnamed)} rows hold {n_settings} different settings: taken as runs of their own "
        f"({field_name('replicates')} takes rows of equal settings for replicates of one run)"
    ]


def _count_twins(rows: Sequence[Row]) -> int:
    twins: dict[Hashable, list[Row]] = {}
    n_twins = 0
    for row in rows:
        alike = twins.setdefault(frozenset(row.conditions.items()), [])
        n_twins += any(row.says_the_same(peer) for peer in alike)
        alike.append(row)
    return n_twins


def _key(
    row: Row, groups: dict[tuple[Hashable, ...], list[Row]], is_numbered: bool
) -> tuple[Hashable, ...]:
    if row.label is not None:
        return "label", nfc(row.label)
    if row.experiment is not None:
        return "experiment", row.experiment
    if not is_numbered:
        return "row", row.number
    conditions, turn = frozenset(row.conditions.items()), 0
    while any(
        peer.replicate == row.replicate for peer in groups.get(("run", conditions, turn), ())
    ):
        turn += 1
    return "run", conditions, turn


def _merge(
    rows: Sequence[Row], columns: Columns, problems: list[RowProblem], kinds: Sequence[Failure]
) -> ImportedRun | None:
    """Return the run that ``rows`` tell of, or ``None`` with problems noted."""
    first = rows[0]
    n_problems = len(problems)
    conditions: dict[str, Value] = {}
    outcomes: dict[str, dict[int, float]] = {}
    facts: dict[str, Value] = {}
    status, failure = first.status, first.failure
    if all(row.is_without_success and not row.has_results for row in rows):
        # What gave nothing to measure has failed; how is not told.
        failure = failure or match_failure(kinds, OTHER.name)
    for row in rows:
        clash = next((peer for peer in rows if peer.replicate == row.replicate), row)
        if clash is not row:
            problems.append(_repetition(row, clash, columns))
            continue
        for common, values in ((conditions, row.conditions), (facts, row.facts)):
            problems += _contradictions(common, values, row, first, columns)
        for outcome, result in row.results.items():
            outcomes.setdefault(outcome, {})[row.replicate] = result
        for outcome, replicates in row.series.items():
            present = outcomes.setdefault(outcome, {})
            # A row of a further replicate goes on counting.
            shift = max(present, default=0)
            present.update({shift + number: value for number, value in replicates.items()})
        if (row.status, row.failure) != (first.status, first.failure):
            problems.append(
                RowProblem(row.number, None, None, f"expected the status of row {first.number}")
            )
    notes = list(dict.fromkeys(row.note for row in rows if row.note is not None))
    n_values = sum(map(len, outcomes.values()))
    final = status_of(n_values, status, failure)
    if failure is not None and status not in (None, Status.FAILED):
        problem: str | None = f"expected no kind of failure of a run that is {status}"
    else:
        problem = contradiction(n_values, final, failure, kinds)
    if problem is not None:
        problems.append(RowProblem(first.number, None, None, problem))
    if len(problems) > n_problems:
        return None
    return ImportedRun(
        row=first.number,
        conditions=conditions,
        outcomes=outcomes,
        status=final,
        label=first.label,
        failure=failure,
        note="\n".join(notes) or None,
        facts={name: str(text) for name, text in facts.items()},
        is_stated=status is not None or failure is not None,
        experiment=_number_of(first),
    )


def _contradictions(
    common: dict[str, Value], values: Mapping[str, Value], row: Row, first: Row, columns: Columns
) -> list[RowProblem]:
    """Add a row's values to those of its run; return what differs."""
    problems = []
    for name, value in values.items():
        expected_value = common.setdefault(name, value)
        if expected_value != value:
            expected = f"expected {expected_value}, as in row {first.number} of the same run"
            heading = _heading_of(name, columns)
            problems.append(RowProblem(row.number, heading, str(value), expected))
    return problems


def _number_of(row: Row) -> int | None:
    word = (row.experiment or "").removesuffix(".0")
    return int(word) if re.fullmatch(r"[0-9]{1,9}", word) else None


def _repetition(row: Row, first: Row, columns: Columns) -> RowProblem:
    by_label = row.label is not None
    named = columns.of_kind("label" if by_label else "experiment")
    heading = named[0].heading if named else None
    if columns.of_kind("replicate"):
        expected = f"replicate {row.replicate} stands in row {first.number} with other values"
    else:
        expected = (
            f"stands in row {first.number} with other values; expected each "
            f"{'label' if by_label else 'number'} once, or a column 'replicate' (1, 2, …)"
        )
    return RowProblem(row.number, heading, row.label or row.experiment, expected)


def _heading_of(parameter: str, columns: Columns) -> str:
    return next(c.heading for c in columns.of_kind("parameter") if c.name == parameter)
