from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import LowRankMultivariateNormal
from torch.nn import functional

from surrogate.errors import InputError
from surrogate.matmcl.loss import gmc_loss, lab_likelihood, masked_regression


def unit(n: int, seed: int, d: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(n, d, generator=generator, dtype=torch.double), dim=-1)


def test_a_case_by_hand() -> None:
    """Two pairs, perfectly aligned, orthogonal to one another: −ln(e / (e + 1 + 1)), τ = 1."""
    z = torch.eye(2)
    expected = math.log((math.e + 2) / math.e)
    assert float(gmc_loss(z, [z], temperature=1.0)) == pytest.approx(expected)
    assert float(gmc_loss(z, [z, z], temperature=1.0)) == pytest.approx(2 * expected)


def test_as_written_in_the_paper() -> None:
    """The published form: 2n × 2n similarities without the diagonal, positives on both sides."""
    joint, seen, tau = unit(5, 0), unit(5, 1), 0.1
    both = torch.cat([joint, seen])
    similarity = torch.exp(both @ both.T / tau)
    others = similarity.sum(dim=1) - similarity.diagonal()
    positive = torch.exp((joint * seen).sum(dim=1) / tau).repeat(2)
    expected = (-torch.log(positive / others)).mean()
    torch.testing.assert_close(gmc_loss(joint, [seen]), expected)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 9), seed=st.integers(0, 1000))
def test_order_does_not_matter_and_aligned_is_better(n: int, seed: int) -> None:
    joint, told, seen = (unit(n, seed + k, d=8) for k in range(3))
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    loss = gmc_loss(joint, [told, seen])
    torch.testing.assert_close(gmc_loss(joint[order], [told[order], seen[order]]), loss)
    assert gmc_loss(joint, [joint, joint]) < loss


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), mask=st.lists(st.booleans(), min_size=6, max_size=6))
def test_rows_without_a_modality_take_no_part(seed: int, mask: list[bool]) -> None:
    joint, seen, here = unit(6, seed), unit(6, seed + 1), torch.tensor(mask)
    absent = torch.where(here[:, None], seen, torch.nan)
    expected = gmc_loss(joint[here], [seen[here]])
    torch.testing.assert_close(gmc_loss(joint, [absent], [here]), expected)
    assert torch.isfinite(expected)
    if sum(mask) < 2:
        assert float(expected) == 0.0


@pytest.mark.parametrize("K", [0, 1, 3])
def test_labs_likelihood_is_that_of_the_low_rank_normal(K: int) -> None:
    generator = torch.Generator().manual_seed(K)
    n, m = 14, 2
    H = torch.randn(n, m, 1 + K, generator=generator, dtype=torch.double)
    y = torch.randn(n, m, generator=generator, dtype=torch.double)
    y[3, 0] = y[5, 1] = y[6, 1] = torch.nan
    lab = torch.tensor([0, 2, 2, 0, 1, 1, 0, 2, 1, 0, 0, 1, 2, 1])
    log_noise = torch.tensor([-0.7, 0.4], dtype=torch.double)
    found = lab_likelihood(H, y, lab, log_noise)
    for one in range(3):
        for o in range(m):
            rows = (lab == one) & ~torch.isnan(y[:, o])
            loadings = H[rows, o, 1:] if K else torch.zeros(int(rows.sum()), 1).double()
            law = LowRankMultivariateNormal(
                H[rows, o, 0], loadings, log_noise[o].exp().expand(int(rows.sum()))
            )
            torch.testing.assert_close(found[one, o], law.log_prob(y[rows, o]))


def test_float32_is_close_enough() -> None:
    generator = torch.Generator().manual_seed(0)
    H = torch.randn(200, 3, 9, generator=generator, dtype=torch.double)
    y = torch.randn(200, 3, generator=generator, dtype=torch.double)
    lab = torch.arange(200) // 50
    noise = torch.full((3,), -3.0, dtype=torch.double)
    exact = lab_likelihood(H, y, lab, noise)
    single = lab_likelihood(H.float(), y.float(), lab, noise.float())
    torch.testing.assert_close(single.double(), exact, rtol=1e-3, atol=0.05)


def test_what_was_not_measured_gives_no_gradient() -> None:
    H = torch.randn(6, 2, 3, requires_grad=True)
    log_noise = torch.zeros(2, requires_grad=True)
    y = torch.randn(6, 2)
    y[2] = torch.nan
    y[:, 1] = torch.nan
    lab = torch.tensor([0, 0, 0, 1, 1, 1])
    likelihood = lab_likelihood(H, y, lab, log_noise)
    assert (likelihood[:, 1] == 0).all()
    likelihood.sum().backward()
    assert (H.grad[2] == 0).all()
    assert (H.grad[:, 1] == 0).all()
    assert (H.grad[0, 0] != 0).all()
    assert log_noise.grad[1] == 0
    assert torch.isfinite(H.grad).all()


def test_regression_is_masked_and_robust() -> None:
    mean = torch.zeros(3, 1, requires_grad=True)
    y = torch.tensor([[torch.nan], [1.0], [100.0]])
    loss = masked_regression(mean, y, torch.zeros(1))
    assert loss.item() == pytest.approx((0.5 + 2 * 100 - 2) / 2)
    loss.backward()
    torch.testing.assert_close(mean.grad, torch.tensor([[0.0], [-0.5], [-1.0]]))
    nothing = torch.full((3, 1), torch.nan)
    assert masked_regression(mean, nothing, torch.zeros(1)).item() == 0


def test_wrong_shapes_are_told() -> None:
    with pytest.raises(InputError, match="modalities"):
        gmc_loss(unit(3, 0), [unit(4, 0)])
    with pytest.raises(InputError, match="lab_index"):
        lab_likelihood(
            torch.zeros(3, 2, 1), torch.zeros(3, 1), torch.zeros(3).long(), torch.zeros(2)
        )
    with pytest.raises(InputError, match="expected y"):
        masked_regression(torch.zeros(3, 2), torch.zeros(3, 1), torch.zeros(2))
