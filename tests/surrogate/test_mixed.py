"""Two models averaged: the moments of a mixture, and a share that left-out runs decide."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from surrogate.averaged_fit import fit_averaged
from surrogate.gp import GPConfig, fit_outcomes, joint_moments, leave_one_out
from surrogate.mixed import MixedModel, mixed, stacked_share


def data(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    X = torch.rand(n, 2, generator=generator, dtype=torch.double)
    return X, torch.stack([torch.sin(4 * X[:, 0]), 3 * X[:, 1] + X[:, 0] ** 2], dim=-1)


@pytest.fixture(scope="module")
def model() -> MixedModel:
    X, Y = data(12)
    return MixedModel(fit_outcomes(X, Y, config=GPConfig()), fit_averaged(X, Y), 0.25)


def test_it_has_the_moments_of_draws_from_one_or_the_other(model: MixedModel) -> None:
    at = torch.tensor([[0.1, 0.9], [3.0, -2.0]], dtype=torch.double)
    parts = [joint_moments(part, at) for part in (model.leading, model.other)]
    generator = torch.Generator().manual_seed(0)
    n = 200_000
    draws = []
    for (means, covariances), share in zip(parts, (0.25, 0.75), strict=True):
        noise = torch.randn(int(n * share), 2, generator=generator, dtype=torch.double)
        draws.append(means[0] + noise @ torch.linalg.cholesky(covariances[0]).T)
    drawn = torch.cat(draws)
    means, covariances = model.joint_moments(at)
    scale = float(covariances[0].diagonal().max())
    torch.testing.assert_close(means[0], drawn.mean(0), rtol=0, atol=0.01 * math.sqrt(scale))
    torch.testing.assert_close(covariances[0], drawn.T.cov(), rtol=0, atol=0.02 * scale)


def test_every_question_has_one_answer(model: MixedModel) -> None:
    at, _ = data(5, seed=1)
    means, covariances = model.joint_moments(at)
    mean, variance = model.marginal_moments(at, observation_noise=False)
    torch.testing.assert_close(mean.T, means)
    torch.testing.assert_close(variance.T, covariances.diagonal(dim1=1, dim2=2))
    posterior = model.posterior(at)
    torch.testing.assert_close(posterior.mean, mean)
    torch.testing.assert_close(posterior.variance, variance, rtol=1e-4, atol=1e-7)
    noisy = model.posterior(at, observation_noise=True).variance
    torch.testing.assert_close(noisy, model.marginal_moments(at)[1], rtol=1e-4, atol=1e-7)
    second = model.outcomes_of([1])
    torch.testing.assert_close(second.joint_moments(at)[0][0], means[1])
    assert (model.prior_variances(at) > 0).all()


def test_it_has_gradients(model: MixedModel) -> None:
    at = torch.rand(2, 3, 2, dtype=torch.double, requires_grad=True)
    posterior = model.posterior(at)
    assert posterior.mean.shape == (2, 3, 2)
    (gradient,) = torch.autograd.grad(posterior.mean.sum() + posterior.variance.sum(), at)
    assert torch.isfinite(gradient).all()


def test_a_model_mixed_with_itself_is_itself() -> None:
    X, Y = data(10)
    plain = fit_averaged(X, Y)
    itself = mixed(plain, plain, expected=0.5)
    assert itself.share == pytest.approx(0.5, abs=0.005)
    at, _ = data(4, seed=2)
    for one, other in zip(joint_moments(itself, at), joint_moments(plain, at), strict=True):
        torch.testing.assert_close(one, other)


def left_out(error: float, n: int = 20) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    y = torch.linspace(-1, 1, n, dtype=torch.double)
    signs = torch.tensor([1.0, -1.0] * (n // 2), dtype=torch.double)
    return [y], [y + error * signs], [torch.full_like(y, 0.04)]


def test_the_share_is_of_who_predicts_what_was_left_out() -> None:
    assert stacked_share(left_out(0.2), left_out(0.2), expected=0.7) == pytest.approx(
        0.7, abs=0.005
    )
    assert stacked_share(left_out(0.1), left_out(0.8), expected=0.7) > 0.8
    assert stacked_share(left_out(0.8), left_out(0.1), expected=0.7) < 0.45
    # More runs move it further.
    many = stacked_share(left_out(0.8, 200), left_out(0.1, 200), expected=0.7)
    assert many < 0.1


def test_by_hand() -> None:
    """s maximises Σ log(s p₁ + (1 − s) p₂) + 20 (e log s + (1 − e) log (1 − s))."""
    first, second = left_out(0.4), left_out(0.2)
    odds = math.exp(-0.5 * (0.4**2 - 0.2**2) / 0.04)

    def value(s: float) -> float:
        prior = 0.5 * math.log(s) + 0.5 * math.log(1 - s)
        return 20 * math.log(s * odds + 1 - s) + 20 * prior

    best = max((i / 1000 for i in range(1, 1000)), key=value)
    assert stacked_share(first, second, expected=0.5) == pytest.approx(best, abs=0.003)


@given(st.floats(0.01, 100), st.floats(-50, 50))
def test_units_change_nothing(factor: float, shift: float) -> None:
    first, second = left_out(0.3), left_out(0.15)
    other = (
        [shift + factor * part for part in second[0]],
        [shift + factor * part for part in second[1]],
        [factor**2 * part for part in second[2]],
    )
    share = stacked_share(first, second, expected=0.6)
    assert stacked_share(first, other, expected=0.6) == pytest.approx(share, abs=1e-9)


def test_what_cannot_be_compared_leaves_the_expected_share() -> None:
    """With replicates one model leaves out rows, the other conditions."""
    assert stacked_share(left_out(0.1, 20), left_out(0.5, 18), expected=0.7) == 0.7
    reordered = tuple([part.flip(0) for part in column] for column in left_out(0.5))
    assert stacked_share(left_out(0.1), reordered, expected=0.7) == 0.7
    X, Y = data(8)
    twice = torch.cat([X, X]), torch.cat([Y, Y + 0.1])
    plain, fixed = fit_averaged(*twice), fit_outcomes(*twice, config=GPConfig())
    assert len(leave_one_out(plain)[0][0]) != len(leave_one_out(fixed)[0][0])
    assert mixed(fixed, plain, expected=0.7).share == 0.7
