"""A simulated electrospinning lab with a known truth.

Use it to try the engine without a spinneret, to compare strategies, and as a source of older data.
Trends, levels and noise follow the published table of 200 membranes; :mod:`engine.lab.physics`
holds the equations, :mod:`engine.lab.constants` the numbers.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Literal

import numpy as np

from engine.campaign import Campaign
from engine.errors import UsageError
from engine.lab.constants import LabConstants
from engine.lab.physics import (
    Array,
    Drive,
    Microstructure,
    failure_probabilities,
    measurement_factors,
    properties,
    structure,
)
from engine.lab.spinning import SpinningLab
from engine.workspace.settings import parse_campaign

# A stream of its own: the lab's seed alone would share its draws with the runs'.
OLDER_SEED = 1987


class VirtualLab(SpinningLab):
    """Conditions and room → hidden microstructure → micrograph and ten outcomes, with noise.

    ``variant="older"`` is another lab of the same kind: every sensitivity differs by about 30 %,
    levels by about 10 %; ``seed`` chooses which. Constants of your own win over the variant.

    Raises:
        UsageError: an unknown variant.
    """

    def __init__(
        self,
        seed: int = 0,
        variant: Literal["standard", "older"] = "standard",
        constants: LabConstants | None = None,
    ) -> None:
        if variant not in ("standard", "older"):
            raise UsageError(f"expected standard or older, got '{variant}'", field="variant")
        self.constants = constants or LabConstants()
        if constants is None and variant == "older":
            self.constants = LabConstants().perturbed(np.random.default_rng([OLDER_SEED, seed]))
        self.variant = variant

    @property
    def campaign(self) -> Campaign:
        """The nanofibre template's campaign."""
        return nanofibre_campaign()

    @property
    def reference_ambient(self) -> dict[str, float]:
        """The room in which benchmarks judge settings: a mean day."""
        room = self.constants.room
        return {"temperature": room.temperature_mean, "humidity": room.humidity_mean}

    def room(self, rng: np.random.Generator) -> dict[str, float]:
        """Return today's temperature [°C] and relative humidity [%], as read off an instrument."""
        law = self.constants.room
        temperature = rng.normal(law.temperature_mean, law.temperature_sd)
        humidity = rng.normal(law.humidity_mean, law.humidity_sd)
        return {
            "temperature": round(float(np.clip(temperature, *law.temperature_range)), 1),
            "humidity": round(float(np.clip(humidity, *law.humidity_range)), 1),
        }

    def _structure(self, columns: Mapping[str, Array], lot: Array) -> Microstructure:
        return structure(Drive.of(columns), self.constants, lot=lot)

    def _ideal(self, columns: Mapping[str, Array], mat: Microstructure) -> dict[str, Array]:
        return properties(Drive.of(columns), mat, self.constants)

    def _failures(self, columns: Mapping[str, Array], mat: Microstructure) -> dict[str, Array]:
        return failure_probabilities(Drive.of(columns), mat, self.constants.failure)

    def _factors(self, rng: np.random.Generator) -> dict[str, float]:
        return measurement_factors(self.constants, rng)


class OlderLab(VirtualLab):
    """The lab of the older campaign, as ``--lab`` can name it."""

    def __init__(self) -> None:
        super().__init__(variant="older")


@lru_cache(maxsize=1)
def nanofibre_campaign() -> Campaign:
    """Return the campaign of the nanofibre template."""
    text = files("engine").joinpath("templates/nanofibre.toml").read_text(encoding="utf-8")
    return parse_campaign(tomllib.loads(text)["campaign"], "templates/nanofibre.toml")
