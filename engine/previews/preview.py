"""Previews asked for: of the runs of a batch, of any conditions, or of mats like one that was seen.

Pictures lie in the data folder before a row names them; a process that is killed leaves at most a
file that nothing refers to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from db.records import NewPreview
from engine.campaign import Campaign, Value
from engine.compute import limit_threads
from engine.errors import ModelError, UsageError, by_voice
from engine.experiments.conditions import check_conditions, outside_of
from engine.host import usable_cores
from engine.previews.diameter import Forecast, measured_diameter, note_of, scale_factor, scaled
from engine.previews.expected_statistics import Interval, intervals, measured, statistics_document
from engine.previews.near import NearMicrograph, nearest_micrographs, remote
from engine.previews.painter import open_painter, require_count
from engine.previews.serving_generator import Serving, serving_generator
from engine.previews.store import keep_pictures
from engine.sources.spinning import spins
from engine.workspace import Workspace
from surrogate.progress import Progress, silent

if TYPE_CHECKING:
    from engine.micrographs.opened import Opened
    from engine.previews.painter import Painter


@dataclass(frozen=True)
class Preview:
    """Pictures of one mat to expect.

    ``pictures``: (n, s, s); ``statistics``: of each; ``expected``: with the mat's interval;
    ``near``: real micrographs of runs under the nearest conditions; ``warnings``: far from data.
    """

    conditions: Mapping[str, Value]
    pictures: NDArray[np.uint8]
    nm_per_pixel: float
    statistics: Sequence[Mapping[str, float | None]]
    expected: Mapping[str, Interval]
    near: Sequence[NearMicrograph] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Previews:
    """What was drawn, by whom: ``generator`` is its SHA-256, ``name`` what people call it."""

    generator: str
    name: str
    model_version_id: int | None
    seed: int
    level: float
    items: tuple[Preview, ...]
    notes: tuple[str, ...] = ()


def preview_conditions(
    workspace: Workspace,
    conditions: Sequence[Mapping[str, Value]],
    *,
    n: int | None = None,
    seed: int = 0,
    forecasts: Sequence[Mapping[str, Forecast]] = (),
    progress: Progress = silent,
    strict: bool = True,
) -> Previews:
    """Draw previews of conditions, nothing recorded yet.

    Args:
        workspace: an open workspace.
        conditions: rows; what is not stated is left open.
        n: pictures of each; ``None``: the settings' word.
        seed: the same one gives the same pictures on the same device.
        forecasts: of each row, by outcome, as the campaign's model has them: of a fibre diameter
            there is then one forecast, which the preview shows too.
        progress: called at each part of the work.
        strict: refuse conditions outside the ranges searched.

    Raises:
        UsageError: no condition, one that cannot be or is out of range, or a number of pictures
            that cannot be.
        ModelError: the campaign does not spin; no generator, or one that cannot be loaded or knows
            none of the conditions.
    """
    count = workspace.settings.generator.pictures if n is None else n
    require_count(count)
    if not conditions or not all(conditions):
        example = by_voice("--set voltage=18", "voltage=18")
        raise UsageError(f"expected conditions such as {example}, got none")
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        serving = serving_generator(workspace, tx, record.id)
    conditions = [check_conditions(campaign, row) for row in conditions]
    outside = [line for row in conditions for line in outside_of(campaign, row)]
    if strict and outside:
        raise UsageError(f"{outside[0]}; a preview there would be a guess")
    painter = _opened(workspace, campaign, serving, progress, encoders="table")
    progress(f"drawing {count * len(conditions)} pictures")
    drawn = painter.of_conditions(campaign, conditions, count, seed)
    progress("measuring them")
    level = workspace.settings.propose.level
    flat = measured(
        drawn.reshape(-1, *drawn.shape[2:]), painter.nm_per_pixel, workers=usable_cores()
    )
    rows = [flat[first : first + count] for first in range(0, len(flat), count)]
    field_nm = drawn.shape[-1] * painter.nm_per_pixel
    expected = intervals(rows, level, field_nm)
    near, notes = nearest_micrographs(workspace, campaign, conditions)
    diameters: list[Interval | None] = [None] * len(conditions)
    if forecasts and (diameter := measured_diameter(campaign)) is not None:
        diameters = [diameter.expected(row) for row in forecasts]
        if any(diameters):
            notes.append(note_of(diameter))
    items = tuple(
        _shown_at(
            Preview(
                row_conditions,
                pictures,
                painter.nm_per_pixel,
                row,
                bounds,
                real,
                remote(campaign, row_conditions, near_),
            ),
            forecast,
        )
        for row_conditions, pictures, row, bounds, (real, near_), forecast in zip(
            conditions, drawn, rows, expected, near, diameters, strict=True
        )
    )
    version = None if serving is None else serving.model_version_id
    return Previews(painter.sha256, painter.name, version, seed, level, items, tuple(notes))


def preview_like(
    workspace: Workspace,
    picture: Opened,
    *,
    n: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Previews:
    """Draw mats like ``picture``, which is not recorded.

    Raises:
        UsageError: a number of pictures that cannot be.
        DataError: nobody wrote the picture's scale, or it is too small.
        ModelError: the campaign does not spin; no generator, or one that cannot be loaded.
    """
    count = workspace.settings.generator.pictures if n is None else n
    require_count(count)
    nm_per_pixel = picture.require_scale()
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        serving = serving_generator(workspace, tx, record.id)
    painter = _opened(workspace, campaign, serving, progress, encoders="all")
    progress(f"drawing {count} pictures")
    pictures = painter.like(picture.upright, nm_per_pixel, count, seed)
    progress("measuring them")
    level = workspace.settings.propose.level
    rows = measured(pictures, painter.nm_per_pixel)
    field_nm = pictures.shape[-1] * painter.nm_per_pixel
    (expected,) = intervals([rows], level, field_nm)
    item = Preview({}, pictures, painter.nm_per_pixel, rows, expected)
    version = None if serving is None else serving.model_version_id
    return Previews(painter.sha256, painter.name, version, seed, level, (item,))


def _shown_at(preview: Preview, forecast: Interval | None) -> Preview:
    """Return a preview at the scale at which it shows the diameter that is forecast, if one is."""
    shown = preview.expected.get("diameter")
    factor = scale_factor(shown, forecast)
    if forecast is None or shown is None:
        return preview
    return replace(
        preview,
        nm_per_pixel=preview.nm_per_pixel * factor,
        statistics=[scaled(row, factor) for row in preview.statistics],
        expected={**preview.expected, "diameter": forecast},
    )


def can_preview(workspace: Workspace, campaign: Campaign) -> bool:
    """Whether a generator exists, and this campaign makes the mats that it draws."""
    return spins(campaign).is_spinning and has_generator(workspace)


def has_generator(workspace: Workspace) -> bool:
    """Whether a generator serves the active campaign."""
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        return serving_generator(workspace, tx, record.id) is not None


def store_previews(
    workspace: Workspace, previews: Previews, *, request: Mapping[str, object] | None = None
) -> list[NewPreview]:
    """Write the pictures into the data folder; return what the database is to know of each.

    Raises:
        DataError: a file cannot be written.
    """
    new_previews = []
    for item in previews.items:
        stored = keep_pictures(workspace.data_dir, item.pictures)
        new_previews.append(
            NewPreview(
                generator=previews.generator,
                seed=previews.seed,
                n_pictures=len(item.pictures),
                request=dict(request)
                if request is not None
                else {"conditions": {**item.conditions}},
                level=previews.level,
                statistics=statistics_document(item.statistics, item.expected, item.nm_per_pixel),
                sha256=stored.sha256,
                path=stored.path,
                model_version_id=previews.model_version_id,
            )
        )
    return new_previews


def record_previews(
    workspace: Workspace, previews: Previews, *, request: Mapping[str, object] | None = None
) -> list[int]:
    """Keep previews that belong to no run, in one transaction; return their numbers.

    Raises:
        DataError: a file cannot be written.
        DatabaseError: the database cannot.
    """
    new = store_previews(workspace, previews, request=request)
    with workspace.database.write("preview") as tx:
        record, _ = workspace.active_campaign(tx)
        return [tx.previews.add(record.id, preview) for preview in new]


def _opened(
    workspace: Workspace,
    campaign: Campaign,
    serving: Serving | None,
    progress: Progress,
    *,
    encoders: Literal["all", "table"],
) -> Painter:
    match = spins(campaign)
    if not match.is_spinning:
        raise ModelError(f"a preview is a picture of an electrospun mat: {match.reason}")
    if serving is None:
        raise ModelError(
            "expected a generator to draw previews with, found none: this package ships no "
            'starter, or config.toml asks for none ([generator] pretrained = "none")'
        )
    progress("loading the generator")
    limit_threads(workspace.settings.compute.threads)
    return open_painter(serving, encoders=encoders)
