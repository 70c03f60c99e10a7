"""Strategies that other distributions bring: what they are handed, and how their answer is checked.

A strategy is a callable (or a class made without arguments whose objects are): it is handed a
:class:`StrategyTask` and returns as many settings as were asked for, as mappings of every
controlled parameter that has a value there, or as a data frame with a row for each.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.campaign import Campaign, Parameter, Value
from engine.campaign.history import History, Run
from engine.errors import PluginError, SpinneretError
from engine.propose.batch import DistinctLimits
from engine.propose.sampling import Sampler
from engine.propose.spacefilling import fill_space
from engine.propose.task import Answer, Array, Task
from engine.workspace.plugins import STRATEGY_PLUGINS, Plugin, find_plugin


@dataclass(frozen=True)
class SpaceView:
    """A campaign's design space, to be looked at: what may be set, and settings of it.

    ``fixed``: what this batch holds; every setting has it.
    """

    campaign: Campaign
    fixed: Mapping[str, Value]
    _task: Task = field(repr=False)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters that can be set: bounds, steps, choices and units."""
        return self._task.space.controlled

    def sample(self, n: int, seed: int) -> list[dict[str, Value]]:
        """Return up to ``n`` random settings that may be proposed, none of which was run."""
        task = self._task
        drawn = Sampler(task.space).sample(n, seed, fixed=task.request.fixed)
        return task.space.conditions_of(task.space.new_among(drawn, task.excluded))

    def fill(self, n: int, seed: int) -> list[dict[str, Value]]:
        """Return ``n`` settings that may be proposed, even with one another and with all runs."""
        task = self._task
        existing = task.space.settings_of([run.conditions for run in task.history.runs])
        settings = fill_space(
            task.space,
            n,
            seed,
            excluded=set(task.excluded),
            existing=existing,
            limits=task.limits,
            fixed=task.request.fixed,
        )
        return task.space.conditions_of(settings)

    def problem_with(self, settings: Mapping[str, Value]) -> str | None:
        """Say why settings may not be proposed, or ``None`` if they may; steps are snapped to."""
        try:
            _checked_row(self._task, settings)
        except ValueError as error:
            return str(error)
        return None


@dataclass(frozen=True)
class StrategyTask:
    """What a strategy of one's own is handed; nothing of it can be written to.

    ``history``: all runs so far, finished, pending and failed, with their results. ``n``: settings
    to return. ``seed``: the only source of randomness, so that a batch can be computed again.
    ``at``: today's room, of the ambient parameters that were stated.
    """

    space: SpaceView
    history: History
    n: int
    seed: int
    at: Mapping[str, float]


def choose_by_plugin(task: Task) -> Answer:
    """Let the requested plug-in choose, and check what it returns.

    Raises:
        PluginError: it cannot be imported, fails, or returns what cannot be proposed.
    """
    plugin = find_plugin(STRATEGY_PLUGINS, task.request.strategy)
    assert plugin is not None  # noqa: S101 -- the request was checked
    strategy = _callable_of(plugin)
    request = task.request
    fixed = MappingProxyType(dict(request.fixed))
    started = time.perf_counter()
    try:
        returned = strategy(
            StrategyTask(
                SpaceView(task.history.campaign, fixed, task),
                _frozen(task.history),
                request.n,
                request.seed,
                MappingProxyType(dict(request.at)),
            )
        )
    except Exception as error:
        reason = str(error) if isinstance(error, SpinneretError) else repr(error)
        raise PluginError(f"{plugin.label} failed: {reason}") from error
    task.seconds["search"] = time.perf_counter() - started
    try:
        settings = _checked(task, returned)
    except ValueError as error:
        raise PluginError(f"{plugin.label} returned what cannot be proposed: {error}") from None
    task.notes.append(f"chosen by {plugin.label}.")
    return Answer(settings, request.strategy, plugin=plugin)


def _callable_of(plugin: Plugin) -> Any:
    strategy = plugin.load()
    if inspect.isclass(strategy):
        try:
            strategy = strategy()
        except Exception as error:
            raise PluginError(
                f"{plugin.label} cannot be made without arguments: {error!r}"
            ) from error
    if not callable(strategy):
        raise PluginError(
            f"{plugin.label}: expected a function of one task, or a class of such, got "
            f"{type(strategy).__name__}"
        )
    return strategy


def _frozen(history: History) -> History:
    """Return a history whose mappings cannot be written to."""

    def frozen(runs: Iterable[Run]) -> tuple[Run, ...]:
        return tuple(
            replace(
                run,
                conditions=MappingProxyType(dict(run.conditions)),
                outcomes=MappingProxyType(dict(run.outcomes)),
            )
            for run in runs
        )

    return History(
        history.campaign,
        frozen(history.finished),
        frozen(history.pending),
        frozen(history.failed),
        frozen(history.left_aside),
    )


def _checked(task: Task, returned: Any) -> Array:
    """Return (n, c) settings of the instrument; ValueError says what is wrong with which."""
    n = task.request.n
    if hasattr(returned, "to_dict") and hasattr(returned, "columns"):
        returned = returned.to_dict("records")
    if isinstance(returned, str | Mapping) or not isinstance(returned, Iterable):
        raise ValueError(
            f"expected a list of settings or a data frame, got {type(returned).__name__}"
        )
    rows = list(returned)
    if len(rows) != n:
        raise ValueError(f"expected {n} settings, got {len(rows)}")
    # Twins are for a strategy to judge; how many values a batch may have is not.
    limits = DistinctLimits(task.limits.limits, task.limits.resolutions, task.limits.absent)
    chosen: list[Array] = []
    for place, row in enumerate(rows, 1):
        try:
            setting = _checked_row(task, row)
            if not len(task.space.new_among(setting[None], {task.space.key(x) for x in chosen})):
                raise ValueError("is in the batch already")
            if not limits.allowed(setting[None], chosen).all():
                raise ValueError("has more distinct values of a parameter than max_distinct allows")
        except ValueError as error:
            raise ValueError(f"setting {place} of {n} {error}") from None
        chosen.append(setting)
    return np.stack(chosen)


def _checked_row(task: Task, row: Any) -> Array:
    """Return a setting (c,) on the instrument's steps; ValueError says why it may not be."""
    space = task.space
    if not isinstance(row, Mapping):
        raise ValueError(f"is {type(row).__name__}, expected a value for each parameter by name")
    names = [p.name for p in space.controlled]
    strangers = [str(name) for name in row if name not in names]
    if strangers:
        raise ValueError(
            f"sets {', '.join(strangers)}: expected the controlled parameters {', '.join(names)}"
        )
    values = {p.name: _value(p, row[p.name]) for p in space.controlled if not _is_absent(p, row)}
    missing = [p.name for p in space.controlled if p.name not in values and not p.only_if]
    if missing:
        raise ValueError(f"lacks {', '.join(missing)}")
    setting = space.canonical(space.snap(space.settings_of([values])))
    conditions = space.conditions_of(setting)[0]
    if missing := [name for name in conditions if name not in values]:
        raise ValueError(f"lacks {', '.join(missing)}, which has a value there")
    _refuse_outside(task, setting, conditions)
    return setting[0]


def _is_absent(parameter: Parameter, row: Mapping[str, Any]) -> bool:
    """Whether a row has no value of a parameter: a frame has NaN where others leave it out."""
    value = row.get(parameter.name)
    is_nan = isinstance(value, float) and math.isnan(value)
    return value is None or (is_nan and bool(parameter.only_if))


def _value(parameter: Parameter, value: Any) -> Value:
    if parameter.is_categorical:
        if value not in (parameter.choices or ()):
            choices = ", ".join(map(str, parameter.settable))
            raise ValueError(f"has {parameter.name} = {value!r}: expected one of {choices}")
        return str(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise ValueError(f"has {parameter.name} = {value!r}: expected a number")
    number = float(value)
    low, high = parameter.bounds
    finest = parameter.resolution
    if not low - finest <= number <= high + finest:
        unit = f" {parameter.unit}" if parameter.unit else ""
        raise ValueError(f"has {parameter.name} = {number:g}: expected {low:g} to {high:g}{unit}")
    return number


def _refuse_outside(task: Task, setting: Array, conditions: Mapping[str, Value]) -> None:
    space, campaign = task.space, task.history.campaign
    for parameter in space.controlled:
        value = conditions.get(parameter.name)
        problem = None if value is None else parameter.problem_as_setting(value)
        if problem is not None:
            raise ValueError(f"has {parameter.name} = {value}: {problem}")
    for name, value in task.request.fixed.items():
        if name not in conditions:
            continue
        parameter = campaign.parameter(name)
        finest = parameter.resolution if parameter.is_numeric else 0.0
        if abs(space.code_of(name, value) - space.code_of(name, conditions[name])) > finest:
            raise ValueError(f"has {name} = {conditions[name]}: the batch holds {name} = {value}")
    listed = ", ".join(f"{name} = {value}" for name, value in conditions.items())
    if exclusions := campaign.exclusions_of(conditions):
        raise ValueError(f"({listed}) is excluded: {exclusions[0].message}")
    if not space.is_feasible(setting).all():
        constraints = "; ".join(map(str, campaign.parameter_constraints))
        raise ValueError(f"({listed}) breaks the constraints: {constraints}")
    if not len(space.new_among(setting, task.excluded)):
        raise ValueError(f"({listed}) was run already, or is under way")
