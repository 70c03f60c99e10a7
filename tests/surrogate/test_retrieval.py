"""Nearest neighbours and ranks."""

from __future__ import annotations

import pytest
import torch

from surrogate.errors import InputError
from surrogate.retrieval import (
    cosine_similarity,
    mean_direction,
    ranks,
    unit,
)


def test_similarity_ignores_length() -> None:
    q = torch.tensor([[2.0, 0.0], [0.0, 0.1]])
    g = torch.tensor([[5.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    s = cosine_similarity(q, g)
    assert s[0].tolist() == pytest.approx([1.0, 2**-0.5, 0.0])
    assert s[1].tolist() == pytest.approx([0.0, 2**-0.5, 0.0])


def test_ranks() -> None:
    s = torch.tensor([[0.9, 0.1, 0.0], [0.5, 0.2, 0.3], [0.4, 0.4, 0.4]])
    assert ranks(s).tolist() == [1.0, 3.0, 2.0]
    assert ranks(s, torch.tensor([1, 0, 2])).tolist() == [2.0, 1.0, 2.0]


def test_chance() -> None:
    rank = ranks(torch.rand(4000, 50, generator=torch.Generator().manual_seed(0)),
                 torch.arange(4000) % 50)  # fmt: skip
    assert float((rank <= 5).double().mean()) == pytest.approx(0.1, abs=0.015)
    assert float(rank.median()) == pytest.approx(25.5, abs=1.5)


def test_tiles_of_one_picture_are_averaged() -> None:
    v = unit(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
    found = mean_direction(v, torch.tensor([1, 1, 0]), 3)
    assert found[0].tolist() == pytest.approx([1.0, 0.0])
    assert found[1].tolist() == pytest.approx([2**-0.5, 2**-0.5])
    assert found[2].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "call",
    [
        lambda: cosine_similarity(torch.zeros(2, 3), torch.zeros(2, 4)),
        lambda: ranks(torch.zeros(2, 3), torch.tensor([0, 3])),
        lambda: ranks(torch.zeros(2, 3), torch.tensor([0])),
        lambda: mean_direction(torch.zeros(2, 3), torch.tensor([0]), 1),
        lambda: mean_direction(torch.zeros(1, 3), torch.tensor([4]), 2),
    ],
)
def test_shapes_that_do_not_fit(call) -> None:
    with pytest.raises(InputError):
        call()
