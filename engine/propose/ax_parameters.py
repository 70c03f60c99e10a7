"""The design space as Ax knows it: its parameters, their units, rules among them, runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, LinearConstraint, Value
from engine.campaign.history import History, Run
from engine.campaign.inequalities import format_comparison
from engine.errors import UsageError, field
from engine.propose.space import Space

Array = NDArray[np.float64]

_NARROW, _WIDE = 1e-3, 1e6
"""Ranges within these are told as they are; Ax refuses what is narrower than 1.5e-7."""


def ax_space(campaign: Campaign, history: History) -> Space:
    """Return the space that Ax searches: what varies, within the bounds and in the room's reach."""
    runs = (*history.finished, *history.pending, *history.failed)
    return Space(campaign, [run.conditions for run in runs if is_inside(campaign, run)])


class AxUnits:
    """Units in which Ax is told numbers: the parameter's own, or a power of two of it.

    Ax takes no range of 2e-11 m³/s, whatever its unit. ``by_name``: one unit of Ax's in the
    parameter's, for each that varies and is a range.
    """

    def __init__(self, space: Space) -> None:
        self._names = frozenset(name for name, n in space.columns.items() if n)
        self.by_name = {
            p.name: _unit_of(space.reaches[p.name].high - space.reaches[p.name].low)
            for p in (*space.controlled, *space.ambient)
            if p.is_numeric and p.choices is None and p.name in self._names
        }

    def scaled(self, conditions: Mapping[str, Value]) -> dict[str, Value]:
        """Return what Ax is told of conditions: those that vary, in its units."""
        return {
            name: value / self.by_name[name]
            if name in self.by_name and not isinstance(value, str)
            else value
            for name, value in conditions.items()
            if name in self._names
        }

    def restored(self, conditions: Mapping[str, Value]) -> dict[str, Value]:
        """Return Ax's conditions in the parameters' units."""
        return {
            name: value * self.by_name[name]
            if name in self.by_name and not isinstance(value, str)
            else value
            for name, value in conditions.items()
        }


def _unit_of(width: float) -> float:
    """Return the power of two next to a width that is out of Ax's reach, else 1.

    >>> _unit_of(20.0), _unit_of(2e-11) == 2.0**-36
    (1.0, True)
    """
    if _NARROW <= width <= _WIDE:
        return 1.0
    return math.ldexp(1.0, math.frexp(width)[1] - 1)


def parameter_configs(space: Space, history: History, units: AxUnits) -> list[Any]:
    """Return Ax's configuration of each parameter that varies."""
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

    runs = (*history.finished, *history.pending, *history.failed)
    ruled = {name for rule in space.campaign.parameter_constraints for name in rule.terms}
    configs: list[Any] = []
    for parameter in (*space.controlled, *space.ambient):
        if not space.columns[parameter.name]:
            continue
        if parameter.choices is not None:
            kind = "str" if parameter.is_categorical else "float"
            configs.append(
                ChoiceParameterConfig(
                    name=parameter.name,
                    values=list(parameter.settable),
                    parameter_type=kind,
                    is_ordered=parameter.is_numeric,
                )
            )
            continue
        low, high = parameter.bounds
        if parameter.role == "ambient":
            read = [
                float(r.conditions[parameter.name]) for r in runs if parameter.name in r.conditions
            ]
            low, high = min([low, *read]), max([high, *read])
        unit = units.by_name[parameter.name]
        # Ax takes no logarithm of what stands in a rule, nor of readings of 0.
        is_log = parameter.scale == "log" and parameter.name not in ruled and low > 0
        configs.append(
            RangeParameterConfig(
                name=parameter.name,
                bounds=(low / unit, high / unit),
                parameter_type="float",
                scaling="log" if is_log else None,
            )
        )
    return configs


def is_inside(campaign: Campaign, run: Run) -> bool:
    """Whether a run lies in what Ax searches: it takes no other."""
    for parameter in campaign.controlled:
        if parameter.only_if and parameter.name not in run.conditions:
            continue
        value = run.conditions[parameter.name]
        if not parameter.is_inside(value):
            return False
        # Ax's own ends are sharp.
        if not parameter.is_constant and not isinstance(value, str):
            low, high = parameter.bounds
            if not low <= value <= high:
                return False
    return True


def conditions_with_room(space: Space, run: Run, fill: Array) -> dict[str, Value]:
    """Return a run's conditions; readings that are missing are the typical ones, ``fill`` (a,)."""
    conditions = space.completed(run.conditions)
    for parameter, typical in zip(space.ambient, fill, strict=True):
        conditions[parameter.name] = run.conditions.get(parameter.name, float(typical))
    return conditions


def inequality(campaign: Campaign, constraint: LinearConstraint, units: AxUnits) -> str | None:
    """Return a rule for Ax, constants put into its bound; ``None`` where it binds nothing else.

    Raises:
        UsageError: an equality, which Ax does not take.
    """
    if constraint.operator == "==":
        raise UsageError(
            f"Ax takes no equality between parameters ('{constraint}'): use {field('strategy')} "
            "matmcl, gp, sobol or nsga2."
        )
    constants = {p.name: p.bounds[0] for p in campaign.controlled if p.is_constant and p.is_numeric}
    terms = {n: factor for n, factor in constraint.terms.items() if n not in constants}
    if not terms:
        return None
    share = sum(f * constants[n] for n, f in constraint.terms.items() if n in constants)
    scaled = {n: factor * units.by_name.get(n, 1.0) for n, factor in terms.items()}
    return format_comparison(scaled, constraint.operator, constraint.bound - share)
