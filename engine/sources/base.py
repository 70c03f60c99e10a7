"""The words of the starter model, read without loading a numerical library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CARD = Path(__file__).parent / "starter" / "matmcl.json"


@dataclass(frozen=True)
class Spec:
    """One parameter of a vocabulary and its scale (:class:`surrogate.matmcl.vocabulary`)."""

    name: str
    unit: str
    log: bool
    centre: float
    scale: float


@dataclass(frozen=True)
class Words:
    """A vocabulary as plain data."""

    parameters: tuple[Spec, ...]
    outcomes: tuple[str, ...]


_PARAMETERS = (
    Spec("flow_rate", "mL/h", True, -0.7, 0.8),
    Spec("concentration", "%", True, 2.7, 0.45),
    Spec("voltage", "kV", True, 2.85, 0.3),
    Spec("distance", "cm", True, 2.6, 0.3),
    Spec("collector_speed", "rpm", False, 800.0, 800.0),
    Spec("temperature", "°C", False, 22.5, 3.0),
    Spec("humidity", "%", False, 45.0, 15.0),
)
_PROPERTIES = (
    "fracture_strength", "yield_strength", "elastic_modulus", "tangent_modulus", "elongation",
)  # fmt: skip
_OUTCOMES = (
    *(f"{name}.{way}" for name in _PROPERTIES for way in ("longitudinal", "transverse")),
    "fibre_diameter", "order_parameter", "porosity", "bead_fraction",
)  # fmt: skip


@cache
def base_words() -> Words:
    """Return the starter's vocabulary; where there is no starter, what a starter would know."""
    if not CARD.is_file():
        return Words(_PARAMETERS, _OUTCOMES)
    document = json.loads(CARD.read_text(encoding="utf-8"))["vocabulary"]
    return Words(
        tuple(Spec(**entry) for entry in document["parameters"]), tuple(document["outcomes"])
    )
