"""Nine real exports: what the machine or the author says, and what the definitions give.

The files are not part of the project; without them these tests are skipped.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from engine.campaign.curve_definitions import parse_definitions
from engine.curves.properties.evaluate import Evaluation, evaluate
from engine.curves.reading.read import read_curve_file
from engine.curves.reading.records import Specimen
from engine.curves.stress_strain import tensile_curve

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / os.environ.get("SPINNERET_DATA", "../shared/data") / "tensile"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the nine tensile files are not here (../shared/data/tensile)"
)

STEEL, ETFE = "instron_bluehill_rawdata_steel.csv", "zwick_testxpert_de_etfe_film.TRA"
SHEET, PCL = "zwick_testxpert_fr_sheet.TRA", "mts_testsuite_pcl_bulk.txt"
MAT, FILM = "cellscale_biotester_mew_mat.csv", "deben_microtest_nanocellulose.MTR"
RUBBER, TEAR = "softrobotics_db_dragonskin20.csv", "mecmesin_emperor_4samples.csv"
COLUMNS = "twocolumn_decimalcomma_steel.tsv"
SIZES = {PCL: Specimen(3.667, 3.167, 9.73), MAT: Specimen(thickness_mm=0.1146)}


@cache
def evaluated(file: str, index: int = 0, **definitions: str) -> Evaluation:
    raw = read_curve_file(FOLDER / file).curves[index]
    curve = tensile_curve(raw, SIZES.get(file))
    return evaluate(curve, parse_definitions(definitions))


REPORTED = (
    # By the machine's software or the author: 1 %, the modulus 3 %.
    (STEEL, "elastic_modulus", 178_383, 0.03),
    (ETFE, "elastic_modulus", 1127.12, 0.01),
)
OURS = (
    # By the definitions of the folder's README.
    (STEEL, 0, {}, "elastic_modulus", 178_030),
    (STEEL, 0, {}, "yield_strength", 90.1),
    (STEEL, 0, {}, "fracture_strength", 188.3),
    (STEEL, 0, {}, "elongation", 1.58),
    (STEEL, 0, {"tangent_modulus": "0.4 % to 1.5 %"}, "tangent_modulus", 7100),
    (ETFE, 0, {}, "elastic_modulus", 1127.1),
    (ETFE, 0, {}, "yield_strength", 19.6),
    (ETFE, 0, {"yield": "knee", "tangent_modulus": "50 % to 150 %"}, "yield_strength", 24.4),
    (ETFE, 0, {"tangent_modulus": "50 % to 150 %"}, "tangent_modulus", 2.60),
    (ETFE, 0, {}, "fracture_strength", 36.8),
    (ETFE, 0, {}, "elongation", 306.9),
    (SHEET, 0, {}, "elastic_modulus", 195_900),
    (SHEET, 0, {}, "yield_strength", 399.2),
    (PCL, 0, {}, "elastic_modulus", 100.8),
    (PCL, 0, {}, "yield_strength", 12.35),
    (PCL, 0, {}, "tangent_modulus", 0.66),
    (PCL, 0, {}, "fracture_strength", 14.3),
    (PCL, 0, {}, "elongation", 531),
    (MAT, 0, {}, "elastic_modulus", 0.716),
    (MAT, 0, {}, "yield_strength", 0.288),
    (MAT, 0, {"yield": "knee", "tangent_modulus": "275 % to 625 %"}, "yield_strength", 0.667),
    (MAT, 1, {}, "elastic_modulus", 0.932),
    (MAT, 1, {}, "yield_strength", 0.394),
    (MAT, 1, {"yield": "knee", "tangent_modulus": "270 % to 620 %"}, "yield_strength", 0.814),
    (FILM, 0, {}, "elastic_modulus", 431),
    (FILM, 0, {}, "yield_strength", 3.74),
    (FILM, 0, {"yield": "knee"}, "yield_strength", 3.78),
    (FILM, 0, {}, "tangent_modulus", 58.5),
    (FILM, 0, {}, "fracture_strength", 6.09),
    (FILM, 0, {}, "elongation", 4.47),
    (RUBBER, 0, {}, "elastic_modulus", 0.304),
    (RUBBER, 0, {"elastic_modulus": "secant 100 %"}, "elastic_modulus", 0.318),
    (RUBBER, 0, {"tangent_modulus": "300 % to 700 %"}, "tangent_modulus", 0.526),
    (COLUMNS, 0, {}, "yield_strength", 371),
    (COLUMNS, 0, {"tangent_modulus": "5 % to 15 %"}, "tangent_modulus", 395),
)  # fmt: skip


@pytest.mark.parametrize(("file", "name", "value", "tolerance"), REPORTED)
def test_what_the_machine_reports(file: str, name: str, value: float, tolerance: float) -> None:
    assert evaluated(file).value(name) == pytest.approx(value, rel=tolerance)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "index", "definitions", "name", "value"),
    OURS,
    ids=[f"{row[0][:12]}-{row[1]}-{row[3]}-{row[4]}" for row in OURS],
)
def test_what_the_definitions_give(
    file: str, index: int, definitions: dict[str, str], name: str, value: float
) -> None:
    evaluation = evaluated(file, index, **definitions)
    assert evaluation.value(name) == pytest.approx(value, rel=0.02)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "strain", "stress"),
    [
        (STEEL, 0.01559, 188.438),
        (ETFE, 3.06402, 37.9483),
        (PCL, None, 166.244 / 3.667 / 3.167),
        (SHEET, 0.0124, 409.9),
        (RUBBER, 9.2, 4.43),
        (COLUMNS, 0.267, 512.1),
    ],
)
def test_the_maximum_is_the_machines(file: str, strain: float | None, stress: float) -> None:
    greatest = evaluated(file).greatest
    assert greatest[1] == pytest.approx(stress, rel=0.001)
    if strain is not None:
        assert greatest[0] == pytest.approx(strain, rel=0.01)


@pytest.mark.parametrize("file", [SHEET, MAT, RUBBER, COLUMNS])
def test_what_did_not_break_has_no_fracture(file: str) -> None:
    evaluation = evaluated(file)
    assert evaluation.value("fracture_strength") is None
    assert evaluation.value("elongation") is None
    assert any(finding.startswith("not broken") for finding in evaluation.findings)


def test_rubber_has_no_yield() -> None:
    assert evaluated(RUBBER).value("yield_strength") is None


def test_author_of_the_bulk_pcl() -> None:
    """The author takes the regression from 0.02 strain to the yield's less 0.02, raw strain."""
    evaluation = evaluated(PCL, toe_compensation="no", elastic_modulus="1.7 % to 22.5 %")
    assert evaluation.value("elastic_modulus") == pytest.approx(61.8, rel=0.03)


@pytest.mark.parametrize(
    ("index", "force", "extension"),
    [(0, 7.185, 1.965), (1, 7.636, 1.40), (2, 7.996, 1.368), (3, 7.395, 1.44)],
)
def test_forces_alone_give_forces_alone(index: int, force: float, extension: float) -> None:
    evaluation = evaluated(TEAR, index)
    assert all(value.value is None for value in evaluation.values)
    assert evaluation.greatest == pytest.approx((extension, force), rel=0.001)
    assert evaluation.curve.name == f"Sample {index + 1}"


@pytest.mark.parametrize(
    ("file", "program", "decimal", "language"),
    [
        (STEEL, "Instron Bluehill", ".", "English"),
        (ETFE, "Zwick testXpert", ".", "German"),
        (SHEET, "Zwick testXpert", ".", "French"),
        (PCL, "MTS TestSuite", ".", "English"),
        (MAT, "CellScale", ".", "English"),
        (FILM, "Deben Microtest", ".", "English"),
        (TEAR, "Mecmesin Emperor", ".", "English"),
        (RUBBER, "plain table", ".", "English"),
        (COLUMNS, "plain table", ",", "English"),
    ],
)
def test_how_the_file_is_written(file: str, program: str, decimal: str, language: str) -> None:
    read = read_curve_file(FOLDER / file)
    assert (read.program, read.decimal, read.language) == (program, decimal, language)
