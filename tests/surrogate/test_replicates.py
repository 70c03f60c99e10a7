"""Replicates merged, and samples in which no outcome goes missing."""

import math

import torch

from surrogate.replicates import merge_replicates, sampled


def test_merging_keeps_order_holes_and_sums() -> None:
    X = torch.tensor([[0.5], [0.1], [0.5], [0.1]], dtype=torch.double)
    nan = math.nan
    Y = torch.tensor([[1.0, 2.0], [5.0, nan], [3.0, nan], [7.0, 4.0]], dtype=torch.double)
    merged = merge_replicates(X, Y)
    assert merged.X.flatten().tolist() == [0.5, 0.1]
    assert merged.mean.tolist() == [[2.0, 2.0], [6.0, 4.0]]
    assert merged.count.tolist() == [[2, 1], [2, 1]]
    assert merged.scatter.tolist() == [4.0, 0.0]
    assert merged.degrees.tolist() == [2, 0]


def test_a_sample_has_enough_of_every_outcome() -> None:
    X = torch.rand(1000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    Y = torch.full((1000, 2), math.nan, dtype=torch.double)
    Y[:, 0] = X.sum(dim=1)
    Y[-5:, 1] = torch.arange(5.0).double()
    sample = sampled(merge_replicates(X, Y), 100)
    assert 100 <= len(sample.X) <= 105
    assert (sample.count > 0).sum(dim=0).tolist() == [len(sample.X), 5]
