"""A picture of what was measured on a micrograph, laid over it.

Centrelines coloured by diameter, with the width they were given drawn across now and then; pores
tinted blue; beads ringed red; the directions as a rose in the corner, its bold line the rotation.
Crossings carry no centreline: they are left out.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageDraw

from generator.statistics import Measured, MicrostructureStatistics

Colour = tuple[int, int, int]
TICK_EVERY = 24
_STOPS = np.array(
    [(48, 80, 220), (32, 180, 240), (60, 220, 90), (250, 210, 40), (245, 80, 30)], dtype=np.float64
)


def overlay(measured: Measured) -> NDArray[np.uint8]:
    """Return (height, width, 3) of the picture as measured, 0 … 255."""
    grey = measured.grey.astype(np.float64)
    low, high = np.quantile(grey, [0.005, 0.995])
    scaled = np.clip(255.0 * (grey - low) / max(high - low, 1e-9), 0.0, 255.0)
    base: NDArray[np.float64] = np.repeat(scaled[:, :, None], 3, axis=2)
    base[measured.air] = 0.6 * base[measured.air] + np.array([0.0, 40.0, 100.0])
    fibres = measured.fibres
    y, x = np.rint(fibres.y).astype(np.intp), np.rint(fibres.x).astype(np.intp)
    most = float(np.quantile(fibres.width, 0.98)) if len(fibres) else 1.0
    colours = _colours(fibres.width / most)
    for dy in (0, 1):
        for dx in (0, 1):
            row = np.clip(y + dy, 0, base.shape[0] - 1)
            base[row, np.clip(x + dx, 0, base.shape[1] - 1)] = colours
    picture = Pictures.fromarray(base.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    rows, columns = fibres.at(np.array([-0.5, 0.5]))
    for i in range(0, len(fibres), TICK_EVERY):
        ends = [(columns[i, 0], rows[i, 0]), (columns[i, 1], rows[i, 1])]
        draw.line(ends, fill=tuple(map(int, colours[i])))
    for row, column, radius in measured.beads:
        box = (column - radius, row - radius, column + radius, row + radius)
        draw.ellipse(box, outline=(255, 40, 40), width=2)
    _rose(draw, measured.statistics, min(picture.size))
    return np.asarray(picture)


def _colours(share: NDArray[np.float64]) -> NDArray[np.float64]:
    places = np.linspace(0.0, 1.0, len(_STOPS))
    clipped = np.clip(share, 0.0, 1.0)
    return np.stack([np.interp(clipped, places, _STOPS[:, i]) for i in range(3)], axis=1)


def _rose(draw: ImageDraw.ImageDraw, statistics: MicrostructureStatistics, side: int) -> None:
    """Draw the shares of directions as petals, as they lie in the picture."""
    radius = 0.09 * side
    centre = 1.2 * radius
    box = (centre - radius, centre - radius, centre + radius, centre + radius)
    draw.ellipse(box, fill=(20, 20, 20), outline=(230, 230, 230))
    turn = 0.0 if statistics.rotation_axis == "x" else 0.5 * math.pi
    most = max(statistics.directions, default=0.0) or 1.0
    step = math.pi / len(statistics.directions)
    for i, share in enumerate(statistics.directions):
        length = radius * math.sqrt(share / most)
        for side_of in (0.0, math.pi):
            first, last = (turn + side_of + (i + k) * step for k in (0, 1))
            petal = [(centre, centre)] + [
                (centre + length * math.cos(a), centre + length * math.sin(a))
                for a in (first, last)
            ]
            draw.polygon(petal, fill=(240, 200, 60))
    dx, dy = radius * math.cos(turn), radius * math.sin(turn)
    draw.line((centre - dx, centre - dy, centre + dx, centre + dy), fill=(255, 255, 255), width=2)
