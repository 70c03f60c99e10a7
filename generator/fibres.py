"""Fibre by fibre: which edges of a reading are the outline of one fibre, and how thick that one is.

Edges are a sample of all outlines, from both sides of a fibre. Two belong to one fibre where they
put its axis into one line, at one thickness; fibres are the connected parts of that graph. What
another fibre covers over a long way is two pieces, each a row of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from generator.judge import CENTRES, FIRST_BIN
from generator.reading import Reading

SURE = 0.6
"""Least probability that an edge is a fibre's outline."""

REACH, LONGEST_REACH = 8.0, 40.0
"""So many mean distances between edges of one fibre, at most so many diameters, may lie between."""

ASIDE, DRIFT = 0.35, 0.06
"""How far beside the other's axis [diameters], and what is allowed for a bend [of the distance]."""

TURN, RATIO = 0.2, 0.3
"""Differences between directions [rad] and between ln diameters."""

BESIDE = 0.75
"""So many diameters beside its axis a place is still taken to be on a fibre."""

FEWEST_PLACES = 2
"""An outline that was seen at one place only is no fibre to be counted: counted so, mats of the
second renderer (seed 1000) show as many fibres as are seen over two diameters' length."""

MOST_STEPS = 500
"""So often a fibre is followed on, each way."""

ALIKE = 0.5
"""Share of an edge's error that all edges of its fibre have in common."""

DOUBT = 1.4
"""How much surer the judge is of a fibre's width than it may be: on five mats of a renderer that
taught it nothing (350 fibres) 68 % of the widths lie within the errors so told, and 90 % within
1.63 of them, however many edges a fibre shows."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fibres:
    """Fibres of a picture, each (n,).

    ``x``, ``y``: a place on the axis [px of the picture, 0 in the middle of its first pixel].
    ``angle``: from the picture's width, anticlockwise [degrees, 0 … 180). ``width``
    and its standard error ``error`` [px]. ``n_places``: edges that it rests on.
    """

    x: Array
    y: Array
    angle: Array
    width: Array
    error: Array
    n_places: NDArray[np.intp]

    def __len__(self) -> int:
        return self.x.size


def find_fibres(reading: Reading) -> Fibres:
    """Return the fibres of a reading, from the top of the picture down."""
    sure = np.flatnonzero(reading.fibre > SURE)
    if not sure.size or reading.mean_diameter is None:
        empty = np.zeros(0)
        return Fibres(*(empty,) * 5, np.zeros(0, dtype=np.intp))
    edges = reading.edges.only(reading.fibre > SURE)
    diameter = reading.diameter[sure]
    spread = _spreads(reading, sure)
    rows, columns = edges.at(0.5 * diameter)
    angle = np.arctan2(-edges.right, edges.down)
    part = _parts(rows, columns, angle, diameter, _reach(reading, sure))
    weight = edges.length / np.maximum(spread, 1e-6) ** 2
    n = int(part.max()) + 1
    total = np.bincount(part, weight, n)

    def mean(values: Array) -> Array:
        return np.asarray(np.bincount(part, weight * values, n) / total)

    turned = np.arctan2(mean(np.sin(2.0 * angle)), mean(np.cos(2.0 * angle)))
    width, count = mean(diameter), np.bincount(part, minlength=n)
    error = DOUBT * np.sqrt(mean(spread**2) * (ALIKE + (1.0 - ALIKE) / count))
    middle = _middle_edges(part, rows, columns, n)
    y, x = reading.in_picture(rows[middle], columns[middle])
    order = np.lexsort((x, y))
    degrees = np.degrees(-0.5 * turned) % 180.0
    return Fibres(
        x[order],
        y[order],
        degrees[order],
        width[order] * reading.width_scale,
        error[order] * reading.width_scale,
        count[order],
    )


def count_fibres(reading: Reading) -> int:
    """Return how many fibres are seen: what shows at one place only is not counted."""
    return int((find_fibres(reading).n_places >= FEWEST_PLACES).sum())


def edges_of_fibre(reading: Reading, x: float, y: float) -> NDArray[np.bool_]:
    """Return which edges, (n,), are those of the fibre at a place [px of the picture]; maybe none.

    Followed from that place both ways, as far as edges go on in its direction: in a dense mat the
    parts of :func:`find_fibres` hold many fibres that run into one another.
    """
    unmarked = np.zeros(len(reading.edges), dtype=np.bool_)
    sure = np.flatnonzero(reading.fibre > SURE)
    if not sure.size or reading.mean_diameter is None:
        return unmarked
    diameter, reach = reading.diameter, _reach(reading, sure)
    rows, columns = reading.edges.at(0.5 * diameter)
    angle = np.arctan2(-reading.edges.right, reading.edges.down)
    place_rows, place_columns = reading.in_picture(rows[sure], columns[sure])
    down, right = (y - place_rows) / reading.scale, (x - place_columns) / reading.scale
    along, aside = _along_and_aside(down, right, angle[sure])
    is_there = (aside < BESIDE * diameter[sure]) & (np.abs(along) < reach)
    if not is_there.any():
        return unmarked
    first = sure[np.argmin(np.where(is_there, aside + 0.25 * np.abs(along), np.inf))]
    edges = (rows[sure], columns[sure], angle[sure])
    start = (float(rows[first]), float(columns[first]), float(angle[first]))
    path = np.array([start, *_followed(edges, start, diameter[first], reach, 1.0),
                     *_followed(edges, start, diameter[first], reach, -1.0)])  # fmt: skip
    apart, nearest = cKDTree(path[:, :2]).query(np.stack([rows, columns], axis=1))
    row, column, direction = path[nearest].T
    _, aside = _along_and_aside(rows - row, columns - column, direction)
    is_beside = aside < BESIDE * diameter[first]
    return np.asarray((apart < reach) & is_beside & (_turn(angle, direction) < TURN))


def _followed(
    edges: tuple[Array, Array, Array],
    start: tuple[float, float, float],
    diameter: float,
    reach: float,
    way: float,
) -> list[tuple[float, float, float]]:
    """Return places (row, column, angle) on a fibre's axis, one way from ``start``."""
    rows, columns, angles = edges
    row, column, angle = start
    path: list[tuple[float, float, float]] = []
    while len(path) < MOST_STEPS:
        along, aside = _along_and_aside(rows - row, columns - column, angle)
        ahead = way * along
        goes_on = (ahead > 0.25 * diameter) & (ahead < reach) & (_turn(angles, angle) < TURN)
        goes_on &= aside < ASIDE * diameter + DRIFT * ahead
        if not goes_on.any():
            break
        near = goes_on & (ahead <= ahead[goes_on].min() + diameter)
        row, column = float(rows[near].mean()), float(columns[near].mean())
        off = (angles[near] - angle + 0.5 * np.pi) % np.pi - 0.5 * np.pi
        angle += float(off.mean())
        path.append((row, column, angle))
    return path


def _turn(first: Array, second: Array | float) -> Array:
    """Return the angle between two directions that have no sign."""
    return np.asarray(np.abs((first - second + 0.5 * np.pi) % np.pi - 0.5 * np.pi))


def _along_and_aside(down: Array, right: Array, angle: Array | float) -> tuple[Array, Array]:
    """Return how far steps go along fibres of such angles (clockwise from the right), and aside."""
    along = right * np.cos(angle) + down * np.sin(angle)
    return along, np.abs(down * np.cos(angle) - right * np.sin(angle))


def _reach(reading: Reading, sure: NDArray[np.intp]) -> float:
    """Return how far apart two neighbouring edges of one fibre may be [px of the reading]."""
    length = float(np.median(reading.edges.length[sure]))
    reach = REACH * length + float(np.median(reading.diameter[sure]))
    return min(reach, LONGEST_REACH * (reading.mean_diameter or 0.0))


def _spreads(reading: Reading, sure: NDArray[np.intp]) -> Array:
    """Return how far each edge's diameter is in doubt [px of the reading]."""
    bins = reading.kinds[sure, FIRST_BIN:].astype(np.float64)
    bins /= bins.sum(axis=1, keepdims=True)
    mean = bins @ CENTRES
    return np.sqrt(np.maximum(bins @ CENTRES**2 - mean**2, 0.0))


def _parts(
    rows: Array, columns: Array, angle: Array, diameter: Array, reach: float
) -> NDArray[np.intp]:
    """Return the number of the fibre that each edge belongs to."""
    places = np.stack([rows, columns], axis=1)
    pairs = cKDTree(places).query_pairs(reach, output_type="ndarray")
    first, second = pairs.T
    down, right = (places[second] - places[first]).T
    apart = np.hypot(down, right)
    turn = _turn(angle[first], angle[second])
    aside = np.maximum(
        *(
            np.abs(down * np.cos(angle[edge]) - right * np.sin(angle[edge]))
            for edge in (first, second)
        )
    )
    thin = np.minimum(diameter[first], diameter[second])
    is_one = (
        (turn < TURN)
        & (aside < ASIDE * thin + DRIFT * apart)
        & (np.abs(np.log(diameter[first] / diameter[second])) < RATIO)
    )
    graph = coo_array(
        (np.ones(int(is_one.sum())), (first[is_one], second[is_one])),
        shape=(rows.size, rows.size),
    )
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.intp)


def _middle_edges(part: NDArray[np.intp], rows: Array, columns: Array, n: int) -> NDArray[np.intp]:
    """Return the edge of each fibre that is nearest to its middle: on the axis, bent or not."""
    count = np.bincount(part, minlength=n)
    off = np.hypot(
        rows - (np.bincount(part, rows, n) / count)[part],
        columns - (np.bincount(part, columns, n) / count)[part],
    )
    order = np.lexsort((off, part))
    return order[np.searchsorted(part[order], np.arange(n))]
