"""Units of the field, as labs write them."""

from __future__ import annotations

import math

import pytest

from engine.campaign.units import UnitError, affine, check_unit


@pytest.mark.parametrize(
    ("value", "unit", "target", "expected"),
    [
        (1.0, "mL/h", "µL/min", 1000 / 60),
        (1.0, "ml / h", "uL/min", 1000 / 60),
        (1.0, "mL h-1", "mL/h", 1.0),
        (1.0, "mL·h⁻¹", "μL/min", 1000 / 60),
        (18000.0, "V", "kV", 18.0),
        (12.0, "wt%", "%", 12.0),
        (12.0, "wt.%", "% w/w", 12.0),
        (52.0, "% RH", "%", 52.0),
        (10.0, "% w/v", "mg/mL", 100.0),
        (150.0, "mm", "cm", 15.0),
        (1.0, "in", "mm", 25.4),
        (20.0, "°C", "K", 293.15),
        (300.0, "K", "°C", 26.85),
        (68.0, "°F", "°C", 20.0),
        (20.0, "C", "°C", 20.0),
        (10.0, "Hz", "rpm", 600.0),
        (2 * math.pi, "rad/s", "rpm", 60.0),
        (400.0, "r/min", "rpm", 400.0),
        (400.0, "1/min", "rpm", 400.0),
        (400.0, "min^-1", "rpm", 400.0),
        (2.0, "N/mm²", "MPa", 2.0),
        (2.0, "N/mm2", "kPa", 2000.0),
        (2.0, "MPa/%", "GPa", 0.2),
        (1.5, "Pa·s", "cP", 1500.0),
        (80.0, "kDa", "kg/mol", 80.0),
        (21.0, "G", "gauge", 21.0),
        (12.0, "Mpa", "MPa", 12.0),
        (2.0, "GPA", "MPa", 2000.0),
        (1.0, "ml/Hr", "mL/h", 1.0),
        (18.0, "KV", "kV", 18.0),
        (20.0, "ºC", "°C", 20.0),
        (20.0, "degC", "°C", 20.0),
        (15.0, "CM", "cm", 15.0),
        (2.0, "cc", "mL", 2.0),
        (7.0, "", "kV", 7.0),
        (7.0, "furlong", "", 7.0),
    ],
)
def test_converts(value: float, unit: str, target: str, expected: float) -> None:
    factor, offset = affine(unit, target)
    assert factor * value + offset == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "target"),
    [("kV", "mL/h"), ("mg/mL", "%"), ("vol%", "wt%"), ("% w/v", "%"), ("G", "mm"), ("m/s", "rpm")],
)
def test_what_measures_something_else_is_refused(unit: str, target: str) -> None:
    with pytest.raises(UnitError, match=f"can become {target}, got {unit}"):
        affine(unit, target)


@pytest.mark.parametrize(
    "unit",
    ["mL/hou", "mpa", "MM", "ML/H", "kv/", "0x10", "m**9**9**9", "()", "a" * 500, "\N{SNOWMAN}"],
)
def test_unknown_units_are_refused(unit: str) -> None:
    with pytest.raises(UnitError, match="is not known"):
        check_unit(unit)


def test_a_hint_names_the_nearest() -> None:
    with pytest.raises(UnitError, match="Did you mean 'mL/h'"):
        check_unit("mL/hou")
    check_unit("")
