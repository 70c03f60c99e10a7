"""The report's section of previews: the mat to expect, and the mat that came, side by side."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from db.errors import DatabaseError
from engine.campaign.numbers import written
from engine.errors import SpinneretError, marked
from engine.micrographs.corrections import corrected_in_words
from engine.previews.contact_sheet import real_tile
from engine.previews.expected_statistics import NAMES, UNITS, in_unit, worded, worded_range
from engine.previews.ledger import Coverage, Drawn, coverages, drawn_runs
from engine.previews.near import NearMicrograph
from engine.previews.store import read_pictures
from engine.report.tables import Table
from engine.results.figures import wilson
from engine.results.material import Material, condition_lines, rounded
from engine.workspace import Workspace

MOST_CARDS = 8
MOST_TILES = 4
SIDE_PX = 148


@dataclass(frozen=True)
class Statistic:
    """A line of a card: ``verdict`` is ``inside``, ``outside``, or empty where nothing is known."""

    name: str
    expected: str
    interval: str
    real: str
    verdict: str


@dataclass(frozen=True)
class Card:
    """One run: its preview's tiles and its real one as data URIs, and what they show."""

    run: str
    status: str
    conditions: str
    tiles: tuple[str, ...]
    real: str | None
    statistics: tuple[Statistic, ...]
    field: str
    remark: str = ""


@dataclass(frozen=True)
class PreviewSection:
    """What the page shows: runs whose mat is known, runs still awaited, how intervals held."""

    compared: tuple[Card, ...]
    awaited: tuple[Card, ...]
    coverage: Table | None
    text: str


def preview_section(material: Material, data_dir: Path) -> PreviewSection | None:
    """Return the section, or ``None`` where no run was drawn beforehand.

    A picture whose file is gone or damaged is left out.
    """
    runs = drawn_runs(material.experiments, material.previews)
    if not runs:
        return None
    compared = [run for run in runs if run.micrograph is not None]
    awaited = [run for run in runs if run.micrograph is None and run.experiment.status.is_pending]
    scored = coverages(runs)
    return PreviewSection(
        compared=_cards(material, data_dir, compared),
        awaited=_cards(material, data_dir, awaited),
        coverage=_coverage_table(scored) if scored else None,
        text=_text(compared, scored),
    )


def measure_previewed(workspace: Workspace) -> list[str]:
    """Measure the real micrographs of runs that were drawn, where nobody has yet; record it.

    Returns:
        Why a picture could not be measured.
    """
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        drawn = {preview.experiment_id for preview in tx.previews.all_of(record.id)}
        waiting = [
            picture.id
            for experiment in tx.experiments.find(record.id, pictured=True)
            if experiment.id in drawn
            for picture in experiment.micrographs
            if not picture.statistics
        ]
    if not waiting:
        return []
    from engine.micrographs.add import HowTaken
    from engine.micrographs.overlay import measure_again

    left_out = []
    for id_ in waiting:
        try:
            measure_again(workspace, [id_], HowTaken())
        except (SpinneretError, DatabaseError) as error:
            left_out.append(marked(error))
    return left_out


def _cards(material: Material, data_dir: Path, runs: Sequence[Drawn]) -> tuple[Card, ...]:
    newest = sorted(runs, key=lambda run: run.experiment.id, reverse=True)[:MOST_CARDS]
    cards = (_card(material, data_dir, run) for run in newest)
    return tuple(card for card in cards if card is not None)


def _card(material: Material, data_dir: Path, run: Drawn) -> Card | None:
    preview = run.record.preview
    try:
        pictures = read_pictures(data_dir / preview.path, preview.n_pictures)
    except SpinneretError:
        return None
    nm_per_pixel = float(preview.statistics.get("nm_per_pixel") or 0.0)
    field = pictures.shape[-1] * nm_per_pixel
    return Card(
        run=run.experiment.name,
        status=str(run.experiment.status),
        conditions=", ".join(condition_lines(material.campaign, run.experiment.conditions)),
        tiles=tuple(_uri(tile) for tile in pictures[:MOST_TILES]),
        real=_real(data_dir, run, field),
        statistics=tuple(_statistic(run, name) for name in NAMES),
        field=f"{written(field / 1000)} µm",
        remark=corrected_in_words(None if run.micrograph is None else run.micrograph.statistics),
    )


def _real(data_dir: Path, run: Drawn, field: float) -> str | None:
    m = run.micrograph
    if m is None:
        return None
    near = NearMicrograph(
        run.experiment.id, "", data_dir / m.path, m.nm_per_pixel or field / min(m.width_px,
        m.height_px), m.crop, m.rotation_axis, 0.0, {}
    )  # fmt: skip
    tile = real_tile(near, field)
    return None if tile is None else _uri(tile[0])


def _statistic(run: Drawn, name: str) -> Statistic:
    expected, real = run.expected.get(name), run.shown.get(name)
    inside = run.is_inside(name)
    interval = "–"
    if expected is not None and expected.lower is not None and expected.upper is not None:
        interval = worded_range(name, expected.lower, expected.upper)
    return Statistic(
        name=name,
        expected="–" if expected is None else worded(name, expected.mean),
        interval=interval,
        real=worded(name, real),
        verdict="" if inside is None else ("inside" if inside else "outside"),
    )


def _coverage_table(scored: Sequence[Coverage]) -> Table:
    rows = []
    for score in scored:
        low, high = wilson(score.n_inside, score.n)
        unit = f" [{UNITS[score.name]}]" if UNITS[score.name] else ""
        rows.append(
            (
                f"{score.name}{unit}",
                str(score.n),
                f"{score.level:.0%}",
                f"{score.share:.0%}",
                f"{low:.0%} … {high:.0%}",
                rounded(in_unit(score.name, score.error), 3),
                rounded(in_unit(score.name, score.bias), 3),
            )
        )
    return Table(
        headings=(
            "statistic", "runs", "nominal coverage", "coverage", "its 95% interval", "RMS error",
            "real − expected",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def _text(compared: Sequence[Drawn], scored: Sequence[Coverage]) -> str:
    if not scored:
        return "No run that was drawn beforehand has a measured micrograph yet."
    n, inside = sum(score.n for score in scored), sum(score.n_inside for score in scored)
    return (
        f"{len(compared)} runs were drawn before they were made and have a micrograph now; "
        f"{inside} of {n} statistics ({inside / n:.0%}) fell into intervals meant to hold "
        f"{scored[0].level:.0%} of them."
    )


def _uri(picture: NDArray[np.uint8]) -> str:
    """Return a picture as a data URI, at the size at which it is shown."""
    stream = io.BytesIO()
    # Twice the size at which it is shown: sharp on dense screens.
    scaled = Image.fromarray(picture).resize((2 * SIDE_PX, 2 * SIDE_PX), Image.Resampling.LANCZOS)
    # JPEG: dozens of pictures are inlined, and PNG compresses a mat's grain badly.
    scaled.save(stream, format="JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
