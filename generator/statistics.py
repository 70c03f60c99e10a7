"""What a micrograph shows of a mat, in numbers: diameters, directions, pores, beads.

=================  ==================================================================
diameter           of the fibres, each by its visible length, crossings and beads left out
order              S = ⟨2 cos²θ − 1⟩ = ⟨cos 2θ⟩ along the fibres, θ from the collector's
                   rotation: 1 all along it, 0 no direction, −1 all across (the
                   two-dimensional nematic order parameter)
porosity           areal: the share of the picture in which no fibre is seen at any depth
pore               diameter of the circle of a pore's area; pores cut by the border left out
bead fraction      the share of the covered area that lies in beads
=================  ==================================================================

They are the definitions of :class:`engine.lab.render.PictureTruth`, so that a drawn picture's truth
and its measurement can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generator.beads import bead_mask, find_beads
from generator.pores import air, pore_diameters
from generator.ribbons import Image, Ribbons, find_ribbons

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
N_DIRECTIONS = 18
LEAST_SIDE_PX = 16
MOST_MEGAPIXELS = 1.5
VERSION = 1
"""Of the method: statistics of another version are not to be compared, but measured again."""

Axis = Literal["x", "y"]


@dataclass(frozen=True)
class Distribution:
    """A measured distribution: how many, mean, standard deviation, quantiles (:data:`QUANTILES`).

    Without a single measurement everything but ``n`` is ``None``.
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
        share = (np.cumsum(w[order]) - 0.5 * w[order]) / w.sum()
        quantiles = np.interp(QUANTILES, share, values[order])
        return cls(values.size, mean, sd, tuple(map(float, quantiles)))


@dataclass(frozen=True)
class MicrostructureStatistics:
    """What was measured; plain numbers, and how many each rests on.

    Lengths are in ``unit``: nm where ``nm_per_pixel`` is known, else px (pixels of the picture).
    ``directions``: share of the fibres' length in :data:`N_DIRECTIONS` equal classes of θ from 0
    to 180°. ``order`` and ``porosity`` are ``None`` where nothing was found to measure them by.
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
    version: int = VERSION

    @property
    def unit(self) -> Literal["nm", "px"]:
        """The unit of every length."""
        return "px" if self.nm_per_pixel is None else "nm"

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types; :meth:`from_json` reads them back."""
        return {**asdict(self), "unit": self.unit}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`as_json` wrote.

        Raises:
            ValueError: it is none, or of another version.
        """
        fields = {name: value for name, value in document.items() if name != "unit"}
        if fields.get("version") != VERSION:
            raise ValueError(
                f"expected statistics of version {VERSION}, got {fields.get('version')}; "
                "measure the micrograph again"
            )
        try:
            for name in ("diameter", "pore"):
                parts = dict(fields[name])
                quantiles = parts.pop("quantiles")
                fields[name] = Distribution(
                    **parts, quantiles=None if quantiles is None else tuple(quantiles)
                )
            fields["directions"] = tuple(fields["directions"])
            return cls(**fields)
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected microstructure statistics, got {error}") from error


@dataclass(frozen=True)
class Measured:
    """Statistics, and what they were read off: for the overlay. Places in pixels of ``grey``."""

    statistics: MicrostructureStatistics
    grey: Image
    fibres: Ribbons
    air: NDArray[np.bool_]
    beads: NDArray[np.float64]


def measure(
    grey: ArrayLike, nm_per_pixel: float | None = None, *, rotation_axis: Axis = "x"
) -> Measured:
    """Measure a micrograph.

    Args:
        grey: (height, width), any scale; fibres bright on darker ground. Above
            :data:`MOST_MEGAPIXELS` it is averaged 2 × 2 (repeatedly) first.
        nm_per_pixel: the picture's scale; ``None``: lengths are told in pixels.
        rotation_axis: along which side of the picture the collector rotated.

    Raises:
        ValueError: not a finite two-dimensional picture of at least 16 × 16, or no such scale.
    """
    image = _checked(grey, nm_per_pixel, rotation_axis)
    height, width = image.shape
    unit = 1.0 if nm_per_pixel is None else nm_per_pixel
    while image.size > MOST_MEGAPIXELS * 1e6:
        h, w = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
        image = image[:h, :w].reshape(h // 2, 2, w // 2, 2).mean(axis=(1, 3), dtype=np.float32)
        unit *= 2.0
    seen, fibres = find_ribbons(image)
    void = air(image)
    middle = float(np.median(fibres.width)) if len(fibres) else 0.0
    beads = find_beads(image, middle)
    in_bead = bead_mask(beads, image.shape)
    fibres = fibres.only(~in_bead[_pixels(fibres, image.shape)])
    angle = seen.angle if rotation_axis == "x" else seen.angle - 0.5 * np.pi
    covered = int((~void).sum())
    statistics = MicrostructureStatistics(
        nm_per_pixel=nm_per_pixel,
        rotation_axis=rotation_axis,
        width_px=width,
        height_px=height,
        diameter=Distribution.of(fibres.width * unit, fibres.length),
        order=float(np.average(np.cos(2.0 * angle), weights=seen.length)) if len(seen) else None,
        n_directions=len(seen),
        directions=_directions(angle, seen.length),
        porosity=float(void.mean()) if image.max() > image.min() else None,
        pore=Distribution.of(pore_diameters(void) * unit),
        bead_fraction=float((in_bead & ~void).sum() / covered) if covered else 0.0,
        n_beads=len(beads),
    )
    return Measured(statistics, image, fibres, void, beads)


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


def _pixels(fibres: Ribbons, shape: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    y, x = np.rint(fibres.y), np.rint(fibres.x)
    return (
        np.clip(y, 0, shape[0] - 1).astype(np.intp),
        np.clip(x, 0, shape[1] - 1).astype(np.intp),
    )


def _directions(angle: NDArray[np.float64], length: NDArray[np.float64]) -> tuple[float, ...]:
    counts, _ = np.histogram(angle % np.pi, bins=N_DIRECTIONS, range=(0.0, np.pi), weights=length)
    total = counts.sum()
    return tuple(float(c / total) if total else 0.0 for c in counts)
