from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.records import Status
from engine.errors import ImportRefusedError
from engine.experiments.importers.table import read_conditions, read_runs

SETTINGS = ("flow_rate", "concentration", "voltage", "collector_speed")
HEADINGS = [*SETTINGS, "humidity", "elongation.longitudinal [%]", "yield.transverse (MPa)"]
GOOD = ["0.4", "18", "18.5", "400", "55", "88.5", "4.2"]


def write(path: Path, rows, delimiter=",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def problems_of(path: Path, campaign, **options):
    with pytest.raises(ImportRefusedError) as caught:
        read_runs(path, campaign, max_rows=1000, **options)
    return caught.value.problems


def changed(column: int, text: str) -> list[str]:
    return [text if i == column else cell for i, cell in enumerate(GOOD)]


def test_a_row_is_a_run(tmp_path, nanofibre) -> None:
    path = write(
        tmp_path / "t.csv", [[*HEADINGS, "label", "note"], [*GOOD, " A7 ", "two\r\nlines "]]
    )
    (run,) = read_runs(path, nanofibre, max_rows=10).runs
    assert run.conditions == {
        "flow_rate": 0.4,
        "concentration": 18.0,
        "voltage": 18.5,
        "collector_speed": 400.0,
        "humidity": 55.0,
    }
    assert run.outcomes == {
        "elongation.longitudinal": {1: 88.5},
        "yield_strength.transverse": {1: 4.2},
    }
    assert (run.label, run.note, run.status) == ("A7", "two\nlines", Status.COMPLETED)


@pytest.mark.parametrize(
    ("column", "text", "told"),
    [
        (0, "fast", "to be a finite number"),
        (0, "nan", "leave the cell empty"),
        (1, "-18", "at least 0"),
        (1, "101", "at most 100"),
        (2, "", "the cell is empty; expected a value of voltage [kV]"),
        (2, "inf", "to be a finite number"),
        (2, "1e999", "to be a finite number"),
        (2, "18 mm", "to be a finite number in kV, got 'mm'"),
        (2, "45 %", "in kV, got '%'"),
        (2, "1_8", "to be a finite number"),
        (2, "18,5", "decimal point"),
        (2, "2024-05-18", "got a date"),
        (4, "1000000", "at most 100"),
        (5, "-3", "at least 0"),
        (5, "0x10", "to be a finite number"),
        (6, "1e6", "at most 10000"),
    ],
)
def test_a_bad_cell_is_told_with_its_place(tmp_path, nanofibre, column, text, told) -> None:
    rows = [HEADINGS, GOOD, GOOD, changed(column, text)]
    (problem,) = problems_of(write(tmp_path / "t.csv", rows), nanofibre)
    assert (problem.row, problem.column) == (4, HEADINGS[column])
    assert problem.value == (text or None)
    assert told in problem.expected


def test_all_bad_cells_are_told_at_once(tmp_path, nanofibre) -> None:
    rows = [HEADINGS, changed(0, "x"), GOOD, changed(2, "nan"), changed(6, "-1")]
    problems = problems_of(write(tmp_path / "t.csv", rows), nanofibre)
    assert [(p.row, p.column) for p in problems] == [
        (2, HEADINGS[0]),
        (4, HEADINGS[2]),
        (5, HEADINGS[6]),
    ]


def test_a_controlled_column_must_be_there_an_ambient_one_may_be_absent(
    tmp_path, nanofibre
) -> None:
    path = write(tmp_path / "t.csv", [HEADINGS[1:], GOOD[1:]])
    (problem,) = problems_of(path, nanofibre)
    assert problem.column == "flow_rate [mL/h]"
    path = write(tmp_path / "u.csv", [HEADINGS, changed(4, "")])
    table = read_runs(path, nanofibre, max_rows=10)
    assert "humidity" not in table.runs[0].conditions
    assert any("no column for temperature [°C]" in warning for warning in table.warnings)


def test_decimal_commas_are_read_where_they_are_used_throughout(tmp_path, nanofibre) -> None:
    comma = ["0,4", "18", "18,5", "400", "55", "88,5", "4,2"]
    path = write(tmp_path / "t.csv", [HEADINGS, comma], delimiter=";")
    (run,) = read_runs(path, nanofibre, max_rows=10).runs
    assert run.conditions["voltage"] == 18.5
    mixed = write(tmp_path / "u.csv", [HEADINGS, comma, GOOD], delimiter=";")
    problems = problems_of(mixed, nanofibre)
    assert {p.row for p in problems} == {2}
    assert all("decimal point" in p.expected for p in problems)


@pytest.mark.parametrize("point", ["-0.5", "\u22120.5", "+.5", "1.5e-3"])
def test_one_number_with_a_point_settles_it_whatever_its_sign(tmp_path, nanofibre, point) -> None:
    comma = ["0,4", "18", "1,234", "400", "55", "88", "4"]
    rows = [HEADINGS, comma, [*GOOD[:4], point, *GOOD[5:]]]
    path = write(tmp_path / "t.csv", rows, delimiter=";")
    assert {2} <= {p.row for p in problems_of(path, nanofibre)}


def test_a_choice_with_a_point_says_nothing_of_decimal_commas(tmp_path, mixture) -> None:
    solvent = mixture.parameter("solvent").model_copy(update={"choices": ("0.5", "12", "x")})
    others = [p for p in mixture.parameters if p.name != "solvent"]
    campaign = mixture.model_copy(update={"parameters": (*others, solvent)})
    headings = ["polymer", "plasticiser", "filler", "solvent", "toughness"]
    rows = [headings, ["0,7", "0,2", "0,1", "0.5", "3,5"]]
    path = write(tmp_path / "t.csv", rows, delimiter=";")
    (run,) = read_runs(path, campaign, max_rows=10).runs
    assert run.conditions["polymer"] == 0.7
    assert run.conditions["solvent"] == "0.5"


def test_choices_are_names(tmp_path, mixture) -> None:
    headings = ["polymer", "plasticiser", "filler", "solvent", "toughness"]
    path = write(tmp_path / "t.csv", [headings, ["0.7", "0.2", "0.1", "Water", "3"]])
    assert read_runs(path, mixture, max_rows=10).runs[0].conditions["solvent"] == "water"
    path = write(tmp_path / "u.csv", [headings, ["0.7", "0.2", "0.1", "ethanl", "3"]])
    (problem,) = problems_of(path, mixture)
    assert "one of water, ethanol, acetone. Did you mean 'ethanol'?" in problem.expected


def test_rows_of_one_label_are_replicates(tmp_path, nanofibre) -> None:
    rows = [
        [*HEADINGS, "ID", "replicate"],
        [*GOOD, "A", "1"],
        [*GOOD, "B", ""],
        [*changed(5, "90"), "A", "2"],
        [*changed(6, ""), "B", "3"],
    ]
    first, second = read_runs(write(tmp_path / "t.csv", rows), nanofibre, max_rows=10).runs
    assert first.outcomes["elongation.longitudinal"] == {1: 88.5, 2: 90.0}
    assert second.outcomes["elongation.longitudinal"] == {1: 88.5, 3: 88.5}
    assert second.outcomes["yield_strength.transverse"] == {1: 4.2}


def test_numbered_rows_without_a_name_are_told_apart_by_their_conditions(
    tmp_path, nanofibre
) -> None:
    rows = [[*HEADINGS, "replicate"], *([*GOOD, n] for n in "1212")]
    runs = read_runs(write(tmp_path / "t.csv", rows), nanofibre, max_rows=10).runs
    assert [len(run.outcomes["elongation.longitudinal"]) for run in runs] == [2, 2]


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ([*changed(5, "90"), "A", ""], "stands in row 2 with other values"),
        ([*changed(2, "20"), "A", "2"], "expected 18.5, as in row 2"),
    ],
)
def test_a_label_that_contradicts_itself_is_refused(tmp_path, nanofibre, second, told) -> None:
    rows = [[*HEADINGS, "ID", "replicate"], [*GOOD, "A", ""], second]
    (problem,) = problems_of(write(tmp_path / "t.csv", rows), nanofibre)
    assert problem.row == 3
    assert told in problem.expected


def test_a_row_that_repeats_itself_is_taken_once(tmp_path, nanofibre) -> None:
    rows = [[*HEADINGS, "ID"], [*GOOD, "A"], [*GOOD, "A"]]
    table = read_runs(write(tmp_path / "t.csv", rows), nanofibre, max_rows=10)
    assert len(table.runs) == 1
    assert any("taken once" in warning for warning in table.warnings)
    unnamed = read_runs(write(tmp_path / "u.csv", [HEADINGS, GOOD, GOOD]), nanofibre, max_rows=10)
    assert len(unnamed.runs) == 2


@pytest.mark.parametrize(
    ("heading", "cell", "has_results", "status", "failure"),
    [
        ("failed", "beads", False, Status.FAILED, "beads"),
        ("failed", "No jet", False, Status.FAILED, "no_jet"),
        ("failed", "no", True, Status.COMPLETED, None),
        ("status", "drips", False, Status.FAILED, "drips"),
        ("status", "abandoned", True, Status.ABANDONED, None),
        ("status", "proposed", False, Status.PROPOSED, None),
        ("status", "", False, Status.RUNNING, None),
        ("status", "Completed", True, Status.COMPLETED, None),
    ],
)
def test_how_a_run_ended(
    tmp_path, nanofibre, *, heading, cell, has_results, status, failure
) -> None:
    row = GOOD if has_results else [*GOOD[:5], "", ""]
    path = write(tmp_path / "t.csv", [[*HEADINGS, heading], [*row, cell]])
    (run,) = read_runs(path, nanofibre, max_rows=10).runs
    assert (run.status, run.failure) == (status, failure)


@pytest.mark.parametrize(
    ("heading", "cell", "has_results", "told"),
    [
        ("failed", "beads", True, "expected no results of a failed run"),
        ("failed", "bead", False, "Did you mean 'beads'?"),
        ("status", "running", True, "expected no results while the run is running"),
        ("status", "completed", False, "at least one result"),
        ("status", "failed", False, "expected the kind of failure"),
        ("status", "finished", True, "expected one of proposed"),
        ("replicate", "0", True, "a replicate's number"),
        ("replicate", "1.5", True, "a replicate's number"),
        ("note", "x" * 20_000, True, "at most 10,000 characters"),
    ],
)
def test_an_end_that_cannot_be(tmp_path, nanofibre, *, heading, cell, has_results, told) -> None:
    row = GOOD if has_results else [*GOOD[:5], "", ""]
    path = write(tmp_path / "t.csv", [[*HEADINGS, heading], [*row, cell]])
    (problem,) = problems_of(path, nanofibre)
    assert problem.row == 2
    assert told in problem.expected


def test_values_outside_the_range_searched_are_kept_and_counted(tmp_path, nanofibre) -> None:
    path = write(tmp_path / "t.csv", [HEADINGS, changed(2, "30"), changed(2, "5"), GOOD])
    table = read_runs(path, nanofibre, max_rows=10)
    assert [run.conditions["voltage"] for run in table.runs] == [30.0, 5.0, 18.5]
    assert any("2 runs lie outside" in warning for warning in table.warnings)


def test_a_table_of_something_else_is_refused(tmp_path, nanofibre) -> None:
    problems = problems_of(write(tmp_path / "t.csv", [["abc", "xyz"], ["1", "2"]]), nanofibre)
    assert any("no heading is known" in problem.expected for problem in problems)


def test_conditions_keep_the_table_as_it_stands(tmp_path, nanofibre) -> None:
    headings = ["name", *SETTINGS, "Price (EUR)", "humidity"]
    rows = [["b", "0.4", "18", "18.50", "400", "3,5", ""], ["a", "0.2", "16", "16", "0", "", "55"]]
    path = write(tmp_path / "t.csv", [headings, *rows])
    table, conditions = read_conditions(path, nanofibre, max_rows=10)
    assert table.headings == tuple(headings)
    assert [list(row) for row in table.rows] == rows
    assert conditions[0] == {
        "flow_rate": 0.4,
        "concentration": 18.0,
        "voltage": 18.5,
        "collector_speed": 400.0,
    }
    assert conditions[1]["humidity"] == 55.0


def test_conditions_that_lack_a_setting(tmp_path, nanofibre) -> None:
    path = write(tmp_path / "t.csv", [["voltag", "flow_rate"], ["18", "0.4"], ["x", "-1"]])
    with pytest.raises(ImportRefusedError) as caught:
        read_conditions(path, nanofibre, max_rows=10)
    assert "Did you mean 'voltag'?" in str(caught.value)
    with pytest.raises(ImportRefusedError) as caught:
        read_conditions(path, nanofibre, max_rows=10, require_controlled=False)
    assert [(p.row, p.column) for p in caught.value.problems] == [(3, "flow_rate")]
    path = write(tmp_path / "u.csv", [["flow_rate"], ["0.4"], ["0.5"]])
    _, conditions = read_conditions(path, nanofibre, max_rows=10, require_controlled=False)
    assert conditions == [{"flow_rate": 0.4}, {"flow_rate": 0.5}]


ROW = st.tuples(
    st.floats(0, 50, allow_subnormal=False),
    st.floats(0, 100, allow_subnormal=False),
    st.floats(0, 60, allow_subnormal=False),
    st.floats(0, 5000, allow_subnormal=False),
    st.one_of(st.none(), st.floats(0, 100, allow_subnormal=False)),
    st.one_of(st.none(), st.floats(1e-9, 5000, allow_subnormal=False)),
    st.floats(1e-9, 1e4, allow_subnormal=False),
)


@given(rows=st.lists(ROW, min_size=1, max_size=6), order=st.permutations(range(7)))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_valid_table_comes_back(tmp_path, nanofibre, rows, order) -> None:
    cells = [["" if value is None else repr(value) for value in row] for row in rows]
    shuffled = [[line[i] for i in order] for line in (HEADINGS, *cells)]
    runs = read_runs(write(tmp_path / "t.csv", shuffled), nanofibre, max_rows=10).runs
    assert len(runs) == len(rows)
    for run, row in zip(runs, rows, strict=True):
        assert tuple(run.conditions[name] for name in SETTINGS) == row[:4]
        assert run.conditions.get("humidity") == row[4]
        found = run.outcomes.get("elongation.longitudinal", {})
        assert found == ({} if row[5] is None else {1: row[5]})
        assert run.outcomes["yield_strength.transverse"] == {1: row[6]}


BAD = st.sampled_from(["x", "nano", "-1", "inf", "1,5", "-.-", "1e400", "٣", "1 2", "5 kA"])


@given(
    rows=st.lists(ROW, min_size=1, max_size=5), column=st.integers(0, 6), bad=BAD, data=st.data()
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_single_bad_cell_is_refused_in_its_place(
    tmp_path, nanofibre, *, rows, column, bad, data
) -> None:
    cells = [["" if value is None else repr(value) for value in row] for row in rows]
    row = data.draw(st.integers(0, len(rows) - 1))
    cells[row][column] = bad
    (problem,) = problems_of(write(tmp_path / "t.csv", [HEADINGS, *cells]), nanofibre)
    assert (problem.row, problem.column, problem.value) == (row + 2, HEADINGS[column], bad)


def test_a_table_in_other_units_comes_in_as_if_it_were_in_the_campaigns(
    engine, folder, state
) -> None:
    (folder / "kv.csv").write_text(
        "id,flow_rate,concentration,voltage,collector_speed,temperature,elongation.longitudinal\n"
        "a,0.3,17.5,18,400,20,88\nb,0.45,18,17.1,600,25,91\n",
        encoding="utf-8",
    )
    (folder / "v.csv").write_text(
        "id;Flow rate (µL/min);concentration [wt%];voltage_V;collector_speed [Hz];temperature [°F];"
        "elongation.longitudinal\na;5;17,5;18000;6,6666666666667;68;88\nb;7,5;18;17100;10;77;91\n",
        encoding="utf-8",
    )
    assert engine("import", "kv.csv").exit_code == 0
    before = state()
    answer = engine("import", "v.csv")
    assert answer.exit_code == 0, answer.err
    assert "2 unchanged" in answer.out
    assert state() == before
    told = " ".join(answer.err.split())
    assert "column 'voltage_V' is converted from V to kV (× 0.001)" in told
    assert "from °F to °C (× 0.555556 -17.7778)" in told
    # What each column means is told to whoever reads no warnings but JSON, too.
    assert any(
        "µL/min to mL/h" in note for note in engine("import", "v.csv", "--json").json["warnings"]
    )


def test_rows_of_equal_settings_are_offered_as_replicates(tmp_path, nanofibre) -> None:
    rows = [changed(5, str(value)) for value in (80, 82, 84)]
    path = write(tmp_path / "t.csv", [HEADINGS, *rows, changed(2, "20")])
    table = read_runs(path, nanofibre, max_rows=10)
    assert len(table.runs) == 4
    assert any("4 rows hold 2 different settings" in warning for warning in table.warnings)
    runs = read_runs(path, nanofibre, max_rows=10, replicates=True).runs
    assert [run.outcomes["elongation.longitudinal"] for run in runs] == [
        {1: 80, 2: 82, 3: 84},
        {1: 88.5},
    ]
