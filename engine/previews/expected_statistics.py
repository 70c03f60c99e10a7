"""What previews show, in numbers, and between which numbers a real micrograph should lie.

Notation
--------
=====  ==========================================================================  =======
x_i    a statistic of the i-th picture of a preview                                 (n,)
s      its standard deviation about the previews' own means, over all previews
ν      degrees of freedom of s: pictures − previews
=====  ==========================================================================  =======

The interval of one further picture is x̄ ± t_ν · s · √(1 + 1/n). Pictures of a preview differ as
lots and places of a mat do, so it says where the statistic of a micrograph of this run should lie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.statistics import glance

NAMES = ("diameter", "order", "porosity")
UNITS = {"diameter": "nm", "order": "", "porosity": ""}
# What cannot be lies outside; a symmetric interval would reach there.
_BOUNDS = {"diameter": (0.0, math.inf), "order": (-1.0, 1.0), "porosity": (0.0, 1.0)}


@dataclass(frozen=True)
class Interval:
    """Mean over a preview's pictures, and the interval of one further picture.

    ``lower`` and ``upper`` are ``None`` where a single picture says nothing of the spread.
    """

    mean: float
    lower: float | None
    upper: float | None

    def holds(self, value: float) -> bool | None:
        """Whether a measured value lies inside; ``None`` where there is no interval."""
        if self.lower is None or self.upper is None:
            return None
        return self.lower <= value <= self.upper


def measured(
    pictures: NDArray[np.uint8], nm_per_pixel: float, *, workers: int = 1
) -> list[dict[str, float | None]]:
    """Return the statistics of pictures (n, s, s): each name → its value, ``None`` if not found.

    ``workers``: threads; filters and matrix products of numpy and scipy run beside one another.
    """
    with ThreadPoolExecutor(workers) as pool:
        statistics = list(pool.map(lambda picture: glance(picture, nm_per_pixel), pictures))
    return [asdict(picture) for picture in statistics]


def intervals(
    previews: Sequence[Sequence[Mapping[str, float | None]]], level: float
) -> list[dict[str, Interval]]:
    """Return what to expect of each preview (its pictures' statistics), spreads pooled over all."""
    # Not `scipy.stats.t`: loading scipy.stats takes half as long as measuring all pictures.
    from scipy.special import stdtrit

    expected: list[dict[str, Interval]] = [{} for _ in previews]
    for name in NAMES:
        columns = [
            np.array([row[name] for row in rows if row.get(name) is not None], dtype=np.float64)
            for rows in previews
        ]
        # Pooled over the previews of a batch: four pictures alone tell a spread badly.
        squares = sum(float(((x - x.mean()) ** 2).sum()) for x in columns if x.size)
        freedom = sum(max(x.size - 1, 0) for x in columns)
        for place, x in enumerate(columns):
            if not x.size:
                continue
            mean = float(x.mean())
            if not freedom:
                expected[place][name] = Interval(mean, None, None)
                continue
            # Of one further picture: its own scatter, and that of the mean of these.
            spread = math.sqrt(squares / freedom * (1.0 + 1.0 / x.size))
            reach = float(stdtrit(freedom, 0.5 + 0.5 * level)) * spread
            low, high = _BOUNDS[name]
            expected[place][name] = Interval(mean, max(mean - reach, low), min(mean + reach, high))
    return expected


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


def worded(name: str, value: float | None) -> str:
    """Return a statistic as people read it.

    >>> worded("diameter", 611.7), worded("order", 0.314), worded("porosity", None)
    ('612 nm', '0.31', '–')
    """
    if value is None:
        return "–"
    return f"{value:.0f} nm" if name == "diameter" else f"{value:.2f}"
