"""``engine predict`` as somebody at the bench, or a script, uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.workspace import Workspace

SET = ("--set", "f=0.4", "--set", "concentration=18", "--set", "voltage=18", "--set",
       "collector_speed=400")  # fmt: skip
ROOM = ("--at", "temperature=22", "--at", "humidity=50")


@pytest.fixture
def filled(folder: Path, fill: Callable[[Workspace, int], None]) -> Path:
    """Return the folder of a workspace with 16 finished virtual runs."""
    with Workspace.open(folder / "config.toml") as workspace:
        fill(workspace, 16)
    return folder


def test_one_row_in_full(filled: Path, engine, state) -> None:
    before = state()
    answer = engine("predict", *SET, *ROOM)
    assert answer.exit_code == 0, answer.err
    for word in ("elongation.transverse [%]", "90% from", "success", "strongest"):
        assert word in answer.out
    assert "collector_speed 0 … 1600 rpm" in answer.out
    assert "16 finished runs" in answer.out
    assert answer.err == ""
    assert state() == before


def test_json_is_one_document(filled: Path, engine) -> None:
    answer = engine("predict", *SET, "--at", "temperature=22", "--level", 0.8, "--json")
    assert answer.exit_code == 0
    document = answer.json
    assert (document["campaign"], document["level"], document["finished_runs"]) == (
        "nanofibre", 0.8, 16,
    )  # fmt: skip
    (row,) = document["items"]
    assert row["assumed"] == ["humidity"]
    assert row["conditions"]["temperature"] == 22.0
    assert len(row["outcomes"]) == len(row["drives"]) == 10
    found = row["outcomes"]["elongation.longitudinal"]
    assert found["unit"] == "%"
    assert found["lower"] < found["mean"] < found["upper"]
    drives = row["drives"]["elongation.longitudinal"]
    assert len(drives) == 6
    assert drives[0]["span"] >= drives[-1]["span"]
    assert 0 <= row["p_success"] <= 1
    assert 0 < row["remoteness"] <= 1
    assert "humidity not stated: the mean of the readings" in answer.err


def test_a_file_of_conditions(filled: Path, engine) -> None:
    Path("rows.csv").write_text("f,c,v,r,t\n0.4,18,18,400,22\n0.4,18,30,400,\n", encoding="utf-8")
    answer = engine("predict", "--file", "rows.csv", "--at", "humidity=50", "--at", "t=20")
    assert answer.exit_code == 0, answer.err
    assert "2 rows" in answer.out
    assert "row 2: voltage [kV] = 30 lies outside the range searched, 16 … 22" in answer.err
    document = engine("predict", "--file", "rows.csv", "--at", "t=20", "--json").json
    assert [row["conditions"]["temperature"] for row in document["items"]] == [22.0, 20.0]


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        ((), 2, "--set NAME=VALUE"),
        ((*SET, "--file", "rows.csv"), 2, "one of the two"),
        (("--set", "voltag=18"), 2, "Did you mean 'voltage'"),
        (("--set", "elongation.longitudinal=18"), 2, "is measured"),
        (("--set", "voltage=high"), 2, "voltage"),
        (("--set", "voltage=-3"), 2, "--set voltage=-3: expected"),
        (("--set", "voltage=18", "--set", "v=18"), 2, "given twice"),
        (("--set", "voltage=18"), 2, "missing: flow_rate [mL/h]"),
        ((*SET, "--at", "voltage=18"), 2, "set on the machine"),
        ((*SET, "--set", "t=22", "--at", "t=22"), 2, "stated in both"),
        ((*SET, "--level", "1.5"), 2, "--level"),
        ((*SET, "--sheet", "one"), 2, "--file"),
        (("--file", "nowhere.csv"), 1, "no such file"),
        (("--file", "empty.csv"), 1, "empty"),
        (("--file", "headings.csv"), 1, "row"),
        (("--file", "short.csv"), 1, "collector_speed"),
        (("--file", "words.csv"), 1, "voltage"),
    ],
)
def test_bad_words_are_refused(filled: Path, engine, words, code: int, expected: str) -> None:
    Path("empty.csv").write_text("", encoding="utf-8")
    Path("headings.csv").write_text("f,c,v,r\n", encoding="utf-8")
    Path("short.csv").write_text("f,c,v\n0.4,18,18\n", encoding="utf-8")
    Path("words.csv").write_text("f,c,v,r\n0.4,18,high,400\n", encoding="utf-8")
    answer = engine("predict", *words)
    assert answer.exit_code == code, answer.err
    assert expected in answer.err


def test_too_many_rows_are_refused_before_anything_is_learnt(filled: Path, engine) -> None:
    Path("long.csv").write_text("f,c,v,r\n" + "0.4,18,18,400\n" * 10_001, encoding="utf-8")
    answer = engine("predict", "--file", "long.csv")
    assert answer.exit_code == 1
    assert "10000" in answer.err.replace(",", "").replace(" ", "")


def test_predicting_needs_results(engine) -> None:
    answer = engine("predict", *SET)
    assert answer.exit_code == 1
    assert "at least 2 finished runs" in answer.err


def test_large_numbers_are_written_as_a_person_does() -> None:
    from engine.cli.output import interval
    from engine.propose.request import Forecast

    assert interval(Forecast(2583.0, 1904.2, 13420.0)) == "2580 (1900–13400)"
    assert interval(Forecast(0.0000213, 0.0, 0.1)) == "0.0000213 (0–0.1)"
