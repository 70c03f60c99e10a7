"""The model's answers as pictures: slices through a setting, maps of two parameters, sensitivities.

Notation
--------
==========  ==============================================================================
slice       the expected outcome while one parameter runs over its range, all else as asked
map         the same while two run over theirs: mean and standard deviation, rows by y
sd          standard deviation of a new measurement, read off the interval's width
==========  ==============================================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from db.words import run_name
from engine.campaign import Campaign, Parameter, Value
from engine.campaign.applicability import completed
from engine.campaign.boxes import Box, boxes_outside
from engine.campaign.history import History
from engine.errors import UsageError, nearest_name
from engine.experiments.conditions import check_conditions
from engine.predictions.mixtures import keep_sums, on_the_grid, sums_of

if TYPE_CHECKING:
    from engine.predictions.sensitivity import Sensitivity
    from engine.propose.forecaster import Forecaster
    from engine.propose.request import Forecast

SLICE_POINTS = 25
MAP_POINTS = 21
_MOST_BOXES = 256
MOST_RUNS = 500
"""Of more, a slice shows the newest."""


@dataclass(frozen=True)
class Slice:
    """One parameter over its range: mean, lower and upper of the outcome at each grid value.

    ``excluded`` tells which of these settings the campaign excludes, or where the parameter has no
    value.
    """

    parameter: str
    grid: tuple[Value, ...]
    mean: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    excluded: tuple[bool, ...]


@dataclass(frozen=True)
class Map:
    """Two parameters over their ranges; the tables hold a row for each value of ``y``.

    ``excluded`` tells which of these settings the campaign excludes.
    """

    x: str
    y: str
    x_grid: tuple[Value, ...]
    y_grid: tuple[Value, ...]
    mean: tuple[tuple[float, ...], ...]
    sd: tuple[tuple[float, ...], ...]
    excluded: tuple[tuple[bool, ...], ...]


def slices(
    forecaster: Forecaster, conditions: Mapping[str, Value], outcome: str, level: float
) -> list[Slice]:
    """Vary each parameter that is no constant over its range, the others as asked.

    Where a sum binds it (a mixture), the others of that sum make up for it. A slice holds, at each
    value of its grid, mean and bounds in the outcome's unit.

    Raises:
        UsageError: the model does not know the outcome, or a name or value cannot be.
        DataError: a controlled parameter is missing.
    """
    campaign = forecaster.space.campaign
    check_outcome(forecaster, outcome)
    conditions = check_conditions(campaign, conditions)
    grids = {p.name: grid_of(p, SLICE_POINTS) for p in campaign.parameters if not p.is_constant}
    pairs = [
        (name, keep_sums(campaign, {**conditions, name: value}, fixed=[name]))
        for name, grid in grids.items()
        for value in grid
    ]
    rows = [completed(campaign.parameters, row) for _, row in pairs]
    answers = iter(forecaster.predict(rows, level))
    excluded = iter(
        [
            name not in row or bool(campaign.exclusions_of(row)) or _breaks_a_sum(campaign, row)
            for (name, _), row in zip(pairs, rows, strict=True)
        ]
    )
    cuts = []
    for name, grid in grids.items():
        line = [next(answers)[outcome] for _ in grid]
        cuts.append(
            Slice(
                name,
                tuple(grid),
                tuple(f.mean for f in line),
                tuple(f.lower for f in line),
                tuple(f.upper for f in line),
                tuple(next(excluded) for _ in grid),
            )
        )
    return cuts


def surface(
    forecaster: Forecaster, conditions: Mapping[str, Value], outcome: str, x: str, y: str
) -> Map:
    """Vary two parameters over their ranges, the others as asked.

    Raises:
        UsageError: the model does not know the outcome, or a parameter is not there, twice or a
            constant.
        DataError: a controlled parameter is missing.
    """
    campaign = forecaster.space.campaign
    check_outcome(forecaster, outcome)
    conditions = check_conditions(campaign, conditions)
    names = [p.name for p in campaign.parameters]
    for name in (x, y):
        if name not in names:
            raise UsageError(
                f"unknown parameter '{name}'.{nearest_name(name, names)} Known: {', '.join(names)}"
            )
    for name in (x, y):
        if campaign.parameter(name).is_constant:
            raise UsageError(
                f"expected two parameters that can vary, got '{name}', of which one value alone is "
                "searched"
            )
    if x == y:
        raise UsageError(f"expected two parameters for a map, got '{x}' twice")
    x_grid, y_grid = (grid_of(campaign.parameter(name), MAP_POINTS) for name in (x, y))
    rows = [
        completed(
            campaign.parameters, keep_sums(campaign, {**conditions, x: a, y: b}, fixed=[x, y])
        )
        for b in y_grid
        for a in x_grid
    ]
    level = 0.9
    flat = [answer[outcome] for answer in forecaster.predict(rows, level)]
    wide = len(x_grid)
    starts = range(0, len(flat), wide)
    lines = [flat[start : start + wide] for start in starts]
    excluded = [
        not {x, y} <= row.keys()
        or bool(campaign.exclusions_of(row))
        or _breaks_a_sum(campaign, row)
        for row in rows
    ]
    return Map(
        x,
        y,
        tuple(x_grid),
        tuple(y_grid),
        tuple(tuple(f.mean for f in line) for line in lines),
        tuple(tuple(sd_of(f, level) for f in line) for line in lines),
        tuple(tuple(excluded[start : start + wide]) for start in starts),
    )


def _breaks_a_sum(campaign: Campaign, row: Mapping[str, Value]) -> bool:
    return any(rule.operator == "==" for rule in campaign.broken_by(row))


def sensitivities(forecaster: Forecaster) -> Sensitivity:
    """Ask the model which parameter moves which outcome, over the whole design space."""
    from engine.predictions.sensitivity import sensitivity

    outcomes = list(forecaster.outcomes)

    def predict(conditions: Sequence[Mapping[str, Value]]) -> dict[str, list[float]]:
        forecasts = forecaster.predict(conditions)
        return {name: [row[name].mean for row in forecasts] for name in outcomes}

    return sensitivity(forecaster.space.campaign, outcomes, predict, n_samples=64)


@dataclass(frozen=True)
class MeasuredRun:
    """A finished run beside the model's line: where it was made, and the mean of the outcome."""

    id: int
    name: str
    conditions: Mapping[str, Value]
    value: float


def measured_runs(history: History, outcome: str, n: int = MOST_RUNS) -> list[MeasuredRun]:
    """Return the newest finished runs with results of an outcome, in its unit."""
    runs = [run for run in history.finished if run.id is not None and run.outcomes.get(outcome)]
    return [
        MeasuredRun(
            run.id or 0,
            run_name(run.id, run.label),
            run.conditions,
            sum(run.outcomes[outcome]) / len(run.outcomes[outcome]),
        )
        for run in sorted(runs, key=lambda run: run.id or 0)[-n:]
    ]


def sd_of(forecast: Forecast, level: float) -> float:
    """Return the standard deviation that an interval of this level speaks of.

    >>> from engine.propose.request import Forecast
    >>> round(sd_of(Forecast(mean=5.0, lower=3.04, upper=6.96), level=0.95), 3)
    1.0
    """
    return (forecast.upper - forecast.lower) / (2 * NormalDist().inv_cdf(0.5 + level / 2))


def grid_of(parameter: Parameter, n: int) -> list[Value]:
    """Return a parameter's choices that can be had, or ``n`` values over its range, both ends too.

    >>> grid_of(Parameter(name="voltage", unit="kV", low=10, high=20), 3)
    [10.0, 15.0, 20.0]
    """
    if parameter.choices is not None:
        return list(parameter.settable)
    if parameter.is_constant:
        return [parameter.bounds[0]]
    return [parameter.value_at(i / (n - 1)) for i in range(n)]


def check_outcome(forecaster: Forecaster, outcome: str) -> None:
    """Refuse an outcome that the model was not fitted to.

    Raises:
        UsageError: the message names those that it knows.
    """
    fitted = forecaster.outcomes
    if outcome not in fitted:
        raise UsageError(
            f"'{outcome}' is no outcome with results to learn from.{nearest_name(outcome, fitted)} "
            f"Known: {', '.join(fitted)}"
        )


def middle_of(campaign: Campaign) -> dict[str, Value]:
    """Return conditions in the middle of the ranges, on the instrument's settings.

    Where the middle is excluded, what is near it is not; a mixture's parts sum up.
    """
    middle = _middle_of(campaign)
    return on_the_grid(campaign, keep_sums(campaign, middle)) if sums_of(campaign) else middle


def _middle_of(campaign: Campaign) -> dict[str, Value]:
    conditions: dict[str, Value] = {}
    for parameter in campaign.parameters:
        if parameter.choices is not None:
            conditions[parameter.name] = parameter.settable[len(parameter.settable) // 2]
        else:
            conditions[parameter.name] = parameter.snap(parameter.value_at(0.5))
    if not campaign.exclusions_of(conditions):
        return conditions
    boxes = islice(boxes_outside(campaign.controlled, campaign.exclusions), _MOST_BOXES)
    nearest = [{**conditions, **_clipped(campaign, conditions, box)} for box in boxes]
    # Few parameters elsewhere than in the middle.
    return min(nearest, key=lambda row: sum(row[name] != conditions[name] for name in row))


def _clipped(campaign: Campaign, conditions: Mapping[str, Value], box: Box) -> dict[str, Value]:
    clipped: dict[str, Value] = {}
    for parameter, span in zip(campaign.controlled, box, strict=True):
        value = conditions[parameter.name]
        if isinstance(span, frozenset):
            choices = parameter.choices or ()
            codes = sorted(span)
            is_inside = any(choices[code] == value for code in codes)
            clipped[parameter.name] = value if is_inside else choices[codes[0]]
        else:
            clipped[parameter.name] = min(max(float(value), span[0]), span[1])
    return clipped


def fingerprint(history: History, *extras: Any) -> str:
    """Return what tells whether a model fitted to one history is that of another."""
    runs = [
        (run.id, sorted(run.conditions.items()), sorted(run.outcomes.items()))
        for part in (history.finished, history.failed)
        for run in part
    ]
    failed = [run.id for run in history.failed]
    content = repr((history.campaign.definition(), runs, failed, extras))
    return hashlib.sha256(content.encode()).hexdigest()
