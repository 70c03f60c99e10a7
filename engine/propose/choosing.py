"""One batch: check the request, let the strategy choose, order, forecast, explain."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Value
from engine.errors import ModelError, UsageError, nearest_name
from engine.history import History, Run
from engine.propose.batch import DistinctLimits, order_to_run
from engine.propose.evidence import weigh
from engine.propose.explain import Explainer, nearest_run
from engine.propose.forecaster import Forecaster, fit_feasibility, outcomes_with_data
from engine.propose.model_based import Search, reference_point
from engine.propose.request import Forecast, ProposeRequest, Suggestion, SuggestionBatch
from engine.propose.room import Room, plan_room
from engine.propose.space import Space
from engine.propose.spacefilling import fill_space
from engine.settings import ProposeSettings

Array = NDArray[np.float64]

MAX_BATCH = 100
_FEWEST_RUNS = 5
"""Fewer left-out runs are no evidence of anything."""


@dataclass
class _Task:
    """What every strategy is handed."""

    history: History
    request: ProposeRequest
    settings: ProposeSettings
    space: Space
    room: Room
    limits: DistinctLimits
    taken: set[tuple[float, ...]]
    notes: list[str]
    seconds: dict[str, float]


@dataclass(frozen=True)
class _Answer:
    settings: Array
    strategy: str
    values: tuple[float, ...] = ()
    forecaster: Forecaster | None = None


def suggest(
    history: History, request: ProposeRequest, settings: ProposeSettings
) -> SuggestionBatch:
    """Choose the next ``request.n`` runs.

    Deterministic for a history, a request (with its seed) and settings, on one machine and one
    thread count.

    Raises:
        UsageError: the request cannot be met whatever the data say.
        ModelError: the data do not allow what was asked.
    """
    space = Space(history.campaign)
    task = _check(history, request, settings, space)
    answer = _STRATEGIES[request.strategy](task)
    if len(answer.settings) < request.n and answer.strategy != "sobol":
        task.notes.append(
            "the limits leave too few new settings around the best ones; the batch fills the space."
        )
        answer = _sobol(task)
    found = len(answer.settings)
    if found < request.n:
        raise ModelError(
            f"expected {request.n} settings that were not run yet, found {found} within the "
            "limits: ask for fewer, loosen --max-distinct or --fix, or allow --replicates."
        )
    started = time.perf_counter()
    suggestions = _describe(task, answer)
    task.seconds["explain"] = time.perf_counter() - started
    return SuggestionBatch(
        answer.strategy, request.seed, suggestions, tuple(dict.fromkeys(task.notes)), task.seconds
    )


def _check(
    history: History, request: ProposeRequest, settings: ProposeSettings, space: Space
) -> _Task:
    if request.n < 1 or request.n > MAX_BATCH:
        raise UsageError(
            f"--n: expected a batch of 1 to {MAX_BATCH} runs, got {request.n}; "
            "a batch is what is spun before the next look at the results."
        )
    if request.strategy not in _STRATEGIES:
        raise UsageError(
            f"--strategy: unknown strategy '{request.strategy}'."
            f"{nearest_name(request.strategy, _STRATEGIES)} Known: {', '.join(_STRATEGIES)}"
        )
    space.check_fixed(request.fixed)
    runs = (*history.finished, *history.failed, *history.pending)
    taken: set[tuple[float, ...]] = space.keys(run.conditions for run in history.pending)
    if not request.replicates:
        taken = space.keys(run.conditions for run in runs)
    return _Task(
        history,
        request,
        settings,
        space,
        plan_room(
            space, history, request.at, robust=request.robust, n_readings=settings.ambient_readings
        ),
        _limits(space, request.max_distinct),
        taken,
        [],
        {},
    )


def _limits(space: Space, asked: Mapping[str, int]) -> DistinctLimits:
    names = [p.name for p in space.controlled]
    for name, limit in asked.items():
        if name not in names:
            raise UsageError(
                f"--max-distinct {name}={limit}: '{name}' is not a controlled parameter."
                f"{nearest_name(name, names)} Known: {', '.join(names)}"
            )
        if limit < 1:
            raise UsageError(f"--max-distinct {name}={limit}: expected 1 or more")
    limits = {i: p.max_distinct for i, p in enumerate(space.controlled) if p.max_distinct}
    limits.update({names.index(name): limit for name, limit in asked.items()})
    return DistinctLimits(limits)


# -- strategies ---------------------------------------------------------------------------------


def _sobol(task: _Task) -> _Answer:
    started = time.perf_counter()
    runs = (*task.history.finished, *task.history.failed, *task.history.pending)
    settings = fill_space(
        task.space,
        task.request.n,
        task.request.seed,
        taken=task.taken,
        known=task.space.settings_of([run.conditions for run in runs]),
        limits=task.limits,
        fixed=task.request.fixed,
    )
    task.seconds["search"] = time.perf_counter() - started
    return _Answer(settings, "sobol")


def _gp(task: _Task) -> _Answer:
    history, request = task.history, task.request
    campaign = history.campaign
    outcomes = campaign.wanted_outcomes
    n_finished = sum(all(o in run.outcomes for o in outcomes) for run in history.finished)
    n_parameters = len(task.space.controlled)
    needed = max(n_parameters + 1, _FEWEST_RUNS, task.settings.cold_start)
    if n_finished < needed:
        task.notes.append(
            f"cold start: the model leads from {needed} finished runs on, so far there "
            f"{'is 1' if n_finished == 1 else f'are {n_finished}'}; the batch fills the space."
        )
        return _sobol(task)
    started = time.perf_counter()
    reference, notes = reference_point(campaign, history.finished, explore=request.explore)
    forecaster = Forecaster.fit(history, task.settings, outcomes=outcomes)
    evidence = weigh(forecaster, len(campaign.objectives))
    task.seconds["fit"] = time.perf_counter() - started
    task.notes += [*notes, *forecaster.data.notes]
    if task.settings.cold_start == 0 and not evidence.suffices:
        task.notes.append(
            f"cold start: after {n_finished} runs the model predicts left-out runs no better "
            f"than their mean (R² {evidence.r2:.2f}, t {evidence.t:.1f}); the batch fills the "
            "space."
        )
        return _sobol(task)
    search = Search(
        history, forecaster, reference, room=task.room, settings=task.settings, seed=request.seed
    )
    picked = search.pick(request.n, taken=task.taken, limits=task.limits, fixed=request.fixed)
    task.seconds.update(picked.seconds)
    return _Answer(picked.settings, "gp", picked.values, forecaster)


def _ax(task: _Task) -> _Answer:
    from engine.propose.ax_adapter import generate_with_ax

    answer = generate_with_ax(
        task.space,
        task.history,
        task.request.n,
        task.request.seed,
        room=task.room,
        taken=task.taken,
        limits=task.limits,
        fixed=task.request.fixed,
    )
    task.notes += answer.notes
    task.seconds["generate"] = answer.seconds
    return _Answer(answer.settings, "ax")


def _nsga2(task: _Task) -> _Answer:
    from engine.propose.evolution import evolve

    started = time.perf_counter()
    settings = evolve(
        task.space,
        task.history,
        task.request.n,
        task.request.seed,
        taken=task.taken,
        limits=task.limits,
        fixed=task.request.fixed,
    )
    task.seconds["search"] = time.perf_counter() - started
    return _Answer(settings, "nsga2")


_STRATEGIES: dict[str, Callable[[_Task], _Answer]] = {
    "gp": _gp,
    "sobol": _sobol,
    "ax": _ax,
    "nsga2": _nsga2,
}


# -- what the user is told ------------------------------------------------------------------------


def _describe(task: _Task, answer: _Answer) -> tuple[Suggestion, ...]:
    space, history = task.space, task.history
    settings = answer.settings
    conditions = space.conditions_of(settings)
    last = _last_run(history)
    order = order_to_run(
        space, settings, None if last is None else space.settings_of([last.conditions])[0]
    )
    forecasts, explainer = _forecasts(task, answer)
    p_success = _success(task, answer, settings)
    taken = space.keys(run.conditions for run in history.finished)
    ambient = {
        p.name: float(f"{x:.6g}") for p, x in zip(space.ambient, task.room.typical, strict=True)
    }
    suggestions = []
    for place, row in enumerate(order):
        nearest, far = nearest_run(space, settings[row], history.finished)
        kind, reason = "space_filling", "fills the space: no model leads this batch"
        if explainer is not None and answer.strategy != "sobol":
            kind, reason = explainer.reason(forecasts[row], p_success[row], nearest, far)
        if space.key(settings[row]) in taken:
            kind = "replicate"
            reason = f"replicate of {nearest.name if nearest else 'a finished run'}: {reason}"
        suggestions.append(
            Suggestion(
                place + 1,
                conditions[row],
                ambient,
                forecasts[row] if forecasts else {},
                p_success[row],
                kind,
                reason,
                nearest,
                answer.values[row] if answer.values else None,
            )
        )
    return tuple(suggestions)


def _last_run(history: History) -> Run | None:
    runs = [*history.finished, *history.failed]
    return max(runs, key=lambda run: run.id or 0) if runs else None


def _forecasts(task: _Task, answer: _Answer) -> tuple[list[dict[str, Forecast]], Explainer | None]:
    """Forecast every outcome that has data, and prepare the reasons."""
    if not task.request.forecast:
        return [{} for _ in answer.settings], None
    campaign, history = task.history.campaign, task.history
    forecaster = answer.forecaster
    forecasts: list[dict[str, Forecast]] = [{} for _ in answer.settings]
    try:
        outcomes = outcomes_with_data(history)
        done = forecaster.outcomes if forecaster is not None else ()
        rest = tuple(name for name in outcomes if name not in done)
        models = [forecaster] if forecaster is not None else []
        if rest:
            models.append(Forecaster.fit(history, task.settings, outcomes=rest))
    except ModelError as error:
        task.notes.append(f"no forecasts: {error}")
        return forecasts, None
    for model in models:
        for row, forecast in zip(
            forecasts, model.predict_in_room(answer.settings, task.room), strict=True
        ):
            row.update(forecast)
    forecasts = [{o: row[o] for o in campaign.outcomes if o in row} for row in forecasts]
    objectives = [objective.outcome for objective in campaign.objectives]
    if any(name not in outcomes for name in objectives):
        return forecasts, None
    runs = [run for run in history.finished if run.outcomes]
    expected = _expected_at(models, runs)
    return forecasts, Explainer(campaign, runs, expected)


def _expected_at(models: Sequence[Forecaster], runs: Sequence[Run]) -> list[dict[str, Forecast]]:
    expected: list[dict[str, Forecast]] = [{} for _ in runs]
    for model in models:
        for row, forecast in zip(
            expected, model.predict([r.conditions for r in runs]), strict=True
        ):
            row.update(forecast)
    return expected


def _success(task: _Task, answer: _Answer, settings: Array) -> list[float]:
    """Return each setting's probability of a mat, averaged over the room's readings."""
    if answer.forecaster is not None:
        feasibility = answer.forecaster.feasibility
    else:
        feasibility = fit_feasibility(task.space, task.history)
    readings = task.room.readings
    X = task.space.cube(
        np.repeat(settings, len(readings), axis=0), np.tile(readings, (len(settings), 1))
    )
    probability = feasibility.probability(X).reshape(len(settings), len(readings))
    return [float(p) for p in probability.mean(axis=1)]


# -- finished tables ----------------------------------------------------------------------------


def choose_from_pool(
    history: History,
    pool: Sequence[Mapping[str, Value]],
    n: int,
    *,
    strategy: str,
    seed: int,
    settings: ProposeSettings,
) -> list[int]:
    """Choose ``n`` of the conditions in ``pool`` (ambient values included); return their indices.

    ``gp`` maximises its acquisition function over the pool; ``sobol`` picks at random; ``ax`` and
    ``nsga2`` propose freely, and the nearest conditions of the pool are taken.
    """
    if strategy not in _STRATEGIES:
        raise UsageError(f"unknown strategy '{strategy}'. Known: {', '.join(_STRATEGIES)}")
    n = min(n, len(pool))
    space = Space(history.campaign)
    if strategy == "sobol":
        return [int(i) for i in np.random.default_rng(seed).permutation(len(pool))[:n]]
    if strategy == "gp":
        return _choose_by_model(history, space, pool, n, seed=seed, settings=settings)
    request = ProposeRequest(n=n, seed=seed, strategy=strategy, explore=True, forecast=False)
    wanted = suggest(history, request, settings)
    targets = space.cube(
        space.settings_of([s.conditions for s in wanted.suggestions]),
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
) -> list[int]:
    campaign = history.campaign
    reference, _ = reference_point(campaign, history.finished, explore=True)
    try:
        forecaster = Forecaster.fit(history, settings, outcomes=campaign.wanted_outcomes)
    except ModelError:
        return [int(i) for i in np.random.default_rng(seed).permutation(len(pool))[:n]]
    room = plan_room(space, history, {}, robust=False, n_readings=1)
    search = Search(history, forecaster, reference, room=room, settings=settings, seed=seed)
    return search.pick_from(space.encode(pool, forecaster.data.fill), n).picks


def rank_conditions(
    history: History,
    conditions: Sequence[Mapping[str, Value]],
    settings: ProposeSettings,
    seed: int,
) -> tuple[list[dict[str, Forecast]], list[float]]:
    """Forecast conditions that the user brings, and value each alone as the next run.

    Returns:
        Forecasts, one for each row, of all outcomes that have data; and the logarithm of the
        expected hypervolume improvement with the probability of success, the higher the better.

    Raises:
        ModelError: too few results to learn from.
    """
    campaign = history.campaign
    forecaster = Forecaster.fit(history, settings)
    space = forecaster.space
    forecasts = forecaster.predict(conditions)
    missing = [o for o in campaign.wanted_outcomes if o not in forecaster.outcomes]
    if missing:
        raise ModelError(
            f"expected results of {', '.join(missing)} to rank by, found none to learn from"
        )
    reference, _ = reference_point(campaign, history.finished, explore=True)
    focused = Forecaster.fit(history, settings, outcomes=campaign.wanted_outcomes)
    room = plan_room(space, history, {}, robust=False, n_readings=1)
    search = Search(history, focused, reference, room=room, settings=settings, seed=seed)
    X = space.encode(conditions, forecaster.data.fill)
    values = [
        search.pick_from(part, 0).first_values for part in np.array_split(X, max(1, len(X) // 512))
    ]
    return forecasts, [float(v) for v in np.concatenate(values)]
