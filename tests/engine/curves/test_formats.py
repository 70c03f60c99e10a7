"""Every program's export is read to the same numbers, and says how it was read."""

from __future__ import annotations

import numpy as np
import pytest
from tensile_files import FORMATS, GAUGE_MM, SPECIMENS, THICKNESS_MM, WIDTH_MM, Format, Made

from engine.curves.properties.evaluate import evaluate
from engine.curves.reading.read import read_curves
from engine.curves.reading.records import Specimen
from engine.curves.stress_strain import tensile_curve

SIZES = Specimen(WIDTH_MM, THICKNESS_MM, GAUGE_MM)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.file)
def test_strain_and_stress_come_out_as_they_went_in(form: Format) -> None:
    made = SPECIMENS[: form.n_specimens]
    file = read_curves(form.file, form.write(made))
    assert len(file.curves) == len(made)
    for raw, one in zip(file.curves, made, strict=True):
        curve = tensile_curve(raw, None if form.has_sizes else SIZES)
        strain, stress = one.curve()
        assert curve.has_strain
        assert curve.has_stress
        np.testing.assert_allclose(curve.x, strain, atol=2e-5)
        np.testing.assert_allclose(curve.y, stress, atol=2e-4)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.file)
def test_how_a_file_was_read_is_said(form: Format) -> None:
    file = read_curves(form.file, form.write(SPECIMENS[: form.n_specimens]))
    assert (file.program, file.encoding, file.decimal, file.language) == (
        form.program,
        form.encoding,
        form.decimal,
        form.language,
    )
    assert file.program in file.description()
    assert len({curve.name for curve in file.curves}) == form.n_specimens


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.file)
def test_properties_are_the_specimens(form: Format) -> None:
    made = SPECIMENS[: form.n_specimens]
    file = read_curves(form.file, form.write(made))
    for raw, one in zip(file.curves, made, strict=True):
        evaluation = evaluate(tensile_curve(raw, None if form.has_sizes else SIZES))
        assert evaluation.findings == ()
        assert evaluation.value("elastic_modulus") == pytest.approx(one.modulus_mpa, rel=0.01)
        assert evaluation.value("yield_strength") == pytest.approx(one.offset_yield(0.02), rel=0.01)
        assert evaluation.value("tangent_modulus") == pytest.approx(one.tangent_mpa, rel=0.01)
        assert evaluation.value("fracture_strength") == pytest.approx(one.strength_mpa, rel=0.01)
        assert evaluation.value("elongation") == pytest.approx(100 * one.break_strain, rel=0.01)


def test_names_of_specimens_are_the_files() -> None:
    named = {form.file: form for form in FORMATS}
    for file, names in (
        ("trapezium.csv", ["1 _ 1", "1 _ 2", "1 _ 3"]),
        ("emperor.csv", ["Sample 1", "Sample 2", "Sample 3"]),
        ("below.tsv", ["mat-1", "mat-2", "mat-3"]),
        ("book.xlsx", ["mat 1", "mat 2", "mat 3"]),
        ("universal.csv", ["1", "2", "3"]),
        ("run8.txt", ["Test Run 8"]),
        ("hcellData.csv", ["x", "y"]),
    ):
        form = named[file]
        curves = read_curves(file, form.write(SPECIMENS[: form.n_specimens])).curves
        assert [curve.name for curve in curves] == names


def test_specimens_beside_one_another_may_be_of_unequal_length() -> None:
    form = next(form for form in FORMATS if form.file == "trapezium.csv")
    made = (Made(n_points=700), Made(n_points=1200), Made(n_points=300, break_strain=0.3))
    for raw, one in zip(read_curves("t.csv", form.write(made)).curves, made, strict=True):
        strain, _ = one.curve()
        assert len(tensile_curve(raw).x) == len(strain)


def test_sizes_come_from_the_command_then_the_file_then_the_campaign() -> None:
    form = next(form for form in FORMATS if form.file == "essai.TRA")
    (raw,) = read_curves(form.file, form.write(SPECIMENS[:1])).curves
    stated = Specimen(thickness_mm=2 * THICKNESS_MM, sources={"thickness_mm": "the command"})
    usual = Specimen(1.0, 1.0, 1.0, sources=dict.fromkeys(("width_mm", "gauge_mm"), "the campaign"))
    curve = tensile_curve(raw, stated, usual)
    assert curve.specimen.width_mm == WIDTH_MM
    assert curve.specimen.sources == {
        "thickness_mm": "the command",
        "width_mm": "the file",
        "gauge_mm": "the file",
    }
    assert curve.y.max() == pytest.approx(SPECIMENS[0].strength_mpa / 2, rel=1e-3)


def test_without_sizes_force_and_extension_are_all_there_is() -> None:
    form = next(form for form in FORMATS if form.file == "emperor.csv")
    raw = read_curves(form.file, form.write(SPECIMENS)).curves[0]
    curve = tensile_curve(raw)
    assert not curve.has_stress
    assert not curve.has_strain
    evaluation = evaluate(curve)
    assert all(value.value is None for value in evaluation.values)
    assert all("not known" in str(value.missing) or "is known" in str(value.missing)
               for value in evaluation.values)  # fmt: skip
    assert evaluation.greatest[1] == pytest.approx(SPECIMENS[0].strength_mpa * 5, rel=1e-3)
