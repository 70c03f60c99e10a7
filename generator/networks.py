"""The two networks: a UNet of diffusers that draws by an embedding, and the prior that makes one.

Notation
--------
===  ======================================================================  =================
x    a picture, folded: blocks of pixels as channels, grey 0…255 as −1…1     (n, fold², s, s)
e    the picture's embedding, standardised                                   (n, d)
c    the condition's embedding, standardised                                 (n, k)
===  ======================================================================  =================

Pictures are folded (space to depth) because a mat's picture is smooth over a few pixels: a UNet on
32 × 32 × 16 costs a sixteenth of one on 128 × 128 and loses nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DConditionModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn
from torch.nn import functional

from generator.config import GeneratorConfig


def make_unet(config: GeneratorConfig) -> UNet2DConditionModel:
    """Return an untrained UNet; its class labels are e with a last column, 1 where e is told."""
    down = [
        "AttnDownBlock2D" if has_attention else "DownBlock2D" for has_attention in config.attention
    ]
    up = [
        "AttnUpBlock2D" if has_attention else "UpBlock2D"
        for has_attention in reversed(config.attention)
    ]
    return UNet2DConditionModel(
        sample_size=config.side_px // config.fold,
        in_channels=config.fold**2,
        out_channels=config.fold**2,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        mid_block_type="UNetMidBlock2D",
        block_out_channels=config.channels,
        layers_per_block=config.layers,
        norm_num_groups=config.norm_groups,
        attention_head_dim=min(32, config.channels[-1]),
        # The embedding through two layers, added to the time's: no cross-attention is needed for a
        # single vector.
        # https://huggingface.co/docs/diffusers/api/models/unet2d-cond
        class_embed_type="projection",
        projection_class_embeddings_input_dim=config.embedding_dim + 1,
        resnet_time_scale_shift="scale_shift",
        # Nothing attends across: the block types have no cross-attention, but the constructor wants
        # a number.
        cross_attention_dim=config.norm_groups,
    )


def labels_of(embedding: Tensor, is_conditioned: Tensor | None = None) -> Tensor:
    """Return the UNet's labels (n, d + 1): e (n, d), hidden where ``is_conditioned`` (n,) is 0."""
    is_shown = (
        embedding.new_ones(len(embedding))
        if is_conditioned is None
        else is_conditioned.to(embedding.dtype)
    )
    return torch.cat([embedding * is_shown[:, None], is_shown[:, None]], dim=1)


def fold(pictures: Tensor, factor: int) -> Tensor:
    """Return x of grey pictures (n, h, w), uint8."""
    grey = pictures.unsqueeze(1).to(torch.float32) / 127.5 - 1.0
    return functional.pixel_unshuffle(grey, factor)


def unfold(x: Tensor, factor: int) -> Tensor:
    """Return grey pictures (n, h, w), uint8, of x."""
    grey = functional.pixel_shuffle(x.to(torch.float32), factor)[:, 0]
    return ((grey + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)


class EmbeddingPrior(ModelMixin, ConfigMixin):
    """The prior: from c and a noisy e, says the v of e's diffusion. An MLP with residual blocks.

    It also keeps how both embeddings are standardised.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, condition_dim: int, embedding_dim: int, width: int, depth: int) -> None:
        super().__init__()
        self.time = Timesteps(width, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(width, width)
        self.told = nn.Linear(condition_dim, width)
        self.enter = nn.Linear(embedding_dim, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(depth))
        self.leave = nn.Linear(width, embedding_dim)
        for name, n in (("condition", condition_dim), ("embedding", embedding_dim)):
            # Buffers: saved with the weights, moved with them, and not trained.
            self.register_buffer(f"{name}_mean", torch.zeros(n))
            self.register_buffer(f"{name}_sd", torch.ones(n))

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

    def condition(self, raw: Tensor) -> Tensor:
        """Return c of condition embeddings as their encoder gives them."""
        return (raw - self.condition_mean) / self.condition_sd

    def embedding(self, raw: Tensor) -> Tensor:
        """Return e of image embeddings as their encoder gives them."""
        return (raw - self.embedding_mean) / self.embedding_sd


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


def make_prior(config: GeneratorConfig) -> EmbeddingPrior:
    """Return an untrained prior."""
    prior: Any = EmbeddingPrior(
        config.condition_dim, config.embedding_dim, config.prior_width, config.prior_depth
    )
    return prior
