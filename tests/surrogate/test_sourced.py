"""The GP that knows what sources found: heads in its mean and covariance, and how far it trusts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from surrogate.errors import InputError
from surrogate.gp import fit_outcomes, joint_moments, leave_one_out, outcomes_of
from surrogate.sourced import AppendHeads, HeadLayout, SourcePrior, head_weights, prior_draws
from surrogate.sourced_gp import GPConfig
from surrogate.trust import evidence, fit_trusting

D, M = 4, 2
SLOPES = torch.tensor([[2.0, -1.0], [0.5, 1.5], [-1.0, 0.3], [0.2, -0.8]], dtype=torch.double)


class Linear:
    """Heads of a source that knows the slopes (times ``sign``), and K smooth deviations."""

    def __init__(self, sign: float = 1.0, deviations: int = 2, name: str = "older") -> None:
        self.sign, self.layout = sign, HeadLayout((name,), (deviations,))

    def __call__(self, X: Tensor) -> Tensor:
        mean = self.sign * (X - 0.5) @ SLOPES
        more = [torch.sin((k + 1) * X @ SLOPES) / 2 for k in range(self.layout.deviations[0])]
        return torch.stack([mean, *more], dim=-1)


class Three(Linear):
    """The same for a third outcome, of which it knows nothing."""

    def __call__(self, X: Tensor) -> Tensor:
        heads = super().__call__(X)
        return torch.cat([heads, torch.zeros_like(heads[..., :1, :])], dim=-2)


class Both:
    """A good and a bad source side by side."""

    layout = HeadLayout(("good", "bad"), (1, 0))

    def __call__(self, X: Tensor) -> Tensor:
        return torch.cat([Linear(1.0, 1)(X), Linear(-1.0, 0)(X)], dim=-1)


def data(n: int, seed: int = 0, noise: float = 0.3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    X = torch.rand(n, D, generator=generator, dtype=torch.double)
    Y = (X - 0.5) @ SLOPES + 0.3 * torch.sin(4 * X[:, :1])
    return X, Y + noise * torch.randn(n, M, generator=generator, dtype=torch.double)


def error(model: object, X: Tensor) -> float:
    truth = (X - 0.5) @ SLOPES + 0.3 * torch.sin(4 * X[:, :1])
    mean = joint_moments(model, X)[0].T  # type: ignore[arg-type]
    return float(((mean - truth) ** 2).mean())


def test_a_good_source_helps_where_results_are_few() -> None:
    X, Y = data(10)
    test, _ = data(200, seed=1)
    model, use = fit_trusting(X, Y, Linear())
    assert use[0].used
    assert use[0].trust > 0.9
    assert error(model, test) < 0.6 * error(fit_outcomes(X, Y), test)
    assert all(0.2 < weight < 1.5 for weight in use[0].weights)


def test_a_bad_source_is_left_aside_and_the_model_is_the_plain_one() -> None:
    X, Y = data(24)
    model, use = fit_trusting(X, Y, Linear(sign=-1.0, deviations=0))
    assert not use[0].used
    assert use[0].weights == (0.0, 0.0)
    plain = joint_moments(fit_outcomes(X, Y), X)
    assert torch.allclose(joint_moments(model, X)[0], plain[0])


def test_of_two_sources_the_good_one_stays() -> None:
    X, Y = data(24)
    _, (good, bad) = fit_trusting(X, Y, Both())
    assert (good.name, good.used, bad.name, bad.used) == ("good", True, "bad", False)


def test_without_heads_there_is_nothing_to_trust() -> None:
    X, Y = data(8)
    _, use = fit_trusting(X, Y, None)
    assert use == ()


@pytest.mark.parametrize("missing", [False, True])
def test_every_view_of_the_posterior_agrees(missing: bool) -> None:
    X, Y = data(12)
    if missing:
        Y[0, 0] = torch.nan
    model = fit_outcomes(X, Y, heads=Linear())
    posterior = model.posterior(X[:5])
    means, covariances = joint_moments(model, X[:5])
    assert torch.allclose(means.T, posterior.mean, atol=1e-6)
    assert torch.allclose(covariances.diagonal(dim1=-2, dim2=-1).T, posterior.variance, atol=1e-5)
    assert all(torch.isfinite(part).all() for part in leave_one_out(model)[1])  # type: ignore[arg-type]


def test_one_outcome_of_a_batch_is_the_same_alone() -> None:
    X, Y = data(12)
    model = fit_outcomes(X, Y, heads=Linear())
    alone = model.subset_output([1])
    assert torch.allclose(alone.posterior(X).mean[:, 0], model.posterior(X).mean[:, 1])


@pytest.mark.parametrize("places", [[0], [2, 0], [0, 1, 2]])
@pytest.mark.parametrize("heads", [None, Three()])
@pytest.mark.parametrize("missing", [False, True])
def test_some_outcomes_of_a_fitted_model_are_the_same_alone(
    places: list[int], heads: Three | None, missing: bool
) -> None:
    X, Y = data(12)
    Y = torch.cat([Y, Y[:, :1] ** 2], dim=-1)
    if missing:
        Y[3, 1] = torch.nan
    model = fit_outcomes(X, Y, heads=heads)
    whole = model.posterior(X)  # what it has cached is not taken along
    some = outcomes_of(model, places)
    assert torch.allclose(some.posterior(X).mean, whole.mean[:, places])
    assert torch.allclose(some.posterior(X).variance, whole.variance[:, places])
    means, covariances = joint_moments(some, X)
    assert torch.allclose(means.T, whole.mean[:, places], atol=1e-6)
    assert covariances.shape == (len(places), 12, 12)


def test_gradients_reach_the_conditions_through_the_heads() -> None:
    X, Y = data(12)
    model = fit_outcomes(X, Y, heads=Linear())
    point = X[:1].clone().requires_grad_(True)
    model.posterior(point).mean.sum().backward()
    assert point.grad is not None
    assert (point.grad != 0).all()


def test_evidence_is_that_of_a_dense_gaussian() -> None:
    X, Y = data(9)
    model = fit_outcomes(X, Y[:, :1], config=GPConfig())
    prior = model.likelihood(model.forward(model.train_inputs[0]))
    total = prior.log_prob(model.train_targets).detach()
    for _, module, each, closure, _ in model.named_priors():
        total = total + each.log_prob(closure(module)).sum().detach()
    assert evidence(model) == pytest.approx(float(total), rel=1e-6)


def test_weights_are_the_ridge_solution_of_a_linear_model() -> None:
    X, Y = data(60, noise=0.05)
    model = fit_outcomes(X, Y, heads=Linear(deviations=0))
    spread = Y.std(dim=0)
    # In standardised units the true weight of the head is 1 / spread.
    assert torch.allclose(head_weights(model, M, 1)[:, 0], 1 / spread, rtol=0.5)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_a_layout_names_every_column_once(deviations: list[int]) -> None:
    layout = HeadLayout(tuple(f"s{i}" for i in range(len(deviations))), tuple(deviations))
    assert len(layout.owner) == len(layout.is_mean) == layout.width
    assert sum(layout.is_mean) == len(deviations)
    assert sorted(layout.owner) == list(layout.owner)


def test_a_layout_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="deviation heads"):
        HeadLayout(("a", "b"), (1,))


def test_appended_heads_are_those_of_the_inputs_however_often_asked() -> None:
    X, _ = data(6)
    transform = AppendHeads(Linear(), [1, 0])
    first, second = transform.transform(X), transform.transform(X)
    assert first is second
    assert torch.equal(first[:, D : D + 3], Linear()(X)[:, 1])
    assert torch.equal(transform.transform(X + 0.1)[:, :D], X + 0.1)


def test_draws_before_any_result_spread_about_the_mean_head() -> None:
    X, _ = data(5)
    heads = Linear()
    draws = prior_draws(heads(X), heads.layout, SourcePrior(), 4000, seed=1)
    assert draws.shape == (4000, 5, M)
    assert torch.allclose(draws.mean(dim=0), 0.7 * heads(X)[..., 0], atol=0.06)


def test_many_rows_share_the_hyperparameters_of_a_sample_and_are_all_learnt_from() -> None:
    X, Y = data(90)
    config = GPConfig(fit_rows=30)
    test, _ = data(200, seed=1)
    many = fit_outcomes(X, Y, heads=Linear(), config=config)
    assert many.train_inputs[0].shape[-2] == 90
    few = fit_outcomes(X[:30], Y[:30], heads=Linear(), config=config)
    assert error(many, test) < error(few, test)
