"""Ways to measure fibres that other tools take, made anew from what their papers describe.

=================  ================================================================================
way of DiameterJ   Otsu's threshold, thinned to axes; twice the distance to the nearest ground along
                   the axes, crossings left out (Hotaling et al., Biomaterials 61, 327 (2015))
way of SIMPoly     threshold, axes cut at crossings into pieces; a piece's median thickness, short
                   pieces left out, weighted by its length (Murphy et al., Tissue Engineering C 26,
                   628 (2020))
way of GIFT        the picture turned step by step; edges that run along the turned columns for a
                   while, each with the opposite edge that follows (Götz et al., PLOS ONE 17,
                   e0265528 (2022))
=================  ================================================================================

No code of theirs is used, and settings are those that the papers describe or, where they ask the
user, one choice for all pictures; the tools themselves, tuned by hand, may do better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.signal import find_peaks

from generator.statistics import measure

Array = NDArray[np.float64]
LEAST_SPECK_PX = 64
TURNS = 18
RUN_PX, EDGE, WIDEST_SHARE = 24, 1.5, 1 / 8
"""As the way of GIFT looks at it: an edge runs straight for so long and is so many standard
deviations high; a fibre is at most so much of the picture's shorter side wide."""

AROUND = (0.4, 1.8)
"""So much of the histogram around its peak is taken for fibres."""


@dataclass(frozen=True)
class Diameters:
    """What a method says: mean and standard deviation [px], standard error where it tells one."""

    mean: float = float("nan")
    sd: float = float("nan")
    error: float = float("nan")


def of_ours(grey: NDArray[np.uint8]) -> Diameters:
    """Return what :func:`generator.statistics.measure` says."""
    statistics = measure(grey).statistics
    diameter = statistics.diameter
    if diameter.mean is None or diameter.sd is None:
        return Diameters()
    error = statistics.standard_errors["diameter"]
    return Diameters(diameter.mean, diameter.sd, float("nan") if error is None else error)


def of_diameterj(grey: NDArray[np.uint8]) -> Diameters:
    """Return thicknesses along the axes of the thresholded picture, crossings left out."""
    _, thickness, axes = _axes(_smooth(grey), is_local=False)
    distance = ndi.distance_transform_edt(~_crossings(axes))
    # A crossing is as thick as the fibres that meet in it.
    clear = axes & (distance > 0.5 * thickness)
    return _summary(thickness[clear], np.ones(int(clear.sum())))


def of_simpoly(grey: NDArray[np.uint8]) -> Diameters:
    """Return the thicknesses of the axes' pieces between crossings, by length."""
    from skimage.measure import label

    _, thickness, axes = _axes(_smooth(grey), is_local=True)
    pieces = label(
        axes & ~ndi.binary_dilation(_crossings(axes), np.ones((3, 3), dtype=np.bool_)),
        connectivity=2,
    )
    n = int(pieces.max())
    if not n:
        return Diameters()
    numbers = np.arange(1, n + 1)
    length = np.asarray(ndi.sum_labels(np.ones_like(thickness), pieces, numbers))
    median = np.asarray(ndi.median(thickness, pieces, numbers))
    long = length >= np.maximum(median, 5.0)
    return _summary(median[long], length[long])


def of_gift(grey: NDArray[np.uint8]) -> Diameters:
    """Return the distances between straight edges and the opposite ones beside them."""
    smooth = _smooth(grey)
    widths: list[Array] = []
    weights: list[Array] = []
    for step in range(TURNS):
        turned = ndi.rotate(smooth, 180.0 * step / TURNS, reshape=True, order=1, cval=-1.0)
        # Where the turned picture ends there is an edge that is none.
        inside = ndi.minimum_filter(turned >= 0.0, 9)
        slope = ndi.gaussian_filter1d(turned, 1.0, axis=1, order=1)
        slope = ndi.uniform_filter1d(slope * inside, RUN_PX, axis=0)
        least = EDGE * float(np.std(slope[inside])) if inside.any() else 1.0
        for row in range(RUN_PX // 2, slope.shape[0], RUN_PX // 2):
            pairs = _opposite_edges(slope[row], least)
            widths.append(pairs[0])
            weights.append(pairs[1])
    width, weight = np.concatenate(widths), np.concatenate(weights)
    counts = np.bincount(width.astype(np.intp), weight, minlength=2)
    counts = ndi.gaussian_filter1d(counts[: int(WIDEST_SHARE * min(grey.shape)) + 1], 1.0)
    peak = float(np.argmax(counts))
    # Distances between unlike fibres lie far from the peak.
    is_fibre = (width > AROUND[0] * peak) & (width < AROUND[1] * peak)
    return _summary(width[is_fibre], weight[is_fibre])


METHODS: dict[str, Callable[[NDArray[np.uint8]], Diameters]] = {
    "ours": of_ours,
    "way of DiameterJ": of_diameterj,
    "way of SIMPoly": of_simpoly,
    "way of GIFT": of_gift,
}


def _smooth(grey: NDArray[np.uint8]) -> Array:
    return np.asarray(ndi.gaussian_filter(ndi.median_filter(grey.astype(np.float64), 3), 0.7))


def _axes(smooth: Array, *, is_local: bool) -> tuple[NDArray[np.bool_], Array, NDArray[np.bool_]]:
    """Return fibres, twice the distance to the ground, and the thinned fibres."""
    from skimage.filters import threshold_local, threshold_otsu
    from skimage.morphology import remove_small_holes, remove_small_objects, skeletonize

    side = 2 * (min(smooth.shape) // 12) + 1
    level = threshold_local(smooth, side) if is_local else threshold_otsu(smooth)
    mask = remove_small_objects(smooth > level, max_size=LEAST_SPECK_PX)
    mask = remove_small_holes(mask, max_size=LEAST_SPECK_PX // 4)
    # The nearest ground pixel's middle lies half a pixel beyond the edge.
    thickness = np.maximum(2.0 * ndi.distance_transform_edt(mask) - 1.0, 0.0)
    return mask, thickness, skeletonize(mask)


def _crossings(axes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    neighbours = ndi.convolve(axes.astype(np.intp), np.ones((3, 3), dtype=np.intp), mode="constant")
    return np.asarray(axes & (neighbours > 3))


def _opposite_edges(slope: Array, least: float) -> tuple[Array, Array]:
    """Return widths and weights of bright stripes: a rise, and the fall that follows."""
    rises, _ = find_peaks(slope, height=least)
    falls, _ = find_peaks(-slope, height=least)
    if not rises.size or not falls.size:
        return np.zeros(0), np.zeros(0)
    following = np.searchsorted(falls, rises)
    has_fall = following < falls.size
    rises, partner = rises[has_fall], falls[following[has_fall]]
    is_nearest = np.append(rises[1:] > partner[:-1], True) if rises.size else has_fall[:0]
    rises, partner = rises[is_nearest], partner[is_nearest]
    return (partner - rises).astype(np.float64), np.minimum(slope[rises], -slope[partner])


def _summary(values: Array, weights: Array) -> Diameters:
    if not values.size or not weights.sum() > 0:
        return Diameters()
    mean = float(np.average(values, weights=weights))
    return Diameters(mean, float(np.sqrt(np.average((values - mean) ** 2, weights=weights))))
