r"""A mat laid by rule: where fibres lie, so that a picture of it shows what it is to show.

A network that draws fibres out of noise melts them; a fibre is a long, gently waving cylinder, and
that need not be learned. So fibres are laid over one another, at random, as many layers as such a
mat is likely to have; some are moved until as much is covered as porosity says. How they look in a
microscope is the network's business (:mod:`generator.sketches`).

Notation
--------
=====  =====================================================================  =================
u, v   along and across a fibre [px]                                          (k, s, s)
r      a fibre's radius [px], along it thicker where a bead is                 (k,), (k, s, s)
θ      its angle from the width; ⟨cos 2θ⟩ = S, a wrapped normal's e^{−2σ²}     (k,)
=====  =====================================================================  =================
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Plane = NDArray[np.float32]

STATISTICS = (
    "ln_diameter", "diameter_spread", "order_parameter", "porosity", "bead_fraction", "grain",
)  # fmt: skip
"""What a picture shows: ln of the fibres' mean diameter [nm], coefficient of variation, order,
areal porosity, share of the covered area in beads, noise [grey values]."""

# What can be seen at all: finer fibres are no fibres, thicker ones fill the picture.
_THINNEST_PX, _WIDEST_SHARE = 1.2, 0.5
_LEAST_AIR, _MOST_AIR = 0.004, 0.95
# A reading off an embedding is never quite 0.
_FEWEST_BEADS = 0.01
_SWELLING, _BEAD_LENGTH = 1.8, 3.0
_AREA_OF_BEAD = 15.0
"""Of a bead, in radii squared, over twice the radius: what such swellings cover."""

_LAYERS, _LAYERS_SD, _LUCK = 2.25, 0.35, 0.43
"""How many layers mats have, and how far a window's porosity strays (:mod:`engine.previews` has the
formula): pictures of the virtual lab with 1 to 2 % of air show 2.8 layers, where fibres at random
would take 4.2, and such mats look otherwise."""

_OFFSETS, _AIR_NEAR_ENOUGH = 8, 0.004
_ROUNDS, _NEAR_ENOUGH = 4, 0.04
"""So often a mat is laid anew by what the last one shows: the few fibres that lie on top decide it,
and they are thicker than the mean, or turned, by chance."""

# Additive recurrences that fill a square evenly, whatever their first so many points: a mat of
# forty fibres then has the mean and the spread that it is to have.
# https://extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences/
_STEPS = (0.7548776662466927, 0.5698402909980532)
_GROUND, _DIM = 0.12, 0.4
"""Of the brightest rim: the ground, and the fibres that lie lowest."""


@dataclass(frozen=True)
class Mat:
    """A mat that was laid, and what it truly shows by visible length.

    ``grey``: (s, s), 0 … 1. ``diameter_nm``, ``order``: of the fibres on top; ``porosity``: areal.
    """

    grey: Plane
    diameter_nm: float
    order: float
    porosity: float


def lay(statistics: NDArray[np.float64], side_px: int, nm_per_pixel: float, seed: int) -> Mat:
    """Return a mat of ``side_px`` a side, of what it is to show, :data:`STATISTICS` (6,)."""
    log_diameter, spread, order, porosity, beads, _ = (float(value) for value in statistics)
    low, high = _THINNEST_PX * nm_per_pixel, _WIDEST_SHARE * side_px * nm_per_pixel
    diameter = float(np.clip(math.exp(min(log_diameter, 20.0)), low, high))
    order = float(np.clip(order, -0.97, 0.97))
    air = float(np.clip(porosity, _LEAST_AIR, _MOST_AIR))
    thick, along = diameter, order
    best, least = None, math.inf
    for _ in range(_ROUNDS):
        # The same luck each time: the same mat with somewhat thicker fibres, somewhat more turned.
        mat = _laid((thick, spread, along, air, beads), side_px, nm_per_pixel, seed)
        off = math.hypot(math.log(mat.diameter_nm / diameter), mat.order - order)
        if best is None or off < least:
            best, least = mat, off
        if least < _NEAR_ENOUGH:
            break
        thick = float(np.clip(thick * diameter / mat.diameter_nm, 0.6 * diameter, 1.6 * diameter))
        along = float(np.clip(along + order - mat.order, -0.99, 0.99))
    assert best is not None  # noqa: S101 -- there is a round
    return Mat(_lit(best.across, best.radii), best.diameter_nm, best.order, best.porosity)


@dataclass(frozen=True)
class _Unlit:
    """A mat before it is looked at: how far from which fibre's middle each place lies, and r."""

    across: Plane
    radii: Plane
    diameter_nm: float
    order: float
    porosity: float


def _laid(
    targets: tuple[float, float, float, float, float], side: int, nm_per_pixel: float, seed: int
) -> _Unlit:
    rng = np.random.default_rng(seed)
    diameter_nm, spread, order, air, beads = targets
    diameter = diameter_nm / nm_per_pixel
    reach = 0.75 * side + diameter
    # Fibres at random leave e^{−layers} of the ground free; half as many again are surely enough.
    a_layer = 2.0 * reach / diameter
    n = math.ceil(max(-math.log(air), layers_of(air, diameter / side)) * a_layer * 1.5) + 3
    radii, angles = _fibres(n, 0.5 * diameter, spread, order, rng)
    u, across = _along_and_across(angles, rng.uniform(-reach, reach, n), side)
    off = across - _bends(u, 2.0 * radii, rng)
    r = _swollen(u, radii, beads, reach, rng)
    likely = max(1, round(layers_of(air, diameter / side) * a_layer))
    _move(off[:likely], r[:likely], air, rng)
    v = np.abs(off)
    on_it = v <= r
    free = 1.0 - np.logical_or.accumulate(on_it, axis=0).mean(axis=(1, 2))
    # The last fibre that brings the free share nearer to what it is to be.
    k = int(np.argmin(np.abs(free - air))) + 1
    # Which fibre is on top: the last one that lies there.
    top = k - 1 - np.argmax(on_it[k - 1 :: -1] if k else on_it, axis=0)
    length = np.bincount(top[on_it[:k].any(axis=0)], minlength=k) / radii[:k]
    length /= max(float(length.sum()), 1e-12)
    mean = float(2.0 * length @ radii[:k]) * nm_per_pixel
    return _Unlit(v[:k], r[:k], mean, float(length @ np.cos(2.0 * angles[:k])), float(free[k - 1]))


def layers_of(air: float, thickness: float) -> float:
    """Return how many layers a mat has whose window shows so much air.

    What fibres at random would take, −ln air, as far as it is not a window's luck; ``thickness``:
    of fibres, in sides of the window.

    >>> round(layers_of(0.02, 0.08), 1), round(layers_of(0.02, 0.001), 1)
    (3.0, 3.9)
    """
    layers = -math.log(air)
    luck = math.expm1(_LUCK * thickness * layers)
    return _LAYERS + (layers - _LAYERS) * _LAYERS_SD**2 / (_LAYERS_SD**2 + luck)


def _move(off: Plane, r: Plane, air: float, rng: np.random.Generator) -> None:
    """Move fibres across themselves, each at most once, until ``air`` is left; in place.

    ``off``: (k, s, s), how far each place lies from a fibre's middle, signed; ``r``: as in
    :func:`_swollen`. What hardly covers anything alone is moved first, or what covers most.
    """
    side = off.shape[-1]
    on_it = np.abs(off) <= r
    count = on_it.sum(axis=0)
    # Of those that miss the window nobody knows.
    movable: NDArray[np.bool_] = np.array(on_it.any(axis=(1, 2)), dtype=np.bool_)
    wanted, near_enough = air * side**2, _AIR_NEAR_ENOUGH * side**2
    for _ in range(int(movable.sum())):
        missing = float((count == 0).sum()) - wanted
        if abs(missing) < near_enough:
            return
        alone = (on_it & (count == 1)).sum(axis=(1, 2)).astype(np.float64)
        alone[~movable] = math.inf if missing > 0 else -1.0
        i = int(np.argmin(alone) if missing > 0 else np.argmax(alone))
        movable[i] = False
        others = count - on_it[i]
        shifts = rng.uniform(-0.5 * side, 0.5 * side, _OFFSETS).astype(np.float32)
        places = np.abs(off[i] + shifts[:, None, None]) <= r[i]
        left = ((others == 0) & ~places).sum(axis=(1, 2)) - wanted
        best = int(np.argmin(np.abs(left)))
        if abs(float(left[best])) < abs(missing):
            off[i] += shifts[best]
            on_it[i] = places[best]
            count = others + on_it[i]


def _lit(v: Plane, r: Plane) -> Plane:
    """Return what is seen: the nearer a fibre the brighter, brightest at its rims."""
    k, *side = v.shape
    cover = np.clip(r - v + 0.5, 0.0, 1.0)
    light = _DIM + (1.0 - _DIM) * (np.arange(k, dtype=np.float32) + 1.0) / k
    shade = light[:, None, None] * (0.66 + 0.34 * np.minimum(v / r, 1.0) ** 3)
    mat = np.full(side, _GROUND, dtype=np.float32)
    for fibre, share in zip(shade, cover, strict=True):
        mat += share * (fibre - mat)
    return mat


def _fibres(
    n: int, radius: float, spread: float, order: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return radii, log-normal, and angles of n fibres, either with the moments asked for."""
    steps = np.arange(1, n + 1)[:, None] * np.array(_STEPS)
    even = (steps + rng.random(2)) % 1.0
    normal = ndtri(np.clip(even, 1e-6, 1.0 - 1e-6))
    sigma = math.sqrt(math.log1p(float(np.clip(spread, 0.02, 0.8)) ** 2))
    radii = radius * np.exp(sigma * normal[:, 0] - 0.5 * sigma**2)
    tilt = math.sqrt(-0.5 * math.log(float(np.clip(abs(order), 1e-4, 0.995))))
    angles = tilt * normal[:, 1] + (0.5 * math.pi if order < 0 else 0.0)
    return np.maximum(radii, 0.5 * _THINNEST_PX), angles


def _along_and_across(
    angles: NDArray[np.float64], offsets: NDArray[np.float64], side: int
) -> tuple[Plane, Plane]:
    place = np.arange(side, dtype=np.float32) - np.float32(0.5 * (side - 1))
    cosine, sine, offset = (
        values.astype(np.float32)[:, None, None]
        for values in (np.cos(angles), np.sin(angles), offsets)
    )
    down, right = place[:, None], place[None, :]
    return right * cosine + down * sine, down * cosine - right * sine - offset


def _bends(u: Plane, diameters: NDArray[np.float64], rng: np.random.Generator) -> Plane:
    """Return how far fibres stray from their lines [px]: a third of a diameter over some twenty."""
    depth, length, phase = rng.random((3, len(u)))
    frequency = 2.0 * math.pi / ((14.0 + 20.0 * length) * diameters)
    deep, frequency, phase = (
        values.astype(np.float32)[:, None, None]
        for values in (0.35 * depth * diameters, frequency, 2.0 * math.pi * phase)
    )
    return np.asarray(deep * np.sin(frequency * u + phase))


def _swollen(
    u: Plane, radii: NDArray[np.float64], share: float, reach: float, rng: np.random.Generator
) -> Plane:
    """Return radii along fibres, (k, s, s) or (k, 1, 1); ``share`` of what they cover is beads."""
    r = radii.astype(np.float32)[:, None, None]
    if share < _FEWEST_BEADS:
        return r
    share = min(share, 0.6)
    counts = rng.poisson(2.0 * reach * share / (_AREA_OF_BEAD * radii * (1.0 - 0.7 * share)))
    swollen = np.broadcast_to(r, u.shape).copy()
    for i in np.flatnonzero(counts):
        places = rng.uniform(-reach, reach, counts[i]).astype(np.float32)
        nearest = np.abs(u[i][..., None] - places).min(axis=-1)
        swollen[i] *= 1.0 + _SWELLING * np.exp(-((nearest / (_BEAD_LENGTH * radii[i])) ** 2))
    return swollen
