"""The encoders of a generator: a MatMCL of its own, taught by pictures *and* by what they show.

The shared contrastive space of conditions and pictures (GMC, :mod:`surrogate.matmcl.loss`) tells
pictures apart only as far as conditions do. A generator needs more of f_v: what this very picture
shows. Hence two further terms: from f_v's latent the statistics of the picture are read off, from
f_t's those of the mean lot of the conditions, by heads that are left behind.

Notation
--------
===  ==============================================================================  ============
t    f_t's latent, what the prior starts from                                        (n, l)
v    f_v's latent, the image embedding that the prior makes and the UNet draws by     (n, l)
===  ==============================================================================  ============
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.previews.lessons import SHOWN, Lessons
from engine.sources.ensemble_data import PARAMETERS, STRUCTURE
from surrogate.matmcl.config import MatMCLConfig, TrainSettings
from surrogate.matmcl.loss import gmc_loss
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.tiles import augment
from surrogate.matmcl.vocabulary import Vocabulary
from surrogate.progress import Progress, silent
from surrogate.randomness import drawn_from

Array = NDArray[np.float64]

SOURCE = "virtual"
SIDE_PX, NM_PER_PIXEL = 128, 60.0
"""Of what the encoders see: the generator's field of view, at its scale or a finer one."""

LATENT = 32
# Less than the readings' 1: contrast tells pictures apart only as far as conditions do. The
# surrogate's f_v, taught by contrast, shows diameter, order and porosity with R² 0.72, 0.89 and
# 0.50, this one with 0.97, 0.97 and 0.95 (docs/notes/generator.md).
WEIGHT_CONTRASTIVE = 0.2
# People state some of the conditions and leave the others open.
MASK_RATE = 0.08


def encoder_config(side_px: int = SIDE_PX, latent: int = LATENT) -> MatMCLConfig:
    """Return the shape of a generator's encoders."""
    return MatMCLConfig(
        # No deviations: there is one lab to learn, the virtual one.
        width=128, depth=3, latent_dim=latent, projection_dim=latent, tile_px=side_px,
        nm_per_pixel=NM_PER_PIXEL, n_deviations=0,
    )  # fmt: skip


def encoder_vocabulary() -> Vocabulary:
    """Return the words of a generator's encoders: the starter's parameters, the mat's structure."""
    return Vocabulary(PARAMETERS, STRUCTURE)


@dataclass(frozen=True)
class EncoderBudget:
    """How long the encoders learn. ``rate``: peak of the learning rate."""

    steps: int = 3000
    batch: int = 48
    rate: float = 2e-3
    seed: int = 0


class _Reading(nn.Module):
    """Linear heads that read :data:`SHOWN` off the latents; left behind after training."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.of_picture = nn.Linear(latent, len(SHOWN))
        self.of_conditions = nn.Linear(latent, len(SHOWN))


def train_encoders(
    lessons: Lessons,
    config: MatMCLConfig,
    budget: EncoderBudget | None = None,
    *,
    model: MatMCL | None = None,
    progress: Progress = silent,
) -> MatMCL:
    """Teach encoders from ``lessons``; from ``model`` on if one is given, which is changed.

    Every random number follows from the budget's seed and the step.
    """
    budget = budget or EncoderBudget()
    # The caller's own random numbers go on as if nothing had been drawn here.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(budget.seed)
        model = model or MatMCL(config, encoder_vocabulary(), (SOURCE,))
        reading = _Reading(config.latent_dim)
        _teach(model, reading, lessons, budget, progress)
    return model.eval()


def _teach(
    model: MatMCL,
    reading: _Reading,
    lessons: Lessons,
    budget: EncoderBudget,
    progress: Progress,
) -> None:
    # Standardised, so that a logarithm of nm and a share of beads weigh alike.
    centre, scale = lessons.shown.mean(axis=0), np.maximum(lessons.shown.std(axis=0), 1e-6)
    standardised = torch.from_numpy((lessons.shown - centre) / scale).float()
    promised = torch.from_numpy((lessons.promised - centre) / scale).float()
    table = torch.from_numpy(lessons.table).float()
    tiles = torch.from_numpy(lessons.tiles)
    parameters = [*model.parameters(), *reading.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=budget.rate, weight_decay=1e-2)
    n_paired, n_all = len(table), len(tiles)
    varied = TrainSettings(brightness=0.02, contrast=0.1, noise=0.01)
    model.train()
    for step in range(budget.steps):
        luck = drawn_from("encoders", budget.seed, step)
        for group in optimiser.param_groups:
            group["lr"] = _rate(step, budget)
        paired = torch.randint(n_paired, (budget.batch,), generator=luck)
        # The `wide` mats, of which there are pictures and no conditions.
        unpaired = torch.randint(n_paired, n_all, (budget.batch // 3,), generator=luck) \
            if n_all > n_paired else paired[:0]  # fmt: skip
        chosen = torch.cat([paired, unpaired])
        varied_tiles = augment(tiles[chosen].unsqueeze(1).float() / 255.0, varied, luck)
        v = model.vision_latent(varied_tiles)
        t = model.table_latent(_masked(table[paired], luck))
        loss = functional.mse_loss(reading.of_picture(v), standardised[chosen])
        loss = loss + functional.mse_loss(reading.of_conditions(t), promised[paired])
        # The places of STRUCTURE in SHOWN: the spread of diameters (1) is in no vocabulary.
        loss = loss + functional.mse_loss(
            model.head_of(t, SOURCE)[..., 0], promised[paired][:, [0, 2, 3, 4]]
        )
        joint = model.project(model.merge(t, v[: len(paired)]))
        projections = [model.project(t), model.project(v[: len(paired)])]
        loss = loss + WEIGHT_CONTRASTIVE * gmc_loss(joint, projections, temperature=0.1)
        loss = loss + 1e-3 * (v.square().mean() + t.square().mean())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        if (step + 1) % 50 == 0:
            progress("encoders", step + 1, budget.steps, {"loss": float(loss.detach())})


def _masked(table: Tensor, luck: torch.Generator) -> Tensor:
    hidden = torch.rand(table.shape[:2], generator=luck) < MASK_RATE
    return table.masked_fill(hidden.unsqueeze(-1), 0.0)


def _rate(step: int, budget: EncoderBudget) -> float:
    warm = min(1.0, (step + 1) / 100)
    return budget.rate * warm * 0.5 * (1.0 + math.cos(math.pi * step / budget.steps))


def image_embeddings(model: MatMCL, tiles: NDArray[np.uint8], *, chunk: int = 64) -> Tensor:
    """Return v (n, l) of tiles (n, s, s)."""
    model.eval()
    parts = []
    with torch.no_grad():
        for part in torch.from_numpy(np.ascontiguousarray(tiles)).split(chunk):
            parts.append(model.vision_latent(part.unsqueeze(1).float() / 255.0))
    return torch.cat(parts)


def condition_embeddings(model: MatMCL, table: Array) -> Tensor:
    """Return t (n, l) of encoded conditions (n, p, 3)."""
    model.eval()
    with torch.no_grad():
        return model.table_latent(torch.from_numpy(np.asarray(table)).float())
