"""Lengths as instruments and people write them, in nm: ``2.5e-008``, ``9,766 nm``, ``2um``.

>>> length_nm("9,766 nm"), length_nm("1µm"), length_nm("2.5e-009", "m")
(9.766, 1000.0, 2.5)
>>> length_nm("some nm") is None
True
"""

from __future__ import annotations

import math
import re

# The micro sign and the Greek letter are two characters, and instruments write either; "um" and
# "mu" stand for both, "�m" is what a wrong encoding leaves of them.
_IN_NM = {
    "fm": 1e-6, "pm": 1e-3, "å": 0.1, "a": 0.1, "angstrom": 0.1, "nm": 1.0, "nanometer": 1.0,
    "µm": 1e3, "μm": 1e3, "um": 1e3, "mum": 1e3, "�m": 1e3, "µ": 1e3, "micron": 1e3,
    "micrometer": 1e3, "mikrometer": 1e3, "mm": 1e6, "millimeter": 1e6, "cm": 1e7,
    "centimeter": 1e7, "inch": 2.54e7, "inches": 2.54e7, "in": 2.54e7, "m": 1e9, "meter": 1e9,
    "纳米": 1.0, "奈米": 1.0, "ナノメートル": 1.0, "微米": 1e3, "マイクロメートル": 1e3,
    "ミクロン": 1e3, "毫米": 1e6, "ミリメートル": 1e6,
}  # fmt: skip
NUMBER = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"
_LENGTH = re.compile(rf"\s*({NUMBER})\s*([^\W\d_]*|�m)\.?\s*(?:/\s*(?:px|pixel))?\s*", re.UNICODE)

LEAST_NM, MOST_NM = 0.01, 20_000.0
"""What a pixel of a micrograph may measure: 0.01 nm is a transmission microscope's at the utmost
magnification, 20 µm a scanning one's at the least."""


def number(value: object) -> float | None:
    """Return a finite number above zero, with a decimal point or comma; else ``None``."""
    try:
        parsed = float(str(value).strip().replace(",", "."))
    except ValueError:
        return None
    return parsed if math.isfinite(parsed) and parsed > 0 else None


def unit_nm(unit: str) -> float | None:
    r"""Return a unit's length [nm]; ``None`` if it is none.

    ImageJ writes its micrometres as ``\u00B5m``.

    >>> unit_nm("micrometres"), unit_nm("Nanometers"), unit_nm("ms")
    (1000.0, 1.0, None)
    """
    plain = unit.strip().strip(".").replace("\\u00B5", "µ").replace("\\u00b5", "µ").casefold()
    word = plain.replace("metre", "meter")
    # Words have a plural, symbols have none: ms is no metre.
    return _IN_NM.get(word.removesuffix("s") if len(word) > 5 and word not in _IN_NM else word)


def length_nm(text: str, unit: str | None = None) -> float | None:
    """Return a length [nm]; ``unit`` is that of a bare number. ``None``: it is not understood."""
    match = _LENGTH.fullmatch(text)
    if match is None:
        return None
    value, factor = number(match[1]), unit_nm(match[2] or unit or "")
    return None if value is None or factor is None else value * factor


def is_plausible(nm_per_pixel: float) -> bool:
    """Tell whether a pixel of a micrograph may have this size [nm]."""
    return LEAST_NM <= nm_per_pixel <= MOST_NM
