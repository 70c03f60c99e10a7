"""The two networks as diffusers trains and publishes them: a UNet that draws by an embedding, and
the prior that makes one.

Previews are drawn by the same networks without diffusers (:mod:`generator.drawing`).
"""

from __future__ import annotations

from typing import Any

from diffusers import ConfigMixin, ModelMixin, UNet2DConditionModel
from diffusers.configuration_utils import register_to_config

from generator.config import GeneratorConfig
from generator.prior import N_SHOWN, Prior


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
        in_channels=config.in_channels,
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


class EmbeddingPrior(Prior, ModelMixin, ConfigMixin):
    """The prior as diffusers' pipelines want their parts: saved and loaded by its own words."""

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self, condition_dim: int, embedding_dim: int, width: int, depth: int, n_shown: int = 0
    ) -> None:
        super().__init__(condition_dim, embedding_dim, width, depth, n_shown)


def make_prior(config: GeneratorConfig) -> EmbeddingPrior:
    """Return an untrained prior."""
    prior: Any = EmbeddingPrior(
        config.condition_dim,
        config.embedding_dim,
        config.prior_width,
        config.prior_depth,
        N_SHOWN if config.is_laid else 0,
    )
    return prior
