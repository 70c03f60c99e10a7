"""Rows of a workbook that somebody hid, filtered or struck out; texts of other encodings."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from openpyxl.styles import Font

from engine.errors import DataError
from engine.experiments.importers.reading import read_table


def workbook(path: Path, *, hidden=(), struck=(), formula=False) -> Path:
    made = openpyxl.Workbook()
    sheet = made.active
    for row in (["label", "x"], ["a", 1], ["b", 2], ["c", 3], ["d", 4]):
        sheet.append(row)
    for number in hidden:
        sheet.row_dimensions[number].hidden = True
    for name in struck:
        sheet[name].font = Font(strike=True)
    if formula:
        sheet["B3"] = "=1+1"
    made.save(path)
    return path


def labels(path: Path, **options) -> tuple[str, tuple[str, ...]]:
    raw = read_table(path, max_rows=9, **options)
    return "".join(row[0] for row in raw.rows), raw.notes


@pytest.mark.parametrize(
    ("form", "rest", "told"),
    [
        ({}, "abcd", None),
        ({"hidden": [3]}, "acd", "row 3 of the workbook, hidden or filtered out"),
        ({"hidden": [3, 5]}, "ac", "rows 3, 5 of the workbook, hidden or filtered out"),
        ({"hidden": [9]}, "abcd", None),
        ({"struck": ["A4", "B4"]}, "abd", "row 4 of the workbook, struck out"),
        ({"struck": ["A4"]}, "abcd", None),
        ({"hidden": [3], "formula": True}, "acd", "row 3 of the workbook"),
    ],
)
def test_rows_put_away_are_left_aside_and_told(tmp_path, form, rest, told) -> None:
    path = workbook(tmp_path / "t.xlsx", **form)
    taken, notes = labels(path)
    assert taken == rest
    assert len(notes) == (told is not None)
    if told is not None:
        assert told in notes[0]
        assert "left aside" in notes[0]
        if not form.get("formula"):
            taken, notes = labels(path, hidden=True)
            assert taken == "abcd"
            assert told in notes[0]
            assert notes[0].endswith("taken")


def test_a_filter_hides_rows_as_spreadsheets_do(tmp_path) -> None:
    made = openpyxl.load_workbook(workbook(tmp_path / "t.xlsx", hidden=[2]))
    made.active.auto_filter.ref = "A1:B5"
    made.active.auto_filter.add_filter_column(0, ["b", "c", "d"])
    made.save(tmp_path / "f.xlsx")
    assert labels(tmp_path / "f.xlsx")[0] == "bcd"


def test_a_text_hides_no_rows(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("label\na\n")
    with pytest.raises(DataError, match="a text hides no rows"):
        read_table(path, max_rows=9, hidden=True)
    with pytest.raises(DataError, match="this is a workbook"):
        read_table(workbook(tmp_path / "t.xlsx"), max_rows=9, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        ("电压,样品\n18,第一\n", "gb18030", "GB18030"),
        ("label,说明\na,纤维很好\n", "gbk", "GB18030"),
        ("label,note\na,Größe für Öl\n", "cp1252", "Windows-1252"),
        ("label,µ\na,5 °C ± é\n", "cp1252", "Windows-1252"),
    ],
)
def test_an_encoding_is_guessed_and_told(tmp_path, text, encoding, name) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    raw = read_table(path, max_rows=9)
    assert [",".join(raw.headings), *map(",".join, raw.rows)] == text.splitlines()
    assert f"read as {name}" in raw.notes[0]
    assert read_table(path, max_rows=9, encoding=encoding).notes == ()


@pytest.mark.parametrize("encoding", ["cp1250", "cp1251", "cp932", "big5", "utf-16-le"])
def test_an_encoding_may_be_named(tmp_path, encoding) -> None:
    text = {"cp1250": "łódź", "cp1251": "образец", "cp932": "試料", "big5": "樣品"}.get(
        encoding, "é"
    )
    path = tmp_path / "t.csv"
    path.write_bytes(f"label,x\n{text},1\n".encode(encoding))
    assert read_table(path, max_rows=9, encoding=encoding).rows == ((text, "1"),)


def test_an_encoding_that_is_none_or_does_not_fit(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("label\né\n".encode("cp1252"))
    for encoding, told in (("klingon", "expected an encoding"), ("utf-8", "is not in utf-8")):
        with pytest.raises(DataError, match=told):
            read_table(path, max_rows=9, encoding=encoding)


HEAD = "label,flow_rate,concentration,voltage,collector_speed"


def test_every_command_has_the_options(engine, folder) -> None:
    (folder / "t.csv").write_bytes(f"{HEAD}\n第一,0.4,18,18,400\n".encode("gbk"))
    assert engine("import", "t.csv", "--encoding", "gbk").exit_code == 0
    (folder / "r.csv").write_bytes("label,note\n第一,好\n".encode("gbk"))
    assert engine("log", "--file", "r.csv", "--encoding", "gbk").exit_code == 0
    assert "好" in engine("show", "第一").out
    for words in (
        ["import", "t.csv", "--hidden"],
        ["log", "--file", "r.csv", "--hidden"],
        ["predict", "--file", "t.csv", "--hidden"],
        ["score", "t.csv", "--hidden"],
        ["source", "add", "s", "--table", "t.csv", "--hidden"],
    ):
        answer = engine(*words)
        assert answer.exit_code in (1, 2), words
        assert "--hidden is for Excel workbooks" in answer.err, words
    assert engine("log", "label:第一", "--note", "x", "--encoding", "gbk").exit_code == 2
    assert engine("import", "t.csv", "--encoding", "klingon").exit_code in (1, 2)
