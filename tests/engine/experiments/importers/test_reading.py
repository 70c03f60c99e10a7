from __future__ import annotations

import datetime
from pathlib import Path

import openpyxl
import pytest

from engine.errors import DataError, ImportRefusedError, NotFoundError
from engine.experiments.importers.reading import read_table


def table(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def workbook(path: Path, rows, *, sheets=("runs",), merge=None) -> Path:
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for title in sheets:
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
        if merge:
            sheet.merge_cells(merge)
    made.save(path)
    return path


def refusal(path: Path, **options) -> str:
    with pytest.raises((DataError, NotFoundError)) as caught:
        read_table(path, max_rows=options.pop("max_rows", 100), **options)
    told = caught.value.worded("cli")
    assert str(path) in told
    assert str(path.parent) not in str(caught.value), "a path of the server's"
    return told


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_reads_what_spreadsheets_write(tmp_path, separator, encoding, line_end) -> None:
    lines = [["id", "θ [°]", "note"], ["1", "0.5", f'"a{separator}b"'], [], ["2", "7", ""]]
    text = line_end.join(separator.join(line) for line in lines) + line_end
    raw = read_table(table(tmp_path / "t.csv", text.encode(encoding)), max_rows=10)
    assert raw.headings == ("id", "θ [°]", "note")
    assert raw.rows == (("1", "0.5", f"a{separator}b"), ("2", "7", ""))
    assert raw.numbers == (2, 4)
    assert raw.notes == ()
    assert raw.may_use_decimal_comma == (separator != ",")


def test_another_encoding_is_read_and_told(tmp_path) -> None:
    raw = read_table(table(tmp_path / "t.csv", "id,µ\n1,é\n".encode("cp1252")), max_rows=10)
    assert raw.rows == (("1", "é"),)
    assert "Windows-1252" in raw.notes[0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a,b\n", "expected rows of values below the headings"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "binary file"),
        (b"a,b\n1,\x02\n", "control character 0x02"),
        (b"a,b\n1,\x81\xff\n", "neither UTF-8 nor Windows-1252"),
        (b"PK\x03\x04rest", "name it .xlsx"),
        (b"\xd0\xcf\x11\xe0rest", "old or encrypted Excel"),
        (b'a,b\n1,"open\n', "line 2 cannot be read as CSV"),
        (b"a,b\n1\n", "row 2: expected 2 cells as in the headings, got 1"),
        (b"a,b\n1,2,3\n", "row 2: expected 2 cells as in the headings, got 3"),
        (b"a,,c\n1,2,3\n", "column '2': has values but no heading"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, told) -> None:
    assert told in refusal(table(tmp_path / "t.csv", content))


def test_too_many_rows_are_counted_and_refused(tmp_path) -> None:
    path = table(tmp_path / "t.csv", "a\n" + "1\n" * 101)
    assert "expected at most 100 rows, got 101" in refusal(path)
    assert len(read_table(path, max_rows=101).rows) == 101


def test_missing_files_and_folders_are_told(tmp_path) -> None:
    assert "no such file" in refusal(tmp_path / "none.csv")
    assert "is a folder" in refusal(tmp_path)


def test_a_workbook_reads_like_text(tmp_path) -> None:
    rows = [["id", "x", "y"], [1, 0.5, "a"], [None, None, None], [2.0, 3, None]]
    raw = read_table(workbook(tmp_path / "t.xlsx", rows), max_rows=10)
    assert raw.headings == ("id", "x", "y")
    assert raw.rows == (("1", "0.5", "a"), ("2", "3", ""))
    assert raw.numbers == (2, 4)


def test_a_workbook_of_several_sheets_needs_a_name(tmp_path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["id"], [1]], sheets=("a", "b"))
    assert "several sheets (a, b)" in refusal(path)
    assert "no sheet 'c'" in refusal(path, sheet="c")
    assert read_table(path, max_rows=10, sheet="b").rows == (("1",),)


def test_a_formula_without_a_value_is_refused_in_its_place(tmp_path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["id", "x"], [1, "=1+1"]])
    with pytest.raises(ImportRefusedError) as caught:
        read_table(path, max_rows=10)
    (problem,) = caught.value.problems
    assert (problem.row, problem.column) == (2, "x")
    assert "formula without a saved value" in problem.expected


def test_dates_come_as_dates(tmp_path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["x"], [datetime.datetime(2024, 5, 1)]])
    assert read_table(path, max_rows=10).rows == (("2024-05-01",),)


@pytest.mark.parametrize("content", [b"PK\x03\x04broken", b"id,x\n1,2\n"])
def test_a_damaged_workbook_is_refused(tmp_path, content) -> None:
    path = table(tmp_path / "t.xlsx", content)
    assert "damaged" in refusal(path) or "expected an Excel workbook" in refusal(path)


def test_sheets_are_for_workbooks(tmp_path) -> None:
    assert "--sheet" in refusal(table(tmp_path / "t.csv", "a\n1\n"), sheet="b")


@pytest.mark.parametrize(
    ("note", "encoding", "told"),
    [
        ("łąka", "cp1250", "Windows-1252"),
        ("Größe", "cp1252", "Windows-1252"),
        ("电压kV 高度", "gb2312", "GB18030"),
        ("样", "gb2312", "GB18030"),
    ],
)
def test_letters_of_a_word_are_no_ideographs(tmp_path, note, encoding, told) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(f"label,note\nA,{note}\n".encode(encoding))
    (line,) = read_table(path, max_rows=9).notes
    assert told in line


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_two_bytes_a_letter_are_known_without_their_mark(tmp_path, encoding) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("label,x (°C)\nmat 1,5\n".encode(encoding))
    raw = read_table(path, max_rows=9)
    assert (raw.headings, raw.rows) == (("label", "x (°C)"), (("mat 1", "5"),))
