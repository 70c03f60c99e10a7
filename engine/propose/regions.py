"""What constraints and exclusions leave of a design space, region by region.

Exclusions cut the space into boxes (:mod:`engine.campaign.boxes`), linear constraints leave a
polytope of each (:mod:`engine.propose.polytope`). Without exclusions there is one region.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from engine.campaign.boxes import Box, TooManyCutsError, boxes_outside, share_of
from engine.campaign.choices import Value
from engine.propose.polytope import Polytope
from engine.propose.space import Space, places, values_at

Array = NDArray[np.float64]

_MOST_BOXES = 1024  # looked at, where exclusions leave more
_MOST_REGIONS = 64  # drawn from: each costs some milliseconds where there are constraints
_EVEN_SHARE = 0.5  # of what is drawn: the same of each region, the rest by size
_MOST_CORNERS = 256


class Region:
    """A box, and what constraints leave of it."""

    def __init__(self, space: Space, box: Box) -> None:
        self._space, self._box = space, box
        self.share = share_of(space.controlled, box)

    @cached_property
    def polytope(self) -> Polytope:
        """What constraints leave of the numeric parameters' spans."""
        controlled = self._space.controlled
        spans = {p.name: s for p, s in zip(controlled, self._box, strict=True) if p.is_numeric}
        parameters = [p for p in controlled if p.is_numeric]
        low = np.array([p.bounds[0] for p in parameters])
        span = np.array([p.bounds[1] - p.bounds[0] for p in parameters])
        # A constant is its low end, at place 0: of its range there is nothing to divide by.
        unit = np.where(span > 0, span, 1.0)
        rows, lower, upper = [], [], []
        for rule in self._space.campaign.parameter_constraints:
            factors = np.array([rule.terms.get(p.name, 0.0) for p in parameters])
            size = float(np.abs(factors * span).sum()) or 1.0
            rows.append(factors * span / size)
            bound = (rule.bound - float(factors @ low)) / size
            lower.append(-np.inf if rule.operator == "<=" else bound)
            upper.append(np.inf if rule.operator == ">=" else bound)
        limits = np.array([spans[p.name] for p in parameters], dtype=float).reshape(-1, 2)
        first, last = ((limits - low[:, None]) / unit[:, None]).T
        steps: list[int | Array | None] = []
        for parameter, start, width in zip(parameters, low, unit, strict=True):
            if parameter.choices is not None:
                steps.append((np.array(parameter.settable, dtype=float) - start) / width)
            else:
                steps.append(None if parameter.n_levels is None else parameter.n_levels - 1)
        A = np.array(rows).reshape(len(rows), len(parameters))
        return Polytope(A, np.array(lower), np.array(upper), first, last, tuple(steps))

    @property
    def _is_box(self) -> bool:
        return not self._space.campaign.parameter_constraints

    def holds_points(self) -> bool:
        """Whether constraints leave anything of the box, steps aside."""
        return self._is_box or self.polytope.is_possible()

    def points(self, n: int, rng: np.random.Generator, *, ends: float = 0.0) -> Array:
        """Return (n, c) settings all over the region, a share of them at its ends."""
        if not self._is_box:
            return self.placed(self.polytope.points(n, rng, ends=ends), rng)
        u = rng.random((n, len(self._box)))
        luck = rng.random(u.shape)
        u = np.where(luck < ends / 2, 0.0, np.where(luck < ends, 1.0, u))
        settings = np.empty_like(u)
        for i, (parameter, span) in enumerate(zip(self._space.controlled, self._box, strict=True)):
            if isinstance(span, frozenset):
                codes = np.array(sorted(span), dtype=float)
                settings[:, i] = codes[
                    np.minimum((u[:, i] * len(codes)).astype(int), len(codes) - 1)
                ]
                continue
            first, last = places(parameter, np.array(span))
            # Powers lose digits: what they give at an end may lie beyond it.
            values = np.clip(values_at(parameter, first + u[:, i] * (last - first)), *span)
            settings[:, i] = np.clip(self._space.snapped(i, values), *span)
        return settings

    def nearest(self, target: Array | None) -> Array | None:
        """Return the place (v,) of the setting nearest to ``target`` (v,), or of any.

        Raises:
            TimeoutError: none was regions in time, nor a proof that there is none.
        """
        if not self._is_box:
            return self.polytope.nearest(target)
        low, high = self.polytope.low, self.polytope.high
        return low if target is None else np.clip(target, low, high)

    def corners(self, rng: np.random.Generator) -> Array:
        """Return settings (k, c) in corners of the region."""
        if not self._is_box:
            return self.placed(self.polytope.vertices, rng)
        low, high = self.polytope.low, self.polytope.high
        wide = np.flatnonzero(high > low)
        n = 2 ** min(len(wide), 16)
        order = np.arange(n) if n <= _MOST_CORNERS else rng.permutation(n)[:_MOST_CORNERS]
        u = np.tile(low, (len(order), 1))
        for bit, place in enumerate(wide):
            # Beyond sixteen dimensions the bits come again.
            u[:, place] = np.where(order >> (bit % 16) & 1, high[place], low[place])
        return self.placed(u, rng)

    def placed(self, u: Array, rng: np.random.Generator) -> Array:
        """Return settings (n, c) of numeric places u (n, v); named choices are drawn."""
        settings, place = np.empty((len(u), len(self._space.controlled))), 0
        for i, parameter in enumerate(self._space.controlled):
            span = self._box[i]
            if isinstance(span, frozenset):
                codes = np.array(sorted(span), dtype=float)
                settings[:, i] = codes[rng.integers(len(codes), size=len(u))]
                continue
            low, high = parameter.bounds
            settings[:, i] = self._space.snapped(i, low + u[:, place] * (high - low))
            place += 1
        return settings


class Regions:
    """The regions of a space with some parameters held.

    ``is_all``: there are no others.
    """

    def __init__(self, space: Space, fixed: Mapping[str, Value]) -> None:
        self._space = space
        pinned = {name: space.code_of(name, value) for name, value in fixed.items()}
        regions: list[Region] = []
        self.is_all = True
        try:
            boxes = boxes_outside(
                space.controlled,
                space.campaign.exclusions,
                pinned,
                random.Random(0),  # noqa: S311 -- an order, no secret
            )
            regions = [Region(space, box) for box in islice(boxes, _MOST_BOXES)]
            self.is_all = next(boxes, None) is None
        except TooManyCutsError:
            self.is_all = False
        self.listed = tuple(regions)

    @cached_property
    def selected(self) -> tuple[Region, ...]:
        """Those to draw from: all, or so many by chance, the larger sooner."""
        possible = [region for region in self.listed if region.holds_points()]
        if len(possible) <= _MOST_REGIONS:
            return tuple(possible)
        # A region without any width is possible, too.
        shares = _shares_of(possible) + 1e-12
        places = np.random.default_rng(0).choice(
            len(possible), _MOST_REGIONS, replace=False, p=shares / shares.sum()
        )
        return tuple(possible[place] for place in sorted(places))


def draw(
    regions: Sequence[Region], n: int, rng: np.random.Generator, *, ends: float = 0.0
) -> Array:
    """Return (n, c) settings from all of ``regions``, by their size and by their number."""
    if len(regions) == 1:
        return regions[0].points(n, rng, ends=ends)
    weights = (1 - _EVEN_SHARE) * _shares_of(regions) + _EVEN_SHARE / len(regions)
    counts = rng.multinomial(n, weights / weights.sum())
    parts = [r.points(int(k), rng, ends=ends) for r, k in zip(regions, counts, strict=True) if k]
    return rng.permutation(np.concatenate(parts))


def _shares_of(regions: Sequence[Region]) -> Array:
    """Return (k,) shares that sum to one; where no region has any width, the same of each."""
    shares = np.array([region.share for region in regions])
    total = shares.sum()
    return shares / total if total > 0 else np.full(len(regions), 1.0 / len(regions))
