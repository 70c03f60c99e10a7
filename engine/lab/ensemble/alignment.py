"""How a turning collector aligns fibres in a simulated lab.

Order rises once the collector's surface outruns the arriving jet, saturates, and falls again above
an onset at which jets break or air is dragged along: Zussman et al., Appl. Phys. Lett. 82, 973
(2003); Katta et al., Nano Lett. 4, 2215 (2004); Kameoka et al., Nanotechnology 14, 1124 (2003);
Edwards et al., J. Appl. Polym. Sci. 116, 2353 (2010). Jets arrive at some 1–15 m/s (measured
and derived values differ by an order of magnitude); drums are 3–15 cm in radius.

Notation: u = surface speed / jet speed; S orientation order ⟨cos 2θ⟩ from the rotation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.lab.ensemble.campaigns import Drive, Ranges
from engine.lab.ensemble.draws import Level, Sensitivity, normal, pick, uniform
from engine.lab.physics import Array

ORDER_FORMS = ("exponential", "hill", "logistic")
ORDER_RANGE = (-0.3, 0.95)
RPM_TO_RAD_S = 2.0 * np.pi / 60.0


@dataclass(frozen=True)
class AlignmentLaw:
    """Orientation order of the mat by collector speed, and what the jet adds to it."""

    form: str
    radius_m: Level
    jet_m_s: Level
    sharpness: Level
    at_rest: float
    saturated: float
    concentration: Sensitivity
    flow_rate: Sensitivity
    voltage: Sensitivity
    distance: Sensitivity
    humidity: Sensitivity
    spread: Sensitivity
    onset: Level
    decay: Level
    lot: Level

    @classmethod
    def draw_from(cls, rng: np.random.Generator, ranges: Ranges) -> AlignmentLaw:
        """Draw a law; the fastest setting lies at 0.7 to 3 times the jet's speed."""
        radius = uniform(rng, 0.03, 0.15)
        fastest = ranges.span("collector_speed")[1] or 1000.0
        reach = float(np.exp(rng.uniform(np.log(0.7), np.log(3.0))))
        return cls(
            form=pick(rng, ORDER_FORMS),
            radius_m=radius,
            jet_m_s=radius * RPM_TO_RAD_S * fastest / reach,
            sharpness=uniform(rng, 1.0, 3.5),
            at_rest=normal(rng, 0.0, 0.04, -0.1, 0.1),
            saturated=uniform(rng, 0.3, 0.9),
            concentration=normal(rng, 0.0, 0.7),
            flow_rate=normal(rng, 0.0, 0.2),
            voltage=normal(rng, -0.2, 0.7),
            distance=normal(rng, 0.0, 0.4),
            humidity=normal(rng, 0.0, 0.06),
            spread=normal(rng, 0.5, 0.4, 0.0),
            onset=float(np.exp(rng.uniform(np.log(1.2), np.log(4.0)))),
            decay=uniform(rng, 0.0, 0.6),
            lot=uniform(rng, 0.02, 0.08),
        )

    def relative_speed(self, drive: Drive) -> Array:
        """Return u, surface speed over jet speed."""
        return np.asarray(self.radius_m * RPM_TO_RAD_S * drive.speed_rpm / self.jet_m_s)

    def overspeed(self, u: Array) -> Array:
        """Return how far the collector has gone beyond the onset, 0 … 1."""
        return np.asarray(-np.expm1(-2.0 * np.maximum(u / self.onset - 1.0, 0.0)))

    def order(self, drive: Drive, u: Array, cv_excess: Array) -> Array:
        """Return S of the mean lot; ``cv_excess``: spread of diameters above the steady jet's."""
        jet = np.exp(
            np.clip(
                self.concentration * drive.lc
                + self.flow_rate * drive.lf
                + self.voltage * drive.lv
                + self.distance * drive.ld
                + self.humidity * drive.hw,
                -1.2,
                0.7,
            )
        )
        order_share = (1.0 - self.decay * self.overspeed(u)) * np.exp(-self.spread * cv_excess)
        wound = self._wound(u) * np.minimum(self.saturated * jet, 0.93) * order_share
        return np.asarray(np.clip(self.at_rest + (1.0 - self.at_rest) * wound, *ORDER_RANGE))

    def _wound(self, u: Array) -> Array:
        """Return the share of the order that the collector's speed gives, 0 … 1."""
        if self.form == "exponential":
            return np.asarray(-np.expm1(-(u**self.sharpness)))
        if self.form == "hill":
            return np.asarray(u**self.sharpness / (1.0 + u**self.sharpness))
        k = 1.5 * self.sharpness
        start, current = 1.0 / (1.0 + np.exp(k)), 1.0 / (1.0 + np.exp(-k * (u - 1.0)))
        return np.asarray((current - start) / (1.0 - start))
