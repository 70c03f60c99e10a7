"""Toy models and toy sources: two parameters, two outcomes, small pictures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from surrogate.matmcl.config import MatMCLConfig, TrainSettings
from surrogate.matmcl.data import SourceTensors
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary

SMALL = MatMCLConfig(
    width=16, depth=1, latent_dim=8, projection_dim=8, n_deviations=2, tile_px=32, nm_per_pixel=100
)
BRIEF = TrainSettings(
    steps=8,
    labs_per_batch=4,
    rows_per_batch=16,
    tiles_per_batch=8,
    warmup=2,
    report_every=2,
    checkpoint_every=3,
    device="cpu",
)
WORDS = Vocabulary(
    (
        ParameterSpec("voltage", "kV", False, 18.0, 4.0),
        ParameterSpec("flow_rate", "mL/h", True, -0.9, 0.5),
    ),
    ("fracture_strength.longitudinal", "elongation.longitudinal"),
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(config: MatMCLConfig = SMALL, sources: tuple[str, ...] = ("ensemble",)) -> MatMCL:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MatMCL(config, WORDS, sources)


def conditions(n: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    T = torch.ones(n, 2, 3)
    T[..., 0] = torch.randn(n, 2, generator=generator)
    T[..., 1] = T[..., 0].clamp(-1, 1)
    return T


def simulated(labs: int = 12, rows: int = 10, *, tiles: bool = True) -> SourceTensors:
    """Labs whose outcomes share a mean and differ by one direction; stripes tell z of row 0."""
    side = SMALL.tile_px
    generator = torch.Generator().manual_seed(1)
    T = conditions(labs * rows, seed=2)
    lab = torch.arange(labs).repeat_interleave(rows)
    z = T[..., 0]
    weight = torch.randn(labs, generator=generator)[lab]
    clean = torch.stack([z[:, 0] + weight * z[:, 1], torch.sin(z[:, 1])], dim=1)
    y = clean + 0.1 * torch.randn(clean.shape, generator=generator)
    y[::7, 1] = torch.nan
    pictures = owner = None
    if tiles:
        owner = torch.arange(0, labs * rows, 2)
        across = torch.linspace(0, 6.28, side)
        wave = torch.sin((3 + 2 * z[owner, 0]).view(-1, 1, 1) * across.view(1, -1, 1))
        pictures = ((wave.expand(-1, side, side) + 1) * 127).to(torch.uint8)
    return SourceTensors("ensemble", T, y, lab, pictures, owner)


def table(n: int = 40, name: str = "archive") -> SourceTensors:
    T = conditions(n, seed=3)
    T[::3, 1, 2] = 0.0
    z = T[..., 0]
    y = torch.stack([z[:, 0], -z[:, 0]], dim=1)
    y[::4, 0] = torch.nan
    return SourceTensors(name, T, y, torch.zeros(n, dtype=torch.int64))
