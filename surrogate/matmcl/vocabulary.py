"""What a model understands: its parameters, how each is scaled, and its outcomes. Plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from surrogate.errors import InputError


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter and its scale: z = (u − centre) / scale, u = ln v if ``log``, else v.

    Attributes:
        name: the parameter's name in every campaign that the model knows.
        unit: label of the unit that ``centre`` and ``scale`` belong to (before the logarithm).
        log: whether the logarithm is taken; for quantities that spread over orders of magnitude.
        centre, scale: location and spread over the data that the model was made for; scale > 0.
    """

    name: str
    unit: str
    log: bool
    centre: float
    scale: float

    def __post_init__(self) -> None:
        if not self.name:
            raise InputError("a parameter of a vocabulary has no name; give it one")
        if not math.isfinite(self.centre) or not math.isfinite(self.scale) or self.scale <= 0:
            raise InputError(
                f"{self.name}: expected a finite centre and a scale above 0, "
                f"got {self.centre} and {self.scale}"
            )


@dataclass(frozen=True)
class Vocabulary:
    """The p parameters and m outcomes of a model, in the order of its tensors."""

    parameters: tuple[ParameterSpec, ...]
    outcomes: tuple[str, ...]

    def __post_init__(self) -> None:
        for kind, names in (("parameter", self.names), ("outcome", self.outcomes)):
            if not names:
                raise InputError(f"a vocabulary needs at least one {kind}, got none")
            if len(set(names)) < len(names):
                raise InputError(f"expected each {kind} once, got {', '.join(names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(spec.name for spec in self.parameters)

    @property
    def directions(self) -> tuple[str, ...]:
        """The directions that outcomes name after a dot, in order; "" for outcomes without."""
        return tuple(sorted({name.partition(".")[2] for name in self.outcomes}))

    def to_dict(self) -> dict[str, Any]:
        """Return what :meth:`from_dict` reads, in JSON's types."""
        return {
            "parameters": [asdict(spec) for spec in self.parameters],
            "outcomes": list(self.outcomes),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Vocabulary:
        """Read what :meth:`to_dict` wrote.

        Raises:
            InputError: a key is unknown, missing or of another type.
        """
        try:
            _exactly(document, {"parameters", "outcomes"}, "vocabulary")
            specs = tuple(_spec(entry) for entry in document["parameters"])
            return cls(specs, tuple(str(name) for name in document["outcomes"]))
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(f"the vocabulary cannot be read: {error}") from error


def _spec(entry: Mapping[str, Any]) -> ParameterSpec:
    _exactly(entry, set(ParameterSpec.__annotations__), "parameter")
    return ParameterSpec(
        name=str(entry["name"]),
        unit=str(entry["unit"]),
        log=bool(entry["log"]),
        centre=float(entry["centre"]),
        scale=float(entry["scale"]),
    )


def _exactly(document: Mapping[str, Any], keys: set[str], kind: str) -> None:
    if set(document.keys()) != keys:
        raise InputError(f"{kind}: expected the keys {sorted(keys)}, got {sorted(document)}")
