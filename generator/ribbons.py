"""Fibres as ribbons: two antiparallel edges at one distance, bright between them.

In a mat of many layers nearly everything is fibre, and the distance transform of a plain mask
measures the mat, not its fibres. So the distance is taken along the normal, from a fibre's
centreline to its own two edges (Koller et al., "Multiscale detection of curvilinear structures",
ICCV 1995: the response of a line is the weaker one of its two edges), on a pyramid in which each
fibre is five to ten pixels thick at one level.

Notation:

======  ==========================================================================
t       direction of a fibre, from the picture's width towards its bottom [rad]
w       width of a ribbon [px]; u across it, l along it
E       slope of the grey values across t, averaged along t over ``LENGTH``
q       strength of a ribbon: the weaker of its two edges' E
s       size of a pixel of the pyramid's level, 1, 2, 4 … [px]
======  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

Array = NDArray[np.float64]
Image = NDArray[np.float32]

SIGMA = 0.9
N_ANGLES = 24
LENGTH = 15
THINNEST, LEAST, MOST = 2, 5, 10
"""Widths searched [px of the level]: 2 to 10 at the first level, 5 to 10 at the coarser ones."""

N_LEVELS = 6
THIN, PART = 7.0, 320
FAINTEST = 0.2
NOISE_FACTOR = 7.0
UNLIKE_EDGES = 5.0
RESTLESS, RESTLESS_FINE = 0.15, 0.5
RIM_WIDTH, RIM_STRENGTH = 0.4, 0.5
BUNDLE_WIDTH, BUNDLE_STRENGTH = 0.85, 0.9
PARALLEL = np.radians(15.0)
ACCEPTED = (0.4, 2.2)
"""Widths kept, relative to the median by area and contrast: rims are thinner, pairs wider."""


@dataclass(frozen=True)
class Ribbons:
    """Points of centrelines; every field is (n,).

    ``y``, ``x``: place [px]; ``width`` [px]; ``angle``: t [rad]; ``strength``: q [grey/px];
    ``length``: how much centreline a point stands for [px].
    """

    y: Array
    x: Array
    width: Array
    angle: Array
    strength: Array
    length: Array

    def __len__(self) -> int:
        return self.y.size

    def only(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Ribbons:
        """Return the chosen points."""
        return Ribbons(*(getattr(self, field.name)[which] for field in fields(self)))

    @classmethod
    def joined(cls, parts: list[Ribbons]) -> Ribbons:
        """Return all points of ``parts``."""
        return cls(
            *(
                np.concatenate([getattr(part, field.name) for part in parts] or [np.zeros(0)])
                for field in fields(cls)
            )
        )

    def at(self, u: Array, along: float = 0.0) -> tuple[Array, Array]:
        """Return rows and columns, (n, len(u)), of places across (in widths) and along."""
        c, s = np.cos(self.angle)[:, None], np.sin(self.angle)[:, None]
        across, ahead = self.width[:, None] * u, self.width[:, None] * along
        return (
            self.y[:, None] + across * c + ahead * s,
            self.x[:, None] - across * s + ahead * c,
        )


def find_ribbons(grey: Image) -> tuple[Ribbons, Ribbons]:
    """Return (every ribbon found, those that are trusted to be a fibre's own width).

    ``grey``: (height, width). The first are good for directions, the second for diameters. Where
    fibres are thin, up to four parts of the picture are looked at once more at twice the size.
    """
    seen, fibres = _find(grey)
    if len(fibres) and np.median(fibres.width) < THIN:
        fibres = Ribbons.joined([_magnified(grey, corner) for corner in _parts(grey.shape)])
    return seen, fibres


def _parts(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the upper left corners of the parts to magnify."""
    height, width = shape
    if height * width <= 4 * PART**2:
        return [(y, x) for y in range(0, height, PART) for x in range(0, width, PART)]
    ys, xs = (sorted({n // 4 - PART // 2, 3 * n // 4 - PART // 2}) for n in shape)
    return [(max(y, 0), max(x, 0)) for y in ys for x in xs]


def _magnified(grey: Image, corner: tuple[int, int]) -> Ribbons:
    y, x = corner
    part = grey[y : y + PART, x : x + PART]
    if min(part.shape) < 3 * LEAST:
        return Ribbons.joined([])
    large = np.asarray(ndi.zoom(part, 2, order=3, grid_mode=True, mode="nearest"), dtype=np.float32)
    found = _scaled(_find(large, n_levels=3)[1], 0.5)
    return Ribbons(found.y + y, found.x + x, *(getattr(found, f.name) for f in fields(found)[2:]))


def _find(grey: Image, n_levels: int = N_LEVELS) -> tuple[Ribbons, Ribbons]:
    image, noise = grey, max(noise_of(grey), 1e-6)
    every: list[Ribbons] = []
    found: list[Ribbons] = []
    finer: Image | None = None
    for level in range(n_levels):
        if min(image.shape) < 3 * LEAST:
            break
        scale = 2.0**level
        thinnest = THINNEST if level == 0 else LEAST
        slope = noise / (np.sqrt(8.0 * np.pi) * SIGMA**2)
        ribbons = _of_level(image, slope, thinnest)
        every.append(_scaled(ribbons, scale))
        energy = _edge_energy(image)
        solid = _is_solid(ribbons, energy if finer is None else finer, 1 if finer is None else 2)
        if level == 0:
            solid |= ribbons.width < LEAST
        found.append(_scaled(ribbons.only(solid), scale))
        image, noise, finer = _halved(image), max(0.42 * noise, 1e-6), energy
    ribbons = _connected(_clear(Ribbons.joined(found)), 0.5)
    return _connected(_clear(Ribbons.joined(every)), 0.5), _accepted(
        _connected(_own_widths(ribbons, grey.shape), 1.0)
    )


def noise_of(grey: Image) -> float:
    """Return the noise's standard deviation: median of a Laplacian (after Immerkær, 1996)."""
    kernel = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])
    return float(1.4826 * np.median(np.abs(ndi.convolve(grey.astype(np.float64), kernel))) / 6.0)


def _halved(image: Image) -> Image:
    smooth = ndi.gaussian_filter(image, 0.6)
    height, width = (n // 2 * 2 for n in smooth.shape)
    blocks = smooth[:height, :width].reshape(height // 2, 2, width // 2, 2)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def _scaled(ribbons: Ribbons, scale: float) -> Ribbons:
    return Ribbons(
        (ribbons.y + 0.5) * scale - 0.5,
        (ribbons.x + 0.5) * scale - 0.5,
        ribbons.width * scale,
        ribbons.angle,
        ribbons.strength,
        ribbons.length * scale,
    )


def _slopes(image: Image) -> tuple[Image, Image]:
    """Return the slopes downwards and to the right."""
    down = ndi.gaussian_filter(image, SIGMA, order=(1, 0))
    right = ndi.gaussian_filter(image, SIGMA, order=(0, 1))
    return np.asarray(down, dtype=np.float32), np.asarray(right, dtype=np.float32)


def _edge_energy(image: Image) -> Image:
    down, right = _slopes(image)
    return np.asarray(ndi.gaussian_filter(down**2 + right**2, 0.7), dtype=np.float32)


def _of_level(image: Image, slope_noise: float, thinnest: int) -> Ribbons:
    down, right = _slopes(image)
    strength, width, angle = _strongest(down, right, thinnest)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    smooth = ndi.gaussian_filter(strength, 0.7)
    c, s = np.cos(angle), np.sin(angle)

    def beside(step: float) -> Image:
        place = [rows + step * c, columns - step * s]
        return np.asarray(ndi.map_coordinates(smooth, place, order=1, mode="nearest"))

    ridge = (smooth >= beside(1.0)) & (smooth >= beside(-1.0))
    ridge &= strength > NOISE_FACTOR * slope_noise / np.sqrt(LENGTH / 2)
    ridge[:4] = ridge[-4:] = False
    ridge[:, :4] = ridge[:, -4:] = False
    y, x = np.nonzero(ridge)
    direction = _refined_angles(down, right, angle[y, x].astype(np.float64), (y, x))
    return _refined_widths((down, right), (y, x), direction, width[y, x], thinnest)


def _strongest(down: Image, right: Image, thinnest: int) -> tuple[Image, Image, Image]:
    """Return the strongest ribbon's strength, width and angle at each pixel.

    For each direction the slopes are laid on a turned grid, where "across" is "down".
    """
    height, width = down.shape
    centre = np.array([0.5 * (height - 1), 0.5 * (width - 1)])
    best = np.zeros((3, height, width), dtype=np.float32)
    for angle in np.arange(N_ANGLES) * np.pi / N_ANGLES:
        c, s = float(np.cos(angle)), float(np.sin(angle))
        n_u = int(np.ceil(abs(width * c) + abs(height * s))) + 2
        n_v = int(np.ceil(abs(width * s) + abs(height * c))) + 2
        middle = np.array([0.5 * (n_v - 1), 0.5 * (n_u - 1)])
        turn = np.array([[c, s], [-s, c]])  # (v, u) → (row, column)
        across = down * np.float32(c) - right * np.float32(s)
        shape, shift = (n_v, n_u), centre - turn @ middle
        turned = ndi.affine_transform(across, turn, shift, shape, order=1, output=np.float32)
        slopes = ndi.uniform_filter1d(turned, LENGTH, axis=1, mode="constant")
        shift = middle - turn.T @ centre
        strength, widths = (
            ndi.affine_transform(one, turn.T, shift, down.shape, order=0, output=np.float32)
            for one in _best_widths(slopes, thinnest)
        )
        better = strength > best[0]
        for layer, value in zip(best, (strength, widths, angle), strict=True):
            np.copyto(layer, value, where=better, casting="same_kind")
    return best[0], best[1], best[2]


def _best_widths(slopes: Image, thinnest: int) -> tuple[Image, Image]:
    rows, margin = slopes.shape[0], MOST + 1
    padded = np.pad(slopes, ((margin, margin), (0, 0)))
    fallen = -padded
    strength, widths = np.zeros_like(slopes), np.zeros_like(slopes)
    for width in range(thinnest, MOST + 1):
        before, after = width // 2, width - width // 2
        rising = padded[margin - before : margin - before + rows]
        weaker = np.minimum(rising, fallen[margin + after : margin + after + rows])
        np.copyto(widths, np.float32(width), where=weaker > strength)
        np.maximum(strength, weaker, out=strength)
    return strength, widths


def _refined_angles(
    down: Image, right: Image, angle: Array, place: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> Array:
    """Take the structure tensor's direction where it agrees with the ribbon's."""
    jyy, jxx, jxy = (
        ndi.gaussian_filter(product, 2.5)[place].astype(np.float64)
        for product in (down * down, right * right, down * right)
    )
    tensor = 0.5 * np.arctan2(2.0 * jxy, jxx - jyy) + 0.5 * np.pi
    turn = turned_by(tensor, angle)
    return np.where(np.abs(turn) < np.pi / N_ANGLES, angle + turn, angle)


def turned_by(angle: Array, other: Array) -> Array:
    """Return the turn from ``other`` to ``angle`` [rad], −π/2 … π/2: directions have no sign."""
    return np.asarray((angle - other + 0.5 * np.pi) % np.pi - 0.5 * np.pi)


def _refined_widths(
    slopes: tuple[Image, Image],
    place: tuple[NDArray[np.intp], NDArray[np.intp]],
    angle: Array,
    width: Image,
    thinnest: int,
) -> Ribbons:
    """Find both edges to a fraction of a pixel; drop what has no two edges of its own."""
    y, x = place[0].astype(np.float64), place[1].astype(np.float64)
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    u = np.arange(-MOST - 1, MOST + 1.5)
    slope = np.zeros((y.size, u.size))
    for ahead in np.linspace(-LENGTH / 2, LENGTH / 2, 5):
        rows, columns = y[:, None] + ahead * s + u * c, x[:, None] + ahead * c - u * s
        slope += ndi.map_coordinates(slopes[0], [rows, columns], order=1) * c / 5
        slope -= ndi.map_coordinates(slopes[1], [rows, columns], order=1) * s / 5
    centre = u.size // 2
    after, falling = _edge(-slope[:, centre:], np.ceil(width / 2))
    before, rising = _edge(slope[:, centre::-1], np.floor(width / 2))
    measured = before + after
    weaker, stronger = np.minimum(falling, rising), np.maximum(falling, rising)
    good = (weaker > 0) & (stronger < UNLIKE_EDGES * weaker)
    good &= np.abs(after - before) < 2.4
    good &= (measured >= thinnest - 0.5) & (measured < MOST + 0.5)
    off = 0.5 * (after - before)
    y, x = y + off * np.cos(angle), x - off * np.sin(angle)
    return Ribbons(y, x, measured, angle, weaker, np.ones(y.size)).only(good)


def _edge(slope: Array, guess: Image) -> tuple[Array, Array]:
    """Return where the steepest place near ``guess`` is [px], and how steep; both (n,)."""
    n, last = slope.shape[0], slope.shape[1] - 2
    row = np.arange(n)
    start = np.clip(guess.astype(np.intp), 1, last)
    near = np.stack([slope[row, start + step] for step in (-1, 0, 1)])
    index = np.clip(start + near.argmax(axis=0) - 1, 1, last)
    a, b, d = (np.log(np.maximum(slope[row, index + step], 1e-6)) for step in (-1, 0, 1))
    bend = np.minimum(a - 2.0 * b + d, -1e-6)
    return index + np.clip(0.5 * (a - d) / bend, -0.6, 0.6), slope[row, index]


def _is_solid(ribbons: Ribbons, energy: Image, finer: int) -> NDArray[np.bool_]:
    """Tell fibres from chance pairs of edges: a fibre is calm between its edges."""

    def mean_energy(u: Array) -> Array:
        total = np.zeros(len(ribbons))
        for along in (-0.4, -0.2, 0.0, 0.2, 0.4):
            rows, columns = ribbons.at(u, along)
            place = [(rows + 0.5) * finer - 0.5, (columns + 0.5) * finer - 0.5]
            total += ndi.map_coordinates(energy, place, order=1, mode="nearest").mean(axis=1)
        return total / 5

    floor = float(np.quantile(energy, 0.02))
    reach = 0.14 if finer == 1 else 0.28
    inside = mean_energy(np.linspace(-reach, reach, 5)) - floor
    most = RESTLESS if finer == 2 else RESTLESS_FINE
    return np.asarray(inside < most * (mean_energy(np.array([-0.5, 0.5])) - floor))


def _clear(ribbons: Ribbons) -> Ribbons:
    """Leave out what is faint beside the strongest."""
    if not len(ribbons):
        return ribbons
    return ribbons.only(ribbons.strength > FAINTEST * np.quantile(ribbons.strength, 0.95))


def _by_level(ribbons: Ribbons) -> Iterator[tuple[int, NDArray[np.intp]]]:
    for scale in np.unique(ribbons.length):
        yield int(scale), np.flatnonzero(ribbons.length == scale)


def _own_widths(ribbons: Ribbons, shape: tuple[int, ...]) -> Ribbons:
    """Drop bright rims of wider fibres, and bundles taken for one fibre."""
    drop = np.zeros(len(ribbons), dtype=np.bool_)
    rows, columns = ribbons.at(np.array([-0.4, -0.2, 0.0, 0.2, 0.4]))
    for scale, members in _by_level(ribbons):
        level = ribbons.only(members)
        thin = level.width < LEAST
        for part in (level.only(thin), level.only(~thin)):
            if not len(part):
                continue
            painted = _painted(part, shape, scale)
            y = np.clip(np.rint((rows + 0.5) / scale - 0.5), 0, painted.shape[1] - 1)
            x = np.clip(np.rint((columns + 0.5) / scale - 0.5), 0, painted.shape[2] - 1)
            strength, width, angle = painted[:, y.astype(np.intp), x.astype(np.intp)]
            parallel = np.abs(turned_by(angle, ribbons.angle[:, None])) < PARALLEL
            ratio, rival = width / ribbons.width[:, None], strength / ribbons.strength[:, None]
            rim = parallel & (ratio > 1.0 / RIM_WIDTH) & (rival > RIM_STRENGTH)
            bundle = parallel & (ratio < BUNDLE_WIDTH) & (ratio > RIM_WIDTH)
            bundle &= rival > BUNDLE_STRENGTH
            drop |= rim[:, 2] | (bundle.sum(axis=1) >= 2)
    return ribbons.only(~drop)


def _painted(ribbons: Ribbons, shape: tuple[int, ...], scale: int) -> Image:
    """Return strength, width and angle of the strongest ribbon over each pixel of the level."""
    height, width = shape[0] // scale + 2, shape[1] // scale + 2
    maps = np.zeros((3, height, width), dtype=np.float32)
    across = np.linspace(-0.58, 0.58, 17)
    order = np.argsort(ribbons.strength)  # of several values for a pixel the last one stays
    for start in range(0, order.size, 4000):
        some = ribbons.only(order[start : start + 4000])
        for along in np.linspace(-1.5, 1.5, 15):
            rows, columns = some.at(across, float(along))
            y = np.clip(np.rint((rows + 0.5) / scale - 0.5), 0, height - 1).astype(np.intp)
            x = np.clip(np.rint((columns + 0.5) / scale - 0.5), 0, width - 1).astype(np.intp)
            for layer, value in zip(maps, (some.strength, some.width, some.angle), strict=True):
                layer[y, x] = value[:, None]
    return maps


def _connected(ribbons: Ribbons, least: float) -> Ribbons:
    """Keep centrelines of at least ``least`` times their width (and of three points)."""
    keep = np.zeros(len(ribbons), dtype=np.bool_)
    for scale, members in _by_level(ribbons):
        y = np.maximum(ribbons.y[members] / scale, 0).astype(np.intp)
        x = np.maximum(ribbons.x[members] / scale, 0).astype(np.intp)
        line = np.zeros((y.max() + 1, x.max() + 1), dtype=np.bool_)
        line[y, x] = True
        labels = ndi.label(line, np.ones((3, 3)))[0][y, x]
        n = np.bincount(labels)
        mean = np.bincount(labels, ribbons.width[members]) / np.maximum(n, 1)
        keep[members] = (n * scale >= np.maximum(3.0, least * mean))[labels]
    return ribbons.only(keep)


def _accepted(ribbons: Ribbons) -> Ribbons:
    for _ in range(3):
        if not len(ribbons):
            break
        order = np.argsort(ribbons.width)
        area = np.cumsum((ribbons.width * ribbons.length * ribbons.strength**2)[order])
        middle = ribbons.width[order[int(np.searchsorted(area, 0.5 * area[-1]))]]
        low, high = ACCEPTED[0] * middle, ACCEPTED[1] * middle
        ribbons = ribbons.only((ribbons.width > low) & (ribbons.width < high))
    return ribbons
