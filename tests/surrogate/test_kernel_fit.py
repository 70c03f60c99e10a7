"""The hyperparameters' posterior: its value against a dense formula, its gradient, its maximum."""

import math
from dataclasses import replace

import pytest
import torch

from surrogate.kernel_fit import Problems, fit, kernel, log_posterior


def problems(n: int = 9, *, replicates: bool = True, holes: bool = False) -> Problems:
    generator = torch.Generator().manual_seed(5)
    X = torch.rand(n, 3, generator=generator, dtype=torch.double)
    y = torch.stack([torch.sin(5 * X[:, 0]), X[:, 1] - X[:, 2] ** 2])
    y = y + 0.1 * torch.randn(2, n, generator=generator, dtype=torch.double)
    r = torch.ones(2, n, dtype=torch.double)
    scatter = degrees = torch.zeros(2, dtype=torch.double)
    if replicates:
        r[:, ::2] = 3.0
        scatter, degrees = scatter + 0.2, (r - 1).sum(-1)
    if holes:
        r[1, :2] = 0.0
        y = torch.where(r > 0, y, 0.0)
        degrees = (r - 1).clamp_min(0).sum(-1) if replicates else degrees
    return Problems(
        X,
        torch.arange(3),
        torch.tensor([False, True]),
        torch.tensor([True, False]),
        y,
        r,
        scatter,
        degrees,
        torch.full((2, 8), -0.5, dtype=torch.double),
        torch.full((2, 8), 0.8, dtype=torch.double),
    )


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("replicates", [False, True])
def test_gradient_is_that_of_the_value(replicates: bool, holes: bool) -> None:
    data = problems(replicates=replicates, holes=holes)
    theta = data.location + 0.2 * torch.linspace(-1, 1, 16, dtype=torch.double).reshape(2, 8)
    _, gradient = log_posterior(data, theta)
    for place in range(8):
        step = torch.zeros(8, dtype=torch.double)
        step[place] = 1e-5
        above, below = (log_posterior(data, theta + sign * step)[0] for sign in (1, -1))
        torch.testing.assert_close(gradient[:, place], (above - below) / 2e-5, rtol=1e-4, atol=1e-5)


def test_value_is_the_density_of_every_single_measurement() -> None:
    """Means with their scatter say as much as the measurements; the level has a wide prior."""
    data = problems(n=5)
    theta = data.location
    rows, values = [], []
    for row in range(5):
        count = int(data.r[0, row])
        # Three values about the mean whose squares add up to this row's share of the scatter.
        share = 0.2 / 3 if count == 3 else 0.0
        for off in [0.0] if count == 1 else [-math.sqrt(share / 2), 0.0, math.sqrt(share / 2)]:
            rows.append(row)
            values.append(float(data.y[0, row]) + off)
    y = torch.tensor(values, dtype=torch.double)
    K = kernel(data, theta, data.X, data.X)[0] + theta[0, -2].exp() * torch.eye(5)
    K = K[rows][:, rows] + theta[0, -1].exp() * torch.eye(len(rows))
    wide = 1e7
    normal = torch.distributions.MultivariateNormal(torch.zeros(len(rows)).double(), K + wide)
    prior = torch.distributions.Normal(data.location[0], data.scale[0]).log_prob(theta[0]).sum()
    # A flat prior is the wide one times its scale; r's logarithms are the Jacobian of the means.
    jacobian = -0.5 * data.r[0].log().sum()
    expected = normal.log_prob(y) + 0.5 * math.log(2 * math.pi * wide) + prior
    value = log_posterior(data, theta)[0][0]
    assert float(value + jacobian) == pytest.approx(float(expected), abs=2e-2)


def test_maximum_is_flat_and_no_start_is_better() -> None:
    data = problems(n=20)
    result = fit(data)
    _, gradient = log_posterior(data, result.theta)
    assert gradient.abs().max() < 0.05
    value = log_posterior(data, result.theta)[0]
    for shift in (-0.5, 0.5):
        assert (log_posterior(data, result.theta + shift)[0] < value).all()


def test_evidence_of_a_prior_alone_is_one() -> None:
    """Without any results the integral is that of the prior."""
    data = problems(n=4, replicates=False)
    nothing = replace(data, y=0 * data.y, r=torch.ones_like(data.r))
    # All of the weight on the noise: results that say next to nothing of the other seven.
    evidence = fit(nothing).log_evidence
    value = log_posterior(nothing, fit(nothing).theta)[0]
    assert torch.isfinite(evidence).all()
    # A Gaussian with the prior's widths has volume (2π)^{8/2} 0.8^8: evidence ≤ value + its log.
    most = value + 4 * math.log(2 * math.pi) + 8 * math.log(0.8)
    assert (evidence <= most + 0.5).all()
