"""Settings all over the space: evenly, at ends, in corners, and where rules leave little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from engine.campaign import Parameter, Value
from engine.errors import UsageError
from engine.propose.neighbours import neighbours
from engine.propose.polytope import Polytope, contradiction
from engine.propose.space import Space, values_at

Array = NDArray[np.float64]

_ROUNDS_OF_SAMPLING = 40  # constraints may reject most rows of a round
_PATIENCE = 8  # one in so many of what is wanted must come of a round, or another way is taken
_ROUNDS_IN_POLYTOPE = 6
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
        self._polytopes: dict[tuple[tuple[str, float], ...], Polytope] = {}

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
                self._refuse(fixed)
            return np.random.default_rng(seed).permutation(whole_grid)
        sequence = qmc.Sobol(len(self._controlled), scramble=True, rng=np.random.default_rng(seed))
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
            if self._campaign.parameter_constraints and len(distinct) * _PATIENCE < n * turn:
                break
        if whole_grid is not None and len(distinct) < n:
            distinct = self._space.new_among(
                np.concatenate([distinct, rng.permutation(whole_grid)]), ()
            )
        elif len(distinct) < n:
            distinct = self._ruled(distinct, n, rng, fixed, ends)
        if not len(distinct):
            self._refuse(fixed)
        return distinct[:n]

    def _with_more(self, distinct: Array, settings: Array, fixed: Mapping[str, Value]) -> Array:
        """Add those of ``settings`` that can be set once equalities are solved for."""
        settings = self._space.repair(self._space.hold(settings, fixed), fixed)
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
        if not self._campaign.parameter_constraints:
            return distinct
        polytope = self._polytope(fixed)
        if not len(distinct) and self._nearest(polytope, None, rng, fixed) is None:
            self._refuse(fixed)
        for _ in range(_ROUNDS_IN_POLYTOPE):
            u = polytope.points(2 * n, rng, ends=ends)
            before = len(distinct)
            distinct = self._with_more(distinct, self._from_places(u, rng), fixed)
            if len(distinct) >= n:
                return distinct
            if len(distinct) - before < n // _PATIENCE:
                break
        # Several equalities on a grid: the nearest settings to some points, then their neighbours.
        for target in polytope.points(_PROGRAMS, rng):
            row = self._nearest(polytope, target, rng, fixed)
            if row is not None:
                distinct = self._space.new_among(np.concatenate([distinct, row[None]]), ())
        n_walked = 0
        while len(distinct) < n and n_walked < len(distinct):
            near = neighbours(self._space, distinct[n_walked : n_walked + _PROGRAMS], fixed)
            n_walked += _PROGRAMS
            distinct = self._space.new_among(np.concatenate([distinct, rng.permutation(near)]), ())
        return distinct

    def corners(self, fixed: Mapping[str, Value] | None = None) -> Array:
        """Return settings (k, c) in corners of what the rules leave, as far as there are any."""
        fixed, rng = fixed or {}, np.random.default_rng(0)
        distinct = np.empty((0, len(self._controlled)))
        return self._with_more(
            distinct, self._from_places(self._polytope(fixed).vertices, rng), fixed
        )

    def _polytope(self, fixed: Mapping[str, Value]) -> Polytope:
        """Return what the rules leave of the numeric parameters' ranges."""
        pinned = tuple(
            sorted((name, self._space.code_of(name, value)) for name, value in fixed.items())
        )
        if pinned not in self._polytopes:
            self._polytopes[pinned] = self._make_polytope(dict(pinned))
        return self._polytopes[pinned]

    def _make_polytope(self, pinned: Mapping[str, float]) -> Polytope:
        parameters = [p for p in self._controlled if p.is_numeric]
        low = np.array([p.bounds[0] for p in parameters])
        span = np.array([p.bounds[1] - p.bounds[0] for p in parameters])
        rows, lower, upper = [], [], []
        for rule in self._campaign.parameter_constraints:
            factors = np.array([rule.terms.get(p.name, 0.0) for p in parameters])
            size = float(np.abs(factors * span).sum()) or 1.0
            rows.append(factors * span / size)
            bound = (rule.bound - float(factors @ low)) / size
            lower.append(-np.inf if rule.operator == "<=" else bound)
            upper.append(np.inf if rule.operator == ">=" else bound)
        first, last = np.zeros(len(parameters)), np.ones(len(parameters))
        for place, parameter in enumerate(parameters):
            if parameter.name in pinned:
                first[place] = last[place] = (pinned[parameter.name] - low[place]) / span[place]
        steps: list[int | Array | None] = []
        for parameter, start, width in zip(parameters, low, span, strict=True):
            if parameter.choices is not None:
                steps.append((np.array(parameter.choices, dtype=float) - start) / width)
            else:
                steps.append(None if parameter.n_levels is None else parameter.n_levels - 1)
        return Polytope(np.array(rows), np.array(lower), np.array(upper), first, last, tuple(steps))

    def _from_places(self, u: Array, rng: np.random.Generator) -> Array:
        """Return settings (n, c) of numeric places u (n, v); named choices are drawn."""
        settings, place = np.empty((len(u), len(self._controlled))), 0
        for i, parameter in enumerate(self._controlled):
            if parameter.is_categorical:
                settings[:, i] = rng.integers(len(parameter.choices or ()), size=len(u))
                continue
            low, high = parameter.bounds
            settings[:, i] = self._space.snapped(i, low + u[:, place] * (high - low))
            place += 1
        return settings

    def _nearest(
        self,
        polytope: Polytope,
        target: Array | None,
        rng: np.random.Generator,
        fixed: Mapping[str, Value],
    ) -> Array | None:
        """Return the setting (c,) nearest to ``target`` (v,), or any; ``None`` if there is none."""
        try:
            u = polytope.nearest(target)
        except TimeoutError:
            return None
        if u is None:
            return None
        row = self._space.repair(self._space.hold(self._from_places(u[None], rng), fixed), fixed)
        return row[0] if self._space.is_feasible(row)[0] else None

    def _refuse(self, fixed: Mapping[str, Value]) -> NoReturn:
        rules = [str(rule) for rule in self._campaign.parameter_constraints]
        numeric = [p for p in self._controlled if p.is_numeric]
        pinned = [place for place, p in enumerate(numeric) if p.name in fixed]
        assignments = [_assignment(*pair) for pair in fixed.items()]
        begin = "no setting satisfies the bounds, the steps and the parameter constraints together"
        try:
            polytope = self._polytope(fixed)
            if rules and polytope.nearest() is None:
                rows, places = contradiction(polytope, pinned)
                assignments = [_assignment(numeric[i].name, fixed[numeric[i].name]) for i in places]
                begin += ", and none can"
                rules = [rules[row] for row in rows]
        except TimeoutError:
            begin = begin.replace("no setting satisfies", "no setting was found that satisfies")
        ranges = ", ".join(
            f"{p.name} {_range_of(p)}"
            for p in numeric
            if any(
                p.name in r.terms and str(r) in rules for r in self._campaign.parameter_constraints
            )
        )
        raise UsageError(
            f"{begin} (constraints: {', '.join(rules) or 'none'}; fixed: "
            f"{', '.join(assignments) or 'none'}; ranges: {ranges or 'all'}). "
            "Widen or drop one of them."
        )

    def _from_unit(self, u: Array) -> Array:
        columns = []
        for i, parameter in enumerate(self._controlled):
            if parameter.n_levels is None:
                columns.append(values_at(parameter, u[:, i]))
            elif parameter.scale == "log" and parameter.choices is None:
                columns.append(self._space.snapped(i, values_at(parameter, u[:, i])))
            else:
                last = parameter.n_levels - 1
                index = np.minimum((u[:, i] * (last + 1)).astype(np.int64), last)
                columns.append(self._space.at_level(i, index))
        return np.stack(columns, axis=1)


def _assignment(name: str, value: Value) -> str:
    return f"{name}={value}" if isinstance(value, str) else f"{name}={value:g}"


def _range_of(parameter: Parameter) -> str:
    low, high = parameter.bounds
    step = f" in steps of {parameter.step:g}" if parameter.step is not None else ""
    return f"{low:g} … {high:g}{step}"
