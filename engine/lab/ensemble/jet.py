"""The jet of a simulated lab: fibre diameter, its spread, beads, and how wet fibres arrive.

Ranges and forms, from the literature:

- Diameter grows with concentration above the entanglement concentration c_e, d ~ c^α: α ≈ 2.6–3.1
  and d ~ η^0.8 (McKee et al., Macromolecules 37, 1760 (2004); Gupta et al., Polymer 46, 4799
  (2005)), down to about 1 and up to 5 elsewhere; the exponent itself rises from the semi-dilute to
  the concentrated regime (McKee; Shenoy et al., Polymer 46, 3372 (2005)).
- Terminal jet: d ~ (Q/I)^⅔ (Fridrikh et al., Phys. Rev. Lett. 90, 144502 (2003)) with a current
  I ~ E Q^0.5 (Bhattacharjee et al., J. Appl. Phys. 107, 044306 (2010)): d ~ Q^⅓ V^−⅔; observed flow
  exponents 0.1–0.7. Which inputs matter most: Thompson et al., Polymer 48, 6913 (2007).
- Voltage mostly thins, sometimes thickens or does little: Deitzel et al., Polymer 42, 261 (2001);
  Zhang et al., Eur. Polym. J. 41, 423 (2005); Beachley & Wen, Mater. Sci. Eng. C 29, 663 (2009).
- Humidity and temperature act either way, by solvent: Casper et al., Macromolecules 37, 573 (2004);
  De Vrieze et al., J. Mater. Sci. 44, 1357 (2009).
- Beads near and below c_e: Fong et al., Polymer 40, 4585 (1999); Shenoy: fibres without beads from
  about 2.5 entanglements a chain.

Notation: lc, lf, lv, ld logarithms of concentration, flow, voltage, distance about the lab's
centre; hw, ht humidity and temperature in tenths about the room's mean; u collector speed over the
jet's; all of one shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.lab.ensemble.campaigns import Drive, Ranges
from engine.lab.ensemble.draws import Level, Sensitivity, log_uniform, normal, pick, uniform
from engine.lab.physics import Array, sigmoid

DIAMETER_FORMS = ("power", "saturating", "piecewise", "terminal")
SPREAD_FORMS = ("window", "fast")
WET_FORMS = ("logistic", "cloglog")


@dataclass(frozen=True)
class DiameterLaw:
    """Mean fibre diameter; ``terminal`` is a power law whose exponents are tied by the current."""

    form: str
    at_centre_nm: Level
    concentration: Sensitivity
    flow_rate: Sensitivity
    voltage: Sensitivity
    voltage_curve: Sensitivity
    distance: Sensitivity
    humidity: Sensitivity
    temperature: Sensitivity
    draw: Sensitivity
    span: Level
    knee: float
    steeper: Level
    lot: Level

    @classmethod
    def draw_from(cls, rng: np.random.Generator, ranges: Ranges) -> DiameterLaw:
        """Draw a law; the knee of ``piecewise`` lies inside the range of concentration."""
        form = pick(rng, DIAMETER_FORMS)
        flow, volts = normal(rng, 0.32, 0.17, 0.03, 0.75), normal(rng, -0.25, 0.3, -1.0, 0.5)
        if form == "terminal":
            current_flow, current_volts = uniform(rng, 0.3, 0.7), uniform(rng, 0.5, 1.4)
            # d ~ (Q/I)^⅔ with I ~ Q^a V^b.
            flow, volts = 2 / 3 * (1.0 - current_flow), -2 / 3 * current_volts
        return cls(
            form=form,
            at_centre_nm=float(np.clip(600.0 * np.exp(0.4 * rng.standard_normal()), 250, 1600)),
            concentration=float(np.clip(2.0 * np.exp(0.45 * rng.standard_normal()), 0.6, 5.0)),
            flow_rate=flow,
            voltage=volts,
            voltage_curve=normal(rng, 0.0, 0.4),
            distance=normal(rng, -0.2, 0.25, -0.8, 0.5),
            humidity=normal(rng, -0.01, 0.07, -0.2, 0.2),
            temperature=normal(rng, -0.03, 0.12, -0.3, 0.3),
            draw=normal(rng, 0.08, 0.07, 0.0, 0.3),
            span=uniform(rng, 0.4, 1.2),
            knee=ranges.half_width("concentration") * uniform(rng, -0.7, 0.7),
            steeper=uniform(rng, 1.5, 3.5),
            lot=log_uniform(rng, 0.03, 0.18),
        )

    def log_diameter(self, drive: Drive, u: Array) -> Array:
        """Return ln(d / d at the centre), without lot noise."""
        thick = self.concentration * drive.lc
        if self.form == "piecewise":  # a soft knee; the exponent is the mean of both sides
            slow = 2.0 / (1.0 + self.steeper) * self.concentration
            bend = np.logaddexp(0.0, (drive.lc - self.knee) / 0.05)
            bend = 0.05 * (bend - np.logaddexp(0.0, -self.knee / 0.05))
            thick = slow * drive.lc + (self.steeper - 1.0) * slow * bend
        jet = (
            thick
            + self.flow_rate * drive.lf
            + self.voltage * drive.lv
            + self.voltage_curve * drive.lv**2
            + self.distance * drive.ld
            + self.humidity * drive.hw
            + self.temperature * drive.ht
        )
        if self.form == "saturating":
            jet = self.span * np.tanh(jet / self.span)
        return np.asarray(jet - self.draw * np.tanh(u))


@dataclass(frozen=True)
class SpreadLaw:
    """Coefficient of variation of the diameters: least where flow and field balance."""

    form: str
    steady: Level
    rise: Level
    sharpness: Level
    voltage: Sensitivity
    concentration: Sensitivity
    humidity: Sensitivity
    offset: float
    overspeed: Level

    @classmethod
    def draw_from(cls, rng: np.random.Generator, ranges: Ranges) -> SpreadLaw:
        """Draw a law; the balance lies somewhere near the middle of the ranges."""
        form = pick(rng, SPREAD_FORMS)
        width = max(ranges.half_width("flow_rate") + ranges.half_width("voltage"), 0.2)
        return cls(
            form=form,
            steady=uniform(rng, 0.10, 0.24),
            rise=uniform(rng, 0.03, 0.30),
            sharpness=uniform(rng, 0.5, 2.0) / width,
            voltage=normal(rng, -1.3, 0.8, -3.0, 0.3),
            concentration=normal(rng, 0.2, 0.4),
            humidity=normal(rng, 0.03, 0.06),
            offset=width * normal(rng, 0.0, 0.4),
            overspeed=uniform(rng, 0.0, 0.25),
        )

    def variation(self, drive: Drive, overspeed: Array) -> Array:
        """Return the coefficient of variation."""
        i = drive.lf + self.voltage * drive.lv + self.concentration * drive.lc
        i = self.sharpness * (i + self.humidity * drive.hw + self.offset)
        unsteady = 1.0 - np.exp(-(i**2)) if self.form == "window" else sigmoid(2.0 * (i - 0.5))
        return np.asarray(self.steady + self.rise * unsteady + self.overspeed * overspeed)


@dataclass(frozen=True)
class BeadLaw:
    """Share of the polymer in beads: too few entanglements for the stretching."""

    onset: float
    width: Level
    most: Level
    flow_rate: Sensitivity
    voltage: Sensitivity
    lot: Level

    @classmethod
    def draw_from(cls, rng: np.random.Generator, ranges: Ranges) -> BeadLaw:
        """Draw a law: beads begin from well below the range to somewhat inside it."""
        half = ranges.half_width("concentration")
        return cls(
            onset=-half + normal(rng, -0.18, 0.15, -0.6, 0.4 * half),
            width=log_uniform(rng, 0.03, 0.12),
            most=uniform(rng, 0.4, 0.95),
            flow_rate=normal(rng, 0.06, 0.06),
            voltage=normal(rng, 0.0, 0.1),
            lot=log_uniform(rng, 0.01, 0.05),
        )

    def fraction(self, drive: Drive, lot: Array) -> Array:
        """Return the share in beads, ``lot`` N(0, 1)."""
        thin = self.onset + self.flow_rate * drive.lf + self.voltage * drive.lv - drive.lc
        return np.asarray(self.most * sigmoid((thin + self.lot * lot) / self.width))


@dataclass(frozen=True)
class WetLaw:
    """How far fibres fuse where they cross: solvent left on arrival."""

    form: str
    gain: Level
    flow_rate: Sensitivity
    voltage: Sensitivity
    distance: Sensitivity
    humidity: Sensitivity
    temperature: Sensitivity
    offset: float

    @classmethod
    def draw_from(cls, rng: np.random.Generator) -> WetLaw:
        """Draw a law; humid rooms slow drying of water, and hasten precipitation of others."""
        return cls(
            form=pick(rng, WET_FORMS),
            gain=uniform(rng, 0.8, 3.0),
            flow_rate=normal(rng, 0.9, 0.4, 0.0),
            voltage=normal(rng, -0.5, 0.7),
            distance=normal(rng, -1.2, 0.6, -3.0, 0.0),
            humidity=normal(rng, 0.15, 0.25),
            temperature=normal(rng, -0.2, 0.2),
            offset=normal(rng, -0.4, 0.5),
        )

    def fusion(self, drive: Drive) -> Array:
        """Return the fusion at crossings, 0 … 1."""
        wet = self.gain * (
            self.flow_rate * drive.lf
            + self.voltage * drive.lv
            + self.distance * drive.ld
            + self.humidity * drive.hw
            + self.temperature * drive.ht
            + self.offset
        )
        if self.form == "logistic":
            return sigmoid(wet)
        return np.asarray(-np.expm1(-np.exp(np.minimum(wet, 6.0))))
