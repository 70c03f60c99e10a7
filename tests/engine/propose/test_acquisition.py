import numpy as np
import pytest
import torch
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.sampling import SobolQMCNormalSampler
from scipy.stats import spearmanr

from engine.propose.acquisition import Goal, build_acquisition, draw_joint
from engine.propose.fused_kernel import without_compiling
from surrogate.gp import fit_outcomes, joint_moments
from surrogate.sourced_gp import GPConfig


@pytest.fixture(scope="module")
def problem() -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    X = torch.rand(20, 2, generator=generator, dtype=torch.double)
    noise = 0.05 * torch.randn(20, 2, generator=generator, dtype=torch.double)
    Y = torch.stack([X[:, 0] + X[:, 1], 1.5 - X[:, 0] ** 2 + 0.3 * X[:, 1]], dim=1) + noise
    candidates = torch.rand(60, 2, generator=generator, dtype=torch.double)
    # One belief: a mixture's draws are those of a Gaussian here, and of the mixture there.
    return fit_outcomes(X, Y, config=GPConfig()), X, candidates


def test_agrees_with_botorch_on_the_same_model(problem) -> None:
    """The same estimator as BoTorch's own evaluation, up to Monte-Carlo error."""
    model, X, candidates = problem
    reference = torch.tensor([0.2, 0.2], dtype=torch.double)
    points = torch.cat([X, candidates])
    draws = draw_joint(model, points, torch.arange(len(points)), n_draws=512, seed=0)
    ours = build_acquisition(draws, torch.arange(20), Goal(reference))
    index = torch.arange(20, 80, dtype=torch.double).reshape(-1, 1, 1)
    with without_compiling():
        theirs = qLogNoisyExpectedHypervolumeImprovement(
            model, reference, X, sampler=SobolQMCNormalSampler(torch.Size([512]), seed=1)
        )
    with torch.no_grad():
        a, b = ours(index), theirs(candidates.unsqueeze(1))
    assert spearmanr(a, b).statistic > 0.97
    best = torch.topk(b, 10).indices
    np.testing.assert_allclose(a[best], b[best], atol=0.3)


def test_pending_points_take_their_gain_away(problem) -> None:
    model, X, candidates = problem
    points = torch.cat([X, candidates])
    draws = draw_joint(model, points, torch.arange(len(points)), n_draws=64, seed=0)
    acquisition = build_acquisition(draws, torch.arange(20), Goal(torch.zeros(2).double()))
    index = torch.arange(20, 80, dtype=torch.double).reshape(-1, 1, 1)
    with torch.no_grad():
        before = acquisition(index)
        best = index[before.argmax()]
        acquisition.set_X_pending(best)
        after = acquisition(index)
    assert after[before.argmax()] < before.max() - 2
    assert (after <= before + 0.05).all()


def test_draws_have_the_posterior_moments(problem) -> None:
    model, _, candidates = problem
    draws = draw_joint(model, candidates[:5], torch.arange(5), n_draws=4096, seed=0)
    mean, covariance = joint_moments(model, candidates[:5])
    torch.testing.assert_close(draws.mean(dim=0).T, mean, atol=1e-3, rtol=1e-2)
    sampled = torch.stack([torch.cov(draws[..., k].T) for k in range(2)])
    torch.testing.assert_close(sampled, covariance, atol=2e-4, rtol=0.1)


def test_rooms_are_averaged_or_the_worst_of_them_counts(problem) -> None:
    model, _, candidates = problem
    owner = torch.tensor([0, 0, 1, 1])
    rows = candidates[:4]
    average = draw_joint(model, rows, owner, n_draws=256, seed=0)
    signs = torch.tensor([1.0, -1.0], dtype=torch.double)
    worst = draw_joint(model, rows, owner, n_draws=256, seed=0, worst=signs)
    mean, _ = joint_moments(model, rows)
    torch.testing.assert_close(
        average.mean(dim=0), mean.reshape(2, 2, 2).mean(dim=2).T, atol=5e-3, rtol=5e-3
    )
    assert (worst[..., 0].mean(dim=0) <= average[..., 0].mean(dim=0) + 1e-6).all()
    assert (worst[..., 1].mean(dim=0) >= average[..., 1].mean(dim=0) - 1e-6).all()


def test_constraints_and_a_single_objective(problem) -> None:
    model, X, candidates = problem
    points = torch.cat([X, candidates])
    draws = draw_joint(model, points, torch.arange(len(points)), n_draws=64, seed=0)
    index = torch.arange(20, 80, dtype=torch.double).reshape(-1, 1, 1)
    free = build_acquisition(draws, torch.arange(20), Goal(torch.zeros(1).double()))
    limited = build_acquisition(
        draws, torch.arange(20), Goal(torch.zeros(1).double(), ((1, -1.0, 1.5),))
    )
    with torch.no_grad():
        assert torch.isfinite(free(index)).all()
        best_free, best_limited = free(index).argmax(), limited(index).argmax()
    second = draws[:, 20:, 1].mean(dim=0)
    assert second[best_free] < 1.4
    assert second[best_limited] > 1.45
