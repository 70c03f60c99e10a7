"""Problems by their kind, each with what would take the file."""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl
import pytest

from engine.errors import ConfigError, ImportRefusedError, RowProblem, grouped, mends
from engine.experiments.importers.table import read_runs
from engine.workspace.settings import parse_campaign

HEADINGS = ["flow_rate", "concentration", "voltage", "collector_speed", "humidity", "label"]
GOOD = ["0.4", "18", "18", "400", "50"]


def write(path: Path, rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def test_many_lines_of_one_kind_hide_no_other(tmp_path, nanofibre) -> None:
    rows = [["", *GOOD[1:], f"A{i}"] for i in range(146)]
    rows[100] = ["0.4", "18", "18", "400", "500", "B"]
    path = write(tmp_path / "t.csv", [HEADINGS, *rows])
    with pytest.raises(ImportRefusedError) as caught:
        read_runs(path, nanofibre, max_rows=1000)
    text = caught.value.worded("cli")
    assert len(caught.value.problems) == 146
    assert "rows 2, 3, 4, 5, 6 … (145), column 'flow_rate': the cell is empty" in text
    assert "row 102, column 'humidity': '500' — expected humidity [%] to be at most 100" in text
    assert 'default = "unknown" (or its value) of flow_rate in the campaign' in text
    assert "a maximum of humidity above 100 in the campaign" in text
    assert len(text.splitlines()) < 10


def test_what_is_offered_takes_the_file(tmp_path, engine, folder) -> None:
    path = write(folder / "t.csv", [["flow_rat", *HEADINGS[1:]], [*GOOD, "A"]])
    answer = engine("import", path)
    assert "--column 'flow_rat=flow_rate'" in answer.err
    assert engine("import", path, "--column", "flow_rat=flow_rate").exit_code == 0
    numbers = [["2024", "5", "3", "1", "1", "1"], HEADINGS, [*GOOD, "B"]]
    path = write(folder / "u.csv", numbers)
    answer = engine("import", path)
    assert "--title-rows 1" in answer.err
    assert engine("import", path, "--title-rows", 1).exit_code == 0
    assert engine("import", path, "--column", "x=y").exit_code == 2
    assert engine("import", path, "--column", "x").exit_code == 2


def test_what_means_something_is_never_suggested_for_another(tmp_path, nanofibre) -> None:
    path = write(
        tmp_path / "t.csv", [["v", *HEADINGS[:2], "collector_speed"], ["18", "0.4", "18", "1"]]
    )
    assert read_runs(path, nanofibre, max_rows=9).runs[0].conditions["voltage"] == 18
    path = write(
        tmp_path / "u.csv", [["flow_rate", "concentration", "voltage"], ["0.4", "18", "18"]]
    )
    with pytest.raises(ImportRefusedError) as caught:
        read_runs(path, nanofibre, max_rows=9)
    assert "Did you mean" not in str(caught.value)


def test_the_only_sheet_that_holds_anything_is_read(tmp_path, nanofibre) -> None:
    workbook = openpyxl.Workbook()
    workbook.create_sheet("Sheet2")
    sheet = workbook.create_sheet("results")
    for row in (HEADINGS[:5], [float(cell) for cell in GOOD]):
        sheet.append(row)
    workbook.save(tmp_path / "t.xlsx")
    assert len(read_runs(tmp_path / "t.xlsx", nanofibre, max_rows=9).runs) == 1


def test_a_part_of_the_configuration_is_called_by_its_name() -> None:
    definition = {
        "name": "c",
        "parameters": [{"name": "a", "low": 0, "high": 1}, {"name": "gap", "low": 1, "hihg": 2}],
        "properties": [{"name": "y"}],
        "objectives": [{"outcome": "y", "threshold": "often"}],
    }
    with pytest.raises(ConfigError) as caught:
        parse_campaign(definition, "config.toml")
    assert "unknown key 'parameters 'gap': hihg'" in str(caught.value)
    assert "objectives 'y': threshold" in str(caught.value)


def test_mends_are_counted() -> None:
    problems = [RowProblem(i, "x", None, "is empty", "take it") for i in range(3)]
    assert mends(problems) == ["take it  (3 problems)"]
    assert grouped(problems) == ["rows 0, 1, 2, column 'x': is empty"]
