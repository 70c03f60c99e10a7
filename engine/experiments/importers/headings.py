"""A file's headings → the campaign's names: ``voltage``, ``voltage [kV]``, ``Voltage (kV)``, …

A column in another unit than the campaign's is converted, and that is told; a unit that cannot
become the campaign's is refused, and so is a heading that nearly says a name the file lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from engine.campaign import Campaign, Parameter
from engine.campaign.synonyms import RUN_WORDS, synonyms_of, synonyms_of_properties
from engine.campaign.units import converted
from engine.campaign.vocabulary import (
    Kind,
    Vocabulary,
    conversion_of,
    split_heading,
    unit_problem,
)
from engine.errors import RowProblem, by_voice, nearest_name
from engine.experiments.importers.facets import Facet, Part, facets_of

FORECAST = ("mean", "lower", "upper")
"""What follows an outcome's name and a dot in the headings of a forecast."""

WORKSHEET = ("order", "p_success", "reason")
"""Columns of the worksheet of `engine propose --csv` that say nothing of what became of a run."""


@dataclass(frozen=True)
class Column:
    """One column that is understood: where it stands, what it says, what it means."""

    index: int
    heading: str
    kind: Kind
    name: str
    unit: str = ""
    factor: float = 1.0
    offset: float = 0.0
    replicate: int | None = None
    part: Part = "value"

    def converted(self, value: float) -> float:
        """Return a cell's number in the campaign's unit."""
        if (self.factor, self.offset) == (1.0, 0.0):
            return value
        return converted(value, self.factor, self.offset)


@dataclass(frozen=True)
class Columns:
    """The columns of a file: understood, left aside, and names that a refused heading meant."""

    understood: tuple[Column, ...]
    ignored: tuple[str, ...] = ()
    disputed: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def of_kind(self, *kinds: Kind) -> tuple[Column, ...]:
        """The columns of these kinds, in the file's order."""
        return tuple(column for column in self.understood if column.kind in kinds)

    def conversions(self, campaign: Campaign) -> list[str]:
        """Say which columns are converted, and how."""
        notes = list(self.notes)
        for column in self.of_kind("parameter", "outcome"):
            if (column.factor, column.offset) != (1.0, 0.0):
                offset = f" {column.offset:+.6g}" if column.offset else ""
                notes.append(
                    f"column '{column.heading}' is converted from {column.unit} to "
                    f"{campaign.unit_of(column.name)} (× {column.factor:.6g}{offset})"
                )
        return notes

    def names(self, *kinds: Kind) -> set[str]:
        """What the columns of these kinds mean."""
        return {column.name for column in self.of_kind(*kinds)}


def map_headings(
    headings: Sequence[str], vocabulary: Vocabulary, *, kinds: Iterable[Kind] | None = None
) -> tuple[Columns, list[RowProblem]]:
    """Say what each heading means, and what is wrong with those that are not understood.

    With ``kinds``, columns of other kinds and unknown ones are left aside without a word, as are
    the forecasts that `engine propose --csv` and `engine score` write.
    """
    chosen = set(kinds) if kinds is not None else None
    stated = {meaning[1] for meaning, _ in map(vocabulary.meaning, headings) if meaning is not None}
    own_words, vocabulary = vocabulary, _with_synonyms(vocabulary, stated)
    # A table of conditions alone has no use for results.
    reader = _Headings(headings, vocabulary, chosen, chosen is None or "outcome" in chosen)
    for index, heading in enumerate(headings):
        if heading:
            reader.read(index, heading)
    if chosen is None:
        reader.judge_unknown()
    columns = _with_units_of_means(reader.understood)
    notes = (
        *_facet_notes(columns, reader.averages, vocabulary),
        *_synonym_notes(columns, own_words),
    )
    disputed = frozenset(reader.disputed)
    return Columns(tuple(columns), tuple(reader.ignored), disputed, notes), reader.problems


class _Headings:
    """Reads one heading after another."""

    def __init__(
        self,
        headings: Sequence[str],
        vocabulary: Vocabulary,
        chosen: set[Kind] | None,
        has_results: bool,
    ) -> None:
        self._vocabulary, self._chosen = vocabulary, chosen
        ours = {*WORKSHEET, *map(vocabulary.unclaimed, WORKSHEET)}
        self._forecasts = _forecasts(headings, vocabulary) | ours
        facets = facets_of(headings, vocabulary) if has_results else {}
        self._facets = {i: f for i, f in facets.items() if headings[i] not in self._forecasts}
        self._series = {f.outcome for f in self._facets.values() if f.replicate is not None}
        self._unknown: list[str] = []
        self.understood: list[Column] = []
        self.problems: list[RowProblem] = []
        self.ignored: list[str] = []
        self.averages: list[str] = []
        self.disputed: set[str] = set()

    def read(self, index: int, heading: str) -> None:
        """Put a heading where it belongs."""
        facet = self._facets.get(index)
        meaning: tuple[Kind, str] | None
        if facet is not None:
            meaning, unit = _meaning_of(facet), facet.unit
        else:
            meaning, unit = self._vocabulary.meaning(heading)
        if meaning is None:
            self._unknown.append(heading)
            return
        kind, name = meaning
        if self._chosen is not None and kind not in self._chosen:
            return
        replicate = None if facet is None else facet.replicate
        if kind == "outcome" and name in self._series and replicate is None:
            self.averages.append(heading)
            return
        place = (kind, name, replicate)
        twin = next((c for c in self.understood if (c.kind, c.name, c.replicate) == place), None)
        expected = self._vocabulary.unit_of(kind, name)
        if twin is not None:
            problem = f"means {name}, as does the column '{twin.heading}'; keep one of them"
        elif (change := _change(unit, expected)) is not None:
            part: Part = "value" if facet is None else facet.part
            column = Column(index, heading, kind, name, unit or "", *change, replicate, part)
            self.understood.append(column)
            return
        else:
            problem = unit_problem(name, str(unit), expected)
            problem += f" and head the column '{name} [{expected}]'" if expected else ""
        self.disputed.add(name)
        self.problems.append(RowProblem(1, heading, None, problem))

    def judge_unknown(self) -> None:
        """Leave unknown headings aside, or refuse those that nearly say a name."""
        assigned = {column.name for column in self.understood} | self.disputed
        for heading in self._unknown:
            if heading in self._forecasts:
                continue
            problem, candidates = _judge_unknown(heading, self._vocabulary, assigned)
            if problem is None:
                self.ignored.append(heading)
                continue
            self.disputed |= candidates
            name = sorted(candidates)[0]
            elsewhere = f"'{heading}' among the aliases of {name} in the campaign"
            mend = by_voice(f"--column '{heading}={name}'", elsewhere)
            self.problems.append(RowProblem(1, heading, None, problem, mend))


def _with_synonyms(vocabulary: Vocabulary, stated: set[str]) -> Vocabulary:
    """Return the vocabulary with what lab books call the names that no heading says itself."""
    campaign = vocabulary.campaign
    names = {*(parameter.name for parameter in campaign.parameters), *campaign.outcomes}
    names = (names | RUN_WORDS.keys()) - stated
    return vocabulary.with_synonyms(synonyms_of(campaign, names), synonyms_of_properties(campaign))


def _synonym_notes(columns: Sequence[Column], own_words: Vocabulary) -> list[str]:
    """Say of columns that are known by a lab book's word what they are taken for."""
    return [
        f"column '{column.heading}' is taken for {column.name}"
        for column in columns
        if column.kind in ("parameter", "outcome", "label", "note")
        and column.replicate is None
        and own_words.meaning(column.heading)[0] is None
    ]


def _meaning_of(facet: Facet) -> tuple[Kind, str]:
    if facet.part == "value":
        return "outcome", facet.outcome
    return ("specimens" if facet.part == "n" else "scatter"), facet.outcome


def _with_units_of_means(columns: Sequence[Column]) -> list[Column]:
    """Give a scatter without a unit that of its mean; no offset moves it."""
    factors = {column.name: column.factor for column in columns if column.kind == "outcome"}
    return [
        column
        if column.kind != "scatter"
        else replace(
            column,
            factor=column.factor if column.unit else factors.get(column.name, 1.0),
            offset=0.0,
        )
        for column in columns
    ]


def _facet_notes(
    columns: Sequence[Column], averages: Sequence[str], vocabulary: Vocabulary
) -> tuple[str, ...]:
    """Say which columns are replicates, scatter or counts of an outcome."""
    notes = []
    for outcome in vocabulary.campaign.outcomes:
        series = [c for c in columns if c.name == outcome and c.replicate is not None]
        if series:
            listed = ", ".join(f"'{column.heading}'" for column in series)
            notes.append(f"columns {listed} are replicates of {outcome}")
    for heading in averages:
        notes.append(f"column '{heading}' left aside: its replicates stand in columns of their own")
    nouns = {"sd": "the scatter (SD)", "sem": "the standard error", "n": "the number of specimens"}
    for column in columns:
        if column.kind in ("scatter", "specimens"):
            subject = f" of {column.name}" if column.name else ""
            notes.append(f"column '{column.heading}' is {nouns[column.part]}{subject}")
    return tuple(notes)


def _change(unit: str | None, expected: str | None) -> tuple[float, float] | None:
    return (1.0, 0.0) if unit is None else conversion_of(unit, expected)


def _forecasts(headings: Iterable[str], vocabulary: Vocabulary) -> set[str]:
    """Return the headings ``<outcome>.mean``, ``.lower``, ``.upper``, where all three stand."""
    present = set(headings)
    return {
        f"{outcome}.{part}"
        for outcome in vocabulary.campaign.outcomes
        for part in FORECAST
        if present.issuperset(f"{outcome}.{suffix}" for suffix in FORECAST)
    }


def _judge_unknown(
    heading: str, vocabulary: Vocabulary, assigned: set[str]
) -> tuple[str | None, set[str]]:
    """Return what is wrong with an unknown heading, if anything, and the names it may mean."""
    word, _ = split_heading(heading)
    outcomes = [name for name in vocabulary.undirected(word) if name not in assigned]
    if outcomes:
        alternatives = " or ".join(outcomes)
        return f"is measured in several directions; name one: {alternatives}", set(outcomes)
    near = vocabulary.near(word, assigned)
    if near is None:
        return None, set()
    problem = (
        f"is not a name of this campaign. Did you mean '{near}'? Rename the column, or "
        "list the heading among its aliases in config.toml"
        + by_voice(" (`engine campaign revise`)", "")
    )
    return problem, {near}


def missing_columns(
    parameters: Iterable[Parameter], columns: Columns, headings: Sequence[str] = ()
) -> list[RowProblem]:
    """Return a problem for each of ``parameters`` that no heading means or nearly means."""
    present = columns.names("parameter") | columns.disputed
    missing = [parameter for parameter in parameters if parameter.name not in present]
    by_unit = _by_unit(missing, columns.ignored)
    # What means something already is no misspelling of this.
    assigned = {column.heading for column in columns.understood}
    headings = [heading for heading in headings if heading not in assigned]
    problems = []
    for parameter in missing:
        expected = f"this column is missing{_aliases_hint(parameter)}."
        mend = f"{default_line(parameter)} takes runs without it"
        if (likely := by_unit.get(parameter.name)) is not None:
            expected += f" Is it '{likely}'?"
            mend = by_voice(
                f"--column '{likely}={parameter.name}'",
                f"'{likely}' among the aliases of {parameter.name} in the campaign",
            )
        else:
            expected += nearest_name(parameter.name, headings)
        problems.append(RowProblem(1, _heading(parameter), None, expected, mend))
    return problems


def _by_unit(missing: Sequence[Parameter], unknown: Sequence[str]) -> dict[str, str]:
    """Return of missing parameters the one unknown heading whose unit fits no other of them."""
    fitting: dict[str, list[str]] = {}
    for heading in unknown:
        _, unit = split_heading(heading)
        # Per cent and none may be anything.
        if unit and conversion_of(unit, "%") is None:
            names = [p.name for p in missing if p.unit and conversion_of(unit, p.unit) is not None]
            if len(names) == 1:
                fitting.setdefault(names[0], []).append(heading)
    return {name: headings[0] for name, headings in fitting.items() if len(headings) == 1}


def default_line(parameter: Parameter) -> str:
    """Return the line of the campaign with which runs may be without a parameter."""
    command = by_voice(" and `engine campaign revise`", "")
    return f'default = "unknown" (or its value) of {parameter.name} in the campaign{command}'


def _aliases_hint(parameter: Parameter) -> str:
    return f" (also read as: {', '.join(parameter.aliases)})" if parameter.aliases else ""


def _heading(parameter: Parameter) -> str:
    return f"{parameter.name} [{parameter.unit}]" if parameter.unit else parameter.name
