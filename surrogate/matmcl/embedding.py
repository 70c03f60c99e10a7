"""Unit-norm embeddings of many conditions or tiles, in chunks and without gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from surrogate.matmcl.model import MatMCL


def embed_table(model: MatMCL, T: Tensor, *, chunk: int = 4096) -> Tensor:
    """Return the projected table embeddings (n, projection_dim) of conditions (n, p, 3).

    Raises:
        InputError: T has another shape.
    """
    return _chunked(model, T, chunk, lambda part: model.project(model.table_latent(part)))


def embed_tiles(model: MatMCL, tiles: Tensor, *, chunk: int = 64) -> Tensor:
    """Return the projected vision embeddings (n, projection_dim) of tiles.

    Args:
        model: with its vision encoder.
        tiles: (n, s, s) or (n, 1, s, s); uint8, or float within 0…1.
        chunk: tiles at a time.

    Raises:
        InputError: tiles of another size, or a model loaded for tables only.
    """
    if tiles.ndim == 3:
        tiles = tiles.unsqueeze(1)
    return _chunked(
        model, tiles, chunk, lambda part: model.project(model.vision_latent(as_float(part)))
    )


def as_float(tiles: Tensor) -> Tensor:
    """Return uint8 tiles as float32 within 0…1; others as they are."""
    return tiles.to(torch.float32) / 255.0 if tiles.dtype == torch.uint8 else tiles


def _chunked(model: MatMCL, rows: Tensor, chunk: int, embed: Callable[[Tensor], Tensor]) -> Tensor:
    training = model.training
    device = model.log_noise.device
    model.eval()
    try:
        with torch.no_grad():
            parts = [embed(part.to(device)) for part in rows.split(chunk)]
    finally:
        model.train(training)
    return torch.cat(parts) if parts else model.log_noise.new_empty(0, model.config.projection_dim)
