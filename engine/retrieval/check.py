"""``engine micrograph check``: the campaign's runs with pictures, looked at by both measures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from engine.campaign import Campaign
from engine.compute import limit_threads
from engine.errors import ModelError, NotFoundError, by_voice, marked
from engine.retrieval.encoder import Encoder, open_encoder
from engine.retrieval.expected import MeasuredRun, StatisticsModel, measured_runs
from engine.retrieval.gallery import Gallery, collect, embed
from engine.retrieval.misfits import NAMES, Checked, check_runs
from engine.sources.axes import axes_of
from engine.workspace import Workspace
from surrogate.progress import Progress, silent
from surrogate.retrieval import cosine_similarity, mean_direction

Array = NDArray[np.float64]


def check(
    workspace: Workspace, *, false_share: float = 0.1, progress: Progress = silent
) -> Checked:
    """Check every finished run of the active campaign that has micrographs. Records nothing.

    Raises:
        UsageError: a share that cannot be.
        ModelError: too few runs with pictures, and no model that could say anything.
    """
    limit_threads(workspace.settings.compute.threads)
    notes: list[str] = []
    encoder: Encoder | None = None
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        try:
            encoder = open_encoder(workspace, tx, record.id)
        except ModelError as error:
            notes.append(f"without the latent: {marked(error)}")
    items, remarks = collect(workspace, "campaign")
    notes.extend(remarks)
    runs = measured_runs(campaign, items)
    if not runs:
        raise ModelError(
            "expected finished runs with micrographs to check, got none: add pictures"
            + by_voice(" with `engine micrograph add FILE --experiment ID`", " to the runs")
        )
    statistics: StatisticsModel | None = None
    try:
        statistics = StatisticsModel.fit(campaign, runs, len(NAMES))
    except ModelError as error:
        notes.append(f"without statistics: {marked(error)}")
    similarity = None
    if encoder is not None:
        try:
            embeddable = [
                item for item in items if item.experiment_id in {r.experiment_id for r in runs}
            ]
            gallery = embed(workspace, encoder, embeddable, progress)
            notes.extend(gallery.notes)
            similarity = _similarity(encoder, campaign, runs, gallery)
        except (ModelError, NotFoundError) as error:
            notes.append(f"without the latent: {marked(error)}")
    return check_runs(
        runs,
        statistics,
        similarity,
        false_share=false_share,
        model=encoder.name if encoder is not None and similarity is not None else None,
        notes=notes,
    )


def _similarity(
    encoder: Encoder, campaign: Campaign, runs: Sequence[MeasuredRun], gallery: Gallery
) -> Array:
    """Return s (n, n) of run i's pictures to run j's conditions; NaN where nothing is embedded."""
    place = {run.experiment_id: i for i, run in enumerate(runs)}
    owner = torch.tensor([place[item.experiment_id or 0] for item in gallery.items])
    v = mean_direction(torch.from_numpy(gallery.index.vectors()), owner, len(runs))
    t = encoder.of_conditions(axes_of(campaign), [run.conditions for run in runs])
    similarity: Array = cosine_similarity(v, torch.from_numpy(t)).numpy()
    absent = np.setdiff1d(np.arange(len(runs)), owner.numpy())
    similarity[absent] = np.nan
    similarity[:, absent] = np.nan
    return similarity
