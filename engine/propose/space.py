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

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from engine.campaign import Campaign, LinearConstraint, Parameter, Value
from engine.campaign.history import Run
from engine.errors import UsageError

Array = NDArray[np.float64]

_DECIMALS = 9  # settings that agree so far are one setting, however they were computed
_ROUNDS_OF_SAMPLING = 40  # constraints may reject most rows of a round


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
        self.labels: tuple[str, ...] = tuple(
            f"{p.name}={choice}" if p.is_categorical else p.name
            for p in (*self.controlled, *self.ambient)
            for choice in (p.choices if p.is_categorical and p.choices else (None,))
        )

    @property
    def d(self) -> int:
        """Columns of X."""
        return len(self.labels)

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
        return float(f"{code:.10g}")

    def _scaled(self, parameter: Parameter, values: Array) -> list[Array]:
        if parameter.is_categorical:
            return [(values == i).astype(float) for i in range(len(parameter.choices or ()))]
        low, high = parameter.bounds
        return [np.nan_to_num((values - low) / (high - low), nan=0.5)]

    # -- what can be set ------------------------------------------------------------------------

    def key(self, row: Array) -> tuple[float, ...]:
        """Return a hashable identity of one setting."""
        return tuple(np.round(row, _DECIMALS).tolist())

    def keys(self, conditions: Iterable[Mapping[str, Value]]) -> set[tuple[float, ...]]:
        """Return the identities of the settings of ``conditions``."""
        return {self.key(row) for row in self.settings_of(list(conditions))}

    def is_feasible(self, settings: Array) -> NDArray[np.bool_]:
        """Return (n,): inside the bounds, on the instrument's steps, constraints met."""
        good = np.ones(len(settings), dtype=bool)
        for i, parameter in enumerate(self.controlled):
            good &= np.abs(self._snapped(parameter, settings[:, i]) - settings[:, i]) <= 1e-6
        for constraint in self.campaign.parameter_constraints:
            good &= self._slack(constraint, settings) >= -1e-6 * max(1.0, abs(constraint.bound))
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

    def _snapped(self, parameter: Parameter, values: Array) -> Array:
        if parameter.is_categorical:
            return np.clip(np.round(values), 0, len(parameter.choices or ()) - 1)
        low, high = parameter.bounds
        values = np.clip(values, low, high)
        if parameter.levels is None:
            return values
        levels = np.asarray(parameter.levels, dtype=float)
        place = np.clip(np.searchsorted(levels, values), 1, len(levels) - 1)
        lower, upper = levels[place - 1], levels[place]
        return np.where(values - lower <= upper - values, lower, upper)

    def sample(self, n: int, seed: int, fixed: Mapping[str, Value] | None = None) -> Array:
        """Return up to ``n`` distinct feasible settings, from a scrambled Sobol sequence.

        Fewer come back only where the space has no more.

        Raises:
            UsageError: no setting satisfies the constraints.
        """
        engine = qmc.Sobol(len(self.controlled), scramble=True, rng=np.random.default_rng(seed))
        distinct: dict[tuple[float, ...], Array] = {}
        for _ in range(_ROUNDS_OF_SAMPLING):
            # Powers of two: scipy warns, and balance is lost, at any other number of Sobol points.
            u = engine.random(1 << max(4, (n - 1).bit_length()))
            settings = self._repair(self._hold(self._from_unit(u), fixed or {}), fixed or {})
            for row in settings[self.is_feasible(settings)]:
                distinct.setdefault(self.key(row), row)
            if len(distinct) >= n:
                break
        if not distinct:
            rules = ", ".join(map(str, self.campaign.parameter_constraints)) or "none"
            fixed_words = ", ".join(_assignment(*pair) for pair in (fixed or {}).items()) or "none"
            raise UsageError(
                "no setting satisfies the bounds, the steps and the parameter constraints together "
                f"(constraints: {rules}; fixed: {fixed_words}). Widen or drop one of them."
            )
        return np.stack(list(distinct.values())[:n])

    def _from_unit(self, u: Array) -> Array:
        columns = []
        for i, parameter in enumerate(self.controlled):
            levels = parameter.levels
            if levels is None:
                low, high = parameter.bounds
                columns.append(low + u[:, i] * (high - low))
            else:
                place = np.minimum((u[:, i] * len(levels)).astype(int), len(levels) - 1)
                codes = np.arange(len(levels)) if parameter.is_categorical else np.asarray(levels)
                columns.append(codes[place].astype(float))
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
            free = [name for name in constraint.terms if name not in fixed]
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
        snapped = self._snapped(self.controlled[place], solution)
        # Keep the value where the instrument has it; elsewhere the row is infeasible and goes.
        solved[:, place] = np.where(np.abs(snapped - solution) <= 1e-6, snapped, np.nan)
        return solved

    def snap(self, row: Array) -> Array:
        """Return the setting (c,) of the instrument nearest to ``row`` (c,)."""
        return np.array(
            [self._snapped(p, row[i : i + 1])[0] for i, p in enumerate(self.controlled)]
        )

    def snap_unit(self, u: Array, fixed: Mapping[str, Value]) -> Array:
        """Return the setting (c,) nearest to ``u`` (c,) in [0, 1]; equalities are solved for."""
        row = np.array(
            [
                u[i] * (len(p.choices or ()) - 1)
                if p.is_categorical
                else p.bounds[0] + u[i] * (p.bounds[1] - p.bounds[0])
                for i, p in enumerate(self.controlled)
            ]
        )
        return self._repair(self._hold(self.snap(row)[None], fixed), fixed)[0]

    def neighbours(self, row: Array, fixed: Mapping[str, Value] | None = None) -> Array:
        """Return feasible settings near ``row``: steps along each parameter, other choices."""
        moved: list[Array] = []
        for i, parameter in enumerate(self.controlled):
            if parameter.name in (fixed or {}):
                continue
            for value in self._nearby_values(parameter, row[i]):
                step = row.copy()
                step[i] = value
                moved.append(step)
                moved.extend(self._compensated(step, i, fixed or {}))
        if not moved:
            return np.empty((0, len(row)))
        candidates: Array = np.unique(np.round(np.array(moved), _DECIMALS), axis=0)
        return candidates[self.is_feasible(candidates)]

    def _nearby_values(self, parameter: Parameter, value: float) -> list[float]:
        if parameter.is_categorical:
            return [float(i) for i in range(len(parameter.choices or ())) if i != round(value)]
        low, high = parameter.bounds
        if parameter.levels is None:
            # Near, middling and far, as the steps of a grid are below.
            shifts = np.array([0.02, 0.06, 0.15]) * (high - low)
            values = np.concatenate([value - shifts, value + shifts])
            return [float(v) for v in np.clip(values, low, high) if v != value]
        levels = np.asarray(parameter.levels, dtype=float)
        place = int(np.abs(levels - value).argmin())
        far = max(2, len(levels) // 8)
        places = {place + s * k for k in (1, 2, far) for s in (-1, 1)}
        return [float(levels[p]) for p in sorted(places) if 0 <= p < len(levels)]

    def _compensated(self, step: Array, moved: int, fixed: Mapping[str, Value]) -> list[Array]:
        """Return variants of ``step`` that meet the equalities it broke, another giving way."""
        variants = []
        for constraint in self.campaign.parameter_constraints:
            if constraint.operator != "==" or self._names[moved] not in constraint.terms:
                continue
            for name in constraint.terms:
                place = self._names.index(name)
                if place != moved and name not in fixed:
                    variants.append(self._solve(constraint, step[None], place)[0])
        return variants

    def missing_ambient(self, runs: Sequence[Run]) -> int:
        """Return how many runs lack an ambient reading."""
        return sum(any(p.name not in run.conditions for p in self.ambient) for run in runs)


def _assignment(name: str, value: Value) -> str:
    return f"{name}={value}" if isinstance(value, str) else f"{name}={value:g}"
