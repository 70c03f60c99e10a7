"""Which pixels show air: areal porosity and the sizes of the pores.

The dark ground between fibres and the fibres have grey values of unlike shares and spreads, so the
threshold is that of least classification error (Kittler and Illingworth, Pattern Recognition 19,
41 (1986)), not one of equal classes. Where little air is seen the first two classes are far and
near fibres: what lies below is parted again as long as it is clearly two classes. Where nothing
parts, as in dense mats, only what is nearly black counts as a pore.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from generator.outlines import Image, noise_of

N_BINS = 128
# Hot and dead pixels would stretch the histogram.
TAILS = (0.0005, 0.9995)
NEARLY_BLACK = 0.06
"""Share of the way from the darkest to the brightest: best on drawn mats where nothing parts."""

SMOOTHING_PX, SMOOTHING_PER_NOISE = (0.7, 1.5), 3.0
"""Least and most; as much as a picture's noise, in its own spread, asks for."""

EDGE_PX = 3
# Fewer dark pixels together are noise or a fibre's shadow.
LEAST_PORE_PX = 12
CLEARLY = 0.2
"""By so much (in Kittler and Illingworth's J) two classes must describe better than one, to part
what has been parted before; far fibres from the ground: 0.25 to 0.6, ground in itself: less."""


def air(grey: Image, countable: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Return the mask of what lies deeper than any fibre seen, (height, width).

    ``countable``: the mask of what of the picture is to count; nothing else has air.
    """
    mask = np.ones(grey.shape, dtype=np.bool_) if countable is None else countable
    if not mask.any():
        return mask
    smooth = smoothed(grey)
    return air_below(smooth, dark_levels(smooth[mask])[0], mask)


def smoothed(grey: Image) -> Image:
    """Return a picture in which single pixels' noise no longer parts air from fibres."""
    noise = noise_of(grey) / max(float(grey.std()), 1e-9)
    return ndi.gaussian_filter(grey, float(np.clip(SMOOTHING_PER_NOISE * noise, *SMOOTHING_PX)))


def air_below(
    smooth: Image, threshold: float, mask: NDArray[np.bool_], blur: float = 0.0
) -> NDArray[np.bool_]:
    """Return the air below a grey value in a smoothed picture, up to the fibres beside it.

    ``blur``: how much farther than in a sharp picture they may be [px].
    """
    core = np.asarray(smooth < threshold)
    labels, n = ndi.label(_up_to_half_height(smooth, core, EDGE_PX + round(blur)) & mask)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    sizes[0] = 0
    return np.asarray(sizes[labels] >= LEAST_PORE_PX)


def dark_levels(values: Image) -> list[float]:
    """Return the grey values below which there may be air, the likeliest first, then darker ones.

    The last one is what is nearly black.
    """
    low, high = np.quantile(values, TAILS)
    levels = _thresholds(values)
    black = float(low + NEARLY_BLACK * (high - low))
    return [*levels, black] if not levels or black < levels[-1] else levels


def _up_to_half_height(smooth: Image, core: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Move the border of ``core`` to where grey is half way to the fibre beside it.

    The blur of lens and filter spreads an edge over some pixels; its place is its half height.
    """
    if not core.any():
        return core
    ground = float(np.median(smooth[core]))
    brightest = ndi.maximum_filter(smooth, 2 * reach + 1)
    near = ndi.distance_transform_edt(~core) <= reach
    return np.asarray(core | (near & (smooth < 0.5 * (ground + brightest))))


def least_error_threshold(values: Image) -> float | None:
    """Return the grey value between ground and fibres; ``None`` where there is but one class."""
    levels = _thresholds(values)
    return levels[0] if levels else None


def _thresholds(values: Image) -> list[float]:
    """Return the threshold of least error, then those that part what lies below it again."""
    low, high = np.quantile(values, TAILS)
    if not high > low:
        return []
    counts, edges = np.histogram(np.clip(values, low, high), bins=N_BINS, range=(low, high))
    at, gain = _parted(counts)
    levels: list[float] = []
    while gain > 0.0:
        # Fewer bins cannot be parted in two with a variance each.
        lower, gain = _parted(counts[: at + 1]) if at >= 8 else (0, 0.0)
        # What is clearly two classes is parted before anything is called air.
        if levels or not gain > CLEARLY:
            levels.append(float(edges[at + 1]))
        at = lower
    return levels


def _parted(counts: NDArray[np.integer]) -> tuple[int, float]:
    """Return the last bin of the lower of two classes, and how much better two describe than one.

    Minimises J(t) = 1 + 2 Σ p ln σ − 2 Σ p ln p over both sides of t (Kittler and Illingworth's
    equation 15), up to Otsu's threshold: beyond it bright fibres would part from the rest. One
    class is what is described no worse by a single normal law.
    """
    share, bins = counts / counts.sum(), np.arange(counts.size)
    p = np.cumsum(share)
    first, second = np.cumsum(share * bins), np.cumsum(share * bins**2)
    # A uniform law of width 1; without it a class in a single bin had no variance, and the
    # logarithm no bound.
    bin_variance = 1.0 / 12.0  # variance inside a bin
    total = second[-1] - first[-1] ** 2 + bin_variance
    between_classes = (first[-1] * p - first) ** 2 / np.maximum(p * (1.0 - p), 1e-12)
    best, at = np.inf, 0
    for i in range(2, min(counts.size - 4, int(between_classes[:-1].argmax())) + 1):
        # So few pixels fit any normal law perfectly.
        if not 0.002 < p[i] < 0.998:
            continue
        dark_share, bright_share = p[i], 1.0 - p[i]
        v1 = second[i] / dark_share - (first[i] / dark_share) ** 2 + bin_variance
        v2 = (
            (second[-1] - second[i]) / bright_share
            - ((first[-1] - first[i]) / bright_share) ** 2
            + bin_variance
        )
        cost = dark_share * np.log(v1) + bright_share * np.log(v2)
        cost -= 2.0 * (dark_share * np.log(dark_share) + bright_share * np.log(bright_share))
        if cost < best:
            best, at = float(cost), i
    return at, float(np.log(total)) - best


def pore_diameters(
    mask: NDArray[np.bool_], left_out: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return each pore's diameter [px], that of the circle of its area; cut ones left out.

    A pore that touches the border, or what is ``left_out``, is of unknown size. Connectivity:
    edges, not corners.
    """
    labels, n = ndi.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:].astype(np.float64)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    if left_out is not None and left_out.any():
        border = np.concatenate([border, labels[ndi.binary_dilation(left_out)]])
    inner = np.setdiff1d(np.arange(1, n + 1), border)
    return np.asarray(2.0 * np.sqrt(sizes[inner - 1] / np.pi))
