"""What each column of a table holds: numbers, choices, yes and no, free text; its name and unit."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.campaign.synonyms import (
    OUTCOMES,
    SYNONYMS,
    canonical,
    canonical_outcome,
    needs_unit,
)
from engine.campaign.units import check_unit, conversion
from engine.campaign.vocabulary import loosely, split_heading
from engine.errors import DataError
from engine.experiments.importers import cells
from engine.experiments.importers.headings import Column
from engine.experiments.importers.number_styles import plain_columns
from engine.experiments.importers.raw import RawTable

Content = Literal["numbers", "choices", "yes or no", "text", "dates", "nothing"]

MOST_CHOICES = 30
"""Different words beyond which a column is free text."""
_LONGEST_CHOICE = 60
_DATE = re.compile(r"\d{4}-\d\d-\d\d.*|\d{1,2}[./]\d{1,2}[./]\d{2,4}.*")
_YES_OR_NO = {"true", "false", "yes", "no", "y", "ja", "nein", "oui", "non"}
# As they end a heading: "voltage_kv", "flow rate ml/h".
_SUFFIXES = {
    "kv": "kV", "nm": "nm", "um": "µm", "µm": "µm", "mm": "mm", "cm": "cm", "mpa": "MPa",
    "gpa": "GPa", "kpa": "kPa", "rpm": "rpm", "ml/h": "mL/h", "mlh": "mL/h", "ml/hr": "mL/h",
    "ul/min": "µL/min", "µl/min": "µL/min", "ml/min": "mL/min", "wt%": "wt%", "%": "%",
    "hz": "Hz", "degc": "°C", "°c": "°C", "mg/ml": "mg/mL", "g/ml": "g/mL", "ms/cm": "mS/cm",
    "us/cm": "µS/cm", "mn/m": "mN/m", "pct": "%", "percent": "%",
}  # fmt: skip
# Too short to be a unit unless what stands before them is a word of the field.
_SHORT_SUFFIXES = {"c": "°C", "g": "gauge", "v": "V", "k": "K", "h": "h", "s": "s", "min": "min"}


@dataclass(frozen=True)
class TableColumn:
    """One column: where it stands, what it is called, what its cells hold.

    ``numbers``: one for each row, ``None`` where there is none; ``texts`` likewise.
    """

    index: int
    heading: str
    name: str
    unit: str
    content: Content
    numbers: tuple[float | None, ...]
    texts: tuple[str | None, ...]

    @property
    def aliases(self) -> list[str]:
        """What files may call it: the heading, and the heading without its unit."""
        stem = _split(self.heading)[0] if self.unit else self.heading
        return [word for word in dict.fromkeys((self.heading, stem)) if word != self.name]

    @property
    def values(self) -> tuple[float | str | None, ...]:
        """What the cells say: numbers in a column of numbers, words elsewhere."""
        return self.numbers if self.content == "numbers" else self.texts

    @property
    def distinct(self) -> list[float | str]:
        """The different values, in order."""
        return sorted({value for value in self.values if value is not None}, key=_order)

    @property
    def n_missing(self) -> int:
        """How many rows have no value."""
        return sum(value is None for value in self.values)


def columns_of(raw: RawTable) -> list[TableColumn]:
    """Return every column with a heading."""
    numeric = [
        Column(index, heading, "parameter", heading)
        for index, heading in enumerate(raw.headings)
        if heading and _is_numeric([row[index] for row in raw.rows])
    ]
    table = plain_columns(raw, numeric)
    plain = table.raw.rows
    are_numbers = {column.index for column in numeric}
    names: set[str] = set()
    columns = []
    for index, heading in enumerate(raw.headings):
        if not heading:
            continue
        texts = [row[index].strip() for row in plain]
        cell_texts = tuple(None if cells.is_missing(text) else text for text in texts)
        numbers: tuple[float | None, ...] = ()
        if index in are_numbers:
            numbers = tuple(_number(word, comma=table.decimal_comma) for word in cell_texts)
        content: Content = "numbers" if index in are_numbers else _content(cell_texts)
        name, unit = name_and_unit(heading)
        columns.append(
            TableColumn(index, heading, _unique(name, names), unit, content, numbers, cell_texts)
        )
    return columns


def name_and_unit(heading: str) -> tuple[str, str]:
    """Return a campaign's name for a heading, the field's word where it is one, and its unit.

    >>> name_and_unit("Feed rate (ml/hr)"), name_and_unit("voltage_kv"), name_and_unit("polymer(s)")
    (('flow_rate', 'mL/h'), ('voltage', 'kV'), ('polymer', ''))
    >>> name_and_unit("Spannung (kV)"), name_and_unit("Spannung (MPa)")
    (('voltage', 'kV'), ('spannung', 'MPa'))
    """
    word, unit = _split(heading)
    plain = loosely(word)
    name = loosely(canonical(word))
    outcome = loosely(canonical_outcome(word))
    is_short = needs_unit(word) and not unit
    if unit == "gauge" and "needle" in plain:
        return "needle_gauge", unit
    if outcome.replace(" ", "_") in OUTCOMES:
        return outcome.replace(" ", "_"), unit
    # German has one word for a voltage and a stress.
    is_other = needs_unit(word) and name == "voltage" and not _is_voltage(unit)
    if not is_short and not is_other and name.replace(" ", "_") in SYNONYMS:
        return name.replace(" ", "_"), unit
    return _identifier(word), unit


def _is_voltage(unit: str) -> bool:
    try:
        conversion(unit, "kV")
    except DataError:
        return False
    return True


def _split(heading: str) -> tuple[str, str]:
    """Return a heading's words and the unit that it states, in brackets or at its end."""
    word, unit = split_heading(heading.strip())
    if unit is not None:
        stem = re.sub(r"\s*[\[(]([^\[\]()]*)[\])]\s*$", r" \1", word)
        if unit.strip() in ("s", ""):  # "polymer(s)"
            return stem, ""
        return (stem, _spelt(unit)) if _is_unit(unit) else (f"{word} {unit}", "")
    for separator in ("_", " "):
        stem, mark, tail = word.rpartition(separator)
        if not mark or not stem.strip():
            continue
        suffix = tail.casefold()
        if suffix in _SUFFIXES:
            return stem, _SUFFIXES[suffix]
        if suffix in _SHORT_SUFFIXES and loosely(canonical(stem)).replace(" ", "_") in SYNONYMS:
            return stem, _SHORT_SUFFIXES[suffix]
    return word, ""


def _spelt(unit: str) -> str:
    return _SUFFIXES.get(unit.strip().casefold().replace(" ", ""), unit.strip())


def _is_unit(text: str) -> bool:
    try:
        check_unit(text)
    except DataError:
        # "AU", "a.u.", "rel." are none that can be converted, but units all the same.
        return text.strip().casefold() in ("a.u.", "au", "arb. units", "-", "1")
    return True


def _identifier(word: str) -> str:
    """Return a name that a campaign may use: letters, digits, underscores."""
    parts = [part for part in re.split(r"[^0-9A-Za-z]+", _without_accents(word)) if part]
    # "Print Speed" is print_speed, "P3HT" and "CsPbI" are as they are.
    parts = [part.lower() if part.istitle() and len(part) > 2 else part for part in parts]
    name = "_".join(parts)[:60] or "column"
    return name if not name[0].isdigit() else f"x{name}"


def _without_accents(word: str) -> str:
    import unicodedata

    folded = unicodedata.normalize("NFKD", word.replace("µ", "u").replace("ß", "ss"))
    return "".join(letter for letter in folded if not unicodedata.combining(letter))


def _unique(name: str, names: set[str]) -> str:
    candidate, n = name, 2
    while candidate.casefold() in names:
        candidate, n = f"{name}_{n}", n + 1
    names.add(candidate.casefold())
    return candidate


def _is_numeric(texts: Sequence[str]) -> bool:
    """Whether nearly all cells that say something hold a number."""
    present = [text for text in texts if not cells.is_missing(text)]
    n_numbers = sum(cells.is_number(text) or cells.span_of(text) is not None for text in present)
    return bool(present) and n_numbers >= 0.9 * len(present)


def _number(word: str | None, *, comma: bool) -> float | None:
    if word is None:
        return None
    span = cells.span_of(word)
    if span is not None:
        ends = [_number(end, comma=comma) for end in span]
        return None if None in ends else sum(end for end in ends if end is not None) / 2
    text = cells.number_part(word)
    try:
        return float(text.replace(",", ".") if comma else text)
    except ValueError:
        return None


def _content(texts: Sequence[str | None]) -> Content:
    present = [word for word in texts if word is not None]
    distinct = set(present)
    if not present:
        return "nothing"
    if {word.casefold() for word in distinct} <= _YES_OR_NO:
        return "yes or no"
    if sum(_DATE.fullmatch(word) is not None for word in present) >= 0.9 * len(present):
        return "dates"
    is_long = any(len(word) > _LONGEST_CHOICE or "\n" in word for word in distinct)
    is_link = any("://" in word or word.startswith("doi:") for word in distinct)
    # What is different in most rows names them, and is no choice.
    is_many = len(distinct) > MOST_CHOICES or (
        len(present) >= 6 and len(distinct) > len(present) / 2
    )
    return "text" if is_long or is_link or is_many else "choices"


def _order(value: float | str) -> tuple[float, list[tuple[int, float, str]]]:
    """Put numbers before words, and R2 before R10."""
    if not isinstance(value, str):
        return value, []
    parts = re.split(r"([0-9]+)", value)
    return math.inf, [(0, float(p), "") if p.isdigit() else (1, 0.0, p) for p in parts if p]
