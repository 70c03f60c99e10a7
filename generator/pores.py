"""Which pixels show air: areal porosity and the sizes of the pores.

The dark ground between fibres and the fibres have grey values of unlike shares and spreads, so the
threshold is that of least classification error (Kittler and Illingworth, Pattern Recognition 19,
41 (1986)), not one of equal classes. Where the two do not part, no pixel counts as a pore.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from generator.outlines import Image

N_BINS = 128
SMOOTHING_PX = 1.0
EDGE_PX = 2
LEAST_PORE_PX = 12


def air(grey: Image) -> NDArray[np.bool_]:
    """Return the mask of what lies deeper than any fibre seen, (height, width)."""
    smooth = ndi.gaussian_filter(grey, SMOOTHING_PX)
    threshold = least_error_threshold(smooth)
    if threshold is None:
        return np.zeros(grey.shape, dtype=np.bool_)
    mask = _up_to_half_height(smooth, np.asarray(smooth < threshold))
    labels, n = ndi.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    sizes[0] = 0
    return np.asarray(sizes[labels] >= LEAST_PORE_PX)


def _up_to_half_height(smooth: Image, core: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Move the border of ``core`` to where grey is half way to the fibre beside it.

    The blur of lens and filter spreads an edge over some pixels; its place is its half height.
    """
    if not core.any():
        return core
    ground = float(np.median(smooth[core]))
    beside = ndi.maximum_filter(smooth, 2 * EDGE_PX + 1)
    near = ndi.binary_dilation(core, iterations=EDGE_PX)
    return np.asarray(core | (near & (smooth < 0.5 * (ground + beside))))


def least_error_threshold(values: Image) -> float | None:
    """Return the grey value between ground and fibres; ``None`` where there is but one class.

    Minimises J(t) = 1 + 2 Σ p ln σ − 2 Σ p ln p over both sides of t (Kittler and Illingworth's
    equation 15), up to Otsu's threshold: beyond it bright fibres would part from the rest. One
    class is what is described no worse by a single normal law.
    """
    low, high = np.quantile(values, [0.0005, 0.9995])
    if not high > low:
        return None
    counts, edges = np.histogram(np.clip(values, low, high), bins=N_BINS, range=(low, high))
    share = counts / counts.sum()
    middle = 0.5 * (edges[1:] + edges[:-1])
    best, threshold = np.inf, None
    p = np.cumsum(share)
    first, second = np.cumsum(share * middle), np.cumsum(share * middle**2)
    width = edges[1] - edges[0]
    whole = second[-1] - first[-1] ** 2 + width**2 / 12
    between = (first[-1] * p - first) ** 2 / np.maximum(p * (1.0 - p), 1e-12)
    for i in range(2, min(N_BINS - 4, int(between[:-1].argmax())) + 1):
        if not 0.002 < p[i] < 0.998:
            continue
        below, above = p[i], 1.0 - p[i]
        v1 = second[i] / below - (first[i] / below) ** 2 + width**2 / 12
        v2 = (second[-1] - second[i]) / above - ((first[-1] - first[i]) / above) ** 2
        v2 += width**2 / 12
        cost = below * np.log(v1) + above * np.log(v2)
        cost -= 2.0 * (below * np.log(below) + above * np.log(above))
        if cost < best:
            best, threshold = float(cost), float(edges[i + 1])
    return threshold if best < np.log(whole) else None


def pore_diameters(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return each pore's diameter [px], that of the circle of its area; cut ones left out.

    A pore that touches the border is of unknown size. Connectivity: edges, not corners.
    """
    labels, n = ndi.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:].astype(np.float64)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    inner = np.setdiff1d(np.arange(1, n + 1), border)
    return np.asarray(2.0 * np.sqrt(sizes[inner - 1] / np.pi))
