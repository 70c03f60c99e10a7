"""Look at a micrograph's edges at the scale at which its fibres are of a handy size.

The picture is looked at as it is, averaged over blocks, or twice as large, until its fibres are
:data:`HANDY_PX` thick: thinner ones lack pixels, thicker ones do not fit into a patch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from generator.judge import BEAD, CENTRES, FIRST_BIN, Judge, adapted, the_judge
from generator.outlines import Array, Image, Outlines, find_outlines, noise_of, patches

HANDY_PX = (5.0, 11.0)
MOST_MEGAPIXELS = 1.6
MOST_EDGES = 6000
FEWEST_EDGES = 30
COARSEST_PX = 64
SEED = 0


@dataclass(frozen=True)
class Reading:
    """What was seen of the edges of ``grey``, (height, width), the picture as looked at.

    A pixel of ``grey`` is ``scale`` picture's pixels wide, and its corner lies at ``origin``, (row,
    column) of the picture. ``kinds``: (n, classes) probabilities of
    each edge, ``shares``: (classes,) of their length, see :class:`generator.judge.Judge`;
    ``swelling``: (n,), how many times as thick as its fibre it is there.
    """

    grey: Image
    scale: float
    origin: tuple[int, int]
    edges: Outlines
    seen: Image
    kinds: Image
    shares: Array
    swelling: Image

    def in_picture(self, rows: Array, columns: Array) -> tuple[Array, Array]:
        """Return rows and columns of the picture."""
        top, left = self.origin
        half = 0.5 * (self.scale - 1.0)
        return top + self.scale * rows + half, left + self.scale * columns + half

    @property
    def fibre(self) -> Array:
        """Probability that an edge is the outline of a fibre, beads left out, (n,)."""
        return self.kinds[:, FIRST_BIN:].sum(axis=1).astype(np.float64)

    @property
    def bead(self) -> Array:
        """Probability that an edge is the outline of a bead, (n,)."""
        return self.kinds[:, BEAD].astype(np.float64)

    @property
    def diameter(self) -> Array:
        """Mean diameter of the fibre that an edge may belong to [px of ``grey``], (n,)."""
        bins = self.kinds[:, FIRST_BIN:]
        return np.asarray(bins @ CENTRES / np.maximum(bins.sum(axis=1), 1e-9))

    @property
    def lengths(self) -> Array:
        """Shares of the edges' length by diameter, (bins,)."""
        return self.shares[FIRST_BIN:]

    @property
    def mean_diameter(self) -> float | None:
        """Mean by length [px of ``grey``]; ``None`` where there is nothing to tell it by."""
        enough = len(self.edges) >= FEWEST_EDGES and self.shares[FIRST_BIN:].sum() > 0.01
        return float(self.lengths @ CENTRES / self.lengths.sum()) if enough else None


def read(image: Image, judge: Judge | None = None) -> tuple[Reading, Reading]:
    """Look at a grey picture, (height, width), any scale of brightness.

    Returns:
        The reading at the handy scale, for diameters; the one before it, where there was a finer
        one that shows the whole picture, for directions, which profit from more edges.
    """
    judge = judge or the_judge()
    finest = block = coarseness(image)
    finer = found = _looked(averaged(image, block), float(block), judge)
    while (diameter := found.mean_diameter) is not None:
        if diameter > HANDY_PX[1] and min(found.grey.shape) >= 2 * COARSEST_PX:
            block *= 2
            finer, found = found, _looked(averaged(image, block), float(block), judge)
        elif diameter < HANDY_PX[0] and block == finest:
            part, (top, left) = _middle(averaged(image, block))
            origin = (top * block, left * block)
            return _looked(_doubled(part), 0.5 * block, judge, origin), found
        else:
            break
    return found, finer


def coarseness(image: Image) -> int:
    """Return the side of the blocks over which a large picture is averaged before anything else."""
    block = 1
    while image.size / block**2 > MOST_MEGAPIXELS * 1e6:
        block *= 2
    return block


def averaged(image: Image, block: int) -> Image:
    """Return the means of blocks of so many pixels a side."""
    if block == 1:
        return image
    height, width = (n // block * block for n in image.shape)
    blocks = image[:height, :width].reshape(height // block, block, width // block, block)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def _middle(image: Image) -> tuple[Image, tuple[int, int]]:
    """Return as much of a picture's middle as may be doubled, and its corner."""
    most = int(np.sqrt(0.25e6 * MOST_MEGAPIXELS))
    top, left = (max(0, (n - most) // 2) for n in image.shape)
    return image[top : top + most, left : left + most], (top, left)


def _doubled(image: Image) -> Image:
    large = ndi.zoom(image, 2, order=3, grid_mode=True, mode="nearest", output=np.float32)
    return np.asarray(large)


def _looked(image: Image, scale: float, judge: Judge, origin: tuple[int, int] = (0, 0)) -> Reading:
    noise = noise_of(image) * (4.0 if scale < 1.0 else 1.0)
    edges = find_outlines(image, noise, MOST_EDGES, np.random.default_rng(SEED))
    spread = float(image.std())
    seen, swelling = judge(patches(image, edges, spread))
    if not len(edges):
        return Reading(image, scale, origin, edges, seen, seen, judge.prior, swelling)
    shares, kinds = adapted(seen, judge.prior, edges.length)
    return Reading(image, scale, origin, edges, seen, kinds, shares, swelling)
