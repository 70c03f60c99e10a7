"""Merged cells: layout is layout; a condition over rows holds for each, a result does not."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from engine.errors import DataError, ImportRefusedError
from engine.experiments.importers.reading import read_table
from engine.experiments.importers.table import read_runs

HEADINGS = ["label", "x", "y"]
BODY = [["a", 1, 5], ["b", 2, 6], ["c", 3, 7]]


def workbook(path: Path, rows: list[list[object]], *areas: str) -> Path:
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    for area in areas:
        made.active.merge_cells(area)
    made.save(path)
    return path


@pytest.mark.parametrize(
    ("rows", "areas"),
    [
        ([["PAN, spring"], HEADINGS, *BODY], ["A1:C1"]),
        ([["PAN, spring"], [], ["by A."], HEADINGS, *BODY], ["A1:C1", "A3:B3"]),
        ([HEADINGS, [None, "kV", "MPa"], *BODY], ["A1:A2"]),
        ([HEADINGS, *BODY], ["E1:F3"]),
        ([[*HEADINGS, "note"], *([*row, "ok"] for row in BODY)], ["D2:E2"]),
    ],
)  # fmt: skip
def test_layout_is_read_as_if_it_were_not_merged(tmp_path, rows, areas) -> None:
    plain = read_table(workbook(tmp_path / "plain.xlsx", rows), max_rows=9)
    merged = read_table(workbook(tmp_path / "merged.xlsx", rows, *areas), max_rows=9)
    assert merged.headings == plain.headings
    assert merged.rows == plain.rows
    assert merged.notes == plain.notes
    assert not merged.merged


def test_a_value_over_rows_holds_for_each_and_is_told(tmp_path) -> None:
    path = workbook(tmp_path / "t.xlsx", [HEADINGS, *BODY], "B2:B4", "A3:A4")
    raw = read_table(path, max_rows=9)
    assert raw.rows == (("a", "1", "5"), ("b", "1", "6"), ("b", "1", "7"))
    assert raw.notes == ("merged cells B2:B4, A3:A4: the value counts for each row",)
    assert raw.merged == {(2, 1), (3, 1), (4, 1), (3, 0), (4, 0)}


@pytest.mark.parametrize("area", ["B3:C3", "A2:B3"])
def test_a_value_over_columns_is_refused(tmp_path, area) -> None:
    path = workbook(tmp_path / "t.xlsx", [HEADINGS, *BODY, ["d", 1, 2]], area)
    with pytest.raises(DataError, match=f"merged cells at {area}"):
        read_table(path, max_rows=9)


def test_conditions_over_rows_are_each_runs_and_results_are_refused(tmp_path, nanofibre) -> None:
    headings = [
        "label", "flow_rate", "concentration", "voltage", "collector_speed", "temperature",
        "humidity", "fracture_strength.longitudinal",
    ]  # fmt: skip
    rows = [
        headings,
        ["a", 0.3, 18, 18, 400, 22, 50, 6.1],
        ["b", 0.4, None, 18, 400, 22, 50, 7.2],
    ]
    path = workbook(tmp_path / "t.xlsx", rows, "C2:C3")
    runs = read_runs(path, nanofibre, max_rows=9).runs
    assert [run.conditions["concentration"] for run in runs] == [18, 18]
    path = workbook(tmp_path / "u.xlsx", rows, "C2:C3", "H2:H3")
    with pytest.raises(ImportRefusedError) as caught:
        read_runs(path, nanofibre, max_rows=9)
    problems = caught.value.problems
    assert [(problem.row, problem.column) for problem in problems] == [
        (2, "fracture_strength.longitudinal"),
        (3, "fracture_strength.longitudinal"),
    ]
    assert "one result over several rows" in problems[0].expected
