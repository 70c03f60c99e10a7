"""Numbers as programs write them: which sign is the decimal one is found out, never assumed.

The decimal sign is settled by numbers that can be read in one way only. ``1,234`` can be read in
two; a thousands group has exactly three digits behind it and one to three before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import DataError

NUMERIC = re.compile(
    r"[+\-−]?(?:\d[\d.,'’]*(?:[ \u00a0\u202f]\d{3})*[\d.,]*|[.,]\d+)(?:[eE][+\-−]?\d+)?$"
)
_MISSING = frozenset(
    {"", "-", "--", "---", "–", "—", "n/a", "na", "nan", "#n/a", "null", "none", "*", "*****",
     "inf", "-inf", "#div/0!", "nicht bekannt", "inconnu", "unknown", "n.d.", "-----", "?"}
)  # fmt: skip
_GROUPED = re.compile(r"\d{1,3}(?:([.,])\d{3})+$")
_BLANKS = re.compile("[ \u00a0\u202f'’]")


@dataclass(frozen=True)
class NumberStyle:
    """How a table writes its numbers."""

    decimal: str = "."
    has_groups: bool = False

    def parse(self, text: str) -> float | None:
        """Return a number, or nothing where the cell holds none in this style."""
        bare = _BLANKS.sub("", text.strip()).replace("−", "-")
        if not NUMERIC.match(bare):
            return None
        mark = "," if self.decimal == "." else "."
        if mark in bare:
            head = bare.partition(self.decimal)[0]
            if not self.has_groups or not _GROUPED.match(head.lstrip("+-")):
                return None
            if mark in bare.partition(self.decimal)[2]:
                return None
            bare = bare.replace(mark, "")
        if bare.count(self.decimal) > 1:
            return None
        try:
            value = float(bare.replace(self.decimal, "."))
        except ValueError:
            return None
        return value if math.isfinite(value) else None


def _is_grouped(mantissa: str) -> bool:
    decimal = "." if mantissa.rfind(".") > mantissa.rfind(",") else ","
    head = mantissa.rpartition(decimal)[0] if mantissa.count(decimal) == 1 else mantissa
    return _GROUPED.match(head) is not None and len(set(head) & {".", ","}) == 1


def is_missing(text: str) -> bool:
    """Whether a cell says in words or dashes that there is no value."""
    return text.strip().casefold() in _MISSING


def looks_numeric(text: str) -> bool:
    """Whether a cell is a number in some style."""
    return NUMERIC.match(text.strip()) is not None


def find_style(texts: Iterable[str], default: NumberStyle | None = None) -> NumberStyle:
    """Return the style of numbers that belong together (a table's cells, a heading's facts).

    Args:
        texts: the cells; what is no number is passed over.
        default: the style of a neighbouring part, for numbers that could be read in two ways.

    Raises:
        DataError: some numbers can only be read with a point, others only with a comma.
    """
    votes: dict[tuple[str, bool], int] = {}
    examples: dict[str, str] = {}
    n_ambiguous: dict[str, int] = {}
    has_long_integer = False
    for text in texts:
        if not looks_numeric(text):
            continue
        bare = _BLANKS.sub("", text.strip()).lstrip("+-−")
        mantissa = re.split("[eE]", bare)[0]
        points, commas = mantissa.count("."), mantissa.count(",")
        if not points and not commas:
            has_long_integer = has_long_integer or len(mantissa) > 3
            continue
        if points + commas > 1 and not _is_grouped(mantissa):
            continue  # a date, a version, an address
        if points and commas:
            decimal = "." if mantissa.rfind(".") > mantissa.rfind(",") else ","
            votes[decimal, True] = votes.get((decimal, True), 0) + 1
            examples.setdefault(decimal, text.strip())
            continue
        sign = "." if points else ","
        if points + commas > 1:  # 1,234,567
            decimal = "," if sign == "." else "."
            votes[decimal, True] = votes.get((decimal, True), 0) + 1
            examples.setdefault(decimal, text.strip())
        elif _GROUPED.match(mantissa) and not mantissa.startswith("0") and mantissa == bare:
            n_ambiguous[sign] = n_ambiguous.get(sign, 0) + 1
        else:
            votes[sign, False] = votes.get((sign, False), 0) + 1
            examples.setdefault(sign, text.strip())
    signs = {decimal for decimal, _ in votes}
    if len(signs) > 1:
        raise DataError(
            f"numbers are written in two ways ('{examples['.']}' and '{examples[',']}'); export "
            "the table with one decimal sign"
        )
    if signs:
        (decimal,) = signs
        mark = "," if decimal == "." else "."
        has_groups = (decimal, True) in votes or mark in n_ambiguous
        return NumberStyle(decimal, has_groups)
    if default is not None and n_ambiguous:
        mark = "," if default.decimal == "." else "."
        return NumberStyle(default.decimal, default.has_groups or mark in n_ambiguous)
    if len(n_ambiguous) == 1:
        # Three digits behind every sign, and nothing else to go by: decimals, as integers of a
        # thousand and more would stand beside smaller ones without a sign.
        (sign,) = n_ambiguous
        return NumberStyle(sign)
    return default or NumberStyle()
