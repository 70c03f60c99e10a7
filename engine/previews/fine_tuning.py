"""A generator that has seen a lab's own micrographs: trained on from the one that serves.

Two parts. The prior learns what this lab's conditions do; its condition embeddings come from the
encoders as they are. The UNet learns what this lab's microscope shows. Beside the lab's own
pictures, drawn ones of the virtual lab are replayed, so that nothing that was known is forgotten.
The encoders stay: they are what both sides agree on, and their hash is the generator's.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from db.records import ExperimentRecord, ModelKind, ModelStatus, Status
from engine.campaign import Campaign
from engine.compute import versions
from engine.errors import ModelError, SpinneretError
from engine.previews.encoders import NM_PER_PIXEL, encoder_vocabulary
from engine.previews.lessons import SHOWN, Lessons, draw_lessons
from engine.previews.painter import Painter, open_painter
from engine.previews.serving import serving_generator
from engine.previews.training import Recipe, generator_data, save_together, train_generator
from engine.registry.files import FILES, hashes
from engine.sources.encoding import encode_conditions
from engine.workspace import Workspace
from generator.checkpoint import read_card
from generator.config import TrainingSettings
from surrogate.matmcl.tiles import cut_tiles

TILES = 6
"""Tiles of a micrograph."""

FEWEST = 8
"""So many micrographs are needed: fewer would be learnt by heart."""

REPLAYED = 400
OWN_SHARE = 0.5

Tell = Callable[[str], None]


@dataclass(frozen=True)
class FineTuning:
    """How long. ``seed``: of everything drawn at random."""

    prior_steps: int = 400
    unet_steps: int = 300
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class FineTuned:
    """A generator in the data folder and its row: a candidate until somebody promotes it."""

    model_id: int
    artifact: str
    sha256: str
    n_micrographs: int


def fine_tune_generator(
    workspace: Workspace,
    settings: FineTuning | None = None,
    *,
    status: ModelStatus = ModelStatus.CANDIDATE,
    replayed: int = REPLAYED,
    tell: Tell | None = None,
) -> FineTuned:
    """Train the serving generator on from the active campaign's micrographs, and register it.

    Args:
        workspace: an open workspace.
        settings: the budget.
        status: of the new version; ``champion`` retires the former one in the same transaction.
        replayed: pictures of the virtual lab to learn from beside the lab's own.
        tell: told what is being done.

    Raises:
        ModelError: no generator, too few micrographs, or a training that cannot go on.
        DatabaseError: it cannot be recorded; its folder is gone then.
    """
    settings, say = settings or FineTuning(), tell or (lambda _: None)
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        serving = serving_generator(workspace, tx, record.id)
        experiments = tx.experiments.list(record.id)
        watermark = tx.watermark()
    if serving is None:
        raise ModelError("expected a generator to train on from, found none")
    painter = open_painter(serving)
    say("reading micrographs")
    lessons, n = own_lessons(workspace, campaign, painter, experiments, settings.seed)
    if n < FEWEST:
        raise ModelError(
            f"expected at least {FEWEST} micrographs of finished runs with a known scale, got {n}; "
            "log more of them first"
        )
    say(f"training on {n} micrographs")
    pipeline, recipe = _trained(painter, serving.folder, lessons, settings, replayed)
    folder, artifact, sha256, is_new = _kept(
        workspace, painter, pipeline, recipe, watermark=watermark, n=n, parent=painter.sha256
    )
    try:
        with workspace.database.write("fine-tune", detail=artifact) as tx:
            if status is ModelStatus.CHAMPION:
                tx.models.retire_champion(record.id, ModelKind.GENERATOR)
            model_id = tx.models.add(
                record.id,
                kind=ModelKind.GENERATOR,
                artifact_path=artifact,
                sha256=sha256,
                watermark=watermark,
                metrics={"micrographs": n},
                status=status,
                parent_id=serving.model_version_id,
                config={"fine_tuning": asdict(settings), FILES: hashes(folder)},
                seed=settings.seed,
                versions=versions(),
                reason="fine-tuned",
            )
    except BaseException:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return FineTuned(model_id, artifact, sha256, n)


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
    from surrogate.errors import SurrogateError

    tiles: list[NDArray[np.uint8]] = []
    rows: list[Any] = []
    n = 0
    limit = workspace.settings.storage.max_image_megapixels
    for experiment in experiments:
        if experiment.status is not Status.COMPLETED:
            continue
        for one in experiment.micrographs:
            if one.nm_per_pixel is None:
                continue
            try:
                grey = read_picture(
                    workspace.data_dir / one.path,
                    max_megapixels=limit,
                    crop=one.crop,
                    rotation_axis=one.rotation_axis,
                )
                luck = torch.Generator().manual_seed(seed + int(one.sha256[:12], 16))
                cut = cut_tiles(
                    levelled(grey), one.nm_per_pixel, config=painter.encoders.config, n=TILES,
                    generator=luck,
                )  # fmt: skip
            except (SpinneretError, SurrogateError):
                continue
            n += 1
            tiles.extend(cut.numpy())
            rows.extend([experiment.conditions] * len(cut))
    words = painter.encoders.vocabulary
    side = painter.encoders.config.tile_px
    stacked = np.stack(tiles) if tiles else np.empty((0, side, side), dtype=np.uint8)
    table = np.asarray(encode_conditions(campaign, words, rows))
    nothing = np.full((len(stacked), len(SHOWN)), np.nan)
    return Lessons(stacked, nothing, table, nothing), n


def _trained(
    painter: Painter, folder: Path, own: Lessons, settings: FineTuning, replayed: int
) -> tuple[Any, Recipe]:
    """Train prior and UNet on from what serves, on own and replayed pictures."""
    card = read_card(folder)
    old = draw_lessons(
        encoder_vocabulary(),
        standard=max(replayed, 2),
        wide=0,
        side_px=painter.encoders.config.tile_px,
        nm_per_pixel=NM_PER_PIXEL,
        seed=settings.seed + 1,
    )
    both = Lessons(*(np.concatenate([getattr(one, f) for one in (own, old)]) for f in (
        "tiles", "shown", "table", "promised")))  # fmt: skip
    share = OWN_SHARE / (1.0 - OWN_SHARE) * len(old.tiles) / len(own.tiles)
    weights = torch.ones(len(both.tiles))
    weights[: len(own.tiles)] = share
    data = generator_data(
        painter.encoders, both, card.config.side_px, seed=settings.seed, weights=weights
    )
    unet = TrainingSettings(
        steps=settings.unet_steps, learning_rate=2e-4, warmup=20, seed=settings.seed, ema=0.99,
        device=settings.device,
    )  # fmt: skip
    prior = replace(unet, steps=settings.prior_steps, batch=128, learning_rate=5e-4)
    recipe = Recipe(card.config, prior, unet, dtype="float16")
    pipeline = train_generator(painter.encoders, data, recipe, start=painter.pipeline)
    return pipeline, recipe


def _kept(
    workspace: Workspace,
    painter: Painter,
    pipeline: Any,
    recipe: Recipe,
    *,
    watermark: int,
    n: int,
    parent: str,
) -> tuple[Path, str, str, bool]:
    """Write the generator aside and put its folder in its place below the data folder."""
    from generator.errors import GeneratorError
    from surrogate.errors import SurrogateError

    home = workspace.data_dir / "models"
    home.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=home, prefix=".new-"))
    try:
        sha256 = save_together(
            aside,
            pipeline,
            painter.encoders,
            recipe,
            extra={"parent": parent, "micrographs": n},
            readme=f"# Generator fine-tuned on {n} micrographs\n\nTrained on from {parent}.\n",
            watermark=watermark,
        )
        folder = home / f"generator-{sha256[:12]}"
        is_new = not folder.exists()
        if is_new:
            aside.chmod(0o755)
            aside.rename(folder)
    except (GeneratorError, SurrogateError) as error:
        raise ModelError(f"the generator cannot be kept: {error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder, folder.relative_to(workspace.data_dir).as_posix(), sha256, is_new
