"""One batch: check the request, let the strategy choose, order, forecast, explain."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.campaign.history import History
from engine.errors import ModelError, field
from engine.propose.batch import DistinctLimits
from engine.propose.descriptions import describe
from engine.propose.outside import notes_on_outside
from engine.propose.request import (
    SOURCED_STRATEGIES,
    ProposeRequest,
    SuggestionBatch,
    checked,
)
from engine.propose.room import plan_room
from engine.propose.space import Space
from engine.propose.strategies import choose, sobol
from engine.propose.task import Task
from engine.propose.twins import twin_rule
from engine.workspace.settings import ProposeSettings

if TYPE_CHECKING:
    from engine.sources.knowledge import Knowledge


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

    >>> from engine.lab.virtual import nanofibre_campaign
    >>> request = ProposeRequest(n=2, seed=1, strategy="sobol", fixed={"voltage": 18})
    >>> batch = suggest(History(nanofibre_campaign(), ()), request, ProposeSettings())
    >>> [(run.order, run.conditions["voltage"], run.reason_kind) for run in batch.suggestions]
    [(1, 18.0, 'space_filling'), (2, 18.0, 'space_filling')]

    Raises:
        UsageError: the request cannot be met whatever the data say.
        ModelError: the data do not allow what was asked.
    """
    space = Space.of(history)
    request = checked(request, history.campaign)
    task = _task(history, request, settings, space, knowledge)
    if history.left_out is not None:
        task.notes.append(history.left_out)
    _refuse_exhausted(task)
    task.notes += notes_on_outside(space, history)
    answer = choose(task)
    # Limits such as max_distinct may leave less than a batch among the model's candidates, which
    # lie close together, and enough of the whole space.
    if len(answer.settings) < request.n and answer.strategy != "sobol":
        task.notes.append(
            "the limits leave too few new settings around the best ones; the batch fills the space."
        )
        answer = sobol(task)
    n_settings = len(answer.settings)
    if n_settings < request.n:
        raise ModelError(
            f"expected {request.n} settings that were not run yet, found {n_settings} within the "
            f"limits: ask for fewer, loosen {field('max_distinct')} or {field('fixed')}, or allow "
            f"{field('replicates')}."
        )
    started = time.perf_counter()
    described = describe(task, answer)
    task.seconds["explain"] = time.perf_counter() - started
    return SuggestionBatch(
        answer.strategy,
        request.seed,
        described.suggestions,
        # Once each, in the order said: several parts may have the same to say.
        tuple(dict.fromkeys(task.notes)),
        task.seconds,
        task.knowledge.sha256 if task.knowledge is not None else None,
        answer.forecaster.sources if answer.forecaster is not None else (),
        answer.forecaster.beliefs if answer.forecaster is not None else {},
        n_learnt=history.n_finished + len(history.failed),
        n_left_out=len(history.left_aside),
        expected=described.expected,
        plugin=answer.plugin,
    )


def _refuse_exhausted(task: Task) -> None:
    """Count what is left of a small grid before anything is fitted."""
    whole_grid = task.space.every_setting(task.request.fixed)
    if whole_grid is None or not len(whole_grid):
        return
    n_left = len(task.space.new_among(whole_grid, task.excluded))
    if n_left < task.request.n:
        raise ModelError(
            f"expected {task.request.n} settings that were not run yet: of the {len(whole_grid)} "
            f"that can be set {n_left} {'is' if n_left == 1 else 'are'} left. Ask for fewer, or "
            f"allow {field('replicates')}."
        )


def _task(
    history: History,
    request: ProposeRequest,
    settings: ProposeSettings,
    space: Space,
    knowledge: Knowledge | None,
) -> Task:
    runs = (*history.finished, *history.failed, *history.pending, *history.left_aside)
    # What is being spun is never proposed again, replicates or not: two people would spin it.
    excluded: set[tuple[int, ...]] = space.keys(run.conditions for run in history.pending)
    if not request.replicates:
        excluded = space.keys(run.conditions for run in runs)
    return Task(
        history,
        request,
        settings,
        space,
        plan_room(
            space, history, request.at, robust=request.robust, n_readings=settings.ambient_readings
        ),
        _limits(space, request.max_distinct),
        excluded,
        [],
        {},
        # A batch records what it was chosen with; `gp` must not name a surrogate it never asked.
        knowledge.within(history.campaign, space.reaches)
        if knowledge is not None and request.strategy in SOURCED_STRATEGIES
        else None,
    )


def _limits(space: Space, requested: Mapping[str, int]) -> DistinctLimits:
    limits = {i: p.max_distinct for i, p in enumerate(space.controlled) if p.max_distinct}
    # A request's limit replaces the campaign's, wider or narrower.
    limits.update({space.place_of(name): limit for name, limit in requested.items()})
    numeric = {i: p.resolution for i, p in enumerate(space.controlled) if p.is_numeric}
    absent = space.absent if space.is_conditional else None
    return DistinctLimits(limits, numeric, absent, twin_rule(space))
