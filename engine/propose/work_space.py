r"""Work space: where the surrogate lives and improvements are weighed.

It is the logarithm of an outcome whose property has ``scale = "log"``, the outcome in a unit of its
own otherwise: a power of two near what the runs are spread over. So a campaign in metres and one in
nanometres are the same search: dividing by a power of two rounds nothing, no square overflows, and
whatever the search calls small is small beside the results. A 0 has no logarithm; it stands as half
of the smallest number above 0 that was measured or is asked for, as results below a detection limit
commonly do.

======  =======================================================================================
``y``   values in the outcome's unit
``w``   work space: ln max(y, floor), or y / unit
======  =======================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, Objective
from engine.campaign.history import Run

Array = NDArray[np.float64]

_MOST_LOG = 709.0
"""No double holds the exponential of more."""
_LARGEST = float(np.finfo(np.float64).max)
_NO_LOGARITHM = -1e3
"""Where a bound of 0 or less on a logarithm lies: below every number there is."""
_FARTHEST = 1e6
"""Units from the results beyond which a bound is no farther: differences would be lost."""


@dataclass(frozen=True)
class WorkSpace:
    """Takes outcomes to work space and back; see the module.

    ``units``: of linear outcomes, 1 where not named; ``floors``: of logarithmic ones with zeros;
    ``ends``: least and largest value of linear outcomes, in their units.

    >>> campaign = Campaign(
    ...     name="toy",
    ...     parameters=[{"name": "x", "low": 0, "high": 1}],
    ...     properties=[{"name": "y"}, {"name": "z", "scale": "log", "minimum": 0}],
    ...     objectives=[{"outcome": "y", "threshold": 0}],
    ... )
    >>> runs = [Run({"x": 0}, {"y": (0.0,), "z": (0.0,)}), Run({"x": 1}, {"y": (6e9,), "z": (8,)})]
    >>> work = WorkSpace.from_runs(campaign, runs)
    >>> work.units["y"] == 2**32, work.floors
    (True, {'z': 4.0})
    """

    campaign: Campaign
    units: Mapping[str, float] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)
    ends: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def from_runs(cls, campaign: Campaign, runs: Sequence[Run]) -> WorkSpace:
        """Return the work space of a campaign with these finished runs."""
        units, floors, ends = {}, {}, {}
        for outcome in campaign.outcomes:
            values = [v for run in runs for v in run.outcomes.get(outcome, ())]
            if not values:
                continue
            if campaign.property_of(outcome).scale != "log":
                units[outcome] = unit = unit_near(values)
                ends[outcome] = min(values) / unit, max(values) / unit
            elif min(values) <= 0:
                positive = [v for v in (*values, *_edges(campaign, outcome)) if v > 0]
                floors[outcome] = min(positive) / 2 if positive else 1.0
        return cls(campaign, units, floors, ends)

    @property
    def unscaled(self) -> WorkSpace:
        """The same in the outcomes' own units, for what compares models of different runs."""
        return WorkSpace(self.campaign, {}, self.floors)

    def is_log(self, outcome: str) -> bool:
        """Whether it is the logarithm that is learnt."""
        return self.campaign.property_of(outcome).scale == "log"

    def unit(self, outcome: str) -> float:
        """Return what a linear outcome is divided by; 1 for a logarithm."""
        return self.units.get(outcome, 1.0)

    def transform(self, outcome: str, values: Array) -> Array:
        """Take values in the outcome's unit to work space; NaN stays."""
        if not self.is_log(outcome):
            return np.asarray(values / self.unit(outcome))
        floor = self.floors.get(outcome)
        return np.log(values if floor is None else np.maximum(values, floor))

    def untransform(self, outcome: str, values: Array) -> Array:
        """Take work-space values back to the outcome's unit; nothing becomes infinite."""
        if self.is_log(outcome):
            return np.exp(np.minimum(values, _MOST_LOG))
        unit = self.unit(outcome)
        limit = _LARGEST / max(unit, 1.0)
        return np.asarray(np.clip(values, -limit, limit) * unit)

    def bound(self, outcome: str, bound: float) -> float:
        """Take a bound on an outcome to work space; one that no logarithm reaches becomes −1000.

        One that lies a million times the runs' spread away from them comes that near.
        """
        if self.is_log(outcome):
            return _NO_LOGARITHM if bound <= 0 else math.log(bound)
        unit = self.unit(outcome)
        least, largest = self.ends.get(outcome, (-np.inf, np.inf))
        return min(max(_divided(bound, unit), least - _FARTHEST), largest + _FARTHEST)

    def gains(self, objective: Objective, values: Array) -> Array:
        """Return the gains in work space of an objective's values in its unit."""
        if objective.target is not None and objective.tolerance is not None:
            distances: Array = objective.gains(values) / objective.tolerance
            return distances
        return objective.gains(self.transform(objective.outcome, values))

    def reference(self, objective: Objective) -> float:
        """Return the gain in work space from which on an objective counts."""
        if objective.threshold is None:
            return -1.0
        return float(objective.gains(self.bound(objective.outcome, objective.threshold)))

    def notes(self) -> list[str]:
        """Say what stands for zeros."""
        return [
            f"{self.campaign.heading(outcome)} is learnt as a logarithm, and 0 has none: results "
            f"of 0 stand as {floor:.3g} in the model, half of the smallest number above 0."
            for outcome, floor in self.floors.items()
        ]


def _divided(value: float, unit: float) -> float:
    """Return value / unit, the largest number there is instead of infinity."""
    is_beyond = unit < 1 and abs(value) > unit * _LARGEST
    return math.copysign(_LARGEST, value) if is_beyond else value / unit


def unit_near(values: Sequence[float]) -> float:
    """Return a power of two near what ``values`` are spread over; 1 where they are one value.

    >>> unit_near([1e-12, 3e-12]) == 2.0**-39, unit_near([7.0, 7.0])
    (True, 1.0)
    """
    # Halves: the difference of the largest numbers there are is none.
    spread = max(values) / 2 - min(values) / 2
    return math.ldexp(1.0, min(math.frexp(spread)[1], 1023)) if spread > 0 else 1.0


def _edges(campaign: Campaign, outcome: str) -> list[float]:
    """Return the numbers that thresholds, tolerances and constraints ask of an outcome."""
    edges = [e for o in campaign.objectives if o.outcome == outcome for e in o.edges]
    for constraint in campaign.constraints:
        edges += [constraint.bound / f for name, f in constraint.terms.items() if name == outcome]
    return edges
