"""The page's figures: plain numbers in, plotly figures out.

Colours are chosen to be read on light and on dark paper; what differs (ink, grid) stands in
``THEMES``, which the page applies when it is drawn. Text that plotly would read as markup is
escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go

from engine.results.figures import Calibration, Front, Interval, Parallel, Progress
from engine.results.material import rounded

QUIET, FRONT, PENDING, FAILED = "#8393a3", "#dd7239", "#1b959c", "#c2506a"
SCALE = ((0.0, "#3f5b86"), (0.35, "#1b959c"), (0.7, "#d9a441"), (1.0, "#dd7239"))


def _theme(ink: str, muted: str, grid: str) -> dict[str, Any]:
    axis = {"gridcolor": grid, "linecolor": grid, "zerolinecolor": grid, "tickcolor": grid}
    return {
        "layout": {
            "font": {"color": ink},
            "xaxis": {**axis, "tickfont": {"color": muted}},
            "yaxis": {**axis, "tickfont": {"color": muted}},
            "hoverlabel": {"align": "left"},
        },
        "data": {
            "parcoords": [
                {
                    "labelfont": {"color": ink},
                    "tickfont": {"color": muted},
                    "rangefont": {"color": "rgba(0,0,0,0)"},
                    "unselected": {"line": {"color": grid, "opacity": 0.6}},
                }
            ]
        },
    }


THEMES = {
    "light": _theme(ink="#1f2b35", muted="#5d6a76", grid="#e4e1db"),
    "dark": _theme(ink="#e4eaee", muted="#9aa6b1", grid="#2d3840"),
}


def front_plot(front: Front) -> go.Figure:
    """Draw two objectives against each other: runs, front, awaited results, thresholds."""
    figure = _figure(height=460)
    rest = [p for p in front.finished if not p.on_front]
    best = [p for p in front.finished if p.on_front]
    corners = front.staircase()
    figure.add_scatter(
        x=[x for x, _ in corners],
        y=[y for _, y in corners],
        mode="lines",
        line={"color": FRONT, "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
    )
    for name, points, colour, size in (
        ("finished", rest, QUIET, 8),
        ("on the front", best, FRONT, 10),
    ):
        figure.add_scatter(
            name=name,
            x=[p.x for p in points],
            y=[p.y for p in points],
            mode="markers",
            marker={"color": colour, "size": size, "opacity": 0.85},
            text=[_hover(p.run, _pair(front, p.x, p.y), p.conditions) for p in points],
            hovertemplate="%{text}<extra></extra>",
        )
    if front.pending:
        figure.add_scatter(
            name=f"awaited, {front.level or 0:.0%} interval",
            x=[p.x.mean for p in front.pending],
            y=[p.y.mean for p in front.pending],
            error_x=_bars([p.x for p in front.pending]),
            error_y=_bars([p.y for p in front.pending]),
            mode="markers",
            marker={"color": PENDING, "size": 9, "symbol": "diamond"},
            text=[
                _hover(p.run, _pair(front, p.x.mean, p.y.mean), p.conditions) for p in front.pending
            ],
            hovertemplate="%{text}<extra>expected</extra>",
        )
    dotted = {"line_color": QUIET, "line_width": 1, "line_dash": "dot"}
    figure.add_vline(x=front.x.objective.threshold, **dotted)
    figure.add_hline(y=front.y.objective.threshold, **dotted)
    x_range, y_range = front.extent()
    figure.update_xaxes(title=_plain(front.x.heading), range=list(x_range))
    figure.update_yaxes(title=_plain(front.y.heading), range=list(y_range))
    return figure


def progress_plot(progress: Progress) -> go.Figure:
    """Draw the hypervolume after each run, with the batches and the failed runs."""
    figure = _figure(height=360)
    places = list(range(1, len(progress.runs) + 1))
    figure.add_scatter(
        x=[0, *places],
        y=[0.0, *progress.volumes],
        mode="lines",
        line={"color": FRONT, "width": 2.5, "shape": "hv"},
        fill="tozeroy",
        fillcolor="rgba(221,114,57,0.12)",
        text=["no run", *(f"run {_plain(run)}" for run in progress.runs)],
        hovertemplate="%{text}<br>%{y:,.4g}<extra></extra>",
        showlegend=False,
    )
    failed = [index for index, hit in enumerate(progress.failed) if hit]
    if failed:
        figure.add_scatter(
            name="failed run",
            x=[places[index] for index in failed],
            y=[progress.volumes[index] for index in failed],
            mode="markers",
            marker={"color": FAILED, "symbol": "x", "size": 8},
            text=[_plain(progress.runs[index]) for index in failed],
            hovertemplate="run %{text} failed<extra></extra>",
        )
    for place, name in progress.batches:
        figure.add_vline(
            x=place - 0.5,
            line_color=QUIET,
            line_width=1,
            line_dash="dot",
            annotation_text=_plain(name),
            annotation_position="top right",
            annotation_font_size=11,
            annotation_textangle=-90,
        )
    figure.update_xaxes(title="runs made")
    figure.update_yaxes(
        title=_plain(f"{progress_name(progress)} [{progress.unit}]"),
        range=[0.0, 1.18 * max(1e-9, *progress.volumes)],
    )
    return figure


def progress_name(progress: Progress) -> str:
    """Return what is counted: a volume, or for one objective a distance."""
    return "hypervolume" if progress.n_objectives > 1 else "best beyond the threshold"


def parallel_plot(parallel: Parallel) -> go.Figure:
    """Draw each finished run as a line over its conditions and objectives; axes can be brushed."""
    figure = _figure(height=420)
    figure.add_parcoords(
        dimensions=[
            {
                "label": _two_lines(column.heading),
                "values": list(column.values),
                "range": [column.low, column.high],
                **(
                    {
                        "tickvals": list(range(len(column.choices))),
                        "ticktext": [_plain(choice) for choice in column.choices],
                    }
                    if column.choices
                    else {}
                ),
            }
            for column in parallel.columns
        ],
        line={
            "color": list(parallel.colour.values),
            "colorscale": SCALE,
            "cmin": parallel.colour.low,
            "cmax": parallel.colour.high,
        },
        labelside="top",
    )
    figure.update_layout(margin={"l": 64, "r": 64, "t": 70, "b": 20})
    return figure


def calibration_plot(calibration: Calibration) -> go.Figure:
    """Draw predicted against measured for one outcome, with the intervals and the diagonal."""
    figure = _figure(height=270)
    points = calibration.points
    low = min(min(p.predicted.lower, p.measured) for p in points)
    high = max(max(p.predicted.upper, p.measured) for p in points)
    figure.add_scatter(
        x=[low, high],
        y=[low, high],
        mode="lines",
        line={"color": QUIET, "width": 1, "dash": "dot"},
        hoverinfo="skip",
    )
    for inside, colour in ((True, PENDING), (False, FAILED)):
        shown = [p for p in points if p.is_inside is inside]
        figure.add_scatter(
            x=[p.predicted.mean for p in shown],
            y=[p.measured for p in shown],
            error_x=_bars([p.predicted for p in shown]),
            mode="markers",
            marker={"color": colour, "size": 6},
            text=[
                _hover(
                    p.run,
                    (
                        f"expected {rounded(p.predicted.mean)}, {rounded(p.predicted.lower)} … "
                        f"{rounded(p.predicted.upper)}",
                        f"measured {rounded(p.measured)}",
                    ),
                    (),
                )
                for p in shown
            ],
            hovertemplate="%{text}<extra></extra>",
        )
    figure.update_layout(showlegend=False, margin={"l": 46, "r": 8, "t": 6, "b": 40})
    figure.update_xaxes(title={"text": "expected", "font": {"size": 12}, "standoff": 4})
    figure.update_yaxes(title={"text": "measured", "font": {"size": 12}, "standoff": 4})
    return figure


def _figure(height: int) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        template={},
        height=height,
        margin={"l": 60, "r": 16, "t": 16, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
    )
    return figure


def _bars(intervals: Iterable[Interval]) -> dict[str, Any]:
    intervals = list(intervals)
    return {
        "type": "data",
        "symmetric": False,
        "array": [i.above for i in intervals],
        "arrayminus": [i.below for i in intervals],
        "thickness": 1,
        "width": 0,
    }


def _pair(front: Front, x: float, y: float) -> tuple[str, str]:
    return f"{front.x.heading}: {rounded(x)}", f"{front.y.heading}: {rounded(y)}"


def _hover(run: str, lines: Iterable[str], conditions: Iterable[str]) -> str:
    shown = [f"<b>run {_plain(run)}</b>", *map(_plain, lines), *map(_plain, conditions)]
    return "<br>".join(shown)


def _two_lines(heading: str) -> str:
    """Break ``fracture_strength.longitudinal [MPa]`` where a reader would."""
    name, bracket, unit = _plain(heading).partition(" [")
    name, dot, direction = name.replace("_", " ").partition(".")
    rest = f"{direction} {bracket.strip()}{unit}".strip()
    return f"{name}<br>{rest}" if dot or rest else name


def _plain(text: str) -> str:
    """Escape what plotly reads as markup."""
    return html.escape(text, quote=False)
