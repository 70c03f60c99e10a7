"""Who, when, with what: facts of runs through every door, corrected, undone, filtered."""

from __future__ import annotations

import csv
import io

import pytest

from engine.campaign import Campaign
from engine.campaign.facts import Fact
from engine.errors import SpinneretError
from engine.experiments.facts import read_facts

SETTINGS = ["flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400"]


def test_what_a_fact_may_be() -> None:
    day = Fact(name="spun", kind="date")
    for text in ("2026-05-31", "31.05.2026", "2026-05-31 00:00:00"):
        assert day.read(text) == "2026-05-31"
    assert day.read(" ") is None
    choice = Fact(name="needle", kind="choice", choices=("18G", "21G"), unit="gauge")
    assert choice.read("21g") == "21G"
    for fact, text, words in (
        (day, "2026-13-01", "such as 2026-05-31"),
        (choice, "22G", "expected 18G or 21G"),
        (Fact(name="lot"), "x" * 201, "at most 200"),
    ):
        with pytest.raises(ValueError, match=words):
            fact.read(text)
    with pytest.raises(ValueError, match="needs choices"):
        Fact(name="needle", kind="choice")
    with pytest.raises(ValueError, match="has choices"):
        Fact(name="needle", choices=("18G",))


def test_a_fact_has_a_name_of_its_own(nanofibre: Campaign) -> None:
    definition = nanofibre.definition()
    with pytest.raises(ValueError, match="is a fact and something else"):
        Campaign(**{**definition, "facts": [{"name": "voltage"}]})
    bare = Campaign(**{name: part for name, part in definition.items() if name != "facts"})
    assert bare.facts == ()
    with pytest.raises(SpinneretError, match="Known: none in this campaign"):
        read_facts(bare, {"lot": "A17"})
    with pytest.raises(SpinneretError, match="Did you mean 'operator'"):
        read_facts(nanofibre, {"operater": "anna"})


def test_a_setting_is_never_mistaken_for_a_fact(nanofibre: Campaign) -> None:
    from engine.campaign.vocabulary import Vocabulary

    definition = nanofibre.definition()
    definition["parameters"].append({"name": "needle", "low": 18, "high": 27})
    words = Vocabulary(Campaign(**definition))
    assert words.lookup("Needle") == ("parameter", "needle")
    assert words.lookup("needle used") == ("fact", "needle_used")


def test_facts_are_logged_corrected_shown_and_undone(engine) -> None:
    new = engine(
        "log", "--new", *SETTINGS, "--with", "lot=A17", "--with", "Date spun=31.5.2026", "--json"
    )
    assert new.exit_code == 0, new.err
    assert new.json["facts"] == {"lot": "A17", "spun": "2026-05-31"}
    assert engine("log", "1", "--with", "lot=A18", "--with", "needle=21G").exit_code == 0
    run = engine("show", "1", "--json").json
    assert run["facts"] == {"lot": "A18", "needle_used": "21G", "spun": "2026-05-31"}
    assert "A18" in engine("show", "1").out
    undone = engine("undo")
    assert undone.exit_code == 0, undone.err
    assert engine("show", "1", "--json").json["facts"] == {"lot": "A17", "spun": "2026-05-31"}
    assert engine("log", "1", "--with", "lot=").exit_code == 0
    assert engine("show", "1", "--json").json["facts"] == {"spun": "2026-05-31"}
    wrong = engine("log", "1", "--with", "spun=soon")
    assert (wrong.exit_code, "--with" in wrong.err) == (1, True), wrong.err
    assert engine("log", "1", "--with", "lto=A").exit_code == 2
    condition = engine("log", "1", "--actual", "lot=A17")
    assert "--with" in condition.err


def test_facts_go_out_and_come_in(engine, tmp_path) -> None:
    table = tmp_path / "runs.csv"
    table.write_text(
        "label,flow rate,concentration,voltage,collector speed,Solution lot,spun\n"
        "a,0.4,18,18,400,A17,31.05.2026\nb,0.4,18,20,400,,\n"
    )
    assert engine("import", table).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(engine("export").out)))
    assert [(row["lot"], row["spun"], row["needle_used"]) for row in rows] == [
        ("A17", "2026-05-31", ""), ("", "", ""),
    ]  # fmt: skip
    # What is recorded otherwise is a difference, and nothing is doubled.
    table.write_text(table.read_text().replace("A17", "A18").replace("400,,", "400,B2,"))
    refused = engine("import", table)
    assert (refused.exit_code, "lot" in refused.err) == (1, True), refused.err
    assert engine("import", table, "--update").exit_code == 0
    document = engine("export", "--format", "json").json
    assert [run["facts"].get("lot") for run in document["experiments"]] == ["A18", "B2"]
    results = tmp_path / "results.csv"
    results.write_text("experiment,Needle\n2,21G\n")
    assert engine("log", "--file", results).exit_code == 0
    assert engine("show", "2", "--json").json["facts"] == {"lot": "B2", "needle_used": "21G"}
    results.write_text("experiment,spun\n2,soon\n")
    assert "expected a day" in engine("log", "--file", results).err
