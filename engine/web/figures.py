"""Figures as plotly's own JSON: plain numbers, no colours. The page's script adds ink and paper."""

from __future__ import annotations

import html
from typing import Any

from engine.results.figures import _range
from engine.results.overview import Overview, Point

MOST_POINTS = 1500
"""Runs off the front that are drawn; of more, the newest. Every run of the front is."""


def front_figures(found: Overview) -> list[dict[str, Any]]:
    """Return a figure for each pair of neighbouring objectives; for one objective none."""
    objectives = found.campaign.objectives
    return [_front(found, i, i + 1) for i in range(min(3, len(objectives) - 1))]


def _front(found: Overview, i: int, j: int) -> dict[str, Any]:
    campaign = found.campaign
    x, y = campaign.objectives[i], campaign.objectives[j]
    rest = [point for point in found.points if not point.on_front]
    n_hidden = max(0, len(rest) - MOST_POINTS)
    rest = rest[-MOST_POINTS:]
    best = sorted(found.front, key=lambda point: point.means[i].mean)
    awaited = [
        one
        for one in found.awaited
        if x.outcome in one.predictions and y.outcome in one.predictions
    ]
    traces: list[dict[str, Any]] = [
        _runs("finished", rest, i, j, "quiet"),
        _runs("on the front", best, i, j, "front"),
    ]
    if len(campaign.objectives) == 2 and best:
        corners = _staircase(best, x.sign, i, j)
        traces.insert(
            0,
            {
                "type": "scatter",
                "mode": "lines",
                "x": [a for a, _ in corners],
                "y": [b for _, b in corners],
                "role": "front",
                "hoverinfo": "skip",
                "showlegend": False,
            },
        )
    if awaited:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "awaited, as predicted",
                "role": "awaited",
                "x": [one.predictions[x.outcome].mean for one in awaited],
                "y": [one.predictions[y.outcome].mean for one in awaited],
                "error_x": _interval([one.predictions[x.outcome] for one in awaited]),
                "error_y": _interval([one.predictions[y.outcome] for one in awaited]),
                "customdata": [f"/runs/{one.experiment.id}" for one in awaited],
                "text": [f"run {one.experiment.id}" for one in awaited],
                "hovertemplate": "%{text}<br>%{x:.4g}, %{y:.4g}<extra>expected</extra>",
            }
        )
    values = [
        (
            [p.means[k].mean for p in (*rest, *best)]
            + [one.predictions[o.outcome].mean for one in awaited],
            o,
        )
        for k, o in ((i, x), (j, y))
    ]
    return {
        "n_hidden": n_hidden,
        "data": traces,
        "layout": {
            "xaxis": {
                "title": {"text": named(campaign.heading(x.outcome))},
                "range": list(_range(values[0][0], x.threshold)),
            },
            "yaxis": {
                "title": {"text": named(campaign.heading(y.outcome))},
                "range": list(_range(values[1][0], y.threshold)),
            },
            "shapes": [
                {
                    "type": "line",
                    "x0": x.threshold,
                    "x1": x.threshold,
                    "y0": 0,
                    "y1": 1,
                    "yref": "paper",
                },
                {
                    "type": "line",
                    "y0": y.threshold,
                    "y1": y.threshold,
                    "x0": 0,
                    "x1": 1,
                    "xref": "paper",
                },
            ],
        },
    }


def named(heading: str) -> str:
    """Return a heading as an axis tells it: words for names, the unit kept."""
    name, bracket, unit = heading.partition(" [")
    return html.escape(name.replace(".", ", ").replace("_", " ") + bracket + unit)


def _plain(what: str, heading: str) -> str:
    """Return an axis of a small figure whose title stands above it: what, and the unit."""
    _, bracket, unit = heading.partition(" [")
    return html.escape(f"{what}{bracket}{unit}")


def _runs(name: str, points: list[Point], i: int, j: int, role: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "role": role,
        "x": [point.means[i].mean for point in points],
        "y": [point.means[j].mean for point in points],
        "error_x": _spread([point.means[i] for point in points]),
        "error_y": _spread([point.means[j] for point in points]),
        "customdata": [f"/runs/{point.id}" for point in points],
        "text": [f"run {html.escape(point.name)}" for point in points],
        "hovertemplate": "%{text}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
    }


def _spread(means: list[Any]) -> dict[str, Any]:
    if not any(mean.n > 1 for mean in means):
        return {"visible": False}
    return {
        "type": "data",
        "symmetric": False,
        "array": [mean.highest - mean.mean for mean in means],
        "arrayminus": [mean.mean - mean.lowest for mean in means],
        "thickness": 1,
        "width": 0,
    }


def _interval(said: list[Any]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, one.upper - one.mean) for one in said],
        "arrayminus": [max(0.0, one.mean - one.lower) for one in said],
        "thickness": 1,
        "width": 0,
    }


def _staircase(best: list[Point], sign: float, i: int, j: int) -> list[tuple[float, float]]:
    corners: list[tuple[float, float]] = []
    for point in best:
        x, y = point.means[i].mean, point.means[j].mean
        if corners:
            last_x, last_y = corners[-1]
            corners.append((last_x, y) if sign > 0 else (x, last_y))
        corners.append((x, y))
    return corners


def progress_figure(found: Overview) -> dict[str, Any]:
    """Return the hypervolume after each finished run; only the runs at which it grew are sent."""
    campaign = found.campaign
    is_one = len(campaign.objectives) == 1
    steps: list[tuple[int, int, float]] = []
    for place, (id_, volume) in enumerate(found.volumes, start=1):
        if not steps or volume != steps[-1][2] or place == len(found.volumes):
            steps.append((place, id_, volume))
    name = "best beyond the threshold" if is_one else "hypervolume"
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "role": "front",
                "line": {"shape": "hv", "width": 2.5},
                "fill": "tozeroy",
                "x": [0, *(place for place, _, _ in steps)],
                "y": [0.0, *(volume for _, _, volume in steps)],
                "text": ["no run", *(f"run {id_}" for _, id_, _ in steps)],
                "hovertemplate": "%{text}<br>%{y:,.4g}<extra></extra>",
                "showlegend": False,
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "finished runs"}, "rangemode": "tozero"},
            "yaxis": {
                "title": {"text": html.escape(f"{name} [{found.unit}]" if found.unit else name)},
                "rangemode": "tozero",
            },
        },
    }


def calibration_figure(heading: str, points: list[tuple[str, float, float, float, float]]) -> Any:
    """Return predicted against measured; points are run, mean, lower, upper, measured."""
    low = min(min(p[2], p[4]) for p in points)
    high = max(max(p[3], p[4]) for p in points)
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "role": "quiet",
                "x": [low, high],
                "y": [low, high],
                "hoverinfo": "skip",
                "line": {"dash": "dot", "width": 1},
                "showlegend": False,
            },
            *(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "role": role,
                    "name": name,
                    "x": [p[1] for p in shown],
                    "y": [p[4] for p in shown],
                    "error_x": {
                        "type": "data",
                        "symmetric": False,
                        "array": [max(0.0, p[3] - p[1]) for p in shown],
                        "arrayminus": [max(0.0, p[1] - p[2]) for p in shown],
                        "thickness": 1,
                        "width": 0,
                    },
                    "text": [f"run {html.escape(p[0])}" for p in shown],
                    "hovertemplate": "%{text}<br>%{x:.4g} → %{y:.4g}<extra></extra>",
                }
                for name, role, shown in (
                    ("inside", "awaited", [p for p in points if p[2] <= p[4] <= p[3]]),
                    ("outside", "failed", [p for p in points if not p[2] <= p[4] <= p[3]]),
                )
            ),
        ],
        "layout": {
            "xaxis": {"title": {"text": _plain("expected", heading)}},
            "yaxis": {"title": {"text": _plain("measured", heading)}},
        },
    }
