"""What the user is told of a batch: the order to run it, forecasts, reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.campaign.history import History, Run
from engine.errors import ModelError, marked
from engine.propose.batch import order_to_run
from engine.propose.best_runs import best_runs
from engine.propose.forecaster import Forecaster, fit_feasibility, outcomes_with_data
from engine.propose.reasons import Explainer, nearest_run
from engine.propose.request import Forecast, Suggestion
from engine.propose.task import Answer, Array, Task
from engine.propose.work_space import WorkSpace


@dataclass(frozen=True)
class Described:
    """A batch in the order to run it; ``expected``: of the best finished runs, by their ids."""

    suggestions: tuple[Suggestion, ...]
    expected: Mapping[int, Mapping[str, Forecast]]


def describe(task: Task, answer: Answer) -> Described:
    """Return the batch in the order to run it, each with its forecast and its reason."""
    space, history = task.space, task.history
    settings = answer.settings
    conditions = space.conditions_of(settings)
    last = _last_run(history)
    order = order_to_run(
        space, settings, None if last is None else space.settings_of([last.conditions])[0]
    )
    forecasts, explainer, expected = _forecasts(task, answer)
    p_success = _success(task, answer, settings)
    finished_settings = space.keys(run.conditions for run in history.finished)
    ambient = {
        # As a display would show it: a mean of readings has digits that no sensor has.
        p.name: float(f"{x:.6g}")
        for p, x in zip(space.ambient, task.room.typical, strict=True)
    }
    suggestions = []
    for place, row in enumerate(order):
        nearest, far = nearest_run(space, settings[row], history.finished)
        kind, reason = "space_filling", "fills the space: no model leads this batch"
        if answer.plugin is not None:
            kind, reason = "chosen_by_plugin", f"chosen by {answer.plugin.label}"
        # The guided ones come first in the answer.
        if row < answer.n_guided:
            kind, reason = "expected_by_sources", "sources expect a good trade-off here"
        if explainer is not None and answer.strategy != "sobol":
            kind, reason = explainer.reason(forecasts[row], p_success[row], nearest, far)
        # Last, as it is true whatever else the run is for.
        if space.key(settings[row]) in finished_settings:
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
    return Described(tuple(suggestions), expected)


def _last_run(history: History) -> Run | None:
    runs = [*history.finished, *history.failed]
    # By number, that is by when it was recorded: the spinneret stands as that run left it.
    return max(runs, key=lambda run: run.id or 0) if runs else None


def _forecasts(
    task: Task, answer: Answer
) -> tuple[list[dict[str, Forecast]], Explainer | None, Mapping[int, Mapping[str, Forecast]]]:
    """Forecast every outcome that has data, at the best runs, too, and prepare the reasons."""
    if not task.request.forecast:
        return [{} for _ in answer.settings], None, {}
    campaign, history = task.history.campaign, task.history
    forecaster, full = answer.forecaster, answer.full_forecaster
    forecasts: list[dict[str, Forecast]] = [{} for _ in answer.settings]
    try:
        outcomes = outcomes_with_data(history)
        # What led the batch was fitted to the outcomes it was asked for; people want all of them.
        covered = full.outcomes if full is not None else ()
        uncovered = tuple(name for name in outcomes if name not in covered)
        models = [full] if full is not None else []
        if uncovered:
            models.append(
                Forecaster.fit(history, task.settings, outcomes=uncovered, knowledge=task.knowledge)
            )
    except ModelError as error:
        # The settings stand without a forecast: a batch that fills the space needs none.
        task.notes.append(f"no forecasts: {marked(error)}")
        return forecasts, None, {}
    for model in models:
        for row, forecast in zip(
            forecasts, model.predict_in_room(answer.settings, task.room), strict=True
        ):
            row.update(forecast)
    forecasts = [{o: row[o] for o in campaign.outcomes if o in row} for row in forecasts]
    objectives = [objective.outcome for objective in campaign.objectives]
    best = _of_best(history, models)
    # Without a forecast of every objective there is no front to say anything about.
    if any(name not in outcomes for name in objectives):
        return forecasts, None, best
    runs = [run for run in history.finished if run.outcomes]
    # The one that chose knows every objective and constraint; the rest is not asked of all runs.
    expected = _expected_at([forecaster] if forecaster is not None else models, runs)
    work = WorkSpace.from_runs(campaign, history.finished)
    explainer = Explainer(campaign, runs, expected, level=task.settings.level, work=work)
    return forecasts, explainer, best


def _of_best(history: History, models: Sequence[Forecaster]) -> dict[int, dict[str, Forecast]]:
    runs = [run for run in best_runs(history) if run.id is not None]
    wanted = [objective.outcome for objective in history.campaign.objectives]
    return {
        run.id: {name: row[name] for name in wanted if name in row}
        for run, row in zip(runs, _expected_at(models, runs), strict=True)
        if run.id is not None
    }


def _expected_at(models: Sequence[Forecaster], runs: Sequence[Run]) -> list[dict[str, Forecast]]:
    expected: list[dict[str, Forecast]] = [{} for _ in runs]
    for model in models:
        for row, forecast in zip(
            expected, model.predict([r.conditions for r in runs]), strict=True
        ):
            row.update(forecast)
    return expected


def _success(task: Task, answer: Answer, settings: Array) -> list[float]:
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
