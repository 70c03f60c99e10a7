"""Points that an averaged Gaussian process is asked about together, covariances column by column.

A search over a thousand candidates needs how each goes with the runs and with the few that are
picked: some columns of a matrix of which most is never looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.kernel_fit import Problems, kernel, prior_variance


@dataclass(frozen=True)
class Average:
    """What is averaged over: ``theta`` (B, D + 5), whose (B,), ``weight`` (B,), units (2, m)."""

    problems: Problems
    theta: Tensor
    outcome: Tensor
    weight: Tensor
    standard: Tensor


class AskedPoints:
    """Moments of p points, noise left out, in work space.

    Args:
        average: the Gaussian processes, B of them.
        Z: (p, d) scaled inputs.
        mean: (B, p) in standardised units.
        V: (B, n, p) covariances with the runs, whitened.
        rest: (B, p) what the level's uncertainty adds: its products are covariances.
    """

    def __init__(self, average: Average, Z: Tensor, mean: Tensor, V: Tensor, rest: Tensor) -> None:
        self._average, self._Z, self._V, self._rest = average, Z, V, rest
        outcome, weight = average.outcome, average.weight[:, None]
        shift, scale = average.standard
        zeros = mean.new_zeros(len(scale), mean.shape[-1])
        middle = zeros.index_add(0, outcome, weight * mean)
        self._off = mean - middle[outcome]
        own = prior_variance(average.theta)[:, None] - (V * V).sum(-2) + rest**2 + self._off**2
        spread = zeros.index_add(0, outcome, weight * own)
        self.mean = middle * scale[:, None] + shift[:, None]
        """(m, p)"""
        self.variance = (spread * scale[:, None] ** 2).clamp_min(0.0)
        """(m, p)"""

    def columns(self, outcome: int, places: Sequence[int]) -> Tensor:
        """Return (p, k) covariances of all points with those at ``places``, of one outcome."""
        average, chosen = self._average, list(places)
        rows = (average.outcome == outcome).nonzero().squeeze(-1)
        problems = average.problems.of(rows)
        V, rest, off = self._V[rows], self._rest[rows], self._off[rows]
        covariance = (
            kernel(problems, average.theta[rows], self._Z, self._Z[chosen])
            - V.transpose(-1, -2) @ V[..., chosen]
            + rest.unsqueeze(-1) * rest[:, None, chosen]
            + off.unsqueeze(-1) * off[:, None, chosen]
        )
        scale = average.standard[1, outcome]
        return torch.einsum("b,bpk->pk", average.weight[rows], covariance) * scale**2
