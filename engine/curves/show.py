"""What was found on curves, as numbers to draw, and their drawing as a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from db.records import CurveRecord
from db.transaction import Transaction
from engine.campaign.numbers import written
from engine.curves.kept import evaluation_of, find_curve
from engine.curves.properties.elastic import Line
from engine.curves.properties.evaluate import Evaluation
from engine.errors import DataError, NotFoundError, place
from engine.workspace import Workspace
from engine.workspace.lookup import find_experiment
from surrogate.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 600
"""Points of a curve that are drawn: more than a screen is wide."""

_MOST_TEXTS = 6
_LINE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
# Okabe and Ito: told apart by people who see fewer colours.


@dataclass(frozen=True)
class Mark:
    """A straight line or a point on a drawing: x and y, (1,) or (2,)."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class ShownCurve:
    """A curve as it is drawn: x strain or extension, y stress or force."""

    record: CurveRecord
    name: str
    x_heading: str
    y_heading: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    outside: tuple[tuple[float, ...], tuple[float, ...]]
    """x and y of what lies outside the cut: slack, and what follows the end."""

    marks: tuple[Mark, ...]
    findings: tuple[str, ...]


def show_curves(
    tx: Transaction, workspace: Workspace, ids: Sequence[int], experiment: str | None = None
) -> list[ShownCurve]:
    """Return curves by their numbers, or those of a run that were not taken back.

    Raises:
        NotFoundError: no such curve or run, or the run has none.
        DataError: damaged samples.
    """
    if experiment is not None:
        records = curves_of_run(tx, workspace, experiment)
    else:
        records = [find_curve(tx, workspace, id_) for id_ in ids]
    return [shown_curve(tx, record) for record in records]


def curves_of_run(tx: Transaction, workspace: Workspace, experiment: str) -> list[CurveRecord]:
    """Return the curves of a run that were not taken back.

    Raises:
        NotFoundError: no such run, or it has none.
    """
    campaign, _ = workspace.active_campaign(tx)
    run = find_experiment(tx, campaign, experiment)
    records = [r for r in tx.curves.all_of(run.id) if not r.is_withdrawn]
    if not records:
        raise NotFoundError(f"experiment {run.name} has no curves")
    return records


def shown_curve(tx: Transaction, record: CurveRecord) -> ShownCurve:
    """Return a curve with what was found on it, thinned out to what a screen shows.

    Raises:
        DataError: damaged samples.
    """
    evaluation = evaluation_of(tx, record)
    curve, part = evaluation.curve, evaluation.cut
    inside = slice(part.start, part.end + 1)
    x, y = _thinned(curve.x[inside], curve.y[inside])
    outside = np.r_[0 : part.start, part.end + 1 : len(curve.x)]
    marks = () if record.is_withdrawn else tuple(_marks(evaluation))
    direction = f", {record.direction}" if record.direction else ""
    return ShownCurve(
        record,
        f"{record.specimen}{direction} ({record.replicate})",
        curve.x_heading,
        curve.y_heading,
        x,
        y,
        _thinned(curve.x[outside], curve.y[outside]),
        marks,
        ("taken back",) if record.is_withdrawn else evaluation.findings,
    )


def write_png(curves: Sequence[ShownCurve], path: Path) -> None:
    """Draw curves over one another, those of force apart from those of stress.

    Of a single one, all that was found on it is named.

    Raises:
        DataError: the file cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    by_axes: dict[tuple[str, str], list[ShownCurve]] = {}
    for curve in curves:
        by_axes.setdefault((curve.x_heading, curve.y_heading), []).append(curve)
    n = len(by_axes)
    with mpl.rc_context({"font.size": 9, "savefig.dpi": 160}):
        figure = Figure(figsize=(7.2, 0.8 + 4.0 * n), layout="constrained")
        panels = figure.subplots(n, 1, squeeze=False)[:, 0]
        for axes, ((x_heading, y_heading), group) in zip(panels, by_axes.items(), strict=True):
            _draw_group(axes, group)
            axes.set_xlabel(x_heading)
            axes.set_ylabel(y_heading)
        try:
            with whole_file(path) as draft:
                figure.savefig(draft, format="png")
        except OSError as error:
            raise DataError(
                f"{place(path)} cannot be written: {error.strerror or error}"
            ) from error


def _draw_group(axes: Axes, group: Sequence[ShownCurve]) -> None:
    is_alone = len(group) == 1
    for index, curve in enumerate(group):
        _draw(axes, curve, _LINE_COLOURS[index % len(_LINE_COLOURS)], is_alone=is_alone)
    axes.spines[["top", "right"]].set_visible(False)
    texts = [text for curve in group for text in _texts(curve, is_alone)]
    hidden = len(texts) - _MOST_TEXTS
    texts = texts[:_MOST_TEXTS] + ([f"… and {hidden} more"] if hidden > 0 else [])
    if texts:
        axes.set_title("\n".join(texts), fontsize=8, loc="left")
    axes.legend(frameon=False, fontsize=8)


def _draw(axes: Axes, curve: ShownCurve, colour: str, *, is_alone: bool) -> None:
    axes.plot(*curve.outside, ".", color="#bbbbbb", markersize=2)
    axes.plot(curve.x, curve.y, color=colour, linewidth=1.2, label=curve.name)
    for index, mark in enumerate(curve.marks):
        label = mark.label if is_alone else None
        if len(mark.x) == 1:
            axes.plot(mark.x, mark.y, "o^sDvP*X"[index % 8], color=colour if not is_alone else "k",
                      markersize=5, label=label)  # fmt: skip
        else:
            style = ":" if mark.label.startswith("tangent") else "--"
            axes.plot(mark.x, mark.y, style, color="#555555", linewidth=1.1, label=label)


def _texts(curve: ShownCurve, is_alone: bool) -> list[str]:
    return [text if is_alone else f"{curve.name}: {text}" for text in curve.findings]


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Keep of every group of samples the lowest and the highest, so that no peak is lost."""
    if len(x) <= MOST_POINTS:
        return tuple(x.tolist()), tuple(y.tolist())
    edges = np.linspace(0, len(x), MOST_POINTS // 2 + 1).astype(int)
    chosen: list[int] = [0, len(x) - 1]
    for first, last in pairwise(edges):
        chosen += [first + int(np.argmin(y[first:last])), first + int(np.argmax(y[first:last]))]
    order = sorted(set(chosen))
    return tuple(x[order].tolist()), tuple(y[order].tolist())


def _marks(evaluation: Evaluation) -> list[Mark]:
    """Return the lines and points that were found, of values that are not missing."""
    curve, part = evaluation.curve, evaluation.cut
    x, y = curve.x[part.start : part.end + 1], curve.y[part.start : part.end + 1]
    marks = []
    modulus = evaluation.value("elastic_modulus")
    if evaluation.line is not None and modulus is not None:
        label = f"elastic modulus {written(modulus, 4)} MPa"
        marks.append(_line_mark(label, evaluation.line, x, y))
    point = evaluation.yield_point
    if point is not None and evaluation.value("yield_strength") is not None:
        origin = evaluation.line.origin if evaluation.line is not None else float(x[0])
        label = f"yield {written(point.stress, 4)} MPa, {point.method}"
        marks.append(Mark(label, (point.strain + origin,), (point.stress,)))
    modulus = evaluation.value("tangent_modulus")
    if evaluation.hardening is not None and modulus is not None:
        line = evaluation.hardening
        window = (float(x[line.first]), float(x[line.last]))
        heights = tuple(float(line.at(end)) for end in window)
        marks.append(Mark(f"tangent modulus {written(modulus, 4)} MPa", window, heights))
    strength, elongation = evaluation.value("fracture_strength"), evaluation.value("elongation")
    if strength is not None and elongation is not None:
        label = f"fracture {written(strength, 4)} MPa at {written(elongation, 4)} %"
        marks.append(Mark(label, (elongation / 100 + evaluation.origin,), (strength,)))
    marks += [
        Mark("slipped", (float(curve.x[slip]),), (float(curve.y[slip]),)) for slip in part.slips[:3]
    ]
    return marks


def _line_mark(label: str, line: Line, x: np.ndarray, y: np.ndarray) -> Mark:
    # From its origin to the height of the curve's greatest stress, or not beyond the curve.
    top = min(line.origin + float(y.max()) / line.slope, float(x[-1]))
    ends = (line.origin, max(top, float(x[line.last])))
    return Mark(label, ends, tuple(float(line.at(end)) for end in ends))
