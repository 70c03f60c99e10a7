"""Both ways over the gallery: conditions → micrographs, micrograph → runs with their conditions.

What was measured of the pictures decides, compared as :mod:`engine.retrieval.matching` says: what
conditions lead one to expect is learnt from the campaign's own runs with micrographs. Where that is
not to be had (a picture that was not measured, too few runs), the similarity in MatMCL's projected
space decides: the cosine of the latents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.campaign import Campaign, Value
from engine.campaign.applicability import applies
from engine.compute import limit_threads
from engine.errors import ModelError, UsageError, by_voice, marked
from engine.experiments.conditions import check_conditions
from engine.micrographs.opened import Opened
from engine.retrieval.encoder import Encoder, open_encoder
from engine.retrieval.expected import StatisticsModel, as_statistics, measured_runs, row
from engine.retrieval.gallery import (
    Gallery,
    Item,
    Scope,
    Statistics,
    collect,
    digest_of,
    embed,
    embed_picture,
)
from engine.retrieval.matching import Matcher, for_conditions, for_picture, ordered
from engine.sources.axes import axes_of
from engine.workspace import Workspace
from surrogate.progress import Progress, silent
from surrogate.retrieval import cosine_similarity

Array = NDArray[np.float64]

MAX_MATCHES = 100


@dataclass(frozen=True)
class Match:
    """One retrieved micrograph.

    ``similarity``: cosine of the latents, −1 … 1. ``conditions_similarity``: of the query picture
    to this run's conditions (``None`` for a query by conditions). ``fit``: ln how many times
    likelier the picture is of the conditions than of those of a run drawn at random: this picture
    of the query's conditions, or the query picture of this run's; ``None`` where nobody knows.
    ``difference``: its statistics − the query's.
    """

    item: Item
    similarity: float
    conditions_similarity: float | None
    fit: float | None
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
    scope: Scope = "campaign",
    progress: Progress = silent,
) -> Retrieved:
    """Return ``k`` micrographs of finished runs that look as these conditions should.

    Parameters that are not stated are left open: masked for the model, and what is expected is the
    mean over those of the campaign's runs.

    Raises:
        UsageError: no condition, one or a k that cannot be.
        ModelError: no model, or one that knows none of the parameters.
        NotFoundError: no micrograph in the gallery.
    """
    if not conditions:
        example = by_voice("--set voltage=18", "voltage=18")
        raise UsageError(f"expected conditions such as {example}, got none")
    encoder, items, campaign, left_out = _opened(workspace, k, scope)
    conditions = check_conditions(campaign, conditions)
    query = encoder.of_conditions(axes_of(campaign), [conditions])[0]
    gallery = embed(workspace, encoder, items, progress)
    matcher, notes = _matcher(workspace, campaign, items, scope)
    pictures = _rows(gallery)
    expected, fit, score = Statistics(), None, None
    if matcher is not None:
        query_row = matcher.expect([conditions])
        expected = as_statistics(query_row[0])
        fit = matcher.fit(query_row, pictures)[0]
        score = for_conditions(matcher, query_row, pictures)[0]
        open_ones = [
            p.name
            for p in campaign.controlled
            if p.name not in conditions
            and applies(campaign.parameters, p.name, conditions) is not False
        ]
        if open_ones:
            notes.append(
                f"{', '.join(open_ones)} left open: what is expected is the mean over the "
                "settings of the campaign's runs"
            )
    matches = [
        Match(
            gallery.items[place],
            similarity,
            None,
            None if fit is None else float(fit[place]),
            gallery.items[place].statistics.minus(expected),
        )
        for place, similarity in _first(gallery, query, score, k)
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
    picture: Opened,
    *,
    k: int = 6,
    scope: Scope = "campaign",
    progress: Progress = silent,
) -> Retrieved:
    """Return ``k`` micrographs most like ``picture``, with their runs' conditions.

    Its data bar is left out; nothing is recorded.

    Raises:
        UsageError: k that cannot be.
        NotFoundError: no micrograph in the gallery.
        DataError: nobody wrote the picture's scale, or it is too small for a tile.
        ModelError: no model.
    """
    reason = ", and pictures of different scales cannot be compared"
    nm_per_pixel = picture.require_scale(reason)
    encoder, items, campaign, left_out = _opened(workspace, k, scope)
    measured = picture.measure()
    query = embed_picture(encoder, picture.upright, nm_per_pixel, digest_of(picture.path))
    gallery = embed(workspace, encoder, items, progress)
    measured_statistics = Statistics.from_document(measured.statistics.as_json())
    matcher, notes = _matcher(workspace, campaign, items, scope)
    query_row = row(measured_statistics)[None]
    score = for_picture(matcher, query_row, _rows(gallery))[0]
    matches = []
    for position, similarity in _first(gallery, query, score, k):
        item = gallery.items[position]
        fit = None
        if matcher is not None and item.source is None:
            fit = float(matcher.fit(matcher.expect([item.conditions]), query_row)[0, 0])
        promised = _promised(encoder, query, item)
        off = item.statistics.minus(measured_statistics)
        matches.append(Match(item, similarity, promised, fit, off))
    return _answer(
        campaign,
        encoder,
        gallery,
        statistics=measured_statistics,
        matches=matches,
        notes=[*left_out, *notes],
        nm_per_pixel=nm_per_pixel,
    )


def _opened(
    workspace: Workspace, k: int, scope: Scope
) -> tuple[Encoder, list[Item], Campaign, list[str]]:
    if not 1 <= k <= MAX_MATCHES:
        raise UsageError(f"expected 1 to {MAX_MATCHES}, got {k}", field="k")
    limit_threads(workspace.settings.compute.threads)
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        encoder = open_encoder(workspace, tx, record.id)
    items, notes = collect(workspace, scope)
    return encoder, items, campaign, notes


def _rows(gallery: Gallery) -> Array:
    """Return what was measured of the gallery's pictures, (n, 5)."""
    return np.stack([row(item.statistics) for item in gallery.items])


def _first(gallery: Gallery, query: Array, score: Array | None, k: int) -> list[tuple[int, float]]:
    """Return the ``k`` first places with their similarity to the query (r,).

    Best score first; those without one follow, most similar first.
    """
    n = len(gallery.items)
    scores = np.full(n, -np.inf) if score is None else score
    has_one = np.flatnonzero(scores > -np.inf)
    best = np.argsort(-scores[has_one], kind="stable")
    first = has_one[best[:k]]
    if len(has_one) > k:  # all that are level with the last: similarity decides between them
        first = has_one[scores[has_one] >= scores[first[-1]]]
    unscored = np.flatnonzero(scores == -np.inf)
    first = np.sort(np.append(first, gallery.index.nearest(query, unscored, k - len(first))))
    similarity = gallery.index.similarity(query, first)
    order = ordered(scores[first], similarity, k)
    return [(int(first[place]), float(similarity[place])) for place in order]


def _promised(encoder: Encoder, query: Array, item: Item) -> float | None:
    try:
        t = encoder.of_conditions(item.axes, [item.conditions])
    except ModelError:
        return None
    return float(cosine_similarity(torch.from_numpy(query[None]), torch.from_numpy(t))[0, 0])


def _matcher(
    workspace: Workspace, campaign: Campaign, items: Sequence[Item], scope: Scope
) -> tuple[Matcher | None, list[str]]:
    """Learn from the campaign's own runs what conditions lead one to measure."""
    candidates = collect(workspace, "campaign")[0] if scope == "sources" else items
    runs = measured_runs(campaign, [item for item in candidates if item.source is None])
    try:
        return Matcher.prepare(StatisticsModel.fit(campaign, runs), runs), []
    except ModelError as error:
        return None, [f"how a mat of given conditions measures is not known yet: {marked(error)}"]


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
