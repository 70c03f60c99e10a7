"""From a simulated mat to its ten outcomes: fibres, then the network that they make.

- Thinner fibres are stiffer and often stronger, with exponents from nearly none to above one, or
  only below a critical diameter: Arinstein & Zussman, Nat. Nanotechnol. 2, 59 (2007); Wong et al.,
  Polymer 49, 4713 (2008); Tan et al., Appl. Phys. Lett. 86, 073115 (2005). Thinner fibres mostly
  stretch less, seldom more (Papkov et al., ACS Nano 7, 3324 (2013)).
- Networks: orientation averages ⟨cos⁴θ⟩ of affine fibres (Cox, Br. J. Appl. Phys. 3, 72 (1952)),
  the share of fibres that lie along the load, or bonds that must percolate (Picu, Soft Matter 7,
  6768 (2011)); networks deform between affine and not (Stylianopoulos et al., Comput. Methods
  Biomech. 11, 325 (2008)). Denser mats are stiffer, cellular solids with exponents 0.5–2.
- Fused crossings stiffen and strengthen and cost elongation; beads and uneven fibres weaken.

Notation: S order, s = ±1 along or across, ld = ln(d / d at the centre), b bead share, fu fusion,
φ porosity, u draw by the collector; all of one shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from engine.lab.ensemble.campaigns import Drive
from engine.lab.ensemble.draws import (
    Level,
    Sensitivity,
    log_uniform,
    normal,
    perturbed,
    pick,
    uniform,
)
from engine.lab.physics import DIRECTIONS, Array, Microstructure

FIBRE_FORMS = ("power", "critical", "saturating")
NETWORK_FORMS = ("affine", "share", "percolation")
CROSS_DRAW = -0.2


@dataclass(frozen=True)
class Noise:
    """Spreads of a measurement's logarithm: from lot to lot, specimen to specimen, the rest."""

    lot: float
    specimen: tuple[float, float]
    single: float


@dataclass(frozen=True)
class PropertyLaw:
    """One property: its level, the exponents of what makes it, its noise."""

    level: Level
    along: Sensitivity
    across: Sensitivity
    diameter: Sensitivity
    concentration: Sensitivity
    solidity: Sensitivity
    beads: Sensitivity
    spread: Sensitivity
    fusion: Sensitivity
    fusion_across: Sensitivity
    draw: Sensitivity
    humidity: Sensitivity
    noise: Noise


@dataclass(frozen=True)
class MechanicsLaw:
    """How this lab's mats carry load."""

    fibre_form: str
    critical: float
    network_form: str
    threshold: float
    porosity: float
    porosity_fusion: float
    porosity_order: float
    porosity_diameter: float
    porosity_lot: float
    properties: Mapping[str, PropertyLaw]

    @classmethod
    def draw_from(cls, rng: np.random.Generator) -> MechanicsLaw:
        """Draw forms, exponents, levels and noise."""
        return cls(
            fibre_form=pick(rng, FIBRE_FORMS),
            critical=normal(rng, 0.0, 0.4),
            network_form=pick(rng, NETWORK_FORMS),
            threshold=uniform(rng, 0.15, 0.5),
            porosity=normal(rng, 1.3, 0.4, 0.4, 2.2),
            porosity_fusion=normal(rng, -0.5, 0.3, -1.2, 0.0),
            porosity_order=normal(rng, -0.5, 0.4),
            porosity_diameter=normal(rng, 0.15, 0.2),
            porosity_lot=uniform(rng, 0.04, 0.2),
            properties=MappingProxyType(_draw_properties(rng)),
        )

    def perturbed(self, rng: np.random.Generator, spread: float) -> MechanicsLaw:
        """Return the same forms with other exponents and somewhat other levels."""
        changed = {name: perturbed(law, rng, spread) for name, law in self.properties.items()}
        return replace(self, properties=MappingProxyType(changed))

    def scaled(self, factors: Mapping[str, float]) -> MechanicsLaw:
        """Return the same laws at other levels: property → factor."""
        changed = {
            name: replace(law, level=law.level * factors.get(name, 1.0))
            for name, law in self.properties.items()
        }
        return replace(self, properties=MappingProxyType(changed))

    def air(self, fusion: Array, order: Array, ld: Array, lot: Array) -> Array:
        """Return the porosity: logistic in fusion, order and ln diameter; ``lot`` N(0, 1)."""
        logit = (
            self.porosity
            + self.porosity_fusion * fusion
            + self.porosity_order * order
            + self.porosity_diameter * ld
            + self.porosity_lot * lot
        )
        # Between 31 and 95 % of air.
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logit, -0.8, 2.9))))

    def outcomes(
        self, drive: Drive, mat: Microstructure, ld: Array, u: Array, steady_cv: float
    ) -> dict[str, Array]:
        """Return ``property.direction`` → value, without measurement noise."""
        size = self._size(ld)
        solid = np.log((1.0 - mat.porosity) * (1.0 + np.exp(self.porosity)))
        flaws = np.log1p(-0.6 * mat.bead_fraction)
        uneven = np.log1p(-0.8 * np.clip(mat.diameter_cv - steady_cv, 0.0, 0.9))
        outcomes: dict[str, Array] = {}
        for name, law in self.properties.items():
            common = (
                np.log(law.level)
                + law.diameter * size
                + law.concentration * drive.lc
                + law.solidity * solid
                + law.beads * flaws
                + law.spread * uneven
                + law.humidity * drive.hw
            )
            for direction, sign in DIRECTIONS.items():
                gain = self._network(mat, solid, sign) * (law.along if sign > 0 else law.across)
                bonds = law.fusion + (law.fusion_across if sign < 0 else 0.0)
                drawn = law.draw * np.tanh(u) * (1.0 if sign > 0 else CROSS_DRAW)
                value = common + gain + bonds * mat.fusion + drawn
                outcomes[f"{name}.{direction}"] = np.exp(np.clip(value, -20.0, 20.0))
        return outcomes

    def _size(self, ld: Array) -> Array:
        """Return the effective ln diameter: slope 1 at the centre, by form elsewhere."""
        if self.fibre_form == "power":
            return ld
        if self.fibre_form == "saturating":
            return np.asarray(0.6 * np.tanh(ld / 0.6))
        k = self.critical  # the effect lives below the critical diameter, and fades above it
        bend = np.logaddexp(0.0, -3.0 * (ld - k)) - np.logaddexp(0.0, 3.0 * k)
        return np.asarray(-bend / 3.0 * (1.0 + np.exp(-3.0 * max(k, -0.5))))

    def _network(self, mat: Microstructure, solid: Array, sign: float) -> Array:
        """Return the logarithm of the orientation's gain over an isotropic mat."""
        s = sign * mat.order
        if self.network_form == "affine":
            return np.asarray(np.log((3 / 8 + s / 2 + mat.order**4 / 8) / (3 / 8)))
        if self.network_form == "share":
            return np.asarray(1.3 * np.log1p(s))
        bonded = (1.0 + s) * np.exp(0.3 * solid) * (0.7 + 0.6 * mat.fusion)
        sharp = 0.12
        path = np.logaddexp(0.0, (bonded - self.threshold) / sharp)
        return np.asarray(np.log(path) - np.log(np.logaddexp(0.0, (1.0 - self.threshold) / sharp)))


def draw_factors(
    properties: Mapping[str, PropertyLaw], rng: np.random.Generator, n: int
) -> dict[str, Array]:
    """Draw measurement factors of ``n`` runs, (n,) by outcome.

    Logarithms: one lot factor for both directions, two specimen factors for each direction, and one
    draw for each outcome.
    """
    common = rng.standard_normal(n)
    specimens = {direction: rng.standard_normal((2, n)) for direction in DIRECTIONS}
    return {
        f"{name}.{direction}": np.exp(
            law.noise.lot * common
            + np.asarray(law.noise.specimen) @ specimens[direction]
            + law.noise.single * rng.standard_normal(n)
        )
        for name, law in properties.items()
        for direction in DIRECTIONS
    }


def _draw_properties(rng: np.random.Generator) -> dict[str, PropertyLaw]:
    """Draw the five laws together: what stiffens a mat mostly strengthens it too."""
    size = log_uniform(rng, 0.1, 1.2) if rng.random() < 0.85 else 0.0
    conc, along = normal(rng, 0.3, 0.6), uniform(rng, 0.6, 1.5)
    dense, bond = normal(rng, 1.0, 0.3, 0.3, 2.0), normal(rng, 0.2, 0.2)
    strength = log_uniform(rng, 1.0, 30.0)
    yielding = strength * uniform(rng, 0.2, 0.6)
    modulus = yielding / uniform(rng, 3.0, 20.0)

    def stiff(value: float, share: float, diameter: float, flaw: float) -> PropertyLaw:
        reach = along * share * uniform(rng, 0.75, 1.3)
        return PropertyLaw(
            level=value,
            along=reach,
            across=reach * normal(rng, 0.9, 0.25, 0.2),
            diameter=-size * diameter + normal(rng, 0.0, 0.12),
            concentration=conc + normal(rng, 0.0, 0.3),
            solidity=dense * uniform(rng, 0.7, 1.2),
            beads=flaw * uniform(rng, 0.3, 1.5),
            spread=flaw * uniform(rng, 0.1, 1.3),
            fusion=bond + normal(rng, 0.0, 0.12),
            fusion_across=normal(rng, 0.12, 0.12),
            draw=normal(rng, 0.12, 0.12, -0.1),
            humidity=normal(rng, 0.0, 0.03),
            noise=_draw_noise(rng, sign=1.0),
        )

    return {
        "fracture_strength": stiff(strength, 0.8, uniform(rng, 0.3, 1.0), 1.2),
        "yield_strength": stiff(yielding, 1.0, uniform(rng, 0.6, 1.1), 0.9),
        "elastic_modulus": stiff(modulus, 1.1, 1.0, 0.6),
        "tangent_modulus": stiff(modulus * uniform(rng, 0.1, 0.6), 1.2, uniform(rng, 0.6, 1.3), 1),
        "elongation": _draw_elongation(rng),
    }


def _draw_elongation(rng: np.random.Generator) -> PropertyLaw:
    return PropertyLaw(
        level=log_uniform(rng, 20.0, 200.0),
        along=-abs(normal(rng, 0.5, 0.35)),
        across=normal(rng, -0.3, 0.5),
        diameter=normal(rng, 0.5, 0.4, -0.3, 1.4),
        concentration=normal(rng, -0.1, 0.5),
        solidity=normal(rng, -0.1, 0.2),
        beads=uniform(rng, 0.4, 2.0),
        spread=uniform(rng, 0.3, 1.8),
        fusion=-abs(normal(rng, 0.12, 0.12)),
        fusion_across=normal(rng, 0.0, 0.08),
        draw=-abs(normal(rng, 0.15, 0.12)),
        humidity=normal(rng, 0.0, 0.03),
        noise=_draw_noise(rng, sign=-0.5),
    )


def _draw_noise(rng: np.random.Generator, sign: float) -> Noise:
    """Draw spreads of 5–30 %; a thin place moves stress one way, strain the other."""
    return Noise(
        lot=uniform(rng, 0.02, 0.15),
        specimen=(sign * uniform(rng, 0.04, 0.2), uniform(rng, 0.02, 0.1)),
        single=uniform(rng, 0.03, 0.14),
    )
