"""Whole simulated labs: drawn, restricted to a campaign, related to another, or misleading.

Seeds below 100,000 are for pretraining, seeds from 1,000,000 for benchmarks: a lab that a model
learned from is never its test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from engine.campaign import Campaign
from engine.lab.ensemble.alignment import ORDER_RANGE, AlignmentLaw
from engine.lab.ensemble.campaigns import (
    AMBIENT,
    LIMITS,
    Drive,
    Ranges,
    campaign_of,
    draw_ranges,
    ranges_of,
)
from engine.lab.ensemble.draws import perturbed, uniform
from engine.lab.ensemble.jet import BeadLaw, DiameterLaw, SpreadLaw, WetLaw
from engine.lab.ensemble.mechanics import MechanicsLaw, draw_factors
from engine.lab.physics import Array, Microstructure, sigmoid
from engine.lab.spinning import N_LOT, SpinningLab
from engine.lab.virtual import nanofibre_campaign

PRETRAINING_SEEDS = range(100_000)
HELD_OUT_SEEDS = range(1_000_000, 2_000_000)

THRESHOLD_QUANTILE = 0.05
_LEVELS = {"maximize": THRESHOLD_QUANTILE, "minimize": 1.0 - THRESHOLD_QUANTILE, "target": 0.5}
# A power of two, for which Sobol points are balanced.
# https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.qmc.Sobol.html
N_QUANTILE = 256
_LABS, _FAMILY, _RELATED, _BAD = 1, 2, 3, 4  # streams of one seed


@dataclass(frozen=True)
class FailureLaw:
    """When the jet does not hold: onsets in units of the lab's own ranges."""

    drips_onset: float
    drips_voltage: float
    no_jet_onset: float
    beads_onset: float
    gain: float

    @classmethod
    def draw_from(cls, rng: np.random.Generator, ranges: Ranges) -> FailureLaw:
        """Draw a law: corners of the ranges fail in some labs, in others hardly anything does."""
        flow, volts = ranges.half_width("flow_rate"), ranges.half_width("voltage")
        pull = uniform(rng, 0.8, 1.6)
        return cls(
            drips_onset=(flow + pull * volts) * uniform(rng, 0.85, 1.6) + 0.1,
            drips_voltage=pull,
            no_jet_onset=(ranges.half_width("concentration") + volts) * uniform(rng, 0.9, 1.7)
            + 0.1,
            beads_onset=uniform(rng, 0.25, 0.5),
            gain=uniform(rng, 8.0, 16.0),
        )


@dataclass(frozen=True)
class Laws:
    """Everything that makes one simulated lab differ from another, but for its ranges."""

    diameter: DiameterLaw
    spread: SpreadLaw
    beads: BeadLaw
    wet: WetLaw
    alignment: AlignmentLaw
    mechanics: MechanicsLaw
    failure: FailureLaw

    @classmethod
    def draw_from(cls, rng: np.random.Generator, ranges: Ranges) -> Laws:
        """Draw every law."""
        return cls(
            DiameterLaw.draw_from(rng, ranges),
            SpreadLaw.draw_from(rng, ranges),
            BeadLaw.draw_from(rng, ranges),
            WetLaw.draw_from(rng),
            AlignmentLaw.draw_from(rng, ranges),
            MechanicsLaw.draw_from(rng),
            FailureLaw.draw_from(rng, ranges),
        )

    def perturbed(self, rng: np.random.Generator, spread: float) -> Laws:
        """Return the same forms with other constants."""
        return replace(
            self,
            diameter=perturbed(self.diameter, rng, spread),
            spread=perturbed(self.spread, rng, spread),
            beads=perturbed(self.beads, rng, spread),
            wet=perturbed(self.wet, rng, spread),
            alignment=perturbed(self.alignment, rng, spread),
            mechanics=self.mechanics.perturbed(rng, spread),
        )


class SimulatedLab(SpinningLab):
    """One draw of the ensemble: a :class:`~engine.lab.protocol.KnownLab` with its own campaign.

    ``campaign`` left out: the ranges' own, with the nanofibre template's ten outcomes and
    objectives, thresholds at the 5 % quantile of the lab's outcomes over its ranges.
    """

    def __init__(
        self, laws: Laws, ranges: Ranges, *, name: str, campaign: Campaign | None = None
    ) -> None:
        self.laws = laws
        self.ranges = ranges
        self.name = name
        self._campaign = campaign

    @cached_property
    def campaign(self) -> Campaign:
        """The search that this lab serves."""
        if self._campaign is not None:
            return self._campaign
        outcomes = self.truth_columns(self.design(N_QUANTILE))
        thresholds = {
            o.outcome: float(f"{np.quantile(outcomes[o.outcome], THRESHOLD_QUANTILE):.3g}")
            for o in nanofibre_campaign().objectives
        }
        return campaign_of(self.ranges, self.name, thresholds)

    @property
    def reference_ambient(self) -> dict[str, float]:
        """The room in which benchmarks judge settings: a mean day."""
        names = [p.name for p in self._campaign.ambient] if self._campaign else AMBIENT
        return {n: self.ranges.room_mean[n] for n in names} if self.ranges.room_read else {}

    def room(self, rng: np.random.Generator) -> dict[str, float]:
        """Return today's room, as read off an instrument; ``{}`` where nobody reads it."""
        return {name: float(value) for name, value in self.rooms(rng, ()).items()}

    def rooms(self, rng: np.random.Generator, shape: int | tuple[int, ...]) -> dict[str, Array]:
        """Return the readings of many days, each of ``shape``."""
        return {
            name: np.asarray(
                np.clip(
                    mean + self.ranges.room_sd[name] * rng.standard_normal(shape), *LIMITS[name]
                )
            ).round(1)
            for name, mean in self.reference_ambient.items()
        }

    def design(self, n: int, seed: int = 0) -> dict[str, Array]:
        """Return ``n`` Sobol settings over the ranges in the reference room, (n,) by parameter."""
        from scipy.stats import qmc

        names = list(self.ranges.turned)
        points = qmc.Sobol(len(names), seed=seed).random(n)
        columns = {
            name: low + (high - low) * points[:, i]
            for i, (name, (low, high)) in enumerate(self.ranges.turned.items())
        }
        return columns | {k: np.full(n, v) for k, v in self.reference_ambient.items()}

    def observe_columns(
        self, columns: Mapping[str, ArrayLike], rng: np.random.Generator
    ) -> tuple[dict[str, Array], Microstructure]:
        """Return what ``n`` runs would measure, and their mats: columns (n,), failures apart.

        Lot, specimen and reading noise as :meth:`run` has them.
        """
        filled = {name: np.atleast_1d(value) for name, value in self._filled(columns).items()}
        n = len(next(iter(filled.values())))
        mat = self._structure(filled, rng.standard_normal((N_LOT, n)))
        factors = draw_factors(self.laws.mechanics.properties, rng, n)
        ideal = self._ideal(filled, mat)
        return {name: value * factors[name] for name, value in ideal.items()}, mat

    def _filled(self, columns: Mapping[str, ArrayLike]) -> dict[str, Array]:
        hidden = {**self.ranges.fixed, **self.ranges.room_mean}
        return super()._filled({**hidden, **columns})

    def _structure(self, columns: Mapping[str, Array], lot: Array) -> Microstructure:
        e, laws = np.asarray(lot), self.laws
        drive = Drive.of(columns, self.ranges)
        u = laws.alignment.relative_speed(drive)
        ld = laws.diameter.log_diameter(drive, u) + laws.diameter.lot * e[0]
        cv = laws.spread.variation(drive, laws.alignment.overspeed(u))
        order = laws.alignment.order(drive, u, np.maximum(cv - laws.spread.steady, 0.0))
        order = np.clip(order + laws.alignment.lot * e[1], *ORDER_RANGE)
        fusion = laws.wet.fusion(drive)
        return Microstructure(
            diameter_nm=laws.diameter.at_centre_nm * np.exp(np.clip(ld, -3.0, 3.0)),
            diameter_cv=cv,
            order=order,
            porosity=laws.mechanics.air(fusion, order, ld, e[3]),
            bead_fraction=laws.beads.fraction(drive, e[2]),
            fusion=fusion,
        )

    def _ideal(self, columns: Mapping[str, Array], mat: Microstructure) -> dict[str, Array]:
        drive = Drive.of(columns, self.ranges)
        ld = np.log(mat.diameter_nm / self.laws.diameter.at_centre_nm)
        u = self.laws.alignment.relative_speed(drive)
        return self.laws.mechanics.outcomes(drive, mat, ld, u, self.laws.spread.steady)

    def _failures(self, columns: Mapping[str, Array], mat: Microstructure) -> dict[str, Array]:
        law, drive = self.laws.failure, Drive.of(columns, self.ranges)
        weeping = drive.lf - law.drips_voltage * drive.lv
        return {
            "no_jet": sigmoid(law.gain * (drive.lc - drive.lv - law.no_jet_onset)),
            "drips": sigmoid(law.gain * (weeping - law.drips_onset)),
            "beads": sigmoid(25.0 * (mat.bead_fraction - law.beads_onset)),
        }

    def _factors(self, rng: np.random.Generator) -> dict[str, float]:
        drawn = draw_factors(self.laws.mechanics.properties, rng, 1)
        return {name: float(value[0]) for name, value in drawn.items()}


class MisleadingLab(SimulatedLab):
    """A lab that says the opposite of what a lab would, or names the wrong knob.

    ``flipped``: each knob and reading counts from the far end of its range. ``crossed``: each
    knob's place in its range is taken for another's.
    """

    def __init__(
        self, lab: SimulatedLab, kind: Literal["flipped", "crossed"], rng: np.random.Generator
    ) -> None:
        super().__init__(lab.laws, lab.ranges, name=f"misled {lab.name}", campaign=lab.campaign)
        names = list(lab.ranges.turned)
        shift = int(rng.integers(1, max(len(names), 2)))
        shuffled = list(rng.permutation(len(names)))
        follows = {
            names[a]: names[b] for a, b in zip(shuffled, np.roll(shuffled, shift), strict=True)
        }
        self._follows = follows if kind == "crossed" else {name: name for name in names}
        self._flipped = kind == "flipped"

    def _filled(self, columns: Mapping[str, ArrayLike]) -> dict[str, Array]:
        true = super()._filled(columns)
        misled = dict(true)
        for name, source in self._follows.items():
            (low, high), (from_low, from_high) = self.ranges.span(name), self.ranges.span(source)
            place = np.clip((true[source] - from_low) / (from_high - from_low), 0.0, 1.0)
            misled[name] = low + (high - low) * (1.0 - place if self._flipped else place)
        if self._flipped:
            for name, mean in self.ranges.room_mean.items():
                misled[name] = 2.0 * mean - true[name]
        return misled


def draw_lab(seed: int) -> SimulatedLab:
    """Return one lab of the ensemble: its laws, room, noise and campaign follow from ``seed``."""
    rng = np.random.default_rng([_LABS, seed])
    ranges = draw_ranges(rng)
    return SimulatedLab(Laws.draw_from(rng, ranges), ranges, name=f"simulated {seed}")


def family_lab(seed: int, campaign: Campaign | None = None) -> SimulatedLab:
    """Return a lab of the ensemble that serves ``campaign`` (the nanofibre template's).

    Laws are drawn as :func:`draw_lab` draws them, for the campaign's ranges. Levels are set so that
    each objective's threshold lies at the 5 % quantile of that outcome over the ranges (95 % for
    an outcome to minimise, a target at the median): the campaign stays as it is and its thresholds
    make sense.

    Raises:
        UsageError: the campaign has parameters that no simulated lab has.
    """
    campaign = campaign or nanofibre_campaign()
    return _at_thresholds(serving_lab(seed, campaign), campaign)


def serving_lab(seed: int, campaign: Campaign) -> SimulatedLab:
    """Return what :func:`family_lab` does, at the levels that were drawn.

    Raises:
        UsageError: the campaign has parameters that no simulated lab has.
    """
    rng = np.random.default_rng([_FAMILY, seed])
    ranges = ranges_of(campaign, rng)
    laws = Laws.draw_from(rng, ranges)
    return SimulatedLab(laws, ranges, name=f"family {seed}", campaign=campaign)


def related(lab: SimulatedLab, seed: int, spread: float = 0.3) -> SimulatedLab:
    """Return a lab of the same forms: each sensitivity × (1 + ``spread`` · N(0, 1)).

    Levels differ by about 10 %; ranges, room and campaign are the same.
    """
    rng = np.random.default_rng([_RELATED, seed])
    name = f"related {seed} to {lab.name}"
    return SimulatedLab(
        lab.laws.perturbed(rng, spread), lab.ranges, name=name, campaign=lab.campaign
    )


def bad_lab(
    seed: int,
    campaign: Campaign | None = None,
    *,
    kind: Literal["flipped", "crossed"] | None = None,
) -> SimulatedLab:
    """Return a misleading lab for ``campaign``: even seeds ``flipped``, odd ones ``crossed``.

    Raises:
        UsageError: the campaign has parameters that no simulated lab has.
    """
    rng = np.random.default_rng([_BAD, seed])
    chosen = kind or ("flipped" if seed % 2 == 0 else "crossed")
    return MisleadingLab(family_lab(seed, campaign), chosen, rng)


def _at_thresholds(lab: SimulatedLab, campaign: Campaign) -> SimulatedLab:
    """Return the lab at levels that put the campaign's thresholds at a sensible quantile."""
    outcomes = lab.truth_columns(lab.design(N_QUANTILE))
    factors: dict[str, float] = {}
    for objective in campaign.objectives:
        name = objective.outcome.partition(".")[0]
        level = objective.threshold if objective.target is None else objective.target
        if objective.outcome not in outcomes or level is None or level <= 0 or name in factors:
            continue
        q = _LEVELS[objective.goal]
        factors[name] = level / float(np.quantile(outcomes[objective.outcome], q))
    laws = replace(lab.laws, mechanics=lab.laws.mechanics.scaled(factors))
    return SimulatedLab(laws, lab.ranges, name=lab.name, campaign=campaign)
