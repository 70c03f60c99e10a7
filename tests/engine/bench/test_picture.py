"""The first page of docs/benchmarks.md: its tables are those of the file of numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.bench.picture import app, markdown, read_tables
from engine.errors import DataError

DOCS = Path(__file__).resolve().parents[3] / "docs"
NUMBERS = DOCS / "pictures" / "benchmarks.json"


@pytest.mark.parametrize("name", ["search", "replay", "accuracy", "latency"])
def test_each_table_stands_in_the_document_with_its_command(name):
    table, page = read_tables(NUMBERS)[name], (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert markdown(table) in page, "run `python -m engine.bench.picture` and paste its tables"
    assert f"```console\n{table['command']}\n```" in page


def test_the_picture_is_drawn_from_the_numbers_and_small(tmp_path):
    out = tmp_path / "picture.svg"
    result = CliRunner().invoke(app, ["--numbers", str(NUMBERS), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "| `gp` |" in result.stdout
    assert out.read_text(encoding="utf-8").startswith("<?xml")
    assert 0 < (DOCS / "pictures" / "benchmarks.svg").stat().st_size < 200_000
    first = out.read_bytes()
    CliRunner().invoke(app, ["--numbers", str(NUMBERS), "--out", str(out)])
    assert out.read_bytes() == first


def test_other_files_are_refused_in_a_line(tmp_path):
    path = tmp_path / "numbers.json"
    path.write_text(json.dumps([]))
    with pytest.raises(DataError, match=r"numbers\.json: expected a file of tables"):
        read_tables(path)
    result = CliRunner().invoke(app, ["--numbers", str(path), "--out", str(tmp_path / "a.svg")])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
