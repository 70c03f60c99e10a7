"""Figures for notebooks: those of report and page, as plotly objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from db.words import run_name
from engine.campaign import Campaign, Objective
from engine.campaign.front import front_mask
from engine.campaign.history import Run
from engine.errors import ModelError, UsageError
from engine.propose.request import Forecast, Suggestion
from engine.results.figures import Interval
from engine.results.fronts import Aim, FinishedPoint, Front, PendingPoint
from engine.results.material import condition_lines
from engine.results.plots import FRONT, PENDING, QUIET, Plot, front_plot

if TYPE_CHECKING:
    from engine.predictions.slices import Slice

_BAND = "rgba(27,149,156,0.18)"


def figure_of(plot: Plot) -> Any:
    """Return a figure of report or page as a plotly object on white paper."""
    figure = go.Figure(plot)
    figure.update_layout(template="plotly_white")
    return figure


def batch_figure(
    campaign: Campaign,
    numbered: Sequence[tuple[int | None, Suggestion]],
    finished: Sequence[Run],
) -> Any:
    """Draw a batch's expected outcomes beside finished runs, in the plane of two objectives.

    Raises:
        ModelError: the batch has no forecasts.
    """
    if not any(item.outcomes for _, item in numbered):
        raise ModelError(
            "nothing is expected of these runs yet: they fill the space until a model can be "
            "fitted; log their results, then propose again"
        )
    first, *further = campaign.objectives
    if not further:
        return _single(campaign, numbered, first)
    points = _finished_points(campaign, finished, first, further[0])
    pending = tuple(
        PendingPoint(
            _name(id_, item),
            _interval(item.outcomes[first.outcome]),
            _interval(item.outcomes[further[0].outcome]),
            condition_lines(campaign, item.conditions),
        )
        for id_, item in numbered
        if {first.outcome, further[0].outcome} <= item.outcomes.keys()
    )
    front = Front(
        Aim(first, campaign.heading(first.outcome)),
        Aim(further[0], campaign.heading(further[0].outcome)),
        points,
        pending,
        None,
    )
    return figure_of(front_plot(front))


def _finished_points(
    campaign: Campaign, finished: Sequence[Run], first: Objective, second: Objective
) -> tuple[FinishedPoint, ...]:
    runs = [run for run in finished if {first.outcome, second.outcome} <= run.outcomes.keys()]
    if not runs:
        return ()
    averages = [
        [sum(run.outcomes[o.outcome]) / len(run.outcomes[o.outcome]) for o in (first, second)]
        for run in runs
    ]
    on_front = front_mask(averages, (first, second))
    return tuple(
        FinishedPoint(
            run_name(run.id, run.label) or str(place),
            x,
            y,
            bool(best),
            condition_lines(campaign, run.conditions),
        )
        for place, (run, (x, y), best) in enumerate(zip(runs, averages, on_front, strict=True))
    )


def _single(
    campaign: Campaign, numbered: Sequence[tuple[int | None, Suggestion]], objective: Objective
) -> Any:
    forecast_runs = [(id_, item) for id_, item in numbered if objective.outcome in item.outcomes]
    intervals = [_interval(item.outcomes[objective.outcome]) for _, item in forecast_runs]
    figure = go.Figure(
        go.Scatter(
            x=[f"run {_name(id_, item)}" for id_, item in forecast_runs],
            y=[i.mean for i in intervals],
            mode="markers",
            marker={"color": PENDING, "size": 9},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [i.reach_up for i in intervals],
                "arrayminus": [i.reach_down for i in intervals],
            },
        )
    )
    figure.update_layout(
        template="plotly_white", yaxis_title=campaign.heading(objective.outcome), height=400
    )
    for edge in objective.edges:
        figure.add_hline(y=edge, line={"color": QUIET, "dash": "dot"})
    return figure


def slices_figure(
    campaign: Campaign, parameters: Sequence[str], cuts: dict[str, list[Slice]]
) -> Any:
    """Draw outcomes (rows) over parameters (columns): mean and interval, one axis for a row.

    ``cuts``: the slices of each outcome.

    Raises:
        UsageError: a parameter of which there is no slice.
    """
    by_name = {outcome: {cut.parameter: cut for cut in line} for outcome, line in cuts.items()}
    for name in parameters:
        if any(name not in line for line in by_name.values()):
            sliced = ", ".join(next(iter(by_name.values())))
            raise UsageError(f"expected one of {sliced}, got '{name}'", field="parameter")
    figure = make_subplots(
        rows=len(cuts), cols=len(parameters), shared_yaxes="rows", shared_xaxes="columns"
    )
    for row, outcome in enumerate(cuts, 1):
        for column, name in enumerate(parameters, 1):
            for trace in _band(by_name[outcome][name]):
                figure.add_trace(trace, row=row, col=column)
            if row == len(cuts):
                figure.update_xaxes(title_text=campaign.heading(name), row=row, col=column)
        figure.update_yaxes(title_text=campaign.heading(outcome), row=row, col=1)
    figure.update_layout(template="plotly_white", showlegend=False, height=120 + 240 * len(cuts))
    return figure


def _band(cut: Slice) -> list[Any]:
    x = [*cut.grid]
    return [
        go.Scatter(x=x, y=[*cut.upper], mode="lines", line={"width": 0}, hoverinfo="skip"),
        go.Scatter(
            x=x, y=[*cut.lower], mode="lines", line={"width": 0}, fill="tonexty",
            fillcolor=_BAND, hoverinfo="skip",
        ),
        go.Scatter(x=x, y=[*cut.mean], mode="lines+markers", line={"color": FRONT}),
    ]  # fmt: skip


def _name(id_: int | None, item: Suggestion) -> str:
    return str(item.order if id_ is None else id_)


def _interval(forecast: Forecast) -> Interval:
    return Interval(forecast.mean, forecast.lower, forecast.upper)
