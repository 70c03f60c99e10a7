"""Choosing among conditions that exist: a finished table's rows, or a list the user brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Value
from engine.campaign.history import History
from engine.errors import ModelError, UsageError
from engine.propose.forecaster import Forecaster
from engine.propose.learnable import assess
from engine.propose.model_based import Search
from engine.propose.request import Forecast, ProposeRequest, check_strategy
from engine.propose.room import plan_room
from engine.propose.space import Space
from engine.propose.suggestion import suggest
from engine.workspace.settings import ProposeSettings

if TYPE_CHECKING:
    from engine.sources.knowledge import Knowledge

Array = NDArray[np.float64]

_MODELS = ("gp", "matmcl")


def choose_from_pool(
    history: History,
    pool: Sequence[Mapping[str, Value]],
    n: int,
    *,
    strategy: str,
    seed: int,
    settings: ProposeSettings,
    knowledge: Knowledge | None = None,
) -> list[int]:
    """Choose ``n`` of the conditions in ``pool`` (ambient values included); return their indices.

    ``gp`` and ``matmcl`` (with ``knowledge`` of sources) maximise their acquisition function over
    the pool; ``sobol`` picks at random; ``ax``, ``ax-matmcl`` and ``nsga2`` propose freely, and the
    nearest conditions of the pool are taken. What the campaign excludes is never chosen.

    >>> from engine.lab.virtual import nanofibre_campaign
    >>> campaign = nanofibre_campaign()
    >>> pool = [{"voltage": 12.0 + place} for place in range(5)]
    >>> chosen = choose_from_pool(
    ...     History(campaign, ()), pool, 2, strategy="sobol", seed=0, settings=ProposeSettings()
    ... )
    >>> len(set(chosen)), all(0 <= place < len(pool) for place in chosen)
    (2, True)

    Raises:
        UsageError: there is no such strategy, or all of the pool is excluded.
        ModelError: the strategy's model cannot be fitted to these data.
    """
    check_strategy(strategy)
    rows = [i for i, row in enumerate(pool) if not history.campaign.exclusions_of(row)]
    if not rows:
        raise UsageError(f"all {len(pool)} conditions lie in what the campaign excludes")
    pool, n = [pool[i] for i in rows], min(n, len(rows))
    chosen = _choose(
        history, pool, n, strategy=strategy, seed=seed, settings=settings, knowledge=knowledge
    )
    return [rows[i] for i in chosen]


def _choose(
    history: History,
    pool: Sequence[Mapping[str, Value]],
    n: int,
    *,
    strategy: str,
    seed: int,
    settings: ProposeSettings,
    knowledge: Knowledge | None,
) -> list[int]:
    space = Space.of(history)
    if strategy == "sobol":
        return [int(i) for i in np.random.default_rng(seed).permutation(len(pool))[:n]]
    if strategy in _MODELS:
        usable = knowledge if strategy == "matmcl" else None
        return _choose_by_model(
            history, space, pool, n, seed=seed, settings=settings, knowledge=usable
        )
    request = ProposeRequest(n=n, seed=seed, strategy=strategy, explore=True, forecast=False)
    proposed = suggest(history, request, settings, knowledge)
    targets = space.cube(
        space.settings_of([s.conditions for s in proposed.suggestions]),
        np.tile(plan_room(space, history, {}, robust=False, n_readings=1).typical, (n, 1)),
    )
    return nearest_in_pool(
        space.encode(pool, plan_room(space, history, {}, robust=False, n_readings=1).typical),
        targets,
    )


def nearest_in_pool(X: Array, targets: Array) -> list[int]:
    """Return, for each target in turn, the nearest row of X that is not taken yet."""
    chosen: list[int] = []
    for target in targets:
        distances = np.linalg.norm(X - target, axis=1)
        distances[chosen] = np.inf
        chosen.append(int(np.argmin(distances)))
    return chosen


def _choose_by_model(
    history: History,
    space: Space,
    pool: Sequence[Mapping[str, Value]],
    n: int,
    *,
    seed: int,
    settings: ProposeSettings,
    knowledge: Knowledge | None,
) -> list[int]:
    focus = assess(history).focus
    if focus is None:
        return [int(i) for i in np.random.default_rng(seed).permutation(len(pool))[:n]]
    history = replace(history, campaign=focus)
    forecaster, _ = Forecaster.fit_wanted(history, settings, knowledge)
    room = plan_room(space, history, {}, robust=False, n_readings=1)
    search = Search(history, forecaster, explore=True, room=room, settings=settings, seed=seed)
    return search.pick_from(space.encode(pool, forecaster.data.fill), n).picks


@dataclass(frozen=True)
class Ranking:
    """Conditions forecast and valued, a row each, and what the user should know.

    ``forecasts``: of all outcomes that have data; ``values``: the logarithm of the expected
    hypervolume improvement with the probability of success, the higher the better.
    """

    forecasts: tuple[dict[str, Forecast], ...]
    values: tuple[float, ...]
    notes: tuple[str, ...]


def rank_conditions(
    history: History,
    conditions: Sequence[Mapping[str, Value]],
    settings: ProposeSettings,
    seed: int,
    knowledge: Knowledge | None = None,
) -> Ranking:
    """Forecast conditions that the user brings, and value each alone as the next run.

    What is wanted and cannot be learnt yet does not count, which is noted.

    Raises:
        ModelError: too few results to learn from.
    """
    learnable = assess(history)
    focus = learnable.focus
    if focus is None:
        problems = "; ".join(f"{name}: {text}" for name, text in learnable.problems.items())
        raise ModelError(f"expected results to rank by, but nothing can be learnt yet: {problems}")
    forecaster = Forecaster.fit(history, settings, knowledge=knowledge)
    space = forecaster.space
    history = replace(history, campaign=focus)
    focused = forecaster.restricted_to(focus.wanted_outcomes)
    room = plan_room(space, history, {}, robust=False, n_readings=1)
    search = Search(history, focused, explore=True, room=room, settings=settings, seed=seed)
    X = space.encode(conditions, forecaster.data.fill)
    values = [
        search.pick_from(part, 0).first_values for part in np.array_split(X, max(1, len(X) // 512))
    ]
    return Ranking(
        tuple(forecaster.predict(conditions)),
        tuple(float(v) for v in np.concatenate(values)),
        (*learnable.notes(), *forecaster.data.notes),
    )
