"""The true front of a lab that knows its truth. For scores only: no strategy sees any of it.

Every setting of the instrument is tried where there are few enough of them; otherwise a Sobol set,
then again and again the neighbours of its front. Both are deterministic.

Notation: ``settings`` (n, c) as in :class:`engine.propose.space.Space`; ``values`` (n, m), the true
outcomes of the m objectives in their units, NaN where an outcome constraint is broken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, Value
from engine.campaign.front import gains_of, hypervolume
from engine.lab.protocol import KnownLab, Lab, reference_ambient

if TYPE_CHECKING:
    from engine.propose.space import Space

Array = NDArray[np.float64]

MAX_GRID, MAX_GRID_ONE_BY_ONE = 200_000, 4_000
SOBOL, SOBOL_ONE_BY_ONE = 2**14, 2**10
N_SEED = 0
MAX_CLIMBS = 12
MAX_CLIMBERS = 256


@dataclass(frozen=True)
class Truth:
    """What a lab's settings are really worth for a campaign, in the lab's reference room."""

    lab: KnownLab
    campaign: Campaign
    ambient: Mapping[str, float]

    @classmethod
    def from_lab(cls, lab: Lab, campaign: Campaign) -> Truth | None:
        """Return the truth of ``lab``, or ``None`` where it knows none."""
        if not isinstance(lab, KnownLab):
            return None
        return cls(lab, campaign, reference_ambient(lab))

    def values(self, conditions: Sequence[Mapping[str, Value]]) -> Array:
        """Return the true objectives of controlled conditions, (n, m)."""
        return self._values(self._space.settings_of(conditions))

    @cached_property
    def front(self) -> tuple[list[dict[str, Value]], Array]:
        """The conditions of the true front and their objectives, (front, m)."""
        settings, values = self._front
        return self._space.conditions_of(settings), values

    @cached_property
    def hypervolume(self) -> float:
        """The hypervolume of the true front beyond the thresholds."""
        return hypervolume(self._front[1], self.campaign.objectives)

    def quantile(self, outcome: str, level: float) -> float:
        """Return a quantile of an outcome over the design, in the reference room."""
        from engine.propose.sampling import Sampler

        settings = Sampler(self._space).sample(1024, N_SEED)
        return float(np.quantile(self._outcomes(settings)[outcome], level))

    @cached_property
    def _space(self) -> Space:
        from engine.propose.space import Space

        return Space(self.campaign)

    @cached_property
    def _front(self) -> tuple[Array, Array]:
        from engine.propose.sampling import Sampler

        grid = self._grid()
        # The grid holds the front itself; a sample only leads up to it.
        if grid is not None:
            return self._best(grid, self._values(grid))
        n = SOBOL if self._is_fast else SOBOL_ONE_BY_ONE
        settings = Sampler(self._space).sample(n, N_SEED)
        return self._climbed(*self._best(settings, self._values(settings)))

    @property
    def _is_fast(self) -> bool:
        return hasattr(self.lab, "truth_columns")

    def _grid(self) -> Array | None:
        """Return every setting, or ``None`` where they are too many or continuous."""
        sizes = [
            np.arange(len(p.levels)) if p.is_categorical else np.array(p.levels, dtype=np.float64)
            for p in self.campaign.controlled
            if p.levels is not None
        ]
        limit = MAX_GRID if self._is_fast else MAX_GRID_ONE_BY_ONE
        if len(sizes) < len(self.campaign.controlled) or math.prod(map(len, sizes)) > limit:
            return None
        columns = np.meshgrid(*sizes, indexing="ij")
        grid: Array = np.stack([c.ravel() for c in columns], axis=1, dtype=np.float64)
        return grid[self._space.is_feasible(grid)]

    def _climbed(self, settings: Array, values: Array) -> tuple[Array, Array]:
        """Follow the neighbours of the front until it wins no more."""
        from engine.propose.neighbours import neighbours

        visited = {self._space.key(row) for row in settings}
        for _ in range(MAX_CLIMBS):
            stride = max(1, len(settings) // MAX_CLIMBERS)
            near = {
                self._space.key(row): row
                for setting in settings[::stride]
                for row in neighbours(self._space, setting)
            }
            new = [row for key, row in near.items() if key not in visited]
            visited.update(near)
            if not new:
                break
            extra = np.stack(new)
            settings, values = self._best(
                np.concatenate([settings, extra]), np.concatenate([values, self._values(extra)])
            )
        return settings, values

    def _best(self, settings: Array, values: Array) -> tuple[Array, Array]:
        """Return the rows that no other row dominates."""
        import moocore

        rows = np.flatnonzero(np.isfinite(values).all(axis=1))
        if rows.size:
            gains = gains_of(values[rows], self.campaign.objectives)
            rows = rows[moocore.is_nondominated(-gains)]
        return settings[rows], values[rows]

    def _values(self, settings: Array) -> Array:
        outcomes = self._outcomes(settings)
        values = np.stack([outcomes[o.outcome] for o in self.campaign.objectives], axis=1)
        for constraint in self.campaign.constraints:
            ((name, factor),) = constraint.terms.items()
            over = factor * outcomes[name] - constraint.bound
            broken = over > 0 if constraint.operator == "<=" else over < 0
            values = np.where(broken[:, None], np.nan, values)
        return values

    def _outcomes(self, settings: Array) -> dict[str, Array]:
        conditions = self._space.conditions_of(settings)
        if self._is_fast:
            columns: dict[str, Any] = {
                p.name: np.array([c[p.name] for c in conditions]) for p in self.campaign.controlled
            }
            columns |= {name: np.full(len(conditions), v) for name, v in self.ambient.items()}
            outcomes = self.lab.truth_columns(columns)  # type: ignore[attr-defined]
            return {name: np.asarray(values, dtype=np.float64) for name, values in outcomes.items()}
        rows = [self.lab.truth(setting, self.ambient) for setting in conditions]
        return {name: np.array([row[name] for row in rows]) for name in self.campaign.outcomes}
