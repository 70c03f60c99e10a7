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


@cache
def base_words() -> Words:
    """Return the starter's vocabulary."""
    # The card alone: `engine source add` needs words, and no weights.
    document = json.loads(CARD.read_text(encoding="utf-8"))["vocabulary"]
    return Words(
        tuple(Spec(**entry) for entry in document["parameters"]), tuple(document["outcomes"])
    )
