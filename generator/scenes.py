"""Drawn mats with known truth, as unlike one another as micrographs are.

A wider family than any one instrument or lab: fibres of one to some twenty pixels, sparse or in
many layers, straight or waved, with bright or dark rims, lit from a side, with shadows under them,
rough, on grounds of any grey; beads and particles; blur, noise, charging. Domain randomisation
(Tobin et al., IROS 2017): what holds over all of these holds on a real picture too. It knows
nothing of the virtual lab's renderer, on which the statistics are judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from generator.outlines import resized

Plane = NDArray[np.float32]

THINNEST_PX, THICKEST_PX = 1.8, 20.0
HANDY_PX = (5.0, 12.0)
"""Most scenes are as thick as this: as they are looked at in the end (:mod:`generator.reading`)."""

BEAD_THICKENING = 1.5
"""A place counts as bead where it is so many times as thick as its fibre is."""


@dataclass(frozen=True)
class Scene:
    """A drawn picture and its truth, each (height, width).

    ``grey``: any scale. ``diameter`` [px] of the fibre on top, 0 where there is none. ``bead``: 1
    in beads and particles. ``local``: as ``diameter``, swollen where there is a bead. ``order``:
    0 where there is none, else the higher the nearer.
    """

    grey: Plane
    diameter: Plane
    bead: Plane
    local: Plane
    order: Plane


@dataclass(frozen=True)
class _Style:
    """How all fibres of a scene look; shares of the brightness, lengths in fibre radii."""

    rim: float
    rim_power: float
    light: float
    rough: float
    shadow: float
    shadow_reach: float
    wave: float
    thickness_wave: float
    swelling: float
    bead_length: float
    beads_per_fibre: float
    bead_light: float


@dataclass(frozen=True)
class _Fibre:
    diameter: float
    angle: float
    brightness: float


def draw_scene(rng: np.random.Generator, side: int = 144) -> Scene:
    """Draw a random mat of ``side`` × ``side`` pixels."""
    planes = {name: np.zeros((side, side), dtype=np.float32) for name in _LAYERS}
    planes["grey"] += _ground(rng, side)
    style = _style(rng)
    thin, thick = HANDY_PX if rng.random() < 0.7 else (THINNEST_PX, THICKEST_PX)
    middle = math.exp(rng.uniform(math.log(thin), math.log(thick)))
    layers = math.exp(rng.uniform(math.log(0.25), math.log(5.0)))
    if rng.random() < 0.5:
        layers = rng.uniform(1.5, 5.0)
    reach = 0.5 * math.sqrt(2.0) * side
    n = int(np.clip(layers * 2.0 * reach / middle, 2, 600))
    sigma = math.sqrt(math.log1p(rng.uniform(0.03, 0.65) ** 2))
    # Log-normal of mean `middle`, hence less σ²/2.
    diameters = middle * np.exp(sigma * rng.standard_normal(n) - 0.5 * sigma**2)
    angles = rng.uniform(0, math.pi) + _tilts(rng, n)
    dim, gamma = rng.uniform(0.15, 0.9), rng.uniform(0.5, 2.0)
    for i in range(n):
        depth = (i + 1) / n
        brightness = (dim + (1.0 - dim) * depth**gamma) * math.exp(0.08 * rng.standard_normal())
        fibre = _Fibre(float(diameters[i]), float(angles[i]), brightness)
        _paint(planes, rng, style, fibre, reach)
    if rng.random() < 0.15:
        _particles(planes, rng, middle)
    return Scene(
        _photographed(planes["grey"], rng, middle), *(planes[name] for name in _LAYERS[1:])
    )


_LAYERS = ("grey", "diameter", "bead", "local", "order")


def _style(rng: np.random.Generator) -> _Style:
    beaded = rng.random() < 0.4
    return _Style(
        rim=rng.uniform(-0.5, 0.9),
        rim_power=float(rng.choice([2.0, 3.0, 4.0, 6.0])),
        light=0.3 * rng.standard_normal() if rng.random() < 0.4 else 0.0,
        rough=rng.uniform(0.0, 0.25) if rng.random() < 0.4 else 0.0,
        shadow=rng.uniform(0.0, 0.6) if rng.random() < 0.4 else 0.0,
        shadow_reach=rng.uniform(0.3, 1.5),
        wave=math.exp(rng.uniform(math.log(0.02), math.log(0.5))),
        thickness_wave=rng.uniform(0.0, 0.1),
        swelling=math.exp(rng.uniform(math.log(0.8), math.log(6.0))),
        bead_length=rng.uniform(1.5, 5.0),
        beads_per_fibre=math.exp(rng.uniform(math.log(0.05), math.log(3.0))) if beaded else 0.0,
        bead_light=rng.uniform(-0.1, 0.6) if rng.random() < 0.5 else 0.0,
    )


def _tilts(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    if rng.random() < 0.35:
        return rng.uniform(0.0, math.pi, n)
    tilt = rng.uniform(0.1, 1.2) * rng.standard_normal(n)
    if rng.random() < 0.15:  # two directions, as of two collectors
        tilt += np.where(rng.random(n) < 0.5, rng.uniform(0.5, 0.5 * math.pi), 0.0)
    return np.asarray(tilt)


def _cloud(rng: np.random.Generator, side: int, grain: float) -> Plane:
    """Return smooth noise of unit deviation, ``grain`` pixels coarse."""
    cloud = ndi.gaussian_filter(rng.standard_normal((side, side)), grain, mode="wrap")
    return np.asarray(cloud / max(float(cloud.std()), 1e-9), dtype=np.float32)


def _ground(rng: np.random.Generator, side: int) -> Plane:
    ground = np.full((side, side), max(0.0, rng.normal(0.05, 0.12)), dtype=np.float32)
    if rng.random() < 0.4:
        ground += np.float32(rng.uniform(0.0, 0.08)) * _cloud(rng, side, rng.uniform(5.0, 40.0))
    return ground


def _paint(
    planes: dict[str, Plane], rng: np.random.Generator, style: _Style, fibre: _Fibre, reach: float
) -> None:
    """Lay one fibre over what is there."""
    diameter, angle = fibre.diameter, fibre.angle
    # Steep fibres are painted on the transposed plane, so that each column is crossed once.
    flat = abs(math.cos(angle)) >= abs(math.sin(angle))
    turned = angle if flat else 0.5 * math.pi - angle
    slope = math.tan(turned)
    # Views, not copies: what is written to them is written to the planes.
    views = {name: plane if flat else plane.T for name, plane in planes.items()}
    rows, columns = views["grey"].shape
    x = np.arange(columns) - 0.5 * (columns - 1)
    along = x * math.hypot(1.0, slope)
    bend, bent = _wave(rng, style, diameter, along)
    centre = 0.5 * (rows - 1) + slope * x + bend
    centre += rng.uniform(-reach, reach) * math.hypot(1.0, slope)
    tangent = slope + bent * math.hypot(1.0, slope)
    cosine = 1.0 / np.hypot(1.0, tangent)
    radii = 0.5 * diameter * (1.0 + style.thickness_wave * np.sin(along / (6.0 * diameter)))
    radius = radii * _swelling(rng, style, 0.5 * diameter, along, reach)
    halo = 1.0 + (style.shadow_reach if style.shadow else 0.0)
    half = np.ceil((halo * radius + 1.0) / cosine)
    visible = np.flatnonzero((centre > -half) & (centre < rows + half))
    if not visible.size:
        return
    widest = int(half[visible].max())
    row = np.floor(centre[visible]).astype(np.intp)[:, None] + np.arange(-widest, widest + 2)
    off = ((row - centre[visible, None]) * (cosine / radius)[visible, None]).astype(np.float32)
    inside = (np.abs(off) < halo + 1.0 / radius[visible, None]) & (row >= 0) & (row < rows)
    column = np.broadcast_to(visible[:, None], row.shape)[inside]
    place, off = (row[inside], column), off[inside]
    cover = np.clip((1.0 - np.abs(off)) * radius[column] + 0.5, 0.0, 1.0).astype(np.float32)
    clipped = np.clip(off, -1.0, 1.0)
    shade = 1.0 + style.rim * (np.abs(clipped) ** style.rim_power - 0.3) + style.light * clipped
    waves = 1.0 + 0.1 * np.sin(along / (11.0 * diameter) + rng.uniform(0.0, 6.3))
    lit = 1.0 + style.bead_light * np.clip(radius / radii - 1.0, 0.0, 1.0)
    shade = shade * (fibre.brightness * waves * lit)[column]
    if style.rough:
        shade = shade * (1.0 + style.rough * rng.standard_normal(shade.size))
    grey = views["grey"]
    under = grey[place]
    if style.shadow:
        under = under * (1.0 - style.shadow * np.clip((halo - np.abs(off)) / (halo - 1.0), 0, 1))
    grey[place] = cover * np.maximum(shade, 0.0) + (1.0 - cover) * under
    top = cover >= 0.5
    place, column = (place[0][top], column[top]), column[top]
    views["diameter"][place] = 2.0 * radii[column]
    views["bead"][place] = radius[column] > BEAD_THICKENING * radii[column]
    views["local"][place] = 2.0 * radius[column]
    # Above all that was laid before: the outline is the upper one's.
    views["order"][place] = planes["order"].max() + 1.0


def _wave(
    rng: np.random.Generator, style: _Style, diameter: float, along: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far a fibre strays from its line [px], and the slope of that."""
    bend, bent = np.zeros_like(along), np.zeros_like(along)
    for _ in range(2):
        period = diameter * math.exp(rng.uniform(math.log(12.0), math.log(80.0)))
        frequency, phase = 2.0 * math.pi / period, rng.uniform(0.0, 6.3)
        steep = style.wave * rng.random()
        bend += steep / frequency * np.sin(frequency * along + phase)
        bent += steep * np.cos(frequency * along + phase)
    return bend, bent


def _swelling(
    rng: np.random.Generator,
    style: _Style,
    radius: float,
    along: NDArray[np.float64],
    reach: float,
) -> NDArray[np.float64]:
    swelling = np.ones_like(along)
    for _ in range(min(int(rng.poisson(style.beads_per_fibre)), 12)):
        place, length = rng.uniform(-reach, reach), style.bead_length * radius
        swell = style.swelling * rng.uniform(0.7, 1.2)
        bump = 1.0 + swell * np.exp(-(((along - place) / (length * max(1.0, 0.5 * swell))) ** 2))
        swelling = np.maximum(swelling, bump)
    return swelling


def _particles(planes: dict[str, Plane], rng: np.random.Generator, diameter: float) -> None:
    side = planes["grey"].shape[0]
    rows, columns = np.ogrid[:side, :side]
    for _ in range(int(rng.integers(1, 12))):
        radius = diameter * rng.uniform(0.8, 3.0)
        y, x = rng.uniform(0, side, 2)
        off = np.hypot((rows - y) * rng.uniform(0.7, 1.4), columns - x) / radius
        cover = np.clip((1.0 - off) * radius + 0.5, 0.0, 1.0).astype(np.float32)
        shade = rng.uniform(0.5, 1.3) * (1.0 + 0.3 * off**3)
        planes["grey"][:] = cover * shade + (1.0 - cover) * planes["grey"]
        top = cover >= 0.5
        planes["bead"][top] = 1.0
        planes["diameter"][top] = diameter
        planes["local"][top] = 2.0 * radius
        planes["order"][top] = planes["order"].max() + 1.0


def _photographed(grey: Plane, rng: np.random.Generator, diameter: float) -> Plane:
    """Blur, charge, distort and add noise as instruments do."""
    side = grey.shape[0]
    blur = rng.uniform(-0.3, 0.9) + (rng.uniform(0.0, 0.12) * diameter if rng.random() < 0.3 else 0)
    grey = ndi.gaussian_filter(grey, max(0.0, blur))
    if rng.random() < 0.3:
        grey = grey * (1.0 + 0.15 * _cloud(rng, side, rng.uniform(25.0, 80.0)))
    if rng.random() < 0.07:
        rows, columns = np.ogrid[:side, :side]
        y, x, size = *rng.uniform(0, side, 2), rng.uniform(5.0, 30.0)
        grey = grey + np.exp(-0.5 * ((rows - y) ** 2 + (columns - x) ** 2) / size**2)
    picture = np.asarray(np.maximum(grey, 0.0) ** rng.uniform(0.7, 1.5), dtype=np.float32)
    coarse = rng.uniform(1.1, 2.3) if rng.random() < 0.35 else 1.0  # as thin fibres are looked at
    if coarse > 1.0:
        # Made coarse and, at the end, fine again: interpolated pixels, as a thin fibre's picture is
        # enlarged to be looked at.
        picture = resized(picture, coarse)
    spread = float(picture.std()) + 1e-3
    grain = rng.uniform(0.0, 1.0) if rng.random() < 0.3 else 0.0
    noise = rng.standard_normal(picture.shape)
    if grain:
        noise = ndi.gaussian_filter(noise, grain)
        noise /= noise.std()
    picture = picture + np.float32(rng.uniform(0.0, 0.4) * spread) * noise.astype(np.float32)
    return resized(picture, picture.shape[0] / side, (side, side)) if coarse > 1.0 else picture
