"""One batch: check the request, let the strategy choose, order, forecast, explain."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelError, UsageError, nearest_name
from engine.history import History, Run
from engine.propose.batch import DistinctLimits, order_to_run
from engine.propose.evidence import weigh
from engine.propose.explain import Explainer, nearest_run
from engine.propose.forecaster import Forecaster, fit_feasibility, outcomes_with_data
from engine.propose.model_based import Search, reference_point
from engine.propose.request import (
    SOURCED_STRATEGIES,
    Forecast,
    ProposeRequest,
    Suggestion,
    SuggestionBatch,
)
from engine.propose.room import Room, plan_room
from engine.propose.space import Space
from engine.propose.spacefilling import fill_space
from engine.propose.start import guided_settings
from engine.settings import ProposeSettings
from surrogate.sourced import Heads
from surrogate.trust import trusted

if TYPE_CHECKING:
    from engine.propose.ax_surrogate import Guide
    from engine.sources.knowledge import Knowledge

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
    knowledge: Knowledge | None


@dataclass(frozen=True)
class _Answer:
    settings: Array
    strategy: str
    values: tuple[float, ...] = ()
    forecaster: Forecaster | None = None
    whole: Forecaster | None = None
    """Of the wanted outcomes alone, and of all that were fitted with them."""
    n_guided: int = 0
    """So many of the settings, the first ones, lie where sources expect the front."""


def suggest(
    history: History,
    request: ProposeRequest,
    settings: ProposeSettings,
    knowledge: Knowledge | None = None,
) -> SuggestionBatch:
    """Choose the next ``request.n`` runs.

    Deterministic for a history, a request (with its seed), settings and knowledge, on one machine
    and one thread count. ``knowledge`` is what the sources say; only
    ``matmcl`` and ``ax-matmcl`` ask it.

    Raises:
        UsageError: the request cannot be met whatever the data say.
        ModelError: the data do not allow what was asked.
    """
    space = Space(history.campaign)
    task = _check(history, request, settings, space, knowledge)
    if history.left_out is not None:
        task.notes.append(history.left_out)
    answer = STRATEGIES[request.strategy](task)
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
        answer.strategy,
        request.seed,
        suggestions,
        tuple(dict.fromkeys(task.notes)),
        task.seconds,
        task.knowledge.sha256 if task.knowledge is not None else None,
        answer.forecaster.sources if answer.forecaster is not None else (),
        n_learnt=history.n_finished + len(history.failed),
        n_left_out=len(history.others),
    )


def _check(
    history: History,
    request: ProposeRequest,
    settings: ProposeSettings,
    space: Space,
    knowledge: Knowledge | None,
) -> _Task:
    if request.n < 1 or request.n > MAX_BATCH:
        raise UsageError(
            f"--n: expected a batch of 1 to {MAX_BATCH} runs, got {request.n}; "
            "a batch is what is spun before the next look at the results."
        )
    if request.strategy not in STRATEGIES:
        raise UsageError(
            f"--strategy: unknown strategy '{request.strategy}'."
            f"{nearest_name(request.strategy, STRATEGIES)} Known: {', '.join(STRATEGIES)}"
        )
    space.check_fixed(request.fixed)
    runs = (*history.finished, *history.failed, *history.pending, *history.others)
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
        knowledge if request.strategy in SOURCED_STRATEGIES else None,
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
    settings = _filling(task, task.request.n, chosen=np.empty((0, len(task.space.controlled))))
    task.seconds["search"] = time.perf_counter() - started
    return _Answer(settings, "sobol")


def _model_led(task: _Task) -> _Answer:
    """``gp``, ``matmcl``, ``ax-matmcl``: a model searches, and may know what sources found."""
    history, request = task.history, task.request
    campaign = history.campaign
    outcomes = campaign.wanted_outcomes
    n_finished = sum(all(o in run.outcomes for o in outcomes) for run in history.finished)
    needed = max(len(task.space.controlled) + 1, _FEWEST_RUNS, task.settings.cold_start)
    heads = task.knowledge.heads(outcomes) if task.knowledge is not None else None
    if task.knowledge is None and request.strategy in SOURCED_STRATEGIES:
        task.notes.append("no source to learn from: the plain Gaussian process leads.")
    if heads is not None and n_finished < _FEWEST_RUNS:
        return _source_guided(task, heads)
    if n_finished < needed:
        task.notes.append(
            f"cold start: the model leads from {needed} finished runs on, so far there "
            f"{'is 1' if n_finished == 1 else f'are {n_finished}'}; the batch fills the space."
        )
        return _sobol(task)
    started = time.perf_counter()
    reference, notes = reference_point(campaign, history.finished, explore=request.explore)
    forecaster, whole = Forecaster.fit_wanted(history, task.settings, task.knowledge)
    trusted = any(source.used for source in forecaster.sources)
    task.notes += [*notes, *forecaster.data.notes]
    if task.settings.cold_start == 0 and not trusted:
        evidence = weigh(forecaster, len(campaign.objectives))
        if not evidence.suffices:
            task.notes.append(
                f"cold start: after {n_finished} runs the model predicts left-out runs no better "
                f"than their mean (R² {evidence.r2:.2f}, t {evidence.t:.1f}); the batch fills the "
                "space."
            )
            return _sobol(task)
    task.seconds["fit"] = time.perf_counter() - started
    if request.strategy == "ax-matmcl":
        return replace(_by_ax(task, forecaster, heads, reference), whole=whole)
    search = Search(
        history, forecaster, reference, room=task.room, settings=task.settings, seed=request.seed
    )
    picked = search.pick(request.n, taken=task.taken, limits=task.limits, fixed=request.fixed)
    task.seconds.update(picked.seconds)
    return _Answer(picked.settings, request.strategy, picked.values, forecaster, whole)


def _source_guided(task: _Task, heads: Heads) -> _Answer:
    """Before any result: half of the batch goes where sources expect the front.

    The other half fills the space beside it: nothing has borne the sources out yet.
    """
    started = time.perf_counter()
    request = task.request
    guided = guided_settings(
        task.space,
        task.history.campaign,
        heads,
        (request.n + 1) // 2,
        room=task.room,
        settings=task.settings,
        seed=request.seed,
        taken=task.taken,
        limits=task.limits,
        fixed=request.fixed,
    )
    rest = _filling(task, request.n - len(guided), chosen=guided)
    task.seconds["search"] = time.perf_counter() - started
    task.notes.append(
        f"start: {len(guided)} of the batch {'lies' if len(guided) == 1 else 'lie'} where the "
        f"sources expect the best trade-offs, {len(rest)} fill the space."
    )
    return _Answer(np.concatenate([guided, rest]), request.strategy, n_guided=len(guided))


def _filling(task: _Task, n: int, *, chosen: Array) -> Array:
    """Return ``n`` settings that are even with all runs and with those chosen for the batch."""
    runs = (*task.history.finished, *task.history.failed, *task.history.pending)
    known = task.space.settings_of([run.conditions for run in runs])
    return fill_space(
        task.space,
        n,
        task.request.seed,
        taken=task.taken | {task.space.key(row) for row in chosen},
        known=np.concatenate([known.reshape(-1, chosen.shape[1]), chosen]),
        limits=task.limits,
        fixed=task.request.fixed,
        chosen=list(chosen),
    )


def _ax_matmcl(task: _Task) -> _Answer:
    """As ``matmcl``, but Ax fits the surrogate and searches."""
    from engine.propose.ax_surrogate import check_columns

    check_columns(task.space)
    return _model_led(task)


def _by_ax(
    task: _Task, forecaster: Forecaster, heads: Heads | None, reference: Sequence[float]
) -> _Answer:
    from engine.propose.ax_surrogate import Guide

    believed = trusted(heads, [source.used for source in forecaster.sources])
    answer = _ax(task, Guide(believed, forecaster.outcomes, tuple(reference)))
    return replace(answer, strategy="ax-matmcl", forecaster=forecaster)


def _ax(task: _Task, guide: Guide | None = None) -> _Answer:
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
        guide=guide,
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


STRATEGIES: dict[str, Callable[[_Task], _Answer]] = {
    "matmcl": _model_led,
    "gp": _model_led,
    "sobol": _sobol,
    "ax": _ax,
    "ax-matmcl": _ax_matmcl,
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
        if row < answer.n_guided:
            kind, reason = "expected_by_sources", "sources expect a good trade-off here"
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
    forecaster, whole = answer.forecaster, answer.whole
    forecasts: list[dict[str, Forecast]] = [{} for _ in answer.settings]
    try:
        outcomes = outcomes_with_data(history)
        done = whole.outcomes if whole is not None else ()
        rest = tuple(name for name in outcomes if name not in done)
        models = [whole] if whole is not None else []
        if rest:
            models.append(
                Forecaster.fit(history, task.settings, outcomes=rest, knowledge=task.knowledge)
            )
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
    # The one that chose knows every objective and constraint; the rest is not asked of all runs.
    expected = _expected_at([forecaster] if forecaster is not None else models, runs)
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
