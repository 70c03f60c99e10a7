"""A second stage: spin a mat, embed a share of it in a matrix, pull the composite.

The mat's structure and properties come from a nanofibre lab, hidden as they are there; what its
campaign calls conditions are conditions here too, beside the fibres' share and the matrix's
modulus. So a model of mats knows much of composites, and nothing of the two new knobs.

Notation: V share of fibres, φ the mat's porosity, S its order; E_m, E_f moduli of matrix and
fibre [MPa]; σ_f, σ_m strengths; ε elongations [%]; η the share of fibres' stiffness that counts in
a direction, 3/8 ± S/2 + S⁴/8 = ⟨cos⁴θ⟩; l the straight length of a fibre, d its diameter.

Micromechanics::

    E_f   = mean over directions of 3 · 100 E_mat / ((1 − φ) η)          the mat taken apart
    E     = η E_∥ + (1 − η) E_⊥                                         Krenchel (1964), Cox (1952)
    E_∥,⊥ = E_m (1 + ξ h V) / (1 − h V),  h = (E_f/E_m − 1)/(E_f/E_m + ξ)  Halpin & Kardos (1976)
            with ξ = 2 l/d along the fibre, 2 across
    σ     = η_l σ' V + σ_m' (1 − V)       ,  η_l = 1 − l_c/2l, or l/2l_c  Kelly & Tyson (1965)
            with l_c = σ_f d / 2τ; σ' the fibres' strength in that direction, and never less than
            the matrix without fibres bears, σ_m (1 − V)
    ln ε  = w ln ε_mat + (1 − w) ln ε_m,  w the fibres' share of the load
    voids = where more fibres are pressed in than the mat holds, V > 1.2 (1 − φ): all of it weaker
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from engine.campaign import Campaign, Objective, Parameter, Property
from engine.lab.physics import DIRECTIONS, Array, Microstructure
from engine.lab.spinning import SpinningLab
from engine.lab.virtual import VirtualLab

SOURCE_OUTCOMES = {
    f"composite_{ours}.{direction}": f"{theirs}.{direction}"
    for ours, theirs in (
        ("strength", "fracture_strength"),
        ("modulus", "elastic_modulus"),
        ("elongation", "elongation"),
    )
    for direction in DIRECTIONS
}
"""Each outcome of the composite → the mat's outcome that speaks of it: what a nanofibre source's
head for ``fracture_strength.longitudinal`` says of ``composite_strength.longitudinal``, and so on.
"""

NOISE = {
    "strength": (0.06, 0.08, 0.05),
    "modulus": (0.04, 0.07, 0.04),
    "elongation": (0.05, 0.10, -0.03),
}
"""Standard deviations of a measurement's logarithm: lot, single reading, and the specimen's
thickness, which moves stresses one way and strain the other."""

FIBRE_GAIN, STRENGTH_GAIN = 3.0, 1.6
SEGMENT_NM, ADHESION_MPA = 60_000.0, 1.5
MATRIX_STRENGTH, MATRIX_ELONGATION = 0.35, 160.0
ISOTROPIC = 3.0 / 8.0


class CompositeLab(SpinningLab):
    """Composites of a nanofibre lab's mats: :class:`~engine.lab.protocol.KnownLab`.

    ``mats`` is the lab that spins them (the virtual lab by default); runs fail as its runs do, and
    the micrograph is the mat's.
    """

    def __init__(self, mats: SpinningLab | None = None) -> None:
        self.mats = mats or VirtualLab()

    @cached_property
    def campaign(self) -> Campaign:
        """Fibre share and matrix modulus beside the mat's parameters; six outcomes."""
        directions = ("longitudinal", "transverse")
        return Campaign(
            name="composite",
            description="Nanofibre-reinforced composites: strength against elongation",
            parameters=(
                Parameter(
                    name="fibre_fraction",
                    unit="%",
                    low=5.0,
                    high=40.0,
                    step=1.0,
                    minimum=0.0,
                    maximum=95.0,
                    description="Share of fibres in the composite's volume",
                ),
                Parameter(
                    name="matrix_modulus",
                    unit="MPa",
                    low=5.0,
                    high=30.0,
                    step=1.0,
                    minimum=0.0,
                    description="Young's modulus of the matrix alone",
                ),
                *self.mats.campaign.parameters,
            ),
            properties=(
                _property("composite_strength", "MPa", directions),
                _property("composite_modulus", "MPa", directions),
                _property("composite_elongation", "%", directions),
            ),
            objectives=(
                Objective(outcome="composite_strength.longitudinal", threshold=6.0),
                Objective(outcome="composite_elongation.longitudinal", threshold=50.0),
            ),
        )

    @property
    def reference_ambient(self) -> dict[str, float]:
        """The room in which benchmarks judge settings: the spinning lab's."""
        return self.mats.reference_ambient

    def room(self, rng: np.random.Generator) -> dict[str, float]:
        """Return today's room where the mats are spun."""
        return self.mats.room(rng)

    def _filled(self, columns: Mapping[str, ArrayLike]) -> dict[str, Array]:
        return super()._filled(self.mats._filled(columns))

    def _structure(self, columns: Mapping[str, Array], lot: Array) -> Microstructure:
        return self.mats._structure(columns, lot)

    def _failures(self, columns: Mapping[str, Array], mat: Microstructure) -> dict[str, Array]:
        return self.mats._failures(columns, mat)

    def _ideal(self, columns: Mapping[str, Array], mat: Microstructure) -> dict[str, Array]:
        of_mat = self.mats._ideal(columns, mat)
        share = np.clip(columns["fibre_fraction"] / 100.0, 0.0, 0.95)
        matrix = columns["matrix_modulus"]
        solid = 1.0 - mat.porosity
        counts = {
            direction: np.maximum(ISOTROPIC + sign * mat.order / 2 + mat.order**4 / 8, 0.02)
            for direction, sign in DIRECTIONS.items()
        }
        stiffness = FIBRE_GAIN * _mean(
            100.0 * of_mat[f"elastic_modulus.{direction}"] / (solid * eta)
            for direction, eta in counts.items()
        )
        sound = np.exp(-2.5 * np.maximum(share / (1.2 * solid) - 1.0, 0.0))
        outcomes: dict[str, Array] = {}
        for direction, eta in counts.items():
            modulus = _modulus(stiffness, matrix, share, eta, mat)
            load = np.clip(1.0 - matrix * (1.0 - share) / modulus, 0.0, 1.0)
            fibre = STRENGTH_GAIN * of_mat[f"fracture_strength.{direction}"] / solid
            elongation = of_mat[f"elongation.{direction}"]
            outcomes[f"composite_strength.{direction}"] = sound * _strength(
                fibre, elongation, matrix, share, mat
            )
            outcomes[f"composite_modulus.{direction}"] = sound**0.5 * modulus
            outcomes[f"composite_elongation.{direction}"] = sound * np.exp(
                load * np.log(elongation) + (1.0 - load) * np.log(_matrix_elongation(matrix))
            )
        return {name: outcomes[name] for name in self.campaign.outcomes}

    def _factors(self, rng: np.random.Generator) -> dict[str, float]:
        common = rng.standard_normal()
        specimens = {direction: rng.standard_normal() for direction in DIRECTIONS}
        return {
            f"composite_{name}.{direction}": float(
                np.exp(
                    lot * common
                    + loading * specimens[direction]
                    + single * rng.standard_normal()
                )
            )
            for name, (lot, single, loading) in NOISE.items()
            for direction in DIRECTIONS
        }  # fmt: skip


def _property(name: str, unit: str, directions: tuple[str, ...]) -> Property:
    return Property(
        name=name, unit=unit, directions=directions, minimum=0.0, maximum=1e5, scale="log"
    )


def _mean(values: Iterable[Array]) -> Array:
    return np.asarray(np.mean(np.stack(list(values)), axis=0))


def _matrix_elongation(matrix: Array) -> Array:
    """Return a matrix's elongation [%]: stiffer ones stretch less."""
    return np.asarray(MATRIX_ELONGATION * (matrix / 12.0) ** -0.4)


def _halpin_tsai(ratio: Array, xi: Array | float, share: Array) -> Array:
    """Return E / E_m at a ratio E_f / E_m and a shape factor ξ."""
    h = (ratio - 1.0) / (ratio + xi)
    return np.asarray((1.0 + xi * h * share) / (1.0 - h * share))


def _segment_nm(mat: Microstructure) -> Array:
    """Return the straight length of a fibre between bends and crossings: longer where aligned."""
    straight = 1.0 + 2.0 * np.maximum(mat.order, 0.0)
    return np.asarray(SEGMENT_NM * straight * (1.0 - 0.5 * mat.bead_fraction))


def _modulus(
    fibre: Array, matrix: Array, share: Array, eta: Array, mat: Microstructure
) -> Array:  # fmt: skip
    ratio = np.maximum(fibre / matrix, 1e-3)
    along = _halpin_tsai(ratio, 2.0 * _segment_nm(mat) / mat.diameter_nm, share)
    across = _halpin_tsai(ratio, 2.0, share)
    return np.asarray(matrix * (eta * along + (1.0 - eta) * across))


def _strength(
    fibre: Array, elongation: Array, matrix: Array, share: Array, mat: Microstructure
) -> Array:
    """Return Kelly and Tyson's strength [MPa], or the bare matrix's share where that is more."""
    adhesion = ADHESION_MPA * (matrix / 12.0) ** 0.3 * (1.0 - 0.3 * mat.fusion)
    critical = fibre * mat.diameter_nm / (2.0 * adhesion) / _segment_nm(mat)
    carried = np.where(critical < 1.0, 1.0 - critical / 2.0, 0.5 / np.maximum(critical, 1e-9))
    alone = MATRIX_STRENGTH * matrix**0.8
    reached = np.minimum(elongation / _matrix_elongation(matrix), 1.0) ** 0.5
    reinforced = carried * fibre * share + alone * reached * (1.0 - share)
    return np.asarray(np.maximum(reinforced, alone * (1.0 - share)))
