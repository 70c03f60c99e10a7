"""Beads: round swellings, found as blobs that are much wider than the fibres.

A blob is a local maximum of −s² ∇² over place and scale (Lindeberg, Int. J. Computer Vision 30, 79
(1998)) that falls off alike in both directions; a bead of radius r answers most at s = r/√2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from generator.ribbons import Image

SCALES = (1.1, 1.5, 2.0, 2.8, 3.9)
"""Blob scales searched, in fibre diameters' halves."""

ROUNDNESS = 0.5
CONTRAST = 0.22


def find_beads(grey: Image, fibre_px: float) -> NDArray[np.float64]:
    """Return beads, (n, 3): row, column, radius [px]; none where fibres are thinner than 2 px."""
    if not fibre_px >= 2.0:
        return np.zeros((0, 3))
    low, high = np.quantile(grey, [0.02, 0.98])
    if not high > low:
        return np.zeros((0, 3))
    image = np.asarray((grey - low) / (high - low), dtype=np.float32)
    found = []
    for scale in SCALES:
        sigma = scale * fibre_px
        if 4.0 * sigma > min(grey.shape):
            break
        found += _blobs(image, sigma)
    beads: list[NDArray[np.float64]] = []
    for bead in sorted(found, key=lambda one: -one[3]):
        if all(np.hypot(*(bead[:2] - other[:2])) > bead[2] + 0.5 * other[2] for other in beads):
            beads.append(bead)
    return np.array([bead[:3] for bead in beads]).reshape(-1, 3)


def _blobs(image: Image, sigma: float) -> list[NDArray[np.float64]]:
    step = max(1, int(sigma / 3.0))  # a blurred picture needs few pixels
    small = ndi.gaussian_filter(image, 0.5 * step)[::step, ::step] if step > 1 else image
    inner = sigma / step
    yy, xx, xy = (
        ndi.gaussian_filter(small, inner, order=order) * inner**2
        for order in ((2, 0), (0, 2), (1, 1))
    )
    mean, spread = -0.5 * (yy + xx), np.hypot(0.5 * (yy - xx), xy)
    weak, strong = mean - spread, mean + spread
    answer = np.where(weak > ROUNDNESS * strong, weak, 0.0)
    peak = (answer == ndi.maximum_filter(answer, 2 * int(inner) + 1)) & (answer > CONTRAST)
    rows, columns = np.nonzero(peak)
    radius = np.sqrt(2.0) * sigma
    return [
        np.array([y * step, x * step, radius, answer[y, x]])
        for y, x in zip(rows, columns, strict=True)
    ]


def bead_mask(beads: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which pixels lie in a bead."""
    mask = np.zeros(shape, dtype=np.bool_)
    for y, x, r in beads:
        top, left = max(0, int(y - r)), max(0, int(x - r))
        part = mask[top : int(y + r) + 2, left : int(x + r) + 2]
        rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
        part |= (rows + top - y) ** 2 + (columns + left - x) ** 2 <= r * r
    return mask
