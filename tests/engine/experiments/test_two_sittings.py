"""One worksheet, filled in twice: `log --file` and `import` read it alike."""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl
import pytest

ALONG = "elongation.longitudinal"
SETTINGS = ["flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400"]


@pytest.fixture
def sheet(engine, folder, prepare) -> Path:
    def work() -> None:
        for value in ("88", "90"):
            engine("log", "--new", *SETTINGS, f"{ALONG}={value}")
        engine("propose", "--n", 3, "--strategy", "sobol", "--csv", "sheet.csv")

    prepare(folder, work)
    return folder / "sheet.csv"


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def fill(path: Path, row: int, value: str, column: str = f"{ALONG} [%]") -> None:
    rows = read(path)
    rows[row][rows[0].index(column)] = value
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)


def results(engine) -> list[dict[str, list[float]]]:
    return [engine("show", id_, "--json").json["outcomes"] for id_ in (3, 4, 5)]


def commands(path: Path) -> dict[str, tuple[object, ...]]:
    return {"log": ("log", "--file", path, "--json"), "import": ("import", path, "--json")}


@pytest.mark.matrix
@pytest.mark.parametrize("morning", ["log", "import"])
@pytest.mark.parametrize("evening", ["log", "import"])
def test_row_by_row(engine, sheet, morning, evening) -> None:
    fill(sheet, 1, "77")
    fill(sheet, 1, "a first note", column="note")
    assert engine(*commands(sheet)[morning]).exit_code == 0
    fill(sheet, 2, "78")
    answer = engine(*commands(sheet)[evening])
    assert answer.exit_code == 0, answer.err
    assert results(engine) == [{ALONG: [77.0]}, {ALONG: [78.0]}, {}]
    counts = engine("status", "--json").json["counts"]
    assert (counts["completed"], counts["running"] + counts["proposed"]) == (4, 1)
    assert engine("show", 3, "--json").json["note"] == "a first note"
    again = engine(*commands(sheet)[evening]).json
    assert again.get("recorded", []) == []
    assert again.get("extended", 0) == again.get("added", 0) == 0


def test_a_value_that_changed_is_asked_for(engine, sheet, state) -> None:
    fill(sheet, 1, "77")
    engine("log", "--file", sheet)
    fill(sheet, 1, "70")
    before = state()
    for words in commands(sheet).values():
        assert engine(*words).exit_code == 1
    assert state() == before
    assert engine("import", sheet, "--update", "--json").json["corrections"] == 1


def test_it_survives_a_spreadsheet(engine, sheet) -> None:
    """Saved with decimal commas, as Excel's "CSV UTF-8" is where commas are decimal."""
    rows = read(sheet)
    rows[1:] = [[cell.replace(".", ",") for cell in row] for row in rows[1:]]
    rows[1][rows[0].index(f"{ALONG} [%]")] = "77,5"
    with sheet.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    answer = engine("log", "--file", sheet)
    assert answer.exit_code == 0, answer.err
    assert results(engine)[0] == {ALONG: [77.5]}
    assert engine("show", 3, "--json").json["actual"] == {}


def test_a_setting_as_really_run_is_recorded_by_both(engine, sheet) -> None:
    for row, words in enumerate(commands(sheet).values(), start=1):
        fill(sheet, row, "20.25", column="voltage [kV]")
        fill(sheet, row, "77")
        assert engine(*words).exit_code == 0
        assert engine("show", 2 + row, "--json").json["actual"]["voltage"] == 20.25


def test_a_worksheet_may_be_a_workbook(engine, folder, sheet) -> None:
    engine("propose", "--n", 1, "--strategy", "sobol", "--csv", "b.xlsx")
    workbook = openpyxl.load_workbook(folder / "b.xlsx")
    page = workbook.active
    headings = [cell.value for cell in page[1]]
    page.cell(2, headings.index(f"{ALONG} [%]") + 1, 66.5)
    workbook.save(folder / "b.xlsx")
    recorded = engine("log", "--file", "b.xlsx", "--json").json["recorded"]
    assert [(item["experiment"], item["values"][0]["value"]) for item in recorded] == [(6, 66.5)]


def test_numbers_of_the_worksheet_are_short(sheet) -> None:
    assert sheet.read_bytes().startswith(b"\xef\xbb\xbf")
    cells = [cell for row in read(sheet)[1:] for cell in row if cell.replace(".", "").isdigit()]
    assert max(len(cell.replace(".", "").strip("0")) for cell in cells) <= 10


def test_replicates_beside_one_another_come_back_as_such(engine, folder) -> None:
    engine("log", "--new", *SETTINGS, "--label", "A")
    path = folder / "r.csv"
    path.write_text(f"label,{ALONG}_1,{ALONG}_2\nA,80,82\n", encoding="utf-8")
    assert engine("log", "--file", path).exit_code == 0
    path.write_text(f"label,{ALONG}_1,{ALONG}_2,{ALONG}_3\nA,80,82,84\n", encoding="utf-8")
    assert engine("log", "--file", path).exit_code == 0
    assert engine("show", "A", "--json").json["outcomes"] == {ALONG: [80.0, 82.0, 84.0]}


def test_numbers_of_another_database_are_no_runs_of_this_one(engine, folder) -> None:
    for voltage in (16, 17):
        words = [w if not w.startswith("voltage") else f"voltage={voltage}" for w in SETTINGS]
        engine("log", "--new", *words, f"{ALONG}={voltage}")
    path = folder / "other.csv"
    path.write_text(
        f"experiment,f,c,v,r,{ALONG}\n1,0.2,20,22,800,50\n2,0.3,21,21,900,60\n", encoding="utf-8"
    )
    answer = engine("import", path, "--json").json
    assert answer["added"] == 2
    assert any("no numbers of this campaign" in warning for warning in answer["warnings"])
