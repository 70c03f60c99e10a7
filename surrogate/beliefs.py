"""What the plain surrogate believes beforehand: of noise, of smoothness, of the campaign."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Belief:
    """What is expected of an outcome: location and scale of normal priors of logarithms.

    In units of the standardised outcome and of the unit cube. ``lengthscale``: ``None`` takes the
    modes of BoTorch's default, LogNormal(√2 + ½ ln d, √3) (Hvarfner, Hellsten & Nardi 2024): a
    normal with the location μ − σ² has its maximum where the log-normal density of the value has.
    """

    name: str
    noise: tuple[float, float]
    lengthscale: tuple[float, float] | None
    outputscale: tuple[float, float] = (-0.7, 1.0)
    is_noisy: bool = False

    def priors(self, n_lengthscales: int) -> tuple[list[float], list[float]]:
        """Return locations and scales for D lengthscales, the isotropic one, a₁, a₂ and σ²."""
        by_dimension = math.sqrt(2) + 0.5 * math.log(n_lengthscales) - 3.0, math.sqrt(3)
        length = self.lengthscale or by_dimension
        pairs = [length] * (n_lengthscales + 1) + [self.outputscale] * 2 + [self.noise]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


_SMOOTH = (0.5, 0.7)

BELIEFS = (
    Belief("noisy and smooth", (-0.5, 0.5), _SMOOTH, is_noisy=True),
    Belief("clean and smooth", (-4.0, 1.0), _SMOOTH),
    Belief("noisy, any length", (-0.75, 0.5), None, is_noisy=True),
    Belief("clean, any length", (-5.0, 1.0), None),
)
"""Specimens of one mat scatter as in the first and third; a robot's measurements as in the rest."""


NOISE_IS_RARE = math.exp(3.0)
"""Odds against noise of the size of the signal, in fields where nothing speaks for it."""


@dataclass(frozen=True)
class PlainInputs:
    """What the plain surrogate is told of a campaign besides its results.

    ``choices``: columns of X that are one-hot together. ``is_of_specimens``: whether results are of
    single specimens, as in the testing of mats, so that noise is as likely as not; elsewhere it
    has to be :data:`NOISE_IS_RARE` times better supported.
    """

    choices: tuple[tuple[int, ...], ...] = ()
    is_of_specimens: bool = True


MATS = PlainInputs()
"""A campaign of numbers only, its results of single specimens."""
