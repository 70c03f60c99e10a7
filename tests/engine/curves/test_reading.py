"""What a file does not say is not made up: numbers, units, headings, order, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tensile_files import FORMATS, SPECIMENS, Made

from engine.curves.reading.numbers import NumberStyle, find_style
from engine.curves.reading.quantities import read_quantity, read_unit, split_unit
from engine.curves.reading.read import read_curve_file, read_curves
from engine.curves.stress_strain import tensile_curve
from engine.errors import DataError, NotFoundError, UsageError

FORMS = {form.file: form for form in FORMATS}


@pytest.mark.parametrize(
    ("texts", "style", "values"),
    [
        (["0.5", "1,009.34"], NumberStyle(".", True), [0.5, 1009.34]),
        (["0,5", "1.009,34"], NumberStyle(",", True), [0.5, 1009.34]),
        (["999.5", "1,000"], NumberStyle(".", True), [999.5, 1000]),
        (["0,123", "1,234"], NumberStyle(","), [0.123, 1.234]),
        (["1,234", "1,235"], NumberStyle(","), [1.234, 1.235]),
        (["1.234", "1.235"], NumberStyle("."), [1.234, 1.235]),
        (["1,00E-05", "2,5"], NumberStyle(","), [1e-5, 2.5]),
        ([".5", "-.25"], NumberStyle("."), [0.5, -0.25]),
        (["1 234,5", "2,5"], NumberStyle(","), [1234.5, 2.5]),
        (["1'234.5", "2.5"], NumberStyle("."), [1234.5, 2.5]),
        (["−3.5", "20.02.2008"], NumberStyle("."), [-3.5, None]),
        (["12", "nicht bekannt"], NumberStyle("."), [12, None]),
    ],
)
def test_numbers(texts: list[str], style: NumberStyle, values: list[float | None]) -> None:
    assert find_style(texts) == style
    assert [style.parse(text) for text in texts] == values


def test_two_decimal_signs_are_refused() -> None:
    with pytest.raises(DataError, match="two ways"):
        find_style(["0.5", "0,25"])


@pytest.mark.parametrize(
    ("heading", "name", "dimension", "factor", "quantity"),
    [
        ("Force (mN)", "Force", "force", 1e-3, "force"),
        ("Load [kN]", "Load", "force", 1e3, "force"),
        ("XDisplacement_um", "XDisplacement", "length", 1e-3, None),
        ("Standardkraft in N", "Standardkraft", "force", 1, "force"),
        ("Dehnung [%]", "Dehnung", "ratio", 0.01, "strain"),
        ("Elongation (%)", "Elongation", "ratio", 0.01, "strain"),
        ("Elongation (mm)", "Elongation", "length", 1, "extension"),
        ("Déformation (mm)", "Déformation", "length", 1, "extension"),
        ("Zugspannung / MPa", "Zugspannung", "pressure", 1, "stress"),
        ("Standardkraft [N/mm²]", "Standardkraft", "pressure", 1, "stress"),
        ("True Stress (MPa)", "True Stress", "pressure", 1, "true stress"),
        ("Tensile strain (Strain 1)", "Tensile strain (Strain 1)", None, None, "strain"),
        ("Transverse strain (%)", "Transverse strain", "ratio", 0.01, "other"),
        ("Tensile stress at Break (MPa)", "Tensile stress at Break", "pressure", 1, "other"),
        ("試験力(N)", "試験力", "force", 1, "force"),
        ("应力(MPa)", "应力", "pressure", 1, "stress"),
        ("Нагрузка, Н", "Нагрузка", "force", 1, "force"),
        ("Verfahrweg (mm)", "Verfahrweg", "length", 1, "extension"),
        ("Prüfkraft [kN]", "Prüfkraft", "force", 1e3, "force"),
        ("Temperature", "Temperature", None, None, None),
    ],
)
def test_headings(
    heading: str, name: str, dimension: str | None, factor: float | None, quantity: str | None
) -> None:
    bare, unit = split_unit(heading)
    assert bare == name
    assert (unit and unit.dimension, unit and unit.factor) == (dimension, factor)
    assert read_quantity(bare, unit) == quantity


@pytest.mark.parametrize(
    ("text", "dimension", "factor"),
    [("mN", "force", 1e-3), ("MN", "force", 1e6), ("mm/mm", "ratio", 1), ("µε", "ratio", 1e-6),
     ("N/mm^2", "pressure", 1), ("Sec", "time", 1), ("(%)", "ratio", 0.01),
     ("kgf/cm²", "pressure", 0.0980665)],
)  # fmt: skip
def test_units(text: str, dimension: str, factor: float) -> None:
    unit = read_unit(text)
    assert unit is not None
    assert (unit.dimension, unit.factor) == (dimension, pytest.approx(factor))


def table(headings: str, *, percent: bool = False, made: Made = SPECIMENS[0]) -> bytes:
    factor = 100 if percent else 1
    rows = [f"{factor * e:.6f};{s:.5f}" for e, s in zip(*made.curve(), strict=True)]
    return "\n".join([headings, *rows, ""]).encode()


def test_a_strain_in_percent_without_a_unit_is_seen() -> None:
    (raw,) = read_curves("t.csv", table("Strain;Stress", percent=True)).curves
    assert tensile_curve(raw).x.max() == pytest.approx(0.5, rel=0.01)
    assert "taken as %" in " ".join(raw.notes)


def test_a_strain_that_may_be_either_is_asked_for() -> None:
    brittle = Made(break_strain=0.05)
    content = table("Strain;Stress", percent=True, made=brittle)
    with pytest.raises(DataError, match="strain=%"):
        read_curves("t.csv", content)
    (raw,) = read_curves("t.csv", content, units={"strain": "%"}).curves
    assert tensile_curve(raw).x.max() == pytest.approx(0.05, rel=0.01)


def test_units_that_are_stated_stand_before_the_files() -> None:
    (raw,) = read_curves("t.csv", table("Strain;Stress (MPa)"), units={"stress": "kPa"}).curves
    assert tensile_curve(raw).y.max() == pytest.approx(0.044, rel=0.01)
    assert "as stated" in " ".join(raw.notes)
    with pytest.raises(UsageError, match="no unit"):
        read_curves("t.csv", table("Strain;Stress"), units={"stress": "furlong"})
    with pytest.raises(UsageError, match="expected a unit of stress"):
        read_curves("t.csv", table("Strain;Stress"), units={"stress": "mm"})


def test_a_table_without_headings_asks_for_them() -> None:
    content = table("").lstrip()
    with pytest.raises(DataError, match="no headings"):
        read_curves("t.csv", content)
    (raw,) = read_curves("t.csv", content, columns=["strain (mm/mm)", "stress (MPa)"]).curves
    assert tensile_curve(raw).y.max() == pytest.approx(44, rel=0.01)
    with pytest.raises(UsageError, match="expected headings"):
        read_curves("t.csv", content, columns=["strain", "banana"])


def test_a_heading_and_its_unit_that_contradict_are_refused() -> None:
    with pytest.raises(DataError, match="no unit of"):
        read_curves("t.csv", table("Strain (N);Stress (MPa)"))


def test_compression_is_refused() -> None:
    rows = [f"{e:.5f},{-s:.5f}" for e, s in zip(*Made().curve(), strict=True)]
    with pytest.raises(DataError, match="negative"):
        read_curves("t.csv", "\n".join(["Strain,Stress", *rows]).encode())


def test_force_and_stress_that_contradict_are_refused() -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"{e:.5f},{s:.5f},{f:.5f}"
        for e, s, f in zip(*Made().curve(), rng.uniform(0, 40, 1203), strict=True)
    ]
    with pytest.raises(DataError, match="not proportional"):
        read_curves("t.csv", "\n".join(["Strain,Stress (MPa),Force (N)", *rows]).encode())


def test_rows_out_of_order_are_put_back_by_time_or_refused() -> None:
    rng = np.random.default_rng(0)
    form = FORMS["essai.TRA"]
    lines = form.write(SPECIMENS[:1]).decode("latin-1").splitlines()
    body = list(rng.permutation(lines[7:]))
    mixed = "\n".join([*lines[:7], *body, ""]).encode("latin-1")
    (raw,) = read_curves(form.file, mixed).curves
    np.testing.assert_allclose(tensile_curve(raw).x, Made().curve()[0], atol=2e-5)
    assert "order of time" in " ".join(raw.notes)
    first, *body = table("Strain;Stress").decode().splitlines()
    with pytest.raises(DataError, match="order in which"):
        read_curves("t.csv", "\n".join([first, *rng.permutation(body), ""]).encode())


def test_a_line_of_words_inside_the_table_is_left_aside() -> None:
    lines = table("Strain;Stress").decode().splitlines()
    lines.insert(500, "Segment 2 begins")
    file = read_curves("t.csv", "\n".join([*lines, ""]).encode())
    assert len(file.curves) == 1
    assert "line 501" in " ".join(file.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02\x03binary", "binary"),
        (b"only words\nand more\n", "without one"),
        (b"a,b\n1,2\n", "without one"),
        (b"Strain,Stress\n" + b"0.1,2.0\n" * 5, "10 at least"),
        (b"Temperature,Humidity\n" + b"20.5,40.1\n" * 30, "Temperature | Humidity"),
        (b"PK\x03\x04broken", "cannot be read"),
        ("ÿþ".encode("latin-1") + b"x", "cut short"),
    ],
)
def test_what_is_no_curve_is_refused_in_a_sentence(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        read_curves("t.csv", content)


def test_an_encoding_that_nobody_knows() -> None:
    with pytest.raises(DataError, match="encoding"):
        read_curves("t.csv", b"x", encoding="klingon")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_curve_file(tmp_path / "nothing.csv")
