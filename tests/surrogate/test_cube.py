"""The unit cube, as MatMCL's table input reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from surrogate.cube import CubeEncoder, CubeHeads
from surrogate.sourced import HeadLayout


@dataclass(frozen=True)
class Two:
    """Speed in 0 … 1000 rpm, and a flow of 0.1 … 1 mL/h told in µL/min; a third is not there."""

    column: tuple[int, ...] = (1, 0, -1)
    low: tuple[float, ...] = (0.0, 5 / 3, 0.0)
    high: tuple[float, ...] = (1000.0, 50 / 3, 1.0)
    factor: tuple[float, ...] = (1.0, 0.06, 1.0)
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    log: tuple[bool, ...] = (False, True, True)
    floor: tuple[float, ...] = (0.0, 1e-4, 1e-4)
    centre: tuple[float, ...] = (500.0, 0.0, 0.0)
    scale: tuple[float, ...] = (250.0, 1.0, 1.0)


class Sums:
    """Heads that add up what is present: outcome o, column j → (o + 1)(j + 1) Σ T."""

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        return iter(())

    def heads(self, T: Tensor, source: str | None = None) -> Tensor:
        columns = 3 if source == "ensemble" else 1
        total = T[..., 0].sum(dim=-1)
        weights = torch.arange(1.0, 4)[:, None] * torch.arange(1.0, columns + 1)
        return total[:, None, None] * weights.to(T)


def test_units_ranges_and_missing_parameters_are_encoded() -> None:
    X = torch.tensor([[1.0, 0.25]], dtype=torch.double)
    T = CubeEncoder(Two())(X)[0]
    assert T[0].tolist() == pytest.approx([(250 - 500) / 250, -0.5, 1.0])
    assert T[1].tolist() == pytest.approx([0.0, 1.0, 1.0])  # ln 1 mL/h
    assert T[2].tolist() == [0.0, 0.0, 0.0]


def test_a_place_encodes_alike_whatever_stands_around_it() -> None:
    X = torch.rand(3, 4, 2, dtype=torch.double)
    assert torch.equal(CubeEncoder(Two())(X)[1, 2], CubeEncoder(Two())(X[1, 2][None])[0])


def test_heads_follow_the_outcomes_asked_for() -> None:
    layout = HeadLayout(("ensemble", "older"), (2, 0))
    X = torch.rand(5, 2, dtype=torch.double)
    every = CubeHeads(Sums(), Two(), [0, 1, 2], layout)(X)
    some = CubeHeads(Sums(), Two(), [2, None], layout)(X)
    assert every.shape == (5, 3, 4)
    assert some.shape == (5, 2, 4)
    assert torch.equal(some[:, 0], every[:, 2])
    assert not some[:, 1].any()


def test_gradients_flow_to_the_cube() -> None:
    X = torch.rand(4, 2, dtype=torch.double, requires_grad=True)
    CubeHeads(Sums(), Two(), [0], HeadLayout(("ensemble",), (2,)))(X).sum().backward()
    assert X.grad is not None
    assert (X.grad != 0).all()
