"""Nearest neighbours, ranks and recall."""

from __future__ import annotations

import pytest
import torch

from surrogate.errors import InputError
from surrogate.retrieval import (
    cosine_similarity,
    mean_direction,
    ranks,
    recall_at,
    top_k,
    unit,
)


def test_similarity_ignores_length() -> None:
    q = torch.tensor([[2.0, 0.0], [0.0, 0.1]])
    g = torch.tensor([[5.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    s = cosine_similarity(q, g)
    assert s[0].tolist() == pytest.approx([1.0, 2**-0.5, 0.0])
    assert s[1].tolist() == pytest.approx([0.0, 2**-0.5, 0.0])


def test_the_nearest_come_first_and_ties_in_order() -> None:
    values, places = top_k(torch.tensor([[0.1, 0.9, 0.9, -1.0]]), 3)
    assert places.tolist() == [[1, 2, 0]]
    assert values[0].tolist() == pytest.approx([0.9, 0.9, 0.1])
    assert top_k(torch.zeros(2, 3), 9)[1].shape == (2, 3)


def test_ranks_and_recall() -> None:
    s = torch.tensor([[0.9, 0.1, 0.0], [0.5, 0.2, 0.3], [0.4, 0.4, 0.4]])
    assert ranks(s).tolist() == [1.0, 3.0, 2.0]
    assert ranks(s, torch.tensor([1, 0, 2])).tolist() == [2.0, 1.0, 2.0]
    assert recall_at(ranks(s), 1) == pytest.approx(1 / 3)
    assert recall_at(ranks(s), 2) == pytest.approx(2 / 3)
    assert recall_at(ranks(s), 3) == 1.0


def test_chance() -> None:
    rank = ranks(torch.rand(4000, 50, generator=torch.Generator().manual_seed(0)),
                 torch.arange(4000) % 50)  # fmt: skip
    assert recall_at(rank, 5) == pytest.approx(0.1, abs=0.015)
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
        lambda: top_k(torch.zeros(2, 3), 0),
        lambda: ranks(torch.zeros(2, 3), torch.tensor([0, 3])),
        lambda: ranks(torch.zeros(2, 3), torch.tensor([0])),
        lambda: mean_direction(torch.zeros(2, 3), torch.tensor([0]), 1),
        lambda: mean_direction(torch.zeros(1, 3), torch.tensor([4]), 2),
    ],
)
def test_shapes_that_do_not_fit(call) -> None:
    with pytest.raises(InputError):
        call()
