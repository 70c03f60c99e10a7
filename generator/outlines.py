"""Edges of a picture, and what it looks like across each: the patches in which fibres are measured.

An edge is where grey changes most across it (Canny, PAMI 8, 679 (1986)), the normal being
the structure tensor's. Each edge is looked at twice, once for the fibre that may lie on either
side.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from scipy import ndimage as ndi

Array = NDArray[np.float64]
Image = NDArray[np.float32]

SIGMA, TENSOR_SIGMA = 1.0, 1.5
# A little before the edge and far into the fibre: its opposite edge has to be in sight.
ACROSS = np.arange(-7.0, 24.0)
# Dense near the edge, sparse away from it.
ALONG = np.array([-8.0, -4.0, -2.0, 0.0, 2.0, 4.0, 8.0])
CONTEXT_PX = (1.0, 2.0, 4.0)
N_CONTEXT = len(CONTEXT_PX)
N_FEATURES = ACROSS.size * ALONG.size + 1 + N_CONTEXT
NOISE_FACTOR, FAINTEST = 2.5, 0.03
# Filters reflect the picture there, which makes edges that are none.
BORDER_PX = 3
TIE = 1e-3
"""An edge half way between two pixels belongs to one of them [px]."""

LEAST_VIEW_PX = 12.0
"""So deep into the fibre there must be picture: what the border cuts looks too thick."""


@dataclass(frozen=True)
class Outlines:
    """Places of edges, each (n,): ``y``, ``x`` [px]; the unit normal ``down``, ``right``.

    The normal points into what may be a fibre. ``length``: the length of edge it stands for [px].
    """

    y: Array
    x: Array
    down: Array
    right: Array
    length: Array

    def __len__(self) -> int:
        return self.y.size

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Outlines:
        """Return the chosen ones."""
        return Outlines(*(column[chosen] for column in vars(self).values()))

    def at(self, depth: Array | float) -> tuple[Array, Array]:
        """Return rows and columns of places so deep inside [px]."""
        return self.y + depth * self.down, self.x + depth * self.right


@dataclass(frozen=True)
class Context:
    """What a picture is like as a whole, for those who see a patch of it.

    Attributes:
        spread: standard deviation of its grey values.
        sharpness: (:data:`N_CONTEXT`,) logarithms of the noise over the spread, and of how slopes
            fall from one smoothing of :data:`CONTEXT_PX` to the next: dark rims and blur look
            alike in a patch, not there.
    """

    spread: float
    sharpness: Image


def context_of(image: Image) -> Context:
    """Return the context of a picture, (height, width)."""
    spread = float(image.std())
    slopes = [
        px * np.sqrt(np.mean(np.square(ndi.gaussian_gradient_magnitude(image, px))))
        for px in CONTEXT_PX
    ]
    falls = [first / (second + 1e-9) + 1e-6 for first, second in itertools.pairwise(slopes)]
    shares = [noise_of(image) / (spread + 1e-9) + 1e-3, *falls]
    return Context(spread, np.clip(np.log(shares), -6.0, 4.0).astype(np.float32))


def resized(image: Image, scale: float, shape: tuple[int, int] | None = None) -> Image:
    """Return a picture whose pixels are ``scale`` of the given one's wide, each way alike.

    Coarser: means over the new pixel (Hamming's window); finer: cubic. The upper left corners
    coincide; what does not fill a pixel at the right and below is left out. ``shape``: (height,
    width) of the result, where it is known better.
    """
    height, width = shape or tuple(max(1, int(n / scale + 1e-6)) for n in image.shape)
    filter_ = Pictures.Resampling.HAMMING if scale > 1.0 else Pictures.Resampling.BICUBIC
    box = (0.0, 0.0, min(width * scale, image.shape[1]), min(height * scale, image.shape[0]))
    picture = Pictures.fromarray(np.ascontiguousarray(image, dtype=np.float32))
    return np.array(picture.resize((width, height), filter_, box=box), dtype=np.float32)


def noise_of(grey: Image) -> float:
    """Return the noise's standard deviation: median of a Laplacian (after Immerkær, 1996)."""
    kernel = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]], dtype=np.float32)
    # 1.4826: from the median deviation to the standard deviation of a normal; 6: the kernel's norm.
    # The median, as edges are few.
    return float(1.4826 * np.median(np.abs(ndi.convolve(grey, kernel))) / 6.0)


def find_outlines(image: Image, noise: float, limit: int, rng: np.random.Generator) -> Outlines:
    """Return up to ``limit`` edges, drawn at random, each from both its sides.

    Args:
        image: (height, width).
        noise: standard deviation of the grey values' noise.
        limit: how many edges are enough.
        rng: chooses them.
    """
    slope_y = ndi.gaussian_filter(image, SIGMA, order=(1, 0))
    slope_x = ndi.gaussian_filter(image, SIGMA, order=(0, 1))
    yy, xx, xy = (
        ndi.gaussian_filter(product, TENSOR_SIGMA)
        for product in (slope_y * slope_y, slope_x * slope_x, slope_y * slope_x)
    )
    # The tensor's larger eigenvector: slopes of both signs agree on it, where the mean slope of a
    # thin fibre is nothing.
    normal = 0.5 * np.arctan2(2.0 * xy, xx - yy)
    slope = np.abs(slope_y * np.sin(normal) + slope_x * np.cos(normal))
    # White noise after a Gaussian derivative has this standard deviation.
    least = NOISE_FACTOR * noise / (np.sqrt(8.0 * np.pi) * SIGMA**2)
    candidate = slope > max(least, FAINTEST * float(np.quantile(slope, 0.95)), 1e-9)
    candidate[:BORDER_PX] = candidate[-BORDER_PX:] = False
    candidate[:, :BORDER_PX] = candidate[:, -BORDER_PX:] = False
    y, x = np.nonzero(candidate)
    down, right = np.sin(normal[y, x]), np.cos(normal[y, x])
    steep = np.abs(down) >= np.abs(right)
    step_y, step_x = steep.astype(np.intp), (~steep).astype(np.intp)
    at_pixel = slope[y, x]
    uphill, downhill = slope[y - step_y, x - step_x], slope[y + step_y, x + step_x]
    # The parabola through three slopes gives the edge's place between pixels.
    bend = np.minimum(uphill - 2.0 * at_pixel + downhill, -1e-9)
    off = 0.5 * (uphill - downhill) / bend
    # One place for each row or column that the edge crosses, so that all directions count alike.
    peak = np.flatnonzero((at_pixel > np.minimum(uphill, downhill)) & (np.abs(off - TIE) <= 0.5))
    share = 1.0
    if peak.size > limit:
        share = limit / peak.size
        # Sorted again: neighbours in memory are neighbours in the picture, which the look-ups below
        # profit from.
        peak = np.sort(rng.permutation(peak)[:limit])
    y, x, down, right, off = y[peak], x[peak], down[peak], right[peak], off[peak]
    length = 1.0 / (share * np.maximum(np.abs(down), np.abs(right)))
    y, x = y + off * step_y[peak], x + off * step_x[peak]
    joined = [np.concatenate([first, two]) for first, two in
            ((y, y), (x, x), (down, -down), (right, -right), (length, length))]  # fmt: skip
    edges = Outlines(*(first.astype(np.float64) for first in joined))
    rows, columns = edges.at(LEAST_VIEW_PX)
    inside = (rows >= 0) & (rows < image.shape[0]) & (columns >= 0) & (columns < image.shape[1])
    return edges.only(np.asarray(inside))


def patches(image: Image, outlines: Outlines, context: Context) -> Image:
    """Return (n, :data:`N_FEATURES`): grey across and along each edge, without its own scale.

    Then the logarithm of the patch's own share of the picture's spread, and the ``context`` of
    that picture.
    """
    spread = context.spread
    y, x, down, right = (
        column.astype(np.float32)[:, None]
        for column in (outlines.y, outlines.x, outlines.down, outlines.right)
    )
    across = np.tile(ACROSS, ALONG.size).astype(np.float32)
    along = np.repeat(ALONG, ACROSS.size).astype(np.float32)
    patch = _interpolated(
        image, y + across * down + along * right, x + across * right - along * down
    )
    patch -= patch.mean(axis=1, keepdims=True)
    contrast = patch.std(axis=1, keepdims=True) + np.float32(1e-6 * max(spread, 1e-6))
    strength = np.log(contrast / max(spread, 1e-6))
    around = np.broadcast_to(context.sharpness, (len(outlines), N_CONTEXT))
    return np.concatenate(
        [patch / contrast, np.clip(strength, -5.0, 3.0), around], axis=1, dtype=np.float32
    )


def _interpolated(image: Image, rows: Image, columns: Image) -> Image:
    """Return grey between pixels, (n, m), bilinear; beyond the border what is at it.

    ``rows`` and ``columns``, (n, m), are used up.
    """
    # `ndimage.map_coordinates`, made for any order and dimension, takes twice as long.
    height, width = image.shape
    np.clip(rows, 0, height - 1, out=rows)
    np.clip(columns, 0, width - 1, out=columns)
    top = np.minimum(rows.astype(np.intp), height - 2)
    left = np.minimum(columns.astype(np.intp), width - 2)
    rows -= top
    columns -= left
    top *= width
    top += left
    # A view from each of the four neighbours: one index serves all, and none can be out of range.
    views = [image.reshape(-1)[start:] for start in (0, 1, width, width + 1)]
    here, right, below, across = (view.take(top, mode="clip") for view in views)
    return _between(_between(here, right, columns), _between(below, across, columns), rows)


def _between(first: Image, second: Image, share: Image) -> Image:
    """Return ``first`` at share 0, ``second`` at share 1; both are used up."""
    second -= first
    second *= share
    second += first
    return second
