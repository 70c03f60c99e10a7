"""Whatever a user brings: a clear message, exit code 1 or 2, no traceback, nothing written."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADINGS = ["ID", "flow_rate", "concentration", "voltage", "collector_speed"]
HEADINGS += ["elongation.longitudinal [%]"]
GOOD = ["A", "0.4", "18", "18", "400", "88"]
BENCH = [["status"], ["export"], ["show", "1"], ["log", "1", "--note", "x"], ["campaign", "show"]]


def write(path: Path, rows, headings=HEADINGS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([headings, *rows])
    return path


def cell(column: int, text: str) -> list[str]:
    return [text if i == column else value for i, value in enumerate(GOOD)]


@pytest.mark.parametrize(
    ("rows", "headings", "told"),
    [
        ([GOOD[:3] + GOOD[4:]], HEADINGS[:3] + HEADINGS[4:], "column 'voltage [kV]': this column"),
        ([cell(3, "high")], HEADINGS, "row 2, column 'voltage': 'high' — expected"),
        ([cell(3, "NaN")], HEADINGS, "'NaN' — expected"),
        ([cell(5, "inf")], HEADINGS, "'inf' — expected"),
        ([cell(5, "-Infinity")], HEADINGS, "'-Infinity' — expected"),
        ([cell(2, "-18")], HEADINGS, "'-18' — expected concentration [%] to be at least 0"),
        ([GOOD], [*HEADINGS[:3], "voltage [A]", *HEADINGS[4:]], "is in kV in this campaign, got A"),
        ([GOOD, cell(5, "90")], HEADINGS, "row 3, column 'ID': 'A' — stands in row 2"),
        ([GOOD], [*HEADINGS[:3], "Voltag", *HEADINGS[4:]], "Did you mean 'voltage'?"),
        ([cell(5, "1e6")], HEADINGS, "at most 5000"),
    ],
)
def test_a_bad_table(engine, folder, state, *, rows, headings, told) -> None:
    before = state()
    answer = engine("import", write(folder / "t.csv", rows, headings))
    assert answer.exit_code == 1
    assert told in answer.err
    assert "nothing was imported" in answer.err
    assert (answer.out, state()) == ("", before)


def test_a_table_of_too_many_rows(engine, folder, state) -> None:
    before = state()
    answer = engine("import", write(folder / "t.csv", [GOOD] * 20_001))
    assert answer.exit_code == 1
    assert "expected at most 20,000 rows, got 20,001" in answer.err
    assert state() == before


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.csv", b"", "is empty"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "binary file"),
        ("book.csv", b"PK\x03\x04", "name it .xlsx"),
        ("text.xlsx", b"a,b\n1,2\n", "expected an Excel workbook"),
        ("old.xls", b"a,b\n1,2\n", "save it as plain .xlsx"),
        ("other.json", b"{}", "engine export --format json"),
    ],
)
def test_a_file_of_another_kind(engine, folder, state, *, name, content, told) -> None:
    (folder / name).write_bytes(content)
    before = state()
    answer = engine("import", name)
    assert (answer.exit_code, told in answer.err) == (1, True), answer.err
    assert state() == before


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such name")
def test_a_file_whose_name_cannot_be_written_down(engine, folder, state) -> None:
    name = os.fsdecode(b"t\xff.csv")
    write(folder / name, [GOOD])
    before = state()
    for words in (["import", name], ["log", "--file", name], ["log", "1", "--micrograph", name]):
        answer = engine(*words)
        assert (answer.exit_code, "rename it" in answer.err) == (1, True)
    assert state() == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["import", "none.csv"], 1),
        (["import", "."], 1),
        (["import", "none", "--format", "matmcl"], 1),
        (["import", ".", "--format", "matmcl"], 1),
        (["import", "none.csv", "--format", "exel"], 2),
        (["import"], 2),
        (["show", "7"], 1),
        (["show", "none"], 1),
        (["show", "-1"], 2),
        (["export", "--format", "pdf"], 2),
        (["campaign", "show", "--revision", "9"], 1),
        (["campaign", "show", "--revision", "0"], 2),
        (["campaign", "use", "none"], 1),
        (["campaign", "create", "--file", "none.toml"], 2),
        (["campaign", "revise", "--file", "."], 2),
        (["init"], 1),
        (["init", "--template", "wool"], 1),
        (["status", "--config", "none.toml"], 2),
    ],
)
def test_words_that_name_nothing(engine, state, words, code) -> None:
    before = state()
    answer = engine(*words)
    assert answer.exit_code == code, answer.err
    assert answer.err.strip()
    assert state() == before


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("n = 8", "nn = 8", "unknown key 'propose.nn'"),
        ("low = 16.0\nhigh = 22.0", "low = 22.0\nhigh = 16.0", "bounds reversed"),
        ("step = 0.05", "step = 0.07", "does not divide the range"),
        ("threshold = 5.0", "threshold = inf", "finite"),
        ('outcome = "elongation.longitudinal"', 'outcome = "elongation"', "Did you mean"),
        ("\n[propose]", "\n[propose", "not valid TOML"),
    ],
)
def test_a_bad_configuration_stops_every_command(engine, folder, *, old, new, told) -> None:
    path = folder / "config.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    for words in BENCH:
        answer = engine(*words)
        assert (answer.exit_code, answer.out) == (2, "")
        assert told in answer.err


@pytest.mark.parametrize("words", BENCH, ids=lambda words: words[0])
@pytest.mark.parametrize(
    "damage", ["missing", "empty", "text", "other", "older", "newer", "folder"]
)
def test_a_database_that_cannot_be_used(engine, folder, *, words, damage) -> None:
    path = folder / "spinneret.db"
    if damage in ("older", "newer"):
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()
    else:
        path.unlink()
    if damage == "text":
        path.write_text("not a database " * 100)
    elif damage == "empty":
        path.touch()
    elif damage == "folder":
        path.mkdir()
    elif damage == "other":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE t (x)")
        connection.close()
    answer = engine(*words)
    assert (answer.exit_code, answer.out) == (1, "")
    assert "spinneret.db" in answer.err


# The superuser may write everything, so the script gives that up first, once everything it needs
# has been imported.
AS_ANYBODY = """
import os, sys
import engine.cli.status, engine.experiments.record, engine.results.status
import sqlalchemy.dialects.sqlite, pydantic_settings, rich.table, rich.box
from engine.cli.app import main
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="file permissions are another matter on Windows")
def test_a_read_only_database(folder) -> None:
    # Not below tmp_path, whose parents only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="spinneret-test-") as name:
        place = Path(name)
        shutil.copytree(folder, place, dirs_exist_ok=True)
        (place / "config.toml").chmod(0o644)
        (place / "spinneret.db").chmod(0o444)
        place.chmod(0o777)
        content = (place / "spinneret.db").read_bytes()

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-c", AS_ANYBODY, *words],
                cwd=place,
                env={"PYTHONPATH": str(ROOT), "PATH": ""},
                capture_output=True,
                text=True,
                check=False,
            )

        read = run("status")
        assert read.returncode == 0, read.stderr
        settings = ["flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400"]
        written = run("log", "--new", *settings)
        assert (written.returncode, written.stdout) == (1, "")
        assert "Traceback" not in written.stderr
        assert "chmod u+w" in written.stderr
        assert (place / "spinneret.db").read_bytes() == content
