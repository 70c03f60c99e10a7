"""A solvent sold no more, narrower bounds, a further choice: revised at the command line."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Engine = Callable[..., Any]

CAMPAIGN = """
[campaign]
name = "kitchen"

[[campaign.parameters]]
name = "heat"
unit = "°C"
low = 20.0
high = 80.0

[[campaign.parameters]]
name = "solvent"
choices = ["DMF", "water", "ethanol"]

[[campaign.parameters]]
name = "distance"
unit = "cm"
low = 15.0
high = 15.0

[[campaign.properties]]
name = "gloss"
unit = "GU"

[[campaign.properties]]
name = "cost"

[[campaign.objectives]]
outcome = "gloss"
threshold = 0.0

[[campaign.objectives]]
outcome = "cost"
goal = "minimize"
threshold = 30.0
"""
WORTH = {"DMF": 3.0, "water": 0.0, "ethanol": 1.0}


@pytest.fixture
def kitchen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine, prepare: Callable[..., None]
) -> Path:
    """Return a workspace with twelve runs, and two proposals, one with DMF."""
    made = tmp_path / "kitchen"
    made.mkdir()
    monkeypatch.chdir(made)
    prepare(made, lambda: furnish(made, engine))
    return made


def furnish(made: Path, engine: Engine) -> None:
    """Make the workspace where the command line stands."""
    assert engine("init", "--template", "blank").exit_code == 0
    rest = (made / "config.toml").read_text(encoding="utf-8")
    tables = rest[: rest.index("[campaign]")], rest[rest.rindex("threshold = 0.0") + 16 :]
    (made / "config.toml").write_text(tables[0] + tables[1], encoding="utf-8")
    (made / "kitchen.toml").write_text(CAMPAIGN, encoding="utf-8")
    assert engine("campaign", "create", "--file", "kitchen.toml").exit_code == 0
    with (made / "runs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["heat [°C]", "solvent", "distance [cm]", "gloss [GU]", "cost"])
        for i in range(12):
            heat, solvent = 22 + 5 * i, ("DMF", "water", "ethanol")[i % 3]
            distance = 20 if i == 11 else 15
            gloss, cost = heat / 20 + WORTH[solvent], 6 + (heat - 50) ** 2 / 900 + i % 2
            writer.writerow([heat, solvent, distance, f"{gloss:.3f}", f"{cost:.3f}"])
    done = engine("import", "runs.csv")
    assert done.exit_code == 0, done.err
    assert "1 run lies off the constant distance [cm], 15; kept" in done.out + done.err
    for solvent in ("DMF", "water"):
        words = ("-n", 1, "--strategy", "sobol", "--fix", f"solvent={solvent}", "--fix", "heat=70")
        assert engine("propose", *words).exit_code == 0


def revise(engine: Engine, folder: Path, *edits: tuple[str, str]) -> Any:
    text = (folder / "kitchen.toml").read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "kitchen.toml").write_text(text, encoding="utf-8")
    return engine("campaign", "revise", "--file", "kitchen.toml")


ALL = '["DMF", "water", "ethanol"]'


def test_a_choice_taken_off_the_list_is_refused_and_retiring_it_offered(
    kitchen: Path, engine: Engine
) -> None:
    answer = revise(engine, kitchen, (ALL, '["water", "ethanol"]'))
    assert answer.exit_code == 2
    # Four runs and a proposal.
    assert "parameter 'solvent': 5 experiments have 'DMF', which is no longer among" in answer.err
    assert 'retired = ["DMF"]' in answer.err
    assert "nothing was changed" in answer.err


def test_a_choice_is_retired(kitchen: Path, engine: Engine) -> None:
    answer = revise(engine, kitchen, (ALL, f'{ALL}\nretired = ["DMF"]'))
    assert answer.exit_code == 0, answer.err
    assert "parameters: 'solvent' retired: default → ['DMF']" in answer.out
    assert "4 runs lie outside the choices of solvent that can still be had, water, ethanol" in (
        answer.err
    )
    assert "they count and teach, and are not proposed again" in answer.err
    awaited = (
        "run 13 is proposed, but solvent = DMF is retired, it can no longer be had: give it up"
    )
    assert awaited in answer.err
    # Told once: a further revision says nothing of it but what is still proposed.
    again = revise(engine, kitchen, ("threshold = 30.0", "threshold = 25.0"))
    assert "runs lie" not in again.err
    assert awaited in again.err

    assert "water, ethanol" in engine("campaign", "show").out
    assert "retired: DMF" in engine("campaign", "show").out
    refused = engine("propose", "-n", 1, "--fix", "solvent=DMF")
    assert refused.exit_code == 2
    assert "DMF is retired, it can no longer be had" in refused.err
    batch = engine("propose", "-n", 4, "--strategy", "gp", "--json")
    assert batch.exit_code == 0, batch.err
    proposals = batch.json["proposals"]
    assert {p["conditions"]["solvent"] for p in proposals} <= {"water", "ethanol"}
    assert {p["conditions"]["distance"] for p in proposals} == {15.0}
    notes = " ".join(batch.json["notes"])
    assert "outside of what is searched today" in notes
    assert "experiment 13 is awaited, but solvent = DMF is retired" in notes
    assert "run 13 is proposed, but solvent = DMF" in str(engine("doctor", "--json").json)
    # A fact is a fact: what was spun all the same is recorded, and its runs are shown.
    done = engine("log", 13, "gloss=6.5", "cost=7", "--json")
    assert done.exit_code == 0, done.err
    assert engine("show", 13, "--json").json["conditions"]["solvent"] == "DMF"
    manual = ("heat=50", "solvent=DMF", "distance=15")
    new = engine("log", "--new", *manual, "--json")
    assert new.json["warnings"] == ["solvent = DMF is retired, it can no longer be had; kept"]
    asked = engine("predict", *(word for pair in manual for word in ("--set", pair)), "--json")
    assert asked.exit_code == 0, asked.err
    assert "solvent = DMF is retired, it can no longer be had" in str(asked.json)
    assert engine("export", "--out", "all.csv").exit_code == 0
    assert "DMF" in (kitchen / "all.csv").read_text(encoding="utf-8")
    assert engine("report", "--out", "report.html").exit_code == 0
    assert engine("replay", 1).exit_code == 0


def test_bounds_are_narrowed_and_widened_again(kitchen: Path, engine: Engine) -> None:
    answer = revise(engine, kitchen, ("high = 80.0", "high = 40.0"))
    assert answer.exit_code == 0, answer.err
    assert "parameters: 'heat' high: 80 → 40" in answer.out
    assert "8 runs lie outside the range searched of heat [°C], 20 … 40; kept: they" in answer.err
    assert "runs 13, 14 are proposed, but heat [°C] = 70 lies outside the range" in answer.err
    batch = engine("propose", "-n", 4, "--strategy", "gp", "--json")
    assert all(20 <= p["conditions"]["heat"] <= 40 for p in batch.json["proposals"])
    assert "outside of what is searched today" in " ".join(batch.json["notes"])
    wide = revise(engine, kitchen, ("high = 40.0", "high = 90.0"))
    assert wide.exit_code == 0
    assert "outside" not in wide.err


def test_a_further_choice_and_what_was_proposed_before(kitchen: Path, engine: Engine) -> None:
    answer = revise(engine, kitchen, (ALL, '["acetone", "DMF", "water", "ethanol"]'))
    assert answer.exit_code == 0, answer.err
    assert answer.err == ""
    batch = engine("propose", "-n", 8, "--strategy", "sobol", "--json").json
    assert "acetone" in {p["conditions"]["solvent"] for p in batch["proposals"]}
    # Earlier batches are computed with the definition of their time.
    assert engine("replay", 1).exit_code == 0


def test_a_constant_becomes_free_and_the_other_way_round(kitchen: Path, engine: Engine) -> None:
    free = revise(engine, kitchen, ("low = 15.0\nhigh = 15.0", "low = 10.0\nhigh = 25.0"))
    assert free.exit_code == 0, free.err
    batch = engine("propose", "-n", 4, "--strategy", "gp", "--json")
    assert batch.exit_code == 0, batch.err
    assert len({p["conditions"]["distance"] for p in batch.json["proposals"]}) > 1
    held = revise(engine, kitchen, ("low = 10.0\nhigh = 25.0", "low = 12.0\nhigh = 12.0"))
    assert held.exit_code == 0, held.err
    assert "12 runs lie off the constant distance [cm], 12; kept" in held.err
    batch = engine("propose", "-n", 2, "--strategy", "gp", "--json")
    assert {p["conditions"]["distance"] for p in batch.json["proposals"]} == {12.0}
