"""The plain surrogate: right from noiseless to noisy, and the same whatever the unit."""

import math

import pytest
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate import kernel_fit
from surrogate.averaged_fit import fit_averaged
from surrogate.beliefs import ADDITIVE, BELIEFS, DEFAULT, PlainInputs
from surrogate.kernel_fit import Columns, Problems, kernel


def data(n: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    X = torch.rand(n, 4, generator=generator, dtype=torch.double)
    truth = torch.stack([torch.sin(4 * X[:, 0]) + X[:, 1], X[:, 2] * X[:, 3]], dim=-1)
    error = torch.randn(n, 2, generator=generator, dtype=torch.double)
    return X, truth + noise * truth.std(0) * error, truth


@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.97), (0.2, 0.85), (1.0, 0.3)])
def test_it_predicts_whatever_the_noise(noise: float, least: float) -> None:
    X, Y, _ = data(60, noise)
    points, _, truth = data(200, 0.0, seed=1)
    mean, _ = fit_averaged(X, Y).marginal_moments(points)
    r2 = 1 - ((mean - truth) ** 2).mean(0) / truth.var(0)
    assert (r2 > least).all()


@pytest.mark.parametrize("noise", [0.05, 0.8])
def test_noise_and_intervals_are_those_of_the_data(noise: float) -> None:
    X, Y, truth = data(120, noise)
    model = fit_averaged(X[:80], Y[:80])
    mean, variance = model.marginal_moments(X[80:])
    covered = ((Y[80:] - mean).abs() < 1.645 * variance.sqrt()).double().mean()
    assert 0.8 < covered <= 1.0
    expected = (noise * truth.std(0)) ** 2
    assert (model.noise > 0.4 * expected).all()
    assert (model.noise < 2.5 * expected).all()


def test_beliefs_are_weighed_by_the_results() -> None:
    X, clean, _ = data(40, 0.0)
    _, noisy, _ = data(40, 1.0)
    weights = [fit_averaged(X, Y).weights for Y in (clean, noisy)]
    assert all(math.isclose(sum(part.values()), 1.0) for pair in weights for part in pair)
    share = [
        sum(weight for name, weight in pair[0].items() if name.startswith("clean"))
        for pair in weights
    ]
    assert share[0] > 0.9
    assert share[1] < 0.5


def test_where_specimens_do_not_scatter_noise_has_to_prove_itself() -> None:
    X, few, _ = data(8, 0.3)
    shares = [
        sum(
            weight
            for part in fit_averaged(X, few, inputs=PlainInputs(is_of_specimens=mats)).weights
            for name, weight in part.items()
            if name.startswith("noisy")
        )
        for mats in (True, False)
    ]
    assert shares[1] < 0.5 * shares[0]
    # The product of two inputs, hidden in twice as much noise.
    X, many, _ = data(160, 2.0)
    model = fit_averaged(X, many[:, 1:], inputs=PlainInputs(is_of_specimens=False))
    noisy = [weight for name, weight in model.weights[0].items() if name.startswith("noisy")]
    assert sum(noisy) > 0.5


def test_the_default_belief_is_that_of_botorch() -> None:
    X, Y, _ = data(25, 0.1)
    model = fit_averaged(X, Y[:, :1], beliefs=[DEFAULT], draws=1)
    theirs = SingleTaskGP(X, Y[:, :1])
    fit_gpytorch_mll(ExactMarginalLogLikelihood(theirs.likelihood, theirs))
    asked, _, _ = data(60, 0.1)
    mean, variance = model.marginal_moments(asked[30:], observation_noise=False)
    with torch.no_grad():
        posterior = theirs.posterior(asked[30:])
    spread = float(Y[:, 0].std())
    assert float((mean - posterior.mean).abs().max()) < 0.05 * spread
    # The level is integrated out here and fitted there.
    assert float((variance.sqrt() - posterior.variance.sqrt()).abs().max()) < 0.1 * spread


def test_where_replicates_agree_neighbours_may_differ_all_the_same() -> None:
    """Two robots that agree to the last digit but one do not make the surface smooth."""
    X, rough, _ = data(40, 0.6)
    generator = torch.Generator().manual_seed(1)
    again = rough + 1e-3 * torch.randn(rough.shape, generator=generator, dtype=torch.double)
    model = fit_averaged(X.repeat(2, 1), torch.cat([rough, again]), beliefs=[DEFAULT], draws=1)
    of_measurement, of_condition = model.theta[:, -1].exp(), model.theta[:, -2].exp()
    assert (of_measurement < 1e-3).all()
    assert (of_condition > 10 * of_measurement).all()


@settings(max_examples=10, deadline=None)
@given(power=st.integers(-15, 15), shift=st.floats(-100, 100))
def test_the_unit_changes_nothing(power: int, shift: float) -> None:
    X, Y, _ = data(15, 0.1)
    unit = 2.0 ** (3 * power)
    mean, variance = fit_averaged(X, Y).marginal_moments(X)
    other, spread = fit_averaged(X, unit * (Y + shift)).marginal_moments(X)
    torch.testing.assert_close(other / unit - shift, mean, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(spread / unit**2, variance, atol=1e-3, rtol=1e-2)


def test_replicates_pin_the_noise() -> None:
    X, _, truth = data(12, 0.0)
    generator = torch.Generator().manual_seed(3)
    error = torch.randn(96, 2, generator=generator, dtype=torch.double)
    model = fit_averaged(X.repeat(8, 1), truth.repeat(8, 1) + 0.3 * error)
    assert (model.noise.sqrt() - 0.3).abs().max() < 0.06


def test_copies_are_no_replicates() -> None:
    X, Y, _ = data(20, 0.5)
    once, twice = fit_averaged(X, Y), fit_averaged(X.repeat(2, 1), Y.repeat(2, 1))
    torch.testing.assert_close(once.noise, twice.noise)


def without_results(
    columns: Columns, theta: torch.Tensor, *, squared: bool = False, additive: bool = False
) -> Problems:
    """Return one problem whose kernel alone is asked."""
    group, nothing = torch.tensor(columns.group), torch.empty(1, 0)
    kinds = torch.tensor([squared]), torch.tensor([additive])
    return Problems(torch.empty(0, len(group)), group, *kinds, *[nothing] * 4, theta, theta)


def test_what_choices_add_is_the_mean_of_a_kernel_each() -> None:
    """A choice of two, l = 1, and a number, l = ½: (e^{−½ s₁} + e^{−½ s₂ / ¼}) / 2, no rest."""
    columns = Columns.of([(0, 1)], 3)
    theta = torch.tensor([[0.0, math.log(0.5), 0.0, 0.0, -40.0, 0.0, 0.0]], dtype=torch.double)
    problems = without_results(columns, theta, additive=True)
    points = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 0, 0.5]], dtype=torch.double)
    K = kernel(problems, theta, columns.scaled(points), columns.scaled(points))[0]
    once, half = (1 + math.exp(-0.5)) / 2, math.exp(-0.5)
    exact = torch.tensor([[1, once, once], [once, 1, half], [once, half, 1]], dtype=torch.double)
    torch.testing.assert_close(K, exact)


def test_choices_are_alike_beforehand_as_botorch_takes_them() -> None:
    """At the mode of its prior BoTorch's default on one-hot choices is ours on whole ones."""
    n_choices = (8, 3)
    first, second = tuple(range(8)), tuple(range(8, 11))
    X = torch.zeros(4, 12, dtype=torch.double)
    for row, (one, other) in enumerate([(0, 0), (5, 0), (5, 2), (0, 0)]):
        X[row, one] = X[row, n_choices[0] + other] = 1.0
    X[3, 11] = 0.4  # a number beside them
    theirs = SingleTaskGP(X, X[:, :1]).covar_module
    theirs.lengthscale = theirs.lengthscale_prior.mode
    columns = Columns.of([first, second], 12)
    locations = [location for location, _ in DEFAULT.priors(columns, has_replicates=False)]
    theta = torch.tensor([locations], dtype=torch.double)
    problems = without_results(columns, theta, squared=True)
    ours = kernel(problems, theta, columns.scaled(X), columns.scaled(X))[0]
    torch.testing.assert_close(ours, theirs(X).to_dense().detach(), atol=2e-4, rtol=0)


def test_choices_are_equal_or_different() -> None:
    """Every two choices are as far apart as the ends of a range, and share one lengthscale."""
    columns = Columns.of([(0, 1, 2)], 4)
    assert columns.n_lengthscales == 2
    X = torch.eye(3, 4, dtype=torch.double)
    theta = torch.zeros(1, 7, dtype=torch.double)
    problems = without_results(columns, theta)
    K = kernel(problems, theta, columns.scaled(X), columns.scaled(X))[0]
    apart = torch.tensor([[0.0, 0, 0, 0], [0, 0, 0, 1.0]], dtype=torch.double)
    ends = kernel(problems, theta, apart, apart)[0, 0, 1]
    torch.testing.assert_close(K[0, 1], ends)
    torch.testing.assert_close(K[0, 1], K[1, 2])


def test_what_choices_add_is_learnt_from_few_of_their_pairs() -> None:
    """Of 8 × 8 pairs twenty are seen: the others follow where each choice adds its own part."""
    parts = torch.randn(2, 8, generator=torch.Generator().manual_seed(4), dtype=torch.double)
    pairs = torch.cartesian_prod(torch.arange(8), torch.arange(8))
    X = torch.cat([torch.eye(8, dtype=torch.double)[pairs[:, side]] for side in (0, 1)], dim=-1)
    Y = (parts[0, pairs[:, 0]] + parts[1, pairs[:, 1]]).unsqueeze(-1)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(5))
    seen, unseen = order[:20], order[20:]
    choices = (tuple(range(8)), tuple(range(8, 16)))
    inputs = PlainInputs(choices=choices, is_of_specimens=False)
    assert ADDITIVE in inputs.beliefs
    assert ADDITIVE not in PlainInputs(is_of_specimens=False).beliefs
    model = fit_averaged(X[seen], Y[seen], inputs=inputs)
    mean, _ = model.marginal_moments(X[unseen], observation_noise=False)
    default = fit_averaged(X[seen], Y[seen], inputs=inputs, beliefs=(DEFAULT,))
    theirs, _ = default.marginal_moments(X[unseen], observation_noise=False)
    error, their_error = (float((m - Y[unseen]).square().mean()) for m in (mean, theirs))
    assert error < 0.1 * float(Y[unseen].var())
    assert error < 0.7 * their_error
    assert model.weights[0][ADDITIVE.name] > 0.5
    asked = model.asked(X[unseen])
    _, covariances = model.joint_moments(X[unseen])
    torch.testing.assert_close(asked.columns(0, [3, 0]), covariances[0][:, [3, 0]])


def test_leaving_out_is_fitting_without() -> None:
    X, Y, _ = data(15, 0.3)
    model = fit_averaged(X, Y[:, :1], beliefs=BELIEFS[:1], draws=1)
    observed, means, variances = model.leave_one_out()
    for row in (0, 7):
        rest = [place for place in range(15) if place != row]
        theta, problems = model.theta, model.problems
        K = kernel(problems, theta, problems.X, problems.X)[0]
        noisy = K + (theta[0, -2:].exp().sum() + 1e-8 * K[0, 0]) * torch.eye(15)
        inner = torch.linalg.inv(noisy[rest][:, rest])
        ones = torch.ones(14, dtype=torch.double)
        y = problems.y[0, rest]
        precision = ones @ inner @ ones
        level = ones @ inner @ y / precision
        k = K[row, rest]
        left = 1 - k @ inner @ ones
        torch.testing.assert_close(observed[0][row], problems.y[0, row])
        torch.testing.assert_close(means[0][row], level + k @ inner @ (y - level))
        torch.testing.assert_close(
            variances[0][row], noisy[row, row] - k @ inner @ k + left**2 / precision
        )


def test_a_rare_outcome_of_many_runs_is_learnt() -> None:
    X, Y, _ = data(400, 0.1)
    Y[6:, 1] = math.nan
    mean, variance = fit_averaged(X, Y, weigh_rows=30, fit_rows=50).marginal_moments(X[:20])
    assert torch.isfinite(mean).all()
    assert (variance > 0).all()


def test_weighing_on_a_sample_predicts_as_well() -> None:
    X, Y, _ = data(160, 0.3)
    points, _, truth = data(200, 0.0, seed=1)
    errors = [
        ((fit_averaged(X, Y, weigh_rows=n).marginal_moments(points)[0] - truth) ** 2).mean(0)
        for n in (80, 160)
    ]
    assert (errors[0] < 1.1 * errors[1]).all()


def test_posterior_is_differentiable_and_batched() -> None:
    X, Y, _ = data(12, 0.1)
    model = fit_averaged(X, Y)
    points = torch.rand(2, 3, 4, dtype=torch.double, requires_grad=True)
    posterior = model.posterior(points)
    assert posterior.mean.shape == (2, 3, 2)
    (gradient,) = torch.autograd.grad(posterior.mean.sum() + posterior.variance.sum(), points)
    assert torch.isfinite(gradient).all()
    flat, _ = model.marginal_moments(points.detach().reshape(-1, 4))
    torch.testing.assert_close(posterior.mean.reshape(-1, 2), flat)


def test_many_points_are_asked_a_member_and_a_few_rows_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same moments as BoTorch's posterior, in parts that the cache holds."""
    X, Y, _ = data(18, 0.1)
    model = fit_averaged(X, Y)
    asked, _, _ = data(41, 0.1, seed=1)
    monkeypatch.setattr(kernel_fit, "_PART", 3 * 41 + 1)
    means, covariances = model.joint_moments(asked)
    for place in range(2):
        with torch.no_grad():
            posterior = model.outcomes_of([place]).posterior(asked)
        torch.testing.assert_close(means[place], posterior.mean.squeeze(-1))
        theirs = posterior.distribution.covariance_matrix
        torch.testing.assert_close(covariances[place], theirs, rtol=1e-6, atol=1e-6)


def test_of_few_runs_no_more_is_predicted_than_they_tell() -> None:
    """Surfaces of many lengths, ten runs: intervals of one lengthscale miss, averaged ones hold."""
    generator = torch.Generator().manual_seed(4)
    scores = {draws: [0.0, 0.0] for draws in (1, 12)}
    n_surfaces = 12
    for _ in range(n_surfaces):
        X = torch.rand(60, 3, generator=generator, dtype=torch.double)
        lengths = 10 ** (torch.rand(3, generator=generator, dtype=torch.double) * 1.3 - 0.7)
        distances = torch.cdist(X / lengths, X / lengths)
        factor = torch.linalg.cholesky(torch.exp(-0.5 * distances**2) + 1e-6 * torch.eye(60))
        y = factor @ torch.randn(60, 1, generator=generator, dtype=torch.double)
        for draws, score in scores.items():
            model = fit_averaged(
                X[:10], y[:10], inputs=PlainInputs(is_of_specimens=False), draws=draws
            )
            mean, variance = model.marginal_moments(X[10:])
            errors = (y[10:] - mean) / variance.sqrt()
            score[0] += float((errors.abs() < 1.645).double().mean()) / n_surfaces
            score[1] += float((errors**2 + variance.log()).mean()) / n_surfaces
    (narrow, density), (covered, better) = scores[1], scores[12]
    assert narrow < covered
    assert 0.8 < covered < 0.96
    assert better < density


def test_draws_of_a_belief_count_as_one() -> None:
    X, Y, _ = data(12, 0.3)
    model = fit_averaged(X, Y)
    assert len(set(map(tuple, model.theta.tolist()))) > len({b.name for b in model.beliefs})
    for part in model.weights:
        assert sum(part.values()) == pytest.approx(1.0)


def test_the_maxima_are_kept_beside_the_draws() -> None:
    X, Y, _ = data(14, 0.3)
    model, single = fit_averaged(X, Y), fit_averaged(X, Y, draws=1)
    points = X[:5] + 0.05
    for ours, theirs in (
        (model.at_maxima(), single),
        (model.outcomes_of([1]).at_maxima(), single.outcomes_of([1])),
    ):
        for a, b in zip(ours.joint_moments(points), theirs.joint_moments(points), strict=True):
            torch.testing.assert_close(a, b)
    assert not torch.equal(model.joint_moments(points)[0], single.joint_moments(points)[0])
