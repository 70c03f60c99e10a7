"""Order, directions and bead share, from the edges of a reading."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from generator.outlines import Array
from generator.reading import Reading

# Ten degrees each.
N_DIRECTIONS = 18

# This and BEAD_SHOWN: set on virtual mats on which nothing is reported (generator/statistics.py).
CROSSING_LOSS = 0.075
"""Edges are lost where fibres cross, most of fibres that lie across the others: the edges' order is
so much too high, unless all fibres lie alike."""

BEAD_DOUBT, BEAD_SHOWN = 0.08, 2.0
"""So much of a probability is doubt, no bead. Outline of beads for outline told as such: where they
taper it is taken for the fibre's."""

INNER, STEP_PX = (0.2, 0.8), 0.5
"""The part of a fibre's width that is inside it beyond doubt, and how closely it is filled in."""

SURE_FIBRE = 0.8
"""Least probability of an edge whose fibre cannot be air."""


def order_of(reading: Reading) -> float:
    """⟨cos 2θ⟩ along the fibres; an edge's normal is across them."""
    edges = reading.edges
    weight = edges.length * reading.visible
    if not weight.sum() > 0.0:
        return math.nan
    # cos 2θ of the fibre is −cos 2θ of the normal, which is down² − right².
    mean_order = np.average(edges.down**2 - edges.right**2, weights=weight)
    return float(mean_order * (1.0 - CROSSING_LOSS * (1.0 - mean_order**2)))


def bead_fraction_of(reading: Reading) -> float:
    """Areas are half the edges' length times the thickness at that place."""
    plain = float((reading.edges.length * reading.fibre) @ reading.diameter)
    likely = np.maximum(0.0, reading.bead - BEAD_DOUBT) / (1.0 - BEAD_DOUBT)
    bead = float((reading.edges.length * likely * reading.swelling) @ reading.diameter)
    return BEAD_SHOWN * bead / max(plain + BEAD_SHOWN * bead, 1e-12)


def directions_of(reading: Reading, axis: str) -> tuple[float, ...]:
    """Return the shares of length in :data:`N_DIRECTIONS` classes from the rotation ``axis``."""
    angle = np.arctan2(-reading.edges.right, reading.edges.down)  # of the fibre
    angle = angle - (0.0 if axis == "x" else 0.5 * np.pi)
    counts, _ = np.histogram(
        angle % np.pi,
        bins=N_DIRECTIONS,
        range=(0.0, np.pi),
        weights=reading.edges.length * reading.visible,
    )
    return tuple(float(c) for c in counts / max(float(counts.sum()), 1e-12))


def inside_fibres(reading: Reading, shape: tuple[int, int], block: int) -> NDArray[np.bool_]:
    """Return what lies inside the fibres of a reading, (height, width) of ``shape``.

    Args:
        reading: of a picture.
        shape: of that picture averaged over blocks.
        block: the blocks' side [px of the picture].
    """
    filled = np.zeros(reading.grey.shape, dtype=np.bool_)
    sure = reading.fibre > SURE_FIBRE
    edges, diameter = reading.edges.only(sure), reading.diameter[sure]
    if sure.any():
        n = int(np.ceil((INNER[1] - INNER[0]) * float(diameter.max()) / STEP_PX)) + 1
        for share in np.linspace(*INNER, n):
            _mark(filled, *edges.at(share * diameter))
        # Edges are a sample: one for each pixel at most.
        filled = np.asarray(ndi.binary_closing(filled), dtype=np.bool_)
    rows, columns = (
        _places(side, block, corner, reading.scale)
        for side, corner in zip(shape, reading.origin, strict=True)
    )
    height, width = reading.grey.shape
    is_row, is_column = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    mask = np.zeros(shape, dtype=np.bool_)
    mask[np.ix_(is_row, is_column)] = filled[np.ix_(rows[is_row], columns[is_column])]
    return mask


def _mark(mask: NDArray[np.bool_], rows: Array, columns: Array) -> None:
    places = [
        np.clip(np.rint(place).astype(np.intp), 0, side - 1)
        for place, side in zip((rows, columns), mask.shape, strict=True)
    ]
    mask[places[0], places[1]] = True


def _places(side: int, block: int, corner: int, scale: float) -> NDArray[np.intp]:
    """Return which pixel of the reading lies where each of the averaged picture does."""
    middle = block * (np.arange(side) + 0.5)
    return np.asarray(np.floor((middle - corner) / scale), dtype=np.intp)
