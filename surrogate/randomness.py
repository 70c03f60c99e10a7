"""Randomness that follows from words alone, so that a resumed training draws what it would have."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def drawn_from(*words: object) -> torch.Generator:
    """Return a CPU generator whose state follows from ``words`` alone.

    >>> int(torch.randint(100, (), generator=drawn_from(0, "step", 7)))
    44
    >>> int(torch.randint(100, (), generator=drawn_from(0, "step", 8)))
    49
    """
    # Not `hash`, which is salted anew in every process. `repr` keeps 1 and "1" apart.
    digest = hashlib.blake2b(repr(words).encode(), digest_size=8).digest()
    # torch takes seeds up to 2⁶³ − 1.
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


class Passes:
    """Endless passes over 0 … n − 1, each in a new order that follows from ``words``."""

    def __init__(self, n: int, *words: object) -> None:
        self._n, self._words = n, words
        self._pass: tuple[int, Tensor] = (-1, torch.empty(0))

    def at(self, step: int, size: int) -> Tensor:
        """Return the places of a step, (size,); every step is of the same ``size``."""
        start, missing, parts = step * size, size, []
        while missing:
            number, offset = divmod(start, self._n)
            part = self._order(number)[offset : offset + missing]
            parts.append(part)
            start, missing = start + len(part), missing - len(part)
        return torch.cat(parts)

    def _order(self, number: int) -> Tensor:
        # Only the present pass is kept: steps go forward, and any other one can be drawn again.
        if self._pass[0] != number:
            generator = drawn_from(*self._words, number)
            self._pass = number, torch.randperm(self._n, generator=generator)
        return self._pass[1]
