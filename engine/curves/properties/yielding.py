"""Yield: a first maximum, an offset line, or the knee of two lines. None is an answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import find_peaks

from engine.curves.properties.elastic import Line, fit_line
from engine.curves.reading.records import Array

PROMINENCE = 0.02
OFFSETS = ((0.01, 0.002), (0.1, 0.02), (np.inf, 0.1))
"""Elastic strain below which an offset serves, and the offset: stiff materials, films, mats."""

_STIFFENS = 0.8


@dataclass(frozen=True)
class YieldPoint:
    """Where a curve yields, strain counted from the origin of the modulus line."""

    strain: float
    stress: float
    method: str


def first_maximum(x: Array, y: Array, line: Line | None) -> YieldPoint | None:
    """Return the first maximum that stands out by 2 % of the greatest stress.

    The last maximum before a break is a strength, and so is the end of a metal's uniform
    elongation: a yield lies in the first half of the strain, or close to the elastic line.
    """
    greatest = float(y.max())
    steps = np.diff(y)
    noise = (
        1.4826 * float(np.median(np.abs(np.diff(steps)))) / np.sqrt(6) if len(steps) > 2 else 0.0
    )
    peaks, _ = find_peaks(y, prominence=max(PROMINENCE * greatest, 6 * noise))
    for peak in peaks.tolist():
        origin = line.origin if line is not None else float(x[0])
        strain = float(x[peak]) - origin
        reach = float(x.max()) - origin
        is_early = strain <= 0.5 * reach
        is_near = (
            line is not None
            and strain <= 6 * float(y[peak]) / line.slope
            and (strain <= 0.95 * reach)
        )
        if is_early or is_near:
            return YieldPoint(strain, float(y[peak]), "first maximum")
        return None
    return None


def usual_offset(x: Array, y: Array, line: Line) -> float:
    """Return the offset for a material of this elastic strain."""
    bend = offset_crossing(x, y, line, _half_bend(x, y, line))
    stress = bend.stress if bend is not None else float(y.max())
    elastic = stress / line.slope
    return next(offset for limit, offset in OFFSETS if elastic < limit)


def _half_bend(x: Array, y: Array, line: Line) -> float:
    """Return a twentieth of the strain between origin and maximum: beyond the bend of any curve."""
    return 0.05 * (float(x[int(np.argmax(y))]) - line.origin)


def offset_crossing(x: Array, y: Array, line: Line, offset: float) -> YieldPoint | None:
    """Return where the curve crosses the elastic line shifted by ``offset``, before its maximum."""
    peak = int(np.argmax(y))
    start = line.last
    gap = y[start : peak + 1] - line.at(x[start : peak + 1] - offset)
    crossed = np.flatnonzero(np.asarray(gap) < 0)
    if len(crossed) == 0:
        return None
    second = start + int(crossed[0])
    # One sample of noise is no crossing: what comes next must lie below, too.
    for index in crossed.tolist():
        ahead = gap[index : index + 5]
        if float(np.median(ahead)) < 0:
            second = start + index
            break
    first = max(second - 1, 0)
    ratio = 1.0
    g0, g1 = float(gap[first - start]) if first >= start else 0.0, float(gap[second - start])
    if g0 > 0 > g1:
        ratio = g0 / (g0 - g1)
    strain = float(x[first] + ratio * (x[second] - x[first])) - line.origin
    stress = float(y[first] + ratio * (y[second] - y[first]))
    return YieldPoint(strain, stress, f"offset {offset:.3g}")


def hardening_line(x: Array, y: Array, start_strain: float, origin: float) -> Line | None:
    """Return the regression of 20 to 80 % of the way from a strain to that of the maximum."""
    peak = int(np.argmax(y))
    low, high = start_strain + origin, float(x[peak])
    if high <= low:
        return None
    inside = np.flatnonzero(
        (x[: peak + 1] >= low + 0.2 * (high - low)) & (x[: peak + 1] <= low + 0.8 * (high - low))
    )
    if len(inside) < 3:
        return None
    return fit_line(x, y, int(inside[0]), int(inside[-1]), "20 to 80 % from yield to maximum")


def stiffens(hardening: Line | None, line: Line) -> bool:
    """Whether a curve goes on as steeply as it began: then it did not yield."""
    return hardening is not None and hardening.slope > _STIFFENS * line.slope


def knee(line: Line, hardening: Line) -> YieldPoint | None:
    """Return where the elastic line and that of the hardening part meet."""
    if hardening.slope >= line.slope:
        return None
    x = (line.slope * line.origin - hardening.slope * hardening.origin) / (
        line.slope - hardening.slope
    )
    if x <= line.origin:
        return None
    return YieldPoint(x - line.origin, float(line.at(x)), "knee of two lines")
