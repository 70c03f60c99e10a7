"""A campaign that measures fibre diameter has one forecast of it, which its previews show, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from db.records import NewExperiment, Origin, Status
from engine.campaign import Campaign
from engine.previews.diameter import MeasuredDiameter, measured_diameter
from engine.previews.expected_statistics import Interval, measured
from engine.previews.preview import preview_conditions
from engine.propose.request import Forecast
from engine.workspace import Workspace
from engine.workspace.init import initialise

SPUN = """
[campaign]
name = "spun"
parameters = [
  { name = "flow_rate", unit = "mL/h", low = 0.2, high = 1.5, step = 0.1 },
  { name = "concentration", unit = "%", low = 14, high = 22, step = 1 },
  { name = "voltage", unit = "kV", low = 14, high = 22, step = 1 },
]
properties = [
  { name = "fibre_diameter", unit = "µm" },
  { name = "porosity", unit = "%" },
]
objectives = [
  { outcome = "fibre_diameter", goal = "minimize", threshold = 2.0 },
  { outcome = "porosity", threshold = 10.0 },
]
"""


def campaign(**prop) -> Campaign:
    return Campaign(
        name="toy",
        parameters=[{"name": "voltage", "unit": "kV", "low": 10, "high": 20}],
        properties=[{"name": "porosity", "unit": "%"}, prop],
        objectives=[{"outcome": "porosity", "threshold": 0}],
    )


@pytest.mark.parametrize(
    ("prop", "outcome", "nm"),
    [
        ({"name": "fibre_diameter", "unit": "nm"}, "fibre_diameter", 1.0),
        ({"name": "fiber_diameter", "unit": "µm"}, "fiber_diameter", 1000.0),
        ({"name": "d", "unit": "um", "aliases": ["mean fibre diameter"]}, "d", 1000.0),
    ],
)
def test_found_by_name_and_unit(prop: dict, outcome: str, nm: float) -> None:
    found = measured_diameter(campaign(**prop))
    assert found is not None
    assert (found.outcome, found.nm) == (outcome, pytest.approx(nm))


@pytest.mark.parametrize(
    "prop",
    [
        {"name": "fibre_diameter"},
        {"name": "fibre_diameter", "unit": "MPa"},
        {"name": "fibre_diameter", "unit": "nm", "directions": ["longitudinal"]},
        {"name": "pore_diameter", "unit": "nm"},
    ],
)
def test_what_is_none(prop: dict) -> None:
    assert measured_diameter(campaign(**prop)) is None


def test_what_no_fibre_can_have_is_no_forecast() -> None:
    diameter = MeasuredDiameter("d", 1000.0)
    assert diameter.expected({"d": Forecast(-0.1, -1.0, 0.5)}) is None
    assert diameter.expected({}) is None
    assert diameter.expected({"d": Forecast(0.1, -1.0, 0.5)}) == Interval(100.0, 0.0, 500.0)


@pytest.fixture
def spun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a campaign with sixteen runs, whose fibres are finer than the generator draws them."""
    monkeypatch.setenv("SPINNERET_GENERATOR__PRETRAINED", "auto")
    for file in folder.iterdir():
        if file.is_file():
            file.unlink()
    (folder / "config.toml").write_text(SPUN, encoding="utf-8")
    initialise(folder / "config.toml")
    rng = np.random.default_rng(2)
    runs = []
    for _ in range(16):
        actual = {
            "flow_rate": float(rng.integers(2, 15)) / 10,
            "concentration": float(rng.integers(14, 23)),
            "voltage": float(rng.integers(14, 23)),
        }
        diameter = 0.02 * np.exp(0.12 * actual["concentration"]) * float(rng.uniform(0.95, 1.05))
        outcomes = {"fibre_diameter": (diameter,), "porosity": (90.0 - actual["concentration"],)}
        runs.append(
            NewExperiment(Origin.MANUAL, Status.COMPLETED, actual=actual, outcomes=outcomes)
        )
    with Workspace.open(folder / "config.toml") as workspace, workspace.database.write("t") as tx:
        tx.experiments.add(workspace.active_campaign(tx)[0], runs)
    return folder


def test_the_pictures_show_what_is_forecast(spun: Path) -> None:
    rows = [{"flow_rate": 0.5, "concentration": c, "voltage": 18.0} for c in (15.0, 21.0)]
    forecasts = [{"fibre_diameter": Forecast(mean, 0.8 * mean, 1.3 * mean)} for mean in (0.12, 0.9)]
    with Workspace.open(spun / "config.toml") as workspace:
        drawn = preview_conditions(workspace, rows, n=3, seed=1, forecasts=forecasts)
        plain = preview_conditions(workspace, rows, n=3, seed=1)
    for item, own, mean in zip(drawn.items, plain.items, (120.0, 900.0), strict=True):
        assert (item.pictures == own.pictures).all()
        # Measured anew at the scale that is told, the fibres are as thick as forecast.
        again = [row["diameter"] for row in measured(item.pictures, item.nm_per_pixel)]
        assert np.mean(again) == pytest.approx(mean, rel=1e-6)
        assert [row["diameter"] for row in item.statistics] == pytest.approx(again)
        assert item.expected["diameter"].lower == pytest.approx(0.8 * mean)
        assert item.expected["diameter"].upper == pytest.approx(1.3 * mean)
        assert own.expected["diameter"].mean != pytest.approx(mean, rel=0.05)
        for name in ("order", "porosity"):
            assert item.expected[name] == own.expected[name]
    assert any("forecast of fibre_diameter" in note for note in drawn.notes)
    assert not any("forecast" in note for note in plain.notes)


def test_a_batch_has_one_diameter_for_each_run(spun: Path, engine) -> None:
    answer = engine("propose", "--n", 2, "--seed", 3, "--strategy", "gp", "--json")
    assert answer.exit_code == 0, answer.err
    for proposal in answer.json["proposals"]:
        forecast = proposal["outcomes"]["fibre_diameter"]
        shown = proposal["preview"]["expected"]["diameter"]
        for end in ("mean", "lower", "upper"):
            assert shown[end] == pytest.approx(1000.0 * forecast[end], rel=1e-4)
    assert spun.is_dir()


def test_one_asked_for_agrees_with_what_is_predicted(spun: Path, engine) -> None:
    words = ["--set", "flow_rate=0.5", "--set", "concentration=20", "--set", "voltage=18"]
    predicted = engine("predict", *words, "--json").json["items"][0]["outcomes"]["fibre_diameter"]
    preview = engine("preview", *words, "--n", 2, "--seed", 1, "--json")
    assert preview.exit_code == 0, preview.err
    shown = preview.json["expected"]["diameter"]
    assert shown["mean"] == pytest.approx(1000.0 * predicted["mean"], rel=1e-4)
    half_told = engine("preview", *words[:2], "--n", 2, "--seed", 1)
    assert half_told.exit_code == 0, half_told.err
    assert "needs concentration, voltage" in " ".join((half_told.out + half_told.err).split())
    assert spun.is_dir()
