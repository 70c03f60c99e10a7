"""From pictures with conditions to a generator with its encoders, stage by stage, each resumable.

A working folder holds what is done: the trainings of prior and UNet, and a sheet of samples.
Whenever the process is killed, the same call goes on from there to the same weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engine.compute import versions
from engine.previews.calibration import calibrate
from engine.previews.contact_sheet import sheet_bytes
from engine.previews.encoders import condition_embeddings, image_embeddings
from engine.previews.lessons import Array, Lessons
from engine.previews.serving_generator import ENCODERS
from engine.previews.store import write_png
from generator.checkpoint import load_generator, make_pipeline, save_generator
from generator.config import GeneratorConfig, TrainingSettings
from generator.data import FLIPS, GeneratorData
from generator.errors import InputError
from generator.grain import grain_of
from generator.objectives import PriorObjective, UNetObjective, pairs_of, pictures_of
from generator.pipeline import MicrostructurePipeline
from generator.train import train_network
from surrogate.matmcl.checkpoint import read_card, save_checkpoint
from surrogate.matmcl.model import MatMCL
from surrogate.progress import Progress, silent

# From "one or two are not stated" to "a few are".
_HIDE_RATES = (0.2, 0.35, 0.6)
N_SAMPLES = 8


@dataclass(frozen=True)
class Recipe:
    """How a generator is trained.

    ``prior``, ``unet``: the settings of either; ``dtype``: of the stored weights; ``until``: the
    step of the UNet's budget at which to stop for now.
    """

    config: GeneratorConfig = field(default_factory=GeneratorConfig)
    prior: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            steps=1500, batch=256, warmup=200, ema=0.995, checkpoint_every=500
        )
    )
    unet: TrainingSettings = field(default_factory=TrainingSettings)
    dtype: str = "float16"
    until: int | None = None

    def with_seed(self, seed: int) -> Recipe:
        """Return the recipe with another seed for both networks."""
        return replace(
            self, prior=replace(self.prior, seed=seed), unet=replace(self.unet, seed=seed)
        )


def generator_data(
    model: MatMCL,
    lessons: Lessons,
    side_px: int,
    *,
    seed: int = 0,
    weights: Tensor | None = None,
) -> GeneratorData:
    """Embed pictures (mirrored every way) and conditions (whole, and with parts hidden).

    The encoders see pictures as they are; the generator learns them at ``side_px``.
    """
    tiles = torch.from_numpy(np.ascontiguousarray(lessons.tiles))
    embeddings = torch.stack(
        [image_embeddings(model, (tiles.flip(a) if a else tiles).numpy()) for a in FLIPS], dim=1
    )
    variants = [
        condition_embeddings(model, table) for table in hidden_variants(lessons.table, seed)
    ]
    pictures = torch.from_numpy(reduced(lessons.tiles, side_px))
    statistics = torch.cat(
        [torch.from_numpy(lessons.shown).float(), grain_of(pictures)[:, None]], dim=1
    )
    return GeneratorData(pictures, embeddings, torch.stack(variants, dim=1), weights, statistics)


def reduced(tiles: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Return pictures (n, s, s) at ``side_px`` a side, by area averaging; s is a multiple of it.

    Raises:
        InputError: it is not.
    """
    n, side, _ = tiles.shape
    if side % side_px:
        raise InputError(f"expected pictures of a multiple of {side_px} px a side, got {side}")
    blocks = tiles.reshape(n, side_px, side // side_px, side_px, side // side_px)
    # As the microscope at a lower magnification does: each pixel the mean of what lies in it.
    return np.rint(blocks.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8)


def hidden_variants(table: Array, seed: int) -> list[Array]:
    """Return T (m, p, 3) as it is, then with ever more of it hidden."""
    rng = np.random.default_rng([seed, 31])
    variants = [table]
    for rate in _HIDE_RATES:
        masked = table.copy()
        masked[rng.random(table.shape[:2]) < rate] = 0.0
        variants.append(masked)
    return variants


def train_generator(
    model: MatMCL,
    data: GeneratorData,
    recipe: Recipe,
    *,
    work: Path | None = None,
    resume: bool = True,
    start: MicrostructurePipeline | None = None,
    progress: Progress = silent,
) -> MicrostructurePipeline:
    """Train prior and UNet on embedded pictures; from ``start`` on if one is given.

    Args:
        model: the encoders, for the sample sheets.
        data: what to learn from.
        recipe: the shape and the budgets.
        work: where trainings and ``samples.png`` are kept; ``None`` keeps nothing.
        resume: go on from what ``work`` holds.
        start: the generator to train on from, changed in place; a new one without.
        progress: called at every report of either network, ``prior`` or ``unet``.

    Raises:
        GeneratorError: data do not fit, the loss diverges, or the folder holds another training.
    """
    data.check(recipe.config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.unet.seed)
        pipeline = start or make_pipeline(recipe.config)
    pipeline.set_progress_bar_config(disable=True)
    # Trained on, it keeps its own scale: the weights were learnt in it.
    if start is None:
        pipeline.prior.standardise(data.conditions[:, 0], data.embeddings[:, 0])
    if data.statistics is not None and pipeline.prior.can_read and not pipeline.prior.is_taught:
        pipeline.prior.standardise_statistics(data.statistics)
    # What an interrupted training must agree on to be taken up again.
    identity = {"data": data.fingerprint(), "shape": recipe.config.to_dict()}
    identity["start"] = "new" if start is None else _started(pipeline)
    prior, unet, config = pipeline.prior, pipeline.unet, recipe.config

    train_network(
        PriorObjective(prior),
        pairs_of(data, prior, recipe.prior),
        recipe.prior,
        identity=identity,
        folder=None if work is None else work / "prior",
        resume=resume,
        stage="prior",
        progress=progress,
    )

    def sampled(step: int) -> None:
        if work is not None:
            write_samples(work / "samples.png", pipeline, data)

    train_network(
        UNetObjective(unet, config),
        pictures_of(data, prior, config, recipe.unet),
        recipe.unet,
        identity=identity,
        folder=None if work is None else work / "unet",
        resume=resume,
        stage="unet",
        progress=progress,
        at_checkpoint=sampled,
        until=recipe.until,
    )
    calibrate(pipeline, data, progress)
    return pipeline


def _started(pipeline: MicrostructurePipeline) -> str:
    networks = (pipeline.prior, pipeline.unet)
    return " ".join(fingerprint(network.state_dict()) for network in networks)


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """Return a SHA-256 of weights by name."""
    import hashlib

    digest = hashlib.sha256()
    for key, value in sorted(weights.items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def write_samples(path: Path, pipeline: MicrostructurePipeline, data: GeneratorData) -> None:
    """Write true pictures (above) and what is drawn of their conditions (below)."""
    n = min(N_SAMPLES, len(data.conditions))
    luck = torch.Generator().manual_seed(0)
    training = pipeline.unet.training
    pipeline.unet.eval()
    drawn = pipeline(data.conditions[:n, 0], 1, luck).pictures
    pipeline.unet.train(training)
    rows = (data.pictures[:n].numpy(), drawn)
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    write_png(path, sheet_bytes(Image.fromarray(sheet)))


def save_together(
    folder: Path,
    pipeline: MicrostructurePipeline,
    model: MatMCL,
    recipe: Recipe,
    *,
    extra: Mapping[str, Any],
    readme: str,
    watermark: int | str | None,
) -> str:
    """Write generator and encoders into one folder, each with the other's hash; return the UNet's.

    Raises:
        SurrogateError, GeneratorError: the folder cannot be written.
    """
    encoders = folder / ENCODERS
    note: dict[str, Any] = {"versions": versions()}
    save_checkpoint(encoders, model, extra=note, data_watermark=watermark, dtype=recipe.dtype)
    card = save_generator(
        folder,
        pipeline,
        recipe.config,
        encoders_sha256=read_card(encoders).sha256,
        extra={**extra, "prior": recipe.prior.to_dict(), "unet": recipe.unet.to_dict()},
        readme=readme,
        seed=recipe.unet.seed,
        dtype=recipe.dtype,
    )
    # Written a second time: each card holds the other's hash, and one had to come first. The
    # weights, and with them their hash, stay the same.
    note = {**note, "generator_sha256": card.sha256}
    save_checkpoint(encoders, model, extra=note, data_watermark=watermark, dtype=recipe.dtype)
    load_generator(folder, encoders_sha256=read_card(encoders).sha256)  # as it will be used
    return card.sha256


def size_of(folder: Path) -> int:
    """Return the bytes of everything in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
