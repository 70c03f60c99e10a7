"""The campaign's design space: conditions ⇄ unit cube, settings the machine has, their neighbours.

Notation
--------
==========  =====================================================================  ============
symbol      meaning                                                                shape
==========  =====================================================================  ============
settings    controlled parameters in their units; a choice is its index            (n, c)
ambient     ambient parameters in their units                                      (n, a)
X           all parameters in the unit cube; a named choice is one-hot             (n, d)
==========  =====================================================================  ============
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from engine.campaign import Campaign, LinearConstraint, Parameter, Value
from engine.campaign.history import Run
from engine.errors import UsageError
from engine.propose.polytope import Polytope, contradiction

Array = NDArray[np.float64]

SMALL_GRID = 5_000
"""A grid of so many settings at most is looked at whole."""

_ROUNDS_OF_SAMPLING = 40  # constraints may reject most rows of a round
_PATIENCE = 8  # one in so many of what is wanted must come of a round, or another way is taken
_ROUNDS_IN_POLYTOPE = 6
_PROGRAMS = 16  # settings that integer programs are solved for, some milliseconds each


class Space:
    """Everything geometric about a campaign. Stateless but for the definition.

    >>> from engine.lab.virtual import nanofibre_campaign
    >>> space = Space(nanofibre_campaign())
    >>> settings = space.sample(3, seed=0, fixed={"voltage": 18.0})
    >>> settings.shape, bool(space.is_feasible(settings).all())
    ((3, 4), True)
    >>> [row["voltage"] for row in space.conditions_of(settings)]
    [18.0, 18.0, 18.0]
    """

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.controlled = campaign.controlled
        self.ambient = campaign.ambient
        self._names = [p.name for p in self.controlled]
        self._polytopes: dict[tuple[tuple[str, float], ...], Polytope] = {}
        self.labels: tuple[str, ...] = tuple(
            f"{p.name}={choice}" if p.is_categorical else p.name
            for p in (*self.controlled, *self.ambient)
            for choice in (p.choices if p.is_categorical and p.choices else (None,))
        )

    @property
    def d(self) -> int:
        """Columns of X."""
        return len(self.labels)

    @property
    def choices(self) -> tuple[tuple[int, ...], ...]:
        """Columns of X that are one-hot together, for each parameter of named choices."""
        columns: list[tuple[int, ...]] = []
        first = 0
        for parameter in (*self.controlled, *self.ambient):
            width = len(parameter.choices or ()) if parameter.is_categorical else 1
            if parameter.is_categorical:
                columns.append(tuple(range(first, first + width)))
            first += width
        return tuple(columns)

    def place_of(self, name: str) -> int:
        """Return the column of a controlled parameter in ``settings``."""
        return self._names.index(name)

    def code_of(self, name: str, value: Value) -> float:
        """Return how ``settings`` writes a value of a controlled parameter."""
        return self._code(self.controlled[self.place_of(name)], value)

    # -- conditions ⇄ settings -----------------------------------------------------------------

    def settings_of(self, conditions: Sequence[Mapping[str, Value]]) -> Array:
        """Return (n, c) settings of conditions that hold every controlled parameter."""
        return np.array(
            [[self._code(p, c[p.name]) for p in self.controlled] for c in conditions], dtype=float
        ).reshape(len(conditions), len(self.controlled))

    def conditions_of(self, settings: Array) -> list[dict[str, Value]]:
        """Return the controlled conditions of (n, c) settings."""
        return [
            {p.name: self._value(p, x) for p, x in zip(self.controlled, row, strict=True)}
            for row in settings
        ]

    def ambient_of(self, conditions: Sequence[Mapping[str, Value]]) -> Array:
        """Return (n, a) ambient values; NaN where a run has none."""
        return np.array(
            [
                [self._code(p, c[p.name]) if p.name in c else np.nan for p in self.ambient]
                for c in conditions
            ],
            dtype=float,
        ).reshape(len(conditions), len(self.ambient))

    def cube(self, settings: Array, ambient: Array) -> Array:
        """Return X (n, d) of settings (n, c) and ambient (n, a); a missing reading becomes 0.5."""
        columns = []
        for parameters, values in ((self.controlled, settings), (self.ambient, ambient)):
            for index, parameter in enumerate(parameters):
                columns.extend(self._scaled(parameter, values[:, index]))
        return np.stack(columns, axis=1) if columns else np.zeros((len(settings), 0))

    def encode(self, conditions: Sequence[Mapping[str, Value]], fill: Array | None = None) -> Array:
        """Return X (n, d) of conditions; a missing ambient value is taken from ``fill`` (a,)."""
        ambient = self.ambient_of(conditions)
        if fill is not None and ambient.size:
            ambient = np.where(np.isnan(ambient), fill, ambient)
        return self.cube(self.settings_of(conditions), ambient)

    def _code(self, parameter: Parameter, value: Value) -> float:
        if parameter.is_categorical:
            return float(list(parameter.choices or ()).index(value))
        return float(value)

    def _value(self, parameter: Parameter, code: float) -> Value:
        if parameter.is_categorical:
            return (parameter.choices or ())[round(code)]
        return parameter.written(float(code))

    def _scaled(self, parameter: Parameter, values: Array) -> list[Array]:
        if parameter.is_categorical:
            return [(values == i).astype(float) for i in range(len(parameter.choices or ()))]
        return [np.nan_to_num(_places(parameter, values), nan=0.5)]

    # -- what can be set ------------------------------------------------------------------------

    def key(self, row: Array) -> tuple[int, ...]:
        """Return a hashable identity of one setting."""
        return self.identities(row[None])[0]

    def keys(self, conditions: Iterable[Mapping[str, Value]]) -> set[tuple[int, ...]]:
        """Return the identities of the settings of ``conditions``."""
        return set(self.identities(self.settings_of(list(conditions))))

    def identities(self, settings: Array) -> list[tuple[int, ...]]:
        """Return the hashable identity of each of (n, c) settings."""
        columns = [self._numbered(p, settings[:, i]) for i, p in enumerate(self.controlled)]
        return list(map(tuple, np.stack(columns, axis=1).tolist()))

    def _numbered(self, parameter: Parameter, values: Array) -> NDArray[np.int64]:
        """Return (n,) whole numbers that are equal where the values are one value."""
        if parameter.is_categorical:
            return np.rint(values).astype(np.int64)
        # What was run may lie far outside, and 64 bits end at 9.2e18; no value is no setting's.
        number = np.nan_to_num(
            np.rint((values - parameter.bounds[0]) / parameter.resolution), nan=np.inf
        )
        return np.clip(number, -9e18, 9e18).astype(np.int64)

    def new_among(self, settings: Array, excluded: Collection[tuple[int, ...]]) -> Array:
        """Return the distinct ones of (n, c) settings that are not among ``excluded``, in order."""
        visited: set[tuple[int, ...]] = set()
        rows = []
        for row, identity in enumerate(self.identities(settings) if len(settings) else ()):
            if identity not in excluded and identity not in visited:
                visited.add(identity)
                rows.append(row)
        return settings[rows]

    def every_setting(self, fixed: Mapping[str, Value] | None = None) -> Array | None:
        """Return all feasible settings (n, c) of a small grid; ``None`` where it is not small."""
        axes = []
        for i, parameter in enumerate(self.controlled):
            if parameter.name in (fixed or {}):
                axes.append(np.array([self.code_of(parameter.name, (fixed or {})[parameter.name])]))
                continue
            n_levels = parameter.n_levels
            if n_levels is None or math.prod(map(len, axes)) * n_levels > SMALL_GRID:
                return None
            axes.append(self._at_level(i, np.arange(n_levels)))
        grid = np.stack([x.ravel() for x in np.meshgrid(*axes, indexing="ij")], axis=1)
        return grid[self.is_feasible(grid)]

    def _at_level(self, i: int, index: NDArray[np.int64]) -> Array:
        """Return the values of parameter ``i`` at its levels ``index``."""
        parameter = self.controlled[i]
        if parameter.is_categorical:
            return index.astype(float)
        if parameter.choices is not None:
            return np.asarray(parameter.choices, dtype=float)[index]
        return parameter.bounds[0] + index.astype(np.float64) * float(parameter.step or 0.0)

    def _level_of(self, i: int, values: Array) -> NDArray[np.int64]:
        """Return the level of parameter ``i`` nearest to each of ``values``."""
        parameter = self.controlled[i]
        last = (parameter.n_levels or 1) - 1
        if parameter.is_categorical:
            place = np.rint(values)
        elif parameter.choices is not None:
            levels = np.asarray(parameter.choices, dtype=float)
            place = np.searchsorted((levels[1:] + levels[:-1]) / 2, values).astype(float)
        else:
            place = np.rint((values - parameter.bounds[0]) / float(parameter.step or 1.0))
        return np.clip(np.nan_to_num(place), 0, last).astype(np.int64)

    def is_feasible(self, settings: Array) -> NDArray[np.bool_]:
        """Return (n,): inside the bounds, on the instrument's steps, constraints met."""
        good = np.ones(len(settings), dtype=bool)
        for i, parameter in enumerate(self.controlled):
            finest = parameter.resolution if parameter.is_numeric else 0.0
            good &= np.abs(self._snapped(i, settings[:, i]) - settings[:, i]) <= finest
        for constraint in self.campaign.parameter_constraints:
            good &= self._slack(constraint, settings) >= -self.campaign.tolerance_of(constraint)
        return good

    def _slack(self, constraint: LinearConstraint, settings: Array) -> Array:
        excess = self._weighted(constraint.terms, settings) - constraint.bound
        if constraint.operator == "==":
            return -np.abs(excess)
        return -excess if constraint.operator == "<=" else excess

    def _weighted(self, terms: Mapping[str, float], settings: Array) -> Array:
        """Return (n,) the weighted sum of the parameters that ``terms`` names."""
        total: Array = settings[:, [self._names.index(name) for name in terms]] @ np.array(
            list(terms.values()), dtype=float
        )
        return total

    def _snapped(self, i: int, values: Array) -> Array:
        parameter = self.controlled[i]
        if parameter.n_levels is None:
            return np.clip(values, *parameter.bounds)
        return np.where(np.isnan(values), np.nan, self._at_level(i, self._level_of(i, values)))

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
        whole_grid = self.every_setting(fixed)
        if whole_grid is not None and len(whole_grid) <= n:
            if not len(whole_grid):
                self._refuse(fixed)
            return np.random.default_rng(seed).permutation(whole_grid)
        engine = qmc.Sobol(len(self.controlled), scramble=True, rng=np.random.default_rng(seed))
        rng = np.random.default_rng([seed, 1])
        distinct = np.empty((0, len(self.controlled)))
        for turn in range(1, _ROUNDS_OF_SAMPLING + 1 if whole_grid is None else 2):
            # Powers of two: scipy warns, and balance is lost, at any other number of Sobol points.
            u = engine.random(1 << max(4, (n - 1).bit_length()))
            if ends:
                luck = rng.random(u.shape)
                u = np.where(luck < ends / 2, 0.0, np.where(luck < ends, 1.0, u))
            distinct = self._with_more(distinct, self._from_unit(u), fixed)
            if len(distinct) >= n:
                break
            if self.campaign.parameter_constraints and len(distinct) * _PATIENCE < n * turn:
                break
        if whole_grid is not None and len(distinct) < n:
            distinct = self.new_among(np.concatenate([distinct, rng.permutation(whole_grid)]), ())
        elif len(distinct) < n:
            distinct = self._ruled(distinct, n, rng, fixed, ends)
        if not len(distinct):
            self._refuse(fixed)
        return distinct[:n]

    def _with_more(self, distinct: Array, settings: Array, fixed: Mapping[str, Value]) -> Array:
        """Add those of ``settings`` that can be set once equalities are solved for."""
        settings = self._repair(self._hold(settings, fixed), fixed)
        good = settings[self.is_feasible(settings)]
        return self.new_among(np.concatenate([distinct, good]), ())

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
        if not self.campaign.parameter_constraints:
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
                distinct = self.new_among(np.concatenate([distinct, row[None]]), ())
        n_walked = 0
        while len(distinct) < n and n_walked < len(distinct):
            near = self.neighbours(distinct[n_walked : n_walked + _PROGRAMS], fixed)
            n_walked += _PROGRAMS
            distinct = self.new_among(np.concatenate([distinct, rng.permutation(near)]), ())
        return distinct

    def corners(self, fixed: Mapping[str, Value] | None = None) -> Array:
        """Return settings (k, c) in corners of what the rules leave, as far as there are any."""
        fixed, rng = fixed or {}, np.random.default_rng(0)
        distinct = np.empty((0, len(self.controlled)))
        return self._with_more(
            distinct, self._from_places(self._polytope(fixed).vertices, rng), fixed
        )

    def _polytope(self, fixed: Mapping[str, Value]) -> Polytope:
        """Return what the rules leave of the numeric parameters' ranges."""
        pinned = tuple(sorted((name, self.code_of(name, value)) for name, value in fixed.items()))
        if pinned not in self._polytopes:
            self._polytopes[pinned] = self._make_polytope(dict(pinned))
        return self._polytopes[pinned]

    def _make_polytope(self, pinned: Mapping[str, float]) -> Polytope:
        parameters = [p for p in self.controlled if p.is_numeric]
        low = np.array([p.bounds[0] for p in parameters])
        span = np.array([p.bounds[1] - p.bounds[0] for p in parameters])
        rows, lower, upper = [], [], []
        for rule in self.campaign.parameter_constraints:
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
        settings, place = np.empty((len(u), len(self.controlled))), 0
        for i, parameter in enumerate(self.controlled):
            if parameter.is_categorical:
                settings[:, i] = rng.integers(len(parameter.choices or ()), size=len(u))
                continue
            low, high = parameter.bounds
            settings[:, i] = self._snapped(i, low + u[:, place] * (high - low))
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
        row = self._repair(self._hold(self._from_places(u[None], rng), fixed), fixed)
        return row[0] if self.is_feasible(row)[0] else None

    def _refuse(self, fixed: Mapping[str, Value]) -> NoReturn:
        rules = [str(rule) for rule in self.campaign.parameter_constraints]
        numeric = [p for p in self.controlled if p.is_numeric]
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
                p.name in r.terms and str(r) in rules for r in self.campaign.parameter_constraints
            )
        )
        raise UsageError(
            f"{begin} (constraints: {', '.join(rules) or 'none'}; fixed: "
            f"{', '.join(assignments) or 'none'}; ranges: {ranges or 'all'}). "
            "Widen or drop one of them."
        )

    def _from_unit(self, u: Array) -> Array:
        columns = []
        for i, parameter in enumerate(self.controlled):
            if parameter.n_levels is None:
                columns.append(_values(parameter, u[:, i]))
            elif parameter.scale == "log" and parameter.choices is None:
                columns.append(self._snapped(i, _values(parameter, u[:, i])))
            else:
                last = parameter.n_levels - 1
                index = np.minimum((u[:, i] * (last + 1)).astype(np.int64), last)
                columns.append(self._at_level(i, index))
        return np.stack(columns, axis=1)

    def _hold(self, settings: Array, fixed: Mapping[str, Value]) -> Array:
        for name, value in fixed.items():
            i = self._names.index(name)
            settings[:, i] = self._code(self.controlled[i], value)
        return settings

    def _repair(self, settings: Array, fixed: Mapping[str, Value]) -> Array:
        """Meet equalities by solving each for a free parameter, a different one by row."""
        for constraint in self.campaign.parameter_constraints:
            if constraint.operator != "==":
                continue
            free = [n for n, factor in constraint.terms.items() if factor and n not in fixed]
            # What is continuous takes up what steps leave over.
            smooth = [n for n in free if self.campaign.parameter(n).n_levels is None]
            free = smooth or free
            for turn, name in enumerate(free):
                rows = slice(turn, None, len(free))
                settings[rows] = self._solve(constraint, settings[rows], self._names.index(name))
        return settings

    def _solve(self, constraint: LinearConstraint, settings: Array, place: int) -> Array:
        factor = constraint.terms[self._names[place]]
        remaining_terms = {n: f for n, f in constraint.terms.items() if n != self._names[place]}
        remainder = (
            self._weighted(remaining_terms, settings)
            if remaining_terms
            else np.zeros(len(settings))
        )
        solved = settings.copy()
        solution = (constraint.bound - remainder) / factor
        snapped = self._snapped(place, solution)
        # Keep the value where the instrument has it; elsewhere the row is infeasible and goes.
        missed = np.abs((snapped - solution) * factor)
        is_met = missed <= self.campaign.tolerance_of(constraint)
        solved[:, place] = np.where(is_met, snapped, np.nan)
        return solved

    def snap(self, settings: Array) -> Array:
        """Return the settings of the instrument nearest to ``settings``, (c,) or (n, c)."""
        columns = [self._snapped(i, settings[..., i]) for i in range(len(self.controlled))]
        return np.stack(columns, axis=-1)

    def snap_unit(self, u: Array, fixed: Mapping[str, Value]) -> Array:
        """Return the setting (c,) nearest to ``u`` (c,) in [0, 1]; equalities are solved for."""
        row = np.array(
            [
                u[i] * (len(p.choices or ()) - 1) if p.is_categorical else p.value_at(u[i])
                for i, p in enumerate(self.controlled)
            ]
        )
        return self._repair(self._hold(self.snap(row)[None], fixed), fixed)[0]

    def neighbours(self, rows: Array, fixed: Mapping[str, Value] | None = None) -> Array:
        """Return distinct feasible settings near ``rows``, (c,) or (k, c), without these.

        Along each parameter: steps near, middling and far, and both ends of the range; other
        choices; and where an equality ties parameters, exchanges between two of them.
        """
        rows = np.atleast_2d(rows)
        moved = [np.empty((0, rows.shape[1]))]
        for i, parameter in enumerate(self.controlled):
            if parameter.name in (fixed or {}):
                continue
            values = self._nearby_values(i, rows[:, i])
            steps = np.repeat(rows, values.shape[1], axis=0)
            steps[:, i] = values.ravel()
            steps = steps[steps[:, i] != np.repeat(rows[:, i], values.shape[1])]
            moved.append(steps)
            moved.extend(self._compensated(steps, i, fixed or {}))
        candidates = np.concatenate(moved)
        return self.new_among(candidates[self.is_feasible(candidates)], set(self.identities(rows)))

    def _nearby_values(self, i: int, values: Array) -> Array:
        """Return (k, t) other values of parameter ``i`` near (k,) ``values``."""
        parameter = self.controlled[i]
        n_levels = parameter.n_levels
        far = np.array([-0.15, -0.06, -0.02, 0.02, 0.06, 0.15])
        if n_levels is None:
            places = np.clip(_places(parameter, values)[:, None] + far, 0.0, 1.0)
            ends = np.tile(parameter.bounds, (len(values), 1))
            return np.concatenate([_values(parameter, places), ends], axis=1)
        place = self._level_of(i, values)[:, None]
        if parameter.is_categorical:
            return self._at_level(i, (place + np.arange(1, n_levels)) % n_levels)
        strides = {1, 2, max(2, n_levels // 8), max(3, n_levels // 4)}
        shifts = np.array(sorted(s * stride for stride in strides for s in (-1, 1)))
        ends = np.tile(np.array([0, n_levels - 1]), (len(values), 1))
        near = np.clip(np.concatenate([place + shifts, ends], axis=1), 0, n_levels - 1)
        steps = self._at_level(i, near.astype(np.int64))
        if parameter.scale == "linear":
            return steps
        # Steps are small at one end of decades and large at the other: ratios as well.
        ratios = _values(parameter, np.clip(_places(parameter, values)[:, None] + far, 0.0, 1.0))
        return np.concatenate([steps, self._snapped(i, ratios)], axis=1)

    def _compensated(self, steps: Array, moved: int, fixed: Mapping[str, Value]) -> list[Array]:
        """Return variants of ``steps`` that meet the equalities they broke, another giving way."""
        variants = []
        for constraint in self.campaign.parameter_constraints:
            if constraint.operator != "==" or self._names[moved] not in constraint.terms:
                continue
            for name, factor in constraint.terms.items():
                place = self._names.index(name)
                if place != moved and factor and name not in fixed:
                    variant = self._solve(constraint, steps, place)
                    variants.append(variant)
                    variants.extend(self._passed_on(variant, constraint, (moved, place), fixed))
        return variants

    def _passed_on(
        self,
        steps: Array,
        met: LinearConstraint,
        moved: tuple[int, int],
        fixed: Mapping[str, Value],
    ) -> list[Array]:
        """Return variants that meet a further equality, by what is in none that is met already."""
        variants = []
        for constraint in self.campaign.parameter_constraints:
            names = {self._names[place] for place in moved} & constraint.terms.keys()
            if constraint.operator != "==" or constraint is met or not names:
                continue
            for name, factor in constraint.terms.items():
                place = self._names.index(name)
                if place not in moved and factor and name not in {*fixed, *met.terms}:
                    variants.append(self._solve(constraint, steps, place))
        return variants

    def missing_ambient(self, runs: Sequence[Run]) -> int:
        """Return how many runs lack an ambient reading."""
        return sum(any(p.name not in run.conditions for p in self.ambient) for run in runs)


def _assignment(name: str, value: Value) -> str:
    return f"{name}={value}" if isinstance(value, str) else f"{name}={value:g}"


def _range_of(parameter: Parameter) -> str:
    low, high = parameter.bounds
    step = f" in steps of {parameter.step:g}" if parameter.step is not None else ""
    return f"{low:g} … {high:g}{step}"


def _places(parameter: Parameter, values: Array) -> Array:
    """Return where numbers lie in their range, as :meth:`Parameter.place_of` has it."""
    low, high = parameter.bounds
    if parameter.scale == "linear":
        return (values - low) / (high - low)
    logs: Array = np.log(np.maximum(values, low * (low / high)) / low)
    return logs / np.log(high / low)


def _values(parameter: Parameter, places: Array) -> Array:
    """Return the numbers at places of a range, as :meth:`Parameter.value_at` has it."""
    low, high = parameter.bounds
    if parameter.scale == "linear":
        return low + places * (high - low)
    return np.clip(low * (high / low) ** places, low, high)
