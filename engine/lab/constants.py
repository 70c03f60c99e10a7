"""The virtual lab's numbers: a law for each part of the mat, fitted to the published table.

They were fitted by least squares to the logarithms of the ten outcomes of 200 electrospun membranes
(Wu et al., npj Comput. Mater. 11, 276 (2025)), with physical expectation as prior; the spreads to
what the fit left over and to the difference of the two directions at 0 rpm. ``engine.lab.physics``
says what each number does and in which unit it counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

_T = TypeVar("_T")


def _varies(value: float) -> Any:
    """Mark a sensitivity: a related lab has another one."""
    return field(default=value, metadata={"varies": True})


@dataclass(frozen=True)
class DiameterLaw:
    """Mean fibre diameter: a power law of the settings."""

    at_reference_nm: float = 620.0
    concentration: float = _varies(1.40)
    flow_rate: float = _varies(0.435)
    voltage: float = _varies(-0.038)
    humidity: float = _varies(-0.038)
    temperature: float = _varies(-0.061)
    speed: float = _varies(-0.092)
    lot: float = 0.126


@dataclass(frozen=True)
class SpreadLaw:
    """Coefficient of variation of the diameters: least where the jet is steady."""

    steady: float = 0.15
    rise: float = 0.30
    sharpness: float = 0.8
    voltage: float = _varies(-2.54)
    concentration: float = _varies(0.106)
    offset: float = 0.34
    turbulence: float = 0.25
    turbulent_rpm: float = 1750.0
    turbulent_width_rpm: float = 90.0


@dataclass(frozen=True)
class OrderLaw:
    """Orientation order: rises with collector speed and saturates."""

    at_rest: float = -0.076
    saturated: float = _varies(0.485)
    speed_rpm: float = 1261.0
    sharpness: float = 1.93
    concentration: float = _varies(-1.496)
    flow_rate: float = _varies(0.262)
    voltage: float = _varies(-1.475)
    humidity: float = _varies(0.123)
    temperature: float = _varies(-0.108)
    turbulence: float = 0.5
    spread: float = _varies(0.6)
    lot: float = 0.061


@dataclass(frozen=True)
class BeadLaw:
    """Share of the polymer in beads: thin solutions, fast flow."""

    onset_percent: float = 14.0
    flow_rate: float = _varies(1.6)
    width_percent: float = 0.9
    lot: float = 0.32


@dataclass(frozen=True)
class FusionLaw:
    """How far fibres stick together where they cross: wet arrival in a humid room."""

    gain: float = 3.0
    voltage: float = _varies(-1.5)
    humidity: float = _varies(0.378)
    offset: float = -0.3


@dataclass(frozen=True)
class PorosityLaw:
    """Share of air in the mat."""

    base: float = 0.80
    fusion: float = -0.10
    order: float = -0.12
    diameter: float = 0.03
    lot: float = 0.04


@dataclass(frozen=True)
class PropertyLaw:
    """One property: its value on the reference mat, exponents of the structure, spreads."""

    at_reference: float
    alignment: float = _varies(0.0)
    diameter: float = _varies(0.0)
    concentration: float = _varies(0.0)
    solidity: float = _varies(0.0)
    beads: float = _varies(0.0)
    spread: float = _varies(0.0)
    fusion: float = _varies(0.0)
    fusion_across: float = _varies(0.0)
    draw: float = _varies(0.0)
    lot: float = 0.0
    specimen: tuple[float, float] = (0.0, 0.0)
    single: float = 0.0


@dataclass(frozen=True)
class FailureLaw:
    """Log-odds that the jet does not hold: ``gain · (what drives it − onset)``."""

    beads_gain: float = 25.0
    beads_onset: float = 0.30
    drips_gain: float = 9.0
    drips_onset: float = 0.90
    drips_voltage: float = 1.3
    drips_humidity: float = 0.10
    no_jet_gain: float = 14.0
    no_jet_onset: float = 0.60
    no_jet_flow_rate: float = 0.3


@dataclass(frozen=True)
class RoomLaw:
    """The room, day by day: normal, cut at what was ever seen."""

    temperature_mean: float = 21.5
    temperature_sd: float = 2.0
    temperature_range: tuple[float, float] = (18.0, 28.0)
    humidity_mean: float = 52.0
    humidity_sd: float = 12.0
    humidity_range: tuple[float, float] = (15.0, 80.0)


def _properties() -> Mapping[str, PropertyLaw]:
    return MappingProxyType(
        {
            "fracture_strength": PropertyLaw(
                9.58, 0.980, -0.092, -0.898, 0.588, 0.942, 1.430, 0.101, 0.041, -0.018,
                lot=0.147, specimen=(0.135, 0.094), single=0.058,
            ),
            "yield_strength": PropertyLaw(
                3.60, 1.26, -0.763, 0.904, 0.816, 0.894, 1.031, 0.014, -0.031, 0.145,
                lot=0.101, specimen=(0.214, 0.105), single=0.139,
            ),
            "elastic_modulus": PropertyLaw(
                0.311, 1.316, -0.847, 1.463, 0.723, 0.466, 0.129, -0.115, -0.008, 0.034,
                lot=0.090, specimen=(0.180, 0.100), single=0.042,
            ),
            "tangent_modulus": PropertyLaw(
                0.0806, 1.40, -1.071, -0.910, 0.935, 0.992, 0.724, 0.128, 0.0, 0.198,
                lot=-0.023, specimen=(0.285, 0.021), single=0.072,
            ),
            "elongation": PropertyLaw(
                108.2, -0.514, 1.178, -1.269, -0.140, 1.911, 1.317, -0.032, 0.044, -0.139,
                lot=0.154, specimen=(-0.075, 0.035), single=0.022,
            ),
        }
    )  # fmt: skip


@dataclass(frozen=True)
class LabConstants:
    """Everything that makes one virtual lab differ from another."""

    diameter: DiameterLaw = DiameterLaw()
    spread: SpreadLaw = SpreadLaw()
    order: OrderLaw = OrderLaw()
    beads: BeadLaw = BeadLaw()
    fusion: FusionLaw = FusionLaw()
    porosity: PorosityLaw = PorosityLaw()
    failure: FailureLaw = FailureLaw()
    room: RoomLaw = RoomLaw()
    properties: Mapping[str, PropertyLaw] = field(default_factory=_properties)

    def perturbed(self, rng: np.random.Generator, spread: float = 0.3) -> LabConstants:
        """Return a related lab: every sensitivity × (1 + ``spread`` · N(0, 1)), levels ± 10 %."""
        changed: dict[str, Any] = {
            law.name: _perturb(getattr(self, law.name), rng, spread)
            for law in fields(self)
            if is_dataclass(getattr(self, law.name))
        }
        changed["properties"] = MappingProxyType(
            {
                name: replace(
                    _perturb(law, rng, spread),
                    at_reference=law.at_reference * float(np.exp(0.1 * rng.standard_normal())),
                )
                for name, law in self.properties.items()
            }
        )
        return replace(self, **changed)


def _perturb(law: _T, rng: np.random.Generator, spread: float) -> _T:
    changed = {
        item.name: getattr(law, item.name) * (1.0 + spread * float(rng.standard_normal()))
        for item in fields(law)  # type: ignore[arg-type]
        if item.metadata.get("varies")
    }
    return replace(law, **changed)  # type: ignore[type-var]
