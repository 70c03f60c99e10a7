"""Reads a table's cells, row after row, and collects what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from engine.campaign import Campaign, Value
from engine.errors import RowProblem
from engine.experiments.importers import cells
from engine.experiments.importers.headings import Column
from engine.experiments.importers.number_words import advice_for
from engine.experiments.importers.words import CellError, NoNumberError

T = TypeVar("T")

_MOST_REMEMBERED = 100_000
"""So many cells of conditions are remembered, by column and text."""


@dataclass
class CellReader:
    """Reads the cells of one row after another, and collects what is wrong with them."""

    campaign: Campaign
    decimal_comma: bool = False
    problems: list[RowProblem] = field(default_factory=list)
    missing: Counter[tuple[str, str]] = field(default_factory=Counter)
    spans: Counter[tuple[str, str]] = field(default_factory=Counter)
    merged: frozenset[tuple[int, int]] = frozenset()
    _values: dict[tuple[int, str], Value] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """Say which words were taken for cells without a value."""
        return [
            f"column '{heading}': '{word}' in {n} cell{'s' * (n > 1)} is taken for not known"
            for (heading, word), n in self.missing.items()
        ] + [
            f"column '{heading}': '{word}' in {n} cell{'s' * (n > 1)} is read as its middle"
            for (heading, word), n in self.spans.items()
        ]

    def _is_missing(self, column: Column, text: str) -> bool:
        if not cells.is_missing(text):
            return False
        if text.strip():
            self.missing[column.heading, text.strip()] += 1
        return True

    def read(self, number: int, column: Column, text: str, parse: Callable[[str], T]) -> T | None:
        """Return the cell's content, or ``None`` with a problem noted."""
        try:
            return parse(text)
        except CellError as error:
            # A cell may be left empty or typed anew; a command's word is not in a column.
            advice = advice_for(text) if isinstance(error, NoNumberError) else ""
            self.problems.append(
                RowProblem(number, column.heading, text.strip(), f"{error}{advice}", error.mend)
            )
            return None

    def condition(self, number: int, column: Column, text: str) -> Value | None:
        """Return a parameter's value; an empty cell is ``None``."""
        value = self._values.get((column.index, text))
        if value is not None:
            return value
        n_spans = self.spans.total()
        value = self._condition(number, column, text)
        # Settings come again and again: a grid has few levels. What is counted is read each time.
        is_plain = self.spans.total() == n_spans
        if value is not None and is_plain and len(self._values) < _MOST_REMEMBERED:
            self._values[column.index, text] = value
        return value

    def _condition(self, number: int, column: Column, text: str) -> Value | None:
        parameter = self.campaign.parameter(column.name)
        # What every run must have is better refused by the word that stands there.
        is_ambient = parameter.role == "ambient"
        has_default = parameter.default is not None
        may_be_absent = is_ambient or has_default or bool(parameter.only_if)
        is_choice = text.strip() in map(str, parameter.choices or ())
        if not text.strip() or (may_be_absent and not is_choice and self._is_missing(column, text)):
            return None
        span = cells.span_of(text) if is_ambient else None
        if span is not None:
            # The room was between two readings; half of each is a reading in the same unit.
            ends = [self.condition(number, column, end) for end in span]
            numbers = [float(end) for end in ends if end is not None]
            if len(numbers) < 2:
                return None
            self.spans[column.heading, text.strip()] += 1
            return sum(numbers) / 2
        return self.read(
            number,
            column,
            text,
            lambda word: cells.parse_condition(
                word,
                parameter,
                decimal_comma=self.decimal_comma,
                unit=column.unit,
                convert=column.converted,
            ),
        )

    def result(self, number: int, column: Column, text: str) -> float | None:
        """Return a measurement; an empty cell is ``None``."""
        prop = self.campaign.property_of(column.name)
        if self._is_missing(column, text):
            return None
        if (number, column.index) in self.merged:
            expected = (
                "one result over several rows (merged cells): unmerge them and write it where it "
                "was measured"
            )
            self.problems.append(RowProblem(number, column.heading, text.strip(), expected))
            return None
        return self.read(
            number,
            column,
            text,
            lambda word: cells.parse_result(
                word,
                prop,
                decimal_comma=self.decimal_comma,
                unit=column.unit,
                convert=column.converted,
            ),
        )

    def fact(self, number: int, column: Column, text: str) -> str | None:
        """Return who, when or with what; an empty cell is ``None``."""
        if self._is_missing(column, text):
            return None
        fact = self.campaign.fact(column.name)
        return self.read(number, column, text, lambda word: cells.parse_fact(word, fact))
