"""How fast a model trains on pictures: micrographs per second through the whole training step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from surrogate.errors import InputError
from surrogate.matmcl.config import MatMCLConfig, TrainSettings
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.objective import Objective
from surrogate.matmcl.tiles import augment
from surrogate.matmcl.train import make_optimiser
from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary
from surrogate.training import make_accelerator

_WARM_UP = 3


@dataclass(frozen=True)
class Throughput:
    """What was measured.

    Attributes:
        micrographs_per_second: tiles through augmentation, forward, backward and update.
        steps, seconds: timed, after a warm-up.
        batch: tiles in a step.
        tile_px: side of a tile.
        vision_encoder: name of the backbone.
        vision_weights: count of f_v's weights.
        precision, device: as used.
    """

    micrographs_per_second: float
    steps: int
    seconds: float
    batch: int
    tile_px: int
    vision_encoder: str
    vision_weights: int
    precision: str
    device: str


def training_throughput(
    config: MatMCLConfig,
    device: str = "auto",
    seconds: float = 10.0,
    *,
    batch: int = 64,
    precision: str = "auto",
) -> Throughput:
    """Train on made-up pairs for some seconds and count micrographs.

    Args:
        config: names backbone and tile size; ``resnet50`` at 224 px is the paper's.
        device: ``auto``, ``cpu``, ``cuda``.
        seconds: how long to time, after three steps of warm-up.
        batch: tiles in a step.
        precision: ``auto``, ``no``, ``bf16``.

    Raises:
        InputError: a duration or batch that cannot be.
    """
    if not seconds > 0 or batch < 2:
        raise InputError(f"expected seconds > 0 and batch >= 2, got {seconds} and {batch}")
    settings = TrainSettings(device=device, precision=precision)
    accelerator = make_accelerator(device, precision, error=InputError, has_unused_parameters=True)
    places = tuple(ParameterSpec(f"x{j}", "1", False, 0.0, 1.0) for j in range(6))
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MatMCL(config, Vocabulary(places, ("y",))).to(accelerator.device)
    inner = make_optimiser(model, settings)
    objective, optimiser = accelerator.prepare(Objective(model), inner)
    side = config.tile_px
    table = torch.cat([torch.randn(batch, 6, 2, generator=generator), torch.ones(batch, 6, 1)], -1)
    table = table.to(accelerator.device)
    tiles = torch.rand(batch, 1, side, side, generator=generator).to(accelerator.device)

    def step() -> None:
        losses = objective((), table, augment(tiles, settings, generator))
        accelerator.backward(losses["loss"])
        accelerator.clip_grad_norm_(model.parameters(), settings.clip)
        optimiser.step()
        optimiser.zero_grad()

    steps, spent = _timed(step, seconds, accelerator.device)
    return Throughput(
        micrographs_per_second=steps * batch / spent,
        steps=steps,
        seconds=spent,
        batch=batch,
        tile_px=side,
        vision_encoder=config.vision_encoder,
        vision_weights=sum(weights.numel() for weights in model.vision.parameters()),
        precision=accelerator.mixed_precision,
        device=_device_name(accelerator.device),
    )


def _timed(step: Callable[[], None], seconds: float, device: torch.device) -> tuple[int, float]:
    """Repeat a step for some seconds; return how often, and how long it took."""
    for _ in range(_WARM_UP):
        step()
    _settle(device)
    start, steps = time.perf_counter(), 0
    while True:
        step()
        steps += 1
        if steps % 5 == 0 or device.type == "cpu":
            _settle(device)
            if (spent := time.perf_counter() - start) >= seconds:
                return steps, spent


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
