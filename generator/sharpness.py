"""How blurred a micrograph is, from how its slopes fall when it is smoothed further.

An edge that is blurred by σ and smoothed by k has a mean squared slope in proportion to
1/√(σ² + k²), whatever its height; white noise adds its own, which is known and taken off. Two
widths k give σ. Fibres are no single edges: where they are thin or their rims narrow there is more
of small structure than an edge has, and the answer lies below zero. So it is told as a signed
length, and means blur only above zero.

======  ==================================================================
k       standard deviation of the smoothing [px]
s(k)    mean squared slope of the smoothed picture, noise taken off
σ²      (k₂² − r k₁²) / (r − 1) with r = (s(k₁) / s(k₂))²
======  ==================================================================
"""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage as ndi

from generator.outlines import Image, noise_of

SMALLEST_PX, OF_DIAMETER = 1.0, 1.0 / 12.0
"""The narrower smoothing: at least, and so much of a fibre's diameter. The other is twice that."""

HAZY = 10.0
"""Told [px] where slopes do not fall at all: nothing is sharper than the wider smoothing."""


def blur_of(image: Image, diameter: float) -> float:
    """Return σ [px] of the blur of a grey picture, (height, width); sharp ones below zero.

    On drawn mats with a beam of σ 2 to 4.5 px on fibres of 10 to 14 px it tells 0.6 of σ (0.5 to
    0.7), and never more than 0 where the beam is below 0.9 px.

    Args:
        image: any scale of brightness.
        diameter: of its fibres, roughly [px].
    """
    narrow = max(SMALLEST_PX, OF_DIAMETER * diameter)
    wide = 2.0 * narrow
    noise = noise_of(image)
    first, second = (_squared_slope(image, k, noise) for k in (narrow, wide))
    ratio = (first / second) ** 2
    if not ratio > 1.0 + 1e-6:
        return HAZY
    square = (wide**2 - ratio * narrow**2) / (ratio - 1.0)
    return float(np.clip(math.copysign(math.sqrt(abs(square)), square), -HAZY, HAZY))


def _squared_slope(image: Image, smoothing: float, noise: float) -> float:
    slopes = ndi.gaussian_gradient_magnitude(image, smoothing)
    # Both components of the gradient of white noise after a Gaussian, each noise² / (8 π k⁴).
    own = noise**2 / (4.0 * math.pi * smoothing**4)
    return max(float(np.mean(np.square(slopes))) - own, 1e-12)
