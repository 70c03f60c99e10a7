"""What a micrograph shows of a mat, in numbers: diameters, directions, pores, beads.

=================  ==================================================================
diameter           of the fibres, each by its visible length, beads left out
order              S = ⟨2 cos²θ − 1⟩ = ⟨cos 2θ⟩ along the fibres, θ from the collector's
                   rotation: 1 all along it, 0 no direction, −1 all across (the
                   two-dimensional nematic order parameter)
porosity           areal: the share of the picture in which no fibre is seen at any depth
pore               diameter of the circle of a pore's area; pores cut by the border left out
bead fraction      the share of the covered area that lies in beads
=================  ==================================================================

They are the definitions of :class:`engine.lab.render.PictureTruth`, so that a drawn picture's truth
and its measurement can be compared. Diameters and directions are told edge by edge
(:mod:`generator.reading`): a fibre shows as much edge as it shows length, so that sums over edges
are by visible length. Where fibres cross, the edge is that of the upper one.

What standard errors are made of: :mod:`generator.standard_errors`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generator.beads import find_beads
from generator.blas_threads import one_blas_thread
from generator.corrections import Corrections
from generator.estimates import (
    N_DIRECTIONS,
    bead_fraction_of,
    directions_of,
    inside_fibres,
    order_of,
)
from generator.fibres import count_fibres
from generator.ground import Ground, find_ground
from generator.judge import CENTRES
from generator.outlines import Image
from generator.populations import Population, populations
from generator.pores import air, pore_diameters
from generator.reading import Reading, averaged, coarseness, look_again, look_from_afar, read
from generator.spreads import class_diameters, spread_of
from generator.standard_errors import (
    USUAL_DISAGREEMENT,
    Weakness,
    no_errors,
    standard_errors,
)

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# The border and the depth of a patch leave no edge in less.
LEAST_SIDE_PX = 16
LEAST_CONTRAST, MOST_CONTRAST = 1e-4, 1e9
"""Between a picture's darkest and brightest values; any scale is measured alike."""

VERSION = 6
"""Of the method: statistics of another version are not to be compared, but measured again."""

Axis = Literal["x", "y"]


@dataclass(frozen=True)
class Distribution:
    """A measured distribution: how many, mean, standard deviation, quantiles (:data:`QUANTILES`).

    ``n`` counts fibres, or pores. Without a single one everything else is ``None``.
    """

    n: int
    mean: float | None = None
    sd: float | None = None
    quantiles: tuple[float, ...] | None = None

    @classmethod
    def of(cls, values: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> Self:
        """Summarise ``values``, (n,), by ``weights``."""
        if not values.size:
            return cls(0)
        w = np.ones(values.size) if weights is None else weights
        mean = float(np.average(values, weights=w))
        sd = math.sqrt(float(np.average((values - mean) ** 2, weights=w)))
        order = np.argsort(values)
        # Each value stands in the middle of its own weight: quantiles do not depend on the
        # direction of sorting.
        share = (np.cumsum(w[order]) - 0.5 * w[order]) / w.sum()
        quantiles = np.interp(QUANTILES, share, values[order])
        return cls(values.size, mean, sd, tuple(map(float, quantiles)))


@dataclass(frozen=True)
class MicrostructureStatistics:
    """What was measured; plain numbers, and how many each rests on.

    Lengths are in ``unit``: nm where ``nm_per_pixel`` is known, else px (pixels of the picture).
    ``directions``: share of the fibres' length in :data:`N_DIRECTIONS` equal classes of θ from 0
    to 180°. ``diameter.mean`` and ``order`` are ``None`` where no fibre was found, ``porosity``
    where the picture has no contrast. ``standard_errors`` of the mean ``diameter``, of ``order``,
    ``porosity`` and ``bead_fraction``; ``None`` where the picture is too small to tell.
    ``populations``: of diameters, thin first; more than one where thick and thin fibres are mixed.
    ``blur_px``: of the picture, sharp ones 0. ``doubts``: sentences on what weakens the numbers.
    """

    nm_per_pixel: float | None
    rotation_axis: Axis
    width_px: int
    height_px: int
    diameter: Distribution
    order: float | None
    n_directions: int
    directions: tuple[float, ...]
    porosity: float | None
    pore: Distribution
    bead_fraction: float
    n_beads: int
    standard_errors: Mapping[str, float | None]
    populations: tuple[Population, ...] = ()
    blur_px: float | None = None
    doubts: tuple[str, ...] = ()
    version: int = VERSION

    @property
    def unit(self) -> Literal["nm", "px"]:
        """The unit of every length."""
        return "px" if self.nm_per_pixel is None else "nm"

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {**asdict(self), "unit": self.unit}


@dataclass(frozen=True)
class Shown:
    """The means alone of :class:`MicrostructureStatistics`, as :func:`glance` tells them."""

    diameter: float | None
    order: float | None
    porosity: float | None
    bead_fraction: float


@dataclass(frozen=True)
class Measured:
    """Statistics, and what they were read off: for the overlay.

    ``grey``: the picture (averaged over blocks of ``block`` pixels, if it is large); ``air``: the
    mask of its pores; ``beads``: (n, 3) row, column, radius [px of the picture itself].
    ``n_unmatched``: deleted fibres that are not seen where a person said that they were.
    """

    statistics: MicrostructureStatistics
    reading: Reading
    grey: Image
    block: int
    air: NDArray[np.bool_]
    beads: NDArray[np.float64]
    n_unmatched: int = 0


@one_blas_thread()
def measure(
    grey: ArrayLike,
    nm_per_pixel: float | None = None,
    *,
    rotation_axis: Axis = "x",
    corrections: Corrections | None = None,
) -> Measured:
    """Measure a micrograph, or a tile of one.

    Args:
        grey: (height, width), any scale; fibres bright on darker ground.
        nm_per_pixel: the picture's scale; ``None``: lengths are told in pixels.
        rotation_axis: along which side of the picture the collector rotated.
        corrections: what a person says against what is measured.

    Raises:
        ValueError: not a finite two-dimensional picture of at least 16 × 16, or no such scale.
    """
    image = _checked(grey, nm_per_pixel, rotation_axis)
    reading, finer = read(image)
    # Twice, as a bead of many fibre diameters does not fit into a patch at the fibres' own scale.
    afar = look_from_afar(image, reading)
    block = coarseness(image)
    reduced = averaged(image, block)
    corrections = corrections or Corrections()
    n_unmatched = corrections.n_unmatched(reading)
    countable = corrections.countable((reduced.shape[0], reduced.shape[1]), block)
    again = look_again(image, reading)
    # Whether there is air where a fibre was deleted is another matter.
    ground = _air(reduced, reading, block, countable)
    void = ground.mask
    reading, finer = corrections.applied(reading), corrections.applied(finer)
    afar, again = (None if one is None else corrections.applied(one) for one in (afar, again))
    unit = 1.0 if nm_per_pixel is None else nm_per_pixel
    pixel = unit * reading.width_scale
    sign = 1.0 if rotation_axis == "x" else -1.0
    has_fibres = reading.mean_diameter is not None
    blank = not image.max() > image.min() or not countable.any()
    beads = find_beads(reading, afar)
    spread = spread_of(reading)
    weakness = _weakness(reading, again, spread)
    kinds = _populations(reading, pixel, spread)
    statistics = MicrostructureStatistics(
        nm_per_pixel=nm_per_pixel,
        rotation_axis=rotation_axis,
        width_px=image.shape[1],
        height_px=image.shape[0],
        diameter=_diameters(reading, pixel, spread),
        # Turned by a right angle cos 2θ changes its sign, and nothing else.
        order=sign * order_of(finer) if has_fibres else None,
        n_directions=round(float(finer.fibre.sum())) if has_fibres else 0,
        directions=directions_of(finer, rotation_axis) if has_fibres else (0.0,) * N_DIRECTIONS,
        # A picture without contrast is all ground or all fibre.
        porosity=None if blank else float(void[countable].mean()),
        pore=Distribution.of(pore_diameters(void, ~countable) * (block * unit)),
        bead_fraction=bead_fraction_of(reading) if has_fibres else 0.0,
        n_beads=len(beads),
        standard_errors=(
            no_errors()
            if weakness is None
            else standard_errors((reading, finer), ground, countable, pixel, weakness)
        ),
        populations=kinds,
        blur_px=None
        if weakness is None
        else max(0.0, weakness.blur * reading.scale * (reading.mean_diameter or 0.0)),
        doubts=()
        if weakness is None
        else (*weakness.doubts, *ground.doubts, *_mixture(kinds, nm_per_pixel)),
    )
    statistics = _with_added(statistics, reading, corrections, spread)
    return Measured(statistics, reading, reduced, block, void, beads, n_unmatched)


@one_blas_thread()
def glance(grey: ArrayLike, nm_per_pixel: float | None = None) -> Shown:
    """Return what :func:`measure` says of the means, the very same, in less time.

    Without standard errors, distributions and the places of beads. The rotation is along x.

    Raises:
        ValueError: as :func:`measure`.
    """
    image = _checked(grey, nm_per_pixel, "x")
    reading, finer = read(image)
    block = coarseness(image)
    pixel = reading.width_scale * (1.0 if nm_per_pixel is None else nm_per_pixel)
    mean = reading.mean_diameter
    has_fibres = mean is not None
    is_blank = not image.max() > image.min()
    return Shown(
        diameter=None if mean is None else mean * pixel,
        order=order_of(finer) if has_fibres else None,
        porosity=(
            None if is_blank else float(_air(averaged(image, block), reading, block).mask.mean())
        ),
        bead_fraction=bead_fraction_of(reading) if has_fibres else 0.0,
    )


def _diameters(reading: Reading, pixel: float, spread: float | None) -> Distribution:
    mean = reading.mean_diameter
    if mean is None or spread is None:
        return Distribution(0)
    diameters = Distribution.of(class_diameters(reading, spread) * pixel, reading.lengths)
    mean *= pixel
    return replace(diameters, n=count_fibres(reading), mean=mean, sd=spread * mean)


def _populations(reading: Reading, pixel: float, spread: float | None) -> tuple[Population, ...]:
    if spread is None:
        return ()
    kinds = populations(CENTRES * pixel, reading.lengths)
    return (replace(kinds[0], sd=spread * kinds[0].mean),) if len(kinds) == 1 else kinds


def _with_added(
    statistics: MicrostructureStatistics,
    reading: Reading,
    corrections: Corrections,
    spread: float | None,
) -> MicrostructureStatistics:
    """Add fibres that a person marked, each as one more of those that were made out."""
    if not corrections.added:
        return statistics
    nm = statistics.nm_per_pixel or 1.0
    widths, cosines, angles = corrections.added_fibres
    base = statistics.diameter.n
    values, weights = widths * nm, np.ones(widths.size)
    if base:
        classes = class_diameters(reading, spread) * reading.width_scale * nm
        values = np.concatenate([classes, values])
        weights = np.concatenate([base * reading.lengths / reading.lengths.sum(), weights])
    diameter = Distribution.of(values, weights)
    total = base + widths.size
    sign, turn = (1.0, 0.0) if statistics.rotation_axis == "x" else (-1.0, 0.5 * math.pi)
    counts, _ = np.histogram((angles - turn) % np.pi, bins=N_DIRECTIONS, range=(0.0, np.pi))
    shares = (base * np.array(statistics.directions) + counts) / total
    return replace(
        statistics,
        diameter=replace(diameter, n=statistics.diameter.n + widths.size),
        order=(base * (statistics.order or 0.0) + sign * float(cosines.sum())) / total,
        n_directions=statistics.n_directions + widths.size,
        directions=tuple(float(share) for share in shares),
    )


def _air(
    reduced: Image, reading: Reading, block: int, countable: NDArray[np.bool_] | None = None
) -> Ground:
    """Return the air in the averaged picture: never inside a fibre that was found."""
    mean = reading.mean_diameter
    if mean is None:
        return Ground(air(reduced, countable))
    ground = find_ground(reduced, mean * reading.width_scale / block, reading.blur, countable)
    inside = inside_fibres(reading, reduced.shape, block)
    return replace(ground, mask=np.asarray(ground.mask & ~inside))


def _weakness(reading: Reading, again: Reading | None, spread: float | None) -> Weakness | None:
    mean = reading.mean_diameter
    if mean is None or spread is None:
        return None
    other = None if again is None else again.mean_diameter
    return Weakness(
        diameter=reading.width_scale * mean,
        spread=spread,
        blur=reading.blur,
        disagreement=(
            0.0
            if again is None or other is None
            else math.log(again.scale * other / (reading.scale * mean)) - USUAL_DISAGREEMENT
        ),
    )


def _mixture(kinds: tuple[Population, ...], nm_per_pixel: float | None) -> tuple[str, ...]:
    if len(kinds) < 2:
        return ()
    unit = "px" if nm_per_pixel is None else "nm"
    each = ", ".join(f"{k.mean:.3g} {unit} ({k.share:.0%} of the length)" for k in kinds)
    return (f"{len(kinds)} populations of fibres: {each}; the mean diameter is none of theirs",)


def _checked(grey: ArrayLike, nm_per_pixel: float | None, rotation_axis: str) -> Image:
    image = np.asarray(grey, dtype=np.float32)
    if image.ndim != 2 or min(image.shape, default=0) < LEAST_SIDE_PX:
        raise ValueError(
            f"expected a grey picture of at least {LEAST_SIDE_PX} × {LEAST_SIDE_PX} pixels, "
            f"got the shape {image.shape}"
        )
    if not np.isfinite(image).all():
        raise ValueError("expected finite grey values, got NaN or infinity")
    if nm_per_pixel is not None and not (nm_per_pixel > 0 and math.isfinite(nm_per_pixel)):
        raise ValueError(f"expected nm_per_pixel above 0, got {nm_per_pixel}")
    if rotation_axis not in ("x", "y"):
        raise ValueError(f"expected the rotation axis x or y, got '{rotation_axis}'")
    return _within_range(image)


def _within_range(image: Image) -> Image:
    """Return 0 … 255 in place of values whose squares leave the range of 32-bit floats: volts."""
    low, high = float(image.min()), float(image.max())
    if high == low or LEAST_CONTRAST <= high - low <= MOST_CONTRAST:
        return image
    scaled = (image.astype(np.float64) - low) * (255.0 / (high - low))
    return np.asarray(scaled, dtype=np.float32)
