"""Look at a micrograph's edges at the scale at which its fibres are of a handy size.

The picture is looked at as it is, then smaller or larger until its fibres are :data:`HANDY_PX`
thick in the mean: what the judge knows best, whatever the magnification.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from generator.judge import BEAD, CENTRES, FIRST_BIN, Judge, adapted, the_judge
from generator.outlines import (
    Array,
    Image,
    Outlines,
    context_of,
    find_outlines,
    noise_of,
    patches,
    resized,
)
from generator.populations import Population, populations
from generator.sharpness import blur_of

# Looked at again at this thickness, the judge is off alike at every magnification.
HANDY_PX, NEAR = 8.0, 0.12
"""Aimed at, and how near (difference of logarithms) is near enough."""

QUIET, LOUD = 0.15, 0.4
"""Shares of the grey values' spread: such noise may be in the first look; with such noise no
smaller pixels than the picture's are looked at."""

FINEST, MOST_STEP, MOST_LOOKS = 0.4, 2.5, 4
SECOND_PX = 5.6
"""Thickness at which a picture is looked at once more: rims that are taken for fibres, noise, and
edges that blur has moved, look otherwise there."""

WIDEST_PX = 20.0
"""A patch is little deeper: of thicker fibres it does not show both edges."""

THINNEST_PX = 3.5
"""As thick as this the thinnest population stays in every look, if the thickest fits: beside
thick fibres thinner ones are no longer seen, and the mean would be that of the thick."""

# Half the handy thickness: a bead of several times its fibre's then fits into a patch.
AFAR_PX = 4.0
# 0.8 s a picture of processor time (docs/benchmarks.md), however large it is.
MOST_MEGAPIXELS, MOST_LOOKED_MEGAPIXELS = 1.6, 2.5
MOST_EDGES = 6000
# All at once took half as long again, on a machine busy with other work.
AT_ONCE = 128
FEWEST_EDGES = 30
COARSEST_PX = 64
# Fixed: the same picture gives the same numbers, always.
SEED = 0
EDGE_SHOWN: Array = (HANDY_PX / CENTRES) ** 0.6
"""Visible length for edge seen, by diameter. Edges of thin fibres are lost more often, and thin
fibres beside thick ones are taken for thicker; on mats of known truth both come to this."""

WIDENED = 0.9
"""By so much of the measured blur fibres look wider than they are: set on blurred mats of the
second renderer, seed 1000, on which nothing is reported."""


@dataclass(frozen=True)
class Reading:
    """What was seen of the edges of ``grey``, (height, width), the picture as looked at.

    A pixel of ``grey`` is ``scale`` picture's pixels wide, and its corner lies at ``origin``, (row,
    column) of the picture. ``kinds``: (n, classes) probabilities of
    each edge, ``shares``: (classes,) of their length, see :class:`generator.judge.Judge`;
    ``swelling``: (n,), how many times as thick as its fibre it is there. ``blur``: of the picture,
    of the mean diameter that is seen; sharp ones below 0 (:func:`generator.sharpness.blur_of`).
    """

    grey: Image
    scale: float
    origin: tuple[int, int]
    edges: Outlines
    seen: Image
    kinds: Image
    shares: Array
    swelling: Image
    blur: float = 0.0

    @property
    def width_scale(self) -> float:
        """A pixel's width [px of the picture] where widths are told: blur is taken out of them."""
        return self.scale / (1.0 + WIDENED * max(0.0, self.blur))

    def in_picture(self, rows: Array, columns: Array) -> tuple[Array, Array]:
        """Return rows and columns of the picture."""
        top, left = self.origin
        # Pixels are counted by their middles, corners coincide.
        half = 0.5 * (self.scale - 1.0)
        return top + self.scale * rows + half, left + self.scale * columns + half

    def only(self, chosen: NDArray[np.bool_], steps: int = 40) -> Reading:
        """Return the reading of some of its edges, (n,), the shares of their kinds found anew."""
        part = replace(
            self,
            edges=self.edges.only(chosen),
            seen=self.seen[chosen],
            kinds=self.kinds[chosen],
            swelling=self.swelling[chosen],
        )
        if not len(part.edges):
            return part
        # From the whole picture's shares on, eight rounds are enough where forty are needed from
        # the prior.
        prior, length = the_judge().prior, part.edges.length
        shares, kinds = adapted(part.seen, prior, length, start=self.shares, steps=steps)
        return replace(part, shares=shares, kinds=kinds)

    @property
    def fibre(self) -> Array:
        """Probability that an edge is the outline of a fibre, beads left out, (n,)."""
        return self.kinds[:, FIRST_BIN:].sum(axis=1).astype(np.float64)

    @property
    def visible(self) -> Array:
        """Visible length of fibre for each edge's own, (n,)."""
        return np.asarray(self.kinds[:, FIRST_BIN:] @ EDGE_SHOWN)

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
        """The fibres' visible length by diameter, (bins,): thin ones show less edge for theirs."""
        return np.asarray(self.shares[FIRST_BIN:] * EDGE_SHOWN)

    @property
    def populations(self) -> tuple[Population, ...]:
        """Populations of fibres, thin first [px of the picture]."""
        return populations(CENTRES * self.scale, self.lengths)

    @property
    def mean_diameter(self) -> float | None:
        """Mean by length [px of ``grey``]; ``None`` where there is nothing to tell it by."""
        enough = len(self.edges) >= FEWEST_EDGES and self.shares[FIRST_BIN:].sum() > 0.01
        return float(self.lengths @ CENTRES / self.lengths.sum()) if enough else None


def read(image: Image, judge: Judge | None = None) -> tuple[Reading, Reading]:
    """Look at a grey picture, (height, width), any scale of brightness.

    Returns:
        The reading at the handy scale, for diameters; the finest of the whole picture whose fibres
        fit into a patch, for directions, which profit from more edges. On thicker fibres the grain
        of their surface would be seen.
    """
    judge = judge or the_judge()
    block = coarseness(image)
    reduced = averaged(image, block)
    coarsest = max(1.0, min(reduced.shape) / COARSEST_PX)
    noise = noise_of(reduced) / max(float(reduced.std()), 1e-9)
    finest = float(np.clip(noise / LOUD, FINEST, 1.0))
    first = float(np.clip(noise / QUIET, 1.0, coarsest))  # else the first edges are noise's
    finer = looked_at = _looked(resized(reduced, first), first * block, judge)
    for _ in range(MOST_LOOKS):
        if (diameter := looked_at.mean_diameter) is None:
            break
        former_scale = looked_at.scale / block
        step = np.clip(diameter / HANDY_PX, 1.0 / MOST_STEP, MOST_STEP)
        scale = min(former_scale * step, _coarsest_of_mixed(finer) / block)
        scale = float(np.clip(scale, finest, coarsest))
        if abs(np.log(scale / former_scale)) < NEAR:
            break
        part, (top, left) = _middle(reduced, scale)
        origin = (block * top, block * left)
        looked_at = _looked(resized(part, scale), scale * block, judge, origin)
        is_whole = part.shape == reduced.shape
        if is_whole and (looked_at.scale < finer.scale or diameter > WIDEST_PX):
            finer = looked_at
    if (diameter := looked_at.mean_diameter) is None:
        return looked_at, finer
    width = diameter * looked_at.scale / block
    return replace(looked_at, blur=blur_of(reduced, width) / width), finer


def look_again(image: Image, reading: Reading, judge: Judge | None = None) -> Reading | None:
    """Look once more, at :data:`SECOND_PX`: both readings should tell the same."""
    if (diameter := reading.mean_diameter) is None:
        return None
    block = coarseness(image)
    reduced = averaged(image, block)
    coarsest = max(1.0, min(reduced.shape) / COARSEST_PX)
    scale = float(np.clip(diameter * reading.scale / (block * SECOND_PX), FINEST, coarsest))
    part, (top, left) = _middle(reduced, scale)
    origin = (block * top, block * left)
    return _looked(resized(part, scale), scale * block, judge or the_judge(), origin)


def look_from_afar(image: Image, reading: Reading, judge: Judge | None = None) -> Reading | None:
    """Look again at :data:`AFAR_PX`, for beads too large for a patch; ``None`` if little shows."""
    mean_diameter, block = reading.mean_diameter, coarseness(image)
    if mean_diameter is None:
        return None
    reduced = averaged(image, block)
    scale = max(1.0, mean_diameter * reading.scale / (block * AFAR_PX))
    if min(reduced.shape) < scale * COARSEST_PX:
        return None
    looked_at = _looked(resized(reduced, scale), scale * block, judge or the_judge())
    return None if looked_at.mean_diameter is None else looked_at


def _coarsest_of_mixed(finer: Reading) -> float:
    """Return at which scale [px of the picture] thin fibres among thick ones are still seen."""
    kinds = finer.populations
    if len(kinds) < 2:
        return np.inf
    return max(kinds[0].mean / THINNEST_PX, kinds[-1].mean / WIDEST_PX)


def coarseness(image: Image) -> int:
    """Return the side of the blocks over which a large picture is averaged before anything else."""
    block = 1
    # Powers of two, so that two pictures of nearly one size are treated alike.
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


def _middle(image: Image, scale: float) -> tuple[Image, tuple[int, int]]:
    """Return as much of a picture's middle as may be looked at so closely, and its corner."""
    side = int(scale * np.sqrt(1e6 * MOST_LOOKED_MEGAPIXELS))
    if image.size <= side**2:
        return image, (0, 0)
    top, left = (max(0, (n - side) // 2) for n in image.shape)
    return image[top : top + side, left : left + side], (top, left)


def _looked(image: Image, scale: float, judge: Judge, origin: tuple[int, int] = (0, 0)) -> Reading:
    # Enlarged pixels are interpolated: their noise is smooth, and the Laplacian sees less of it
    # than there is.
    noise = noise_of(image) * (4.0 if scale < 1.0 else 1.0)
    edges = find_outlines(image, noise, MOST_EDGES, np.random.default_rng(SEED))
    context = context_of(image)
    # Some at a time, which stay in the processor's cache meanwhile.
    judged = [
        judge(patches(image, edges.only(slice(first, first + AT_ONCE)), context))
        for first in range(0, max(len(edges), 1), AT_ONCE)
    ]
    classes, swelling = (np.concatenate(parts) for parts in zip(*judged, strict=True))
    if not len(edges):
        return Reading(image, scale, origin, edges, classes, classes, judge.prior, swelling)
    shares, kinds = adapted(classes, judge.prior, edges.length)
    return Reading(image, scale, origin, edges, classes, kinds, shares, swelling)
