"""The prior: from a condition's embedding and noise to the embedding of a picture. Plain torch.

Notation
--------
===  ======================================================================  =================
e    the picture's embedding, standardised                                   (n, d)
c    the condition's embedding, standardised                                 (n, k)
===  ======================================================================  =================
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LONGEST_WAVE = 10_000.0
N_SHOWN = 6
"""What is read off an embedding: see :data:`generator.layout.STATISTICS`."""


class TimeWaves(nn.Module):
    """Timesteps as waves of many lengths (Vaswani et al. 2017): (n,) → (n, width), cosines first.

    ``width`` is even.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.half = width // 2

    def forward(self, timestep: Tensor) -> Tensor:
        """Timesteps (n,) → (n, width)."""
        place = torch.arange(self.half, dtype=torch.float32, device=timestep.device)
        angle = timestep[:, None].float() * torch.exp(-math.log(LONGEST_WAVE) * place / self.half)
        return torch.cat([angle.cos(), angle.sin()], dim=-1)


class TwoLayers(nn.Module):
    """A vector through two layers; the names are those of the files."""

    def __init__(self, n_in: int, width: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(n_in, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in) → (n, width)."""
        return self.linear_2(functional.silu(self.linear_1(x)))


class Prior(nn.Module):
    """From c and a noisy e, says the v of e's diffusion. An MLP with residual blocks.

    It also keeps how both embeddings are standardised, and where ``n_shown`` says so, it reads off
    e what its picture shows.
    """

    condition_mean: Tensor
    condition_sd: Tensor
    embedding_mean: Tensor
    embedding_sd: Tensor
    shown_mean: Tensor
    shown_sd: Tensor

    def __init__(
        self, condition_dim: int, embedding_dim: int, width: int, depth: int, n_shown: int = 0
    ) -> None:
        super().__init__()
        self.time = TimeWaves(width)
        self.time_embedding = TwoLayers(width, width)
        self.told = nn.Linear(condition_dim, width)
        self.enter = nn.Linear(embedding_dim, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(depth))
        self.leave = nn.Linear(width, embedding_dim)
        for name, n in (("condition", condition_dim), ("embedding", embedding_dim)):
            # Buffers: saved with the weights, moved with them, and not trained.
            self.register_buffer(f"{name}_mean", torch.zeros(n))
            self.register_buffer(f"{name}_sd", torch.ones(n))
        if n_shown:
            self.reading = nn.Sequential(
                nn.Linear(embedding_dim, width), nn.SiLU(), nn.Linear(width, n_shown)
            )
            self.register_buffer("shown_mean", torch.zeros(n_shown))
            self.register_buffer("shown_sd", torch.ones(n_shown))

    def forward(self, noisy: Tensor, timestep: Tensor, condition: Tensor) -> Tensor:
        """Noisy e (n, d), timesteps (n,), c (n, k) → v (n, d)."""
        time = self.time_embedding(self.time(timestep).to(noisy.dtype))
        context = functional.silu(time + self.told(condition))
        hidden = self.enter(noisy)
        for block in self.blocks:
            hidden = block(hidden, context)
        return self.leave(functional.silu(hidden))

    def standardise(self, conditions: Tensor, embeddings: Tensor) -> None:
        """Take means and spreads from (n, k) and (n, d)."""
        for name, values in (("condition", conditions), ("embedding", embeddings)):
            getattr(self, f"{name}_mean").copy_(values.mean(dim=0))
            # A column that never varies would else be divided by zero.
            getattr(self, f"{name}_sd").copy_(values.std(dim=0).clamp_min(1e-4))

    def standardise_statistics(self, statistics: Tensor) -> None:
        """Take means and spreads from (n, n_shown); what is not known of a picture is NaN."""
        for k, column in enumerate(statistics.T):
            values = column[torch.isfinite(column)]
            self.shown_mean[k] = values.mean()
            self.shown_sd[k] = values.std().clamp_min(1e-4)

    @property
    def can_read(self) -> bool:
        """Whether it reads off an embedding what its picture shows."""
        return hasattr(self, "reading")

    @property
    def is_taught(self) -> bool:
        """Whether it was ever taught to read: until then the scale is that of nothing."""
        return self.can_read and bool((self.shown_sd != 1.0).any())

    def statistics(self, e: Tensor) -> Tensor:
        """Return what pictures of e (n, d) show, (n, n_shown)."""
        return self.reading(e) * self.shown_sd + self.shown_mean

    def condition(self, raw: Tensor) -> Tensor:
        """Return c of condition embeddings as their encoder gives them."""
        return (raw - self.condition_mean) / self.condition_sd

    def embedding(self, raw: Tensor) -> Tensor:
        """Return e of image embeddings as their encoder gives them."""
        return (raw - self.embedding_mean) / self.embedding_sd

    def raw_embedding(self, e: Tensor) -> Tensor:
        """Return image embeddings as their encoder gives them."""
        return e * self.embedding_sd + self.embedding_mean


class _Block(nn.Module):
    """A residual block, scaled and shifted by what is told."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.tune = nn.Linear(width, 2 * width)
        self.enter = nn.Linear(width, width)
        self.leave = nn.Linear(width, width)
        # Each block begins as the identity, so that depth costs nothing at the start.
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, hidden: Tensor, context: Tensor) -> Tensor:
        """Both (n, width)."""
        scale, shift = self.tune(context).chunk(2, dim=-1)
        normed = self.norm(hidden) * (1.0 + scale) + shift
        return hidden + self.leave(functional.silu(self.enter(functional.silu(normed))))
