"""Draw what a scanning electron microscope would show of a mat, at true scale.

Fibres are laid from the back to the front: each is a gently waving cylinder, bright at its rims,
brighter the nearer it lies; beads are swellings along it. The collector's rotation runs along the
width of the picture, so an order S > 0 shows as fibres lying flat.

Notation:

What a picture can show of its mat is less than the mat: fibres hide one another, and air below a
fibre is not seen. :func:`render_known` therefore tells the truth of the picture itself.

======  ==================================================================
θ       fibre angle from the rotation, wrapped normal of ⟨cos 2θ⟩ = S
R       radius along a fibre [px], (length,)
z       depth of a fibre, 0 (back) … 1 (front)
======  ==================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.lab.physics import Microstructure

LAYERS_PER_SOLIDITY = 9.0
"""Fibre layers seen in a mat, for each unit of solid share: about 2¼ at a porosity of 0.75."""

# Bounds the time of a large picture of thin fibres.
MAX_FIBRES = 4000
BEAD_SWELLING = 1.8
BEAD_THICKENING = 1.5
"""A place of a fibre counts as bead where it is so many times as thick as the fibre is."""

# Grey values of 255.
BACKGROUND, NOISE = 26.0, 7.0


@dataclass(frozen=True)
class PictureTruth:
    """What a drawn picture really shows, by visible area or length; the yardstick of statistics.

    Diameters are those of the drawn fibres (beads left out), each by its visible length; ``nan``
    where none is visible. ``order`` is ⟨2 cos²θ − 1⟩ along that length, θ from the rotation (the
    width), waves included: the mat's :attr:`~engine.lab.physics.Microstructure.order` as this
    picture happens to show it. ``porosity`` is areal: the share of pixels that no fibre covers, in
    expectation exp(−9 (1 − φ)) of the mat's porosity φ, which no single picture shows.
    ``bead_fraction`` is the share of the covered area that lies in beads.
    """

    diameter_nm: float
    diameter_sd_nm: float
    order: float
    porosity: float
    bead_fraction: float
    n_fibres: int


class _Canvas:
    """The picture, and for each pixel which fibre lies on top, how thick and how turned there."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.grey: NDArray[np.float64] = np.full(shape, BACKGROUND)
        self.owner = np.full(shape, -1, dtype=np.int32)
        self.radius = np.zeros(shape)
        self.double_angle = np.zeros(shape)


@dataclass(frozen=True)
class _Fibre:
    angle: float
    offset: float
    radius: float
    wave: tuple[float, float, float]
    depth: float
    beads: NDArray[np.float64]


def render(
    mat: Microstructure,
    rng: np.random.Generator,
    *,
    shape: tuple[int, int] = (64, 64),
    nm_per_pixel: float = 60.0,
) -> NDArray[np.uint8]:
    """Return a grey micrograph of (height, width) = ``shape`` pixels.

    ``mat``'s fields are single numbers. One pixel is ``nm_per_pixel`` wide and high, so a mean
    diameter of 600 nm shows as fibres 10 pixels thick at 60 nm.

    Raises:
        ValueError: an empty shape or a scale that is not positive.
    """
    return render_known(mat, rng, shape=shape, nm_per_pixel=nm_per_pixel)[0]


def render_known(
    mat: Microstructure,
    rng: np.random.Generator,
    *,
    shape: tuple[int, int] = (64, 64),
    nm_per_pixel: float = 60.0,
) -> tuple[NDArray[np.uint8], PictureTruth]:
    """Return :func:`render`'s picture together with what it truly shows.

    Raises:
        ValueError: an empty shape or a scale that is not positive.
    """
    height, width = shape
    if height < 1 or width < 1 or not nm_per_pixel > 0:
        raise ValueError(
            f"expected a shape of at least (1, 1) and nm_per_pixel above 0, "
            f"got {shape} and {nm_per_pixel}"
        )
    canvas = _Canvas(shape)
    fibres = _fibres(mat, rng, shape, nm_per_pixel)
    for index, fibre in enumerate(fibres):
        _paint(canvas, fibre, index)
    gain = 1.0 + 0.08 * rng.standard_normal()
    grey = gain * canvas.grey + 4.0 * rng.standard_normal() + NOISE * rng.standard_normal(shape)
    picture = np.asarray(np.clip(np.rint(grey), 0, 255), dtype=np.uint8)
    return picture, _truth(canvas, fibres, nm_per_pixel)


def _truth(canvas: _Canvas, fibres: list[_Fibre], nm_per_pixel: float) -> PictureTruth:
    covered = canvas.owner >= 0
    widths = 2.0 * np.array([fibre.radius for fibre in fibres])[canvas.owner[covered]]  # px
    is_bead = 2.0 * canvas.radius[covered] > BEAD_THICKENING * widths
    widths = widths[~is_bead]
    nan = float("nan")
    mean, spread, order = nan, nan, nan
    if widths.size:
        length = 1.0 / widths  # a pixel's share of visible length
        mean = float(np.average(widths, weights=length))
        spread = math.sqrt(np.average((widths - mean) ** 2, weights=length))
        order = float(np.average(canvas.double_angle[covered][~is_bead], weights=length))
    return PictureTruth(
        diameter_nm=mean * nm_per_pixel,
        diameter_sd_nm=spread * nm_per_pixel,
        order=order,
        porosity=1.0 - float(covered.mean()),
        bead_fraction=float(is_bead.mean()) if is_bead.size else 0.0,
        n_fibres=int(np.unique(canvas.owner[covered]).size),
    )


def _fibres(
    mat: Microstructure, rng: np.random.Generator, shape: tuple[int, int], nm_per_pixel: float
) -> list[_Fibre]:
    """Draw the fibres that can cross the picture, back to front."""
    reach = 0.5 * math.hypot(*shape)
    diameter = float(mat.diameter_nm) / nm_per_pixel  # px
    layers = LAYERS_PER_SOLIDITY * (1.0 - float(mat.porosity))
    n = int(np.clip(round(layers * 2.0 * reach / diameter), 1, MAX_FIBRES))
    cv, order = float(mat.diameter_cv), float(mat.order)
    sigma = math.sqrt(math.log1p(cv**2))
    radii = 0.5 * diameter * np.exp(sigma * rng.standard_normal(n) - 0.5 * sigma**2)
    # ⟨cos 2θ⟩ of a wrapped normal is exp(−2σ²); a negative order lies across the rotation.
    tilt = math.sqrt(-0.5 * math.log(max(abs(order), 1e-4)))
    angles = tilt * rng.standard_normal(n) + (math.pi / 2 if order < 0 else 0.0)
    offsets = rng.uniform(-reach, reach, n)
    waves = rng.random((n, 3))
    fibres = []
    for i in range(n):
        amplitude = 0.35 * diameter * waves[i, 0]
        period = (14.0 + 20.0 * waves[i, 1]) * diameter
        n_beads = rng.poisson(2.0 * reach / diameter * 0.12 * float(mat.bead_fraction))
        fibres.append(
            _Fibre(
                angle=float(angles[i]),
                offset=float(offsets[i]),
                radius=float(radii[i]),
                wave=(amplitude, 2 * math.pi / period, 2 * math.pi * waves[i, 2]),
                depth=(i + 1) / n,
                beads=rng.uniform(-reach, reach, n_beads),
            )
        )
    return fibres


def _paint(canvas: _Canvas, fibre: _Fibre, index: int) -> None:
    """Lay one fibre over what is there, touching only the strip of pixels it covers."""
    flat = abs(math.cos(fibre.angle)) >= abs(math.sin(fibre.angle))
    view = canvas.grey if flat else canvas.grey.T
    angle = fibre.angle if flat else math.pi / 2 - fibre.angle
    cosine, sine = math.cos(angle), math.sin(angle)
    if cosine < 0:
        cosine, sine = -cosine, -sine
    rows, columns = view.shape
    x = np.arange(columns) - 0.5 * (columns - 1)
    along = x / cosine  # near enough to arc length for waves and beads
    amplitude, frequency, phase = fibre.wave
    bend = amplitude * np.sin(frequency * along + phase)
    centre = 0.5 * (rows - 1) + (fibre.offset + bend) / cosine + x * sine / cosine
    radius = _radius_along(fibre, along)
    half = math.ceil(float(radius.max()) / cosine) + 1
    visible = np.flatnonzero((centre > -half) & (centre < rows - 1 + half))
    if not visible.size:
        return
    first = np.floor(centre[visible]).astype(np.intp) - half
    row = first[:, None] + np.arange(2 * half + 2)  # (seen, strip)
    distance = np.abs(row - centre[visible, None]) * cosine / radius[visible, None]
    cover = np.clip((1.0 - distance) * radius[visible, None] + 0.5, 0.0, 1.0)
    inside = (cover > 0.0) & (row >= 0) & (row < rows)
    picked = np.broadcast_to(visible[:, None], row.shape)[inside]
    row, distance, cover = row[inside], np.minimum(distance[inside], 1.0), cover[inside]
    shade = (70.0 + 105.0 * fibre.depth) * (0.82 + 0.42 * distance**3)  # bright rims
    view[row, picked] = cover * shade + (1.0 - cover) * view[row, picked]

    on_top = cover >= 0.5
    row, picked = row[on_top], picked[on_top]
    tangent = angle + np.arctan(amplitude * frequency * np.cos(frequency * along + phase))
    sign = 1.0 if flat else -1.0  # the view is transposed: 2θ → π − 2θ
    place = (row, picked) if flat else (picked, row)
    canvas.owner[place] = index
    canvas.radius[place] = radius[picked]
    canvas.double_angle[place] = sign * np.cos(2.0 * tangent[picked])


def _radius_along(fibre: _Fibre, along: NDArray[np.float64]) -> NDArray[np.float64]:
    if not fibre.beads.size:
        return np.full(along.shape, fibre.radius)
    nearest = np.abs(along[:, None] - fibre.beads).min(axis=1)
    swelling = np.exp(-((nearest / (3.0 * fibre.radius)) ** 2))
    return np.asarray(fibre.radius * (1.0 + BEAD_SWELLING * swelling))
