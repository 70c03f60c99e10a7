import numpy as np
import pytest
import torch
from botorch.models import ModelListGP, SingleTaskGP

from surrogate.errors import InputError
from surrogate.gp import fit_outcomes, joint_moments, leave_one_out
from surrogate.sourced_gp import GPConfig


def data(n: int, seed: int = 0, noise: float = 0.05) -> tuple[torch.Tensor, torch.Tensor]:
    """Two smooth outcomes of three inputs, of which the last does nothing."""
    generator = torch.Generator().manual_seed(seed)
    X = torch.rand(n, 3, generator=generator, dtype=torch.double)
    clean = torch.stack([torch.sin(3 * X[:, 0]) + X[:, 1], 10 + 5 * X[:, 1] ** 2], dim=1)
    scale = noise * clean.std(dim=0)
    return X, clean + scale * torch.randn(n, 2, generator=generator, dtype=torch.double)


def test_predicts_left_out_points() -> None:
    X, Y = data(60)
    model = fit_outcomes(X[:40], Y[:40])
    with torch.no_grad():
        mean = model.posterior(X[40:]).mean
    residual = ((mean - Y[40:]) ** 2).mean(dim=0) / Y[40:].var(dim=0)
    assert (residual < 0.05).all()


def test_intervals_cover_what_they_say() -> None:
    X, Y = data(300, seed=1, noise=0.5)
    model = fit_outcomes(X[:100], Y[:100])
    with torch.no_grad():
        posterior = model.posterior(X[100:], observation_noise=True)
    z = (Y[100:] - posterior.mean) / posterior.variance.sqrt()
    covered = (z.abs() < 1.645).double().mean()
    assert 0.84 < covered < 0.96


def test_outcomes_on_the_same_rows_share_one_model() -> None:
    X, Y = data(15)
    model = fit_outcomes(X, Y, config=GPConfig())
    assert isinstance(model, SingleTaskGP)
    assert model.num_outputs == 2


@pytest.mark.parametrize("config", [None, GPConfig()])
def test_missing_values_leave_the_other_outcomes_alone(config: GPConfig | None) -> None:
    X, Y = data(30)
    holes = Y.clone()
    holes[::3, 1] = torch.nan
    model = fit_outcomes(X, holes, config=config)
    assert isinstance(model, ModelListGP) == (config is not None)
    assert model.num_outputs == 2
    alone = fit_outcomes(X, Y[:, :1], config=config)
    with torch.no_grad():
        torch.testing.assert_close(
            model.posterior(X).mean[:, :1], alone.posterior(X).mean, atol=2e-2, rtol=2e-2
        )


@pytest.mark.parametrize("config", [None, GPConfig()])
def test_outcomes_that_share_rows_are_taken_out_of_their_batch_whole(
    config: GPConfig | None,
) -> None:
    X, Y = data(20)
    some = torch.cat([Y, Y.flip(1) ** 2], dim=1)
    some[::4, 2:] = torch.nan  # two pairs: the first measured on every row, the second on some
    model = fit_outcomes(X, some, config=config)
    pair = fit_outcomes(X, some[:, :2], config=config)
    points = torch.rand(5, 3, generator=torch.Generator().manual_seed(4), dtype=torch.double)
    assert model.num_outputs == 4
    for moments, alone in zip(
        joint_moments(model, points), joint_moments(pair, points), strict=True
    ):
        # The plain surrogate searches the hyperparameters of all outcomes together.
        torch.testing.assert_close(moments[:2], alone, atol=0.02, rtol=0.02)
    with torch.no_grad():
        torch.testing.assert_close(
            model.posterior(points, observation_noise=True).variance[:, :2],
            pair.posterior(points, observation_noise=True).variance,
            atol=0.02,
            rtol=0.02,
        )
    assert all(torch.isfinite(part).all() for row in leave_one_out(model) for part in row)


@pytest.mark.parametrize("holes", [False, True])
def test_joint_moments_are_the_posterior(holes: bool) -> None:
    X, Y = data(20)
    if holes:
        Y[0, 1] = torch.nan
    model = fit_outcomes(X, Y)
    points = torch.rand(6, 3, generator=torch.Generator().manual_seed(2), dtype=torch.double)
    mean, covariance = joint_moments(model, points)
    with torch.no_grad():
        posterior = model.posterior(points)
    assert mean.shape == (2, 6)
    assert covariance.shape == (2, 6, 6)
    torch.testing.assert_close(mean.T, posterior.mean)
    torch.testing.assert_close(covariance.diagonal(dim1=1, dim2=2).T, posterior.variance)


@pytest.mark.parametrize("holes", [False, True])
def test_leave_one_out_is_what_leaving_out_gives(holes: bool) -> None:
    X, Y = data(12)
    if holes:
        Y[0, 1] = torch.nan  # outcomes of their own rows: a list of models, not one batched
    model = fit_outcomes(X, Y, config=GPConfig())
    members = model.models if holes else [model.subset_output([k]) for k in range(2)]
    for member, observed, mean, variance in zip(members, *leave_one_out(model), strict=True):
        with torch.no_grad():
            prior = member.likelihood(member.forward(member.train_inputs[0]))
            K, y = prior.covariance_matrix, member.train_targets
            torch.testing.assert_close(observed, y)
            for i in range(len(y)):
                rest = torch.tensor([j for j in range(len(y)) if j != i])
                weights = torch.linalg.solve(K[rest][:, rest], K[rest, i])
                centre = prior.mean
                expected = centre[i] + weights @ (y[rest] - centre[rest])
                torch.testing.assert_close(mean[i], expected)
                torch.testing.assert_close(variance[i], K[i, i] - weights @ K[rest, i])


def test_replicates_narrow_the_mean_not_the_noise() -> None:
    X, Y = data(10, noise=0.5)
    model = fit_outcomes(
        X.repeat(4, 1),
        Y.repeat(4, 1)
        + 0.3 * torch.randn(40, 2, generator=torch.Generator().manual_seed(3), dtype=torch.double),
    )
    assert torch.isfinite(joint_moments(model, X)[1]).all()


def test_same_data_same_model() -> None:
    X, Y = data(20)
    first, second = (joint_moments(fit_outcomes(X, Y), X) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


@pytest.mark.parametrize(
    ("X", "Y", "words"),
    [
        (torch.rand(5), torch.rand(5, 1), "expected X"),
        (torch.full((5, 2), torch.nan), torch.rand(5, 1), "finite conditions"),
        (torch.rand(5, 2), torch.full((5, 1), torch.inf), "infinity in Y"),
        (torch.rand(1, 2), torch.rand(1, 1), "at least two values"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(
    X: torch.Tensor, Y: torch.Tensor, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        fit_outcomes(X, Y)


def test_huge_outlier_does_not_break_the_fit() -> None:
    X, Y = data(20)
    Y[3, 0] = 1e6
    mean, covariance = joint_moments(fit_outcomes(X, Y), X)
    assert np.isfinite(mean.numpy()).all()
    assert np.isfinite(covariance.numpy()).all()
