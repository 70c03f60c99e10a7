from __future__ import annotations

import pytest

from engine.experiments.importers.cell_reader import CellReader
from engine.experiments.importers.cells import parse_number
from engine.experiments.importers.headings import Column
from engine.experiments.importers.words import NoNumberError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("８８．１", 88.1),
        ("–2", -2),
        ("‐2", -2),
        ("4.0·10⁻¹", 0.4),
        ("5×10^3 V", 5),
        ("1.2 x 10^-3", 0.0012),
    ],
)
def test_numbers_are_read_as_people_write_them(text, value) -> None:
    assert parse_number(text, "x", unit="kV") == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#DIV/0!", "spreadsheet"),
        ("12.05.2024", "date"),
        ("May 12", "date"),
        ("88.1 (0.4)", "88.1 ± 0.4"),
        ("45±2", "one value a cell"),
        ("88/91", "rows of their own"),
        ("85-91", "rows of their own"),
        ("12*", "number alone"),
        ("~12", "number alone"),
        ("failed", "'failed' or 'note'"),
        ("no jet", "'failed' or 'note'"),
        ("?", "empty"),
    ],
)
def test_a_cell_without_a_number_is_refused_with_what_to_do(nanofibre, text, told) -> None:
    reader = CellReader(nanofibre)
    column = Column(0, "Voltage", "parameter", "voltage")
    assert reader.read(2, column, text, lambda cell: parse_number(cell, "x", unit="kV")) is None
    (problem,) = reader.problems
    assert told in problem.expected


def test_a_word_of_a_command_is_in_no_column() -> None:
    with pytest.raises(NoNumberError, match=r"^expected x to be a finite number$"):
        parse_number("fast", "x")
