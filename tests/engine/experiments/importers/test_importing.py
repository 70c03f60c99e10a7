from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.engine import Engine

from engine.experiments.importers.importing import import_file
from engine.workspace import Workspace

HEADINGS = ["ID", "flow_rate", "concentration", "voltage", "collector_speed", "humidity"]
HEADINGS += ["elongation.longitudinal", "fracture_strength.longitudinal"]
ROWS = [
    ["A", "0.4", "18", "18", "400", "55", "88", "12"],
    ["B", "0.2", "16", "20", "0", "", "90", ""],
    ["C", "0.2", "16", "20", "0", "40", "91", "9"],
]


def write(path: Path, rows, headings=HEADINGS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([headings, *rows])
    return path


def test_a_second_import_adds_nothing(engine, folder, state) -> None:
    path = write(folder / "t.csv", ROWS)
    first = engine("import", path, "--json").json
    assert (first["added"], first["measurements"], first["experiments"]) == (3, 5, [1, 2, 3])
    before = state()
    again = engine("import", path, "--json").json
    assert (again["added"], again["unchanged"], again["measurements"]) == (0, 3, 0)
    assert state() == before


def test_runs_without_a_name_are_known_by_their_values_one_for_one(engine, folder) -> None:
    rows = [ROWS[0][1:], ROWS[0][1:], ROWS[2][1:]]
    path = write(folder / "t.csv", rows, HEADINGS[1:])
    assert engine("import", path, "--json").json["added"] == 3
    assert engine("import", path, "--json").json["unchanged"] == 3
    path = write(folder / "t.csv", [*rows, rows[0]], HEADINGS[1:])
    answer = engine("import", path, "--json").json
    assert (answer["added"], answer["unchanged"]) == (1, 3)


def test_what_a_recorded_run_lacks_is_added(engine, folder) -> None:
    engine("import", write(folder / "t.csv", ROWS))
    more = [["B", "0.2", "16", "20", "0", "47", "90", "8.5"], ["D", *ROWS[0][1:]]]
    answer = engine("import", write(folder / "u.csv", more), "--json").json
    assert (answer["added"], answer["extended"], answer["measurements"]) == (1, 1, 3)
    shown = engine("show", "B", "--json").json
    assert shown["conditions"]["humidity"] == 47
    assert shown["outcomes"]["fracture_strength.longitudinal"] == [8.5]


def test_what_contradicts_is_refused_or_with_update_corrected(engine, folder, state) -> None:
    engine("import", write(folder / "t.csv", ROWS))
    before = state()
    other = [["A", "0.4", "18", "18.5", "400", "55", "80", "12"], ROWS[1], ["E", *ROWS[2][1:]]]
    path = write(folder / "u.csv", other)
    answer = engine("import", path)
    assert answer.exit_code == 1
    assert "row 2, column 'voltage [kV]': '18.5'" in answer.err
    assert "row 2, column 'elongation.longitudinal [%]': '80.0'" in answer.err
    assert "--update" in answer.err
    assert state() == before
    answer = engine("import", path, "--update", "--json").json
    assert (answer["added"], answer["changed"], answer["corrections"]) == (1, 1, 1)
    shown = engine("show", "A", "--json").json
    assert shown["conditions"]["voltage"] == 18.5
    values = [(m["value"], m["superseded"]) for m in shown["measurements"]]
    assert (88, True) in values
    assert (80, False) in values
    assert engine("import", path, "--json").json["unchanged"] == 3


def test_a_dry_run_tells_and_writes_nothing(engine, folder, state) -> None:
    engine("import", write(folder / "t.csv", ROWS))
    before = state()
    others = [["A", "0.4", "18", "18", "400", "55", "80", "12"], ROWS[1], ["E", *ROWS[2][1:]]]
    path = write(folder / "u.csv", others)
    answer = engine("import", path, "--dry-run", "--json")
    assert answer.exit_code == 1
    told = answer.json
    assert (told["added"], told["changed"], told["unchanged"], told["refused"]) == (1, 1, 1, 1)
    assert told["problems"][0]["row"] == 2
    assert engine("import", path, "--dry-run", "--update").exit_code == 0
    bad = write(folder / "v.csv", [["X", "fast", *ROWS[0][2:]]])
    answer = engine("import", bad, "--dry-run", "--json")
    assert (answer.exit_code, answer.json["refused"]) == (1, 1)
    assert state() == before


def test_results_complete_a_pending_run(engine, folder) -> None:
    engine("import", write(folder / "t.csv", [["A", *ROWS[0][1:6], "", ""]]))
    assert engine("show", "A", "--json").json["status"] == "running"
    answer = engine("import", write(folder / "u.csv", ROWS[:1]), "--json").json
    assert (answer["added"], answer["extended"]) == (0, 1)
    assert engine("show", "A", "--json").json["status"] == "completed"
    # the older file says nothing against the results
    older = engine("import", folder / "t.csv", "--json").json
    assert (older["unchanged"], older["changed"]) == (1, 0)


@pytest.mark.parametrize("flags", [("--abandon",), ("--failed", "drips")])
def test_a_run_that_was_given_up_takes_no_results(engine, folder, state, flags) -> None:
    engine("import", write(folder / "t.csv", [["A", *ROWS[0][1:6], "", ""]]))
    engine("log", "A", *flags)
    before = state()
    answer = engine("import", write(folder / "u.csv", ROWS))
    assert answer.exit_code == 1
    assert "row 2" in answer.err
    assert "--running" in answer.err
    assert state() == before


def test_one_bad_row_refuses_all_of_them(engine, folder, state) -> None:
    before = state()
    rows = [*ROWS, ["D", "0.4", "18", "nan", "400", "55", "88", "12"]]
    answer = engine("import", write(folder / "t.csv", rows))
    assert answer.exit_code == 1
    assert "row 5, column 'voltage': 'nan'" in answer.err
    assert state() == before


def test_the_published_table(engine, shared_data, state) -> None:
    path = shared_data / "matmcl" / "nanofibre_200.csv"
    first = engine("import", path, "--format", "matmcl", "--json").json
    assert (first["added"], first["measurements"], first["warnings"]) == (200, 2000, [])
    before = state()
    again = engine("import", path, "--format", "matmcl", "--json").json
    assert (again["added"], again["unchanged"], again["measurements"]) == (0, 200, 0)
    assert state() == before


PVA = """
name = "pva"
[[parameters]]
name = "concentration"
unit = "wt%"
low = 6
high = 14
minimum = 0
aliases = ["solution_concentration"]
[[parameters]]
name = "distance"
unit = "cm"
low = 5
high = 20
minimum = 0
aliases = ["tip_collector_distance_cm"]
[[parameters]]
name = "voltage"
unit = "kV"
low = 10
high = 30
minimum = 0
aliases = ["voltage_kv"]
[[parameters]]
name = "flow_rate"
unit = "mL/h"
low = 0.1
high = 1.0
minimum = 0
aliases = ["flow_rate_ml/h"]
[[properties]]
name = "fibre_diameter"
unit = "nm"
minimum = 0
aliases = ["fiber_diameter_nm"]
[[properties]]
name = "spread"
unit = "nm"
minimum = 0
aliases = ["fiber_diameter_variation_nm"]
[[objectives]]
outcome = "fibre_diameter"
goal = "minimize"
threshold = 400
"""

BARREL = """
name = "barrel"
parameters = [
  { name = "columns", low = 6, high = 12, step = 2, aliases = ["n"] },
  { name = "twist", unit = "°", low = 0, high = 200, aliases = ["theta"] },
  { name = "radius", unit = "mm", low = 1.5, high = 2.5, aliases = ["r"] },
  { name = "thickness", unit = "mm", low = 0.7, high = 1.4, aliases = ["t"] },
]
properties = [{ name = "toughness", unit = "J" }]
objectives = [{ outcome = "toughness", threshold = 10 }]
"""


@pytest.mark.parametrize(
    ("definition", "file", "n_runs", "n_values"),
    [
        (PVA, "pva_diameter/pva_96.csv", 96, 192),
        (BARREL, "crossed_barrel/Crossed_barrel_dataset.csv", 1800, 1800),
    ],
)
def test_tables_of_other_labs(
    engine, folder, shared_data, *, definition, file, n_runs, n_values
) -> None:
    (folder / "other.toml").write_text(definition, encoding="utf-8")
    assert engine("campaign", "create", "--file", "other.toml").exit_code == 0
    answer = engine("import", shared_data / file, "--json")
    assert answer.exit_code == 0, answer.err
    assert (answer.json["added"], answer.json["measurements"]) == (n_runs, n_values)
    again = engine("import", shared_data / file, "--json").json
    assert (again["added"], again["unchanged"]) == (0, n_runs)


def test_a_table_of_many_labs(engine, folder, shared_data) -> None:
    (folder / "other.toml").write_text(PVA, encoding="utf-8")
    engine("campaign", "create", "--file", "other.toml")
    path = shared_data / "spindb" / "cogni_e_spindb.csv"
    answer = engine("import", path, "--json").json
    assert answer["added"] == 809
    assert any("rows without a label hold exactly" in warning for warning in answer["warnings"])
    assert engine("status", "--json").json["counts"]["failed"] == 32
    assert engine("import", path, "--json").json["unchanged"] == 809
    # needle gauge is unknown of many runs: as a controlled parameter, that is refused
    edited = PVA.replace('name = "pva"', 'name = "needles"').replace(
        "[[properties]]",
        '[[parameters]]\nname = "needle"\nlow = 18\nhigh = 26\naliases = ["needle_diameter_g"]\n'
        "[[properties]]",
        1,
    )
    (folder / "needles.toml").write_text(edited, encoding="utf-8")
    engine("campaign", "create", "--file", "needles.toml")
    answer = engine("import", path, "--dry-run", "--json")
    assert answer.exit_code == 1
    problems = answer.json["problems"]
    assert len(problems) > 100
    assert {problem["column"] for problem in problems} == {"needle_diameter_g"}


_values = st.floats(1e-3, 1e3, allow_nan=False)


@given(
    rows=st.lists(st.tuples(_values, _values, _values, _values), min_size=1, max_size=5),
    column=st.integers(1, 7),
    bad=st.sampled_from(["x", "nano", "-1", "inf", "1e400"]),
    data=st.data(),
)
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_bad_cell_writes_nothing(workspace, folder, *, rows, column, bad, data) -> None:
    from engine.errors import ImportRefusedError
    from engine.experiments.importers.importing import import_file

    lines = [[f"L{i}", "0.4", "18", *map(repr, row), "3"] for i, row in enumerate(rows)]
    lines = [[*line[:5], "55", *line[5:7]] for line in lines]
    row = data.draw(st.integers(0, len(lines) - 1))
    lines[row][column] = bad
    path = write(folder / "t.csv", lines)
    before = watermark(workspace)
    with pytest.raises(ImportRefusedError) as caught:
        import_file(workspace, path)
    places = {(problem.row, problem.column) for problem in caught.value.problems}
    assert (row + 2, HEADINGS[column]) in places
    assert watermark(workspace) == before


def watermark(workspace: Workspace) -> int:
    with workspace.database.read() as tx:
        return tx.watermark()


def test_a_larger_table_takes_no_more_statements(folder, workspace) -> None:
    """What is written in bulk stays so: 20,000 rows take seconds."""
    counts = []
    for n in (20, 300):
        rows = [
            [f"{n}-{i}", "0.4", "18", f"{10 + i % 20}", "400", "55", "88", "12"] for i in range(n)
        ]
        path = write(folder / "t.csv", rows)
        statements: list[str] = []

        def count(_, __, statement, *___, into=statements) -> None:
            into.append(statement)

        event.listen(Engine, "before_cursor_execute", count)
        try:
            report = import_file(workspace, path)
        finally:
            event.remove(Engine, "before_cursor_execute", count)
        assert (report.n_added, report.n_measurements) == (n, 2 * n)
        counts.append(len(statements))
    assert counts[1] == counts[0] < 60
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        runs = tx.experiments.find(record.id)
    # Each run has its own values: ids were given in the rows' order.
    assert [run.label for run in runs] == [
        *(f"20-{i}" for i in range(20)),
        *(f"300-{i}" for i in range(300)),
    ]
    assert all(run.conditions["voltage"] == 10 + int(run.label.split("-")[1]) % 20 for run in runs)
