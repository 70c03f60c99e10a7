"""Numbers as people write them: separators of thousands, decimal commas, words for nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ImportRefusedError
from engine.experiments.importers.table import read_conditions, read_runs
from engine.experiments.results_file import read_entries

HEADINGS = ["label", "flow_rate", "concentration", "voltage", "collector_speed"]
HEADINGS += ["humidity", "elongation.longitudinal", "yield.transverse"]


def write(path: Path, *columns: tuple[str, list[str]], delimiter=",") -> Path:
    """Rows of good values, in which the named columns are replaced."""
    n = max(len(texts) for _, texts in columns)
    good = ["", "1", "18", "18", "400", "55", "88", "4"]
    rows = [[f"r{i}", *good[1:]] for i in range(n)]
    for name, texts in columns:
        for row, text in zip(rows, texts, strict=True):
            row[HEADINGS.index(name)] = text
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([HEADINGS, *rows])
    return path


def values(path: Path, campaign, name: str) -> tuple[list[float | None], tuple[str, ...]]:
    table = read_runs(path, campaign, max_rows=99)
    runs = [{**run.conditions, **{k: v[1] for k, v in run.outcomes.items()}} for run in table.runs]
    return [run.get(name) for run in runs], table.warnings


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1.234,5", "1.028,00"], [1234.5, 1028]),
        (["1,234.5", "1,028"], [1234.5, 1028]),
        (["1.234,5", "1.028", "900"], [1234.5, 1028, 900]),
        (["18,5", "1.028"], [18.5, 1028]),
        (["0,123", "1.028"], [0.123, 1028]),
        (["18,5", "18,25", "0.123"], [18.5, 18.25, 0.123]),
        (["1\u00a0028,5", "1\u202f028"], [1028.5, 1028]),
        (["1'028.5", "1’028"], [1028.5, 1028]),
        (["1,028.5 rpm", "1,028 rpm"], [1028.5, 1028]),
        (["1.028", "2.5"], [1.028, 2.5]),
    ],
)
def test_numbers_are_read_by_their_column(tmp_path, nanofibre, texts, numbers, delimiter) -> None:
    path = write(tmp_path / "t.csv", ("collector_speed", texts), delimiter=delimiter)
    assert values(path, nanofibre, "collector_speed")[0] == numbers


def test_what_is_rewritten_is_told(tmp_path, nanofibre) -> None:
    path = write(tmp_path / "t.csv", ("collector_speed", ["18,5", "1.028"]))
    note = "column 'collector_speed': 1.028 is read as 1028"
    assert note in values(path, nanofibre, "voltage")[1]
    table, _ = read_conditions(path, nanofibre, max_rows=9)
    assert table.notes == (note,)


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        # A slip in a column of points, an open number, open ones beside both styles.
        ([("voltage", ["18.5", "17.5", "18,5"])], "18,5"),
        ([("voltage", ["18.5", "18,5"])], "18,5"),
        ([("voltage", ["18,5", "3"]), ("humidity", ["5.5", "3"])], "18,5"),
        ([("collector_speed", ["1,028", "2,100"])], "1,028"),
        ([("collector_speed", ["1.028,5.5", "3"])], "1.028,5.5"),
        (
            [
                ("voltage", ["18,5", "3,5"]),
                ("humidity", ["5.5", "3"]),
                ("flow_rate", ["1.028", "2"]),
            ],
            "1.028",
        ),
    ],
)
def test_what_may_be_either_is_refused(tmp_path, nanofibre, columns, text) -> None:
    path = write(tmp_path / "t.csv", *columns)
    with pytest.raises(ImportRefusedError) as caught:
        read_runs(path, nanofibre, max_rows=9)
    assert text in {problem.value for problem in caught.value.problems}


@given(
    numbers=st.lists(st.integers(-(10**7), 10**7).map(lambda n: n / 4), min_size=1, max_size=6),
    is_comma=st.booleans(),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_grouped_number_comes_back(tmp_path, nanofibre, numbers, is_comma) -> None:
    texts = [f"{number:,.2f}" for number in numbers]
    if is_comma:
        texts = [text.translate(str.maketrans(",.", ".,")) for text in texts]
    temperatures = nanofibre.parameter("temperature").model_copy(
        update={"minimum": None, "maximum": None}
    )
    others = [p for p in nanofibre.parameters if p.name != "temperature"]
    campaign = nanofibre.model_copy(update={"parameters": (*others, temperatures)})
    path = tmp_path / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["temperature"], *([text] for text in texts)])
    _, rows = read_conditions(path, campaign, max_rows=9, require_controlled=False)
    assert [row["temperature"] for row in rows] == numbers


@pytest.mark.parametrize(
    "word",
    [
        "NaN",
        "NA",
        "n/a",
        "#N/A",
        "n.d.",
        "N.D.",
        "n.b.",
        "k. A.",
        "not measured",
        "-",
        "--",
        "–",
        "null",
        " nan ",
    ],
)
def test_words_for_nothing_are_missing_and_told(tmp_path, nanofibre, word) -> None:
    path = write(tmp_path / "t.csv", ("humidity", ["55", word]), ("yield.transverse", [word, "4"]))
    table = read_runs(path, nanofibre, max_rows=9)
    assert ["humidity" in run.conditions for run in table.runs] == [True, False]
    assert ["yield_strength.transverse" in run.outcomes for run in table.runs] == [False, True]
    for heading in ("humidity", "yield.transverse"):
        told = f"column '{heading}': '{word.strip()}' in 1 cell is taken for not known"
        assert told in table.warnings
    entries, warnings = read_entries(path, nanofibre, max_rows=9)
    assert "yield_strength.transverse" not in dict(entries)[2].results
    assert sum("is taken for not known" in warning for warning in warnings) == 2


@pytest.mark.parametrize("word", ["NaN", "-", "n.d."])
def test_a_setting_must_be_known(tmp_path, nanofibre, word) -> None:
    path = write(tmp_path / "t.csv", ("voltage", ["18", word]))
    with pytest.raises(ImportRefusedError) as caught:
        read_runs(path, nanofibre, max_rows=9)
    (problem,) = caught.value.problems
    assert (problem.row, problem.value) == (3, word)
    assert "finite number" in problem.expected


@pytest.mark.parametrize("word", ["#DIV/0!", "inf", "?"])
def test_what_is_no_word_for_nothing_is_refused(tmp_path, nanofibre, word) -> None:
    path = write(tmp_path / "t.csv", ("yield.transverse", ["4", word]))
    with pytest.raises(ImportRefusedError, match="finite number"):
        read_runs(path, nanofibre, max_rows=9)
