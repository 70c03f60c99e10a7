"""Randomness that follows from words alone, so that a resumed training draws what it would have."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def drawn_from(*words: object) -> torch.Generator:
    """Return a CPU generator whose state follows from ``words``."""
    digest = hashlib.blake2b(repr(words).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


class Passes:
    """Endless passes over 0 … n − 1, each in a new order."""

    def __init__(self, n: int, *words: object) -> None:
        self._n, self._words = n, words
        self._known: tuple[int, Tensor] = (-1, torch.empty(0))

    def at(self, step: int, size: int) -> Tensor:
        """Return the ``size`` places of a step."""
        start, parts, left = step * size, [], size
        while left:
            turn, offset = divmod(start, self._n)
            if self._known[0] != turn:
                order = torch.randperm(self._n, generator=drawn_from(*self._words, turn))
                self._known = turn, order
            part = self._known[1][offset : offset + left]
            parts.append(part)
            start, left = start + len(part), left - len(part)
        return torch.cat(parts)
