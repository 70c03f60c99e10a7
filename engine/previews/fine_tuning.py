"""A generator that has seen a lab's own micrographs: trained on from the one that serves.

Two parts. The prior learns what this lab's conditions do; its condition embeddings come from the
encoders as they are. The UNet learns what this lab's microscope shows. Beside the lab's own
pictures, drawn ones of the virtual lab are replayed, so that nothing that was known is forgotten.
The encoders stay: they are what both sides agree on, and their hash is the generator's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from db.records import ExperimentRecord, ModelKind, Status
from engine.campaign import Campaign
from engine.errors import ModelError, SpinneretError, mark_place
from engine.previews.encoders import NM_PER_PIXEL, encoder_vocabulary
from engine.previews.lessons import SHOWN, Lessons, draw_lessons
from engine.previews.painter import Painter, open_painter
from engine.previews.serving_generator import Serving
from engine.previews.training import Recipe, generator_data, save_together, train_generator
from engine.registry.files import Kept, keep
from engine.sources.encoding import encode_conditions
from engine.workspace import Workspace
from generator.checkpoint import load_generator, read_card
from generator.config import GeneratorConfig, TrainingSettings
from generator.data import GeneratorData
from generator.errors import GeneratorError
from generator.objectives import PriorObjective, UNetObjective, pairs_of, pictures_of
from generator.statistics import measure
from surrogate.errors import SurrogateError
from surrogate.matmcl.tiles import cut_tiles
from surrogate.progress import Progress, silent

if TYPE_CHECKING:
    from generator.pipeline import MicrostructurePipeline
    from surrogate.matmcl.model import MatMCL

TILES = 6
"""Tiles of a micrograph."""

FEWEST = 8
"""So many micrographs are needed: fewer would be memorised."""

REPLAYED = 400
OWN_SHARE = 0.5
_JUDGED, _JUDGE_SEED = 12, 90_001
"""Batches of held-out tiles that the loss is taken over, and their noise."""


@dataclass(frozen=True)
class FineTuning:
    """How long. ``seed``: of everything drawn at random."""

    prior_steps: int = 400
    unet_steps: int = 300
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class Tuned:
    """A generator that has seen the lab's own micrographs, not kept yet.

    ``loss_before``, ``loss_after``: of the generator that serves and of this one, on the
    ``n_held`` micrographs that no training saw. ``parent``: SHA-256 of the UNet that it was trained
    on from.
    """

    pipeline: MicrostructurePipeline
    encoders: MatMCL
    recipe: Recipe
    parent: str
    n_micrographs: int
    n_held: int
    loss_before: float
    loss_after: float

    @property
    def is_better(self) -> bool:
        """Whether it tells the lab's held-out micrographs better than what serves."""
        return self.loss_after < self.loss_before


def tune_generator(
    workspace: Workspace,
    campaign: Campaign,
    experiments: Sequence[ExperimentRecord],
    serving: Serving,
    settings: FineTuning | None = None,
    *,
    work: Path | None = None,
    replayed: int = REPLAYED,
    progress: Progress = silent,
) -> Tuned:
    """Train the serving generator on from a campaign's micrographs; a fifth of them judges it.

    Args:
        workspace: whose files.
        campaign: its conditions.
        experiments: with their micrographs.
        serving: the generator to train on from.
        settings: the budget.
        work: where an interrupted training is kept and taken up again.
        replayed: pictures of the virtual lab to learn from beside the lab's own.
        progress: called at each part and with the losses; what it raises ends the training.

    Raises:
        ModelError: too few micrographs, or a training that cannot go on.
    """
    settings = settings or FineTuning()
    painter = open_painter(serving)
    progress("reading micrographs")
    lessons, n = own_lessons(workspace, campaign, painter, experiments, settings.seed)
    if n < FEWEST:
        raise ModelError(
            f"expected at least {FEWEST} micrographs of finished runs with a known scale, got {n}; "
            "log more of them first"
        )
    # By micrograph, not by tile: tiles of one picture are alike.
    is_held_out = np.repeat(np.arange(n) % 5 == 4, TILES)
    card, encoders, seed = read_card(serving.folder), painter.encoders, settings.seed
    config = card.config
    judging = generator_data(encoders, _subset(lessons, is_held_out), config.side_px, seed=seed)
    data = _beside_replayed(painter, _subset(lessons, ~is_held_out), replayed, config.side_px, seed)
    unet = TrainingSettings(
        # A fifth of the starter's rate: trained on, not anew. The average follows faster (0.99), as
        # it has few steps to follow in.
        steps=settings.unet_steps, learning_rate=2e-4, warmup=20, seed=seed, ema=0.99,
        device=settings.device, checkpoint_every=50,
    )  # fmt: skip
    prior = replace(unet, steps=settings.prior_steps, batch=128, learning_rate=5e-4)
    # As the starter ships: half the bytes.
    recipe = Recipe(config, prior, unet, dtype="float16")
    try:
        parent = load_generator(serving.folder, encoders_sha256=card.encoders_sha256)
        loss_before = _loss(parent, judging, config)
        pipeline = train_generator(
            encoders, data, recipe, start=parent, work=work, progress=progress
        )
    except GeneratorError as error:
        reason = str(error) if work is None else mark_place(str(error), work)
        raise ModelError(f"the generator could not be trained on: {reason}") from error
    loss_after = _loss(pipeline, judging, config)
    return Tuned(
        pipeline,
        encoders,
        recipe,
        painter.sha256,
        n,
        int(is_held_out.sum()) // TILES,
        loss_before,
        loss_after,
    )


def keep_generator(workspace: Workspace, tuned: Tuned, *, watermark: int) -> tuple[Kept, str]:
    """Put a generator into its place below the data folder; return it with the UNet's SHA-256.

    Raises:
        DataError: the disk is full, or the data folder cannot be written.
        ModelError: it cannot be written for another reason.
    """
    n, digests = tuned.n_micrographs, []

    def fill(aside: Path) -> None:
        try:
            digest = save_together(
                aside,
                tuned.pipeline,
                tuned.encoders,
                tuned.recipe,
                extra={"parent": tuned.parent, "micrographs": n},
                readme=f"# Generator fine-tuned on {n} micrographs\n\n"
                f"Trained on from {tuned.parent}.\n",
                watermark=watermark,
            )
        except (GeneratorError, SurrogateError) as error:
            # A full disk is told by `keep` as what it is.
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from error
            raise ModelError(
                f"the generator cannot be kept: {mark_place(str(error), aside)}"
            ) from error
        digests.append(digest)

    return keep(workspace.data_dir, ModelKind.GENERATOR, fill), digests[0]


def own_lessons(
    workspace: Workspace,
    campaign: Campaign,
    painter: Painter,
    experiments: Sequence[ExperimentRecord],
    seed: int,
) -> tuple[Lessons, int]:
    """Return tiles of a campaign's micrographs with their conditions, and how many were read.

    Pictures without a scale, or too small or coarse for a tile, are left out.
    """
    from engine.retrieval.encoder import levelled, read_picture

    tiles: list[NDArray[np.uint8]] = []
    rows: list[Any] = []
    n = 0
    limit = workspace.settings.storage.max_image_megapixels
    for experiment in experiments:
        if experiment.status is not Status.COMPLETED:
            continue
        for micrograph in experiment.micrographs:
            if micrograph.nm_per_pixel is None:
                continue
            try:
                grey = read_picture(
                    workspace.data_dir / micrograph.path,
                    max_megapixels=limit,
                    crop=micrograph.crop,
                    rotation_axis=micrograph.rotation_axis,
                )
                # From the picture's content: the same tiles however many pictures come before it.
                luck = torch.Generator().manual_seed(seed + int(micrograph.sha256[:12], 16))
                cut = cut_tiles(
                    levelled(grey),
                    micrograph.nm_per_pixel,
                    config=painter.encoders.config,
                    n=TILES,
                    generator=luck,
                )
            except (SpinneretError, SurrogateError):
                continue
            n += 1
            tiles.extend(cut.numpy())
            rows.extend([experiment.conditions] * len(cut))
    vocabulary = painter.encoders.vocabulary
    side = painter.encoders.config.tile_px
    stacked = np.stack(tiles) if tiles else np.empty((0, side, side), dtype=np.uint8)
    table = np.asarray(encode_conditions(campaign, vocabulary, rows))
    # Nothing reads what was promised: the encoders are not taught here.
    unknown = np.full((len(stacked), len(SHOWN)), np.nan)
    # What a mat is laid by has to be read off this lab's pictures, too.
    statistics = shown_on(stacked) if painter.drawer.config.is_laid else unknown
    return Lessons(stacked, statistics, table, unknown), n


def shown_on(tiles: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return :data:`SHOWN` (n, 5) of tiles (n, s, s), measured; NaN where nothing was seen."""
    rows = np.full((len(tiles), len(SHOWN)), np.nan)
    for row, tile in zip(rows, tiles, strict=True):
        statistics = measure(tile, NM_PER_PIXEL).statistics
        mean, sd = statistics.diameter.mean, statistics.diameter.sd
        if mean is not None and sd is not None and statistics.order is not None:
            row[:3] = math.log(mean), sd / mean, statistics.order
            row[4] = statistics.bead_fraction
        if statistics.porosity is not None:
            row[3] = statistics.porosity
    return rows


def _beside_replayed(
    painter: Painter, real: Lessons, replayed: int, side_px: int, seed: int
) -> GeneratorData:
    """Return own tiles and drawn ones, so weighted that either is half of what is seen."""
    side = painter.encoders.config.tile_px
    old = draw_lessons(
        encoder_vocabulary(),
        standard=max(replayed, 2),
        wide=0,
        side_px=side,
        nm_per_pixel=NM_PER_PIXEL,
        seed=seed + 1,
    )
    combined = Lessons(*(np.concatenate([getattr(part, f) for part in (real, old)]) for f in (
        "tiles", "shown", "table", "promised")))  # fmt: skip
    weights = torch.ones(len(combined.tiles))
    weights[: len(real.tiles)] = OWN_SHARE / (1.0 - OWN_SHARE) * len(old.tiles) / len(real.tiles)
    return generator_data(painter.encoders, combined, side_px, seed=seed, weights=weights)


def _subset(lessons: Lessons, chosen: NDArray[np.bool_]) -> Lessons:
    return Lessons(
        lessons.tiles[chosen],
        lessons.shown[chosen],
        lessons.table[chosen],
        lessons.promised[chosen],
    )


def _loss(pipeline: MicrostructurePipeline, data: GeneratorData, config: GeneratorConfig) -> float:
    """Return the loss of prior and UNet together on ``data``, always over the same noise."""
    prior, unet = pipeline.prior, pipeline.unet
    # One fixed seed for both generators: the same noise at the same times, or its luck would
    # decide.
    settings = TrainingSettings(steps=1, batch=16, drop=0.0, seed=_JUDGE_SEED, device="cpu")
    pairs = PriorObjective(prior), pairs_of(data, prior, settings)
    pictures = UNetObjective(unet, config), pictures_of(data, prior, config, settings)
    total = 0.0
    with torch.no_grad():
        for objective, examples in (pairs, pictures):
            objective.eval()
            total += sum(float(objective(*examples(k))) for k in range(_JUDGED)) / _JUDGED
    return total
