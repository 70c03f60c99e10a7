"""A campaign's or source's conditions → what a model reads.

Notation
--------
======  =============================================================================  ==========
T       input of a MatMCL table encoder                                                (n, p, 3)
T₀      z = (u − centre) / scale, u = ln max(v, floor) or v, v in the model's unit;    (n, p)
        0 where missing
T₁      place in the campaign's own range, −1 at its low end … 1 at its high end;      (n, p)
        0 where missing, or where the campaign has no range
T₂      1 where the parameter is present, 0 where it is missing                        (n, p)
======  =============================================================================  ==========

What has no counterpart in the model (:mod:`engine.sources.axes`), and every named choice, is left
out and stays masked: nothing is guessed and nothing imputed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, Value
from engine.campaign.ranges import Reach, reaches_of
from engine.sources.axes import (
    Axis,
    Matching,
    Names,
    ParameterSpec,
    Vocabulary,
    axes_of,
    axes_within,
    match_axes,
)

Array = NDArray[np.float64]

FLOOR_SD = 8.0
"""Where the model takes a logarithm, values below its centre by more than this many scales count as
that: a speed or a flow of 0 has no logarithm."""


def encode_conditions(
    campaign: Campaign,
    vocabulary: Vocabulary,
    conditions: Sequence[Mapping[str, Value]],
    names: Names | None = None,
) -> Array:
    """Return T (n, p, 3) of a campaign's conditions; what is missing or not understood is masked.

    Raises:
        UsageError, UnitError: ``names`` cannot be (see `match_axes`).
    """
    return encode_axes(match_axes(axes_of(campaign), vocabulary, names), vocabulary, conditions)


def encode_axes(
    matching: Matching, vocabulary: Vocabulary, conditions: Sequence[Mapping[str, Value]]
) -> Array:
    """Return T (n, p, 3) of conditions by the axes' names, in the axes' units."""
    T = np.zeros((len(conditions), len(vocabulary.parameters), 3))
    for match in matching.matches:
        raw = np.array([_number(row.get(match.axis.name)) for row in conditions], dtype=float)
        is_here = np.isfinite(raw)
        value = match.factor * raw[is_here] + match.offset
        T[is_here, match.index, 0] = _standardised(vocabulary.parameters[match.index], value)
        T[is_here, match.index, 1] = _placed(match.axis, raw[is_here])
        T[is_here, match.index, 2] = 1.0
    return T


@dataclass(frozen=True)
class CubeMapping:
    """How a model reads the unit cube of a campaign; each tuple has one entry a parameter (p).

    For parameter j with ``column[j]`` ≥ 0 and a point X (n, d) of the cube::

        raw = low[j] + X[:, column[j]] · (high[j] − low[j])        the campaign's unit
        v   = factor[j] · raw + offset[j]                          the model's unit
        u   = ln max(v, floor[j])  if log[j],  else v
        T   = ((u − centre[j]) / scale[j],  2 X[:, column[j]] − 1,  1)

    With ``column[j]`` = −1 the campaign lacks the parameter: T is 0 throughout. With ``low[j]`` =
    ``high[j]`` it is a constant: any column does for its value, and its place in the range is 0.
    """

    column: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    factor: tuple[float, ...]
    offset: tuple[float, ...]
    log: tuple[bool, ...]
    floor: tuple[float, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]


def cube_mapping(
    campaign: Campaign,
    vocabulary: Vocabulary,
    names: Names | None = None,
    reaches: Mapping[str, Reach] | None = None,
) -> CubeMapping:
    """Return how a model reads the unit cube of a campaign (`engine.propose.space.Space.cube`).

    ``reaches``: those that the cube was made with; the bounds alone if left out.

    Raises:
        UsageError, UnitError: ``names`` cannot be (see `match_axes`).
    """
    reaches = reaches or reaches_of(campaign)
    columns = _cube_columns(campaign, reaches)
    axes = axes_within(campaign, reaches)
    by_place = {m.index: m for m in match_axes(axes, vocabulary, names).matches}
    rows = []
    for place, spec in enumerate(vocabulary.parameters):
        match = by_place.get(place)
        axis_columns = (
            (-1, 0.0, 1.0, 1.0, 0.0)
            if match is None
            else (
                columns[match.axis.name],
                match.axis.low or 0.0,
                match.axis.high if match.axis.high is not None else 1.0,
                match.factor,
                match.offset,
            )
        )
        rows.append((*axis_columns, spec.log, _floor(spec), spec.centre, spec.scale))
    column, low, high, factor, offset, log, floor, centre, scale = zip(*rows, strict=True)
    return CubeMapping(column, low, high, factor, offset, log, floor, centre, scale)


def _cube_columns(campaign: Campaign, reaches: Mapping[str, Reach]) -> dict[str, int]:
    """Return each parameter's first column; what is one value throughout has none, and reads 0."""
    columns, at = {}, 0
    for parameter in (*campaign.controlled, *campaign.ambient):
        width = reaches[parameter.name].n_columns
        columns[parameter.name] = at if width else 0
        at += width
    return columns


def _floor(spec: ParameterSpec) -> float:
    return math.exp(spec.centre - FLOOR_SD * spec.scale) if spec.log else 0.0


def _standardised(spec: ParameterSpec, value: Array) -> Array:
    u = np.log(np.maximum(value, _floor(spec))) if spec.log else value
    return np.asarray((u - spec.centre) / spec.scale)


def _placed(axis: Axis, raw: Array) -> Array:
    if axis.low is None or axis.high is None or not axis.low < axis.high:
        return np.zeros_like(raw)
    return np.asarray(2.0 * (raw - axis.low) / (axis.high - axis.low) - 1.0)


def _number(value: Value | None) -> float:
    return math.nan if value is None or isinstance(value, str) else float(value)
