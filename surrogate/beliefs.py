"""What the plain surrogate believes beforehand: of noise, of smoothness, of the campaign."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surrogate.kernel_fit import Columns


@dataclass(frozen=True)
class Belief:
    """What is expected of an outcome: location and scale of normal priors of logarithms.

    In units of the standardised outcome and of the unit cube. ``lengthscale``: ``None`` takes the
    modes of BoTorch's default, LogNormal(√2 + ½ ln d, √3) (Hvarfner, Hellsten & Nardi 2024): a
    normal with the location μ − σ² has its maximum where the log-normal density of the value has.
    There d counts columns, those of a one-hot choice too, two of which are √2 apart; here they are
    at distance one, so that a choice's lengthscale is √2 shorter.
    ``outputscales``: of the kernel with a lengthscale for each input, and of the isotropic one.
    ``is_squared``: the former is the squared exponential. ``is_additive``: it is a sum of one for
    each input, which has nothing of how inputs act together. ``is_of_means``: ``noise`` is that of
    the means of replicates, which have a noise of their own besides. ``log_odds_against``:
    beforehand, in nats, where results are not of specimens.
    """

    name: str
    noise: tuple[float, float]
    lengthscale: tuple[float, float] | None
    outputscales: tuple[tuple[float, float], tuple[float, float]] = ((-0.7, 1.0), (-0.7, 1.0))
    is_squared: bool = False
    is_additive: bool = False
    is_of_means: bool = False
    log_odds_against: float = 0.0

    def priors(self, columns: Columns, *, has_replicates: bool) -> list[tuple[float, float]]:
        """Return location and scale for D lengthscales, the isotropic one, a₁, a₂, τ² and σ²."""
        by_dimension = math.sqrt(2) + 0.5 * math.log(len(columns.group)) - 3.0
        lengths = [
            self.lengthscale or (by_dimension + math.log(columns.factor_of(place)), math.sqrt(3))
            for place in range(columns.n_lengthscales)
        ]
        lengths.append(self.lengthscale or (by_dimension, math.sqrt(3)))
        nugget, noise = _NONE, self.noise
        if self.is_of_means and has_replicates:
            nugget, noise = self.noise, _PINNED
        return [*lengths, *self.outputscales, nugget, noise]


_SMOOTH = (0.5, 0.7)
_NONE = (-9.0, 0.1)
"""Of a variance: as good as nothing."""
_PINNED = (-3.0, 2.0)
"""Of a noise that replicates tell."""
_UNIT = ((0.0, 0.1), _NONE)

BELIEFS = (
    Belief("noisy and smooth", (-0.5, 0.5), _SMOOTH, log_odds_against=6.0),
    Belief("clean and smooth", (-4.0, 1.0), _SMOOTH, log_odds_against=3.0),
    Belief("noisy, any length", (-0.75, 0.5), None, log_odds_against=6.0),
    Belief("clean, any length", (-5.0, 1.0), None, log_odds_against=3.0),
)
"""Specimens of one mat scatter as in the first and third; a robot's measurements as in the rest."""

DEFAULT = Belief("BoTorch's default", (-5.0, 1.0), None, _UNIT, is_squared=True, is_of_means=True)
"""``SingleTaskGP`` of the means of replicates."""
ADDITIVE = replace(
    DEFAULT,
    name="each input by itself",
    outputscales=((0.0, 0.5), (-2.0, 1.0)),
    is_squared=False,
    is_additive=True,
)
"""Of choices: what a ligand adds, it mostly adds beside every base. The rest is isotropic."""


@dataclass(frozen=True)
class PlainInputs:
    """What the plain surrogate is told of a campaign besides its results.

    ``choices``: columns of X that are one-hot together. ``is_of_specimens``: whether results are of
    single specimens, as in the testing of mats, so that noise is as likely as not; elsewhere
    BoTorch's default leads until another belief is better supported by more than its odds.
    """

    choices: tuple[tuple[int, ...], ...] = ()
    is_of_specimens: bool = True

    @property
    def beliefs(self) -> tuple[Belief, ...]:
        """What to average over."""
        if self.is_of_specimens:
            return BELIEFS
        return (DEFAULT, *((ADDITIVE,) if self.choices else ()), *BELIEFS)


MATS = PlainInputs()
"""A campaign of numbers only, its results of single specimens."""
