"""What stands around a table: titles, units below headings, comments, an index, Excel's hint."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from engine.errors import DataError, ImportRefusedError
from engine.experiments.importers.reading import read_table
from engine.experiments.importers.table import read_runs


def write(tmp_path: Path, lines: list[str], delimiter: str, kind: str) -> Path:
    """The table as text, or as a workbook whose numbers are numbers."""
    cells = [line.split("|") for line in lines]
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        path.write_text("\n".join(delimiter.join(row) for row in cells) + "\n", encoding="utf-8")
        return path
    made = openpyxl.Workbook()
    for row in cells:
        made.active.append([float(c) if c[:1].isdigit() else c or None for c in row])
    made.save(path)
    return path


FORMS = [(",", "csv"), (";", "csv"), ("\t", "csv"), ("", "xlsx")]
PLAIN = ["label|voltage|flow_rate", "a|18|0.4", "b|20|0.5"]
HEADINGS = ("label", "voltage", "flow_rate")
ROWS = (("a", "18", "0.4"), ("b", "20", "0.5"))


@pytest.mark.parametrize(("delimiter", "kind"), FORMS)
@pytest.mark.parametrize(
    "above",
    [
        [],
        ["Runs of May"],
        ["Runs of May||"],
        ["Runs of May", "by Anna", ""],
        ["# made by Anna", "# two mats"],
        ["2024"],
    ],
)
def test_titles_are_left_aside_and_told(tmp_path, above, delimiter, kind) -> None:
    raw = read_table(write(tmp_path, [*above, *PLAIN], delimiter, kind), max_rows=9)
    assert (raw.headings, raw.rows) == (HEADINGS, ROWS)
    assert raw.numbers == (len(above) + 2, len(above) + 3)
    assert len(raw.notes) == bool(above)
    assert not above or "above the headings left aside" in raw.notes[0]


@pytest.mark.parametrize(("above", "row"), [([], 1), (["Runs of May"], 2), (["Runs", "", "x"], 4)])
@pytest.mark.parametrize(("delimiter", "kind"), [(",", "csv"), ("", "xlsx")])
def test_what_is_wrong_with_headings_is_placed_in_their_row(
    tmp_path, nanofibre, above, row, delimiter, kind
) -> None:
    path = write(tmp_path, [*above, "label|voltge|flow_rate", *PLAIN[1:]], delimiter, kind)
    with pytest.raises(ImportRefusedError) as caught:
        read_runs(path, nanofibre, max_rows=9)
    assert {problem.row for problem in caught.value.problems} == {row}


def test_a_title_with_commas_over_semicolons(tmp_path) -> None:
    lines = ["Runs, made by Anna, in May", "# a, b", "label;voltage;flow_rate;x;y;z"]
    path = tmp_path / "t.csv"
    path.write_text("\n".join([*lines, "a;18,5;0,4;1;2;3"]) + "\n")
    raw = read_table(path, max_rows=9)
    assert raw.headings == ("label", "voltage", "flow_rate", "x", "y", "z")
    assert raw.rows == (("a", "18,5", "0,4", "1", "2", "3"),)


def test_notes_with_many_commas_make_no_headings(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("label;note\na7;broke, at once, twice, too\n")
    assert read_table(path, max_rows=9).rows == (("a7", "broke, at once, twice, too"),)


@pytest.mark.parametrize(("delimiter", "kind"), FORMS)
def test_headings_with_a_hash_and_comments_between(tmp_path, delimiter, kind) -> None:
    lines = ["# label|voltage|flow_rate", "#1|18|0.4", "# the second is better", "#2|20|0.5"]
    raw = read_table(write(tmp_path, lines, delimiter, kind), max_rows=9)
    assert raw.headings == HEADINGS
    assert raw.rows == (("#1", "18", "0.4"), ("#2", "20", "0.5"))
    assert raw.notes == ("row 3 left aside: comments that begin with '#'",)


@pytest.mark.parametrize(("delimiter", "kind"), FORMS)
@pytest.mark.parametrize("units", ["|kV|mL/h", "-|[kV]|(mL/h)", "units|kV|mL/h", "[1]|kV|mL/h"])
def test_units_below_the_headings_are_read(tmp_path, units, delimiter, kind) -> None:
    lines = ["Title", PLAIN[0], units, *PLAIN[1:]]
    raw = read_table(write(tmp_path, lines, delimiter, kind), max_rows=9)
    assert (raw.headings, raw.rows) == (("label", "voltage [kV]", "flow_rate [mL/h]"), ROWS)
    assert "row 3 holds the units" in raw.notes[1]


def test_units_below_convert_the_values(tmp_path, nanofibre) -> None:
    path = tmp_path / "t.csv"
    head = "label,flow_rate,concentration,voltage,collector_speed"
    path.write_text(f"{head}\n,mL/h,%,V,rpm\na,0.4,18,18000,400\n")
    table = read_runs(path, nanofibre, max_rows=9)
    assert table.runs[0].conditions["voltage"] == 18.0
    assert any("converted from V to kV" in warning for warning in table.warnings)


def test_units_that_contradict_the_heading_are_refused(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("label,voltage [kV]\n,V\na,18\n")
    with pytest.raises(DataError, match="the heading says kV, the row below it V"):
        read_table(path, max_rows=9)


@pytest.mark.parametrize(
    "lines",
    [
        ["label,strength", "A,", "B,12"],  # a run named A, not amperes
        ["label,x", "m,s", "s,m"],
        ["label,strength", "K,5", "V,6"],
        ["a,b", "kV,1", "2,3"],
        ["voltage_kv,y", "1,2", "3,4"],
    ],
)
def test_rows_are_not_taken_for_units(tmp_path, lines) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n")
    raw = read_table(path, max_rows=9)
    assert [",".join(raw.headings), *map(",".join, raw.rows)] == lines
    assert raw.notes == ()


@pytest.mark.parametrize("first", [0, 1])
def test_an_index_without_a_heading_is_left_aside(tmp_path, first) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f",x\n{first},5\n{first + 1},6\n")
    raw = read_table(path, max_rows=9)
    assert raw.rows == (("", "5"), ("", "6"))
    assert "counts the rows" in raw.notes[0]
    path.write_text(",x\na,5\nb,6\n")
    with pytest.raises(DataError, match="has values but no heading"):
        read_table(path, max_rows=9)


@pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n', "sep=;\r"])
def test_the_hint_of_excel_is_no_heading(tmp_path, line) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(f"{line}label;x,y\na;1,5\n".encode())
    raw = read_table(path, max_rows=9)
    assert (raw.headings, raw.rows, raw.numbers) == (("label", "x,y"), (("a", "1,5"),), (2,))


SAMPLES = "Sample,flow_rate,concentration,voltage,collector_speed,elongation.longitudinal"


def imported(folder: Path, engine, text: str):
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return engine("import", "t.csv", "--dry-run", "--json")


@pytest.mark.parametrize(
    ("below", "told"),
    [
        ("Mean,,,,,82\nSD,,,,,2.8\n", "rows 4, 5 below the runs left aside: 'Mean', 'SD'"),
        ("Mittelwert:,0.4,18,19,400,82\nMax,0.4,18,20,400,84\n", "'Mittelwert:', 'Max'"),
        ("Mean ± SD,0.4,18,19,400,82\n", "row 4 below the runs left aside: 'Mean ± SD'"),
        ("Ø,0.4,18,19,400,82\ns,0,0,1,0,2\nn = 2,2,2,2,2,2\n", "'Ø', 's', 'n = 2'"),
        ("Durchschnitt (n=2),0.4,18,19,400,82\n", "'Durchschnitt (n=2)'"),
        ("* broke at the grip,,,,,\n", "row 4 left aside: a footnote, '* broke at the grip'"),
        ("\nNote: by Anna,,,,,\n", "row 5 left aside: a footnote"),
        (f"\n{SAMPLES}\n", "row 5 left aside: the headings once more"),
    ],
)
def test_rows_that_are_no_runs_are_left_aside(engine, folder, below, told) -> None:
    runs = f"{SAMPLES}\nA,0.4,18,18,400,80\nB,0.4,18,20,400,84\n"
    answer = imported(folder, engine, runs + below)
    assert answer.exit_code == 0, answer.out
    assert answer.json["added"] == 2
    assert any(told in warning for warning in answer.json["warnings"])


def test_means_between_the_runs_are_none_of_them(engine, folder) -> None:
    rows = "A,0.4,18,18,400,80\nB,0.4,18,18,400,84\nMean,0.4,18,18,400,82\nSD,0,0,0,0,2\n"
    answer = imported(folder, engine, f"{SAMPLES}\n{rows}C,0.4,18,20,400,84\n")
    assert answer.json["added"] == 3
    told = "rows 4, 5 among the runs left aside: 'Mean', 'SD'"
    assert any(told in warning for warning in answer.json["warnings"])


@pytest.mark.parametrize("day", ["12-05", "31-12", "05-06"])
def test_a_day_is_no_range_of_humidity(engine, folder, day) -> None:
    answer = imported(folder, engine, f"{SAMPLES},humidity\nA,0.4,18,18,400,80,{day}\n")
    assert answer.exit_code == 1
    assert day in answer.out


def test_a_run_may_be_called_max(engine, folder) -> None:
    answer = imported(folder, engine, f"{SAMPLES}\nMin,0.4,18,18,400,80\nMax,0.4,18,20,400,84\n")
    assert answer.json["added"] == 2
    assert not any("replicates" in warning for warning in answer.json["warnings"])


def test_bars_separate_cells(engine, folder) -> None:
    answer = imported(folder, engine, f"{SAMPLES}\nA,0.4,18,18,400,80\n".replace(",", "|"))
    assert answer.json["added"] == 1


def test_a_table_on_its_side_is_recognised(engine, folder) -> None:
    rows = [SAMPLES.split(","), ["A", "0.4", "18", "18", "400", "80"]]
    text = "\n".join(",".join(cells) for cells in zip(*rows, strict=True))
    answer = imported(folder, engine, text + "\n")
    assert answer.exit_code == 1
    assert "names stand below one another" in answer.out
    assert "transpose" in answer.out
