"""A picture of what was measured on a micrograph, laid over it.

From an edge that is taken for a fibre's outline a bar goes across that fibre as far as it is thick,
coloured by that diameter (blue thin, red thick): it should end on the opposite edge. Pores are
tinted blue, beads ringed red; in the corner the directions as a rose, its bold line the rotation.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageDraw

from generator.reading import Reading
from generator.statistics import Measured, MicrostructureStatistics

SURE = 0.7
# More than that hide the picture.
MOST_BARS = 900
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
    picture = Pictures.fromarray(base.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    _bars(draw, measured.reading, measured.block)
    for row, column, radius in measured.beads / measured.block:
        box = (column - radius, row - radius, column + radius, row + radius)
        draw.ellipse(box, outline=(255, 40, 40), width=2)
    _rose(draw, measured.statistics, min(picture.size))
    return np.asarray(picture)


def _bars(draw: ImageDraw.ImageDraw, reading: Reading, block: int) -> None:
    if reading.mean_diameter is None:
        return
    sure = np.flatnonzero(reading.fibre > SURE)
    sure = sure[:: max(1, sure.size // MOST_BARS)]
    diameter = reading.diameter
    span = np.log(diameter[sure] / reading.mean_diameter)
    # Blue to red from 1/2.5 to 2.5 times the mean.
    colours = _colours(0.5 + span / (2.0 * math.log(2.5)))
    start = reading.in_picture(*reading.edges.at(0.0))
    end = reading.in_picture(*reading.edges.at(diameter))
    for i, colour in zip(sure, colours, strict=True):
        ends = [(place[1][i] / block, place[0][i] / block) for place in (start, end)]
        draw.line(ends, fill=tuple(map(int, colour)))


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
    longest = max(statistics.directions, default=0.0) or 1.0
    step = math.pi / len(statistics.directions)
    for i, share in enumerate(statistics.directions):
        # The root: it is the petal's area that is seen.
        length = radius * math.sqrt(share / longest)
        for side_of in (0.0, math.pi):
            first, last = (turn + side_of + (i + k) * step for k in (0, 1))
            petal = [(centre, centre)] + [
                (centre + length * math.cos(a), centre + length * math.sin(a))
                for a in (first, last)
            ]
            draw.polygon(petal, fill=(240, 200, 60))
    dx, dy = radius * math.cos(turn), radius * math.sin(turn)
    draw.line((centre - dx, centre - dy, centre + dx, centre + dy), fill=(255, 255, 255), width=2)
