"""Tables as sources: any CSV or Excel file with a mapping, and MatMCL's published layout.

A column is what the mapping says; else what its heading says, in the campaign's words, the model's,
or their synonyms. Units stand in the heading (``Q [µL/min]``, ``voltage_kv``) or are stated. Every
row is a run; rows without any result are left aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.campaign import Campaign, Value
from engine.campaign.synonyms import canonical
from engine.campaign.units import UnitError, check_unit
from engine.campaign.vocabulary import Kind, Vocabulary, split_heading
from engine.errors import ImportRefusedError, RowProblem, UsageError, field, nearest_name
from engine.experiments.importers import cells, matmcl
from engine.experiments.importers.headings import Column, Columns
from engine.experiments.importers.number_styles import plain_numbers
from engine.experiments.importers.reading import read_table
from engine.experiments.importers.words import CellError
from engine.sources.axes import Axis, axes_of, match_axes, match_outcomes
from engine.sources.base import Words, base_words
from engine.sources.definition import SourceDefinition
from engine.sources.matching import Outcome
from engine.sources.runs import Picture, SourceContent, SourceRun, outcomes_of

# A column of the wrong kind gives one for each row.
MOST_PROBLEMS = 200
_ANY_SIZE = 1e6  # megapixels: only the header is read here


@dataclass(frozen=True)
class _Heading:
    """A column's heading taken apart, and what the column holds."""

    column: Column
    name: str
    unit: str


def read_table_source(
    path: Path, definition: SourceDefinition, campaign: Campaign, max_rows: int
) -> SourceContent:
    """Read a CSV, TSV or Excel table.

    Raises:
        NotFoundError, DataError: the file cannot be read as a table.
        ImportRefusedError: cells that are no numbers; carries every problem found.
        UsageError: the mapping names a heading that is not there.
    """
    raw = read_table(
        path,
        max_rows=max_rows,
        sheet=definition.sheet,
        encoding=definition.encoding,
        hidden=definition.hidden,
    )
    meanings = _Meanings(campaign, base_words(), definition)
    headings = meanings.of(raw.headings)
    columns = Columns(tuple(heading.column for heading in headings))
    numbers = plain_numbers(raw, columns, campaign)
    raw, comma = numbers.raw, numbers.decimal_comma
    problems = list(numbers.problems)
    every = [
        _run(number, texts, headings, comma, problems)
        for number, texts in zip(raw.numbers, raw.rows, strict=True)
    ]
    # All cells first: who mends a table wants to hear of every cell at once.
    if problems:
        raise ImportRefusedError(raw.source, problems[:MOST_PROBLEMS])
    runs, notes = _finished(every, has_outcomes=bool(columns.of_kind("outcome")))
    axes = [
        _ranged(Axis(h.name, h.unit), runs)
        for h in headings
        if h.column.kind == "parameter" and any(h.name in run.conditions for run in runs)
    ]
    used = {h.column.heading for h in headings if h.column.kind != "parameter"}
    used |= {h.column.heading for h in headings if h.name in {axis.name for axis in axes}}
    aside = [heading for heading in raw.headings if heading and heading not in used]
    if aside:
        notes.insert(0, f"columns left aside: {', '.join(aside)}")
    return SourceContent(
        tuple(axes),
        tuple(meanings.outcome(h, runs) for h in headings if h.column.kind == "outcome"),
        runs,
        (*raw.notes, *notes),
        links=meanings.links(headings),
    )


def read_matmcl(
    path: Path, definition: SourceDefinition, campaign: Campaign, max_rows: int
) -> SourceContent:
    """Read MatMCL's published table or folder, with its micrographs.

    Raises:
        NotFoundError, DataError, ImportRefusedError: as of
        `engine.experiments.importers.matmcl.read_runs`.
    """
    from engine.lab.virtual import nanofibre_campaign
    from engine.micrographs.scale import read_scale
    from engine.micrographs.store import inspect_picture

    known_campaign = nanofibre_campaign()
    table = matmcl.read_runs(path, known_campaign, max_rows=max_rows)
    runs = []
    for run in table.runs:
        outcomes = {name: tuple(values.values()) for name, values in run.outcomes.items()}
        if outcomes:
            scales = [
                read_scale(file, inspect_picture(file, _ANY_SIZE, decode=False)[1:]).scale
                for file in run.micrographs
            ]
            pictures = tuple(
                Picture(file, scale.nm_per_pixel if scale else None)
                for file, scale in zip(run.micrographs, scales, strict=True)
            )
            runs.append(SourceRun(str(run.label), run.conditions, outcomes, pictures))
    axes = tuple(_ranged(axis, runs) for axis in axes_of(known_campaign))
    return SourceContent(axes, outcomes_of(known_campaign), tuple(runs), table.warnings)


class _Meanings:
    """What the columns of a table mean, to one campaign and to the model."""

    def __init__(self, campaign: Campaign, base: Words, definition: SourceDefinition) -> None:
        self.campaign = campaign
        self.base = base
        self.definition = definition
        self._vocabulary = Vocabulary(campaign)

    def of(self, headings: Sequence[str]) -> list[_Heading]:
        """Return the columns that mean something, each heading taken apart."""
        mapped = self._mapped(headings)
        columns: list[_Heading] = []
        for index, heading in enumerate(headings):
            if not heading:
                continue
            name, unit = self._split(heading)
            kind = mapped.get(index) or self._kind(heading, name, unit)
            if kind is None:
                continue
            column_name = name if kind in ("parameter", "outcome") else kind
            if any(column.name == column_name for column in columns):
                column_name = heading
            columns.append(_Heading(Column(index, heading, kind, column_name), column_name, unit))
        return columns

    def links(self, headings: Sequence[_Heading]) -> dict[str, str]:
        """Return the mapping by the columns' own names: ours → the name without its unit.

        Headings that are the campaign's words or aliases are linked to what they stand for.
        """
        name_by_heading = {word: h.name for h in headings for word in (h.column.heading, h.name)}
        mapping = {
            ours: name_by_heading.get(theirs, theirs)
            for ours, theirs in self.definition.names.items()
        }
        for heading in headings:
            meaning = self._vocabulary.lookup(heading.name)
            is_free = heading.name not in mapping.values()
            if meaning is not None and is_free and meaning[0] == heading.column.kind != "label":
                mapping.setdefault(meaning[1], heading.name)
        return mapping

    def _split(self, heading: str) -> tuple[str, str]:
        """Take the unit off a heading: in brackets, or after its name (``voltage_kv``)."""
        name, unit = split_heading(heading)
        if unit is not None:
            try:
                check_unit(unit)
            except UnitError:
                return heading, ""
            return name, unit
        for separator in ("_", " "):
            stem, mark, tail = heading.rpartition(separator)
            if mark and self._is_parameter(stem, tail):
                return stem, tail
        return heading, ""

    def _is_parameter(self, stem: str, unit: str) -> bool:
        try:
            check_unit(unit)
        except UnitError:
            return False
        axis = Axis(stem, unit)
        ours = Words(self.base.parameters, ())
        if match_axes((axis,), ours).matches or match_outcomes([stem], self.base):
            return True
        return canonical(stem) in {canonical(p.name) for p in self.campaign.parameters}

    def _mapped(self, headings: Sequence[str]) -> dict[int, Kind]:
        """Return the kinds of the columns that the mapping names, by whole heading or by name."""
        places = {heading: index for index, heading in enumerate(headings) if heading}
        places |= {self._split(heading)[0]: index for heading, index in places.items()}
        outcomes = {*self.campaign.outcomes, *self.base.outcomes}
        kinds: dict[int, Kind] = {}
        for ours, theirs in self.definition.names.items():
            if theirs not in places:
                raise UsageError(
                    f"{field('map')} {ours}={theirs}: the table has no column '{theirs}'."
                    f"{nearest_name(theirs, places)} It has: {', '.join(filter(None, headings))}"
                )
            kinds[places[theirs]] = "outcome" if ours in outcomes else "parameter"
        return kinds

    def _kind(self, heading: str, name: str, unit: str) -> Kind | None:
        for word in (heading, name):
            meaning = self._vocabulary.lookup(word)
            if meaning is not None:
                kind = meaning[0]
                return kind if kind in ("parameter", "outcome", "label") else None
        if match_axes((Axis(name, unit),), self.base).matches:
            return "parameter"
        pseudo = Words((), self.campaign.outcomes)
        if match_outcomes([name], self.base) or match_outcomes([name], pseudo):
            return "outcome"
        mine = {canonical(p.name) for p in self.campaign.parameters}
        return "parameter" if canonical(name) in mine else None

    def outcome(self, heading: _Heading, runs: Sequence[SourceRun]) -> Outcome:
        """Return the outcome of a column; its scale is the campaign's, or follows from its values.

        All above zero and spread over more than a factor of two: the logarithm.
        """
        ours = [
            o for o, column_name in self.links([heading]).items() if column_name == heading.name
        ]
        for word in (*ours, heading.name):
            meaning = self._vocabulary.lookup(word)
            if meaning is not None and meaning[0] == "outcome":
                is_log = self.campaign.property_of(meaning[1]).scale == "log"
                return Outcome(heading.name, heading.unit, is_log)
        values = [v for run in runs for v in run.outcomes.get(heading.name, ())]
        is_log = bool(values) and min(values) > 0 and max(values) > 2 * min(values)
        return Outcome(heading.name, heading.unit, is_log)


def _run(
    number: int,
    texts: Sequence[str],
    headings: Sequence[_Heading],
    comma: bool,
    problems: list[RowProblem],
) -> SourceRun:
    label = f"row {number}"
    conditions: dict[str, Value] = {}
    outcomes: dict[str, tuple[float, ...]] = {}
    for heading in headings:
        text, column = texts[heading.column.index].strip(), heading.column
        # What spreadsheets and lab books write where there is nothing.
        if cells.is_missing(text):
            continue
        if column.kind == "label":
            label = text
            continue
        try:
            value = cells.parse_number(text, heading.name, decimal_comma=comma, unit=heading.unit)
        except CellError as error:
            if column.kind == "parameter":
                conditions[heading.name] = text  # a choice by name, judged column by column
            else:
                problems.append(RowProblem(number, column.heading, text, str(error)))
            continue
        if column.kind == "parameter":
            conditions[heading.name] = value
        else:
            outcomes[heading.name] = (value,)
    return SourceRun(label, conditions, outcomes)


def _ranged(axis: Axis, runs: Sequence[SourceRun]) -> Axis:
    """Give an axis the range of its numbers; one that is mostly words is a choice."""
    values = [run.conditions[axis.name] for run in runs if axis.name in run.conditions]
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) * 2 < len(values):
        return replace(axis, low=None, high=None, is_categorical=True)
    if not numbers:
        return replace(axis, low=None, high=None)
    return replace(axis, low=min(numbers), high=max(numbers))


def _finished(
    every: Sequence[SourceRun], *, has_outcomes: bool
) -> tuple[tuple[SourceRun, ...], list[str]]:
    """Leave rows without results and exact repetitions aside; tell how many."""
    runs = [run for run in every if run.outcomes or not has_outcomes]
    notes = []
    if len(runs) < len(every):
        notes.append(f"{len(every) - len(runs)} of {len(every)} rows have no result: left aside")
    distinct: dict[object, SourceRun] = {}
    for run in runs:
        key = (frozenset(run.conditions.items()), frozenset(run.outcomes.items()))
        distinct.setdefault(key, run)
    if len(distinct) < len(runs):
        notes.append(f"{len(runs) - len(distinct)} rows repeat another one exactly: taken once")
    return tuple(distinct.values()), notes
