"""A constant need not be stated: tables, `log --new` and `predict` know it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Engine = Callable[..., Any]

DEFINITION = """
[campaign]
name = "inks"

[[campaign.parameters]]
name = "voltage"
unit = "kV"
low = 10
high = 20

[[campaign.parameters]]
name = "distance"
unit = "cm"
low = 15
high = 15

[[campaign.parameters]]
name = "needle"
choices = ["G21"]

[[campaign.parameters]]
name = "drum"
choices = ["steel", "glass"]
retired = ["glass"]

[[campaign.properties]]
name = "strength"
unit = "MPa"

[[campaign.objectives]]
outcome = "strength"
threshold = 1
"""


@pytest.fixture
def inks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Path:
    made = tmp_path / "inks"
    made.mkdir()
    monkeypatch.chdir(made)
    assert engine("init", "--template", "blank").exit_code == 0
    (made / "inks.toml").write_text(DEFINITION, encoding="utf-8")
    assert engine("campaign", "create", "--file", "inks.toml").exit_code == 0
    return made


def conditions(engine: Engine, run: int) -> dict[str, Any]:
    document: dict[str, dict[str, Any]] = json.loads(engine("show", run, "--json").out)
    return document["conditions"]


def test_a_table_without_its_column(inks: Path, engine: Engine) -> None:
    rows = ["label,voltage [kV],drum,strength [MPa]", "a,12,steel,3", "b,14,glass,4"]
    (inks / "runs.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    taken = engine("import", "runs.csv")
    assert taken.exit_code == 0, taken.err
    assert "2 rows without distance: the constant 15 cm is taken" in taken.err
    assert "2 rows without needle: the constant G21 is taken" in taken.err
    assert conditions(engine, 2) == {
        "voltage": 14.0, "distance": 15.0, "needle": "G21", "drum": "glass"
    }  # fmt: skip
    assert "2 unchanged" in engine("import", "runs.csv").out


def test_empty_cells_and_other_values(inks: Path, engine: Engine) -> None:
    rows = [
        "label,voltage [kV],distance [cm],drum,strength [MPa]",
        "a,12,,steel,3",
        "b,14,12,steel,4",
    ]
    (inks / "runs.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    taken = engine("import", "runs.csv")
    assert taken.exit_code == 0, taken.err
    assert "1 row without distance: the constant 15 cm is taken" in taken.err
    assert [conditions(engine, run)["distance"] for run in (1, 2)] == [15.0, 12.0]


def test_of_a_choice_whose_others_are_retired_a_run_may_have_had_any(
    inks: Path, engine: Engine
) -> None:
    (inks / "runs.csv").write_text("label,voltage [kV],strength [MPa]\na,12,3\n", encoding="utf-8")
    refused = engine("import", "runs.csv")
    assert refused.exit_code == 1
    assert "drum" in refused.err
    assert "distance" not in refused.err


def test_what_is_logged_and_asked(inks: Path, engine: Engine) -> None:
    logged = engine("log", "--new", "voltage=12", "drum=steel", "strength=3")
    assert logged.exit_code == 0, logged.err
    assert conditions(engine, 1)["distance"] == 15.0
    asked = engine("predict", "--set", "voltage=13", "--json")
    assert "missing" in asked.err
    assert "drum" in asked.err
    assert "distance" not in asked.err
