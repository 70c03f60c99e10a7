"""Units of the field, and how to get from one to another: always ``factor · value + offset``.

The registry is pint's, with definitions of its own: only units that a spinning lab writes, so that
a misspelt one is refused instead of being taken for, say, a gibibyte per hour.

- Per cent by mass (``%``, ``wt%``, ``% w/w``) is one thing, and so are mass per volume
  (``% w/v``, 10 mg/mL) and volume per volume (``vol%``); none becomes another without a density.
- A collector's speed counts turns: 1 Hz is 60 rpm, and 2π rad/s is as much.
- ``°C`` and ``°F`` have an offset.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.errors import DataError, nearest_name

if TYPE_CHECKING:
    from pint import UnitRegistry

# pint's parser is not meant for text of strangers.
MAX_LENGTH = 40

_DEFINITIONS = """
nano- = 1e-9 = n-
micro- = 1e-6 = u-
milli- = 1e-3 = m-
centi- = 1e-2 = c-
kilo- = 1e3 = k-
mega- = 1e6 = M-
giga- = 1e9 = G-
meter = [length] = m = metre
second = [time] = s = sec
gram = [mass] = g
ampere = [current] = A
kelvin = [temperature]; offset: 0 = K
mole = [substance] = mol
turn = [] = revolution = rev
radian = turn / 6.283185307179586 = rad
minute = 60 * second = min
hour = 60 * minute = h = hr
day = 24 * hour = d
hertz = turn / second = Hz
rpm = turn / minute
degree_Celsius = kelvin; offset: 273.15 = degC
degree_Fahrenheit = 5 / 9 * kelvin; offset: 255.37222222222223 = degF
angle_degree = turn / 360 = deg
liter = 1e-3 * meter ** 3 = L = l = litre
cubic_centimeter = 1e-6 * meter ** 3 = cc
newton = kilogram * meter / second ** 2 = N
pascal = newton / meter ** 2 = Pa
joule = newton * meter = J
watt = joule / second = W
volt = watt / ampere = V
ohm = volt / ampere
siemens = ampere / volt = S
poise = 0.1 * pascal * second = P
bar = 1e5 * pascal
dalton = gram / mole = Da
inch = 0.0254 * meter = in
pound_per_square_inch = 6894.757293168 * pascal = psi
percent = 0.01
part_per_million = 1e-6 = ppm
volume_fraction = [volume_fraction]
volume_percent = 0.01 * volume_fraction
mass_volume_percent = 10 * gram / liter
gauge = [gauge]
"""

_UNIT_NAMES = {
    "%": "percent",
    "wt%": "percent",
    "wt.%": "percent",
    "wt.-%": "percent",
    "wt-%": "percent",
    "%wt": "percent",
    "%w/w": "percent",
    "w/w%": "percent",
    "%(w/w)": "percent",
    "w%": "percent",
    "mass%": "percent",
    "gew.-%": "percent",
    "gew.%": "percent",
    "gew%": "percent",
    "ma.-%": "percent",
    "ma%": "percent",
    "masse%": "percent",
    "m%": "percent",
    "%rh": "percent",
    "rh%": "percent",
    "%r.h.": "percent",
    "percent": "percent",
    "%w/v": "mass_volume_percent",
    "w/v%": "mass_volume_percent",
    "%(w/v)": "mass_volume_percent",
    "wt/vol%": "mass_volume_percent",
    "vol%": "volume_percent",
    "vol.%": "volume_percent",
    "vol.-%": "volume_percent",
    "vol-%": "volume_percent",
    "%v/v": "volume_percent",
    "v/v%": "volume_percent",
    "%(v/v)": "volume_percent",
    "kv": "kV",
    "rpm": "rpm",
    "r/min": "rpm",
    "u/min": "rpm",
    "rev/min": "rpm",
    "r.p.m.": "rpm",
    "rps": "hertz",
    "°c": "degC",
    # The ordinal sign º, which keyboards have beside the 1.
    "oc": "degC",
    "of": "degF",
    "degc": "degC",
    "degf": "degF",
    "c": "degC",
    "celsius": "degC",
    "°f": "degF",
    "f": "degF",
    "fahrenheit": "degF",
    "°": "deg",
}
"""Ways of writing, in lower case and without blanks, that arithmetic cannot read."""

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SIGNS = str.maketrans(
    {"·": "*", "⋅": "*", "∙": "*", "×": "*", "−": "-", "^": " ", "µ": "u", "μ": "u"}
)
_NAMES = re.compile(r"[A-Za-z_ */().-]+")
# One digit: `m**9**9**9` would be computed.
_POWER = re.compile(r"(?<=[A-Za-z])\*\*[+-]?[0-9](?![0-9*])|^1(?= */)")
_WORD = re.compile(r"[A-Za-z]+")
_PREFIXES = ("", "n", "u", "m", "c", "k", "M", "G")
_PREFIXED = (
    "m", "s", "g", "A", "V", "Pa", "N", "L", "l", "W", "J", "Hz", "S", "P", "mol", "Da", "bar",
    "volt", "meter", "pascal", "newton", "liter", "gram", "hertz",
)  # fmt: skip
_BARE = (
    "min", "h", "hr", "d", "sec", "rpm", "K", "psi", "in", "rad", "deg", "rev", "hour", "minute",
    "second", "day", "percent", "ppm", "cc", "ohm",
)  # fmt: skip
# What a misspelt unit is compared with, and what the message names.
_UNITS = (
    "mL/h", "µL/min", "kV", "rpm", "r/min", "Hz", "cm", "mm", "µm", "nm", "°C", "K", "%", "wt%",
    "MPa", "GPa", "kPa", "g/mL", "mg/mL", "mPa·s", "µS/cm", "mN/m", "kg/mol", "m/s", "min", "gauge",
)  # fmt: skip


class UnitError(DataError):
    """A unit that nobody knows, or two that measure different things."""


def affine(unit: str, target: str) -> tuple[float, float]:
    """Return factor and offset: ``value [target] = factor · value [unit] + offset``.

    An empty unit on either side says nothing, and the values are taken as they are.

    Raises:
        UnitError: one of the two is unknown, or they measure different things.
    """
    if not unit.strip() or not target.strip() or unit == target:
        return 1.0, 0.0
    return _affine(unit, target)


@cache
def _affine(unit: str, target: str) -> tuple[float, float]:
    registry = _registry()
    source_unit, target_unit = _parse(unit), _parse(target)
    if registry.get_dimensionality(source_unit) != registry.get_dimensionality(target_unit):
        raise UnitError(f"expected a unit that can become {target}, got {unit}")
    # Two points fix the line, offsets of °C and °F included.
    at_0, at_1 = (
        float(registry.Quantity(value, source_unit).to(target_unit).magnitude)
        for value in (0.0, 1.0)
    )
    return at_1 - at_0, at_0


def conversion(unit: str, target: str) -> tuple[float, float]:
    """Return factor and offset as :func:`affine`, for a unit that a person wrote in a heading.

    Letters of the wrong case are forgiven where only one unit can be meant (``KV``, ``Mpa``), or
    where they spell the target's: ``[mpa]`` of a strength in MPa is MPa.

    >>> conversion("Mpa", "MPa"), conversion("V", "kV")
    ((1.0, 0.0), (0.001, 0.0))

    Raises:
        UnitError: one is unknown, they measure different things, or differ by their case alone:
            a strength in mPa was hardly meant.
    """
    is_spelt_alike = "".join(unit.split()).casefold() == "".join(target.split()).casefold()
    try:
        factor, offset = affine(unit, target)
    except UnitError:
        if is_spelt_alike:
            return 1.0, 0.0
        raise
    if is_spelt_alike and (factor, offset) != (1.0, 0.0):
        raise UnitError(f"{unit} and {target} differ by {factor:g} and in their letters' case only")
    return factor, offset


def converted(value: float, factor: float, offset: float) -> float:
    """Return ``factor · value + offset`` in twelve digits: 18 V · 0.001 is 0.018 and no more.

    >>> converted(17.1, 1e-3, 0.0)
    0.0171
    """
    return float(f"{factor * value + offset:.12g}")


def check_unit(unit: str) -> None:
    """Refuse a unit that cannot be read; an empty one is none.

    Raises:
        UnitError: nobody knows it.
    """
    if unit.strip():
        _parse(unit)


@cache
def _registry() -> UnitRegistry[Any]:
    from pint import UnitRegistry

    # Without pint's own definitions, which know gibibytes and furlongs, and without a cache on the
    # disk.
    registry: UnitRegistry[Any] = UnitRegistry(None, cache_folder=None)
    registry.load_definitions(_DEFINITIONS.strip().splitlines())
    return registry


@cache
def _parse(unit: str) -> Any:
    text = "".join(unit.split())
    expression = _UNIT_NAMES.get(unicodedata.normalize("NFKC", text).casefold())
    if expression is None:
        # In capitals only: g is a gram.
        expression = "gauge" if text in ("G", "ga") else _arithmetic(unit)
    if len(unit) <= MAX_LENGTH:
        for spelling in (expression, _WORD.sub(_in_its_case, expression)):
            if _is_harmless(spelling):
                try:
                    return _registry().parse_units(spelling)
                except Exception:  # noqa: S110 -- pint's parser raises what it likes
                    pass
    hint = nearest_name(unit, _UNITS)
    raise UnitError(
        f"the unit '{unit[:MAX_LENGTH]}' is not known.{hint} Known are such as {', '.join(_UNITS)}"
    )


@cache
def _spellings() -> dict[str, tuple[str, ...]]:
    """Return every symbol and name by its lower case."""
    symbols: dict[str, tuple[str, ...]] = {}
    for word in (*(prefix + name for name in _PREFIXED for prefix in _PREFIXES), *_BARE):
        for form in (word, f"{word}s") if len(word) > 3 else (word,):
            symbols[form.lower()] = (*symbols.get(form.lower(), ()), word)
    return symbols


def _in_its_case(match: re.Match[str]) -> str:
    """Return a word in the case of the one unit that it can mean, else as it is."""
    word = match[0]
    candidates = _spellings().get(word.lower(), ())
    # One letter is too little to go by: M may be mega, or metres.
    if word in candidates or not candidates or len(word) == 1:
        return word
    # `Mpa` begins as MPa does; `mpa` and `MM` could be either.
    if len(candidates) > 1 and not (word.islower() or word.isupper()):
        candidates = tuple(item for item in candidates if item[0] == word[0])
    return candidates[0] if len(candidates) == 1 else word


def _is_harmless(expression: str) -> bool:
    """Whether only names, products, quotients and powers of one digit stand there."""
    remainder = _POWER.sub("", expression)
    return "**" not in remainder and _NAMES.fullmatch(remainder) is not None


def _arithmetic(unit: str) -> str:
    """Write products, quotients and powers the way pint reads them: ``N/mm²`` → ``N/mm**2``."""
    text = unit.strip().translate(_SUPERSCRIPTS).translate(_SIGNS).replace("%", "percent")
    return re.sub(r"(?<=[A-Za-z]) *\** *([+-]?[0-9]+)", r"**\1", text)
