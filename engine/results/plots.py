"""Figures as plotly draws them: plain numbers in, plotly's own JSON out.

One builder serves the report and the pages. The report's figures are painted here; those of a page
name the role of each trace, and the page's script adds ink and paper. The report's colours are
chosen to be read on light and on dark paper; what differs (ink, grid) stands in ``THEMES``, which
its script applies when it is drawn. Text that plotly would read as markup is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from engine.results.figures import Growth, Interval, Parallel
from engine.results.fronts import FinishedPoint, Front, PendingPoint
from engine.results.ledger import OutcomeScore
from engine.results.material import rounded

Plot = dict[str, Any]
"""A figure: ``data``, a list of traces, and ``layout``."""

Trace = dict[str, Any]
Medium = Literal["report", "page"]
"""Where a figure is shown: painted here for the report, by its script on a page."""

QUIET, FRONT, PENDING, FAILED = "#8393a3", "#dd7239", "#1b959c", "#c2506a"
SCALE = ((0.0, "#3f5b86"), (0.35, "#1b959c"), (0.7, "#d9a441"), (1.0, "#dd7239"))
_PAINTS = {"quiet": QUIET, "front": FRONT, "awaited": PENDING, "failed": FAILED}
_FILL = "rgba(221,114,57,0.12)"


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


def front_plot(front: Front, medium: Medium = "report") -> Plot:
    """Draw two objectives against each other: runs, front, awaited results, thresholds.

    >>> from engine.campaign import Objective
    >>> from engine.results.fronts import Aim
    >>> x, y = (Objective(outcome=name, threshold=0.0) for name in ("strength", "stretch"))
    >>> points = (FinishedPoint("1", 1.0, 3.0, True), FinishedPoint("2", 0.5, 2.0, False))
    >>> front = Front(Aim(x, "strength [MPa]"), Aim(y, "stretch [%]"), points, (), None)
    >>> [trace["role"] for trace in front_plot(front, "page")["data"]]
    ['front', 'quiet', 'front']
    """
    corners = front.staircase()
    dominated = [p for p in front.finished if not p.on_front]
    best = [p for p in front.finished if p.on_front]
    traces = [
        {
            **_lines("front", [x for x, _ in corners], [y for _, y in corners]),
            "line": {"width": 1.5},
            "hoverinfo": "skip",
            "showlegend": False,
        },
        _runs(front, "finished", dominated, role="quiet", size=8),
        _runs(front, "on the front", best, role="front", size=10),
    ]
    if front.pending:
        traces.append(_pending(front))
    x_range, y_range = front.extent(with_intervals=medium == "report")
    layout = {
        "xaxis": {"title": {"text": _axis_title(front.x.heading, medium)}, "range": list(x_range)},
        "yaxis": {"title": {"text": _axis_title(front.y.heading, medium)}, "range": list(y_range)},
        "shapes": [
            *map(_upright, front.x.objective.edges),
            *map(_level_line, front.y.objective.edges),
        ],
    }
    return _finished(traces, layout, medium, height=460)


def progress_plot(growth: Growth, medium: Medium = "report") -> Plot:
    """Draw the dominated hypervolume after each run, with the batches and the failed runs.

    A page is sent only the runs at which it grew.
    """
    steps = growth.steps()
    if medium == "report":
        steps = [
            (place, run, volume)
            for place, (run, volume) in enumerate(
                zip(growth.runs, growth.volumes, strict=True), start=1
            )
        ]
    traces = [
        {
            **_lines(
                "front", [0, *(place for place, _, _ in steps)], [0.0, *(v for _, _, v in steps)]
            ),
            "line": {"shape": "hv", "width": 2.5},
            "fill": "tozeroy",
            "text": ["no run", *(f"run {_plain(run)}" for _, run, _ in steps)],
            "hovertemplate": "%{text}<br>%{y:,.4~r}<extra></extra>",
            "showlegend": False,
        }
    ]
    failed = [index for index, is_failed in enumerate(growth.failed) if is_failed]
    if failed:
        traces.append(
            {
                **_markers("failed", [index + 1 for index in failed]),
                "name": "failed run",
                "y": [growth.volumes[index] for index in failed],
                "marker": {"symbol": "x", "size": 8},
                "text": [_plain(growth.runs[index]) for index in failed],
                "hovertemplate": "run %{text} failed<extra></extra>",
            }
        )
    title = f"{growth.name} [{growth.unit}]" if growth.unit else growth.name
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": growth.counted}},
        "yaxis": {"title": {"text": _plain(title)}},
        "shapes": [_upright(place - 0.5) for place, _ in growth.batches],
        "annotations": [_batch_name(place, name) for place, name in growth.batches],
    }
    if medium == "report":
        # Head-room for the batches' names.
        layout["yaxis"]["range"] = [0.0, 1.18 * (max(growth.volumes, default=0.0) or 1.0)]
    else:
        layout["xaxis"]["rangemode"] = layout["yaxis"]["rangemode"] = "tozero"
    return _finished(traces, layout, medium, height=360)


def parallel_plot(parallel: Parallel) -> Plot:
    """Draw each finished run as a line over its conditions and objectives; axes can be brushed."""
    dimensions = []
    for column in parallel.columns:
        dimension: dict[str, Any] = {
            "label": _two_lines(column.heading),
            "values": list(column.values),
            "range": [column.low, column.high],
        }
        if column.choices:
            dimension["tickvals"] = list(range(len(column.choices)))
            dimension["ticktext"] = [_plain(choice) for choice in column.choices]
        dimensions.append(dimension)
    line = {
        "color": list(parallel.colour.values),
        "colorscale": [list(step) for step in SCALE],
        "cmin": parallel.colour.low,
        "cmax": parallel.colour.high,
    }
    trace = {"type": "parcoords", "dimensions": dimensions, "line": line, "labelside": "top"}
    margin = {"l": 64, "r": 64, "t": 70, "b": 20}
    return {"data": [trace], "layout": {**_paper(height=420), "margin": margin}}


def calibration_plot(
    score: OutcomeScore,
    run_names: Mapping[int, str] | None = None,
    medium: Medium = "report",
    *,
    newest: int | None = None,
) -> Plot:
    """Draw predicted against measured for one outcome, with the intervals and the diagonal.

    Args:
        score: at least one prediction with its measurement.
        run_names: how runs are called, by id; else by their ids.
        medium: where it is shown.
        newest: so many of the points at most, the newest.
    """
    points = score.points if newest is None else score.points[-newest:]
    low = min(min(p.lower, p.measured) for p in points)
    high = max(max(p.upper, p.measured) for p in points)
    traces = [
        {
            **_lines("quiet", [low, high], [low, high]),
            "line": {"width": 1, "dash": "dot"},
            "hoverinfo": "skip",
            "showlegend": False,
        }
    ]
    for name, role, is_inside in (("inside", "awaited", True), ("outside", "failed", False)):
        side = [p for p in points if p.is_inside == is_inside]
        labels = [(run_names or {}).get(p.experiment_id, str(p.experiment_id)) for p in side]
        trace = {
            **_markers(role, [p.mean for p in side]),
            "name": name,
            "y": [p.measured for p in side],
            "error_x": _bars([Interval.predicted(p) for p in side]),
        }
        if medium == "report":
            trace["marker"] = {"size": 6}
            trace["text"] = [
                _hover(
                    label,
                    (
                        f"expected {rounded(p.mean)}, {rounded(p.lower)} … {rounded(p.upper)}",
                        f"measured {rounded(p.measured)}",
                    ),
                )
                for label, p in zip(labels, side, strict=True)
            ]
            trace["hovertemplate"] = "%{text}<extra></extra>"
        else:
            trace["text"] = [f"run {_plain(label)}" for label in labels]
            trace["hovertemplate"] = "%{text}<br>%{x:.4~r} → %{y:.4~r}<extra></extra>"
        traces.append(trace)
    if medium == "page":
        _, bracket, unit = score.heading.partition(" [")
        titles = [{"text": _plain(f"{word}{bracket}{unit}")} for word in ("expected", "measured")]
        axes = {"xaxis": {"title": titles[0]}, "yaxis": {"title": titles[1]}}
        return _finished(traces, axes, medium, height=270)
    small: dict[str, Any] = {"font": {"size": 12}, "standoff": 4}
    layout: dict[str, Any] = {
        "showlegend": False,
        "margin": {"l": 46, "r": 8, "t": 6, "b": 40},
        "xaxis": {"title": {"text": "expected", **small}},
        "yaxis": {"title": {"text": "measured", **small}},
    }
    return _finished(traces, layout, medium, height=270)


def _runs(
    front: Front, name: str, points: Sequence[FinishedPoint], *, role: str, size: int
) -> Trace:
    trace: Trace = {
        **_markers(role, [p.x for p in points]),
        "name": name,
        "y": [p.y for p in points],
        "marker": {"size": size, "opacity": 0.85},
        **_labels(front, points, [(p.x, p.y) for p in points], extra=""),
    }
    spreads = [p.spread for p in points if p.spread is not None]
    for place, bars in enumerate(("error_x", "error_y")):
        if any(spread[place].lower < spread[place].upper for spread in spreads):
            trace[bars] = _bars(spread[place] for spread in spreads)
    return trace


def _pending(front: Front) -> Trace:
    points = front.pending
    promise = "as predicted" if front.level is None else f"{front.level:.0%} interval"
    return {
        **_markers("awaited", [p.x.mean for p in points]),
        "name": f"pending, {promise}",
        "y": [p.y.mean for p in points],
        "error_x": _bars([p.x for p in points]),
        "error_y": _bars([p.y for p in points]),
        "marker": {"size": 9, "symbol": "diamond"},
        **_labels(front, points, [(p.x.mean, p.y.mean) for p in points], extra="expected"),
    }


def _labels(
    front: Front,
    points: Sequence[FinishedPoint | PendingPoint],
    places: Sequence[tuple[float, float]],
    *,
    extra: str,
) -> Trace:
    """Return what is shown of each run under the pointer, and where a click leads."""
    if any(point.link for point in points):
        return {
            "customdata": [point.link for point in points],
            "text": [f"run {_plain(point.run)}" for point in points],
            "hovertemplate": f"%{{text}}<br>%{{x:.4~r}}, %{{y:.4~r}}<extra>{extra}</extra>",
        }
    texts = []
    for point, (x, y) in zip(points, places, strict=True):
        values = f"{front.x.heading}: {rounded(x)}", f"{front.y.heading}: {rounded(y)}"
        texts.append(_hover(point.run, (*values, *point.conditions)))
    return {"text": texts, "hovertemplate": f"%{{text}}<extra>{extra}</extra>"}


def _lines(role: str, x: Sequence[float], y: Sequence[float]) -> Trace:
    return {"type": "scatter", "mode": "lines", "role": role, "x": list(x), "y": list(y)}


def _markers(role: str, x: Sequence[float]) -> Trace:
    return {"type": "scatter", "mode": "markers", "role": role, "x": list(x)}


def _upright(x: float) -> dict[str, Any]:
    return {"type": "line", "x0": x, "x1": x, "xref": "x", "y0": 0, "y1": 1, "yref": "paper"}


def _level_line(y: float) -> dict[str, Any]:
    return {"type": "line", "y0": y, "y1": y, "yref": "y", "x0": 0, "x1": 1, "xref": "paper"}


def _batch_name(place: int, name: str) -> dict[str, Any]:
    return {
        "text": _plain(name),
        "textangle": -90,
        "font": {"size": 11},
        "showarrow": False,
        "x": place - 0.5,
        "xref": "x",
        "xanchor": "left",
        "y": 1,
        "yref": "paper",
        "yanchor": "top",
    }


def _finished(traces: list[Trace], layout: dict[str, Any], medium: Medium, height: int) -> Plot:
    """Return the figure: painted for the report, else with the traces' roles."""
    if medium == "page":
        # Sizes and symbols go with the roles there.
        bare = [{key: part for key, part in t.items() if key != "marker"} for t in traces]
        return {"data": bare, "layout": layout}
    shapes = [
        {**shape, "line": {"color": QUIET, "width": 1, "dash": "dot"}}
        for shape in layout.get("shapes", [])
    ]
    return {
        "data": [_painted(trace) for trace in traces],
        "layout": {**_paper(height), **layout, "shapes": shapes},
    }


def _painted(trace: Trace) -> Trace:
    painted = {key: part for key, part in trace.items() if key != "role"}
    colour = _PAINTS[trace["role"]]
    brush = "line" if trace["mode"] == "lines" else "marker"
    painted[brush] = {"color": colour, **trace.get(brush, {})}
    if "fill" in trace:
        painted["fillcolor"] = _FILL
    return painted


def _paper(height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 60, "r": 16, "t": 16, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "hovermode": "closest",
    }


def _bars(intervals: Iterable[Interval]) -> dict[str, Any]:
    intervals = list(intervals)
    return {
        "type": "data",
        "symmetric": False,
        "array": [i.reach_up for i in intervals],
        "arrayminus": [i.reach_down for i in intervals],
        "thickness": 1,
        "width": 0,
    }


def _hover(run: str, lines: Iterable[str]) -> str:
    return "<br>".join([f"<b>run {_plain(run)}</b>", *map(_plain, lines)])


def _axis_title(heading: str, medium: Medium) -> str:
    """Return a heading as an axis tells it; on a page words for names, the unit kept."""
    if medium == "report":
        return _plain(heading)
    name, bracket, unit = heading.partition(" [")
    return _plain(name.replace(".", ", ").replace("_", " ") + bracket + unit)


def _two_lines(heading: str) -> str:
    """Break ``fracture_strength.longitudinal [MPa]`` where a reader would."""
    name, bracket, unit = _plain(heading).partition(" [")
    name, dot, direction = name.replace("_", " ").partition(".")
    second = f"{direction} {bracket.strip()}{unit}".strip()
    return f"{name}<br>{second}" if dot or second else name


def _plain(text: str) -> str:
    """Escape what plotly reads as markup."""
    return html.escape(text, quote=False)
