"""Measurements by distinct condition: what replicates say of a mean, and of the noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

_FEWEST_OF_AN_OUTCOME = 24
"""Conditions of each outcome in a sample, if it has so many."""


@dataclass(frozen=True)
class Merged:
    """Measurements by distinct condition: the sufficient statistics of replicates.

    ``X`` (n, d); ``mean``, ``count`` (n, m), 0 where an outcome has none; ``scatter``,
    ``degrees`` (m,): squares about the means and how many are free.
    """

    X: Tensor
    mean: Tensor
    count: Tensor
    scatter: Tensor
    degrees: Tensor


def merge_replicates(X: Tensor, Y: Tensor) -> Merged:
    """Merge rows of equal conditions.

    A row that repeats another to the last digit in every group is a copy, not a measurement: where
    no replicate of an outcome differs from its fellows, they count once.

    >>> X = torch.tensor([[0.0], [1.0], [0.0]])
    >>> merged = merge_replicates(X, torch.tensor([[1.0], [5.0], [3.0]]))
    >>> merged.mean.flatten().tolist(), merged.scatter.item(), merged.degrees.item()
    ([2.0, 5.0], 2.0, 1.0)
    """
    distinct, place = torch.unique(X, dim=0, return_inverse=True)
    # In the order of their first rows, so that nothing depends on how conditions are sorted.
    first = torch.full((len(distinct),), len(X)).scatter_reduce(
        0, place.cpu(), torch.arange(len(X)), reduce="amin"
    )
    order = first.argsort()
    place = order.argsort().to(place.device)[place]
    is_measured = ~torch.isnan(Y)
    values = Y.nan_to_num()
    zeros = values.new_zeros(len(distinct), Y.shape[-1])
    count = zeros.index_add(0, place, is_measured.to(values))
    mean = zeros.index_add(0, place, values) / count.clamp_min(1)
    off = torch.where(is_measured, values - mean[place], 0.0)
    scatter = (off**2).sum(0)
    degrees = (count - 1).clamp_min(0).sum(0)
    size = torch.where(is_measured, values, 0.0).abs().amax(0).clamp_min(1e-300)
    copied = (degrees > 0) & (off.abs().amax(0) <= 1e-12 * size)
    count = torch.where(copied, count.clamp_max(1), count)
    degrees = torch.where(copied, 0.0, degrees)
    scatter = torch.where(copied, 0.0, scatter)
    return Merged(distinct[order.to(distinct.device)], mean, count, scatter, degrees)


def standardisation(merged: Merged) -> Tensor:
    """Return mean and spread (2, m) of what was measured; an outcome without spread keeps 1."""
    measured = (merged.count > 0).to(merged.mean)
    n = measured.sum(0).clamp_min(1)
    shift = (merged.mean * measured).sum(0) / n
    off = (merged.mean - shift) * measured
    total = (off**2).sum(0) + merged.scatter
    scale = (total / (n + merged.degrees - 1).clamp_min(1)).sqrt()
    scale = torch.where(scale > 1e-12 * (1e-300 + shift.abs()), scale, 1.0)
    return torch.stack([shift, scale])


def sampled(merged: Merged, limit: int) -> Merged:
    """Return some ``limit`` conditions of more, among them enough of every outcome's.

    Scatter and degrees stay those of all: what replicates say of the noise needs no sample.
    """
    n = len(merged.X)
    if n <= limit:
        return merged
    # The same rows give the same sample: a proposal that is replayed has the same hyperparameters.
    order = torch.randperm(n, generator=torch.Generator().manual_seed(n)).to(merged.X.device)
    chosen = torch.zeros(n, dtype=torch.bool, device=merged.X.device)
    chosen[order[:limit]] = True
    # An outcome that few runs have would else have next to none here.
    rank = (merged.count[order] > 0).cumsum(0)
    chosen[order] |= ((merged.count[order] > 0) & (rank <= _FEWEST_OF_AN_OUTCOME)).any(dim=-1)
    return replace(merged, X=merged.X[chosen], mean=merged.mean[chosen], count=merged.count[chosen])
