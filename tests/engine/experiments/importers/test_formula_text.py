"""Text that looks like a formula: never live in a spreadsheet, and read back as it was."""

from __future__ import annotations

import csv
import io

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.records import NewExperiment, Origin, Status
from engine.cli.batch_view import scored_csv
from engine.experiments.export import render
from engine.experiments.importers.formula_text import (
    csv_text,
    escape_formula,
    protect_apostrophe,
    unescape_formula,
)
from engine.experiments.importers.importing import import_file
from engine.experiments.importers.reading import read_table

LIVE = ["=1+1", "+1+1", "-1-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", '=HYPERLINK("x")', "-x"]
PLAIN = ["-3.5", "+1e5", "-.5", "-3,5", "0", "mat 7", "'mat'", "", "a=b", "1-2"]
SETTINGS = {"flow_rate": 0.4, "concentration": 18.0, "voltage": 17.8, "collector_speed": 0.0}


@pytest.mark.parametrize("text", LIVE)
def test_a_formula_is_written_as_text(text) -> None:
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_numbers_and_words_stay_as_they_are(text) -> None:
    assert escape_formula(text) == text
    assert unescape_formula(text) == text


@given(st.one_of(st.text(alphabet="'=+-@ \t\r\n1.5eA＝"), st.text()))
def test_reading_is_the_reverse_of_writing(text) -> None:
    assert unescape_formula(escape_formula(text)) == text
    assert unescape_formula(protect_apostrophe(text)) == text


def test_no_text_of_a_table_is_live() -> None:
    content = csv_text(["label", "=x"], [[text, -3.5] for text in LIVE])
    rows = list(csv.reader(io.StringIO(content, newline="")))
    assert rows[0] == ["label", "'=x"]
    assert all(row[0].startswith("'") and row[1] == "-3.5" for row in rows[1:])


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
@pytest.mark.parametrize("label", ["=1+1", "-x", "@A1", "'=1+1", "''=x", "-3.5", "'quoted'"])
def test_an_export_is_safe_and_comes_back(workspace, tmp_path, file_format, label) -> None:
    run = NewExperiment(
        Origin.MANUAL, Status.RUNNING, label=label, note="=cmd|'/c calc'!A1", actual=SETTINGS
    )
    with workspace.database.write("fill") as tx:
        record, campaign = workspace.active_campaign(tx)
        tx.experiments.add(record, [run])
    with workspace.database.read() as tx:
        content = render(file_format, record, campaign, tx.experiments.find(record.id))
    path = tmp_path / f"out.{file_format}"
    path.write_bytes(content)
    if file_format == "csv":
        (cells,) = list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]
        assert not any(text[:1] in tuple("=+@") for text in cells)
        assert all(float(text) for text in cells if text.startswith("-"))
    else:
        sheet = openpyxl.load_workbook(path).active
        assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)
    again = import_file(workspace, path)
    assert (again.n_added, again.n_unchanged) == (0, 1)


def test_a_scored_table_is_safe_and_can_be_scored_again(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("label,voltage\n=1+1,-3.5\n'=1,2\n")
    raw = read_table(path, max_rows=9)
    assert raw.rows == (("=1+1", "-3.5"), ("=1", "2"))
    path.write_text(scored_csv(raw.headings, raw.rows, [{}, {}], [1, 2]))
    assert path.read_text() == "label,voltage,rank\n'=1+1,-3.5,1\n'=1,2,2\n"
    assert read_table(path, max_rows=9).rows == (("=1+1", "-3.5", "1"), ("=1", "2", "2"))
