"""The report as one HTML page: styles, script, figures and plotly inlined, no network needed.

Every word that comes from the database passes the template's escaping; figures travel as JSON whose
``<`` are written ``\\u003c``, so that no stored text can end a script element.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from db.records import Status
from engine import __version__
from engine.errors import spell
from engine.predictions.sensitivity import Sensitivity
from engine.report.curves import CurveSection
from engine.report.previews import PreviewSection
from engine.report.tables import NEWEST, batches_table, best_table, calibration_table, runs_table
from engine.results import plots
from engine.results.figures import (
    Growth,
    calibration,
    hypervolume_growth,
    on_front_ids,
    parallel,
    wilson,
)
from engine.results.fronts import fronts
from engine.results.ledger import OutcomeScore
from engine.results.material import Material, rounded, run_names

_TEMPLATES = Path(__file__).with_name("template")


@dataclass(frozen=True)
class _Figure:
    """A figure as the template wants it; ``wide`` ones scroll sideways on narrow screens."""

    name: str
    caption: str
    json: str
    height: int
    wide: bool = False


@dataclass(frozen=True)
class _Tile:
    name: str
    value: str
    unit: str = ""


def render_page(
    material: Material,
    *,
    sensitivity: Sensitivity | None = None,
    remark: str | None = None,
    previews: PreviewSection | None = None,
    curves: CurveSection | None = None,
    written: datetime | None = None,
) -> str:
    """Return the page.

    Args:
        material: what the campaign knows.
        sensitivity: indices of the fitted model, if there is one.
        remark: why there is no sensitivity, or what to know of it.
        previews: the mats to expect, and the mats that came.
        curves: the tensile curves of the best and the newest runs.
        written: the time shown; now by default.
    """
    from plotly.offline import get_plotlyjs

    growth, scores, lines = hypervolume_growth(material), calibration(material), parallel(material)
    runs, names = runs_table(material), run_names(material)
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(is_number=_is_number, rounded=rounded)
    return environment.get_template("report.html").render(
        version=__version__,
        title=material.campaign.name,
        description=material.campaign.description,
        revision=material.revision,
        watermark=material.watermark,
        written=(written or datetime.now().astimezone()).strftime("%Y-%m-%d %H:%M %Z"),
        tiles=_tiles(material, growth, scores),
        fronts=[
            _figure(
                f"front-{place}",
                f"{front.y.heading} against {front.x.heading}",
                plots.front_plot(front),
            )
            for place, front in enumerate(fronts(material))
        ],
        thresholds=_thresholds(material),
        progress_title=growth.name.capitalize(),
        progress_text=_progress_text(material, growth),
        progress=_figure("progress", "Progress over runs", plots.progress_plot(growth))
        if growth.runs
        else None,
        parallel=_figure("parallel", "Parallel coordinates", plots.parallel_plot(lines), wide=True)
        if lines
        else None,
        parallel_colour=lines.colour.heading if lines else "",
        calibrations=[
            _figure(f"calibration-{place}", score.heading, plots.calibration_plot(score, names))
            for place, score in enumerate(scores)
        ],
        calibration_table=calibration_table(scores),
        calibration_text=_calibration_text(scores),
        previews=previews,
        curves=curves,
        sensitivity=sensitivity,
        sensitivity_remark=None if remark is None else spell(remark, "page"),
        best=best_table(material),
        runs=runs,
        runs_caption=f"The newest {len(runs.rows)} of {len(material.experiments)} runs"
        if len(material.experiments) > NEWEST
        else "All runs, newest first",
        batches=batches_table(material),
        themes=_json(plots.THEMES),
        css=_inlined("report.css"),
        script=_inlined("report.js"),
        # 4.8 MB in each page: it then needs no network, now or in ten years.
        plotly=get_plotlyjs(),
    )


def _tiles(material: Material, growth: Growth, scores: tuple[OutcomeScore, ...]) -> list[_Tile]:
    tiles = [
        _Tile("finished runs", str(len(material.with_status(Status.COMPLETED)))),
        _Tile("awaiting results", str(len(material.with_status(Status.PROPOSED, Status.RUNNING)))),
        _Tile("failed runs", str(len(material.with_status(Status.FAILED)))),
        _Tile("on the front", str(len(on_front_ids(material)))),
    ]
    volume = growth.volumes[-1] if growth.volumes else 0.0
    tiles.append(_Tile(growth.name, rounded(volume), growth.unit))
    if scores:
        n = sum(len(score.points) for score in scores)
        inside = sum(score.n_inside for score in scores)
        level = scores[0].level
        tiles.append(_Tile(f"inside their {level:.0%} intervals", f"{inside / n:.0%}", f"of {n}"))
    return tiles


def _thresholds(material: Material) -> str:
    return ", ".join(
        f"{material.campaign.heading(o.outcome)} {o.aim}" for o in material.campaign.objectives
    )


def _progress_text(material: Material, growth: Growth) -> str:
    quantity = (
        "The volume that the front wins beyond the thresholds"
        if growth.n_objectives > 1
        else "How far the best result lies beyond the threshold"
    )
    return (
        f"{quantity} ({_thresholds(material)}) after each run, in the order of the runs' numbers."
    )


def _calibration_text(scores: tuple[OutcomeScore, ...]) -> str:
    if not scores:
        return ""
    n = sum(len(score.points) for score in scores)
    inside = sum(score.n_inside for score in scores)
    low, high = wilson(inside, n)
    return (
        f"Overall {inside} of {n} measurements ({inside / n:.0%}, 95% interval {low:.0%} to "
        f"{high:.0%}) fell into intervals meant to hold {scores[0].level:.0%} of them."
    )


def _figure(name: str, caption: str, plot: plots.Plot, *, wide: bool = False) -> _Figure:
    return _Figure(name, caption, _json(plot), int(plot["layout"]["height"]), wide)


def _json(document: Any) -> str:
    """Return ``document`` as JSON that may stand in a script element."""
    from plotly.utils import PlotlyJSONEncoder

    text = json.dumps(document, cls=PlotlyJSONEncoder, ensure_ascii=False, separators=(",", ":"))
    # The two separators end a line in JavaScript before ES2019.
    # https://github.com/tc39/proposal-json-superset
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _inlined(name: str) -> str:
    """Return one of the package's own files."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"–|[−-]?[\d.,]+( × \d+| ?%)?|\d+ ?% … \d+ ?%", cell))
