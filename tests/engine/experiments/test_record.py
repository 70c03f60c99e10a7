from __future__ import annotations

import csv

import pytest

SETTINGS = ["flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400"]
ALONG = "elongation.longitudinal"


@pytest.fixture
def run(engine) -> int:
    """Return the number of a run that is spun, its results awaited."""
    return engine("log", "--new", *SETTINGS, "--label", "A7", "--json").json["experiment"]


def test_results_complete_a_run(engine, run) -> None:
    done = engine("log", run, f"{ALONG}=88", "fracture_strength.transverse=4.5", "--json").json
    assert (done["experiment"], done["status"], done["new"]) == (run, "completed", False)
    assert done["values"] == [
        {"outcome": ALONG, "replicate": 1, "value": 88.0, "superseded": None},
        {"outcome": "fracture_strength.transverse", "replicate": 1, "value": 4.5}
        | {"superseded": None},
    ]
    assert engine("log", run, "yield_strength.transverse=2").exit_code == 0


def test_a_run_is_found_by_its_label(engine, run) -> None:
    assert engine("log", "A7", f"{ALONG}=88", "--json").json["experiment"] == run
    answer = engine("log", "A8", f"{ALONG}=88")
    assert (answer.exit_code, "Did you mean 'A7'?" in answer.err) == (1, True)


def test_a_new_run_with_results(engine) -> None:
    done = engine("log", "--new", *SETTINGS, "humidity=61", f"{ALONG}=88", "--json").json
    assert (done["new"], done["status"]) == (True, "completed")
    assert done["conditions"]["humidity"] == 61
    failed = engine("log", "--new", *SETTINGS, "--failed", "no_jet", "--json").json
    assert (failed["status"], failed["failure"]) == ("failed", "no_jet")


def test_a_value_twice_needs_a_word(engine, run, state) -> None:
    engine("log", run, f"{ALONG}=88")
    before = state()
    answer = engine("log", run, f"{ALONG}=90")
    assert answer.exit_code == 1
    assert "--replicate" in answer.err
    assert "--correct" in answer.err
    assert state() == before
    second = engine("log", run, f"{ALONG}=90", "--replicate", "--json").json
    assert second["values"][0]["replicate"] == 2
    answer = engine("log", run, f"{ALONG}=91", "--correct")
    assert "several replicates" in answer.err
    third = engine("log", run, f"{ALONG}=91", "--correct", "--which", 2, "--json").json
    assert third["values"] == [
        {"outcome": ALONG, "replicate": 2, "value": 91.0, "superseded": 90.0}
    ]
    assert engine("show", run, "--json").json["outcomes"] == {ALONG: [88.0, 91.0]}


def test_a_correction_keeps_what_it_corrects_and_why(engine, run) -> None:
    engine("log", run, f"{ALONG}=880")
    engine("log", run, f"{ALONG}=88", "--correct", "--note", "a slip of the comma")
    rows = engine("show", run, "--json").json["measurements"]
    assert [(row["value"], row["superseded"], row["note"]) for row in rows] == [
        (880.0, True, None),
        (88.0, False, "a slip of the comma"),
    ]
    assert "nothing to correct" in engine("log", run, f"{ALONG}=88", "--correct").err


def test_conditions_as_really_run(engine, run) -> None:
    words = ["--actual", "voltage=17.8", "--at", "humidity=61", "--at", "temperature=22"]
    done = engine("log", run, *words, "--json").json
    assert done["status"] == "running"
    assert done["conditions"] == {
        "flow_rate": 0.4,
        "concentration": 18.0,
        "voltage": 17.8,
        "collector_speed": 400.0,
        "humidity": 61.0,
        "temperature": 22.0,
    }


def test_notes_add_up(engine, run) -> None:
    engine("log", run, "--note", "first [sic]")
    assert engine("log", run, "--note", "second", "--json").json["note"] == "first [sic]\nsecond"


def test_a_run_that_gave_no_mat(engine, run, state) -> None:
    assert engine("log", run, "--failed", "beads", "--json").json["failure"] == "beads"
    before = state()
    answer = engine("log", run, f"{ALONG}=88")
    assert (answer.exit_code, f"engine log {run} --running" in answer.err) == (1, True)
    assert state() == before
    assert engine("log", run, "--running", "--json").json["status"] == "running"
    assert engine("log", run, f"{ALONG}=88", "--json").json["status"] == "completed"
    answer = engine("log", run, "--failed", "beads")
    assert (answer.exit_code, "--abandon" in answer.err) == (1, True)


def test_an_abandoned_run_keeps_what_is_recorded_of_it(engine, run, state) -> None:
    engine("log", run, f"{ALONG}=88")
    assert engine("log", run, "--abandon", "--json").json["status"] == "abandoned"
    before = state()
    answer = engine("log", run, "fracture_strength.transverse=4")
    assert (answer.exit_code, "is abandoned: it takes no results" in answer.err) == (1, True)
    assert state() == before
    assert engine("log", run, "--running", "--json").json["status"] == "completed"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["elongation.longitudnal=88"], 2, f"Did you mean '{ALONG}'?"),
        (["elongation=88"], 2, "measured in several directions"),
        (["voltage=18"], 2, "--actual voltage="),
        (["humidity=18"], 2, "--at humidity="),
        ([f"{ALONG}=long"], 1, "expected elongation [%] to be a finite number"),
        ([f"{ALONG}=nan"], 1, "finite number"),
        ([f"{ALONG}=8,8"], 1, "decimal point"),
        ([f"{ALONG}=-3"], 1, "at least 0"),
        ([f"{ALONG}=1000000"], 1, "at most 5000"),
        ([f"{ALONG}=88", f"{ALONG}=89"], 2, "given twice"),
        ([ALONG], 2, "expected name=value"),
        ([f"{ALONG}="], 2, "expected name=value"),
        ([], 2, "nothing to record"),
        ([f"{ALONG}=88", "--failed", "beads"], 2, "a failed run gave nothing to test"),
        (["--failed", "bead"], 2, "beads"),
        (["--failed", "beads", "--abandon"], 2, "contradict one another"),
        ([f"{ALONG}=88", "--abandon"], 2, "no results to record"),
        ([f"{ALONG}=88", "--replicate", "--correct"], 2, "keep one of them"),
        (["--replicate"], 2, "needs a result"),
        ([f"{ALONG}=88", "--correct"], 1, "to correct"),
        ([f"{ALONG}=88", "--which", "1"], 2, "--correct"),
        (["--at", "voltage=18"], 2, "--actual voltage="),
        (["--at", "humidty=18"], 2, "Did you mean 'humidity'?"),
        (["--at", "humidity=118"], 1, "at most 100"),
        (["--actual", "voltage=fast"], 1, "finite number"),
        (["--at", "humidity=50", "--actual", "humidity=60"], 2, "keep one"),
        (["--micrograph", "none.tif"], 1, "no such micrograph"),
        (["--label", "B"], 2, "--new"),
        (["--new", *SETTINGS], 2, "not both"),
        ([f"{ALONG}=88", "--note", "a\x07b"], 2, "control characters"),
    ],
)
def test_what_cannot_be_recorded_writes_nothing(engine, run, state, *, words, code, told) -> None:
    before = state()
    answer = engine("log", run, *words)
    assert answer.exit_code == code
    assert told in answer.err
    assert answer.out == ""
    assert state() == before


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["999", f"{ALONG}=88"], 1, "there is no experiment 999"),
        (["99999999999999999999", f"{ALONG}=88"], 1, "there is no experiment"),
        ([f"{ALONG}=88"], 2, "expected the run's number"),
        (["--new", *SETTINGS[1:]], 2, "missing: flow_rate [mL/h]"),
        (["--new", *SETTINGS, "voltag=3"], 2, "Did you mean 'voltage'?"),
        (["--new", *SETTINGS, "--actual", "voltage=18"], 2, "given twice"),
        (["--new", *SETTINGS, "--abandon"], 2, "do not fit"),
        (["--new", *SETTINGS, "--label", "A7"], 1, "choose another"),
        (["--file", "none.csv"], 1, "no such file"),
        (["--file", "r.csv", "--note", "x"], 2, "row by row"),
        (["1", "--sheet", "x", "--note", "x"], 2, "--file"),
    ],
)
def test_what_names_no_run_writes_nothing(engine, run, state, *, words, code, told) -> None:
    assert run == 1
    before = state()
    answer = engine("log", *words)
    assert answer.exit_code == code
    assert told in answer.err
    assert state() == before


def test_a_label_of_digits_is_explained(engine) -> None:
    engine("log", "--new", *SETTINGS, "--label", "57")
    assert "For experiment 1 · label 57 write label:57" in engine("log", "57", f"{ALONG}=88").err


def test_values_far_off_are_recorded_with_a_warning(engine) -> None:
    for value in (80, 84, 88, 90, 92, 95, 99, 101, 104):
        engine("log", "--new", *SETTINGS, f"{ALONG}={value}")
    usual = engine("log", "--new", *SETTINGS, f"{ALONG}=110", "--json")
    assert usual.json["warnings"] == []
    odd = engine("log", "--new", *SETTINGS, f"{ALONG}=1010", "--json")
    assert "far from everything seen" in odd.json["warnings"][0]
    assert "`engine log 11 --correct` mends it" in odd.json["warnings"][0]
    assert "warning:" in odd.err
    assert odd.json["values"][0]["value"] == 1010


def test_settings_outside_the_range_are_recorded_with_a_warning(engine) -> None:
    done = engine("log", "--new", *SETTINGS[:2], "voltage=30", SETTINGS[3], "--json")
    assert "outside the range searched" in done.json["warnings"][0]


def test_settings_that_break_a_constraint_are_told(engine, folder) -> None:
    config = folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    rule = "voltage - 20*flow_rate >= 12"
    rules = f'parameter_constraints = ["{rule}"]'
    config.write_text(text.replace("parameter_constraints = []", rules), encoding="utf-8")
    assert engine("campaign", "revise").exit_code == 0
    done = engine("log", "--new", *SETTINGS, "--json")
    told = f"voltage = 18, flow_rate = 0.4 does not meet {rule}; kept"
    assert done.json["warnings"] == [told]
    assert engine("log", 1, "--actual", "voltage=21", "--json").json["warnings"] == []
    path = write(
        folder / "t.csv",
        ["flow_rate", "concentration", "voltage", "collector_speed"],
        ["0.4", "18", "18", "400"],
        ["0.4", "18", "22", "400"],
    )
    warnings = engine("import", path, "--dry-run", "--json").json["warnings"]
    assert f"1 run does not meet {rule}; kept" in warnings


def write(path, headings, *rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([headings, *rows])
    return path


def test_a_file_of_results(engine, folder) -> None:
    for label in ("A", "B", "C"):
        engine("log", "--new", *SETTINGS, "--label", label)
    headings = ["id", "label", "humidity (%)", f"{ALONG} [%]", "failed", "note", "replicate"]
    path = write(
        folder / "r.csv",
        headings,
        ["1", "", "55", "88", "", "fine", ""],
        ["1", "", "", "89", "", "", "2"],
        ["", "B", "", "", "drips", "", ""],
        ["3", "C", "", "", "", "", ""],
    )
    answer = engine("log", "--file", path, "--json")
    assert [item["experiment"] for item in answer.json["recorded"]] == [1, 1, 2]
    assert "1 row holds no result" in answer.json["warnings"][0]
    assert engine("show", 1, "--json").json["outcomes"] == {ALONG: [88.0, 89.0]}
    assert engine("show", 1, "--json").json["conditions"]["humidity"] == 55
    assert engine("show", "B", "--json").json["failure"] == "drips"
    again = engine("log", "--file", path, "--json")
    assert (again.exit_code, again.json["recorded"]) == (0, [])


def test_a_file_of_results_is_taken_whole_or_not(engine, folder, state) -> None:
    engine("log", "--new", *SETTINGS, "--label", "A")
    engine("log", "--new", *SETTINGS, "--label", "B")
    engine("log", "B", "--abandon")
    before = state()
    path = write(folder / "r.csv", ["label", ALONG], ["A", "88"], ["B", "90"], ["D", "91"])
    answer = engine("log", "--file", path)
    assert answer.exit_code == 1
    assert "row 3: 'B'" in answer.err
    assert "row 4: 'D'" in answer.err
    assert state() == before
    bad = write(folder / "s.csv", ["label", ALONG, "humidity"], ["A", "x", "200"])
    answer = engine("log", "--file", bad)
    assert answer.err.count("row 2, column") == 2
    for headings in (["label", "humidty"], [ALONG], ["label", "colour"]):
        path = write(folder / "t.csv", headings, ["1"] * len(headings))
        assert engine("log", "--file", path).exit_code == 1
    assert state() == before


def test_a_worksheet_comes_back_with_results(engine, folder) -> None:
    for _ in range(3):
        engine("log", "--new", *SETTINGS, f"{ALONG}=88", "--at", "humidity=50")
    engine("propose", "--n", 2, "--strategy", "sobol", "--csv", "sheet.csv")
    rows = list(csv.reader((folder / "sheet.csv").read_text(encoding="utf-8-sig").splitlines()))
    rows[1][rows[0].index(f"{ALONG} [%]")] = "77"
    forecasts = [f"{ALONG}.{part}" for part in ("mean", "lower", "upper")]
    path = write(
        folder / "filled.csv",
        [*rows[0], *forecasts],
        *([*row, "80", "60", "100"] for row in rows[1:]),
    )
    done = engine("log", "--file", path, "--json")
    (recorded,) = done.json["recorded"]
    assert recorded["values"][0]["value"] == 77
    assert done.json["warnings"] == ["1 row holds no result, failure or note: nothing to record"]
    assert engine("show", rows[2][0], "--json").json["actual"] == {}


def test_status_leaves_out_runs_that_break_a_constraint(engine, folder) -> None:
    config = folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    rule = "elastic_modulus.longitudinal >= 0.2"
    text = text.replace("\nconstraints = []", f'\nconstraints = ["{rule}"]')
    config.write_text(text, encoding="utf-8")
    assert engine("campaign", "revise").exit_code == 0
    strong = ("fracture_strength.longitudinal=9", f"{ALONG}=99")
    engine("log", "--new", *SETTINGS, *strong, "elastic_modulus.longitudinal=0.1")
    engine("log", "--new", *SETTINGS, "fracture_strength.longitudinal=7", f"{ALONG}=88")
    told = engine("status", "--json").json
    assert (told["beyond_all_thresholds"], told["breaking_constraints"]) == (1, 1)
    assert {item["experiment"] for item in told["best"]} == {2}
    shown = engine("status").out
    assert f"breaking a constraint ({rule})" in shown
    assert "[MPa/%]" in shown


def test_a_file_of_corrections(engine, folder) -> None:
    engine("log", "--new", *SETTINGS, f"{ALONG}=88")
    path = write(folder / "r.csv", ["experiment", ALONG], ["1", "80"])
    done = engine("log", "--file", path, "--correct", "--json").json["recorded"]
    assert done[0]["values"][0]["superseded"] == 88.0


def test_status_and_show_tell_it_in_words(engine) -> None:
    assert "no experiments yet" in engine("status").out
    engine("log", "--new", *SETTINGS, "--label", "A", "--at", "humidity=61")
    engine("log", "--new", *SETTINGS, f"{ALONG}=88", "fracture_strength.longitudinal=7")
    engine("log", 2, f"{ALONG}=92", "--replicate", "--note", "[odd]")
    shown = engine("status").out
    assert "1 running, 1 completed" in shown
    assert "[rpm]" in shown
    assert "beyond every threshold: 1" in shown
    assert "elongation.longitudinal [%]" in engine("show", 2).out
    assert "[odd]" in engine("show", 2).out
    told = engine("status", "--json").json
    assert told["counts"]["completed"] == 1
    assert told["pending"][0]["label"] == "A"
    best = {item["outcome"]: item for item in told["best"]}
    assert (best[ALONG]["value"], best[ALONG]["experiment"]) == (90.0, 2)
    assert told["latest"][0]["outcomes"][ALONG] == [88.0, 92.0]
