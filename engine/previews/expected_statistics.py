"""What previews show, in numbers, and between which numbers the mat that comes should lie.

Notation
--------
=====  ==========================================================================  =======
x_i    a statistic of the i-th picture of a preview                                 (n,)
s      its standard deviation about the previews' own means, over all previews
w      that of pictures of one and the same mat, as each shows a few fibres of it
ν      degrees of freedom of s: pictures − previews
=====  ==========================================================================  =======

Pictures of a preview differ as lots do, and as places of one mat do. The interval is of the mat of
one further lot, x̄ ± t √(max(s² − w², 0) + s²/n); a micrograph of it adds its own standard error.
t has ν degrees of freedom, fewer by Satterthwaite's rule where most of s² is w².

How much places differ follows from how few fibres a field of side L shows: with the diameter d, the
order S, the areal porosity p and the relative spread c of diameters,

    w² = 0.57 (c d)² ρ,   0.53 ((1 + S⁴)/2 − S²) ρ,   p² (exp(0.43 (d/L) ln(1/p)) − 1)

for diameter, order and porosity, where ρ = d / (L (1 − p)): (1 + S⁴)/2 − S² is the variance of
cos 2θ of a wrapped normal, and the last line is the covariance of strips at random (Poisson). The
factors are of virtual mats, 24 of them at two sizes (docs/notes/generator.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.blas_threads import one_blas_thread
from generator.statistics import glance

NAMES = ("diameter", "order", "porosity")
UNITS = {"diameter": "nm", "order": "", "porosity": "%"}
_PER_UNIT = {"porosity": 100.0}
"""Porosity is kept as a share and shown to people in percent, wherever previews are shown."""
_PLACES = {"diameter": 0.57, "order": 0.53, "porosity": 0.43}
_LEAST_FREEDOM = 4.0
_TYPICAL_SPREAD = 0.2
"""Of diameters, relative to their mean; a glance does not tell it."""

# What cannot be lies outside; a symmetric interval would reach there.
_BOUNDS = {"diameter": (0.0, math.inf), "order": (-1.0, 1.0), "porosity": (0.0, 1.0)}


@dataclass(frozen=True)
class Interval:
    """Mean over a preview's pictures, and the interval of the mat of one further lot.

    ``lower`` and ``upper`` are ``None`` where a single picture says nothing of the spread.
    """

    mean: float
    lower: float | None
    upper: float | None

    def holds(self, value: float, margin: float = 0.0) -> bool | None:
        """Whether a measured value lies inside; ``None`` where there is no interval.

        ``margin``: how far off the measurement itself may be, at the interval's level.
        """
        if self.lower is None or self.upper is None:
            return None
        lower = self.mean - math.hypot(self.mean - self.lower, margin)
        upper = self.mean + math.hypot(self.upper - self.mean, margin)
        return lower <= value <= upper


def measured(
    pictures: NDArray[np.uint8], nm_per_pixel: float, *, workers: int = 1
) -> list[dict[str, float | None]]:
    """Return the statistics of pictures (n, s, s): each name → its value, ``None`` if not found.

    ``workers``: threads; filters and matrix products of numpy and scipy run beside one another.
    """
    with one_blas_thread(), ThreadPoolExecutor(workers) as pool:
        statistics = list(pool.map(lambda picture: glance(picture, nm_per_pixel), pictures))
    return [asdict(picture) for picture in statistics]


def window_variance(name: str, mat: Mapping[str, float], field_nm: float) -> float:
    """Return w² of a statistic, of pictures of ``field_nm`` a side of the mat ``mat``.

    0 where the diameter or the porosity of the mat is not known.
    """
    if "diameter" not in mat or "porosity" not in mat:
        return 0.0
    d, p = mat["diameter"], min(max(mat["porosity"], 1e-3), 0.99)
    if name == "porosity":
        return p**2 * math.expm1(-_PLACES[name] * d / field_nm * math.log(p))
    thinness = d / (field_nm * (1.0 - p))
    if name == "diameter":
        return _PLACES[name] * (_TYPICAL_SPREAD * d) ** 2 * thinness
    order = mat.get("order", 0.0)
    return _PLACES[name] * (0.5 * (1.0 + order**4) - order**2) * thinness


def intervals(
    previews: Sequence[Sequence[Mapping[str, float | None]]], level: float, field_nm: float
) -> list[dict[str, Interval]]:
    """Return what to expect of each preview (its pictures' statistics), spreads pooled over all.

    Args:
        previews: of each preview, of each picture: name → value.
        level: of the intervals.
        field_nm: how long a picture's side is.
    """
    # Not `scipy.stats.t`: loading scipy.stats takes half as long as measuring all pictures.
    from scipy.special import stdtrit

    expected: list[dict[str, Interval]] = [{} for _ in previews]
    mats = [_means_of(rows) for rows in previews]
    for name in NAMES:
        columns = [
            np.array([row[name] for row in rows if row.get(name) is not None], dtype=np.float64)
            for rows in previews
        ]
        # Pooled over the previews of a batch: four pictures alone tell a spread badly.
        squares = sum(float(((x - x.mean()) ** 2).sum()) for x in columns if x.size)
        freedom = sum(max(x.size - 1, 0) for x in columns)
        places = sum(
            max(x.size - 1, 0) * window_variance(name, mat, field_nm)
            for x, mat in zip(columns, mats, strict=True)
        )
        # What is left when the places' share is taken away is the lots'.
        lots = max(squares - places, 0.0) / max(freedom, 1)
        for place, x in enumerate(columns):
            if not x.size:
                continue
            mean = float(x.mean())
            if not freedom:
                expected[place][name] = Interval(mean, None, None)
                continue
            # Of one further lot's mat: how lots differ, and how far off the mean of these is.
            pictures = squares / freedom
            variance = lots + pictures / x.size
            # Satterthwaite: a difference is known less well than what it is made of.
            share = variance / max(pictures * (1.0 + 1.0 / x.size), 1e-300)
            freedom_left = max(freedom * share**2, min(freedom, _LEAST_FREEDOM))
            reach = float(stdtrit(freedom_left, 0.5 + 0.5 * level)) * math.sqrt(variance)
            low, high = _BOUNDS[name]
            expected[place][name] = Interval(mean, max(mean - reach, low), min(mean + reach, high))
    return expected


def _means_of(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float]:
    values_of = {name: [v for row in rows if (v := row.get(name)) is not None] for name in NAMES}
    return {name: sum(values) / len(values) for name, values in values_of.items() if values}


def statistics_document(
    rows: Sequence[Mapping[str, float | None]],
    expected: Mapping[str, Interval],
    nm_per_pixel: float,
) -> dict[str, Any]:
    """Return what the database keeps of a preview; :func:`expected_of` reads it back."""
    return {
        "nm_per_pixel": nm_per_pixel,
        "pictures": [dict(row) for row in rows],
        "expected": {
            name: {"mean": interval.mean, "lower": interval.lower, "upper": interval.upper}
            for name, interval in expected.items()
        },
    }


def expected_of(document: Mapping[str, Any]) -> dict[str, Interval]:
    """Read what :func:`statistics_document` wrote."""
    return {
        name: Interval(bounds["mean"], bounds["lower"], bounds["upper"])
        for name, bounds in document.get("expected", {}).items()
    }


def shown_of(statistics: Mapping[str, Any] | None) -> dict[str, float]:
    """Return the comparable statistics of a real micrograph; a diameter in pixels is left out."""
    if not statistics:
        return {}
    values = {
        "diameter": (statistics.get("diameter") or {}).get("mean")
        if statistics.get("unit") == "nm"
        else None,
        "order": statistics.get("order"),
        "porosity": statistics.get("porosity"),
    }
    return {name: float(value) for name, value in values.items() if value is not None}


def errors_of(statistics: Mapping[str, Any] | None) -> dict[str, float]:
    """Return the standard errors of what :func:`shown_of` returns, as far as they are known."""
    errors = (statistics or {}).get("standard_errors") or {}
    return {name: float(errors[name]) for name in NAMES if errors.get(name) is not None}


def worded(name: str, value: float | None) -> str:
    """Return a statistic as people read it.

    >>> worded("diameter", 611.7), worded("order", -0.001), worded("porosity", 0.124)
    ('612 nm', '0.00', '12 %')
    """
    return "–" if value is None else f"{bare(name, value)} {UNITS[name]}".rstrip()


def bare(name: str, value: float) -> str:
    """Return a statistic as people read it in a column whose heading has the unit."""
    return f"{in_unit(name, value):{'z.2f' if name == 'order' else 'z.0f'}}"


def in_unit(name: str, value: float) -> float:
    """Return a statistic, or a difference of two, in its unit for people, :data:`UNITS`."""
    return _PER_UNIT.get(name, 1.0) * value


def worded_range(name: str, lower: float, upper: float) -> str:
    """Return an interval as people read it, the unit once.

    >>> worded_range("diameter", 500.2, 700.0), worded_range("porosity", 0.081, 0.16)
    ('500 … 700 nm', '8 … 16 %')
    """
    return f"{bare(name, lower)} … {worded(name, upper)}"
