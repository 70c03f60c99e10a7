"""By structure or value by value: the same numbers, and their derivatives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from surrogate.labs.algebra import Parts, RaggedRows, WholeRows, factorised

N_ROWS, M, J = 7, 3, 5


def _problem(seed: int = 0) -> tuple[Parts, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.double)

    def covariance(n: int) -> Tensor:
        A = draw(n, n)
        return A @ A.T / n + 0.3 * torch.eye(n, dtype=torch.double)

    parts = Parts(covariance(N_ROWS), covariance(M), covariance(M), draw(J).square() + 0.1)
    return parts, draw(N_ROWS, M, J), draw(N_ROWS, M)


def _log_density(parts: Parts, F: Tensor, r: Tensor) -> Tensor:
    """−ln p of what was measured, by nothing but the definition."""
    flat = F.flatten(0, 1)
    whole = (
        torch.kron(parts.k, parts.B)
        + torch.kron(torch.eye(N_ROWS, dtype=torch.double), parts.N)
        + flat @ torch.diag(parts.v) @ flat.T
    )
    here = (~torch.isnan(r)).flatten().nonzero().flatten()
    normal = torch.distributions.MultivariateNormal(
        torch.zeros(len(here), dtype=torch.double), whole[here][:, here]
    )
    return -normal.log_prob(r.flatten()[here])


def _with_holes(r: Tensor) -> Tensor:
    holed = r.clone()
    holed[1, 0] = holed[4, 2] = holed[5, 1] = holed[5, 0] = torch.nan
    return holed


@pytest.mark.parametrize("kind", ["whole", "final", "ragged", "holes"])
def test_the_density_is_that_of_the_definition(kind: str) -> None:
    parts, F, r = _problem()
    r = _with_holes(r) if kind == "holes" else r
    solved = (
        RaggedRows(parts, F, r)
        if kind == "ragged"
        else factorised(parts, F, r, is_final=kind == "final")
    )
    assert solved.value == pytest.approx(float(_log_density(parts, F, r)), abs=1e-8)


@pytest.mark.parametrize("kind", ["whole", "holes"])
def test_derivatives_are_those_of_the_definition(kind: str) -> None:
    parts, F, r = _problem(1)
    r = _with_holes(r) if kind == "holes" else r
    leaves = [p.clone().requires_grad_() for p in (parts.k, parts.B, parts.N, parts.v)]
    mean = torch.zeros_like(r, requires_grad=True)
    _log_density(Parts(*leaves), F, r - mean).backward()
    slopes = factorised(parts, F, r).gradients()
    for ours, leaf in zip((slopes.k, slopes.B, slopes.N), leaves[:3], strict=True):
        assert leaf.grad is not None
        symmetric = (leaf.grad + leaf.grad.T) / 2
        assert torch.allclose((ours + ours.T) / 2, symmetric, atol=1e-8)
    assert leaves[3].grad is not None
    assert torch.allclose(slopes.v, leaves[3].grad, atol=1e-8)
    assert mean.grad is not None
    assert torch.allclose(slopes.mean, mean.grad.nan_to_num(), atol=1e-8)


def test_structure_and_values_one_by_one_agree_in_all_answers() -> None:
    parts, F, r = _problem(2)
    whole, ragged = WholeRows(parts, F, r, is_final=True), RaggedRows(parts, F, r)
    K = torch.rand(4, N_ROWS, dtype=torch.double, generator=torch.Generator().manual_seed(3))
    pairs = [
        (whole.theta, ragged.theta),
        (whole.alpha, ragged.alpha),
        (whole.weights_covariance(), ragged.weights_covariance()),
        (whole.row_precision(), ragged.row_precision()),
        (whole.shadow(K, 1), ragged.shadow(K, 1)),
        (whole.explained(K, 0, 2), ragged.explained(K, 0, 2)),
        (whole.explained_diagonal(K, 2), ragged.explained_diagonal(K, 2)),
        (whole.explained_diagonal(K, 2), whole.explained(K, 2, 2).diagonal()),
    ]
    for one, other in pairs:
        assert torch.allclose(one, other, atol=1e-6)
