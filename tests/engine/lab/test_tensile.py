"""Curves that the virtual lab draws, read as any tester's file: their properties are the run's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.campaign.curve_definitions import PROPERTIES
from engine.curves.outcomes import curve_outcomes
from engine.curves.properties.evaluate import evaluate
from engine.curves.reading.read import read_curves
from engine.curves.stress_strain import tensile_curve
from engine.errors import UsageError
from engine.lab import CompositeLab, VirtualLab
from engine.lab.tensile import TOLERANCE, draw_curve

LAB = VirtualLab()
DIRECTIONS = ("longitudinal", "transverse")
MAT = {
    "fracture_strength": 10.0,
    "yield_strength": 4.0,
    "elastic_modulus": 35.0,
    "tangent_modulus": 9.0,
    "elongation": 85.0,
}


def run(seed: int, shares: tuple[float, ...] = ()):
    """Return a run of the virtual lab, at settings by their shares of the ranges, or drawn."""
    rng = np.random.default_rng(seed)
    controlled = LAB.campaign.controlled
    shares = shares or tuple(rng.random(len(controlled)))
    at = {
        p.name: p.bounds[0] + share * (p.bounds[1] - p.bounds[0])
        for p, share in zip(controlled, shares, strict=True)
    }
    return LAB.run(at, LAB.room(rng), rng)


def read(table: str) -> dict[str, float | None]:
    raw = read_curves("drawn.csv", table.encode()).curves[0]
    evaluation = evaluate(tensile_curve(raw), LAB.campaign.curves.definitions)
    assert evaluation.cut.ending == "broken"
    assert evaluation.cut.is_sound
    return {value.name: value.value for value in evaluation.values}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.tuples(*[st.floats(0, 1)] * 4))
def test_a_drawn_curve_gives_the_runs_values_back(seed: int, shares: tuple[float, ...]) -> None:
    result = run(seed, shares)
    for direction in DIRECTIONS if result.curve is not None else ():
        curve = result.curve(direction)
        if curve is None:
            continue
        values = read(curve.as_table())
        for outcome in curve_outcomes(LAB.campaign):
            expected = result.outcomes[outcome.outcome(direction)]
            assert values[outcome.name] * outcome.factor == pytest.approx(
                expected, rel=TOLERANCE + 1e-4
            )


def test_nearly_every_specimen_has_a_curve() -> None:
    """The others yield below 0.205 of the strength, or harden as steeply as they began."""
    results = [one for one in map(run, range(24)) if one.curve is not None]
    curves = [one.curve(direction) for one in results for direction in DIRECTIONS]
    assert len(curves) > 30
    assert sum(curve is not None for curve in curves) >= 0.9 * len(curves)


def test_a_seed_fixes_the_curve_and_drawing_moves_no_run() -> None:
    one, two = run(2), run(2)
    again = [result.curve("longitudinal") for result in (one, two)]
    assert np.array_equal(again[0].stress, again[1].stress)
    assert np.array_equal(again[0].strain, again[1].strain)
    other = one.curve("transverse")
    assert len(other.stress) != len(again[0].stress) or not np.array_equal(
        other.stress, again[0].stress
    )


def test_a_record_has_toe_yield_hardening_break_and_noise() -> None:
    curve = draw_curve(MAT, np.random.default_rng(0))
    evaluation = evaluate(curve.as_curve())
    assert evaluation.origin > 0.001  # slack and toe
    assert evaluation.yield_point.stress == pytest.approx(4.0, rel=0.01)
    assert evaluation.hardening.slope < 0.5 * evaluation.line.slope
    assert curve.stress[-1] < 0.05 * curve.stress.max()
    bends = np.abs(np.diff(curve.stress[:-8], n=2))
    assert 0 < np.median(bends) < 0.002 * curve.stress.max()


@pytest.mark.parametrize(
    "change",
    [
        {"yield_strength": 11.0},  # beyond the strength
        {"yield_strength": 1.5},  # within the rise that the modulus is fitted over
        {"tangent_modulus": 30.0},  # that is no yield
        {"elongation": 12.0},  # breaks before it yields
        {"elastic_modulus": -1.0},
        {"elongation": float("nan")},
    ],
)
def test_values_that_no_curve_has_give_none(change: dict[str, float]) -> None:
    assert draw_curve(MAT | change, np.random.default_rng(0)) is None


def test_strength_by_strength_the_curve_follows() -> None:
    """A stiffer, a stronger and a longer specimen each, all else equal."""
    for name, factor in (("elastic_modulus", 1.2), ("fracture_strength", 1.1), ("elongation", 1.1)):
        values = MAT | {name: MAT[name] * factor}
        evaluation = evaluate(draw_curve(values, np.random.default_rng(1)).as_curve())
        for each in PROPERTIES:
            assert evaluation.value(each) == pytest.approx(values[each], rel=TOLERANCE)


def test_where_no_specimen_is_pulled_there_is_no_curve() -> None:
    rng = np.random.default_rng(0)
    composite = CompositeLab()
    at = {p.name: sum(p.bounds) / 2 for p in composite.campaign.controlled}
    assert composite.run(at, composite.room(rng), rng).curve("longitudinal") is None
    with pytest.raises(UsageError, match="longitudinal or transverse"):
        run(2).curve("sideways")
