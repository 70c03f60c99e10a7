"""Which campaigns spin: by names, units and ranges together, and never by one word."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bench.search.finished_tables import MATMCL, TABLES
from engine.campaign import Campaign, Parameter
from engine.campaign.units import affine
from engine.campaign.vocabulary import split_heading
from engine.lab.composite import CompositeLab
from engine.lab.ensemble import draw_lab
from engine.sources.spinning import spins
from engine.workspace.settings import read_campaign_file

TEMPLATES = Path(__file__).resolve().parents[3] / "engine" / "templates"
ROOM = ("temperature", "humidity", "t", "w")
SPUN = (MATMCL, "pva_diameter", "spindb")

Ranges = Mapping[str, tuple[float, float]]

STEEL: Ranges = {
    "C [wt%]": (0.05, 1.2), "Mn [wt%]": (0.2, 2.0), "W [wt%]": (0.0, 18.0), "Cr [wt%]": (0.0, 20.0),
    "V [wt%]": (0.0, 5.0), "temperature [°C]": (100, 900), "time [min]": (10, 240),
}  # fmt: skip

SPINNING: Mapping[str, Ranges] = {
    "plain": {"voltage [kV]": (10, 25), "flow_rate [mL/h]": (0.2, 2)},
    "synonyms": {"Applied voltage (kV)": (10, 25), "Tip-to-collector distance (mm)": (100, 200)},
    "letters with units": {"v [kV]": (10, 20), "c [wt%]": (8, 14)},
    "letters alone": {"f": (0.2, 0.6), "c": (16, 22), "v": (16, 22), "r": (0, 1600)},
    "units in names": {"voltage_kv": (15, 25), "rotation_speed_rpm": (0, 3000)},
    "no units": {"voltage": (15, 25), "solution_concentration": (8, 12)},
    "mass per volume": {"voltage [kV]": (15, 25), "concentration [g/L]": (80, 120)},
    "needles": {"voltage [kV]": (15, 25), "needle_gauge [gauge]": (18, 25)},
    "a pump, a solution and the room": {
        "flow_rate [mL/h]": (0.2, 2), "concentration [%]": (8, 14), "humidity [%]": (30, 60),
    },
    "other knobs beside": {
        "voltage [kV]": (10, 25), "feed rate [µL/min]": (5, 30), "cure time [min]": (5, 60),
    },
}  # fmt: skip

OTHERS: Mapping[str, Ranges] = {
    "steel": STEEL,
    "one word": {"voltage [kV]": (10, 25), "pressure [kPa]": (1, 9)},
    "a furnace": {"temperature [°C]": (100, 900), "time [h]": (1, 5)},
    "a reactor": {"flow_rate [mL/h]": (1, 20), "concentration [%]": (5, 20)},
    "a hot reactor": {
        "flow_rate [mL/h]": (1, 20), "concentration [%]": (5, 20), "temperature [°C]": (80, 180),
    },
    "a flow battery": {"voltage": (2.5, 4.2), "flow_rate": (1, 20)},
    "a cell": {"voltage [V]": (0.5, 5), "concentration [%]": (5, 30), "distance [cm]": (5, 15)},
    "wrong units": {"voltage [mL/h]": (10, 25), "flow_rate [kV]": (10, 25)},
    "unknown units": {"voltage [parsec]": (10, 25), "flow_rate [parsec]": (1, 2)},
    "barrels": {"n": (6, 12), "theta": (0, 200), "r": (1.5, 2.5), "t": (0.7, 1.4)},
    "steel without units": {"C": (0.05, 1.2), "V": (0, 5), "W": (0, 18), "R": (10, 60)},
    "far ranges": {"voltage [kV]": (200, 400), "flow_rate [mL/h]": (1e4, 1e5)},
    "two needles": {"needle_gauge [gauge]": (18, 25), "needle_diameter [mm]": (0.4, 0.8)},
}  # fmt: skip


def campaign_of(ranges: Ranges) -> Campaign:
    """Return a campaign whose parameters are called by their headings; the room is only read."""
    parameters = []
    for place, (heading, (low, high)) in enumerate(ranges.items()):
        name, unit = split_heading(heading)
        plain = name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f"x{place}"
        parameters.append(
            Parameter(
                name=plain,
                unit=unit or "",
                low=low,
                high=high,
                aliases=() if plain == name else (name,),
                role="ambient" if name in ROOM and high <= 100 else "controlled",
            )
        )
    return campaign_with(tuple(parameters))


def campaign_with(parameters: tuple[Parameter, ...]) -> Campaign:
    return Campaign(
        name="test",
        parameters=parameters,
        properties=({"name": "y"},),
        objectives=({"outcome": "y", "threshold": 0.0},),
    )


def ranges_of(path: Path, inputs: tuple[str, ...]) -> Ranges:
    """Return the ranges of those of a table's columns that hold different numbers."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    ranges = {}
    for heading in inputs:
        values = [
            float(row[heading]) for row in rows if re.fullmatch(r"-?\d[\d.e+-]*", row[heading])
        ]
        if len(set(values)) > 1:
            ranges[heading] = (min(values), max(values))
    return ranges


@pytest.mark.parametrize("case", SPINNING)
def test_spins(case: str) -> None:
    match = spins(campaign_of(SPINNING[case]))
    assert match.is_spinning, match.reason
    assert match.reason.startswith("electrospinning, by ")


@pytest.mark.parametrize("case", OTHERS)
def test_does_not_spin(case: str) -> None:
    match = spins(campaign_of(OTHERS[case]))
    assert not match.is_spinning, match.reason
    assert "not electrospinning's" in match.reason


def test_the_templates(nanofibre: Campaign, mixture: Campaign) -> None:
    assert spins(nanofibre).is_spinning
    assert spins(nanofibre).quantities["flow_rate"] == "flow rate"
    assert spins(nanofibre).quantities["humidity"] == "humidity"
    assert not spins(mixture).is_spinning
    assert not spins(read_campaign_file(TEMPLATES / "blank.toml")).is_spinning


def test_what_is_made_of_spun_mats_spins() -> None:
    assert spins(CompositeLab().campaign).is_spinning


def test_labs_of_the_ensemble_spin() -> None:
    silent = [
        (seed, [p.name for p in campaign.controlled])
        for seed in range(300)
        if not spins(campaign := draw_lab(seed).campaign).is_spinning
    ]
    # A few turn neither voltage nor flow rate, or a flow rate and a concentration alone.
    assert len(silent) <= 3, silent


def test_why_not_names_what_nearly_fits() -> None:
    reason = spins(campaign_of(OTHERS["a cell"])).reason
    assert "found x1 (concentration)" not in reason
    assert "concentration (concentration), distance (distance)" in reason
    assert "voltage is 0.5 … 5 V, a voltage 5 … 60 kV" in reason


def test_choices_by_name_are_no_numbers() -> None:
    parameters = (
        Parameter(name="voltage", unit="kV", choices=("low", "high")),
        Parameter(name="flow_rate", unit="mL/h", low=0.2, high=2.0),
    )
    assert not spins(campaign_with(parameters)).is_spinning


def test_choices_by_number_are() -> None:
    parameters = (
        Parameter(name="voltage", unit="kV", choices=(10.0, 15.0, 20.0)),
        Parameter(name="flow_rate", unit="mL/h", low=0.2, high=2.0),
    )
    assert spins(campaign_with(parameters)).is_spinning


@given(
    voltage=st.sampled_from(["kV", "V", "MV", "mV"]),
    flow=st.sampled_from(["mL/h", "µL/min", "mL/min", "L/day", "µL/h", "mm³/s"]),
    distance=st.sampled_from(["cm", "mm", "m", "in"]),
    low=st.floats(0.0, 0.7),
)
def test_units_are_converted(voltage: str, flow: str, distance: str, low: float) -> None:
    """The same ranges in any unit that can become the field's spin."""
    ranges: dict[str, tuple[float, float]] = {}
    for name, unit, field_unit, bottom, top in (
        ("voltage", voltage, "kV", 6.0, 50.0),
        ("flow_rate", flow, "mL/h", 0.1, 20.0),
        ("distance", distance, "cm", 3.0, 50.0),
    ):
        factor, offset = affine(field_unit, unit)
        start = bottom + low * (top - bottom)
        end = start + 0.2 * (top - bottom)
        ranges[f"{name} [{unit}]"] = (factor * start + offset, factor * end + offset)
    assert spins(campaign_of(ranges)).is_spinning
    # The same numbers, of which the unit says that they are something else.
    voltage_range = ranges[f"voltage [{voltage}]"]
    assert not spins(
        campaign_of({"voltage [K]": voltage_range, "flow_rate [K]": (1, 2)})
    ).is_spinning


@pytest.mark.parametrize("name", [*TABLES, "spindb"])
def test_the_real_tables(name: str, shared_data: Path) -> None:
    if name == "spindb":
        file, inputs = "spindb/cogni_e_spindb.csv", TABLES["pva_diameter"].inputs
    else:
        file, inputs = TABLES[name].file, TABLES[name].inputs
    if not (shared_data / file).is_file():
        pytest.skip(f"no {file} among the real data")
    inputs = inputs or ("f", "c", "v", "r", "t", "w")
    ranges = ranges_of(shared_data / file, inputs)
    parameters = campaign_of(ranges or {"fragment": (0, 1)})
    assert spins(parameters).is_spinning == (name in SPUN), spins(parameters).reason
