"""What the starter generator learns from: drawn micrographs with the conditions of their mats.

Two kinds. ``standard``: runs of the virtual lab at settings all over the nanofibre template's
ranges and a little beyond, a new lot each. ``wide``: mats of simulated labs of all sorts, which
teach what mats can look like and nothing about which conditions make them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.lab.ensemble import PRETRAINING_SEEDS, draw_lab
from engine.lab.physics import Microstructure
from engine.lab.render import LAYERS_PER_SOLIDITY, render_known
from engine.lab.virtual import VirtualLab
from engine.sources.axes import Axis, axes_of, match_axes
from engine.sources.encoding import encode_axes
from surrogate.matmcl.vocabulary import Vocabulary
from surrogate.progress import Progress, silent

Array = NDArray[np.float64]

SHOWN = ("fibre_diameter", "diameter_spread", "order_parameter", "porosity", "bead_fraction")
"""What is told of a picture or a mat: ln of the mean diameter [nm], coefficient of variation,
order, areal porosity, share of beads."""

SEEN_NM = (130.0, 1600.0)
"""Mean diameters of ``wide`` mats: finer fibres cannot be seen, thicker ones fill the picture."""

# What lies on the border of the search is not on the border of what was learnt.
_WIDER = 0.1
# A stream of its own, beside the benchmarks' (4002 in `engine.bench.pictures.generator`): the same
# seed draws other mats there.
_LESSONS = 4001


@dataclass(frozen=True)
class Lessons:
    """Pictures and what belongs to them.

    ``tiles``: (n, s, s) uint8. ``shown``: (n, 5), :data:`SHOWN` of the picture itself. For the
    first ``len(table)`` of them also ``table``: (m, p, 3), the encoded conditions, and
    ``promised``: (m, 5), :data:`SHOWN` of the mean lot of these conditions.
    """

    tiles: NDArray[np.uint8]
    shown: Array
    table: Array
    promised: Array


def draw_lessons(
    vocabulary: Vocabulary,
    *,
    standard: int,
    wide: int,
    side_px: int,
    nm_per_pixel: float,
    seed: int = 0,
    progress: Progress = silent,
) -> Lessons:
    """Draw ``standard`` runs of the virtual lab and ``wide`` mats of other labs."""
    lab = VirtualLab()
    rng = np.random.default_rng([_LESSONS, seed])
    columns = settings_of(lab, standard, rng)
    # With lots: pictures of one condition differ as lots do …
    mats = lab.microstructure_columns(columns, rng.standard_normal((4, standard)))
    # … while conditions promise the mean lot.
    promised = _told_of(lab.microstructure_columns(columns), standard)
    table = encode_columns(lab, columns, vocabulary, rng)
    all_mats = [row_of(mats, i) for i in range(standard)] + _wide_mats(wide, rng)
    tiles = np.empty((len(all_mats), side_px, side_px), dtype=np.uint8)
    statistics = np.empty((len(all_mats), len(SHOWN)))
    for place, mat in enumerate(all_mats):
        picture, truth = render_known(mat, rng, shape=(side_px, side_px), nm_per_pixel=nm_per_pixel)
        tiles[place] = picture
        statistics[place] = (
            np.log(truth.diameter_nm),
            truth.diameter_sd_nm / truth.diameter_nm,
            truth.order,
            truth.porosity,
            truth.bead_fraction,
        )
        if (place + 1) % 100 == 0:
            progress("drawing lessons", place + 1, len(all_mats))
    return Lessons(tiles, statistics, table, promised)


def settings_of(lab: VirtualLab, n: int, rng: np.random.Generator) -> dict[str, Array]:
    """Return ``n`` settings and rooms, uniform over the campaign's ranges and a tenth beyond them.

    Rooms are as the lab has them in every other row, uniform over the ranges in the rest.
    """
    columns: dict[str, Array] = {}
    for parameter in lab.campaign.parameters:
        low, high = parameter.bounds
        # A relative humidity beyond its range may be below 0 or above 100 %.
        margin = 0.0 if parameter.name == "humidity" else _WIDER * (high - low)
        drawn = rng.uniform(max(low - margin, 0.0), high + margin, n)
        columns[parameter.name] = drawn
    for row in range(0, n, 2):
        for name, value in lab.room(rng).items():
            columns[name][row] = value
    return columns


def encode_columns(
    lab: VirtualLab, columns: dict[str, Array], vocabulary: Vocabulary, rng: np.random.Generator
) -> Array:
    """Return T (n, p, 3); every other row as seen by a campaign with ranges of its own."""
    n = len(next(iter(columns.values())))
    axes = axes_of(lab.campaign)
    rows = [{name: float(value[i]) for name, value in columns.items()} for i in range(n)]
    table = encode_axes(match_axes(axes, vocabulary), vocabulary, rows)
    for i in range(0, n, 2):
        # A value's place in the campaign's range is part of T: seen in one range only, it would be
        # taken for the value itself.
        matching = match_axes([_elsewhere(axis, rng) for axis in axes], vocabulary)
        table[i] = encode_axes(matching, vocabulary, [rows[i]])[0]
    return table


def _elsewhere(axis: Axis, rng: np.random.Generator) -> Axis:
    """Return the axis with another range about the same values."""
    assert axis.low is not None  # noqa: S101 -- the virtual lab's parameters have ranges
    assert axis.high is not None  # noqa: S101
    width = axis.high - axis.low
    low = axis.low + width * rng.uniform(-0.4, 0.4)
    return Axis(axis.name, axis.unit, low, low + width * rng.uniform(0.6, 1.6), axis.aliases)


def _told_of(mats: Microstructure, n: int) -> Array:
    """Return :data:`SHOWN` of mats; areal porosity as pictures show it in expectation."""
    # Fibres at random over one another: the chance that none covers a place (Poisson).
    open_share = np.exp(-LAYERS_PER_SOLIDITY * (1.0 - mats.porosity))
    statistics = (
        np.log(mats.diameter_nm),
        mats.diameter_cv,
        mats.order,
        open_share,
        mats.bead_fraction,
    )
    return np.stack([np.broadcast_to(column, (n,)) for column in statistics], axis=1)


def _wide_mats(n: int, rng: np.random.Generator) -> list[Microstructure]:
    chosen: list[Microstructure] = []
    labs = iter(PRETRAINING_SEEDS)
    while len(chosen) < n:
        lab = draw_lab(next(labs))
        columns = lab.design(4, seed=int(rng.integers(2**31)))
        mats = lab.microstructure_columns(columns, rng.standard_normal((4, 4)))
        for row in range(4):
            mat = row_of(mats, row)
            if SEEN_NM[0] <= float(mat.diameter_nm) <= SEEN_NM[1] and len(chosen) < n:
                chosen.append(mat)
    return chosen


def row_of(mats: Microstructure, row: int) -> Microstructure:
    """Return one of many mats."""
    return Microstructure(
        **{
            name: np.broadcast_to(getattr(mats, name), np.shape(mats.diameter_nm))[row]
            for name in Microstructure.__dataclass_fields__
        }
    )
