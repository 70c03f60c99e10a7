"""From settings and room to the mat's structure, from the structure to ten outcomes.

Notation (arrays of one shape ``(...)`` throughout; logarithms count from the middle of the design):

==========  =======================================================================
lf          ln(flow rate / 0.4 mL/h)
lc          ln(concentration / 19 %)
lv          ln(voltage / 19 kV)
hw, ht      (humidity − 52 %) / 10, (temperature − 21.5 °C) / 10
r           collector speed [rpm]; u = r / 1600
e0 … e3     what differs from lot to lot, N(0, 1): diameter, order, beads, porosity
d           mean fibre diameter [nm]; ld = ln(d / its reference)
cv          coefficient of variation of the diameters
tb          turbulence about a fast collector, σ((r − 1750)/90)
S           orientation order ⟨cos 2θ⟩, θ from the direction of rotation; < 0: across it
b, fu, φ    share in beads, fusion at crossings, porosity
η           alignment gain of a direction, (3/8 ± S/2 + S⁴/8) / (3/8): moments of ⟨cos⁴θ⟩
q           draw of the fibres by the collector: u along, −0.3 u across
==========  =======================================================================

Laws, with the constants of :mod:`engine.lab.constants`::

    ld    = a·(lc, lf, lv, hw, ht, u) + σ e0
    cv    = steady + rise (1 − exp(−sharpness · i²)) + turbulence · tb
    i     = lf + a·(lv, lc) + offset
    S     = S₀ + (S₁ − S₀) (1 − exp(−(r/r₁)^p)) exp(a·(lc, lf, lv, hw, ht)) k + σ e1
    k     = (1 − tb/2) (1 − a(cv − steady))
    b     = σ((onset + a·lf + σ e2 − c) / width)
    φ     = base + a·(fu, S, ld) + σ e3,   fu = σ(gain (lf + a·(lv, hw) + offset))
    ln y  = ln y₀ + k·(ln η, ld, lc, ln((1−φ)/0.25), ln(1−0.6b), ln(1−0.8(cv−steady)), fu, q)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.lab.constants import FailureLaw, LabConstants, PropertyLaw

Array = NDArray[np.float64]

FLOW_RATE_ML_H, CONCENTRATION_PERCENT, VOLTAGE_KV = 0.4, 19.0, 19.0
HUMIDITY_PERCENT, TEMPERATURE_C, SPEED_RPM = 52.0, 21.5, 1600.0
# Share of fibres in the reference mat.
SOLIDITY = 0.25
DIRECTIONS = {"longitudinal": 1.0, "transverse": -1.0}
ORDER_RANGE = (-0.3, 0.72)
POROSITY_RANGE = (0.30, 0.95)
BEAD_WEAKNESS, SPREAD_WEAKNESS, CROSS_DRAW = 0.6, 0.8, -0.3


@dataclass(frozen=True)
class Microstructure:
    """The hidden mat; every field has the shape of the settings."""

    diameter_nm: Array
    diameter_cv: Array
    order: Array
    porosity: Array
    bead_fraction: Array
    fusion: Array


@dataclass(frozen=True)
class Drive:
    """Settings and room as the laws count them (see the notation)."""

    lf: Array
    lc: Array
    lv: Array
    hw: Array
    ht: Array
    r: Array
    concentration: Array

    @classmethod
    def of(cls, columns: Mapping[str, ArrayLike]) -> Drive:
        """Read columns in raw units: mL/h, %, kV, rpm, °C, % relative humidity."""
        column = {name: np.asarray(value, dtype=np.float64) for name, value in columns.items()}
        return cls(
            lf=np.log(column["flow_rate"] / FLOW_RATE_ML_H),
            lc=np.log(column["concentration"] / CONCENTRATION_PERCENT),
            lv=np.log(column["voltage"] / VOLTAGE_KV),
            hw=(column["humidity"] - HUMIDITY_PERCENT) / 10.0,
            ht=(column["temperature"] - TEMPERATURE_C) / 10.0,
            r=column["collector_speed"],
            concentration=column["concentration"],
        )


def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def structure(drive: Drive, constants: LabConstants, lot: Array | None = None) -> Microstructure:
    """Return the mat's structure; ``lot``: (4, ...) of e0 … e3, zero without."""
    e = np.zeros(4) if lot is None else lot
    ld = _log_diameter(drive, constants) + constants.diameter.lot * e[0]
    cv, tb = _spread(drive, constants)
    order = _order(drive, constants, cv, tb) + constants.order.lot * e[1]
    order = np.clip(order, *ORDER_RANGE)
    bead, fuse, air = constants.beads, constants.fusion, constants.porosity
    thin = bead.onset_percent + bead.flow_rate * drive.lf + bead.lot * e[2] - drive.concentration
    wet = drive.lf + fuse.voltage * drive.lv + fuse.humidity * drive.hw + fuse.offset
    fusion = sigmoid(fuse.gain * wet)
    porosity = air.base + air.fusion * fusion + air.order * order + air.diameter * ld
    return Microstructure(
        diameter_nm=constants.diameter.at_reference_nm * np.exp(ld),
        diameter_cv=cv,
        order=order,
        porosity=np.clip(porosity + air.lot * e[3], *POROSITY_RANGE),
        bead_fraction=sigmoid(thin / bead.width_percent),
        fusion=fusion,
    )


def _log_diameter(drive: Drive, constants: LabConstants) -> Array:
    law = constants.diameter
    return np.asarray(
        law.concentration * drive.lc
        + law.flow_rate * drive.lf
        + law.voltage * drive.lv
        + law.humidity * drive.hw
        + law.temperature * drive.ht
        + law.speed * drive.r / SPEED_RPM
    )


def _spread(drive: Drive, constants: LabConstants) -> tuple[Array, Array]:
    """Return (coefficient of variation, turbulence)."""
    law = constants.spread
    turbulence = sigmoid((drive.r - law.turbulent_rpm) / law.turbulent_width_rpm)
    whipping = drive.lf + law.voltage * drive.lv + law.concentration * drive.lc + law.offset
    unsteady = 1.0 - np.exp(-law.sharpness * whipping**2)
    return law.steady + law.rise * unsteady + law.turbulence * turbulence, turbulence


def _order(drive: Drive, constants: LabConstants, cv: Array, turbulence: Array) -> Array:
    law = constants.order
    wound = 1.0 - np.exp(-((drive.r / law.speed_rpm) ** law.sharpness))
    jet = np.exp(
        law.concentration * drive.lc
        + law.flow_rate * drive.lf
        + law.voltage * drive.lv
        + law.humidity * drive.hw
        + law.temperature * drive.ht
    )
    order_share = (1.0 - law.turbulence * turbulence) * (
        1.0 - law.spread * (cv - constants.spread.steady)
    )
    return np.asarray(law.at_rest + (law.saturated - law.at_rest) * wound * jet * order_share)


def properties(drive: Drive, mat: Microstructure, constants: LabConstants) -> dict[str, Array]:
    """Return every outcome without measurement noise, ``property.direction`` → (...)."""
    return {
        f"{name}.{direction}": np.exp(_log_property(law, drive, mat, constants, sign))
        for name, law in constants.properties.items()
        for direction, sign in DIRECTIONS.items()
    }


def _log_property(
    law: PropertyLaw, drive: Drive, mat: Microstructure, constants: LabConstants, sign: float
) -> Array:
    alignment = (3 / 8 + sign * mat.order / 2 + mat.order**4 / 8) / (3 / 8)
    draw = drive.r / SPEED_RPM * (1.0 if sign > 0 else CROSS_DRAW)
    uneven = SPREAD_WEAKNESS * (mat.diameter_cv - constants.spread.steady)
    fusion = law.fusion + (law.fusion_across if sign < 0 else 0.0)
    return np.asarray(
        np.log(law.at_reference)
        + law.alignment * np.log(alignment)
        + law.diameter * np.log(mat.diameter_nm / constants.diameter.at_reference_nm)
        + law.concentration * drive.lc
        + law.solidity * np.log((1.0 - mat.porosity) / SOLIDITY)
        + law.beads * np.log(1.0 - BEAD_WEAKNESS * mat.bead_fraction)
        + law.spread * np.log(1.0 - uneven)
        + fusion * mat.fusion
        + law.draw * draw
    )


def failure_probabilities(drive: Drive, mat: Microstructure, law: FailureLaw) -> dict[str, Array]:
    """Return the probability of each kind of failure, independent of the others."""
    weeping = drive.lf - law.drips_voltage * drive.lv + law.drips_humidity * drive.hw
    stiff = drive.lc - drive.lv - law.no_jet_flow_rate * drive.lf
    return {
        "no_jet": sigmoid(law.no_jet_gain * (stiff - law.no_jet_onset)),
        "drips": sigmoid(law.drips_gain * (weeping - law.drips_onset)),
        "beads": sigmoid(law.beads_gain * (mat.bead_fraction - law.beads_onset)),
    }


def measurement_factors(constants: LabConstants, rng: np.random.Generator) -> dict[str, float]:
    """Draw the factor by which each outcome's measurement is off in one run.

    Logarithms: one lot factor for both directions, two specimen factors for each direction (its
    thickness and grip move stress and stiffness together), and one draw for each outcome.
    """
    common = rng.standard_normal()
    specimens: dict[str, Any] = {name: rng.standard_normal(2) for name in DIRECTIONS}
    return {
        f"{name}.{direction}": float(
            np.exp(
                law.lot * common
                + np.dot(law.specimen, specimens[direction])
                + law.single * rng.standard_normal()
            )
        )
        for name, law in constants.properties.items()
        for direction in DIRECTIONS
    }
