"""Draws about a maximum: of a Gaussian they are what they should be, of others they are weighed."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from surrogate.hyperparameter_draws import draws_about, importance, shared_out


def curved(d: int) -> tuple[Tensor, Tensor]:
    """Return maxima (2, d) and curvatures (2, d, d) that are not along the axes."""
    generator = torch.Generator().manual_seed(d)
    root = torch.randn(2, d, d, generator=generator, dtype=torch.double)
    maxima = torch.randn(2, d, generator=generator, dtype=torch.double)
    return maxima, root @ root.transpose(-1, -2) + torch.eye(d)


def test_draws_have_the_covariance_of_laplaces_approximation() -> None:
    theta, hessian = curved(3)
    draws, _ = draws_about(theta, hessian, [1025, 1])
    torch.testing.assert_close(draws[0], theta[0])
    torch.testing.assert_close(draws[-1], theta[1])
    expected = torch.linalg.inv(hessian[0])
    torch.testing.assert_close(torch.cov(draws[1:1025].T), expected, atol=0.03, rtol=0.06)


def test_rounding_of_the_curvature_moves_no_draw() -> None:
    """Where two directions are equally curved their eigenvectors are any two across."""
    theta = torch.zeros(1, 4, dtype=torch.double)
    hessian = torch.diag(torch.tensor([2.0, 2.0, 2.0, 0.5], dtype=torch.double))[None]
    generator = torch.Generator().manual_seed(0)
    nudge = 1e-9 * torch.randn(4, 4, generator=generator, dtype=torch.double)
    plain, _ = draws_about(theta, hessian, [12])
    moved, _ = draws_about(theta, hessian + nudge + nudge.T, [12])
    torch.testing.assert_close(plain, moved, atol=1e-7, rtol=0)


@given(st.lists(st.integers(1, 20), min_size=2, max_size=2))
def test_draws_of_a_gaussian_weigh_the_same(counts: list[int]) -> None:
    theta, hessian = curved(4)
    draws, distances = draws_about(theta, hessian, counts)
    owner = torch.repeat_interleave(torch.tensor(counts))

    def log_posterior(at: Tensor) -> Tensor:
        off = at - theta[owner]
        return 7.0 * owner - 0.5 * torch.einsum("ki,kij,kj->k", off, hessian[owner], off)

    shares = importance(log_posterior, draws, distances, counts)
    for part, count in zip(shares.split(counts), counts, strict=True):
        torch.testing.assert_close(part, torch.full_like(part, 1 / count))


def test_where_the_posterior_ends_no_draw_counts_and_no_lucky_one_counts_for_all() -> None:
    theta, hessian = torch.zeros(1, 2, dtype=torch.double), torch.eye(2, dtype=torch.double)[None]
    draws, distances = draws_about(theta, hessian, [16])

    def log_posterior(at: Tensor) -> Tensor:
        value = -0.5 * (at**2).sum(-1)
        value = torch.where(at[:, 0] > 0.5, -1e3, value)
        return torch.where(at[:, 1] == at[:, 1].min(), value + 50.0, value)

    shares = importance(log_posterior, draws, distances, [16])
    assert float(shares[draws[:, 0] > 0.5].sum()) < 1e-6
    assert float(shares.max()) < 0.3


@given(
    st.lists(st.floats(0.005, 1.0), min_size=1, max_size=5), st.integers(1, 40)
)  # fmt: skip
def test_every_belief_has_a_draw(parts: list[float], n: int) -> None:
    counts = shared_out([part / sum(parts) for part in parts], n)
    assert min(counts) >= 1
    assert sum(counts) <= n + len(parts)
