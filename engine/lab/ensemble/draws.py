"""Random draws of constants, and the same constants once more, a little different.

A law is a frozen dataclass. A field of type :data:`Sensitivity` changes by tens of per cent from a
lab to a related one, a :data:`Level` by about ten, any other not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar, get_type_hints

import numpy as np

_T = TypeVar("_T")

LEVEL_SPREAD = 0.1

Sensitivity = Annotated[float, "sensitivity"]
"""How strongly, and which way, something works."""

Level = Annotated[float, "level"]
"""A positive number that only sets a level or a scale."""


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw evenly between ``low`` and ``high``."""
    return float(rng.uniform(low, high))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw evenly in the logarithm, between positive ``low`` and ``high``."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def normal(
    rng: np.random.Generator, mean: float, sd: float, low: float = -np.inf, high: float = np.inf
) -> float:
    """Draw from N(mean, sd²), cut at ``low`` and ``high``."""
    return float(np.clip(rng.normal(mean, sd), low, high))


def pick(rng: np.random.Generator, forms: Sequence[str]) -> str:
    """Draw one of several functional forms."""
    return forms[int(rng.integers(len(forms)))]


def perturbed(law: _T, rng: np.random.Generator, spread: float) -> _T:
    """Return ``law`` with sensitivities × (1 + spread · N(0, 1)) and levels × e^(0.1 N(0, 1))."""
    changed: dict[str, Any] = {}
    for name, hint in get_type_hints(type(law), include_extras=True).items():
        if hint == Sensitivity:
            factor = 1.0 + spread * float(rng.standard_normal())
        elif hint == Level:
            factor = float(np.exp(LEVEL_SPREAD * rng.standard_normal()))
        else:
            continue
        changed[name] = getattr(law, name) * factor
    return replace(law, **changed)  # type: ignore[type-var]
