"""The campaign's design space: conditions ⇄ unit cube, settings the machine has, their neighbours.

Notation
--------
==========  =====================================================================  ============
symbol      meaning                                                                shape
==========  =====================================================================  ============
settings    controlled parameters in their units; a choice is its index            (n, c)
ambient     ambient parameters in their units                                      (n, a)
X           what varies, by its reach (engine.campaign.ranges); a choice one-hot    (n, d)
==========  =====================================================================  ============
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.campaign import Campaign, LinearConstraint, Parameter, Value
from engine.campaign.applicability import without_surplus
from engine.campaign.exclusions import Exclusion
from engine.campaign.history import History, Run
from engine.campaign.ranges import Reach, reaches_of
from engine.propose.membership import Membership

Array = NDArray[np.float64]

SMALL_GRID = 5_000
"""A grid of so many settings at most is looked at whole."""


class Space:
    """Everything geometric about a campaign. Stateless but for the definition.

    ``runs``: conditions of what was run, so that X covers those from outside today's bounds, too
    (:meth:`of` takes all of a history's).

    >>> from engine.lab.virtual import nanofibre_campaign
    >>> space = Space(nanofibre_campaign())
    >>> settings = space.settings_of(
    ...     [{"flow_rate": 0.5, "concentration": 20, "voltage": 18, "collector_speed": 800}]
    ... )
    >>> settings.shape, bool(space.is_feasible(settings).all())
    ((1, 4), True)
    """

    def __init__(self, campaign: Campaign, runs: Iterable[Mapping[str, Value]] = ()) -> None:
        self.campaign = campaign
        self.controlled = campaign.controlled
        self.ambient = campaign.ambient
        self._names = [p.name for p in self.controlled]
        self._membership = Membership(self.controlled)
        self.reaches = reaches_of(campaign, runs)
        self._columns = {name: reach.n_columns for name, reach in self.reaches.items()}
        if not any(self._columns.values()):
            # A model needs an input, were it the same everywhere.
            self._columns[self._names[0]] = 1
        self.labels: tuple[str, ...] = tuple(
            f"{p.name}={choice}" if choice is not None else p.name
            for p in (*self.controlled, *self.ambient)
            for choice in self._labelled(p)
        )

    @classmethod
    def of(cls, history: History) -> Space:
        """Return the space in which a model of ``history`` learns."""
        return cls(history.campaign, [run.conditions for run in history.runs])

    def _labelled(self, parameter: Parameter) -> Sequence[Value | None]:
        n = self._columns[parameter.name]
        if not parameter.is_categorical or n < len(self.reaches[parameter.name].codes):
            return (None,) * n
        return [(parameter.choices or ())[code] for code in self.reaches[parameter.name].codes]

    @property
    def d(self) -> int:
        """Columns of X."""
        return len(self.labels)

    @cached_property
    def columns(self) -> dict[str, tuple[int, ...]]:
        """Columns of X of each parameter; a constant that no run left has none."""
        columns, first = {}, 0
        for parameter in (*self.controlled, *self.ambient):
            n = self._columns[parameter.name]
            columns[parameter.name] = tuple(range(first, first + n))
            first += n
        return columns

    @property
    def choices(self) -> tuple[tuple[int, ...], ...]:
        """Columns of X that are one-hot together, for each parameter of named choices."""
        return tuple(
            self.columns[p.name]
            for p in (*self.controlled, *self.ambient)
            if p.is_categorical and self.columns[p.name]
        )

    @cached_property
    def free(self) -> list[int]:
        """Columns of ``settings`` that can be set to more than one value."""
        return [i for i, p in enumerate(self.controlled) if not p.is_constant]

    def place_of(self, name: str) -> int:
        """Return the column of a controlled parameter in ``settings``."""
        return self._names.index(name)

    def code_of(self, name: str, value: Value) -> float:
        """Return how ``settings`` writes a value of a controlled parameter."""
        return self._code(self.controlled[self.place_of(name)], value)

    # -- conditions ⇄ settings -----------------------------------------------------------------

    def settings_of(self, conditions: Sequence[Mapping[str, Value]]) -> Array:
        """Return (n, c) settings of conditions that hold every controlled parameter.

        A parameter that has no value there has its stand-in.
        """
        settings = np.array(
            [[self._code_of(p, c) for p in self.controlled] for c in conditions], dtype=float
        ).reshape(len(conditions), len(self.controlled))
        return self.canonical(settings)

    def conditions_of(self, settings: Array) -> list[dict[str, Value]]:
        """Return the controlled conditions of (n, c) settings, of those that have a value."""
        conditions = [
            {p.name: self._value(p, x) for p, x in zip(self.controlled, row, strict=True)}
            for row in settings
        ]
        for name, rows in self._membership.absent(settings).items():
            for place in np.flatnonzero(rows):
                del conditions[place][name]
        return conditions

    def canonical(self, settings: Array) -> Array:
        """Return (n, c) settings with stand-ins where parameters have no value."""
        return self._membership.canonical(settings)

    @property
    def is_conditional(self) -> bool:
        """Whether some parameter has no value everywhere."""
        return self._membership.is_conditional

    def absent(self, place: int, settings: Array) -> NDArray[np.bool_]:
        """Return (n,): in which settings parameter ``place`` has no value."""
        rows = self._membership.absent(settings).get(self._names[place])
        return np.zeros(len(settings), dtype=bool) if rows is None else rows

    def completed(self, conditions: Mapping[str, Value]) -> dict[str, Value]:
        """Return all controlled conditions, stand-ins for what has no value there."""
        known = without_surplus(self.controlled, conditions)
        absent = {p.name: p.stand_in for p in self.controlled if p.only_if}
        return {p.name: {**absent, **known}[p.name] for p in self.controlled}

    def _code_of(self, parameter: Parameter, conditions: Mapping[str, Value]) -> float:
        if parameter.only_if and parameter.name not in conditions:
            return self._code(parameter, parameter.stand_in)
        return self._code(parameter, conditions[parameter.name])

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
        """Return X (n, d) of settings (n, c) and ambient (n, a); a missing reading becomes 0.5.

        A choice that is not told apart (retired, and never run) is none of those that are.
        """
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
        n, reach = self._columns[parameter.name], self.reaches[parameter.name]
        if parameter.is_categorical:
            return [(values == code).astype(float) for code in reach.codes[:n]]
        return [np.nan_to_num(reach.places(values), nan=0.5)] if n else []

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
        low, high = parameter.bounds
        number = (values - low) / parameter.resolution
        if parameter.is_ratio:
            number = places(parameter, values) * (math.log(high / low) / 1e-9)
        # What was run may lie far outside, and 64 bits end at 9.2e18; no value is no setting's.
        number = np.nan_to_num(np.rint(number), nan=np.inf)
        return np.clip(number, -9e18, 9e18).astype(np.int64)

    def new_among(self, settings: Array, excluded: Collection[tuple[int, ...]]) -> Array:
        """Return the distinct ones of (n, c) settings that are not among ``excluded``, in order.

        Values that differ by rounding may stand on two sides of an identity's edge, so what is next
        to an excluded one is excluded, too.
        """
        if not len(settings):
            return settings
        identities = self.identities(settings)
        is_new = np.ones(len(settings), dtype=bool)
        if excluded:
            # Steps and choices are one or another: there the next number is another setting.
            apart = np.array([1.0 if p.n_levels is None else 4.0 for p in self.controlled])
            tree = cKDTree(np.array(list(excluded), dtype=float) * apart)
            distance, _ = tree.query(
                np.array(identities, dtype=float) * apart, p=np.inf, distance_upper_bound=1.5
            )
            is_new = np.isinf(distance)
        visited: set[tuple[int, ...]] = set()
        rows = []
        for row, identity in enumerate(identities):
            if is_new[row] and identity not in visited:
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
            axes.append(self.at_level(i, np.arange(n_levels)))
        grid = np.stack([x.ravel() for x in np.meshgrid(*axes, indexing="ij")], axis=1)
        return grid[self.is_feasible(grid)]

    def at_level(self, i: int, index: NDArray[np.int64]) -> Array:
        """Return the values of parameter ``i`` at its levels ``index``."""
        parameter = self.controlled[i]
        if parameter.choices is not None:
            return self._settable[i][index]
        return parameter.bounds[0] + index.astype(np.float64) * float(parameter.step or 0.0)

    @cached_property
    def _settable(self) -> list[Array]:
        """The choices of each parameter that can be had, as ``settings`` writes them."""
        return [np.array([self._code(p, c) for c in p.settable]) for p in self.controlled]

    def level_of(self, i: int, values: Array) -> NDArray[np.int64]:
        """Return the level of parameter ``i`` nearest to each of ``values``."""
        parameter = self.controlled[i]
        last = (parameter.n_levels or 1) - 1
        if parameter.choices is not None:
            levels = self._settable[i]
            place = np.searchsorted((levels[1:] + levels[:-1]) / 2, values).astype(float)
        else:
            place = np.rint((values - parameter.bounds[0]) / float(parameter.step or 1.0))
        return np.clip(np.nan_to_num(place), 0, last).astype(np.int64)

    def is_searched(self, settings: Array) -> NDArray[np.bool_]:
        """Return (n,): within today's bounds and among the choices that can be had."""
        good = np.ones(len(settings), dtype=bool)
        for i, parameter in enumerate(self.controlled):
            if parameter.choices is not None:
                finest = parameter.resolution if parameter.is_numeric else 0.0
                nearest = self.at_level(i, self.level_of(i, settings[:, i]))
                good &= np.abs(nearest - settings[:, i]) <= finest
                continue
            low, high = parameter.bounds
            finest = parameter.resolution
            good &= (settings[:, i] >= low - finest) & (settings[:, i] <= high + finest)
        return good

    def is_feasible(self, settings: Array) -> NDArray[np.bool_]:
        """Return (n,): in the bounds, on the instrument's steps, constraints met, not excluded."""
        good = np.ones(len(settings), dtype=bool)
        for i, parameter in enumerate(self.controlled):
            finest = parameter.resolution if parameter.is_numeric else 0.0
            good &= np.abs(self.snapped(i, settings[:, i]) - settings[:, i]) <= finest
        for constraint in self.campaign.parameter_constraints:
            good &= self._slack(constraint, settings) >= -self.campaign.tolerance_of(constraint)
        for exclusion in self.campaign.exclusions:
            good &= ~self.is_inside(exclusion, settings)
        if self._membership.is_conditional:
            good &= np.isclose(self.canonical(settings), settings, rtol=1e-12, atol=0).all(axis=1)
        return good

    @property
    def is_ruled(self) -> bool:
        """Whether constraints, exclusions or conditions leave less than the ranges."""
        is_cut = self.campaign.exclusions or self._membership.is_conditional
        return bool(self.campaign.parameter_constraints or is_cut)

    def is_inside(self, exclusion: Exclusion, settings: Array) -> NDArray[np.bool_]:
        """Return (n,): which settings lie in an exclusion."""
        return self._membership.is_inside(exclusion, settings)

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

    def snapped(self, i: int, values: Array) -> Array:
        """Return the values of parameter ``i`` that the machine has nearest to ``values``."""
        parameter = self.controlled[i]
        if parameter.n_levels is None:
            return np.clip(values, *parameter.bounds)
        return np.where(np.isnan(values), np.nan, self.at_level(i, self.level_of(i, values)))

    def hold(self, settings: Array, fixed: Mapping[str, Value]) -> Array:
        """Write the fixed values into ``settings``, in place, and return these."""
        for name, value in fixed.items():
            i = self._names.index(name)
            settings[:, i] = self._code(self.controlled[i], value)
        return settings

    def repair(self, settings: Array, fixed: Mapping[str, Value]) -> Array:
        """Meet equalities by solving each for a free parameter, a different one by row."""
        for constraint in self.campaign.parameter_constraints:
            if constraint.operator != "==":
                continue
            pinned = {*fixed, *(p.name for p in self.controlled if p.is_constant)}
            free = [n for n, factor in constraint.terms.items() if factor and n not in pinned]
            # What is continuous takes up what steps leave over.
            smooth = [n for n in free if self.campaign.parameter(n).n_levels is None]
            free = smooth or free
            for turn, name in enumerate(free):
                rows = slice(turn, None, len(free))
                settings[rows] = self.solve(constraint, settings[rows], self._names.index(name))
        return settings

    def solve(self, constraint: LinearConstraint, settings: Array, place: int) -> Array:
        """Return settings with parameter ``place`` solved for; NaN where no step meets it."""
        factor = constraint.terms[self._names[place]]
        remaining_terms = {n: f for n, f in constraint.terms.items() if n != self._names[place]}
        remainder = (
            self._weighted(remaining_terms, settings)
            if remaining_terms
            else np.zeros(len(settings))
        )
        solved = settings.copy()
        solution = (constraint.bound - remainder) / factor
        snapped = self.snapped(place, solution)
        # Keep the value where the instrument has it; elsewhere the row is infeasible and goes.
        missed = np.abs((snapped - solution) * factor)
        is_met = missed <= self.campaign.tolerance_of(constraint)
        solved[:, place] = np.where(is_met, snapped, np.nan)
        return solved

    def snap(self, settings: Array) -> Array:
        """Return the settings of the instrument nearest to ``settings``, (c,) or (n, c)."""
        columns = [self.snapped(i, settings[..., i]) for i in range(len(self.controlled))]
        return np.stack(columns, axis=-1)

    def snap_unit(self, u: Array, fixed: Mapping[str, Value]) -> Array:
        """Return the setting (c,) nearest to ``u`` (c,) in [0, 1]; equalities are solved for."""
        row = np.array(
            [
                self._settable[i][round(u[i] * (len(p.settable) - 1))]
                if p.is_categorical
                else p.value_at(u[i])
                for i, p in enumerate(self.controlled)
            ]
        )
        return self.canonical(self.repair(self.hold(self.snap(row)[None], fixed), fixed))[0]

    def missing_ambient(self, runs: Sequence[Run]) -> int:
        """Return how many runs lack an ambient reading."""
        return sum(any(p.name not in run.conditions for p in self.ambient) for run in runs)


def places(parameter: Parameter, values: Array) -> Array:
    """Return where numbers lie in their range, as :meth:`Parameter.place_of` has it."""
    return Reach(parameter, *parameter.bounds).places(values)


def values_at(parameter: Parameter, places: Array) -> Array:
    """Return the numbers at places of a range, as :meth:`Parameter.value_at` has it."""
    low, high = parameter.bounds
    if parameter.scale == "linear":
        return low + places * (high - low)
    return np.clip(low * (high / low) ** places, low, high)
