"""Curves drawn here: what happened to them is said, and what it spoils is missing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tensile_files import Made

from engine.campaign.curve_definitions import PROPERTIES, parse_definitions
from engine.curves.properties.evaluate import Evaluation, evaluate
from engine.curves.reading.records import Specimen
from engine.curves.stress_strain import TensileCurve
from engine.errors import ConfigError

Array = NDArray[np.float64]


def evaluated(strain: Array, stress: Array, **definitions: str) -> Evaluation:
    curve = TensileCurve("made", strain, stress, True, True, Specimen())
    return evaluate(curve, parse_definitions(definitions))


def missing(evaluation: Evaluation) -> set[str]:
    return {value.name for value in evaluation.values if value.value is None}


def test_a_toe_is_taken_off() -> None:
    made = Made(toe=0.04)
    evaluation = evaluated(*made.curve())
    assert evaluation.value("elongation") == pytest.approx(50, rel=0.01)
    assert evaluation.value("elastic_modulus") == pytest.approx(1000, rel=0.01)
    raw = evaluated(*made.curve(), toe_compensation="no")
    assert raw.value("elongation") == pytest.approx(50, rel=0.01)  # slack is cut in any case


def test_a_preload_lengthens_the_strain() -> None:
    strain, stress = Made().curve()
    start = int(np.argmax(stress >= 3))
    evaluation = evaluated(strain[start:] - strain[start], stress[start:])
    assert evaluation.value("elongation") == pytest.approx(50, rel=0.01)


@pytest.mark.parametrize("noise_mpa", [0.02, 0.2])
def test_noise_changes_little(noise_mpa: float) -> None:
    strain, stress = Made(n_points=4000).curve()
    noisy = stress + np.random.default_rng(3).normal(0, noise_mpa, len(stress))
    evaluation = evaluated(strain, noisy)
    assert evaluation.findings == ()
    assert evaluation.value("elastic_modulus") == pytest.approx(1000, rel=0.04)
    assert evaluation.value("fracture_strength") == pytest.approx(44, rel=0.02)
    assert evaluation.value("elongation") == pytest.approx(50, rel=0.02)
    assert evaluation.value("tangent_modulus") == pytest.approx(50, rel=0.02)


def test_not_broken() -> None:
    evaluation = evaluated(*Made(is_broken=False).curve())
    assert missing(evaluation) == {"fracture_strength", "elongation"}
    assert "not broken: the record ends at 0.5" in evaluation.findings[0]


def test_unloaded_is_not_broken() -> None:
    strain, stress = Made(is_broken=False).curve()
    back = np.linspace(0.5, 0.46, 60)
    strain, stress = np.append(strain, back), np.append(stress, 44 - 1000 * (0.5 - back))
    evaluation = evaluated(strain, np.maximum(stress, 0))
    assert missing(evaluation) == {"fracture_strength", "elongation"}
    assert "the machine turned back at 0.5" in evaluation.findings[0]


def test_a_return_of_the_machine_after_the_break_is_nothing() -> None:
    strain, stress = Made().curve()
    strain, stress = np.append(strain, np.linspace(0.5, 0, 50)), np.append(stress, np.zeros(50))
    evaluation = evaluated(strain, stress)
    assert evaluation.findings == ()
    assert evaluation.value("elongation") == pytest.approx(50, rel=0.01)


def test_a_long_tail_after_the_break_is_nothing() -> None:
    strain, stress = Made().curve()
    rng = np.random.default_rng(1)
    tail = 0.51 + np.linspace(0, 1, 800)
    evaluation = evaluated(
        np.append(strain, tail), np.append(stress, rng.normal(0, 0.05, len(tail)))
    )
    assert evaluation.value("fracture_strength") == pytest.approx(44, rel=0.01)
    assert evaluation.value("elongation") == pytest.approx(50, rel=0.01)


def test_cycles() -> None:
    up = np.linspace(0, 0.1, 300)
    strain = np.concatenate([up, up[::-1], up, up[::-1], np.linspace(0, 0.5, 900)])
    stress = np.where(strain < 0.02, 1000 * strain, 20 + 50 * (strain - 0.02))
    evaluation = evaluated(np.append(strain, 0.5005), np.append(stress, 0.0))
    assert {"fracture_strength", "elongation"} <= missing(evaluation)
    assert evaluation.findings[0].startswith("cycled: the machine turned back and went on 2 times")
    assert evaluation.value("elastic_modulus") == pytest.approx(1000, rel=0.01)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_a_slip_is_said_and_what_follows_is_missing(share: float) -> None:
    strain, stress = Made(n_points=3000).curve()
    at = int(np.argmin(np.abs(strain - 0.2)))
    drop = share * stress[at]
    reload = drop / 600
    slipped = stress - np.where(
        strain > strain[at], np.maximum(drop - 600 * (strain - strain[at]), 0), 0
    )
    evaluation = evaluated(strain, slipped)
    assert reload < 0.1
    assert "slipped or partly torn at 0.19" in evaluation.findings[0]
    spoilt = {"fracture_strength", "elongation", "tangent_modulus"}
    assert spoilt <= missing(evaluation) <= spoilt | {"yield_strength"}
    assert evaluation.value("elastic_modulus") == pytest.approx(1000, rel=0.01)


def test_a_neck_is_neither_slip_nor_break() -> None:
    """A polymer yields, loses a third of its stress, is drawn, stiffens, and breaks."""
    x = np.linspace(0, 5, 6000)
    y = np.where(x < 0.03, 1000 * x, 0.0)
    y = np.where((x >= 0.03) & (x < 0.08), 30 + 40 * (1 - ((x - 0.055) / 0.025) ** 2) * 0.05, y)
    y = np.where((x >= 0.08) & (x < 0.3), 30 - 10 * (x - 0.08) / 0.22, y)
    y = np.where((x >= 0.3) & (x < 3), 20, y)
    y = np.where(x >= 3, 20 + 10 * (x - 3), y)
    evaluation = evaluated(np.append(x, 5.001), np.append(y, 0))
    assert evaluation.findings == ()
    assert evaluation.value("yield_strength") == pytest.approx(32, rel=0.01)
    assert "first maximum" in next(
        v.definition for v in evaluation.values if v.name == "yield_strength"
    )
    assert evaluation.value("elongation") == pytest.approx(500, rel=0.01)


def test_a_record_that_begins_under_load_has_no_modulus() -> None:
    strain, stress = Made().curve()
    keep = strain >= 0.05
    evaluation = evaluated(strain[keep], stress[keep])
    assert evaluation.findings[0].startswith("cut: the record begins at")
    assert {"elastic_modulus", "yield_strength", "elongation"} <= missing(evaluation)


def test_a_record_cut_within_its_toe_has_no_modulus() -> None:
    strain = np.linspace(0, 1, 500)
    stress = 3 * strain**3
    assert missing(evaluated(strain, stress)) == set(PROPERTIES)


def test_brittle_has_no_yield() -> None:
    strain = np.linspace(0, 0.02, 200)
    evaluation = evaluated(np.append(strain, 0.0201), np.append(3000 * strain, 0))
    assert missing(evaluation) == {"yield_strength", "tangent_modulus"}
    assert evaluation.value("fracture_strength") == pytest.approx(60, rel=0.01)


def test_necking_of_a_metal_is_no_yield() -> None:
    strain = np.linspace(0, 0.3, 3000)
    stress = np.where(
        strain < 0.002, 2e5 * strain, 400 + 1000 * (strain - 0.002) * (1 - 2 * strain)
    )
    neck = strain > 0.2
    stress = np.where(neck, stress[~neck][-1] - 900 * (strain - 0.2), stress)
    evaluation = evaluated(np.append(strain, 0.3001), np.append(stress, 0))
    assert evaluation.value("yield_strength") == pytest.approx(400, rel=0.01)


@pytest.mark.parametrize(
    ("definitions", "name", "value"),
    [
        ({"elastic_modulus": "steepest"}, "elastic_modulus", 1000),
        ({"elastic_modulus": "0.5 % to 1.5 %"}, "elastic_modulus", 1000),
        ({"elastic_modulus": "secant 4 %"}, "elastic_modulus", 21 / 0.04),
        ({"yield": "offset 2 %"}, "yield_strength", Made().offset_yield(0.02)),
        ({"yield": "offset 0.2 %"}, "yield_strength", Made().offset_yield(0.002)),
        ({"yield": "knee"}, "yield_strength", 20),
        ({"tangent_modulus": "10 % to 30 %"}, "tangent_modulus", 50),
        ({"fracture_strength": "maximum", "elongation": "maximum"}, "elongation", 50),
    ],
)
def test_definitions(definitions: dict[str, str], name: str, value: float) -> None:
    evaluation = evaluated(*Made(n_points=4000).curve(), **definitions)
    assert evaluation.value(name) == pytest.approx(value, rel=0.01)  # type: ignore[arg-type]
    text = next(v.definition for v in evaluation.values if v.name == name)
    rule = definitions.get(name) or definitions["yield"]
    assert text.startswith(rule)


@pytest.mark.parametrize("definitions", [{"yield": "first maximum"}, {"yield": "none"}])
def test_a_yield_that_is_not_there(definitions: dict[str, str]) -> None:
    assert evaluated(*Made().curve(), **definitions).value("yield_strength") is None


@pytest.mark.parametrize(
    ("definitions", "expected"),
    [
        ({"modul": "steepest"}, "expected a definition of"),
        ({"yield": "offset"}, "offset 2 %"),
        ({"yield": "offset -2 %"}, "offset 2 %"),
        ({"elastic_modulus": "5 % to 1 %"}, "steepest"),
        ({"tangent_modulus": "steepest"}, "50 % to 150 %"),
        ({"elongation": "rupture"}, "break or maximum"),
        ({"toe_compensation": "perhaps"}, "true or false"),
    ],
)
def test_definitions_that_nobody_knows(definitions: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        parse_definitions(definitions)
