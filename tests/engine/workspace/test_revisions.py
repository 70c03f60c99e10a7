from __future__ import annotations

import pytest

from engine.campaign import Campaign, Parameter
from engine.experiments.learning_set import history_from_records
from engine.workspace.differences import differences
from engine.workspace.revisions import contradictions

SETTINGS = ["flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400"]


def edit(folder, old: str, new: str, file: str = "config.toml") -> None:
    text = (folder / "config.toml").read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def test_an_edit_becomes_a_revision(engine, folder) -> None:
    edit(folder, "threshold = 40.0", "threshold = 60.0")
    for words in (("campaign", "show"), ("status",), ("log", "--new", *SETTINGS)):
        assert "engine campaign revise" in engine(*words).err
    done = engine("campaign", "revise", "--note", "40 was easy", "--json").json
    assert (done["revision"], done["note"]) == (2, "40 was easy")
    assert done["differences"] == ["objectives: 'elongation.longitudinal' threshold: 40 → 60"]
    assert engine("campaign", "show").err == ""
    shown = engine("campaign", "show", "--revision", 1, "--json").json
    assert shown["definition"]["objectives"][1]["threshold"] == 40.0
    assert engine("campaign", "show", "--revision", 3).exit_code == 1
    again = engine("campaign", "revise", "--json").json
    assert (again["revision"], again["differences"]) == (2, [])
    assert "nothing to record" in engine("campaign", "revise").out


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "voltage"', 'name = "potential"', "parameter 'potential' is new, and 1"),
        ('unit = "kV"', 'unit = "V"', "unit 'kV' → 'V', but 1 recorded values are in 'kV'"),
        ('name = "elongation"', 'name = "strain"', None),
        ('["longitudinal", "transverse"]', '["longitudinal"]', "outcome 'fracture_strength.tr"),
        ("maximum = 5000.0", "maximum = 50.0", "expected elongation [%] to be at most 50"),
        (
            "# ---- Parameters that the room",
            '[[campaign.parameters]]\nname = "distance"\nlow = 5\nhigh = 20\n#',
            "parameter 'distance' is new, and 1 experiments have no value",
        ),
    ],
)
def test_what_contradicts_recorded_data_is_refused(
    engine, folder, state, *, old, new, told
) -> None:
    results = ["elongation.longitudinal=88", "fracture_strength.transverse=4"]
    engine("log", "--new", *SETTINGS, *results)
    edit(folder, old, new)
    before = state() if told else None
    answer = engine("campaign", "revise")
    assert answer.exit_code == 2
    if told is None:  # the objective names the outcome that is gone: the file itself is refused
        assert "unknown outcome" in answer.err
        return
    assert told in answer.err
    assert "nothing was changed" in answer.err
    assert state() == before


def test_before_there_are_data_anything_may_change(engine, folder) -> None:
    edit(folder, 'unit = "kV"', 'unit = "V"')
    assert engine("campaign", "revise", "--json").json["revision"] == 2


def test_several_campaigns_in_one_database(engine, folder) -> None:
    edit(folder, 'name = "nanofibre"', 'name = "second"', "second.toml")
    assert engine("campaign", "create", "--file", "second.toml").exit_code == 0
    listed = {
        c["campaign"]: c["active"] for c in engine("campaign", "list", "--json").json["items"]
    }
    assert listed == {"nanofibre": False, "second": True}
    answer = engine("campaign", "revise")
    assert (answer.exit_code, "engine campaign use nanofibre" in answer.err) == (1, True)
    assert engine("campaign", "create", "--file", "second.toml").exit_code == 1
    engine("log", "--new", *SETTINGS, "--label", "A")
    assert engine("campaign", "use", "nanofibre").exit_code == 0
    assert "belongs to the campaign 'second'" in engine("show", 1).err
    assert "Did you mean 'second'?" in engine("campaign", "use", "secnd").err
    assert "*" in engine("campaign", "list").out


def test_differences_are_told_in_the_words_of_the_file(nanofibre) -> None:
    definition = nanofibre.definition()
    parameters = [p for p in definition["parameters"] if p["name"] != "voltage"]
    parameters[0] = {**parameters[0], "high": 0.8}
    edited = Campaign(
        **{
            **definition,
            "parameters": parameters,
            "description": "other",
            "parameter_constraints": ["flow_rate <= 0.5"],
        }
    )
    assert differences(nanofibre, nanofibre) == []
    assert differences(nanofibre, edited) == [
        "description: 'Electrospun nanofibre mats: strength against elongation' → 'other'",
        "parameter_constraints: [] → ['flow_rate <= 0.5']",
        "parameters: 'flow_rate' high: 0.6 → 0.8",
        "parameters: 'voltage' removed",
    ]
    swapped = Campaign(**{**definition, "objectives": definition["objectives"][::-1]})
    assert differences(nanofibre, swapped)[0].startswith("objectives: order")
    assert contradictions(nanofibre, edited, []) == []


NEEDLE = """[[campaign.parameters]]
name = "nozzle"
unit = "gauge"
low = 15
high = 30
default = {default}

# ---- Parameters that the room"""


@pytest.mark.parametrize(("default", "learnt"), [("22", 22.0), ('"unknown"', None)])
def test_a_parameter_of_later_on_has_a_value_for_the_past(
    engine, folder, workspace, *, default, learnt
) -> None:
    for voltage in (18, 20):
        words = [w if not w.startswith("voltage") else f"voltage={voltage}" for w in SETTINGS]
        engine("log", "--new", *words, f"elongation.longitudinal={voltage}")
    edit(folder, "# ---- Parameters that the room", NEEDLE.format(default=default))
    assert engine("campaign", "revise").exit_code == 0
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        runs = tx.experiments.find(record.id)
    history = history_from_records(campaign, runs)
    expected = campaign.parameter("nozzle").stand_in if learnt is None else learnt
    assert [run.conditions["nozzle"] for run in history.finished] == [expected, expected]
    assert all("nozzle" not in run.conditions for run in runs)
    assert engine("propose", "--n", 1, "--strategy", "gp", "--json").exit_code == 0
    assert engine("status").exit_code == 0


def test_a_removed_parameter_stays_in_the_record(engine, folder, workspace) -> None:
    engine("log", "--new", *SETTINGS, "elongation.longitudinal=88")
    text = (folder / "config.toml").read_text(encoding="utf-8")
    start = text.index('[[campaign.parameters]]\nname = "collector_speed"')
    (folder / "config.toml").write_text(
        text[:start] + text[text.index("# ---- Parameters that the room") :], encoding="utf-8"
    )
    answer = engine("campaign", "revise")
    assert "parameters: 'collector_speed' removed" in answer.out
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        (run,) = tx.experiments.find(record.id)
    assert run.conditions["collector_speed"] == 400.0
    assert "collector_speed" not in history_from_records(campaign, [run]).finished[0].conditions
    for words in (("show", 1), ("status",), ("export",), ("propose", "--n", 1)):
        assert engine(*words).exit_code == 0


@pytest.mark.parametrize(
    ("default", "problem"), [("-3", "at least 0"), ('"often"', "to be a finite number")]
)
def test_a_default_that_cannot_be_is_refused(default, problem) -> None:
    value = -3.0 if default == "-3" else "often"
    with pytest.raises(ValueError, match=problem):
        Parameter(name="nozzle", low=1, high=2, minimum=0, default=value)


PAST = NEEDLE.replace("\ndefault = {default}", "")


def log_three(engine) -> None:
    for label in ("A1", "A2", None):
        named = ["--label", label] if label else []
        assert engine("log", "--new", *SETTINGS, *named, "elongation.longitudinal=8").exit_code == 0


def test_past_values_come_from_a_column_of_a_table(engine, folder, workspace) -> None:
    log_three(engine)
    edit(folder, "# ---- Parameters that the room", PAST)
    table = ["Sample;Nadel;elongation", "A2;22,5;odd", "A1;18;", "3;20;", "X9;25;", ";17;"]
    (folder / "old.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    before = engine("campaign", "revise")
    assert before.exit_code == 2
    assert "--past name=old.xlsx:heading" in before.err
    answer = engine("campaign", "revise", "--past", "nozzle=old.csv:Nadel", "--json")
    assert answer.exit_code == 0, answer.err
    assert answer.json["past_runs"] == 3
    assert "rows 5 ('X9'), 6 name no run" in " ".join(answer.err.split())
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        runs = tx.experiments.find(record.id)
    assert [run.conditions["nozzle"] for run in runs] == [18.0, 22.5, 20.0]
    again = engine("campaign", "revise", "--past", "nozzle=old.csv:Nadel")
    assert again.exit_code == 0
    assert "says the same" in again.out


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["A1;18", "A2;20"], "1 experiments have no value of it"),
        (["A1;18", "A2;20", "3;20", "A1;19"], "nozzle of run 1 · label A1 is 19.0, another row"),
        (["A1;18", "A2;thick", "3;20"], "row 3, column 'Nadel': 'thick'"),
    ],
)
def test_past_values_that_cannot_be_change_nothing(engine, folder, state, rows, told) -> None:
    log_three(engine)
    edit(folder, "# ---- Parameters that the room", PAST)
    (folder / "old.csv").write_text("\n".join(["label;Nadel", *rows]) + "\n", encoding="utf-8")
    before = state()
    answer = engine("campaign", "revise", "--past", "nozzle=old.csv:Nadel")
    assert answer.exit_code in (1, 2)
    assert told in " ".join(answer.err.split())
    assert state() == before


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("nozle=old.csv:Nadel", "Did you mean 'nozzle'"),
        ("nozzle", "expected nozzle=FILE:HEADING"),
        ("nozzle=none.csv:Nadel", "no such file"),
        ("nozzle=old.csv:rh", "expected a column 'rh' with past values of nozzle"),
    ],
)
def test_a_column_of_past_values_that_is_not_there(engine, folder, word, told) -> None:
    edit(folder, "# ---- Parameters that the room", PAST)
    (folder / "old.csv").write_text("label;Nadel\nA1;18\n", encoding="utf-8")
    answer = engine("campaign", "revise", "--past", word)
    assert answer.exit_code in (1, 2)
    assert told in " ".join(answer.err.split()), answer.err
