"""The ``nsga2`` strategy: no model, offspring of the measured front (pymoo; Deb et al. 2002)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.population import Population
from pymoo.core.problem import Problem

from engine.campaign import Value
from engine.campaign.front import gains_of
from engine.campaign.history import History, Run
from engine.propose.batch import DistinctLimits
from engine.propose.neighbours import nearest_allowed
from engine.propose.space import Space
from engine.propose.spacefilling import take_then_fill

Array = NDArray[np.float64]

_GENERATIONS_AT_MOST = 20


def evolve(
    space: Space,
    history: History,
    n: int,
    seed: int,
    *,
    excluded: set[tuple[int, ...]],
    limits: DistinctLimits,
    fixed: Mapping[str, Value],
) -> Array:
    """Return ``n`` settings (n, c): offspring by crossover and mutation, snapped, none run before.

    Where too few differing offspring come, the rest is space-filling. A parent that was not
    measured in an objective has the median of the others there.
    """
    names = [objective.outcome for objective in history.campaign.objectives]
    parents = [run for run in history.finished if any(run.outcomes.get(name) for name in names)]
    settings, _ = take_then_fill(
        space,
        history,
        _descendants(space, parents, n, seed, fixed=fixed) if len(parents) >= 2 else (),
        n,
        seed,
        excluded=excluded,
        limits=limits,
        fixed=fixed,
    )
    return settings


def _descendants(
    space: Space, parents: Sequence[Run], n: int, seed: int, *, fixed: Mapping[str, Value]
) -> Iterator[Array]:
    """Yield snapped settings (c,), one generation of the parents' offspring after another."""
    objectives = space.campaign.objectives
    names = [objective.outcome for objective in objectives]
    values = np.array([[_mean(run, name) for name in names] for run in parents])
    # What was not measured is neither in a run's favour nor against it.
    values = np.where(np.isnan(values), _medians(values), values)
    F, G = -gains_of(values, objectives), _violations(space, parents)
    if not space.free:
        return
    X = _unit(space, space.settings_of([run.conditions for run in parents]))
    X, scores = _one_each(X, np.concatenate([F, G], axis=1))
    F, G = scores[:, : F.shape[1]], scores[:, F.shape[1] :]
    for attempt in range(_GENERATIONS_AT_MOST):
        for row in _offspring(X, F, G, n, seed + 7919 * attempt):
            u = np.full(len(space.controlled), 0.5)
            u[space.free] = row
            yield nearest_allowed(space, space.snap_unit(u, fixed), fixed)


def _mean(run: Run, outcome: str) -> float:
    return float(np.mean(run.outcomes[outcome])) if run.outcomes.get(outcome) else np.nan


def _medians(values: Array) -> Array:
    """Return the median of each column of what was measured; 0 where nothing was."""
    columns = [column[np.isfinite(column)] for column in values.T]
    return np.array([np.median(column) if len(column) else 0.0 for column in columns])


def _violations(space: Space, runs: Sequence[Run]) -> Array:
    """Return by how much runs miss each outcome constraint (n, l), in the spread of the outcome.

    An outcome that was not measured breaks no constraint.
    """
    columns = []
    for constraint in space.campaign.constraints:
        name = next(iter(constraint.terms))
        slack = np.array(
            [
                constraint.slack({name: float(np.mean(run.outcomes[name]))})
                if run.outcomes.get(name)
                else 0.0
                for run in runs
            ]
        )
        columns.append(np.maximum(-slack, 0.0) / (float(np.std(slack)) or 1.0))
    return np.array(columns).reshape(-1, len(runs)).T


def _unit(space: Space, settings: Array) -> Array:
    """Return what can vary of settings (n, c), (n, v) in 0 … 1; those outside, at the nearest."""
    columns = []
    for i in space.free:
        parameter = space.controlled[i]
        if parameter.is_numeric:
            columns.append(np.array([parameter.place_of(value) for value in settings[:, i]]))
        else:
            columns.append(space.level_of(i, settings[:, i]) / (len(parameter.settable) - 1.0))
    return np.clip(np.stack(columns, axis=1), 0.0, 1.0)


def _one_each(X: Array, F: Array) -> tuple[Array, Array]:
    """Merge runs of one setting into one individual with their mean."""
    unique, place = np.unique(X, axis=0, return_inverse=True)
    sums = np.zeros((len(unique), F.shape[1]))
    np.add.at(sums, place.ravel(), F)
    return unique, sums / np.bincount(place.ravel())[:, None]


def _offspring(X: Array, F: Array, G: Array, n: int, seed: int) -> Array:
    """Return (n, c) offspring of one generation in the unit cube.

    Parents that meet the constraints go before those that do not, and these by how far off they
    are: that leads towards a first run that does.
    """
    problem = Problem(n_var=X.shape[1], n_obj=F.shape[1], n_ieq_constr=G.shape[1], xl=0.0, xu=1.0)
    parents = Population.new(X=X, F=F, G=G)
    algorithm = NSGA2(pop_size=max(len(X), 2), n_offsprings=max(n, 2), sampling=parents)
    algorithm.setup(problem, seed=seed % (2**31), termination=("n_gen", 3), verbose=False)
    initial = algorithm.ask()
    initial.set("F", F, "G", G)
    algorithm.tell(infills=initial)
    return np.asarray(algorithm.ask().get("X"), dtype=float)
