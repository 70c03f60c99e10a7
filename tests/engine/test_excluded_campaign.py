"""A campaign with exclusions, from the configuration to the report: kept, told, never silent."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.campaign import Campaign, Value
from engine.predictions.predict import what_drives
from engine.predictions.sensitivity import sensitivity
from engine.predictions.slices import middle_of, slices, surface
from engine.propose.request import Forecast
from engine.workspace.differences import differences

Engine = Callable[..., Any]

RULES = """
[[campaign.exclusions]]
when = { solvent = "water", plasticiser = { above = 0.2 } }
note = "it separates"

[[campaign.exclusions]]
when = { solvent = "acetone", polymer = { at_least = 0.9 }, filler = 0.1 }
"""
SEPARATES = "'solvent = water and plasticiser > 0.2' is excluded (it separates)"
INSIDE = ("polymer=0.6", "plasticiser=0.3", "filler=0.1", "solvent=water")


@pytest.fixture
def ruled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Path:
    """Return a workspace of a mixture with exclusions."""
    made = tmp_path / "ruled"
    made.mkdir()
    monkeypatch.chdir(made)
    assert engine("init", "--template", "mixture").exit_code == 0
    config = made / "config.toml"
    config.write_text(config.read_text(encoding="utf-8") + RULES, encoding="utf-8")
    assert engine("campaign", "revise").exit_code == 0
    return made


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def mixtures() -> list[dict[str, object]]:
    """Old runs, some of them in the exclusions."""
    rows: list[dict[str, object]] = []
    for i in range(24):
        plasticiser, filler = (i % 7) * 0.05, (i % 4) * 0.05
        rows.append(
            {
                "polymer": round(1 - plasticiser - filler, 2),
                "plasticiser": round(plasticiser, 2),
                "filler": round(filler, 2),
                "solvent": ("water", "ethanol", "acetone")[i % 3],
                "toughness": round(5 + 8 * plasticiser + filler + 0.1 * (i % 5), 3),
                "cost": round(10 - plasticiser * 5 + filler, 3),
            }
        )
    return rows


def test_what_is_recorded_is_told_and_kept(ruled: Path, engine: Engine) -> None:
    assert SEPARATES in engine("campaign", "show").out
    done = engine("log", "--new", *INSIDE, "--json")
    assert done.exit_code == 0
    assert done.json["warnings"] == [f"{SEPARATES}; kept"]
    fine = engine("log", "--new", *INSIDE[:3], "solvent=ethanol", "--json")
    assert fine.json["warnings"] == []
    edited = engine("log", 2, "--actual", "solvent=water", "--json")
    assert edited.json["warnings"] == [f"{SEPARATES}; kept"]


def test_old_runs_come_in_teach_and_are_told_once(ruled: Path, engine: Engine) -> None:
    path = write(ruled / "old.csv", mixtures())
    done = engine("import", path, "--json")
    assert done.exit_code == 0, done.err
    n = sum(
        row["solvent"] == "water" and float(str(row["plasticiser"])) > 0.2 for row in mixtures()
    )
    assert n > 1
    assert f"{n} runs lie where {SEPARATES}; kept" in done.json["warnings"]
    batch = engine("propose", "-n", 4, "--strategy", "gp", "--json")
    assert batch.exit_code == 0, batch.err
    for proposal in batch.json["proposals"]:
        conditions = proposal["conditions"]
        assert conditions["solvent"] != "water" or conditions["plasticiser"] <= 0.2 + 1e-9
    refused = engine("propose", "--fix", "solvent=water", "--fix", "plasticiser=0.3")
    assert refused.exit_code == 2
    assert "--fix" in refused.err
    assert SEPARATES in " ".join(refused.err.split())
    asked = engine("predict", *(w for pair in INSIDE for w in ("--set", pair)), "--json")
    assert SEPARATES in asked.json["items"][0]["warnings"]
    scored = engine("score", write(ruled / "new.csv", mixtures()[:3]))
    assert "separates" not in scored.err
    held = write(ruled / "held.csv", [row for row in mixtures() if row["solvent"] == "water"])
    assert f"where {SEPARATES}" in " ".join(engine("score", held).err.split())
    report = engine("report", "--out", "report.html")
    assert report.exit_code == 0, report.err
    assert "it separates" in (ruled / "report.html").read_text(encoding="utf-8")


def test_an_edit_that_excludes_what_is_proposed_tells_which(ruled: Path, engine: Engine) -> None:
    batch = engine("propose", "-n", 6, "--strategy", "sobol", "--seed", 1, "--json")
    proposals = batch.json["proposals"]
    limit = max(p["conditions"]["filler"] for p in proposals)
    dry = [p["experiment"] for p in proposals if p["conditions"]["filler"] == limit]
    config = ruled / "config.toml"
    text = config.read_text(encoding="utf-8")
    more = f"\n[[campaign.exclusions]]\nwhen = {{ filler = {{ at_least = {limit} }} }}\n"
    config.write_text(text + more, encoding="utf-8")
    revised = engine("campaign", "revise")
    assert revised.exit_code == 0
    assert f"exclusions: 'filler >= {limit}' added" in revised.out
    listed = ", ".join(map(str, sorted(dry)))
    assert (
        f"{listed} {'is' if len(dry) == 1 else 'are'} proposed, but 'filler >= {limit}'"
        in " ".join(revised.err.split())
    )
    findings = json.loads(engine("doctor", "--quick", "--json").out)["findings"]
    assert any(f"filler >= {limit}" in str(finding) for finding in findings)


def test_a_configuration_that_excludes_all_is_named(ruled: Path, engine: Engine) -> None:
    config = ruled / "config.toml"
    text = config.read_text(encoding="utf-8")
    more = "\n[[campaign.exclusions]]\nwhen = { solvent = ['water', 'ethanol', 'acetone'] }\n"
    config.write_text(text + more, encoding="utf-8")
    refused = engine("campaign", "revise")
    assert refused.exit_code == 2
    assert "'solvent = water or ethanol or acetone' excludes every setting" in " ".join(
        refused.err.split()
    )


# -- what the model is asked ----------------------------------------------------------------------

TOY = Campaign(
    name="toy",
    parameters=[
        {"name": "solvent", "choices": ["WATER", "DMF"]},
        {"name": "heat", "low": 20, "high": 100},
        {"name": "volts", "low": 0, "high": 1},
        {"name": "humidity", "role": "ambient", "low": 30, "high": 60},
    ],
    properties=[{"name": "y"}],
    objectives=[{"outcome": "y", "threshold": 0}],
    exclusions=[{"when": {"solvent": "WATER", "heat": {"above": 60}}, "note": "boils"}],
)


class Counting:
    """Answers ``y = heat``, and keeps what it was asked."""

    def __init__(self, campaign: Campaign) -> None:
        self.space: Any = type("Space", (), {"campaign": campaign})()
        self.outcomes = ("y",)
        self.asked: list[Mapping[str, Value]] = []

    def predict(
        self, rows: Sequence[Mapping[str, Value]], level: float | None = None
    ) -> list[dict[str, Forecast]]:
        self.asked.extend(rows)
        return [{"y": Forecast(x, x - 1, x + 1)} for x in (float(row["heat"]) for row in rows)]


AT: dict[str, Value] = {"solvent": "WATER", "heat": 40.0, "volts": 0.5, "humidity": 40.0}


def test_what_drives_is_asked_where_settings_are_allowed() -> None:
    model: Any = Counting(TOY)
    (drives,) = what_drives(model, [AT])
    assert not any(TOY.exclusions_of(row) for row in model.asked)
    by_name = {drive.parameter: drive for drive in drives["y"]}
    assert by_name["heat"].best == 60.0
    assert by_name["heat"].change == pytest.approx(40.0)
    # From the inside of an exclusion its own limits lead out; the others leave nothing to ask.
    (hot,) = what_drives(model, [{**AT, "heat": 90.0}])
    assert {drive.parameter for drive in hot["y"]} == {"heat", "solvent"}


def test_slices_and_maps_say_what_is_excluded() -> None:
    model: Any = Counting(TOY)
    cuts = {cut.parameter: cut for cut in slices(model, AT, "y", 0.9)}
    heat = cuts["heat"]
    assert [x > 60 for x in heat.grid] == list(heat.excluded)
    assert not any(cuts["volts"].excluded)
    over = surface(model, AT, "y", "solvent", "heat")
    assert [line[0] for line in over.excluded] == [heat > 60 for heat in over.y_grid]
    assert not any(line[1] for line in over.excluded)


def test_sensitivities_ask_only_what_is_allowed() -> None:
    def predict(rows: Sequence[Mapping[str, Value]]) -> dict[str, list[float]]:
        assert not any(TOY.exclusions_of(row) for row in rows)
        return {"y": [float(row["heat"]) for row in rows]}

    shares = dict(zip(TOY.parameters, sensitivity(TOY, ["y"], predict).total[0], strict=True))
    by_name = {parameter.name: share for parameter, share in shares.items()}
    assert by_name["heat"] > 0.7
    assert by_name["volts"] == by_name["solvent"] == by_name["humidity"] == 0.0


@pytest.mark.parametrize("rare", [0.5, 0.995])
def test_sensitivities_are_told_however_little_is_left(rare: float) -> None:
    corner = [
        {"when": {"heat": {"below": 20 + 80 * rare}}},
        {"when": {"volts": {"below": rare}}},
        {"when": {"solvent": "DMF"}},
    ]
    campaign = Campaign(**{**TOY.definition(), "exclusions": corner, "constraints": []})
    campaign = Campaign(**{**campaign.definition(), "parameters": [
        parameter.model_dump(exclude_defaults=True) for parameter in TOY.parameters
    ]})  # fmt: skip

    def predict(rows: Sequence[Mapping[str, Value]]) -> dict[str, list[float]]:
        assert not any(campaign.exclusions_of(row) for row in rows)
        return {"y": [float(row["heat"]) for row in rows]}

    result = sensitivity(campaign, ["y"], predict, n_samples=64)
    assert result.spread[0] == pytest.approx(80 * (1 - rare) / 12**0.5, rel=0.25)


def test_only_choices_are_asked_too() -> None:
    names = Campaign(
        **{
            **TOY.definition(),
            "parameters": [
                {"name": "solvent", "choices": ["WATER", "DMF"]},
                {"name": "polymer", "choices": ["PVA", "PCL", "PEO"]},
            ],
            "exclusions": [{"when": {"solvent": "WATER", "polymer": {"other_than": "PVA"}}}],
        }
    )

    def predict(rows: Sequence[Mapping[str, Value]]) -> dict[str, list[float]]:
        assert not any(names.exclusions_of(row) for row in rows)
        return {"y": [float(row["polymer"] == "PVA") for row in rows]}

    assert sensitivity(names, ["y"], predict).total[0][1] > 0.3


def test_exploring_begins_at_what_is_allowed() -> None:
    assert middle_of(TOY)["heat"] == 60.0
    hotter = Campaign(
        **{
            **TOY.definition(),
            "exclusions": [{"when": {"heat": {"below": 80}}}, {"when": {"solvent": "DMF"}}],
        }
    )
    assert not hotter.exclusions_of(middle_of(hotter))
    assert middle_of(hotter)["solvent"] == "WATER"


def test_differences_of_exclusions_are_told_one_by_one() -> None:
    former = {**TOY.definition(), "exclusions": [{"when": {"heat": {"above": 90}}}]}
    renamed = {**TOY.definition()}
    renamed["exclusions"] = [{**renamed["exclusions"][0], "note": "it boils"}]
    assert differences(Campaign(**former), TOY) == [
        "exclusions: 'heat > 90' removed",
        "exclusions: 'solvent = WATER and heat > 60' added",
    ]
    assert differences(TOY, Campaign(**renamed)) == [
        "exclusions: 'solvent = WATER and heat > 60' note: 'boils' → 'it boils'"
    ]
