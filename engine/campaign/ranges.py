"""Which values a model has to tell apart: what is searched, and what was run outside of it.

=========  ==============================================================================
bounds     what is searched today
reach      bounds and data together: ``low … high`` of it become 0 … 1
=========  ==============================================================================

Bounds are narrowed after runs, and tables are imported from outside of them; these runs teach, so
the scale is that of both. A value that stands alone stretches nothing (a slip of the comma would
push all others together): it keeps its place far outside. Where all else is one value, though, even
a single other one is told apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.campaign.choices import Value, one_of
from engine.campaign.definition import Campaign
from engine.campaign.parameters import Parameter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_LEAST_RUNS = 2
_LEAST_SHARE = 0.05
"""On either side, so many runs must lie as far out as the reach goes."""


_NOTHING = 1e-15
"""Of the lowest value searched, on a scale of ratios."""


@dataclass(frozen=True)
class Reach:
    """What a model tells apart of one parameter.

    ``low``, ``high``: of numbers, in the parameter's unit. ``codes``: of named choices, the places
    in ``choices`` of those that can be had or were run.
    """

    parameter: Parameter
    low: float = 0.0
    high: float = 0.0
    codes: tuple[int, ...] = ()

    @property
    def n_columns(self) -> int:
        """How many inputs a model has of it: none where there is nothing to tell apart."""
        if self.parameter.is_categorical:
            return len(self.codes) if len(self.codes) > 1 else 0
        return int(self.low < self.high)

    def places(self, values: Array) -> Array:
        """Return where numbers lie in the reach, 0 … 1 (beyond it: outside), on its scale.

        Where the reach is one value there is one place, the middle.
        """
        # Imported where used: logging a run asks for the words of a range only.
        import numpy as np

        low, high = self.low, self.high
        if low == high:
            return np.full(values.shape, 0.5)
        if self.parameter.scale == "linear":
            return np.asarray((values - low) / (high - low))
        # Nothing has no logarithm: a run without any salt lies a range below the lowest.
        logs: Array = np.log(np.maximum(values, low * (low / high)) / low)
        return np.asarray(logs / np.log(high / low))


def outside_text(parameter: Parameter, value: Value) -> str | None:
    """Say in which way a value is outside of what is searched, or ``None`` if it is not.

    >>> outside_text(Parameter(name="voltage", unit="kV", low=10, high=20), 25.0)
    'lies outside the range searched, 10 … 20'
    """
    if parameter.is_inside(value):
        return None
    if value in parameter.retired or isinstance(value, str):
        return "is retired, it can no longer be had"
    low, high = parameter.bounds
    if low < value < high:
        return f"is not {one_of(parameter.settable)}, the choices searched"
    if low == high:
        return f"is not {low:g}, the only value searched"
    return f"lies outside the range searched, {low:g} … {high:g}"


def reaches_of(campaign: Campaign, runs: Iterable[Mapping[str, Value]] = ()) -> dict[str, Reach]:
    """Return the reach of each parameter, given the conditions of all ``runs``.

    >>> from engine.campaign import Campaign
    >>> campaign = Campaign(
    ...     name="toy",
    ...     parameters=[{"name": "voltage", "unit": "kV", "low": 14, "high": 16}],
    ...     properties=[{"name": "strength"}],
    ...     objectives=[{"outcome": "strength", "threshold": 0}],
    ... )
    >>> reach = reaches_of(campaign, [{"voltage": v} for v in (10.0, 12.0, 15.0, 180.0)])["voltage"]
    >>> reach.low, reach.high
    (12.0, 16.0)
    """
    rows = list(runs)
    return {
        p.name: _reach(p, [r[p.name] for r in rows if p.name in r]) for p in campaign.parameters
    }


def _reach(parameter: Parameter, values: Sequence[Value]) -> Reach:
    if parameter.is_categorical:
        to_tell = {*parameter.settable, *values}
        codes = [i for i, choice in enumerate(parameter.choices or ()) if choice in to_tell]
        return Reach(parameter, codes=tuple(codes))
    low, high = parameter.bounds
    numbers = [float(value) for value in values if not isinstance(value, str)]
    outside = [value for value in numbers if not parameter.is_inside(value)]
    # What is nothing, or as good as it, has no logarithm, and stretches none.
    floor = _NOTHING * low if parameter.scale == "log" else -math.inf
    lower_values = sorted(value for value in outside if floor < value < low)
    upper_values = sorted((value for value in outside if value > high), reverse=True)
    # So many runs lie at the reach or beyond it.
    nth = max(_LEAST_RUNS, math.ceil(_LEAST_SHARE * len(numbers))) - 1
    start, end = low, high
    if len(lower_values) > nth:
        start = lower_values[nth]
    if len(upper_values) > nth:
        end = upper_values[nth]
    if start == end:
        decade = [low / 10] if any(value <= floor for value in outside) else []
        start, end = min([low, *decade, *lower_values]), max([high, *upper_values])
    return Reach(parameter, start, end)
