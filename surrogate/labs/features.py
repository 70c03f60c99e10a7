"""The linear features of the model at conditions: levels, the labs' directions, other sources.

Notation
--------
=====  ==================================================================  =============
J      1 for each outcome's level, K of the labs, 1 for their mean,        —
       m for each other source
F      features                                                            (..., m, J)
=====  ==================================================================  =============
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.labs.hyperparameters import Beliefs, Setting
from surrogate.labs.population import Neighbourhood, Population
from surrogate.sourced import Heads, SourcePrior

LEVEL, DIRECTION, MEAN, SOURCE = range(4)


@dataclass(frozen=True)
class Features:
    """Maps X (..., d) to features and prior means.

    Attributes:
        population: the labs, or ``None``: the discrepancy stands alone.
        near: where a lab may lie.
        heads: of other sources, mean heads only count; or ``None``.
        spread: (m,) of each outcome's results in units of s, the unit of other sources' heads.
        unit, shift: (m,) s, and the results' means, in work space.
        prior: beliefs in other sources.
    """

    population: Population | None
    near: Neighbourhood | None
    heads: Heads | None
    spread: Tensor
    unit: Tensor
    shift: Tensor
    prior: SourcePrior

    @property
    def sources(self) -> int:
        """How many other sources there are."""
        return 0 if self.heads is None else len(self.heads.layout.names)

    def __call__(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return F (..., m, J), what the labs expect (..., m), what other sources do (..., m)."""
        H = self.population.basis(X).to(X) if self.population is not None else None
        heads = self.heads(X).to(X) if self.heads is not None else None
        return self.build(X, H, heads)

    def build(
        self, X: Tensor, H: Tensor | None, heads: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what a call does, networks asked already."""
        m = len(self.unit)
        blank = X.new_zeros(*X.shape[:-1], m)
        eye = torch.eye(m, dtype=X.dtype)
        parts = [eye.expand(*X.shape[:-1], m, m)]
        labs_mean, sources_mean = blank, blank
        if H is not None and self.near is not None:
            directions = H[..., 1:]
            parts += [directions @ self.near.root, H[..., :1]]
            labs_mean = H[..., 0] + directions @ self.near.mean
        if heads is not None and self.heads is not None:
            layout = self.heads.layout
            values = heads[..., list(layout.is_mean)] * self.spread.unsqueeze(-1)
            sources_mean = values.sum(dim=-1) * self.prior.weight / self.sources
            parts += [eye * values[..., s].unsqueeze(-1) for s in range(self.sources)]
        return torch.cat(parts, dim=-1), labs_mean, sources_mean

    def kinds(self, beliefs: Beliefs) -> tuple[Tensor, Tensor]:
        """Return the kind of each feature (J,) and its weight's prior standard deviation (J,)."""
        m = len(self.unit)
        kinds = [LEVEL] * m
        fixed = [beliefs.level] * m
        if self.population is not None:
            K = self.population.points.shape[-1]
            kinds += [DIRECTION] * K + [MEAN]
            fixed += [1.0] * K + [beliefs.mean_free]
        # A sum of S independent weights then has the standard deviation β/2.
        kinds += [SOURCE] * (m * self.sources)
        fixed += [self.prior.weight / 2 / max(self.sources, 1) ** 0.5] * (m * self.sources)
        return torch.tensor(kinds), torch.tensor(fixed, dtype=torch.double)

    def setting(
        self,
        X: Tensor,
        Y: Tensor,
        *,
        beliefs: Beliefs,
        R: Tensor,
        N: Tensor,
        H: Tensor | None,
        heads: Tensor | None,
    ) -> Setting:
        """Return what the fit rests on; ``Y`` (n, m) in units of s about the means."""
        F, labs_mean, sources_mean = self.build(X, H, heads)
        kind, fixed = self.kinds(beliefs)
        return Setting(
            X, Y, F, kind, fixed, labs_mean, sources_mean, R, N, self.population is not None
        )
