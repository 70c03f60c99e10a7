"""What a generator learns from: pictures, their embeddings, and the conditions of some of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from generator.config import GeneratorConfig
from generator.errors import InputError

FLIPS = ((), (-1,), (-2,), (-1, -2))
"""Mirrored along neither axis, the width, the height, both. Never turned: the rotation lies along
the width."""


@dataclass(frozen=True)
class GeneratorData:
    """Pictures with what belongs to them.

    Attributes:
        pictures: (n, s, s) uint8.
        embeddings: (n, 4, d), of each picture mirrored as :data:`FLIPS` says.
        conditions: (m, j, k), m ≤ n: j embeddings of the conditions of the first m pictures (all
            that is known of them first, then with parts of it hidden).
        statistics: (n, 6), what each shows (:data:`generator.layout.STATISTICS`), NaN where
            it is not known; ``None``: nobody asks.
        weights: (n,), how often a picture is seen beside the others; ``None``: all alike.
    """

    pictures: Tensor
    embeddings: Tensor
    conditions: Tensor
    weights: Tensor | None = None
    statistics: Tensor | None = None

    def check(self, config: GeneratorConfig) -> None:
        """Refuse what does not fit.

        Raises:
            InputError: shapes or numbers that cannot be.
        """
        n, side = len(self.pictures), config.side_px
        expected = (n, len(FLIPS), config.embedding_dim)
        if n < 2 or tuple(self.pictures.shape[1:]) != (side, side):
            raise InputError(
                f"expected two pictures or more of {side} × {side}, "
                f"got {tuple(self.pictures.shape)}"
            )
        if self.pictures.dtype != torch.uint8:
            raise InputError(f"expected pictures of uint8, got {self.pictures.dtype}")
        if tuple(self.embeddings.shape) != expected:
            raise InputError(
                f"expected embeddings of shape {expected}, got {tuple(self.embeddings.shape)}"
            )
        shape = tuple(self.conditions.shape)
        if len(shape) != 3 or not 1 <= shape[0] <= n or shape[2] != config.condition_dim:
            raise InputError(
                f"expected conditions of shape (1 … {n}, any, {config.condition_dim}), got {shape}"
            )
        for name in ("embeddings", "conditions"):
            if not torch.isfinite(getattr(self, name)).all():
                raise InputError(f"expected finite {name}, got NaN or infinity among them")

    def fingerprint(self) -> str:
        """Return the SHA-256 of all of it."""
        digest = hashlib.sha256()
        for part in (self.pictures, self.embeddings, self.conditions):
            # With the shape: the same bytes may be other pictures.
            digest.update(str(tuple(part.shape)).encode())
            digest.update(part.contiguous().numpy().tobytes())
        for part in (self.weights, self.statistics):
            if part is not None:
                digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()


def mirrored(pictures: Tensor, flips: Tensor) -> Tensor:
    """Return pictures (n, h, w) each mirrored as ``FLIPS[which]``."""
    flipped = pictures.clone()
    for place, axes in enumerate(FLIPS):
        if axes:
            chosen = flips == place
            flipped[chosen] = pictures[chosen].flip(axes)
    return flipped
