"""Width, thickness, gauge length and area of specimens, from what stands around a file's tables."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.curves.reading.grid import Grid
from engine.curves.reading.numbers import NumberStyle, find_style, looks_numeric
from engine.curves.reading.quantities import plain_words, read_unit, split_unit
from engine.curves.reading.records import Specimen
from engine.curves.reading.tables import Row, Table, is_number_row
from engine.errors import DataError

_VOCABULARY: dict[str, tuple[str, ...]] = {
    "width_mm": (
        "width", "specimen width", "breite", "probenbreite", "probenbreite b0", "b0", "largeur",
        "szerokosc", "ancho", "anchura", "larghezza", "largura", "sirka", "breedte", "genislik",
        "ширина", "宽度", "寬度", "幅", "너비", "폭",
    ),
    "thickness_mm": (
        "thickness", "specimen thickness", "dicke", "probendicke", "probendicke a0", "a0",
        "epaisseur", "grubosc", "espesor", "spessore", "espessura", "tloustka", "dikte", "kalinlik",
        "толщина", "厚度", "厚さ", "厚み", "두께",
    ),
    "gauge_mm": (
        "gauge length", "gage length", "gauge", "specimen length", "length", "initial length",
        "original length", "messlange", "anfangsmesslange", "l0", "longueur de reference",
        "longueur initiale", "longueur utile", "dlugosc pomiarowa", "dlugosc",
        "longitud de referencia",
        "longitud calibrada", "longitud", "lunghezza iniziale", "lunghezza", "span",
        "grip separation", "anchor separation", "расчетная длина", "标距", "標距", "標点間距離",
        "标距长度", "長さ", "표점거리", "extensometer gauge length",
    ),
    "area_mm2": (
        "area", "cross section", "cross sectional area", "specimen cross section",
        "sectional area",
        "section", "querschnitt", "querschnittsflache", "s0", "przekroj", "pole przekroju",
        "sezione",
        "seccion", "secao", "截面积", "断面積", "面积", "단면적", "площадь",
    ),
    "diameter_mm": ("diameter", "specimen diameter", "durchmesser", "diametre", "srednica",
                    "diametro", "直径", "直徑", "diameter d0"),
}  # fmt: skip
_MEANINGS = {word: name for name, phrase in _VOCABULARY.items() for word in phrase}
_NOISE = re.compile(
    r"\b(specimen|sample|eprouvette|probe|probki|probka|provino|probeta|default|wydruk|initial|"
    r"average|mean|course standard)\b"
)
_AREAS = {
    "mm2": 1.0, "cm2": 100.0, "m2": 1e6, "um2": 1e-6, "in2": 645.16, "": 1.0,
}  # fmt: skip
_PAIR = re.compile(r"\s*([^:=]{2,60}?)\s*[:=]\s*(\S.*)$")
_VALUE = re.compile(r"\s*([+-]?[\d.,'\u00a0\u202f]*\d)\s*(\S*)\s*$")


@dataclass(frozen=True)
class Fact:
    """One of a specimen's measures, in mm or mm²."""

    name: str
    value: float
    is_assumed: bool
    """Whether the file names no unit for it."""


def specimen_facts(
    grid: Grid, outside: Sequence[int], style: NumberStyle
) -> tuple[Specimen, list[str]]:
    """Return what the lines outside the tables say of every specimen of the file."""
    pairs = [pair for i in outside if (pair := _pair(grid.rows[i])) is not None]
    measures = [pair for pair in pairs if _meaning(split_unit(pair[0])[0])]
    own_style = _style(measures, _style(pairs, style))
    facts: dict[str, Fact] = {}
    for key, value, unit in pairs:
        fact = _fact(key, value, unit, own_style)
        if fact is not None:
            facts.setdefault(fact.name, fact)
    return _specimen(facts)


def _style(pairs: Sequence[tuple[str, str, str]], default: NumberStyle) -> NumberStyle:
    try:
        return find_style([_bare(value) for _, value, _ in pairs], default)
    except DataError:
        return default  # dates, versions and facts of several hands


def table_facts(grid: Grid, table: Table, style: NumberStyle) -> dict[str, Specimen]:
    """Return the specimens of a table of facts, by name: one row each."""
    header, units = _fact_header(grid, table)
    if header is None:
        return {}
    specimens = {}
    for number, row in enumerate(table.rows, 1):
        facts: dict[str, Fact] = {}
        if len(row) > len(header):
            continue
        for index, cell in enumerate(header):
            if index >= len(row) or not cell:
                continue
            fact = _fact(cell, row[index], units[index] if index < len(units) else "", style)
            if fact is not None:
                facts.setdefault(fact.name, fact)
        name = row[0] if row and row[0] and not header[0] else str(number)
        if row and row[0] and not looks_numeric(row[0]):
            name = row[0]
        specimen, _ = _specimen(facts)
        if specimen.sources:
            specimens[name] = specimen
    return specimens


def _fact_header(grid: Grid, table: Table) -> tuple[Row | None, Row]:
    units: Row = ()
    for index in range(table.first_row - 1, max(-1, table.first_row - 5), -1):
        row = grid.rows[index]
        if is_number_row(row):
            break
        if any(_meaning(split_unit(cell)[0]) for cell in row if cell):
            return row, units
        if any(row):
            units = row
    return None, ()


def _pair(row: Row) -> tuple[str, str, str] | None:
    """Return key, value and unit of a line such as ``Width;10;mm`` or ``Span : 10,0``."""
    filled = [cell for cell in row if cell]
    if len(filled) == 1:
        match = _PAIR.match(filled[0])
        return (match[1], match[2], "") if match else None
    if len(filled) in (2, 3):
        return filled[0].rstrip(" :="), filled[1], filled[2] if len(filled) == 3 else ""
    return None


def _bare(value: str) -> str:
    match = _VALUE.match(value)
    return match[1] if match else ""


def _meaning(key: str) -> str | None:
    phrase = plain_words(key)
    return _MEANINGS.get(phrase) or _MEANINGS.get(" ".join(_NOISE.sub(" ", phrase).split()))


def _fact(key: str, value: str, unit: str, style: NumberStyle) -> Fact | None:
    name, unit_of_name = split_unit(key)
    meaning = _meaning(name)
    if meaning is None:
        bracket = re.search(r"[(\[]([^()\[\]]*)[)\]]\s*$", key)
        # An area's unit is none of a column's.
        meaning = _meaning(key[: bracket.start()]) if bracket else None
        if meaning != "area_mm2" or bracket is None:
            return None
        unit = unit or bracket[1]
    match = _VALUE.match(value)
    number = style.parse(match[1]) if match else None
    if match is None or number is None or number <= 0:
        return None
    text = match[2] or unit
    if meaning == "area_mm2":
        factor = _AREAS.get(_plain_area(text))
        return Fact(meaning, number * factor, not text) if factor else None
    stated = read_unit(text) or unit_of_name
    if text.strip("()[] ") and stated is None:
        return None
    if stated is not None and stated.dimension != "length":
        return None
    return Fact(meaning, number * (stated.factor if stated else 1.0), stated is None)


def _plain_area(unit: str) -> str:
    bare = unit.strip("()[] ").replace("²", "2").replace("^", "").replace("**", "")
    return bare.replace("µ", "u").replace("μ", "u").replace("\ufffd", "2").casefold()


def _specimen(facts: dict[str, Fact]) -> tuple[Specimen, list[str]]:
    values = {name: fact.value for name, fact in facts.items()}
    diameter = values.pop("diameter_mm", None)
    if diameter is not None and "area_mm2" not in values and "width_mm" not in values:
        values["area_mm2"] = math.pi / 4 * diameter**2
    if "width_mm" in values and "thickness_mm" in values:
        values.pop("area_mm2", None)
    assumed = [name for name, fact in facts.items() if fact.is_assumed and name in values]
    notes = []
    if assumed:
        names = ", ".join(name.rpartition("_")[0] for name in assumed)
        notes.append(f"the file names no unit for {names}: taken as mm")
    return Specimen(**values, sources=dict.fromkeys(values, "the file")), notes
