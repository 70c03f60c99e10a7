"""Between pictures and what the UNet works on: folded pixels, and labels of embeddings.

Pictures are folded (space to depth) because a mat's picture is smooth over a few pixels: a UNet on
32 × 32 × 16 costs a sixteenth of one on 128 × 128 and loses nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


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
    return folded(pictures.to(torch.float32) / 127.5 - 1.0, factor)


def folded(planes: Tensor, factor: int) -> Tensor:
    """Return planes (n, h, w) as (n, factor², h / factor, w / factor)."""
    return functional.pixel_unshuffle(planes.unsqueeze(1), factor)


def unfold(x: Tensor, factor: int) -> Tensor:
    """Return grey pictures (n, h, w), uint8, of x."""
    grey = functional.pixel_shuffle(x.to(torch.float32), factor)[:, 0]
    return ((grey + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
