"""From the unit cube to the table input of MatMCL, and on to its heads; differentiable.

Notation
--------
======  ========================================================================  ===========
symbol  meaning                                                                   shape
======  ========================================================================  ===========
X       conditions in the unit cube                                               (..., d)
T       table input: standardised value, place in the range −1…1, present         (..., p, 3)
======  ========================================================================  ===========
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from surrogate.sourced import HeadLayout


class Mapping(Protocol):
    """How each of the p parameters of a model is read off the unit cube; tuples of length p."""

    @property
    def column(self) -> Sequence[int]:
        """Column of X, −1 where the campaign lacks the parameter."""

    @property
    def low(self) -> Sequence[float]:
        """Value at 0, in the campaign's unit."""

    @property
    def high(self) -> Sequence[float]:
        """Value at 1."""

    @property
    def factor(self) -> Sequence[float]:
        """Model's unit = factor × campaign's unit + offset."""

    @property
    def offset(self) -> Sequence[float]:
        """See ``factor``."""

    @property
    def log(self) -> Sequence[bool]:
        """Whether the model takes the logarithm."""

    @property
    def floor(self) -> Sequence[float]:
        """Smallest value that the logarithm is taken of, in the model's unit."""

    @property
    def centre(self) -> Sequence[float]:
        """Subtracted after the logarithm."""

    @property
    def scale(self) -> Sequence[float]:
        """Divided by."""


class TableModel(Protocol):
    """What is needed of MatMCL here: a torch module with heads."""

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """Yield the weights; X is taken to their device."""

    def heads(self, T: Tensor, source: str | None = None) -> Tensor:
        """Map T (n, p, 3) to the heads (n, m, J) of one source."""


@dataclass(frozen=True)
class CubeEncoder:
    """Maps X (..., d) to T (..., p, 3)."""

    mapping: Mapping

    def __call__(self, X: Tensor) -> Tensor:
        """Encode; a parameter that the campaign lacks is all zeros."""
        m = self.mapping

        def row(values: Sequence[float]) -> Tensor:
            return torch.tensor(list(values), dtype=X.dtype, device=X.device)

        column = torch.tensor(list(m.column), device=X.device)
        present = (column >= 0).to(X)
        # Of a parameter that is lacking column 0 is read, and then multiplied by `present`: no
        # branch, so one gradient for all.
        u = X[..., column.clamp_min(0)]
        low, high = row(m.low), row(m.high)
        raw = (low + u * (high - low)) * row(m.factor) + row(m.offset)
        log = torch.tensor(list(m.log), device=X.device)
        # `where` differentiates both sides: a logarithm of what is not taken would give NaN
        # gradients.
        # https://github.com/pytorch/pytorch/issues/68425
        safe = torch.where(log, torch.maximum(raw, row(m.floor)), torch.ones_like(raw))
        z = (torch.where(log, safe.log(), raw) - row(m.centre)) / row(m.scale)
        # A constant has no place in a range, as it has none in what the model was taught.
        place = (2 * u - 1) * (present * (low < high))
        return torch.stack([z * present, place, present.expand_as(z)], dim=-1)


class CubeHeads:
    """The heads of some of a model's sources, for a campaign's outcomes: a ``Heads``.

    Args:
        model: MatMCL in evaluation mode, float64.
        mapping: of the campaign's cube to the model's parameters.
        outcomes: (m,) place of each outcome among the model's; ``None`` where the model lacks it:
            its heads are zero, and the GP is the plain one.
        sources: names of the sources with their numbers of deviation heads.
    """

    def __init__(
        self,
        model: TableModel,
        mapping: Mapping,
        outcomes: Sequence[int | None],
        sources: HeadLayout,
    ) -> None:
        self._model = model
        self._encode = CubeEncoder(mapping)
        self._outcomes = list(outcomes)
        self._layout = sources
        self._home = next(iter(model.parameters()), torch.empty(0)).device

    def __deepcopy__(self, memo: dict[int, object]) -> CubeHeads:
        """Share them: they never change, and Ax copies a model's options at each fit."""
        return self

    @property
    def layout(self) -> HeadLayout:
        """Which columns belong to which source."""
        return self._layout

    def __call__(self, X: Tensor) -> Tensor:
        """Map X (..., d) to (..., m, J)."""
        flat = X.reshape(-1, X.shape[-1])
        T = self._encode(flat.to(self._home))
        columns = torch.cat([self._model.heads(T, name) for name in self._layout.names], dim=-1)
        is_read = torch.tensor([i is not None for i in self._outcomes], device=columns.device)
        # Outcome 0 stands in for those that the model lacks, and is multiplied by zero.
        places = torch.tensor([i or 0 for i in self._outcomes], device=columns.device)
        chosen = columns[:, places, :] * is_read.to(columns).unsqueeze(-1)
        return chosen.reshape(*X.shape[:-1], *chosen.shape[1:]).to(X.device)
