from __future__ import annotations

import pytest

from engine.campaign import Campaign
from engine.workspace.revisions import contradictions, differences

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
        ('name = "voltage"', 'name = "potential"', "parameter 'voltage' has values in 1"),
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
    listed = {c["campaign"]: c["active"] for c in engine("campaign", "list", "--json").json}
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
