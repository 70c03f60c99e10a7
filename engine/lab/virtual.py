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
from numpy.typing import ArrayLike

from engine.campaign import Campaign, Value
from engine.errors import DataError, UsageError
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
from engine.lab.protocol import LabResult, Picture
from engine.lab.render import render
from engine.settings import parse_campaign

NM_PER_PIXEL = 60.0
OLDER_SEED = 1987
_POSITIVE = ("flow_rate", "concentration", "voltage")
_NAMES = (*_POSITIVE, "collector_speed", "temperature", "humidity")


class VirtualLab:
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
            raise UsageError(f"expected variant standard or older, got '{variant}'")
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

    def run(
        self,
        conditions: Mapping[str, Value],
        ambient: Mapping[str, float],
        rng: np.random.Generator,
    ) -> LabResult:
        """Spin one mat, look at it and pull it in both directions.

        Raises:
            DataError: a parameter is missing or cannot be (a flow rate of 0).
        """
        drive = Drive.of(_checked({**conditions, **ambient}))
        mat = structure(drive, self.constants, lot=rng.standard_normal(4))
        failure = self._failure(drive, rng)
        factors = measurement_factors(self.constants, rng)
        picture_seed = int(rng.integers(2**63))
        if failure in ("no_jet", "drips"):
            return LabResult(failure=failure)

        def micrograph(shape: tuple[int, int]) -> Picture:
            generator = np.random.default_rng(picture_seed)
            return render(mat, generator, shape=shape, nm_per_pixel=NM_PER_PIXEL)

        outcomes = (
            {name: float(v) * factors[name] for name, v in self._ideal(drive, mat).items()}
            if failure is None
            else {}
        )
        return LabResult(outcomes, failure, micrograph, NM_PER_PIXEL)

    def truth(
        self, conditions: Mapping[str, Value], ambient: Mapping[str, float]
    ) -> dict[str, float]:
        """Return the ten outcomes of the mean lot without noise (their medians over many runs)."""
        columns = _checked({**conditions, **ambient})
        return {name: float(value) for name, value in self.truth_columns(columns).items()}

    def truth_columns(self, columns: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """Return the truth of many settings: columns by parameter, room included, in one shape."""
        drive = Drive.of(columns)
        return self._ideal(drive, structure(drive, self.constants))

    def microstructure(
        self, conditions: Mapping[str, Value], ambient: Mapping[str, float]
    ) -> Microstructure:
        """Return the mean lot's structure."""
        return structure(Drive.of(_checked({**conditions, **ambient})), self.constants)

    def failure_probability(
        self, conditions: Mapping[str, Value], ambient: Mapping[str, float]
    ) -> float:
        """Return the probability that a run gives no mat to pull."""
        drive = Drive.of(_checked({**conditions, **ambient}))
        mat = structure(drive, self.constants)
        odds = failure_probabilities(drive, mat, self.constants.failure)
        return 1.0 - float(np.prod([1.0 - p for p in odds.values()]))

    def _ideal(self, drive: Drive, mat: Microstructure) -> dict[str, Array]:
        return properties(drive, mat, self.constants)

    def _failure(self, drive: Drive, rng: np.random.Generator) -> str | None:
        mat = structure(drive, self.constants)
        odds = failure_probabilities(drive, mat, self.constants.failure)
        draws = rng.random(len(odds))
        for (kind, p), draw in zip(odds.items(), draws, strict=True):
            if draw < p:
                return kind
        return None


class OlderLab(VirtualLab):
    """The lab of the older campaign, as ``--lab`` can name it."""

    def __init__(self) -> None:
        super().__init__(variant="older")


@lru_cache(maxsize=1)
def nanofibre_campaign() -> Campaign:
    """Return the campaign of the nanofibre template."""
    text = files("engine").joinpath("templates/nanofibre.toml").read_text(encoding="utf-8")
    return parse_campaign(tomllib.loads(text)["campaign"], "templates/nanofibre.toml")


def _checked(conditions: Mapping[str, Value]) -> dict[str, float]:
    missing = [name for name in _NAMES if name not in conditions]
    if missing:
        raise DataError(f"the virtual lab needs {', '.join(_NAMES)}; missing: {', '.join(missing)}")
    values: dict[str, float] = {}
    for name in _NAMES:
        value = conditions[name]
        if isinstance(value, str) or not np.isfinite(value):
            raise DataError(f"the virtual lab needs a finite {name}, got {value!r}")
        if name in _POSITIVE and value <= 0:
            raise DataError(f"the virtual lab needs {name} above 0, got {value:g}")
        if name in ("collector_speed", "humidity") and value < 0:
            raise DataError(f"the virtual lab needs {name} of at least 0, got {value:g}")
        values[name] = float(value)
    return values
