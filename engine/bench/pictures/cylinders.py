"""A second renderer of mats, written apart from what the judge learned from: solids under a beam.

Fibres are bent cylinders in space, laid point by point into a buffer of heights, so that each pixel
shows what lies uppermost there. What leaves a surface grows with its slope (secondary electrons
from a depth: the rim is bright, a limited number of times), falls where something rises beside it,
charges along the scan lines and is counted, electron by electron. The truth is read off the buffer,
before beam, blur and noise.

======  ==================================================================
d       diameter of a fibre [px]; R its radius
t       place across a fibre, −1 … 1; the surface's normal leans by arcsin t
e       how much weaker the rim is held back: brightness (1 + e) / (√(1 − t²) + e)
======  ==================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy import signal

Array = NDArray[np.float64]
SHAPE = (384, 512)
FINE = 2
"""Drawn at so many times the picture's pixels a side."""

STEP = 0.6
"""Distance of points on a surface [fine px]: no pixel is passed over."""


@dataclass(frozen=True)
class Look:
    """A mat and how it is pictured; lengths in pixels of the picture.

    ``modes``: mean diameter, coefficient of variation and share of the fibres of each population.
    ``layers``: fibres' area for the picture's. ``blur``: the beam's standard deviation.
    ``electrons``: counted in a pixel of mean brightness.
    """

    modes: tuple[tuple[float, float, float], ...]
    layers: float
    blur: float
    electrons: float
    rim: float
    order: float
    charging: float = 0.0
    is_bundled: bool = False
    beads_per_fibre: float = 0.0
    shape: tuple[int, int] = SHAPE

    @property
    def diameter(self) -> float:
        """Mean diameter of the mat."""
        return sum(mean * share for mean, _, share in self.modes)

    @property
    def diameter_sd(self) -> float:
        """Standard deviation of the mat's diameters."""
        second = sum(share * mean**2 * (1.0 + cv**2) for mean, cv, share in self.modes)
        return math.sqrt(second - self.diameter**2)


@dataclass(frozen=True)
class Truth:
    """What a picture shows, by visible length; lengths in pixels. Beads are left out of lengths."""

    diameter: float
    diameter_sd: float
    order: float
    porosity: float
    bead_fraction: float


@dataclass
class _Space:
    """Heights and what lies there, each of the fine picture, as one row."""

    height: Array
    fibre: NDArray[np.int32]
    lean: Array
    is_bead: NDArray[np.bool_]
    double_angle: Array


def look_of(group: str, rng: np.random.Generator) -> Look:
    """Return a random look of a group: see :data:`GROUPS`."""
    cv = rng.uniform(0.06, 0.35)
    thick = float(np.exp(rng.uniform(math.log(6.0), math.log(18.0))))
    layers, blur, electrons = rng.uniform(0.8, 3.0), rng.uniform(0.4, 0.9), rng.uniform(60.0, 400.0)
    modes: tuple[tuple[float, float, float], ...] = ((thick, cv, 1.0),)
    if group == "thin":
        modes = ((rng.uniform(3.0, 5.0), cv, 1.0),)
    elif group == "blurred":
        modes, blur = ((rng.uniform(10.0, 14.0), cv, 1.0),), rng.uniform(2.0, 4.5)
    elif group == "noisy":
        modes, electrons = ((rng.uniform(8.0, 14.0), cv, 1.0),), rng.uniform(8.0, 15.0)
    elif group == "bimodal":
        share, thin = rng.uniform(0.3, 0.7), rng.uniform(5.0, 8.0)
        ratio = rng.uniform(2.2, 3.5)
        modes = ((thin, 0.12, share), (thin * ratio, 0.12, 1.0 - share))
    elif group == "dense":
        modes, layers = ((rng.uniform(8.0, 14.0), cv, 1.0),), rng.uniform(5.0, 12.0)
    return Look(
        modes,
        layers,
        blur,
        electrons,
        rim=rng.uniform(0.5, 2.5),
        order=rng.uniform(0.0, 0.9),
        charging=rng.uniform(0.1, 0.5) if rng.random() < 0.3 else 0.0,
        is_bundled=rng.random() < 0.25,
        beads_per_fibre=rng.uniform(0.1, 0.6) if rng.random() < 0.2 else 0.0,
    )


GROUPS = ("ordinary", "thin", "blurred", "noisy", "bimodal", "dense")
"""6 to 18 px; 3 to 5 px; a beam of 2 to 4.5 px on 10 to 14 px; 8 to 15 electrons a pixel; two
populations, the thick 2.2 to 3.5 times the thin; 5 to 12 layers."""


def draw(look: Look, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Truth]:
    """Return a picture and its truth."""
    rows, columns = (FINE * n for n in look.shape)
    space = _Space(
        np.full(rows * columns, -np.inf),
        np.full(rows * columns, -1, dtype=np.int32),
        np.zeros(rows * columns),
        np.zeros(rows * columns, dtype=np.bool_),
        np.zeros(rows * columns),
    )
    diameters = _lay(space, look, rng, rows, columns)
    light = _light(space, look, rng, (rows, columns))
    return _photographed(light, look, rng), _truth(space, diameters)


def _lay(space: _Space, look: Look, rng: np.random.Generator, rows: int, columns: int) -> Array:
    """Lay fibres from the bottom up until their area is enough; return their diameters."""
    diameters: list[float] = []
    area, middle = 0.0, rng.uniform(0.0, math.pi)
    reach = 0.5 * math.hypot(rows, columns)
    while area < look.layers * rows * columns:
        mean, cv, _ = look.modes[rng.choice(len(look.modes), p=[m[2] for m in look.modes])]
        sigma = math.sqrt(math.log1p(cv**2))
        tilt = 0.5 * math.sqrt(-2.0 * math.log(max(look.order, 0.01)))
        angle = middle + tilt * rng.standard_normal()
        offset = rng.uniform(-reach, reach)
        for _ in range(int(rng.integers(2, 5)) if look.is_bundled and rng.random() < 0.3 else 1):
            d = FINE * mean * math.exp(sigma * rng.standard_normal() - 0.5 * sigma**2)
            diameters.append(d)
            level = 0.35 * len(diameters) * FINE * look.diameter
            area += d * _cylinder(
                space, look, rng, (rows, columns), (angle, offset, level), len(diameters) - 1, d
            )
            offset += d * rng.uniform(0.95, 1.1)
    return np.array(diameters)


def _cylinder(
    space: _Space,
    look: Look,
    rng: np.random.Generator,
    shape: tuple[int, int],
    axis: tuple[float, float, float],
    number: int,
    diameter: float,
) -> float:
    """Put a fibre's surface into the buffer; return its length in the picture."""
    angle, offset, level = axis
    rows, columns = shape
    reach = 0.5 * math.hypot(rows, columns)
    u = np.arange(-reach, reach, STEP)
    period = diameter * math.exp(rng.uniform(math.log(25.0), math.log(120.0)))
    frequency, phase = 2.0 * math.pi / period, rng.uniform(0.0, 2.0 * math.pi)
    steep = rng.uniform(0.0, 0.3)
    bend = offset + steep / frequency * np.sin(frequency * u + phase)
    slope = steep * np.cos(frequency * u + phase)
    radius = 0.5 * diameter * _swollen(look, rng, u, diameter)
    turn = angle + np.arctan(slope)
    x = 0.5 * columns + u * math.cos(angle) - bend * math.sin(angle)
    y = 0.5 * rows + u * math.sin(angle) + bend * math.cos(angle)
    near = (
        (x > -2 * radius) & (x < columns + 2 * radius) & (y > -2 * radius) & (y < rows + 2 * radius)
    )
    x, y, radius, turn = x[near], y[near], radius[near], turn[near]
    if not x.size:
        return 0.0
    n = math.ceil(2.0 * float(radius.max()) / STEP) + 4
    reach_px = (radius[:, None] + 1.0) * np.linspace(-1.0, 1.0, n)[None, :]
    right, down = -np.sin(turn)[:, None], np.cos(turn)[:, None]
    place_x = np.floor(x[:, None] + reach_px * right)
    place_y = np.floor(y[:, None] + reach_px * down)
    # A pixel belongs to the fibre if its middle does.
    t = (place_x + 0.5 - x[:, None]) * right + (place_y + 0.5 - y[:, None]) * down
    t /= radius[:, None]
    inside = (place_x >= 0) & (place_x < columns) & (place_y >= 0) & (place_y < rows)
    inside &= np.abs(t) <= 1.0
    lean = t[inside]
    rise = np.broadcast_to(radius[:, None], inside.shape)[inside] * np.sqrt(1.0 - lean**2)
    index, z = (place_y * columns + place_x)[inside].astype(np.intp), level + rise
    # In order of height: what is written last to a pixel lies uppermost.
    order = np.argsort(z, kind="stable")
    index, z = index[order], z[order]
    top = z > space.height[index]
    index, chosen = index[top], order[top]
    space.height[index] = z[top]
    space.fibre[index] = number
    space.lean[index] = lean[chosen]
    swollen = np.broadcast_to((radius > 0.75 * diameter)[:, None], inside.shape)
    space.is_bead[index] = swollen[inside][chosen]
    doubled = np.broadcast_to(2.0 * turn[:, None], inside.shape)
    space.double_angle[index] = doubled[inside][chosen]
    return STEP * float(((x >= 0) & (x < columns) & (y >= 0) & (y < rows)).sum())


def _swollen(look: Look, rng: np.random.Generator, u: Array, diameter: float) -> Array:
    factor = np.ones_like(u)
    for _ in range(rng.poisson(look.beads_per_fibre)):
        length, size = diameter * rng.uniform(1.5, 4.0), rng.uniform(1.2, 3.5)
        off = (u - rng.uniform(u[0], u[-1])) / length
        factor = np.maximum(factor, 1.0 + size * np.exp(-(off**2)))
    return factor


def _light(space: _Space, look: Look, rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Return what leaves the surface, (rows, columns) of the picture."""
    fibre = space.fibre.reshape(shape)
    covered = fibre >= 0
    rim = (1.0 + look.rim) / (np.sqrt(1.0 - space.lean**2) + look.rim)
    brightness = np.exp(0.1 * rng.standard_normal(int(space.fibre.max(initial=0)) + 1))
    ground = rng.uniform(0.05, 0.25)
    light = np.where(covered, (rim * brightness[space.fibre]).reshape(shape), ground)
    size = FINE * look.diameter
    height = np.where(covered, space.height.reshape(shape), -size)
    # What rises beside a place hides it from the detector.
    rise = ndi.gaussian_filter(height, size) - height
    light *= np.exp(-rng.uniform(0.1, 0.35) * np.clip(rise / size, 0.0, 6.0))
    depth = np.clip((height.max() - height) / (size * (1.0 + look.layers)), 0.0, 1.0)
    light *= 1.0 - rng.uniform(0.1, 0.5) * depth
    rows, columns = look.shape
    return np.asarray(light.reshape(rows, FINE, columns, FINE).mean(axis=(1, 3)))


def _photographed(light: Array, look: Look, rng: np.random.Generator) -> NDArray[np.uint8]:
    blurred = ndi.gaussian_filter(light, look.blur)
    if look.charging:
        # Along the scan lines a bright place leaves a dark tail, and lines differ.
        excess = blurred - blurred.mean()
        tail = signal.lfilter([1.0 - 0.97], [1.0, -0.97], excess, axis=1)
        lines = 1.0 + 0.1 * look.charging * rng.standard_normal((blurred.shape[0], 1))
        blurred = np.clip(blurred - look.charging * tail, 0.01, None) * np.clip(lines, 0.5, 1.5)
    counts = rng.poisson(blurred / blurred.mean() * look.electrons)
    low, high = np.quantile(counts, [0.002, 0.998])
    grey = (counts - low) / max(float(high - low), 1e-9)
    return np.asarray(np.round(255.0 * np.clip(grey, 0.0, 1.0)), dtype=np.uint8)


def _truth(space: _Space, diameters: Array) -> Truth:
    covered = space.fibre >= 0
    plain = covered & ~space.is_bead
    owner = space.fibre[plain]
    # A pixel of a fibre shows a length of its area divided by the fibre's diameter.
    length = 1.0 / diameters[owner]
    mean = float(np.average(diameters[owner], weights=length))
    variance = float(np.average((diameters[owner] - mean) ** 2, weights=length))
    return Truth(
        mean / FINE,
        math.sqrt(variance) / FINE,
        float(np.average(np.cos(space.double_angle[plain]), weights=length)),
        float(1.0 - covered.mean()),
        float(space.is_bead[covered].mean()),
    )
