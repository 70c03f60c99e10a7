"""Both ways over the gallery: conditions → micrographs, micrograph → runs with their conditions.

Similarity is the cosine in MatMCL's projected space. For conditions it is that of their latent to
each picture's; for a picture that of its latent to each other picture's, with the similarity to
that run's conditions told beside it. The most similar make a shortlist, which measured statistics
put in order where they are known (:mod:`engine.retrieval.ordering`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.campaign import Campaign, Value
from engine.compute import limit_threads
from engine.errors import DataError, ModelError, UsageError
from engine.retrieval.encoder import Encoder, open_encoder, read_picture
from engine.retrieval.expected import StatisticsModel, as_statistics, measured_runs, row
from engine.retrieval.gallery import (
    Gallery,
    Item,
    Progress,
    Statistics,
    Which,
    collect,
    digest_of,
    embed,
    embed_picture,
)
from engine.retrieval.ordering import shortlisted
from engine.sources.encoding import axes_of
from engine.workspace import Workspace
from surrogate.retrieval import cosine_similarity

Array = NDArray[np.float64]

MOST = 100


@dataclass(frozen=True)
class Match:
    """One retrieved micrograph.

    ``similarity``: cosine of the latents, −1 … 1. ``conditions_similarity``: of the query picture
    to this run's conditions (``None`` for a query by conditions). ``difference``: its statistics −
    the query's.
    """

    item: Item
    similarity: float
    conditions_similarity: float | None
    difference: Statistics


@dataclass(frozen=True)
class Retrieved:
    """The answer, nearest first.

    ``statistics``: of the query picture, or expected of the query conditions (``is_expected``).
    """

    campaign: Campaign
    model: str
    model_id: str
    n_gallery: int
    statistics: Statistics
    is_expected: bool
    matches: tuple[Match, ...]
    notes: tuple[str, ...]
    nm_per_pixel: float | None = None


def by_conditions(
    workspace: Workspace,
    conditions: Mapping[str, Value],
    *,
    k: int = 6,
    which: Which = "campaign",
    progress: Progress | None = None,
) -> Retrieved:
    """Return ``k`` micrographs of finished runs that look as these conditions should.

    Parameters that are not stated are left open (masked), not filled in.

    Raises:
        UsageError: no condition, or k that cannot be.
        ModelError: no model, or one that knows none of the parameters.
        NotFoundError: no micrograph in the gallery.
    """
    if not conditions:
        raise UsageError("expected conditions such as --set voltage=18, got none")
    encoder, items, campaign, left_out = _opened(workspace, k, which)
    query = encoder.of_conditions(axes_of(campaign), [conditions])
    gallery = embed(workspace, encoder, items, progress)
    expected, notes = _expected(campaign, items, conditions)
    matches = [
        Match(item, value, None, item.statistics.minus(expected))
        for item, value in _first(gallery, query, expected, k)
    ]
    return _answer(
        campaign,
        encoder,
        gallery,
        statistics=expected,
        matches=matches,
        notes=[*left_out, *notes],
        is_expected=True,
    )


def by_micrograph(
    workspace: Workspace,
    file: Path,
    *,
    nm_per_pixel: float | None = None,
    rotation_axis: str | None = None,
    k: int = 6,
    which: Which = "campaign",
    progress: Progress | None = None,
) -> Retrieved:
    """Return ``k`` micrographs most like the one in ``file``, with their runs' conditions.

    Its data bar is found and left out; nothing is recorded.

    Raises:
        UsageError: k or a scale that cannot be.
        NotFoundError: no such file, or no micrograph in the gallery.
        DataError: no picture, one whose scale nobody wrote, or one too small for a tile.
        ModelError: no model.
    """
    from engine.pictures.adding import HowTaken, measure_cropped
    from engine.pictures.databar import find_crop
    from engine.pictures.reading import read_grey
    from engine.pictures.scale import scale_of

    how = HowTaken(nm_per_pixel, rotation_axis)
    limit = workspace.settings.storage.max_image_megapixels
    if not file.is_file():
        read_picture(file, max_megapixels=limit)  # says what is wrong with it
    grey = read_grey(file, max_megapixels=limit)
    scale = scale_of(file, grey.shape[1], how.nm_per_pixel)
    if scale is None:
        raise DataError(
            f"{file}: nobody wrote its scale, and pictures of different scales cannot be compared; "
            "state --nm-per-pixel"
        )
    crop = find_crop(grey)
    encoder, items, campaign, left_out = _opened(workspace, k, which)
    measured = measure_cropped(grey, scale.nm_per_pixel, how.rotation_axis, crop, str(file))
    shown = read_picture(file, max_megapixels=limit, crop=crop, rotation_axis=how.rotation_axis)
    query = embed_picture(encoder, shown, scale.nm_per_pixel, digest_of(file))[None]
    gallery = embed(workspace, encoder, items, progress)
    own = Statistics.of(measured.statistics.as_json())
    matches = [
        _matched(encoder, query, item, value, own) for item, value in _first(gallery, query, own, k)
    ]
    return _answer(
        campaign,
        encoder,
        gallery,
        statistics=own,
        matches=matches,
        notes=left_out,
        nm_per_pixel=scale.nm_per_pixel,
    )


def _opened(
    workspace: Workspace, k: int, which: Which
) -> tuple[Encoder, list[Item], Campaign, list[str]]:
    if not 1 <= k <= MOST:
        raise UsageError(f"--k: expected 1 to {MOST}, got {k}")
    limit_threads(workspace.settings.compute.threads)
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        encoder = open_encoder(workspace, tx, record.id)
    items, notes = collect(workspace, which)
    return encoder, items, campaign, notes


def _first(
    gallery: Gallery, query: Array, statistics: Statistics, k: int
) -> list[tuple[Item, float]]:
    """Return the ``k`` first items for a query (1, r), with their similarities."""
    similarity = _similarity(query, gallery.v)[0].numpy()
    known = np.stack([row(item.statistics)[:2] for item in gallery.items])
    places = shortlisted(similarity, known - row(statistics)[:2], k)
    return [(gallery.items[place], float(similarity[place])) for place in places]


def _matched(encoder: Encoder, query: Array, item: Item, value: float, own: Statistics) -> Match:
    try:
        t = encoder.of_conditions(item.axes, [item.conditions])
        promised: float | None = float(_similarity(query, t)[0, 0])
    except ModelError:
        promised = None
    return Match(item, value, promised, item.statistics.minus(own))


def _expected(
    campaign: Campaign, items: Sequence[Item], conditions: Mapping[str, Value]
) -> tuple[Statistics, list[str]]:
    """Return what the campaign's own runs lead one to measure at these conditions."""
    if any(p.name not in conditions for p in campaign.controlled):
        return Statistics(), [
            "not every setting is stated: no statistics are expected to compare with"
        ]
    own = [item for item in items if item.source is None]
    try:
        model = StatisticsModel.fit(campaign, measured_runs(campaign, own))
    except ModelError as error:
        return Statistics(), [f"no statistics are expected to compare with: {error}"]
    return as_statistics(model.expect([conditions])[0][0]), []


def _similarity(queries: Array, gallery: Array) -> Any:
    return cosine_similarity(torch.from_numpy(queries), torch.from_numpy(gallery))


def _answer(
    campaign: Campaign,
    encoder: Encoder,
    gallery: Gallery,
    *,
    statistics: Statistics,
    matches: Sequence[Match],
    notes: Sequence[str] = (),
    is_expected: bool = False,
    nm_per_pixel: float | None = None,
) -> Retrieved:
    return Retrieved(
        campaign=campaign,
        model=encoder.name,
        model_id=encoder.id,
        n_gallery=len(gallery.items),
        statistics=statistics,
        is_expected=is_expected,
        matches=tuple(matches),
        notes=(*gallery.notes, *notes),
        nm_per_pixel=nm_per_pixel,
    )
