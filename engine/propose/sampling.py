"""Settings all over the space: evenly, at ends, in corners, and where rules leave little."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from engine.campaign import Value
from engine.propose.emptiness import refuse
from engine.propose.neighbours import neighbours
from engine.propose.regions import Region, Regions, draw
from engine.propose.space import Space, values_at

Array = NDArray[np.float64]

_ROUNDS_OF_SAMPLING = 40  # constraints may reject most rows of a round
_PATIENCE = 8  # one in so many of what is wanted must come of a round, or another way is taken
_ROUNDS_IN_REGIONS = 6
_PROGRAMS = 16  # settings that integer programs are solved for, some milliseconds each


class Sampler:
    """Draws settings of one space; what the rules leave of its ranges is worked out once.

    >>> from engine.lab.virtual import nanofibre_campaign
    >>> space = Space(nanofibre_campaign())
    >>> settings = Sampler(space).sample(3, seed=0, fixed={"voltage": 18.0})
    >>> settings.shape, bool(space.is_feasible(settings).all())
    ((3, 4), True)
    >>> [row["voltage"] for row in space.conditions_of(settings)]
    [18.0, 18.0, 18.0]
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._campaign, self._controlled = space.campaign, space.controlled
        self._regions_of: dict[tuple[tuple[str, float], ...], Regions] = {}

    def sample(
        self, n: int, seed: int, fixed: Mapping[str, Value] | None = None, *, ends: float = 0.0
    ) -> Array:
        """Return up to ``n`` distinct feasible settings, from a scrambled Sobol sequence.

        Fewer come back only where the space has no more. ``ends`` is the share of values that are
        put at an end of their range.

        Raises:
            UsageError: no setting satisfies the constraints.
        """
        fixed = fixed or {}
        whole_grid = self._space.every_setting(fixed)
        if whole_grid is not None and len(whole_grid) <= n:
            if not len(whole_grid):
                refuse(self._space, fixed)
            return np.random.default_rng(seed).permutation(whole_grid)
        sequence = qmc.Sobol(len(self._space.free), scramble=True, rng=np.random.default_rng(seed))
        rng = np.random.default_rng([seed, 1])
        distinct = np.empty((0, len(self._controlled)))
        for turn in range(1, _ROUNDS_OF_SAMPLING + 1 if whole_grid is None else 2):
            # Powers of two: scipy warns, and balance is lost, at any other number of Sobol points.
            u = sequence.random(1 << max(4, (n - 1).bit_length()))
            if ends:
                luck = rng.random(u.shape)
                u = np.where(luck < ends / 2, 0.0, np.where(luck < ends, 1.0, u))
            distinct = self._with_more(distinct, self._from_unit(u), fixed)
            if len(distinct) >= n:
                break
            if self._space.is_ruled and len(distinct) * _PATIENCE < n * turn:
                break
        if whole_grid is not None and len(distinct) < n:
            distinct = self._space.new_among(
                np.concatenate([distinct, rng.permutation(whole_grid)]), ()
            )
        elif len(distinct) < n:
            distinct = self._ruled(distinct, n, rng, fixed, ends)
        if not len(distinct):
            refuse(self._space, fixed)
        return distinct[:n]

    def _with_more(self, distinct: Array, settings: Array, fixed: Mapping[str, Value]) -> Array:
        """Add those of ``settings`` that can be set once equalities are solved for."""
        settings = self._space.repair(self._space.hold(settings, fixed), fixed)
        settings = self._space.canonical(settings)
        good = settings[self._space.is_feasible(settings)]
        return self._space.new_among(np.concatenate([distinct, good]), ())

    # -- where rules leave little of the ranges ---------------------------------------------------

    def _ruled(
        self,
        distinct: Array,
        n: int,
        rng: np.random.Generator,
        fixed: Mapping[str, Value],
        ends: float,
    ) -> Array:
        """Add settings from what the rules leave, until ``n`` or all that are within reach."""
        if not self._space.is_ruled:
            return distinct
        regions = self._regions(fixed)
        first = None if len(distinct) else self._any_setting(regions, rng, fixed)
        if not len(distinct) and first is None:
            refuse(self._space, fixed)
        selected = regions.selected
        for _ in range(_ROUNDS_IN_REGIONS):
            rows = draw(selected, 2 * n, rng, ends=ends)
            before = len(distinct)
            distinct = self._with_more(distinct, rows, fixed)
            if len(distinct) >= n:
                return distinct
            if len(distinct) - before < n // _PATIENCE:
                break
        # Several equalities on a grid: the nearest settings to some points, then their neighbours.
        for region in selected[:_PROGRAMS] if self._campaign.parameter_constraints else ():
            for target in region.polytope.points(-(-_PROGRAMS // len(selected)), rng):
                row = self._nearest(region, target, rng, fixed)
                if row is not None:
                    distinct = self._space.new_among(np.concatenate([distinct, row[None]]), ())
        n_walked = 0
        while len(distinct) < n and n_walked < len(distinct):
            near = neighbours(self._space, distinct[n_walked : n_walked + _PROGRAMS], fixed)
            n_walked += _PROGRAMS
            distinct = self._space.new_among(np.concatenate([distinct, rng.permutation(near)]), ())
        return distinct if len(distinct) or first is None else first[None]

    def corners(self, fixed: Mapping[str, Value] | None = None) -> Array:
        """Return settings (k, c) in corners of what the rules leave, as far as there are any."""
        fixed, rng = fixed or {}, np.random.default_rng(0)
        distinct = np.empty((0, len(self._controlled)))
        parts = [region.corners(rng) for region in self._regions(fixed).selected]
        if len(parts) > 1:
            # One corner of each region after the other: whoever takes the first has some of all.
            order = np.concatenate([rng.permutation(len(part)) for part in parts])
            rows = np.concatenate(parts)[np.argsort(order, kind="stable")]
        else:
            rows = np.concatenate([distinct, *parts])
        return self._with_more(distinct, rows, fixed)

    def _regions(self, fixed: Mapping[str, Value]) -> Regions:
        """Return what constraints and exclusions leave."""
        pinned = tuple(
            sorted((name, self._space.code_of(name, value)) for name, value in fixed.items())
        )
        if pinned not in self._regions_of:
            self._regions_of[pinned] = Regions(self._space, fixed)
        return self._regions_of[pinned]

    def _any_setting(
        self, regions: Regions, rng: np.random.Generator, fixed: Mapping[str, Value]
    ) -> Array | None:
        """Return a setting (c,); ``None``: no region seems to hold one."""
        for region in regions.listed:
            row = self._nearest(region, None, rng, fixed)
            if row is not None:
                return row
        return None

    def _nearest(
        self,
        region: Region,
        target: Array | None,
        rng: np.random.Generator,
        fixed: Mapping[str, Value],
    ) -> Array | None:
        """Return the setting (c,) nearest to ``target`` (v,), or any; ``None`` if there is none."""
        try:
            u = region.nearest(target)
        except TimeoutError:
            return None
        if u is None:
            return None
        row = self._space.repair(self._space.hold(region.placed(u[None], rng), fixed), fixed)
        row = self._space.canonical(row)
        return row[0] if self._space.is_feasible(row)[0] else None

    def _from_unit(self, u: Array) -> Array:
        columns = []
        place_of = {i: place for place, i in enumerate(self._space.free)}
        for i, parameter in enumerate(self._controlled):
            if i not in place_of:
                columns.append(self._space.at_level(i, np.zeros(len(u), dtype=np.int64)))
                continue
            share = u[:, place_of[i]]
            if parameter.n_levels is None:
                columns.append(values_at(parameter, share))
            elif parameter.scale == "log" and parameter.choices is None:
                columns.append(self._space.snapped(i, values_at(parameter, share)))
            else:
                last = parameter.n_levels - 1
                index = np.minimum((share * (last + 1)).astype(np.int64), last)
                columns.append(self._space.at_level(i, index))
        return np.stack(columns, axis=1)
