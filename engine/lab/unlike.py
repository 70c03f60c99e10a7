"""A lab whose truth has another form than the virtual lab's: to test what a source is worth there.

Same campaign, rooms and measurement noise as :class:`~engine.lab.virtual.VirtualLab`, and nothing
else in common: the viscosity is exponential in concentration, regimes change in steps, two
interactions hold that no power law has, and a mat carries load as bundles of two populations of
fibres. Written before any ensemble of simulated labs, and not changed since.

Notation: f flow rate [mL/h], c concentration [%], V voltage [kV], w humidity [%], T temperature
[K], r collector speed [rpm]; σ(x) = 1 / (1 + e⁻ˣ); e0 … e3 lot draws; index L, T: along, across.

Jet::

    ln η  = ln c + K c + E (1/T − 1/T₀)                     Martin (1942), Arrhenius
    V'    = V (1 − 0.40 σ((w − 64)/5 + (V − 20.5)/1.2))     high voltage leaks in humid air
    n     = 1 + 1.5 σ((V' − 16.4 − 11 f)/0.35)              cone-jet to multi-jet: a step
    d²    = d_e² + d_v²,  d_e ∝ ((f/n)^½ / V')^⅔,  d_v ∝ η^0.4 f^¼   charge- and viscosity-limited
    m     = σ(4 (g − 1)),  g = 0.55 f/0.4 (1 + 0.9 (r/1200)²) e^(0.22 (w−52)/10 − …)   arrives wet

Mat: a share ``a`` of the fibres lies along the rotation, once the collector outruns the jet, the
rest anyhow; ``p_L = a + 0.45 (1 − a)`` and ``p_T = 0.45 (1 − a)`` carry load in a direction.
A fibre is a soft core in a stiff skin of share h = 1 − (1 − 2δ/d)². Strength: a Daniels bundle of
Weibull fibres, (m e)^(−1/m) (d₀/d)^(2/m), whose load must percolate through the bonds, x/(x + x_c).
Elongation: ductility of the core plus straightening of the fibres that do not lie along the load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.campaign import Campaign
from engine.lab.constants import LabConstants
from engine.lab.physics import Array, Microstructure, measurement_factors, sigmoid
from engine.lab.spinning import SpinningLab
from engine.lab.virtual import VirtualLab, nanofibre_campaign

# 294.65 K are the 21.5 °C of the virtual lab's mean day.
MARTIN_PER_PERCENT, ARRHENIUS_K, T_REFERENCE_K = 0.175, 2500.0, 294.65
REFERENCE_NM = 610.0
ISOTROPIC_SHARE, PERCOLATION = 0.45, 0.15
SKIN_NM = 70.0


@dataclass(frozen=True)
class _Jet:
    """What the jet is like, each in the shape of the settings."""

    log_viscosity: Array
    voltage: Array  # effective, kV
    leak: Array
    multi: Array
    pulsing: Array
    wet: Array
    diameter_nm: Array
    landing_rpm: Array


class UnlikeLab(SpinningLab):
    """The nanofibre campaign on a spinneret of another physics."""

    def __init__(self) -> None:
        self._constants = LabConstants()  # its rooms and measurement noise only
        self._kin = VirtualLab(constants=self._constants)

    @property
    def campaign(self) -> Campaign:
        """The nanofibre template's campaign."""
        return nanofibre_campaign()

    @property
    def reference_ambient(self) -> dict[str, float]:
        """The room in which benchmarks judge settings: a mean day."""
        return self._kin.reference_ambient

    def room(self, rng: np.random.Generator) -> dict[str, float]:
        """Return today's temperature [°C] and relative humidity [%]."""
        return self._kin.room(rng)

    def _structure(self, columns: Mapping[str, Array], lot: Array) -> Microstructure:
        e = np.asarray(lot)
        jet = _jet(columns)
        diameter = jet.diameter_nm * np.exp(0.11 * e[0])
        overspeed = sigmoid((columns["collector_speed"] - 2.2 * jet.landing_rpm) / 80.0)
        aligned = _aligned(columns, jet, overspeed)
        order = np.clip(0.85 * aligned - 0.03 + 0.06 * e[1], -0.3, 0.8)
        flow = np.log(columns["flow_rate"] / 0.4)
        thin = _log_viscosity(14.3, T_REFERENCE_K) - jet.log_viscosity + 0.8 * flow
        porosity = 0.83 - 0.10 * jet.wet - 0.09 * aligned
        porosity = porosity + 0.04 * np.tanh((diameter - REFERENCE_NM) / 250.0) + 0.02 * e[3]
        cv = 0.14 + 0.10 * jet.multi + 0.50 * jet.leak + 0.18 * jet.pulsing + 0.15 * overspeed
        return Microstructure(
            diameter_nm=diameter,
            diameter_cv=cv,
            order=order,
            porosity=np.clip(porosity, 0.3, 0.95),
            bead_fraction=sigmoid((thin + 0.25 * e[2]) / 0.25),
            fusion=jet.wet,
        )

    def _ideal(self, columns: Mapping[str, Array], mat: Microstructure) -> dict[str, Array]:
        aligned = np.clip((mat.order + 0.03) / 0.85, -0.2, 0.9)
        jet = _jet(columns)
        share = {
            "longitudinal": ISOTROPIC_SHARE + (1.0 - ISOTROPIC_SHARE) * aligned,
            "transverse": ISOTROPIC_SHARE * (1.0 - aligned),
        }
        stretch = sigmoid((columns["collector_speed"] - jet.landing_rpm) / 200.0)
        outcomes: dict[str, Array] = {}
        for direction, p in share.items():
            drawn = stretch if direction == "longitudinal" else np.zeros_like(stretch)
            for name, value in _pull(mat, p, drawn).items():
                outcomes[f"{name}.{direction}"] = value
        return {name: outcomes[name] for name in self.campaign.outcomes}

    def _failures(self, columns: Mapping[str, Array], mat: Microstructure) -> dict[str, Array]:
        jet = _jet(columns)
        lacking = _onset_kv(columns, jet.log_viscosity) - jet.voltage
        clogged = jet.log_viscosity - _log_viscosity(24.5, T_REFERENCE_K)
        return {
            "no_jet": sigmoid(6.0 * clogged + 0.8 * (17.0 - jet.voltage) - 3.0),
            "drips": sigmoid(1.6 * (lacking - 2.2)),
            "beads": sigmoid(20.0 * (mat.bead_fraction - 0.35)),
        }

    def _factors(self, rng: np.random.Generator) -> dict[str, float]:
        return measurement_factors(self._constants, rng)


def _log_viscosity(concentration: Array | float, kelvin: Array | float) -> Array:
    heat = ARRHENIUS_K * (1.0 / np.asarray(kelvin) - 1.0 / T_REFERENCE_K)
    return np.asarray(np.log(concentration) + MARTIN_PER_PERCENT * concentration + heat)


def _onset_kv(columns: Mapping[str, Array], log_viscosity: Array) -> Array:
    """Return the voltage below which the jet pulses: more flow, more to carry."""
    thick = log_viscosity - _log_viscosity(19.0, T_REFERENCE_K)
    return np.asarray(11.5 + 8.0 * columns["flow_rate"] + 1.5 * thick)


def _jet(columns: Mapping[str, Array]) -> _Jet:
    flow, volts, speed = columns["flow_rate"], columns["voltage"], columns["collector_speed"]
    humid = (columns["humidity"] - 52.0) / 10.0
    warm = (columns["temperature"] - 21.5) / 10.0
    viscosity = _log_viscosity(columns["concentration"], columns["temperature"] + 273.15)
    leak = 0.40 * sigmoid((columns["humidity"] - 64.0) / 5.0 + (volts - 20.5) / 1.2)
    effective = volts * (1.0 - leak)
    multi = sigmoid((effective - 16.4 - 11.0 * flow) / 0.35)
    charge = (flow / 0.4 / (1.0 + 1.5 * multi)) ** 0.5 / (effective / 19.0)
    thick = viscosity - _log_viscosity(19.0, T_REFERENCE_K)
    limited = 480.0 * np.exp(0.4 * thick) * (flow / 0.4) ** 0.25
    diameter = np.hypot(380.0 * charge ** (2.0 / 3.0), limited)
    landing = 650.0 * (effective / 19.0) ** 0.8 * (diameter / REFERENCE_NM) ** -0.3
    diameter = diameter * (1.0 - 0.12 * sigmoid((speed - landing) / 200.0))
    load = 0.55 * flow / 0.4 * (1.0 + 0.9 * (speed / 1200.0) ** 2)
    wet = sigmoid(4.0 * (load * np.exp(0.22 * humid - 0.15 * warm) - 1.0))
    pulsing = sigmoid((_onset_kv(columns, viscosity) - effective) / 0.6)
    return _Jet(viscosity, effective, leak, multi, pulsing, wet, diameter, landing)


def _aligned(columns: Mapping[str, Array], jet: _Jet, overspeed: Array) -> Array:
    """Return the share of fibres along the rotation; stiff thick fibres spring back."""
    caught = sigmoid((columns["collector_speed"] - jet.landing_rpm) / 220.0)
    order_share = (1.0 - 0.3 * jet.multi) * (1.0 - 0.35 * overspeed) * (1.0 - 0.8 * jet.leak)
    spring = 1.0 - 0.25 * sigmoid((jet.diameter_nm - 750.0) / 90.0)
    return np.asarray(0.68 * caught * order_share * spring)


def _pull(mat: Microstructure, p: Array, drawn: Array) -> dict[str, Array]:
    """Return the five properties in one direction, where a share ``p`` of fibres carries load."""
    d = mat.diameter_nm
    skin = SKIN_NM * (1.0 - 0.5 * mat.fusion)
    h = 1.0 - np.clip(1.0 - 2.0 * skin / d, 0.0, 1.0) ** 2
    dense = (1.0 - mat.porosity) / 0.25
    bonds = 0.35 + 0.65 * mat.fusion
    x = p * np.sqrt(bonds) * dense
    carried = p * x / (x + PERCOLATION)
    m = 1.2 / (0.15 + 0.8 * (mat.diameter_cv - 0.14) + 0.6 * mat.bead_fraction)
    bundle = (m * np.e) ** (-1.0 / m) * (REFERENCE_NM / d) ** (2.0 / m)
    ductile = 33.0 + 170.0 * sigmoid((d - 560.0) / 130.0) * (1.0 - 0.4 * h)
    slack = 145.0 * (1.0 - p) ** 2
    fibre_yield = 15.0 * (1.0 + 3.0 * h) * dense * p**1.5
    bond_yield = 11.0 * bonds * dense**1.5 * (REFERENCE_NM / d) ** 0.7 * np.sqrt(p)
    return {
        "fracture_strength": 20.0 * (1.0 + 2.5 * h) * bundle * dense * carried,
        "yield_strength": 1.0 / (1.0 / fibre_yield + 1.0 / bond_yield) * (1.0 + 0.2 * drawn),
        "elastic_modulus": 0.44 * (1.0 + 4.0 * h) * dense * carried * (0.7 + 0.3 * bonds),
        "tangent_modulus": 0.85 * h * dense * p**1.5 * (1.0 - 0.3 * mat.fusion) * (1 + 0.4 * drawn),
        "elongation": (ductile * (1.0 - 0.25 * drawn) + slack)
        * (1.0 - 0.35 * mat.fusion)
        * (1.0 - 1.5 / (m + 1.5)),
    }
