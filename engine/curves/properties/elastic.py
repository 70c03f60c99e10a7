"""Elastic modulus: the regression of a stated window, or of the steepest one; and the toe it tells.

Notation: E slope of the regression y = E (x − x₀); x₀, its zero crossing, is the origin of strain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.curves.reading.records import Array, Indices

ISO = (0.0005, 0.0025)
"""Window of ISO 527-1, in strain."""

RISE = 0.2
LEAST_R2 = 0.98
_LEAST_POINTS = 5
_ISO_POINTS = 8
# A window of the standard that lies in the toe, or beyond yield, is less steep than the steepest.
_ISO_SHARE = 0.95
_RUBBER_STRAIN = 1.0
_INITIAL = 0.5


@dataclass(frozen=True)
class Line:
    """A regression y = slope · (x − origin) over samples ``first`` to ``last``."""

    slope: float
    origin: float
    first: int
    last: int
    r2: float
    method: str

    def at(self, x: float | Array) -> float | Array:
        """Return the line's y."""
        return self.slope * (x - self.origin)


def fit_line(x: Array, y: Array, first: int, last: int, method: str) -> Line | None:
    """Return the regression of samples ``first`` to ``last``, or none where x does not vary."""
    xs, ys = x[first : last + 1], y[first : last + 1]
    if len(xs) < 3:
        return None
    dx, dy = xs - xs.mean(), ys - ys.mean()
    sxx, syy, sxy = float(dx @ dx), float(dy @ dy), float(dx @ dy)
    if sxx <= 0 or syy <= 0 or sxy == 0:
        return None
    slope = sxy / sxx
    origin = float(xs.mean() - ys.mean() / slope)
    return Line(slope, origin, first, last, sxy**2 / (sxx * syy), method)


def steepest(x: Array, y: Array) -> Line | None:
    """Return the steepest window over which y rises by a fifth, of all that are straight.

    (x, y) is the curve from its beginning to its end; only what comes before the maximum counts.
    """
    peak = int(np.argmax(y))
    xs, ys = x[: peak + 1], y[: peak + 1]
    n = len(xs)
    if n < _LEAST_POINTS:
        return None
    rise = RISE * float(ys[-1] - ys[0])
    top = np.maximum.accumulate(ys)
    first = np.arange(n)
    # The last sample within the rise; windows that the curve does not rise through are left out.
    crossing = np.searchsorted(top, ys + rise)
    first, crossing = first[crossing < n], crossing[crossing < n]
    last = np.minimum(np.maximum(crossing - 1, first + _LEAST_POINTS - 1), n - 1)
    if len(first) == 0:
        return None
    slope, r2 = _slopes(xs, ys, first, last)
    good = (r2 > LEAST_R2) & (slope > 0) & np.isfinite(slope)
    if not good.any():
        return None
    best = int(np.argmax(np.where(good, slope, -np.inf)))
    return fit_line(x, y, int(first[best]), int(last[best]), "steepest")


def _slopes(x: Array, y: Array, first: Indices, last: Indices) -> tuple[Array, Array]:
    """Return slope and R² of every window by running sums."""
    # About the middle: differences of large sums would lose the digits that matter.
    x, y = x - x.mean(), y - y.mean()
    sums = [np.concatenate(([0.0], np.cumsum(v))) for v in (x, y, x * x, y * y, x * y)]
    n = (last - first + 1).astype(float)
    sx, sy, sxx, syy, sxy = (s[last + 1] - s[first] for s in sums)
    vxx, vyy, vxy = sxx - sx * sx / n, syy - sy * sy / n, sxy - sx * sy / n
    tiny = 1e-12 * max(float(sums[2][-1]), 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(vxx > tiny, vxy / vxx, np.nan)
        r2 = np.where((vxx > tiny) & (vyy > 0), vxy * vxy / (vxx * vyy), 0.0)
    return slope, r2


def window_line(x: Array, y: Array, low: float, high: float, method: str) -> Line | None:
    """Return the regression between two strains, up to the maximum of y."""
    peak = int(np.argmax(y))
    inside = np.flatnonzero((x[: peak + 1] >= low) & (x[: peak + 1] <= high))
    if len(inside) < 3:
        return None
    return fit_line(x, y, int(inside[0]), int(inside[-1]), method)


def iso_line(x: Array, y: Array, steep: Line | None) -> Line | None:
    """Return the regression from 0.05 to 0.25 % where the strain resolves it and it is elastic."""
    line = window_line(x, y, *ISO, "0.05 to 0.25 % strain")
    if line is None or line.r2 < LEAST_R2:
        return None
    levels = np.unique(x[line.first : line.last + 1])
    covers = len(levels) and levels[-1] - levels[0] >= 0.7 * (ISO[1] - ISO[0])
    if len(levels) < _ISO_POINTS or not covers:
        return None
    if steep is not None and line.slope < _ISO_SHARE * steep.slope:
        return None
    return line


def is_rubber(x: Array, y: Array, steep: Line) -> bool:
    """Whether a curve stiffens towards its end from a slope that is no toe, as elastomers do."""
    peak = int(np.argmax(y))
    extent = float(x[peak] - x[0])
    if extent < _RUBBER_STRAIN or y[steep.last] < 0.5 * y[peak]:
        return False
    line = window_line(x, y, float(x[0]), float(x[0]) + min(_INITIAL, 0.1 * extent), "initial")
    return line is not None and 0.1 * steep.slope < line.slope < 0.9 * steep.slope


def initial_line(x: Array, y: Array) -> Line | None:
    """Return the regression of the first 50 % of strain, or of a short curve's first twentieth."""
    extent = float(x[int(np.argmax(y))])
    reach = _INITIAL if extent >= 3 else 0.05 * extent
    line = window_line(x, y, float(x[0]), reach, f"0 to {reach:.0%} strain")
    if line is None:
        line = fit_line(x, y, 0, min(_LEAST_POINTS, len(x)) - 1, "the first five points")
    return line
