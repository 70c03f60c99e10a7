"""The strategies by name: each takes a task and answers with settings."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from engine.propose.evidence import FEWEST_RUNS, weigh
from engine.propose.forecaster import Forecaster
from engine.propose.learnable import assess
from engine.propose.model_based import Search
from engine.propose.plugin_strategy import choose_by_plugin
from engine.propose.reach import measure_reach, reference_point
from engine.propose.request import SOURCED_STRATEGIES
from engine.propose.spacefilling import fill_space
from engine.propose.start import GUIDED_SHARE, guided_settings
from engine.propose.task import Answer, Array, Task
from engine.propose.work_space import WorkSpace
from engine.sources.spinning import spins
from engine.workspace.settings import Strategy
from surrogate.sourced import Heads
from surrogate.trust import trusted

if TYPE_CHECKING:
    from engine.campaign import Campaign
    from engine.propose.ax_surrogate import Guide


def choose(task: Task) -> Answer:
    """Let the requested strategy choose, by those outcomes that can be learnt.

    ``task.history`` is that of the campaign without the others afterwards. Before there are runs
    enough nothing is left out: what is missing or alike may well be so by chance.
    """
    strategy = cast(Strategy, task.request.strategy)
    n_failed = len(task.history.failed)
    if n_failed and not task.history.finished:
        task.notes.append(
            f"{'the only run' if n_failed == 1 else f'all {n_failed} runs'} so far failed: nothing "
            "but that can be learnt from them."
        )
    if strategy not in STRATEGIES:
        return choose_by_plugin(task)
    learnable = assess(task.history)
    if strategy != "sobol" and learnable.n_runs >= runs_to_lead(task):
        task.notes += learnable.notes()
        focus = learnable.focus
        if focus is None:
            return sobol(task)
        task.history = replace(task.history, campaign=focus)
    return STRATEGIES[strategy](task)


def runs_to_lead(task: Task) -> int:
    """Return the number of runs from which on a model may lead."""
    return max(len(task.space.free) + 1, FEWEST_RUNS, task.settings.cold_start)


def sobol(task: Task) -> Answer:
    """``sobol``: fill the space evenly; what others fall back to."""
    started = time.perf_counter()
    settings = _filling(task, task.request.n, chosen=np.empty((0, len(task.space.controlled))))
    task.seconds["search"] = time.perf_counter() - started
    return Answer(settings, "sobol")


def _model_led(task: Task) -> Answer:
    """``gp``, ``matmcl``, ``ax-matmcl``: a model searches, and may know what sources found."""
    history, request = task.history, task.request
    campaign = history.campaign
    learnable = assess(history)
    needed = runs_to_lead(task)
    heads = task.knowledge.heads(campaign.wanted_outcomes) if task.knowledge is not None else None
    if task.knowledge is None and request.strategy in SOURCED_STRATEGIES:
        task.notes.append(_without_sources(campaign))
    if heads is not None and learnable.n_runs < FEWEST_RUNS:
        return _source_guided(task, heads)
    if learnable.n_runs < needed:
        task.notes.append(
            f"cold start: the model leads from {needed} finished runs on, so far there "
            f"{learnable.counted}; the batch fills the space."
        )
        return sobol(task)
    started = time.perf_counter()
    forecaster, full_forecaster = Forecaster.fit_wanted(history, task.settings, task.knowledge)
    trusted = any(source.used for source in forecaster.sources)
    task.notes += forecaster.data.notes
    if task.settings.cold_start == 0 and not trusted:
        evidence = weigh(forecaster, len(campaign.objectives))
        if not evidence.suffices:
            task.notes.append(
                f"cold start: after {learnable.n_runs} runs the model predicts left-out runs no "
                f"better than their mean (R² {evidence.r2:.2f}, t {evidence.t:.1f}); the batch "
                "fills the space."
            )
            return sobol(task)
    task.seconds["fit"] = time.perf_counter() - started
    task.notes += measure_reach(campaign, history.finished).notes(explore=request.explore)
    if request.strategy == "ax-matmcl":
        return replace(_by_ax(task, forecaster), full_forecaster=full_forecaster)
    search = Search(
        history,
        forecaster,
        explore=request.explore,
        room=task.room,
        settings=task.settings,
        seed=request.seed,
    )
    picked = search.pick(request.n, excluded=task.excluded, limits=task.limits, fixed=request.fixed)
    task.seconds.update(picked.seconds)
    return Answer(picked.settings, request.strategy, picked.values, forecaster, full_forecaster)


def _without_sources(campaign: Campaign) -> str:
    match = spins(campaign)
    if match.is_spinning:
        return "no source to learn from: the plain Gaussian process leads."
    return (
        "neither the starter nor previews serve here, the plain Gaussian process leads: "
        f"{match.reason}."
    )


def _source_guided(task: Task, heads: Heads) -> Answer:
    """Before any result: half of the batch goes where sources expect the front.

    The other half fills the space beside it: nothing has borne the sources out yet.
    """
    started = time.perf_counter()
    request = task.request
    labs = task.knowledge.labs(task.history.campaign.wanted_outcomes) if task.knowledge else None
    guided = guided_settings(
        task.space,
        task.history.campaign,
        heads,
        labs,
        math.ceil(GUIDED_SHARE * request.n),
        room=task.room,
        settings=task.settings,
        seed=request.seed,
        excluded=task.excluded,
        limits=task.limits,
        fixed=request.fixed,
    )
    filling = _filling(task, request.n - len(guided), chosen=guided)
    task.seconds["search"] = time.perf_counter() - started
    task.notes.append(
        f"start: {len(guided)} of the batch {'lies' if len(guided) == 1 else 'lie'} where the "
        f"sources expect the best trade-offs, {len(filling)} fill the space."
    )
    return Answer(np.concatenate([guided, filling]), request.strategy, n_guided=len(guided))


def _filling(task: Task, n: int, *, chosen: Array) -> Array:
    """Return ``n`` settings that are even with all runs and with those chosen for the batch."""
    runs = (*task.history.finished, *task.history.failed, *task.history.pending)
    existing = task.space.settings_of([run.conditions for run in runs])
    return fill_space(
        task.space,
        n,
        task.request.seed,
        excluded=task.excluded | {task.space.key(row) for row in chosen},
        existing=np.concatenate([existing.reshape(-1, chosen.shape[1]), chosen]),
        limits=task.limits,
        fixed=task.request.fixed,
        chosen=list(chosen),
    )


def _ax_matmcl(task: Task) -> Answer:
    """As ``matmcl``, but Ax fits the surrogate and searches."""
    from engine.propose.ax_surrogate import check_columns

    check_columns(task.space)
    return _model_led(task)


def _by_ax(task: Task, forecaster: Forecaster) -> Answer:
    from engine.propose.ax_parameters import ax_space
    from engine.propose.ax_surrogate import Guide

    targets = [o.outcome for o in task.history.campaign.objectives if o.goal == "target"]
    if targets:
        task.notes.append(
            f"Ax learns the distance from the target of {', '.join(targets)} by itself; what "
            "sources found of it does not count here."
        )
    heads = None
    if task.knowledge is not None:
        # Ax searches within the bounds: the heads have to read its columns, not the model's.
        campaign = task.history.campaign
        reaches = ax_space(campaign, task.history).reaches
        heads = task.knowledge.within(campaign, reaches).heads(campaign.wanted_outcomes)
    believed = trusted(heads, [source.used for source in forecaster.sources])
    campaign, finished = task.history.campaign, task.history.finished
    work = WorkSpace.from_runs(campaign, finished)
    reference, _ = reference_point(campaign, finished, explore=task.request.explore, work=work)
    answer = _generated(task, Guide(believed, forecaster.outcomes, tuple(reference)))
    return replace(answer, strategy="ax-matmcl", forecaster=forecaster)


def _ax(task: Task) -> Answer:
    """``ax``: Ax's own generation."""
    task.notes += measure_reach(task.history.campaign, task.history.finished).notes()
    return _generated(task)


def _generated(task: Task, guide: Guide | None = None) -> Answer:
    from engine.propose.ax_adapter import generate_with_ax

    if not task.space.free:
        return sobol(task)
    answer = generate_with_ax(
        task.space,
        task.history,
        task.request.n,
        task.request.seed,
        room=task.room,
        excluded=task.excluded,
        limits=task.limits,
        fixed=task.request.fixed,
        guide=guide,
    )
    task.notes += answer.notes
    task.seconds["generate"] = answer.seconds
    return Answer(answer.settings, "ax")


def _nsga2(task: Task) -> Answer:
    from engine.propose.evolution import evolve

    task.notes += measure_reach(task.history.campaign, task.history.finished).notes()
    rows = task.space.settings_of([run.conditions for run in task.history.finished])
    n_outside = int((~task.space.is_searched(rows)).sum())
    if n_outside:
        task.notes.append(
            f"{'1 run' if n_outside == 1 else f'{n_outside} runs'} outside of what is searched "
            f"today {'is' if n_outside == 1 else 'are'} bred from at the nearest setting inside."
        )
    started = time.perf_counter()
    settings = evolve(
        task.space,
        task.history,
        task.request.n,
        task.request.seed,
        excluded=task.excluded,
        limits=task.limits,
        fixed=task.request.fixed,
    )
    task.seconds["search"] = time.perf_counter() - started
    return Answer(settings, "nsga2")


STRATEGIES: dict[Strategy, Callable[[Task], Answer]] = {
    "matmcl": _model_led,
    "gp": _model_led,
    "sobol": sobol,
    "ax": _ax,
    "ax-matmcl": _ax_matmcl,
    "nsga2": _nsga2,
}
