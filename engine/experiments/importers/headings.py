"""A file's headings → the campaign's names: ``voltage``, ``voltage [kV]``, ``Voltage (kV)``, …

A column in another unit than the campaign's is converted, and that is told; a unit that cannot
become the campaign's is refused, and so is a heading that nearly says a name the file lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.campaign import Campaign, Parameter
from engine.campaign.units import converted
from engine.campaign.vocabulary import (
    Kind,
    Vocabulary,
    conversion_of,
    split_heading,
    unit_problem,
)
from engine.errors import RowProblem, by_voice, nearest_name

FORECAST = ("mean", "lower", "upper")
"""What follows an outcome's name and a dot in the headings of a forecast."""


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

    def of_kind(self, *kinds: Kind) -> tuple[Column, ...]:
        """The columns of these kinds, in the file's order."""
        return tuple(column for column in self.understood if column.kind in kinds)

    def conversions(self, campaign: Campaign) -> list[str]:
        """Say which columns are converted, and how."""
        notes = []
        for column in self.understood:
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
    understood: list[Column] = []
    problems: list[RowProblem] = []
    unknown: list[str] = []
    disputed: set[str] = set()
    problem: str | None
    for index, heading in enumerate(headings):
        if not heading:
            continue
        meaning, unit = vocabulary.meaning(heading)
        if meaning is None:
            unknown.append(heading)
            continue
        kind, name = meaning
        if chosen is not None and kind not in chosen:
            continue
        twin = next(
            (column for column in understood if (column.kind, column.name) == meaning), None
        )
        expected = vocabulary.unit_of(kind, name)
        if twin is not None:
            problem = f"means {name}, as does the column '{twin.heading}'; keep one of them"
        elif (change := _change(unit, expected)) is not None:
            understood.append(Column(index, heading, kind, name, unit or "", *change))
            continue
        else:
            problem = unit_problem(name, str(unit), expected)
            problem += f" and head the column '{name} [{expected}]'" if expected else ""
        disputed.add(name)
        problems.append(RowProblem(1, heading, None, problem))
    if chosen is not None:
        return Columns(tuple(understood), disputed=frozenset(disputed)), problems
    ignored = []
    assigned = {column.name for column in understood} | disputed
    forecasts = _forecasts(unknown, vocabulary)
    for heading in unknown:
        if heading in forecasts:
            continue
        problem, candidates = _judge_unknown(heading, vocabulary, assigned)
        if problem is None:
            ignored.append(heading)
            continue
        disputed |= candidates
        problems.append(RowProblem(1, heading, None, problem))
    return Columns(tuple(understood), tuple(ignored), frozenset(disputed)), problems


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
    return [
        RowProblem(
            1,
            _heading(parameter),
            None,
            f"this column is missing{_aliases_hint(parameter)}."
            f"{nearest_name(parameter.name, headings)}",
        )
        for parameter in parameters
        if parameter.name not in present
    ]


def _aliases_hint(parameter: Parameter) -> str:
    return f" (also read as: {', '.join(parameter.aliases)})" if parameter.aliases else ""


def _heading(parameter: Parameter) -> str:
    return f"{parameter.name} [{parameter.unit}]" if parameter.unit else parameter.name
