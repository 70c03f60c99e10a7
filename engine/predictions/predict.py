"""What to expect of conditions, and what drives it: the surrogate asked, nothing recorded.

Notation
--------
==============  ======================================================================
remoteness      posterior ÷ prior standard deviation of the noise-free outcome under the
                fitted kernel, the median over outcomes: 0 where data say everything, 1
                where they say nothing
change          expected outcome at the upper end of a parameter's range − at the lower
                end, all else as asked (in a mixture: others make room): how it is
                driven there
span            the largest − the smallest expected outcome over that range
==============  ======================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from engine.campaign import Campaign, Parameter, Value
from engine.campaign.applicability import completed, without_surplus
from engine.campaign.numbers import written
from engine.compute import limit_threads
from engine.errors import UsageError, by_voice
from engine.experiments.conditions import check_conditions, outside_of
from engine.loop import knowledge_for, read_snapshot
from engine.propose.request import Forecast
from engine.workspace import Workspace
from surrogate.progress import Progress, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.campaign.history import History
    from engine.propose.forecaster import Forecaster
    from engine.propose.space import Space

    Array = NDArray[np.float64]

MAX_ROWS = 10_000
MAX_DRIVEN_ROWS = 100
"""Up to so many rows are also told what drives them: each asks the model some fifty times."""

POINTS = 9
REMOTE = 0.8
"""From this remoteness on a row is warned of: the data have taken a third of the doubt at most."""


@dataclass(frozen=True)
class Drive:
    """How one parameter drives one outcome at the asked conditions, over the parameter's range.

    ``change`` is signed, in the outcome's unit, and ``None`` for named choices; ``span`` is never
    negative. ``best`` is where the expected outcome is highest; ``is_monotone`` tells whether it
    only rises or only falls.
    """

    parameter: str
    span: float
    change: float | None
    best: Value
    is_monotone: bool


@dataclass(frozen=True)
class Prediction:
    """What is expected of one row of conditions.

    ``conditions`` holds every parameter, ``assumed`` names those that nobody stated. ``drives``:
    for each outcome the parameters, strongest first; empty where it was not asked.
    """

    conditions: Mapping[str, Value]
    assumed: tuple[str, ...]
    outcomes: Mapping[str, Forecast]
    p_success: float
    remoteness: float
    warnings: tuple[str, ...]
    drives: Mapping[str, tuple[Drive, ...]]


@dataclass(frozen=True)
class Predictions:
    """All rows, with what they rest on."""

    campaign: Campaign
    level: float
    n_finished: int
    rows: tuple[Prediction, ...]
    notes: tuple[str, ...]


def predict(
    workspace: Workspace,
    conditions: Sequence[Mapping[str, Value]],
    *,
    level: float | None = None,
    drives: bool = True,
    progress: Progress = silent,
) -> Predictions:
    """Predict the active campaign's outcomes at ``conditions``, from every result so far.

    Args:
        workspace: an open workspace.
        conditions: rows that hold every controlled parameter; a missing ambient one is taken to
            be the mean of the readings so far.
        level: of the intervals, in (0, 1); ``None``: the settings' word.
        drives: whether to tell what drives each row (for :data:`MAX_DRIVEN_ROWS` at most).
        progress: called at each part of the work.

    Raises:
        UsageError: no row, more than :data:`MAX_ROWS`, a level, name or value that cannot be.
        DataError: a controlled parameter is missing.
        ModelError: too few results to learn from.
    """
    _check(conditions, level)
    progress("reading the campaign")
    snapshot = read_snapshot(workspace)
    history = snapshot.history
    settings = workspace.settings.propose
    # Before the model is fitted; a misspelt name would be averaged over like one not stated.
    conditions = [check_conditions(snapshot.campaign, row) for row in conditions]
    progress("loading the numerical libraries")
    limit_threads(workspace.settings.compute.threads)
    from engine.propose.forecaster import Forecaster

    progress(f"learning from {history.n_finished} runs")
    knowledge = knowledge_for(snapshot.campaign, settings.strategy, snapshot.checkpoint)
    forecaster = Forecaster.fit(history, settings, knowledge=knowledge)
    progress(f"predicting {len(conditions)} rows")
    return ask(forecaster, history, conditions, level or settings.level, drives=drives)


def ask(
    forecaster: Forecaster,
    history: History,
    conditions: Sequence[Mapping[str, Value]],
    level: float,
    *,
    drives: bool = True,
) -> Predictions:
    """Ask a fitted forecaster; see :func:`predict`."""
    campaign = history.campaign
    conditions = [check_conditions(campaign, row) for row in conditions]
    forecasts = forecaster.predict(conditions, level)
    typical = {
        p.name: float(x) for p, x in zip(campaign.ambient, forecaster.data.fill, strict=True)
    }
    complete = [{**typical, **without_surplus(campaign.parameters, row)} for row in conditions]
    success = forecaster.p_success(complete)
    remote = remoteness(forecaster, complete)
    driven = drives and len(conditions) <= MAX_DRIVEN_ROWS
    drives_by_row = what_drives(forecaster, complete) if driven else [{}] * len(complete)
    rows = tuple(
        Prediction(
            conditions={p.name: full[p.name] for p in campaign.parameters if p.name in full},
            assumed=tuple(name for name in typical if name not in stated),
            outcomes=forecast,
            p_success=p,
            remoteness=far,
            warnings=(
                *_warnings(campaign, {**typical, **stated}, far),
                *_unknown(forecaster.space, full),
            ),
            drives=drive,
        )
        for stated, full, forecast, p, far, drive in zip(
            conditions, complete, forecasts, success, remote, drives_by_row, strict=True
        )
    )
    from engine.propose.learnable import unpredicted

    left_out = [] if history.left_out is None else [history.left_out]
    notes = [
        *left_out,
        *unpredicted(history, forecaster.outcomes),
        *forecaster.data.notes,
        *_assumed(campaign, rows, typical),
    ]
    if drives and not driven:
        notes.append(f"what drives them is told for up to {MAX_DRIVEN_ROWS} rows at a time.")
    return Predictions(campaign, level, history.n_finished, rows, tuple(notes))


def remoteness(forecaster: Forecaster, conditions: Sequence[Mapping[str, Value]]) -> list[float]:
    """Return how far from all data each of ``conditions`` is, 0 … 1 (see the notation)."""
    import numpy as np
    import torch

    from surrogate.gp import prior_variances

    X = forecaster.space.encode(conditions, forecaster.data.fill)
    _, posterior = forecaster.work_moments(X, with_noise=False)
    prior = prior_variances(forecaster.model, torch.from_numpy(X)).numpy()
    ratio = np.sqrt(np.clip(posterior / prior, 0.0, 1.0))
    return [float(x) for x in np.median(ratio, axis=1)]


def what_drives(
    forecaster: Forecaster, conditions: Sequence[Mapping[str, Value]]
) -> list[dict[str, tuple[Drive, ...]]]:
    """Vary each parameter over its range, the others as asked; strongest first by outcome.

    Constants drive nothing.

    Under parameter constraints (a mixture) the others cannot all stay: those that have to make
    room do, as little as they can, and the range is what the constraints leave. What is excluded
    is not asked: a parameter of which nothing is left drives nothing.

    ``conditions`` hold every parameter, ambient ones too.
    """
    campaign = forecaster.space.campaign
    constrained_rows = _constrained_points(campaign, conditions)
    lines = [
        {
            p.name: _allowed(
                campaign,
                p.name,
                constrained.get(p.name, [{**row, p.name: value} for value in _grid(p)]),
            )
            for p in campaign.parameters
            if not p.is_constant
        }
        for row, constrained in zip(conditions, constrained_rows, strict=True)
    ]
    points = [point for row in lines for line in row.values() for point in line]
    answers = iter(forecaster.predict(points))
    drives = []
    for row in lines:
        grids = {name: [point[name] for point in line] for name, line in row.items() if line}
        curves = {name: [next(answers) for _ in grid] for name, grid in grids.items()}
        drives.append(
            {outcome: _ranked(campaign, outcome, grids, curves) for outcome in forecaster.outcomes}
        )
    return drives


def _allowed(
    campaign: Campaign, name: str, points: Sequence[Mapping[str, Value]]
) -> list[dict[str, Value]]:
    """Return the points that the campaign does not exclude, where ``name`` has a value at all."""
    rows = [completed(campaign.parameters, point) for point in points]
    return [row for row in rows if name in row and not campaign.exclusions_of(row)]


def _constrained_points(
    campaign: Campaign, conditions: Sequence[Mapping[str, Value]]
) -> list[dict[str, list[dict[str, Value]]]]:
    """Return, row by row, the points to try of each parameter that the constraints name."""
    points: list[dict[str, list[dict[str, Value]]]] = [{} for _ in conditions]
    named = {name for rule in campaign.parameter_constraints for name in rule.terms}
    named = {name for name in named if not campaign.parameter(name).is_constant}
    if not named:
        return points
    import numpy as np

    from engine.predictions.feasible import FeasibleSet

    feasible = FeasibleSet(campaign)
    span = np.where(feasible.span > 0, feasible.span, 1.0)
    # No constraint names what has no value everywhere: anything may stand there.
    stand_ins = {name: campaign.parameter(name).stand_in for name in feasible.names}
    rows = [{**stand_ins, **row} for row in conditions]
    values = np.array([[float(row[name]) for name in feasible.names] for row in rows])
    places = (values - feasible.low) / span
    for name in sorted(named):
        lines = feasible.lines(places, feasible.names.index(name), POINTS)
        for row, line, by_name in zip(conditions, lines, points, strict=True):
            settings = feasible.low + line * feasible.span
            # What no constraint names stays as asked, outside its range, too.
            by_name[name] = [
                {
                    **row,
                    **{
                        component: float(value)
                        for component, value in zip(feasible.names, setting, strict=True)
                        if component in named
                    },
                }
                for setting in settings
            ]
    return points


def _ranked(
    campaign: Campaign,
    outcome: str,
    grids: Mapping[str, Sequence[Value]],
    curves: Mapping[str, Sequence[Mapping[str, Forecast]]],
) -> tuple[Drive, ...]:
    drives = [
        _drive(campaign.parameter(name), grid, [point[outcome].mean for point in curves[name]])
        for name, grid in grids.items()
    ]
    return tuple(sorted(drives, key=lambda drive: -drive.span))


def _drive(parameter: Parameter, grid: Sequence[Value], expected: Sequence[float]) -> Drive:
    steps = [b - a for a, b in pairwise(expected)]
    rises, falls = sum(s for s in steps if s > 0), -sum(s for s in steps if s < 0)
    span = max(expected) - min(expected)
    return Drive(
        parameter=parameter.name,
        span=span,
        change=None if parameter.is_categorical else expected[-1] - expected[0],
        best=grid[expected.index(max(expected))],
        is_monotone=not parameter.is_categorical and min(rises, falls) <= 0.1 * span,
    )


def _grid(parameter: Parameter) -> list[Value]:
    """Return where a parameter is tried: its choices, or points over its range, both ends too."""
    if parameter.choices is not None:
        return list(parameter.settable)
    return [parameter.value_at(i / (POINTS - 1)) for i in range(POINTS)]


def _check(conditions: Sequence[Mapping[str, Value]], level: float | None) -> None:
    if not conditions:
        raise UsageError("expected at least one row of conditions, got none")
    if len(conditions) > MAX_ROWS:
        raise UsageError(
            f"expected at most {MAX_ROWS} rows of conditions, got {len(conditions)}; split the file"
        )
    if level is not None and not 0.0 < level < 1.0:
        raise UsageError(
            f"expected a share above 0 and below 1 such as 0.9, got {level}", field="level"
        )


def _warnings(campaign: Campaign, conditions: Mapping[str, Value], remote: float) -> list[str]:
    warnings = outside_of(campaign, conditions)
    if remote >= REMOTE:
        warnings.append(
            f"far from all data: {remote:.0%} of the doubt without any data is left, so this is "
            "little more than the mean of the runs"
        )
    return warnings


def _unknown(space: Space, conditions: Mapping[str, Value]) -> list[str]:
    """Say of which values the model cannot know anything, as no run differs in them."""
    warnings = []
    for parameter in space.campaign.parameters:
        value = conditions.get(parameter.name)
        if value is None:
            continue
        if isinstance(value, str):
            code = list(parameter.choices or ()).index(value)
            is_known = code in space.reaches[parameter.name].codes
        else:
            is_known = bool(space.columns[parameter.name]) or parameter.is_inside(value)
        if not is_known:
            name = value if isinstance(value, str) else f"{value:g}"
            warnings.append(
                f"no run tells what {parameter.name} {name} does: the forecast is that of others"
            )
    return warnings


def _assumed(
    campaign: Campaign, rows: Sequence[Prediction], typical: Mapping[str, float]
) -> list[str]:
    notes = []
    for name, value in typical.items():
        n = sum(name in row.assumed for row in rows)
        if n:
            extent = "not stated" if len(rows) == 1 else f"not stated in {n} of {len(rows)} rows"
            notes.append(
                f"{name} {extent}: the mean of the readings stands in, {written(value, 4)} "
                f"{campaign.unit_of(name)}".rstrip()
                + f" ({by_voice(f'state it with --at {name}=VALUE', 'state it to do better')})."
            )
    return notes
