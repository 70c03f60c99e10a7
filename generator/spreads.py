"""How unlike the fibres of a picture are: the spread of their diameters without the judge's doubt.

The shares of the diameter classes are wider than the diameters, since each edge's diameter is in
doubt and the shares are smoothed. A fibre shows many edges, so what its edges tell together is far
surer than what one tells: edges that lie along one outline are pooled, whatever their diameters.

======  ==================================================================
y       ln diameter of an edge, from what the judge says of it and of those along its outline
q       half the width of the middle 68 % of y, a standard deviation that few misread edges
        do not move
s       the same of the classes' shares
v       mean variance of ln diameter for an edge alone; u the same in the light of the shares
CV²     a s² + b q² − c v − d u
======  ==================================================================

The four numbers were set on mats of the second renderer and of the virtual lab, seeds 1000 and
1001, on which nothing is reported. Where thick and thin fibres are mixed there is no middle 68 % to
speak of, and the shares' own standard deviation is right: of two populations, or where it is large
(:data:`MIXED`). A few beads that are taken for thick fibres make it large too, and q as well
(:data:`MOST_POOLED`): where beads are seen, and one population only, what is far thicker than the
median (:data:`LIKE_BEADS`) does not count in it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array, eye_array
from scipy.spatial import cKDTree

from generator.estimates import bead_fraction_of
from generator.judge import BIN_STEP, BIN_VARIANCE, CENTRES, FAINTEST_PX, FIRST_BIN, the_judge
from generator.outlines import Array, Image, Outlines
from generator.reading import EDGE_SHOWN, FEWEST_EDGES, Reading

SHARES, POOLED, DOUBT, REMAINING_DOUBT = 1.13, 0.33, 0.11, 0.27
"""a, b, c, d of the table above."""

LEAST_CV = 0.03
"""Less cannot be told from none."""

MIXED = (0.30, 0.38)
"""Standard deviation of the shares [of the mean] from which on, and to which, they take over."""

BEADED, LIKE_BEADS = 0.05, 1.7
"""Share of beads from which on fibres so many times as thick as the median may be beads."""

MOST_POOLED = 1.6
"""q counts for so many times s at most."""

SURE = 0.6
"""Least probability that an edge is a fibre's outline."""

REACH, REACH_PX = 12.0, (24.0, 96.0)
"""Edges of one outline lie so many mean distances apart at most, within these bounds [px]."""

TURN, ASIDE_PX, DRIFT, BEND = 0.3, 0.8, 0.03, 0.1
"""The most that two edges of an outline, parts of one arc, may turn [rad]; how far from a right
angle to their mean normal they may lie [px, and of the distance]; how deep the arc may be."""

ROUNDS, MOST_VIEWS = 3, 8
"""So often what neighbours tell is handed on; so many independent views an outline counts for."""

FAINTEST = 1e-4
"""No view rules a class out by more."""

MIDDLE = (0.16, 0.84)
LOG_CENTRES: Array = np.log(CENTRES)


def spread_of(reading: Reading) -> float | None:
    """Return the coefficient of variation of the diameters; ``None`` where no fibre is seen."""
    mean = reading.mean_diameter
    if mean is None:
        return None
    raw = _raw_spread(reading.lengths)
    is_mixed = len(reading.populations) > 1
    if not is_mixed and bead_fraction_of(reading) > BEADED:
        raw = _raw_spread(_without_beads(reading.lengths))
    weight = float(np.clip((raw - MIXED[0]) / (MIXED[1] - MIXED[0]), 0.0, 1.0))
    sure = np.flatnonzero(reading.fibre > SURE)
    if is_mixed or weight == 1.0 or sure.size < FEWEST_EDGES:
        return raw
    shares, pooled, doubt, remaining = variances(reading, sure)
    pooled = min(pooled, MOST_POOLED**2 * shares)
    square = SHARES * shares + POOLED * pooled - DOUBT * doubt - REMAINING_DOUBT * remaining
    corrected = math.sqrt(max(square, LEAST_CV**2))
    return float(corrected ** (1.0 - weight) * raw**weight)


def variances(reading: Reading, sure: NDArray[np.intp]) -> tuple[float, float, float, float]:
    """Return s², q², v and u of the table above.

    Args:
        reading: of a picture.
        sure: its edges that are a fibre's outline.
    """
    alone = _alone(reading.seen[sure])
    edges = reading.edges.only(sure)
    lengths = edges.length * reading.fibre[sure] * (alone @ EDGE_SHOWN)
    logs = alone @ LOG_CENTRES
    doubt = np.average(np.maximum(alone @ LOG_CENTRES**2 - logs**2, 0.0), weights=lengths)
    return (
        _middle_of_shares(reading.lengths) ** 2,
        _middle(_pooled(alone, edges) @ LOG_CENTRES, lengths) ** 2,
        float(doubt),
        _remaining_doubt(reading),
    )


def class_diameters(reading: Reading, spread: float | None) -> Array:
    """Return the classes' diameters [px of the reading], (bins,), so that they spread as told.

    Moved by a power of their ratio to the mean: order and sign are kept, and so is the mean.
    """
    raw = _raw_spread(reading.lengths)
    if spread is None or not raw > 0.0:
        return CENTRES
    logs = LOG_CENTRES - float(np.average(LOG_CENTRES, weights=reading.lengths))
    moved = np.exp(spread / raw * logs)
    mean = float(np.average(CENTRES, weights=reading.lengths))
    return np.asarray(moved * mean / float(np.average(moved, weights=reading.lengths)))


def _without_beads(lengths: Array) -> Array:
    median = np.interp(0.5, np.cumsum(lengths) / lengths.sum(), CENTRES)
    return np.where(LIKE_BEADS * median < CENTRES, 0.0, lengths)


def _raw_spread(lengths: Array) -> float:
    mean = float(np.average(CENTRES, weights=lengths))
    variance = float(np.average((CENTRES - mean) ** 2, weights=lengths))
    return math.sqrt(max(variance / mean**2 - BIN_VARIANCE, 0.0))


def _alone(seen: Image) -> Image:
    """Return what each edge tells by itself, all classes being as likely, (n, bins)."""
    likelihood = seen[:, FIRST_BIN:] / np.maximum(the_judge().prior[FIRST_BIN:], 1e-6)
    likelihood[:, CENTRES < FAINTEST_PX] = 0.0
    total = np.maximum(likelihood.sum(axis=1, keepdims=True), 1e-12)
    return np.asarray(likelihood / total, dtype=np.float32)


def _pooled(alone: Image, edges: Outlines) -> Image:
    """Return what each edge tells together with those along its outline, (n, bins)."""
    neighbours = outline_neighbours(edges)
    joined = neighbours + eye_array(len(edges), dtype=np.float32, format="csr")
    views = np.asarray(joined.sum(axis=1)).ravel()
    averaging = diags_array((1.0 / views).astype(np.float32)) @ joined
    logs = np.log(np.maximum(alone, FAINTEST))
    for _ in range(ROUNDS):
        logs = averaging @ logs
    logs = logs * np.minimum(ROUNDS * views, MOST_VIEWS)[:, None]
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def outline_neighbours(edges: Outlines) -> csr_array:
    """Return which edges lie along one outline, (n, n), ones; diameters have no say in it.

    Two edges of an arc have their chord at a right angle to the sum of their normals.
    """
    places = np.stack([edges.y, edges.x], axis=1)
    reach = float(np.clip(REACH * np.median(edges.length), *REACH_PX))
    first, second = cKDTree(places).query_pairs(reach, output_type="ndarray").T
    is_one = (
        edges.down[first] * edges.down[second] + edges.right[first] * edges.right[second]
    ) > math.cos(TURN)
    first, second = first[is_one], second[is_one]
    down, right = (places[second] - places[first]).T
    apart = np.hypot(down, right)
    from_first = down * edges.down[first] + right * edges.right[first]
    from_second = -(down * edges.down[second] + right * edges.right[second])
    is_arc = (np.abs(from_first - from_second) < ASIDE_PX + DRIFT * apart) & (
        np.abs(from_first + from_second) < 2.0 * (ASIDE_PX + BEND * apart)
    )
    first, second = first[is_arc], second[is_arc]
    rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
    ones = np.ones(rows.size, dtype=np.float32)
    return coo_array((ones, (rows, columns)), shape=(len(edges), len(edges))).tocsr()


def _middle(values: Array, weights: Array) -> float:
    order = np.argsort(values)
    share = (np.cumsum(weights[order]) - 0.5 * weights[order]) / weights.sum()
    low, high = np.interp(MIDDLE, share, values[order])
    return 0.5 * float(high - low)


def _middle_of_shares(lengths: Array) -> float:
    """Return the same of classes, each as wide as its step, (bins,)."""
    borders = np.append(LOG_CENTRES - 0.5 * BIN_STEP, LOG_CENTRES[-1] + 0.5 * BIN_STEP)
    share = np.append(0.0, np.cumsum(lengths) / lengths.sum())
    low, high = np.interp(MIDDLE, share, borders)
    return 0.5 * float(high - low)


def _remaining_doubt(reading: Reading) -> float:
    """Return the mean variance of ln diameter in the light of the picture's shares."""
    bins = reading.kinds[:, FIRST_BIN:].astype(np.float64) * reading.edges.length[:, None]
    total = bins.sum(axis=1)
    ours = bins / np.maximum(total[:, None], 1e-12)
    mean = ours @ LOG_CENTRES
    return float(total @ (ours @ LOG_CENTRES**2 - mean**2) / max(float(total.sum()), 1e-12))
