"""Cells mean what a person sees: per cent, units, dates; a choice is a choice at every door."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from engine.experiments.importers.cells import parse_number
from engine.experiments.importers.reading import read_table
from engine.experiments.importers.table import read_conditions, read_runs
from engine.experiments.importers.words import CellError

Engine = Callable[..., Any]

HEADINGS = ["flow_rate", "concentration", "voltage", "collector_speed", "humidity", "label"]


def workbook(path: Path, headings, *cells) -> Path:
    """A row of ``(value, number format)``."""
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.append(headings)
    for column, (value, code) in enumerate(cells, 1):
        sheet.cell(2, column, value).number_format = code
    made.save(path)
    return path


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (0.45, "0%", "45%"),
        (0.07, "0.00%", "7%"),
        (1, "0%", "100%"),
        (0, "0%", "0%"),
        (-0.123456, "0%", "-12.3456%"),
        (1e-7, "0.0%", "0.00001%"),
        (0.45, '0.0"%"', "0.45 %"),
        (18, '0.0" kV"', "18 kV"),
        (18, "0.0\\ [Red]", "18"),
        (18, '0" (estimated)"', "18"),
        (1234.5, "#,##0.00", "1234.5"),
        (3.2, '"€"#,##0.00', "3.2"),
        (3.2, "[$€-407] #,##0.00", "3.2"),
        (7, "0000", "0007"),
        (datetime.datetime(2024, 5, 3), "dd/mm/yyyy", "2024-05-03"),
        (datetime.datetime(2024, 5, 3, 14, 30), "dd/mm/yyyy hh:mm", "2024-05-03 14:30:00"),
        (datetime.time(0, 0), "hh:mm", "00:00:00"),
        (True, "0%", "True"),
        ("45", "0%", "45"),
    ],
)
def test_a_cell_is_read_as_it_is_shown(tmp_path, value, number_format, text) -> None:
    raw = read_table(workbook(tmp_path / "t.xlsx", ["x"], (value, number_format)), max_rows=9)
    assert raw.rows == ((text,),)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("45%", "%", 45),
        ("45 %", "wt%", 45),
        ("45 %", "vol%", 45),
        ("45 %", "", 0.45),
        ("7%", "1", 0.07),
        ("18 kV", "kV", 18),
        ("18000 V", "kV", 18),
        ("18KV", "kV", 18),
        ("1e3 V", "kV", 1),
        ("−5 °C", "°C", -5),
        ("32 °F", "°C", 0),
        ("€ 3.20", "EUR", 3.2),
        ("3.20 $", "USD", 3.2),
    ],
)
def test_a_cell_may_state_its_unit(text, unit, value) -> None:
    assert parse_number(text, "x", unit=unit) == pytest.approx(value, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("45 %", "kV"),
        ("18 mm", "kV"),
        ("18 kV", ""),
        ("€ 3.20", "USD"),
        ("3 x", "kV"),
        ("€ 3 $", ""),
    ],
)
def test_another_unit_is_refused(text, unit) -> None:
    with pytest.raises(CellError, match="finite number"):
        parse_number(text, "x", unit=unit)


def test_decimal_commas_and_units_go_together(tmp_path, nanofibre) -> None:
    path = tmp_path / "t.csv"
    path.write_text(";".join(HEADINGS) + "\n0,4;18;18,5 kV;400;45,5 %;a\n")
    (run,) = read_runs(path, nanofibre, max_rows=9).runs
    assert (run.conditions["voltage"], run.conditions["humidity"]) == (18.5, 45.5)


@pytest.mark.parametrize("heading", ["humidity", "humidity [%]"])
def test_a_percentage_is_the_number_it_shows(tmp_path, nanofibre, heading) -> None:
    general = "General"
    path = workbook(
        tmp_path / "t.xlsx",
        [*HEADINGS[:4], heading, "label"],
        *((value, general) for value in (0.4, 18, 18, 400)),
        (0.45, "0%"),
        (datetime.datetime(2024, 5, 3), "dd.mm.yyyy"),
    )
    (run,) = read_runs(path, nanofibre, max_rows=9).runs
    assert (run.conditions["humidity"], run.label) == (45.0, "2024-05-03")
    _, (conditions,) = read_conditions(path, nanofibre, max_rows=9)
    assert conditions["humidity"] == 45.0


def test_a_column_of_both_is_told(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y,z\n45%,45%,a\n0.5,50 %,5\n")
    (note,) = read_table(path, max_rows=9).notes
    assert "column 'x': 1 cells are per cent and 1 are plain" in note


DEFINITION = """
[campaign]
name = "wires"
parameters = [
    { name = "gauge_size", choices = [10, 20, 40] },
    { name = "voltage", unit = "kV", low = 10, high = 20 },
]
properties = [{ name = "strength", unit = "MPa" }]
objectives = [{ outcome = "strength", threshold = 1 }]
"""


def test_a_value_off_the_choices_is_said_at_every_door(engine: Engine, folder: Path) -> None:
    (folder / "wires.toml").write_text(DEFINITION, encoding="utf-8")
    assert engine("campaign", "create", "--file", "wires.toml").exit_code == 0
    rows = [f"r{i},{size},{10 + i},{3 + i}" for i, size in enumerate([10, 20, 40, 30, 10, 20])]
    heading = "label,gauge_size,voltage,strength"
    (folder / "t.csv").write_text("\n".join([heading, *rows]) + "\n")
    (folder / "c.csv").write_text("gauge_size,voltage\n30,12\n")
    (folder / "r.csv").write_text("label,gauge_size\nr0,30\n")
    each = "is not one of 10, 20, 40, the choices searched"
    counted = "1 {} lies outside the choices of gauge_size searched, 10, 20, 40"
    doors = [
        (("import", "t.csv"), counted.format("run")),
        (("log", "--new", "gauge_size=30", "voltage=12"), each),
        (("log", "label:r1", "--actual", "gauge_size=30"), each),
        (("log", "--file", "r.csv"), each),
        (("predict", "--set", "gauge_size=30", "--set", "voltage=12"), each),
        (("predict", "--file", "c.csv"), each),
        (("score", "c.csv"), counted.format("candidate")),
    ]
    for words, told in doors:
        answer = engine(*words)
        assert answer.exit_code == 0, (words, answer.err)
        assert told in " ".join(answer.err.split()), (words, answer.err)
