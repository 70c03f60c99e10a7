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

Standard errors are of the mat's value, not of the picture's: how much another picture of the same
mat would differ, from leaving out one of up to nine parts of the picture after another (the
jackknife; Efron and Stein, Annals of Statistics 9, 586 (1981)), times what fibres that run through
several parts make of it; and how far the method itself is off. Both were found on virtual mats,
other ones than those on which benchmarks report.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generator.beads import find_beads
from generator.corrections import Corrections
from generator.fibres import find_fibres
from generator.judge import CENTRES
from generator.outlines import Image
from generator.pores import air, pore_diameters
from generator.reading import Reading, averaged, coarseness, look_from_afar, read

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Ten degrees each.
N_DIRECTIONS = 18
# The border and the depth of a patch leave no edge in less.
LEAST_SIDE_PX = 16
N_PARTS = 3
"""So many parts a side for the standard errors, where the picture allows."""

LEAST_PART_PX = 20
# Set on virtual mats of the seeds 100 to 106, 300 and 301, on which nothing is reported.
PARTS_ALIKE = {"diameter": 1.7, "order": 2.2, "porosity": 1.7, "bead_fraction": 1.7}
METHOD_ERROR = {"diameter": 0.012, "order": 0.02, "porosity": 0.003, "bead_fraction": 0.01}
"""Of the diameter: relative to it, of fibres that are clearly thicker than :data:`COARSE_PX`."""

COARSE_PX = 5.0

# This and BEAD_SHOWN: set on the same virtual mats.
CROSSING_LOSS = 0.075
"""Edges are lost where fibres cross, most of fibres that lie across the others: the edges' order is
so much too high, unless all fibres lie alike."""

BEAD_DOUBT, BEAD_SHOWN = 0.08, 2.0
"""So much of a probability is doubt, no bead. Outline of beads for outline told as such: where they
taper it is taken for the fibre's."""

VERSION = 3
"""Of the method: statistics of another version are not to be compared, but measured again."""

Axis = Literal["x", "y"]


@dataclass(frozen=True)
class Distribution:
    """A measured distribution: how many, mean, standard deviation, quantiles (:data:`QUANTILES`).

    ``n`` counts the edges of fibres that were looked at, or pores. Without a single one everything
    else is ``None``.
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
    reading, finer = corrections.applied(reading), corrections.applied(finer)
    afar = None if afar is None else corrections.applied(afar)
    pixel = reading.scale * (1.0 if nm_per_pixel is None else nm_per_pixel)
    sign = 1.0 if rotation_axis == "x" else -1.0
    has_fibres = reading.mean_diameter is not None
    blank = not image.max() > image.min() or not countable.any()
    void = air(reduced, countable)
    coarse = block * (pixel / reading.scale)
    beads = find_beads(reading, afar)
    statistics = MicrostructureStatistics(
        nm_per_pixel=nm_per_pixel,
        rotation_axis=rotation_axis,
        width_px=image.shape[1],
        height_px=image.shape[0],
        diameter=_diameters(reading, pixel) if has_fibres else Distribution(0),
        # Turned by a right angle cos 2θ changes its sign, and nothing else.
        order=sign * _order(finer) if has_fibres else None,
        n_directions=round(float(finer.fibre.sum())) if has_fibres else 0,
        directions=_directions(finer, rotation_axis) if has_fibres else (0.0,) * N_DIRECTIONS,
        # A picture without contrast is all ground or all fibre.
        porosity=None if blank else float(void[countable].mean()),
        pore=Distribution.of(pore_diameters(void, ~countable) * coarse),
        bead_fraction=_bead_fraction(reading) if has_fibres else 0.0,
        n_beads=len(beads),
        standard_errors=_standard_errors((reading, finer), void, countable, pixel, has_fibres),
    )
    statistics = _with_added(statistics, reading, corrections)
    return Measured(statistics, reading, reduced, block, void, beads, n_unmatched)


def glance(grey: ArrayLike, nm_per_pixel: float | None = None) -> Shown:
    """Return what :func:`measure` says of the means, the very same, in less time.

    Without standard errors, distributions and the places of beads. The rotation is along x.

    Raises:
        ValueError: as :func:`measure`.
    """
    image = _checked(grey, nm_per_pixel, "x")
    reading, finer = read(image)
    pixel = reading.scale * (1.0 if nm_per_pixel is None else nm_per_pixel)
    has_fibres = reading.mean_diameter is not None
    is_blank = not image.max() > image.min()
    return Shown(
        diameter=_diameters(reading, pixel).mean if has_fibres else None,
        order=_order(finer) if has_fibres else None,
        porosity=None if is_blank else float(air(averaged(image, coarseness(image))).mean()),
        bead_fraction=_bead_fraction(reading) if has_fibres else 0.0,
    )


def _diameters(reading: Reading, pixel: float) -> Distribution:
    diameters = Distribution.of(CENTRES * pixel, reading.lengths)
    return replace(diameters, n=round(float(reading.fibre.sum())))


def _with_added(
    statistics: MicrostructureStatistics, reading: Reading, corrections: Corrections
) -> MicrostructureStatistics:
    """Add fibres that a person marked, each as one more of those that were made out."""
    if not corrections.added:
        return statistics
    nm = statistics.nm_per_pixel or 1.0
    widths, cosines, angles = corrections.added_fibres
    # What was seen at one place only is no fibre to be counted.
    n = int((find_fibres(reading).n_places >= 2).sum())
    base = n if statistics.diameter.mean is not None else 0
    values, weights = widths * nm, np.ones(widths.size)
    if base:
        values = np.concatenate([CENTRES * reading.scale * nm, values])
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


def _order(reading: Reading) -> float:
    """⟨cos 2θ⟩ along the fibres; an edge's normal is across them."""
    edges = reading.edges
    weight = edges.length * reading.visible
    if not weight.sum() > 0.0:
        return math.nan
    # cos 2θ of the fibre is −cos 2θ of the normal, which is down² − right².
    mean_order = np.average(edges.down**2 - edges.right**2, weights=weight)
    return float(mean_order * (1.0 - CROSSING_LOSS * (1.0 - mean_order**2)))


def _bead_fraction(reading: Reading) -> float:
    """Areas are half the edges' length times the thickness at that place."""
    plain = float((reading.edges.length * reading.fibre) @ reading.diameter)
    likely = np.maximum(0.0, reading.bead - BEAD_DOUBT) / (1.0 - BEAD_DOUBT)
    bead = float((reading.edges.length * likely * reading.swelling) @ reading.diameter)
    return BEAD_SHOWN * bead / max(plain + BEAD_SHOWN * bead, 1e-12)


def _directions(reading: Reading, axis: str) -> tuple[float, ...]:
    angle = np.arctan2(-reading.edges.right, reading.edges.down)  # of the fibre
    angle = angle - (0.0 if axis == "x" else 0.5 * np.pi)
    counts, _ = np.histogram(
        angle % np.pi,
        bins=N_DIRECTIONS,
        range=(0.0, np.pi),
        weights=reading.edges.length * reading.visible,
    )
    return tuple(float(c) for c in counts / max(float(counts.sum()), 1e-12))


def _standard_errors(
    readings: tuple[Reading, Reading],
    void: NDArray[np.bool_],
    countable: NDArray[np.bool_],
    pixel: float,
    has_fibres: bool,
) -> dict[str, float | None]:
    names = ("diameter", "order", "porosity", "bead_fraction")
    rows, columns = (min(N_PARTS, n // LEAST_PART_PX) for n in void.shape)
    n = rows * columns
    if n < N_PARTS or not has_fibres:
        return dict.fromkeys(names)
    parts = [_parts(one, rows, columns) for one in readings]
    values = []
    for part in range(n):
        i, j = divmod(part, columns)
        remaining, finer = (
            one.only(part_numbers != part, steps=8)
            for one, part_numbers in zip(readings, parts, strict=True)
        )
        is_kept = countable.copy()
        is_kept[_share(i, rows, void.shape[0]), _share(j, columns, void.shape[1])] = False
        middle = remaining.mean_diameter
        values.append(
            (math.nan if middle is None else pixel * middle, _order(finer),
             float(void[is_kept].mean()) if is_kept.any() else math.nan, _bead_fraction(remaining))
        )  # fmt: skip
    # The jackknife's own factor: n − 1 times the variance over what is left after each.
    spread = np.sqrt((n - 1) * np.var(np.array(values), axis=0))
    mean_diameter = readings[0].mean_diameter or 0.0
    # Fibres of few pixels are told with larger errors.
    coarse = math.hypot(1.0, (COARSE_PX / max(readings[0].scale * mean_diameter, 1.0)) ** 2)
    unit = dict.fromkeys(names, 1.0) | {"diameter": pixel * mean_diameter * coarse}
    errors = {
        name: math.hypot(PARTS_ALIKE[name] * one, METHOD_ERROR[name] * unit[name])
        for name, one in zip(names, spread, strict=True)
    }
    return {name: error if math.isfinite(error) else None for name, error in errors.items()}


def _parts(reading: Reading, rows: int, columns: int) -> NDArray[np.intp]:
    """Return in which part of the picture each edge lies."""
    height, width = reading.grey.shape
    down = np.clip(reading.edges.y * rows // height, 0, rows - 1)
    right = np.clip(reading.edges.x * columns // width, 0, columns - 1)
    return np.asarray(down * columns + right, dtype=np.intp)


def _share(index: int, n: int, side: int) -> slice:
    return slice(index * side // n, (index + 1) * side // n)


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
    return image
