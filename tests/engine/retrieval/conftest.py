"""A workspace with virtual runs and their micrographs, and a small trained model to search it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from db.records import ModelKind, ModelStatus, NewExperiment, Origin, Status
from engine.lab.physics import Drive, structure
from engine.lab.render import render_known
from engine.lab.virtual import VirtualLab, nanofibre_campaign
from engine.micrographs.store import store_micrograph
from engine.sources.encoding import encode_conditions
from engine.workspace import Workspace
from surrogate.matmcl.checkpoint import read_card, save_checkpoint
from surrogate.matmcl.config import MatMCLConfig, TrainSettings
from surrogate.matmcl.data import SourceTensors
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.tiles import cut_tiles
from surrogate.matmcl.train import train
from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary

N_RUNS, SIDE_PX, NM_PER_PIXEL, N_TILES = 40, 128, 120.0, 4


class Mats:
    """Virtual runs whose conditions range widely, with a picture of each and what it truly shows.

    Diameter and order alone differ much from run to run, so that little is left to chance.
    """

    def __init__(self, n: int = N_RUNS, seed: int = 100) -> None:
        lab, rng = VirtualLab(), np.random.default_rng(seed)
        self.conditions, self.pictures, self.statistics = [], [], []
        for _ in range(n):
            row = {
                p.name: float(rng.choice(p.levels or ())) for p in lab.campaign.controlled
            } | lab.room(rng)
            mat = structure(Drive.of(row), lab.constants)
            picture, truth = render_known(
                mat, rng, shape=(SIDE_PX, SIDE_PX), nm_per_pixel=NM_PER_PIXEL
            )
            self.conditions.append(row)
            self.pictures.append(picture)
            self.statistics.append(
                {
                    "unit": "nm",
                    "diameter": {"mean": truth.diameter_nm},
                    "order": truth.order,
                    "porosity": truth.porosity,
                }
            )


@pytest.fixture(scope="session")
def mats() -> Mats:
    return Mats()


def vocabulary() -> Vocabulary:
    specs = []
    for parameter in nanofibre_campaign().parameters:
        low, high = parameter.bounds
        if parameter.name in ("concentration", "voltage", "flow_rate"):
            low, high = math.log(low), math.log(high)
            specs.append(
                ParameterSpec(parameter.name, parameter.unit, True, (low + high) / 2, high - low)
            )
        else:
            specs.append(
                ParameterSpec(parameter.name, parameter.unit, False, (low + high) / 2, high - low)
            )
    return Vocabulary(tuple(specs), ("elongation.longitudinal",))


@pytest.fixture(scope="session")
def checkpoint(mats: Mats, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small model trained on the mats."""
    torch.set_num_threads(1)
    config = MatMCLConfig(
        width=32, depth=1, latent_dim=16, projection_dim=8, n_deviations=0, tile_px=32,
        nm_per_pixel=240.0, contrastive_weight=1.0,
    )  # fmt: skip
    words = vocabulary()
    campaign = nanofibre_campaign()
    table = encode_conditions(campaign, words, mats.conditions)
    generator = torch.Generator().manual_seed(0)
    tiles = [
        cut_tiles(p, NM_PER_PIXEL, config=config, n=N_TILES, generator=generator)
        for p in mats.pictures
    ]
    torch.manual_seed(0)
    model = MatMCL(config, words, ("virtual",))
    source = SourceTensors(
        "virtual",
        torch.as_tensor(np.asarray(table), dtype=torch.float32),
        torch.zeros(N_RUNS, 1),
        torch.zeros(N_RUNS, dtype=torch.long),
        torch.cat(tiles),
        torch.arange(N_RUNS).repeat_interleave(N_TILES),
    )
    settings = TrainSettings(
        steps=60, tiles_per_batch=N_RUNS, rows_per_batch=N_RUNS, device="cpu", warmup=5
    )
    train(model, [source], settings)
    folder = tmp_path_factory.mktemp("model")
    save_checkpoint(folder, model)
    return folder


@pytest.fixture(scope="session")
def filled_once(
    initialised: Path, mats: Mats, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a folder with the mats as runs and the champion: copying it is quicker."""
    folder = tmp_path_factory.mktemp("mats") / "work"
    shutil.copytree(initialised, folder)
    crown(folder, checkpoint)
    fill_with(folder, mats, list(range(N_RUNS)))
    return folder


@pytest.fixture
def pictured(folder: Path, filled_once: Path) -> Path:
    """Return the folder of a workspace with the mats as finished runs M0 … and the champion."""
    shutil.copytree(filled_once, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture
def champion(folder: Path, checkpoint: Path) -> None:
    """Make the small model the champion of the workspace."""
    crown(folder, checkpoint)


def crown(folder: Path, checkpoint: Path) -> None:
    """Copy a model into a workspace and record it as the champion."""
    with Workspace.open(folder / "config.toml") as workspace:
        target = workspace.data_dir / "models" / "1"
        target.mkdir(parents=True)
        for file in checkpoint.iterdir():
            (target / file.name).write_bytes(file.read_bytes())
        with workspace.database.write("test") as tx:
            tx.models.add(
                workspace.active_campaign(tx)[0].id,
                kind=ModelKind.SURROGATE,
                artifact_path="models/1",
                sha256=read_card(checkpoint).sha256,
                watermark=1,
                metrics={},
                status=ModelStatus.CHAMPION,
            )


def fill_with(folder: Path, mats: Mats, shown: Sequence[int]) -> None:
    """Record the mats as finished runs; run i is given the picture of mat ``shown[i]``."""
    with Workspace.open(folder / "config.toml") as workspace:
        files = []
        for i, picture in enumerate(mats.pictures):
            path = folder / f"M{i}.png"
            Image.fromarray(picture).save(path)
            files.append(store_micrograph(path, workspace.data_dir, max_megapixels=10))
        with workspace.database.write("test") as tx:
            record = workspace.active_campaign(tx)[0]
            new = [
                NewExperiment(
                    Origin.MANUAL,
                    Status.COMPLETED,
                    label=f"M{i}",
                    actual=row,
                    outcomes={"elongation.longitudinal": (80.0 + i,)},
                )
                for i, row in enumerate(mats.conditions)
            ]
            tx.experiments.add(record, new)
            labels = tx.experiments.labels(record.id)
            for i, place in enumerate(shown):
                stored = files[place]
                tx.micrographs.add(
                    labels[f"M{i}"],
                    sha256=stored.sha256,
                    path=stored.path,
                    original_name=stored.original_name,
                    width_px=stored.width_px,
                    height_px=stored.height_px,
                    n_bytes=stored.n_bytes,
                    nm_per_pixel=NM_PER_PIXEL,
                    nm_per_pixel_source="stated",
                    statistics=mats.statistics[place],
                )


@pytest.fixture
def record_mats() -> Callable[[Path, Mats, Sequence[int]], None]:
    """Return a function that records mats as runs, with pictures of others if so told."""
    return fill_with
