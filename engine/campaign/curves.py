"""``[campaign.curves]``: how a lab reads its tensile curves, and the specimens it usually cuts.

>>> settings = CurveSettings.model_validate(
...     {"yield": "offset 2 %", "elastic_modulus": "steepest", "thickness": "80 µm"}
... )
>>> settings.definitions.yield_strength.text, settings.lengths_mm["thickness"]
('offset 2 %', 0.08)
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, Self

from pydantic import Field, model_validator

from engine.campaign.conditions import Frozen
from engine.campaign.curve_definitions import ALIASES, PROPERTIES, Definitions, parse_definitions
from engine.errors import SpinneretError, UsageError, nearest_name

# A table of its own, as campaigns are read by commands that have no time to load pint; the micro
# sign and the Greek letter are two characters.
_IN_MM = {"nm": 1e-6, "µm": 1e-3, "μm": 1e-3, "um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3,
          "in": 25.4, "inch": 25.4, '"': 25.4}  # fmt: skip
LENGTHS = ("width", "thickness", "gauge_length")
_LENGTH = re.compile(r"([+-]?\d*[.,]?\d+(?:[eE][+-]?\d+)?)\s*([^\W\d_]+|\")$")


class CurveSettings(Frozen):
    """Definitions of the five properties, the campaign's own names of them, the usual specimen.

    ``properties`` maps a property of the campaign to the one that a curve gives, where the names
    differ. Lengths are texts with their unit (``"80 µm"``); they stand where nobody else states a
    specimen's.
    """

    elastic_modulus: str = "usual"
    yield_strength: str = "usual"
    tangent_modulus: str = "usual"
    fracture_strength: str = "break"
    elongation: str = "break"
    toe_compensation: bool = True
    properties: dict[str, str] = Field(default_factory=dict)
    width: str | None = None
    thickness: str | None = None
    gauge_length: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _full_names(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        for key, name in ALIASES.items():
            if key in data and name in data:
                raise ValueError(f"'{key}' and '{name}' are one definition; keep one")
        return {ALIASES.get(key, key): value for key, value in data.items()}

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            _ = self.definitions, self.lengths_mm
        except SpinneretError as error:
            raise ValueError(str(error)) from None
        for mine, theirs in self.properties.items():
            if theirs not in PROPERTIES:
                raise ValueError(
                    f"curves: properties: '{mine}': expected one of {', '.join(PROPERTIES)}; got "
                    f"'{theirs}'.{nearest_name(theirs, PROPERTIES)}"
                )
        doubled = [name for name in PROPERTIES if list(self.properties.values()).count(name) > 1]
        if doubled:
            raise ValueError(f"curves: properties: '{doubled[0]}' is given to two properties")
        return self

    @cached_property
    def definitions(self) -> Definitions:
        """The definitions, read."""
        texts: dict[str, str | bool] = {name: getattr(self, name) for name in PROPERTIES}
        return parse_definitions({**texts, "toe_compensation": self.toe_compensation})

    @cached_property
    def lengths_mm(self) -> dict[str, float]:
        """The usual specimen's lengths in mm, of those that are given."""
        return {
            name: read_length(text, name)
            for name in LENGTHS
            if (text := getattr(self, name)) is not None
        }


def read_length(text: str, field: str) -> float:
    """Return a length in mm; its unit has to be there, as a thickness may be in µm or in mm.

    >>> read_length("0,08 mm", "thickness"), read_length("80 µm", "thickness")
    (0.08, 0.08)

    Raises:
        UsageError: no number with a unit of length, or none above 0.
    """
    match = _LENGTH.match(text.strip())
    expected = "expected a length with its unit, such as '5 mm' or '80 µm'"
    if match is None:
        raise UsageError(f"{expected}; got '{text}'", field=field)
    factor = _IN_MM.get(match[2])
    if factor is None:
        raise UsageError(f"{expected}; got '{text}'", field=field)
    length = float(match[1].replace(",", ".")) * factor
    if not 0 < length < 1e6:
        raise UsageError(f"{expected}, above 0; got '{text}'", field=field)
    return length
