"""A drum's speed only with a drum: from the configuration to tables, files and the model."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.campaign import Campaign, LinearConstraint, Value
from engine.campaign.applicability import completed, lacking, surplus, without_surplus
from engine.predictions.predict import what_drives
from engine.predictions.sensitivity import sensitivity
from engine.predictions.slices import slices
from engine.propose.request import Forecast

Engine = Callable[..., Any]

DEFINITION = """
[campaign]
name = "mats"

[[campaign.parameters]]
name = "collector"
choices = ["plate", "drum"]

[[campaign.parameters]]
name = "speed"
unit = "rpm"
low = 100
high = 900
step = 100
only_if = { collector = "drum" }

[[campaign.parameters]]
name = "voltage"
unit = "kV"
low = 10
high = 20
step = 0.5

[[campaign.properties]]
name = "strength"
unit = "MPa"
minimum = 0

[[campaign.objectives]]
outcome = "strength"
threshold = 1
"""
ONLY = "only if collector = drum"


@pytest.fixture
def mats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Path:
    made = tmp_path / "mats"
    made.mkdir()
    monkeypatch.chdir(made)
    assert engine("init", "--template", "blank").exit_code == 0
    (made / "mats.toml").write_text(DEFINITION, encoding="utf-8")
    created = engine("campaign", "create", "--file", "mats.toml")
    assert created.exit_code == 0, created.err
    return made


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def runs(n: int = 16) -> list[dict[str, object]]:
    rows = []
    for i in range(n):
        is_drum = i % 2 == 1
        speed = 100 + 100 * (i * 5 % 9)
        rows.append(
            {
                "collector": "drum" if is_drum else "plate",
                "speed": speed if is_drum else "",
                "voltage": 10 + (i * 7 % 20) / 2,
                "strength": round(2 + (speed / 200 if is_drum else 1) + 0.1 * (i % 3), 3),
            }
        )
    return rows


# -- the definition -------------------------------------------------------------------------------


def campaign_of(**only_if: Mapping[str, Any]) -> Campaign:
    parameters: list[dict[str, Any]] = [
        {"name": "collector", "choices": ["plate", "drum"]},
        {"name": "speed", "low": 100, "high": 900, "step": 100},
        {"name": "voltage", "low": 10, "high": 20},
        {"name": "humidity", "role": "ambient", "low": 30, "high": 60},
    ]
    for parameter in parameters:
        if parameter["name"] in only_if:
            parameter["only_if"] = dict(only_if[parameter["name"]])
    return Campaign(
        name="mats",
        parameters=parameters,
        properties=[{"name": "y"}],
        objectives=[{"outcome": "y", "threshold": 0}],
    )


@pytest.mark.parametrize(
    ("only_if", "told"),
    [
        ({"speed": {"collector": "drm"}}, "'collector' has no choice 'drm'. Did you mean 'drum'?"),
        ({"speed": {"colector": "drum"}}, "'colector' is no parameter. Did you mean 'collector'?"),
        ({"speed": {"humidity": {"above": 40}}}, "'humidity' is given by the room"),
        ({"speed": {"speed": 500}}, "it depends on itself"),
        ({"speed": {"voltage": {"above": 12}}, "voltage": {"speed": 100}}, "it depends on itself"),
        ({"humidity": {"collector": "drum"}}, "'humidity' is ambient"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(only_if: Any, told: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        campaign_of(**only_if)
    assert told in str(refusal.value)


def test_a_sum_has_no_parameter_that_may_be_absent() -> None:
    definition = campaign_of(speed={"collector": "drum"}).definition()
    with pytest.raises(ValidationError, match="'speed' has no value everywhere"):
        Campaign(**{**definition, "parameter_constraints": ["speed + voltage <= 500"]})


def test_what_is_lacking_and_what_is_too_much() -> None:
    campaign = campaign_of(speed={"collector": "drum"})
    parameters = campaign.parameters
    plate: dict[str, Value] = {"collector": "plate", "voltage": 15.0}
    drum: dict[str, Value] = {"collector": "drum", "voltage": 15.0}
    assert lacking(parameters, plate) == []
    assert [p.name for p in lacking(parameters, drum)] == ["speed"]
    # Nobody knows yet: the collector is what lacks.
    assert [p.name for p in lacking(parameters, {"voltage": 15.0})] == ["collector"]
    assert [p.name for p in surplus(parameters, {**plate, "speed": 200.0})] == ["speed"]
    assert without_surplus(parameters, {**plate, "speed": 200.0}) == plate
    assert completed(parameters, drum) == {**drum, "speed": 500.0}
    assert completed(parameters, plate) == plate
    assert Campaign(**campaign.definition()) == campaign


@given(
    st.sampled_from(["plate", "drum"]),
    st.one_of(st.none(), st.sampled_from([100.0, 500.0, 900.0])),
    st.one_of(st.none(), st.floats(10, 20)),
)
def test_completed_conditions_lack_nothing_and_say_nothing_too_much(
    collector: str, speed: float | None, voltage: float | None
) -> None:
    campaign = campaign_of(speed={"collector": "drum"}, voltage={"speed": {"above": 300}})
    given_ones: dict[str, Value | None] = {
        "collector": collector,
        "speed": speed,
        "voltage": voltage,
    }
    row = completed(campaign.parameters, {k: v for k, v in given_ones.items() if v is not None})
    assert lacking(campaign.parameters, row) == []
    assert surplus(campaign.parameters, row) == []


# -- input ----------------------------------------------------------------------------------------


def test_a_run_is_logged_with_what_it_has(mats: Path, engine: Engine) -> None:
    assert ONLY in " ".join(engine("campaign", "show").out.split())
    plate = engine("log", "--new", "collector=plate", "voltage=15", "strength=3", "--json")
    assert plate.exit_code == 0, plate.err
    missing = engine("log", "--new", "collector=drum", "voltage=15")
    assert missing.exit_code == 2
    assert "missing: speed [rpm]" in missing.err
    too_much = engine("log", "--new", "collector=plate", "voltage=15", "speed=300")
    assert too_much.exit_code == 2
    assert f"speed=300: speed has a value {ONLY}" in " ".join(too_much.err.split())
    # Corrected afterwards: the drum needs its speed, and a plate has none.
    alone = engine("log", 1, "--actual", "collector=drum")
    assert alone.exit_code == 2
    assert "give it, too" in alone.err
    both = engine("log", 1, "--actual", "collector=drum", "--actual", "speed=300")
    assert both.exit_code == 0, both.err
    assert engine("log", 1, "--actual", "collector=plate").exit_code == 0
    again = engine("log", 1, "--actual", "speed=300")
    assert again.exit_code == 2
    assert ONLY in " ".join(again.err.split())


def test_a_table_has_empty_cells_where_there_is_no_value(mats: Path, engine: Engine) -> None:
    rows = runs()
    done = engine("import", write(mats / "runs.csv", rows), "--json")
    assert done.exit_code == 0, done.err
    assert not any("speed" in warning for warning in done.json["warnings"])
    empty = [{**row, "speed": ""} for row in rows[:4]]
    refused = engine("import", write(mats / "empty.csv", empty))
    assert refused.exit_code == 1
    assert "the cell is empty" in refused.err
    bare = [{k: v for k, v in row.items() if k != "speed"} for row in rows]
    assert "this column is missing, and the row needs it" in " ".join(
        engine("import", write(mats / "bare.csv", bare)).err.split()
    )
    plates = [
        {**row, "label": f"p{i}"} for i, row in enumerate(bare) if row["collector"] == "plate"
    ]
    assert engine("import", write(mats / "plates.csv", plates)).exit_code == 0
    # Sheets say 0, or the last speed, where nothing turns.
    zeros = [{**row, "speed": row["speed"] or 0, "label": f"z{i}"} for i, row in enumerate(rows)]
    told = engine("import", write(mats / "zeros.csv", zeros), "--json")
    assert told.exit_code == 0, told.err
    assert f"8 rows give speed, which has a value {ONLY}; left out there" in told.json["warnings"]


def test_what_goes_out_comes_in_again(mats: Path, engine: Engine) -> None:
    engine("import", write(mats / "runs.csv", runs()))
    for kind, name in (("csv", "out.csv"), ("json", "out.json")):
        assert engine("export", "--format", kind, "--out", name).exit_code == 0
        again = engine("import", name, "--dry-run", "--json")
        assert again.exit_code == 0, again.err
        assert (again.json["added"], again.json["unchanged"]) == (0, 16), again.json
    with (mats / "out.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert {row["speed [rpm]"] for row in table if row["collector"] == "plate"} == {""}
    document = json.loads((mats / "out.json").read_text(encoding="utf-8"))
    plate = [e for e in document["experiments"] if e["actual"]["collector"] == "plate"]
    assert all("speed" not in e["actual"] for e in plate)


# -- output ---------------------------------------------------------------------------------------


@pytest.mark.matrix(1)
@pytest.mark.parametrize("strategy", ["gp", "sobol", "matmcl"])
def test_a_batch_is_shown_with_a_dash(mats: Path, engine: Engine, strategy: str) -> None:
    engine("import", write(mats / "runs.csv", runs()))
    batch = engine(
        "propose", "-n", 6, "--strategy", strategy, "--fix", "collector=plate", "--csv", "w.csv"
    )
    assert batch.exit_code == 0, batch.err
    with (mats / "w.csv").open(encoding="utf-8") as file:
        sheet = list(csv.DictReader(file))
    assert {row["speed [rpm]"] for row in sheet} == {""}
    shown = engine("show", "--batch", 1)
    assert "–" in shown.out
    recorded = engine("show", "--batch", 1, "--json").json
    assert all("speed" not in p["conditions"] for p in recorded["proposals"])


def test_the_model_is_asked_with_and_without(mats: Path, engine: Engine) -> None:
    engine("import", write(mats / "runs.csv", runs()))
    plate = engine("predict", "--set", "collector=plate", "--set", "voltage=15", "--json")
    assert plate.exit_code == 0, plate.err
    assert "speed" not in plate.json["items"][0]["conditions"]
    refused = engine("predict", "--set", "collector=drum", "--set", "voltage=15")
    assert refused.exit_code == 2
    assert "missing: speed [rpm]" in refused.err
    refused = engine(
        "predict", "--set", "collector=plate", "--set", "voltage=15", "--set", "speed=300"
    )
    assert refused.exit_code == 2
    assert ONLY in " ".join(refused.err.split())
    rows = [{"collector": r["collector"], "speed": r["speed"], "voltage": 15} for r in runs(4)]
    several = engine("predict", "--file", write(mats / "ask.csv", rows))
    assert several.exit_code == 0, several.err
    assert "–" in several.out
    assert engine("status").exit_code == 0
    assert engine("report", "--out", "report.html").exit_code == 0


def test_a_condition_may_come_later(mats: Path, engine: Engine) -> None:
    """What is new needs no value in runs where it has none."""
    engine("import", write(mats / "plates.csv", [row for row in runs() if not row["speed"]]))
    text = (mats / "mats.toml").read_text(encoding="utf-8")
    more = text.replace(
        "[[campaign.properties]]",
        '[[campaign.parameters]]\nname = "brake"\nlow = 0\nhigh = 1\n'
        'only_if = { collector = "drum" }\n\n[[campaign.properties]]',
    )
    (mats / "mats.toml").write_text(more, encoding="utf-8")
    done = engine("campaign", "revise", "--file", "mats.toml")
    assert done.exit_code == 0, done.err
    assert "'brake' added" in done.out
    everywhere = more.replace('only_if = { collector = "drum" }\n', "")
    (mats / "mats.toml").write_text(everywhere, encoding="utf-8")
    refused = engine("campaign", "revise", "--file", "mats.toml")
    assert refused.exit_code != 0
    told = " ".join(refused.err.split())
    assert "parameter 'speed' would need a value, and 8 experiments have no value of it" in told


# -- the model ------------------------------------------------------------------------------------


class Spinning:
    """Answers ``y = speed`` on a drum, and refuses what lacks a value or says too much."""

    def __init__(self, campaign: Campaign) -> None:
        self.space: Any = type("Space", (), {"campaign": campaign})()
        self.outcomes = ("y",)

    def predict(
        self, rows: Sequence[Mapping[str, Value]], level: float | None = None
    ) -> list[dict[str, Forecast]]:
        parameters = self.space.campaign.parameters
        for row in rows:
            assert lacking(parameters, row) == []
            assert surplus(parameters, row) == []
        values = [float(row.get("speed", 0.0)) for row in rows]
        return [{"y": Forecast(x, x - 1, x + 1)} for x in values]


PLATE: dict[str, Value] = {"collector": "plate", "voltage": 15.0, "humidity": 40.0}
DRUM: dict[str, Value] = {**PLATE, "collector": "drum", "speed": 300.0}


def test_drives_and_slices_where_there_is_a_value() -> None:
    model: Any = Spinning(campaign_of(speed={"collector": "drum"}))
    on, off = what_drives(model, [DRUM, PLATE])
    spans = [{drive.parameter: drive.span for drive in drives["y"]} for drives in (on, off)]
    assert spans[0]["speed"] == 800.0
    assert "speed" not in spans[1]
    assert spans[1]["collector"] == 500.0
    cuts = {cut.parameter: cut for cut in slices(model, PLATE, "y", 0.9)}
    assert all(cuts["speed"].excluded)
    assert not any(cuts["collector"].excluded)
    assert not any(cut.excluded[0] for cut in slices(model, DRUM, "y", 0.9))


def test_drives_and_slices_beside_constraints() -> None:
    """A plate has no speed to start from, whatever the constraint is that moves others."""
    rule = LinearConstraint.model_validate("voltage <= 18")
    campaign = campaign_of(speed={"collector": "drum"})
    campaign = campaign.model_copy(update={"parameter_constraints": (rule,)})
    model: Any = Spinning(campaign)
    off, on = what_drives(model, [PLATE, DRUM])
    assert {drive.parameter for drive in off["y"]} == {"collector", "voltage", "humidity"}
    assert {drive.parameter for drive in on["y"]} >= {"speed", "voltage"}
    for row in (PLATE, DRUM):
        cuts = {cut.parameter: cut for cut in slices(model, row, "y", 0.9)}
        assert all(cuts["speed"].excluded) == (row is PLATE)
        assert not all(cuts["voltage"].excluded)


def test_sensitivities_are_of_what_applies() -> None:
    campaign = campaign_of(speed={"collector": "drum"})

    def predict(rows: Sequence[Mapping[str, Value]]) -> dict[str, list[float]]:
        values = [without_surplus(campaign.parameters, row) for row in rows]
        return {"y": [float(row.get("speed", 500.0)) for row in values]}

    names = [parameter.name for parameter in campaign.parameters]
    total = dict(zip(names, sensitivity(campaign, ["y"], predict).total[0], strict=True))
    assert total["speed"] > 0.7
    assert total["voltage"] == total["humidity"] == 0.0


def test_mats_without_a_value_are_looked_among_too() -> None:
    """Retrieval learns from the plate's mats as from the drum's."""
    from engine.retrieval.expected import measured_runs
    from engine.retrieval.gallery import Statistics

    campaign = campaign_of(speed={"collector": "drum"})
    statistics = Statistics(diameter_nm=300.0)
    items: list[Any] = [
        SimpleNamespace(experiment_id=i, label=None, conditions=conditions, statistics=statistics)
        for i, conditions in enumerate([PLATE, DRUM, {**DRUM, "collector": "plate"}], 1)
    ]
    lame = {name: value for name, value in DRUM.items() if name != "speed"}
    items.append(
        SimpleNamespace(experiment_id=4, label=None, conditions=lame, statistics=statistics)
    )
    assert [run.experiment_id for run in measured_runs(campaign, items)] == [1, 2, 3]
