"""Held-out conditions of the virtual lab with what the mats that come show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.lab.render import render
from engine.lab.virtual import VirtualLab
from engine.previews.encoders import NM_PER_PIXEL
from engine.previews.lessons import row_of
from engine.previews.training import reduced

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """Held-out conditions: rows, mean lots' diameter and order, two sets of micrographs each."""

    conditions: list[dict[str, float]]
    diameter: Array
    order: Array
    first: NDArray[np.uint8]
    second: NDArray[np.uint8]


def draw_truth(
    n: int, n_pictures: int, rng: np.random.Generator, side_px: int, nm_per_pixel: float
) -> Truth:
    """Draw conditions uniformly over the ranges, in rooms as the lab has them, that give a mat."""
    lab = VirtualLab()
    rows: list[dict[str, float]] = []
    while len(rows) < n:
        row = {p.name: float(rng.uniform(*p.bounds)) for p in lab.campaign.controlled}
        room = lab.room(rng)
        # Where more than half the runs give no mat there is little to preview.
        if lab.failure_probability(row, room) < 0.5:
            rows.append({**row, **room})
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    mean = lab.microstructure_columns(columns)
    full_px = round(side_px * nm_per_pixel / NM_PER_PIXEL)
    shape = (full_px, full_px)
    sets = []
    for _ in range(2):
        pictures = []
        for _ in range(n_pictures):
            mats = lab.microstructure_columns(columns, rng.standard_normal((4, n)))
            pictures.append(
                np.stack(
                    [
                        render(row_of(mats, i), rng, shape=shape, nm_per_pixel=NM_PER_PIXEL)
                        for i in range(n)
                    ]
                )
            )
        flat = np.stack(pictures, axis=1).reshape(-1, full_px, full_px)
        sets.append(reduced(flat, side_px).reshape(n, n_pictures, side_px, side_px))
    return Truth(rows, mean.diameter_nm, mean.order, *sets)
