"""Whether the dark parts of a picture are the ground, or fibres that lie deep in the shadow.

Air shows the ground, which is flat; deep fibres have edges and rims, however dark they are. And
what dense mats leave in shadow between their upper fibres is in smaller cells than as much true air
would be. Both signs together make the ``index``; where it is high, the next darker class of the
picture is asked. Where none passes, no ground is seen: the darkest class is told as air, with an
error that reaches down to none, and that is said.

======  ==================================================================
T       texture: standard deviation of the difference of two smoothings inside, noise taken off,
        over the difference between fibres' grey and the ground's
c       radius of the cells, their 90th percentile by area, over the fibres' diameter
p       share of the picture
index   2.84 ln(T / 0.02) − 4.86 ln(c / 0.55) + 3.2 ln(p / 0.2)
======  ==================================================================

A logistic regression on mats of the second renderer, seed 1000 (on which nothing is reported), of
whether more than 0.1 too much was taken for air: right in 97 % of those that are not blurred.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from generator.outlines import Image
from generator.pores import air_below, dark_levels, smoothed

FINE_PX, COARSE_PX = 1.5, 4.0
"""The two smoothings."""

MARGIN_PX, FEWEST_PX = 2, 200
"""What is so near the air's border shows the fibre's edge; of fewer pixels nothing can be said."""

PER_TEXTURE, PER_CELL, PER_SHARE = 2.84, -4.86, 3.2
USUAL_TEXTURE, USUAL_CELL, USUAL_SHARE = 0.02, 0.55, 0.2

LIMIT, LIMIT_BELOW, FOR_BLUR = 0.5, -1.1, 1.0
"""Index from which on it is no ground: of the first class, of darker ones; and what a blurred
picture, whose edges reach into the air, is allowed beyond that."""

BLURRED = 0.06
"""From this blur on [of the diameter]."""

OF_BLUR = 2.0
"""So many times the blur farther an edge may reach into the air."""

DOUBTFUL = -0.5
"""Index from which on the ground is accepted with doubt."""

OF_NONE, OF_DARKER, OF_DOUBTFUL = 0.6, 0.2, 0.65
"""Standard error: where no ground is seen, of what was first taken for it; where a darker class is
taken, of what that is less; where it is doubtful, of itself."""


@dataclass(frozen=True)
class Ground:
    """Attributes:
    mask: (height, width), what is air.
    error: standard error of its share that comes from the choice of the ground alone.
    doubts: sentences on it.
    """

    mask: NDArray[np.bool_]
    error: float = 0.0
    doubts: tuple[str, ...] = ()


def find_ground(
    grey: Image, diameter: float, blur: float, countable: NDArray[np.bool_] | None = None
) -> Ground:
    """Return the air of a picture, (height, width).

    Args:
        grey: any scale of brightness.
        diameter: mean of its fibres [px].
        blur: of that diameter.
        countable: the mask of what of the picture counts; nothing else has air.
    """
    mask = np.ones(grey.shape, dtype=np.bool_) if countable is None else countable
    if not mask.any():
        return Ground(mask)
    smooth = smoothed(grey)
    allowed = FOR_BLUR if blur > BLURRED else 0.0
    first_share, share, limit = 0.0, 0.0, LIMIT + allowed
    dark = np.zeros_like(mask)
    for level in dark_levels(smooth[mask]):
        dark = air_below(smooth, level, mask, OF_BLUR * max(blur, 0.0) * diameter)
        share = float(dark[mask].mean())
        index = ground_index(grey, dark, diameter, share)
        if index <= limit:
            return _accepted(dark, share, first_share or share, index - allowed)
        first_share, limit = first_share or share, LIMIT_BELOW + allowed
    return Ground(
        dark,
        OF_NONE * max(first_share, share),
        (
            "no flat ground is seen: what is dark looks like fibres that lie deep, so the porosity "
            "may be anything up to what is told, or none",
        ),
    )


def _accepted(mask: NDArray[np.bool_], share: float, first: float, index: float) -> Ground:
    if share < first:
        return Ground(mask, OF_DARKER * (first - share))
    if index > DOUBTFUL:
        return Ground(
            mask,
            OF_DOUBTFUL * share,
            ("the dark parts may be ground or fibres that lie deep: porosity is doubtful",),
        )
    return Ground(mask)


def ground_index(grey: Image, mask: NDArray[np.bool_], diameter: float, share: float) -> float:
    """Return the index of the table above; −∞ where too little is seen to tell."""
    inside = ndi.binary_erosion(mask, iterations=MARGIN_PX)
    if inside.sum() < FEWEST_PX or mask.all():
        return -math.inf
    band = (_smooth_inside(grey, inside, FINE_PX) - _smooth_inside(grey, inside, COARSE_PX))[inside]
    contrast = float(np.median(grey[~mask]) - np.median(grey[inside]))
    variance = float(band.var())
    # Of very noisy grounds a remainder is kept: the noise is not known better than that.
    texture = math.sqrt(max(variance - _noise_variance(grey, inside), 0.04 * variance, 1e-18))
    radii = ndi.distance_transform_edt(mask)[mask]
    terms = (
        (PER_TEXTURE, texture / max(contrast, 1e-9) / USUAL_TEXTURE),
        (PER_CELL, float(np.quantile(radii, 0.9)) / diameter / USUAL_CELL),
        (PER_SHARE, share / USUAL_SHARE),
    )
    return sum(factor * math.log(max(ratio, 1e-9)) for factor, ratio in terms)


def _smooth_inside(grey: Image, inside: NDArray[np.bool_], px: float) -> Image:
    """Return the picture smoothed over what is inside alone."""
    weight = ndi.gaussian_filter(inside.astype(np.float32), px)
    total = ndi.gaussian_filter(np.where(inside, grey, 0.0).astype(np.float32), px)
    return np.asarray(total / np.maximum(weight, 1e-6))


def _noise_variance(grey: Image, inside: NDArray[np.bool_]) -> float:
    """Return what white noise adds to the variance of the difference of the two smoothings."""
    kernel = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]], dtype=np.float32)
    noise = 1.4826 * float(np.median(np.abs(ndi.convolve(grey, kernel)[inside]))) / 6.0
    # Both filters are Gaussians: each has 1/(4 π σ²), their product 1/(2 π (σ₁² + σ₂²)).
    squares = 1.0 / FINE_PX**2 + 1.0 / COARSE_PX**2 - 4.0 / (FINE_PX**2 + COARSE_PX**2)
    return noise**2 * squares / (4.0 * math.pi)
