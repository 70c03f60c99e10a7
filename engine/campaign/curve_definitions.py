"""How a lab defines the five properties, as words in its configuration.

>>> parse_definitions({"elastic_modulus": "steepest", "yield": "offset 2 %"}).yield_strength.text
'offset 2 %'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from engine.errors import ConfigError, nearest_name

PropertyName = Literal[
    "elastic_modulus", "yield_strength", "tangent_modulus", "fracture_strength", "elongation"
]
PROPERTIES: tuple[PropertyName, ...] = (
    "fracture_strength", "yield_strength", "elastic_modulus", "tangent_modulus", "elongation",
)  # fmt: skip

UNITS: dict[PropertyName, str] = {
    "fracture_strength": "MPa",
    "yield_strength": "MPa",
    "elastic_modulus": "MPa",
    "tangent_modulus": "MPa",
    "elongation": "%",
}
"""What a curve gives each in."""

_NUMBER = r"(\d+(?:\.\d+)?)\s*%"
_PERCENTS = re.compile(rf"(offset|secant)\s+{_NUMBER}$")
_WINDOW = re.compile(rf"{_NUMBER}\s*(?:to|…|\.\.\.|-|–)\s*{_NUMBER}$")
ALIASES = {"yield": "yield_strength", "modulus": "elastic_modulus", "tangent": "tangent_modulus",
            "fracture": "fracture_strength"}  # fmt: skip
_KINDS: dict[str, tuple[tuple[str, ...], str]] = {
    "elastic_modulus": (
        ("usual", "iso", "steepest", "initial", "secant", "window"),
        "usual, iso, steepest, initial, secant 100 %, or a window of strain such as 0.1 % to 0.5 %",
    ),
    "yield_strength": (
        ("usual", "first maximum", "offset", "knee", "none"),
        "usual, first maximum, offset 2 %, knee or none",
    ),
    "tangent_modulus": (
        ("usual", "window"),
        "usual (20 to 80 % of the way from yield to maximum), or a window of strain such as "
        "50 % to 150 %",
    ),
    "fracture_strength": (("break", "maximum"), "break or maximum"),
    "elongation": (("break", "maximum"), "break or maximum"),
}


@dataclass(frozen=True)
class Rule:
    """One property's definition: its kind and, where it has them, its strains as ratios."""

    kind: str
    strains: tuple[float, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Definitions:
    """How each property is read off a curve."""

    elastic_modulus: Rule = Rule("usual", text="usual")
    yield_strength: Rule = Rule("usual", text="usual")
    tangent_modulus: Rule = Rule("usual", text="usual")
    fracture_strength: Rule = Rule("break", text="break")
    elongation: Rule = Rule("break", text="break")
    toe_compensation: bool = True

    def as_texts(self) -> dict[str, str]:
        """Return the definitions as they stand in a configuration."""
        texts: dict[str, str] = {name: getattr(self, name).text for name in PROPERTIES}
        return {**texts, "toe_compensation": "yes" if self.toe_compensation else "no"}


def parse_definitions(texts: Mapping[str, str | bool]) -> Definitions:
    """Read the words of a configuration.

    Raises:
        ConfigError: a property that no curve has, or a definition that nobody knows.
    """
    values: dict[str, Rule | bool] = {}
    names = [field.name for field in fields(Definitions)]
    for key, text in texts.items():
        name = ALIASES.get(key, key)
        if name not in names:
            raise ConfigError(
                f"curves: expected a definition of {', '.join(names)}; got '{key}'."
                f"{nearest_name(key, [*names, *ALIASES])}"
            )
        if name == "toe_compensation":
            values[name] = _truth(text)
        else:
            values[name] = parse_rule(name, str(text))
    return Definitions(**values)  # type: ignore[arg-type]


def parse_rule(name: str, text: str) -> Rule:
    """Read the definition of one property.

    Raises:
        ConfigError: nobody knows it.
    """
    phrase = " ".join(text.split()).casefold()
    kinds, expected = _KINDS[name]
    percents, window = _PERCENTS.match(phrase), _WINDOW.match(phrase)
    rule = Rule(phrase, text=phrase)
    if percents is not None:
        rule = Rule(percents[1], (float(percents[2]) / 100,), phrase)
    elif window is not None:
        rule = Rule("window", (float(window[1]) / 100, float(window[2]) / 100), phrase)
    is_empty = any(strain <= 0 for strain in rule.strains[-1:]) or (
        len(rule.strains) == 2 and rule.strains[0] >= rule.strains[1]
    )
    needs = rule.kind in ("offset", "secant", "window") and not rule.strains
    if rule.kind not in kinds or is_empty or needs:
        raise ConfigError(f"curves: {name}: expected {expected}; got '{text}'")
    return rule


def _truth(text: str | bool) -> bool:
    if isinstance(text, bool):
        return text
    if text.casefold() in ("yes", "true", "on"):
        return True
    if text.casefold() in ("no", "false", "off"):
        return False
    raise ConfigError(f"curves: toe_compensation: expected true or false; got '{text}'")
