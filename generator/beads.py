"""Beads: swellings and particles, found where the edges around them agree on a middle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.sparse.csgraph import connected_components

from generator.reading import Reading

# More likely a bead's than anything else.
SURE = 0.5
LEAST_VOTES = 4.0
"""Edges that must agree, in the mean over all sides."""

NEAR = 1.5
"""Circles whose middles are less than so many times their radii apart belong to one bead."""


def find_beads(*readings: Reading | None) -> NDArray[np.float64]:
    """Return beads, (n, 3): row, column, radius [px of the picture].

    Each edge that is likely a bead's votes for a middle half the local thickness inside it (the
    Hough transform of circles, Duda and Hart, Comm. ACM 15, 11 (1972)). Several readings are of one
    picture at several scales; circles near one another are one bead, drawn around all.
    """
    circles = [_circles(reading) for reading in readings if reading is not None]
    return _united(np.concatenate(circles)) if circles else np.zeros((0, 3))


def _circles(reading: Reading) -> NDArray[np.float64]:
    edges, sure, fibre_diameter = reading.edges, reading.bead > SURE, reading.mean_diameter
    if fibre_diameter is None or not sure.any():
        return np.zeros((0, 3))
    radius = 0.5 * fibre_diameter * reading.swelling.astype(np.float64)
    rows, columns = edges.at(radius)
    place = [np.clip(np.rint(axis[sure]).astype(np.intp), 0, side - 1)
             for axis, side in zip((rows, columns), reading.grey.shape, strict=True)]  # fmt: skip
    votes = np.zeros(reading.grey.shape, dtype=np.float32)
    np.add.at(votes, tuple(place), edges.length[sure])
    spread = max(1.0, 0.5 * fibre_diameter)
    # Times the bell's area: at its middle each edge then counts as its whole length.
    votes = ndi.gaussian_filter(votes, spread) * np.float32(2.0 * np.pi * spread**2)
    peak = (votes == ndi.maximum_filter(votes, 2 * int(2.0 * fibre_diameter) + 1)) & (
        votes > LEAST_VOTES
    )
    circles = []
    for row, column in zip(*np.nonzero(peak), strict=True):
        # The radius is that of the edges which voted here, by the median, as some voted by chance.
        near = np.hypot(place[0] - row, place[1] - column) < 1.5 * fibre_diameter
        circles.append(
            (row, column, float(np.median(radius[sure][near])) if near.any() else fibre_diameter)
        )
    beads = np.array(circles, dtype=np.float64).reshape(-1, 3)
    placed = reading.in_picture(beads[:, 0], beads[:, 1])
    return np.column_stack([*placed, reading.scale * beads[:, 2]])


def _united(circles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one circle around each group of near ones."""
    apart = np.hypot(*(circles[:, None, :2] - circles[None, :, :2]).transpose(2, 0, 1))
    n, group = connected_components(apart < NEAR * (circles[:, None, 2] + circles[None, :, 2]))
    beads = []
    for label in range(n):
        members = circles[group == label]
        middle = np.average(members[:, :2], axis=0, weights=members[:, 2])
        reach = np.hypot(*(members[:, :2] - middle).T) + members[:, 2]
        beads.append((*middle, float(reach.max())))
    return np.array(beads, dtype=np.float64).reshape(-1, 3)
