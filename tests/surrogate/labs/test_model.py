"""The model of all outcomes: what the engine asks of it, and BoTorch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toy_labs import M, campaign, toy, truth

from surrogate.errors import InputError
from surrogate.gp import joint_moments, leave_one_out, marginal_moments, outcomes_of
from surrogate.labs.gate import fit_among_labs
from surrogate.labs.model import LabsModel, variance_factor


@pytest.fixture(scope="module")
def model() -> LabsModel:
    X, Y, _ = campaign(16)
    fitted, use = fit_among_labs(X, Y, toy())
    assert isinstance(fitted, LabsModel)
    assert use[0].used
    return fitted


@pytest.fixture(scope="module")
def holed() -> LabsModel:
    X, Y, _ = campaign(16)
    Y[2, 0] = Y[5, 1] = Y[5, 2] = torch.nan
    fitted, _ = fit_among_labs(X, Y, toy())
    assert isinstance(fitted, LabsModel)
    return fitted


def test_it_predicts_the_lab_better_than_its_noise() -> None:
    X, Y, z = campaign(16)
    model, _ = fit_among_labs(X, Y, toy())
    at = torch.rand(200, 2, dtype=torch.double, generator=torch.Generator().manual_seed(9))
    mean, variance = marginal_moments(model, at, observation_noise=False)
    error = mean - truth(at, z)
    assert float(error.square().mean().sqrt()) < 0.1
    covered = (error.abs() < 2 * variance.sqrt()).double().mean()
    assert 0.85 < float(covered) <= 1.0


@pytest.mark.parametrize("name", ["model", "holed"])
def test_the_engine_s_questions_and_botorch_s_have_one_answer(
    name: str, request: pytest.FixtureRequest
) -> None:
    fitted: LabsModel = request.getfixturevalue(name)
    X = torch.rand(6, 2, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    means, covariances = joint_moments(fitted, X)
    assert means.shape == (M, 6)
    assert covariances.shape == (M, 6, 6)
    mean, variance = marginal_moments(fitted, X, observation_noise=False)
    assert torch.allclose(mean.T, means, atol=1e-9)
    assert torch.allclose(variance.T, covariances.diagonal(dim1=1, dim2=2), atol=1e-8)
    posterior = fitted.posterior(X)
    assert torch.allclose(posterior.mean, mean, atol=1e-9)
    assert torch.allclose(posterior.variance, variance, atol=1e-7)
    noisy = fitted.posterior(X, observation_noise=True).variance
    assert torch.allclose(noisy, marginal_moments(fitted, X)[1], atol=1e-7)
    assert posterior.rsample(torch.Size([3])).shape == (3, 6, M)


def test_a_batch_of_points_is_asked_as_each_of_them(model: LabsModel) -> None:
    X = torch.rand(2, 3, 4, 2, dtype=torch.double, generator=torch.Generator().manual_seed(2))
    together = model.posterior(X)
    alone = model.posterior(X[1, 2])
    assert together.mean.shape == (2, 3, 4, M)
    assert torch.allclose(together.mean[1, 2], alone.mean, atol=1e-10)
    assert torch.allclose(together.variance[1, 2], alone.variance, atol=1e-8)


def test_outcomes_can_be_taken_apart(model: LabsModel) -> None:
    X = torch.rand(4, 2, dtype=torch.double, generator=torch.Generator().manual_seed(4))
    whole, _ = marginal_moments(model, X)
    part = outcomes_of(model, [2, 0])
    assert part.num_outputs == 2
    assert torch.equal(marginal_moments(part, X)[0], whole[:, [2, 0]])
    single = outcomes_of(part, [0])
    assert single.posterior(X).mean.shape == (4, 1)
    assert torch.equal(marginal_moments(single, X)[0][:, 0], whole[:, 2])


def test_gradients_flow_through_the_basis(model: LabsModel) -> None:
    X = torch.rand(3, 2, dtype=torch.double, generator=torch.Generator().manual_seed(5))

    def spoken(x: torch.Tensor) -> torch.Tensor:
        posterior = model.posterior(x)
        return posterior.mean.sum() + posterior.variance.sum()

    leaf = X.clone().requires_grad_()
    spoken(leaf).backward()
    assert leaf.grad is not None
    step = 1e-6
    for row, column in ((0, 0), (2, 1)):
        moved = X.clone()
        moved[row, column] += step
        back = X.clone()
        back[row, column] -= step
        slope = float(spoken(moved) - spoken(back)) / (2 * step)
        assert float(leaf.grad[row, column]) == pytest.approx(slope, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", ["model", "holed"])
def test_leaving_a_run_out_is_conditioning_on_the_others(
    name: str, request: pytest.FixtureRequest
) -> None:
    fitted: LabsModel = request.getfixturevalue(name)
    observed, means, variances = leave_one_out(fitted)
    state = fitted.state
    setting, left = state.setting, 7
    kept = [row for row in range(len(setting.X)) if row != left]
    rest = type(setting)(
        **{
            field: value[kept] if field in ("X", "Y", "F", "labs_mean", "sources_mean") else value
            for field, value in vars(setting).items()
        }
    )
    other = LabsModel.condition(state.features, rest, state.hyperparameters.x)
    mean, variance = marginal_moments(other, setting.X[[left]])
    variance = variance / other.state.factor * state.factor
    for o in range(M):
        measured = (~torch.isnan(setting.Y[:, o])).nonzero().flatten().tolist()
        place = measured.index(left)
        assert len(observed[o]) == len(measured)
        assert float(means[o][place]) == pytest.approx(float(mean[0, o]), abs=1e-5)
        assert float(variances[o][place]) == pytest.approx(float(variance[0, o]), rel=1e-4)


def test_the_prior_is_widened_as_the_posterior_is(model: LabsModel) -> None:
    """Far from all results they are one, so that remoteness there is 1 whatever the factor."""
    factor = torch.full_like(model.state.factor, 3.0)
    wide, narrow = (LabsModel(replace(model.state, factor=q)) for q in (factor, factor / 3))
    points = torch.rand(5, model.state.setting.X.shape[-1], dtype=torch.double)
    torch.testing.assert_close(wide.prior_variances(points), 3 * narrow.prior_variances(points))


def test_noise_by_tensor_is_refused(model: LabsModel) -> None:
    with pytest.raises(InputError, match="True or False"):
        model.posterior(torch.rand(1, 2), observation_noise=torch.ones(1))


def test_variances_grow_where_left_out_runs_are_missed() -> None:
    Y = torch.zeros(40, 2, dtype=torch.double)
    variance = torch.full_like(Y, 0.25)
    fair = 0.5 * torch.ones_like(Y)
    assert torch.allclose(variance_factor(Y, fair, variance), torch.ones(2, dtype=torch.double))
    missed = fair * torch.tensor([1.0, 3.0])
    calm, rough = variance_factor(Y, missed, variance).tolist()
    assert 1.0 < calm < 2.0 < rough <= 4.0
    Y[:, 1] = torch.nan
    calm, rough = variance_factor(Y, missed, variance).tolist()
    assert calm == rough == 1.0


def test_every_variance_is_multiplied(model: LabsModel) -> None:
    state = model.state
    doubled = LabsModel(replace(state, factor=2 * state.factor))
    X = torch.rand(4, 2, dtype=torch.double, generator=torch.Generator().manual_seed(6))
    pairs = [
        (marginal_moments(model, X)[1], marginal_moments(doubled, X)[1]),
        (joint_moments(model, X)[1], joint_moments(doubled, X)[1]),
        (
            model.posterior(X, observation_noise=True).variance,
            doubled.posterior(X, observation_noise=True).variance,
        ),
        (torch.stack(leave_one_out(model)[2]), torch.stack(leave_one_out(doubled)[2])),
    ]
    for once, twice in pairs:
        assert torch.allclose(twice, 2 * once, rtol=1e-5)
