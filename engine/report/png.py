"""The report's figures as PNG files, drawn by matplotlib: no browser, the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.campaign.numbers import written
from engine.predictions.sensitivity import Sensitivity
from engine.results.figures import (
    Growth,
    Interval,
    Parallel,
    calibration,
    hypervolume_growth,
    parallel,
)
from engine.results.fronts import Front, fronts
from engine.results.ledger import OutcomeScore
from engine.results.material import Material
from engine.results.plots import FAILED, FRONT, PENDING, QUIET, SCALE
from surrogate.private_files import make_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _MUTED, _GRID = "#1f2b35", "#5d6a76", "#e4e1db"
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.parse_math": False,  # a stored "$" is a dollar sign
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "legend.frameon": False,
    "savefig.dpi": 160,
    "figure.facecolor": "white",
    "figure.constrained_layout.w_pad": 0.12,
    "figure.constrained_layout.h_pad": 0.12,
}


def write_pictures(
    material: Material, folder: Path, sensitivity: Sensitivity | None = None
) -> list[Path]:
    """Write every figure there is data for into ``folder`` (made if need be); return the files."""
    import matplotlib as mpl

    make_folder(folder)
    with mpl.rc_context(_STYLE):
        drawn: dict[str, Figure] = {
            f"front-{place}" if place > 1 else "front": draw_front(front)
            for place, front in enumerate(fronts(material), start=1)
        }
        growth, lines, scores = (
            hypervolume_growth(material),
            parallel(material),
            calibration(material),
        )
        if growth.runs:
            drawn["progress"] = draw_progress(growth)
        if lines is not None:
            drawn["parallel"] = draw_parallel(lines)
        if scores:
            drawn["calibration"] = draw_calibration(scores)
        if sensitivity is not None:
            drawn["sensitivity"] = draw_sensitivity(sensitivity)
        files = []
        for name, figure in drawn.items():
            files.append(folder / f"{name}.png")
            figure.savefig(files[-1])
    return files


def draw_front(front: Front) -> Figure:
    """Draw two objectives against each other."""
    figure, axes = _canvas(7.5, 5.0)
    dominated = [p for p in front.finished if not p.on_front]
    best = [p for p in front.finished if p.on_front]
    corners = front.staircase()
    for edge in front.x.objective.edges:
        axes.axvline(edge, color=QUIET, linewidth=1, linestyle=":")
    for edge in front.y.objective.edges:
        axes.axhline(edge, color=QUIET, linewidth=1, linestyle=":")
    axes.plot([x for x, _ in corners], [y for _, y in corners], color=FRONT, linewidth=1.4)
    axes.scatter(
        [p.x for p in dominated], [p.y for p in dominated], s=28, color=QUIET, label="finished"
    )
    axes.scatter([p.x for p in best], [p.y for p in best], s=42, color=FRONT, label="on the front")
    if front.pending:
        x, y = [p.x for p in front.pending], [p.y for p in front.pending]
        axes.errorbar(
            [i.mean for i in x],
            [i.mean for i in y],
            xerr=([i.reach_down for i in x], [i.reach_up for i in x]),
            yerr=([i.reach_down for i in y], [i.reach_up for i in y]),
            fmt="D",
            color=PENDING,
            markersize=5,
            elinewidth=0.9,
            label=f"awaited, {front.level or 0:.0%} interval",
        )
    x_range, y_range = front.extent()
    axes.set_xlim(*x_range)
    axes.set_ylim(*y_range)
    axes.set_xlabel(front.x.heading)
    axes.set_ylabel(front.y.heading)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return figure


def draw_progress(growth: Growth) -> Figure:
    """Draw the hypervolume after each run."""
    figure, axes = _canvas(7.5, 4.0)
    places = range(len(growth.runs) + 1)
    volumes = [0.0, *growth.volumes]
    axes.fill_between(places, volumes, step="post", color=FRONT, alpha=0.12, linewidth=0)
    axes.step(places, volumes, where="post", color=FRONT, linewidth=2)
    failed = [index + 1 for index, hit in enumerate(growth.failed) if hit]
    if failed:
        heights = [volumes[index] for index in failed]
        axes.scatter(failed, heights, marker="x", color=FAILED, zorder=3, label="failed run")
        axes.legend(loc="lower right")
    axes.set_ylim(0, 1.18 * (max(growth.volumes, default=0.0) or 1.0))
    for place, name in growth.batches:
        axes.axvline(place - 0.5, color=QUIET, linewidth=0.9, linestyle=":")
        axes.text(
            place - 0.4, axes.get_ylim()[1], name, rotation=90, va="top", fontsize=8, color=_MUTED
        )
    axes.set_xlim(0, len(growth.runs))
    axes.set_xlabel(growth.counted)
    axes.set_ylabel(f"{growth.name} [{growth.unit}]")
    return figure


def draw_parallel(parallel: Parallel) -> Figure:
    """Draw each finished run as a line over its conditions and objectives."""
    from matplotlib.colors import LinearSegmentedColormap

    figure, axes = _canvas(1.6 + 1.25 * len(parallel.columns), 4.4)
    colours = LinearSegmentedColormap.from_list("runs", list(SCALE))
    span = parallel.colour.high - parallel.colour.low
    heights = list(
        zip(
            *([(v - c.low) / (c.high - c.low) for v in c.values] for c in parallel.columns),
            strict=True,
        )
    )
    for line, value, best in zip(heights, parallel.colour.values, parallel.on_front, strict=True):
        colour = colours((value - parallel.colour.low) / span)
        axes.plot(line, color=colour, linewidth=1.8 if best else 0.8, alpha=0.9 if best else 0.55)
    for place, column in enumerate(parallel.columns):
        axes.axvline(place, color=_MUTED, linewidth=0.8)
        ends = (column.choices[0], column.choices[-1]) if column.choices else (
            written(column.low, 4),
            written(column.high, 4),
        )  # fmt: skip
        axes.text(place, -0.03, ends[0], ha="center", va="top", fontsize=8, color=_MUTED)
        axes.text(place, 1.02, ends[1], ha="center", va="bottom", fontsize=8, color=_MUTED)
    axes.set_xticks(
        range(len(parallel.columns)),
        [_stacked(column.heading) for column in parallel.columns],
        fontsize=9,
        color=_INK,
    )
    axes.tick_params(axis="x", pad=14, length=0)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_ylim(-0.02, 1.02)
    return figure


def draw_calibration(scores: tuple[OutcomeScore, ...]) -> Figure:
    """Draw predicted against measured, one panel an outcome."""
    from matplotlib.figure import Figure

    n_columns = min(4, len(scores))
    n_rows = -(-len(scores) // n_columns)
    figure = Figure(figsize=(2.7 * n_columns + 0.6, 2.8 * n_rows + 0.3), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for panel in panels[len(scores) :]:
        panel.set_visible(False)
    for panel, score in zip(panels, scores, strict=False):
        _draw_scored(panel, score)
    return figure


def _draw_scored(axes: Axes, score: OutcomeScore) -> None:
    low = min(min(p.lower, p.measured) for p in score.points)
    high = max(max(p.upper, p.measured) for p in score.points)
    axes.plot([low, high], [low, high], color=QUIET, linewidth=0.9, linestyle=":")
    for is_inside, colour in ((True, PENDING), (False, FAILED)):
        side = [p for p in score.points if p.is_inside == is_inside]
        intervals = [Interval.predicted(p) for p in side]
        axes.errorbar(
            [i.mean for i in intervals],
            [p.measured for p in side],
            xerr=([i.reach_down for i in intervals], [i.reach_up for i in intervals]),
            fmt="o",
            color=colour,
            markersize=3.5,
            elinewidth=0.7,
        )
    axes.set_title(
        f"{_stacked(score.heading)}\n{score.coverage:.0%} inside {score.level:.0%} intervals",
        fontsize=8.5,
    )
    axes.set_xlabel("expected", fontsize=8.5)
    axes.set_ylabel("measured", fontsize=8.5)
    axes.tick_params(labelsize=8)


def draw_sensitivity(sensitivity: Sensitivity) -> Figure:
    """Draw the total share of each parameter in each outcome's variation."""
    from matplotlib.colors import LinearSegmentedColormap

    n_rows, n_columns = len(sensitivity.outcomes), len(sensitivity.parameters)
    figure, axes = _canvas(3.2 + 0.95 * n_columns, 1.0 + 0.38 * n_rows)
    shades = LinearSegmentedColormap.from_list("shares", ["#ffffff", PENDING])
    axes.imshow(sensitivity.total, cmap=shades, vmin=0, vmax=1, aspect="auto", alpha=0.75)
    for row in range(n_rows):
        for column in range(n_columns):
            share = sensitivity.total[row][column]
            axes.text(column, row, f"{share:.2f}", ha="center", va="center", fontsize=9)
    axes.set_xticks(range(n_columns), [name.replace("_", "\n") for name in sensitivity.parameters])
    axes.set_yticks(range(n_rows), sensitivity.outcome_headings)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    # `Figure` and not pyplot, which keeps every figure and looks for a screen.
    # https://matplotlib.org/stable/gallery/user_interfaces/web_application_server_sgskip.html
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _stacked(heading: str) -> str:
    name, bracket, unit = heading.partition(" [")
    name, _, direction = name.replace("_", " ").partition(".")
    second = f"{direction} {bracket.strip()}{unit}".strip()
    return f"{name}\n{second}" if second else name
