"""Which labs the results speak for."""

from __future__ import annotations

import pytest
import torch
from toy_labs import M, campaign, toy

from surrogate.labs.population import everywhere, localised, weights

UNIT = 0.5


def _scaled(Y: torch.Tensor) -> torch.Tensor:
    return (Y - Y.nanmean(dim=0)) / UNIT


def test_labs_close_to_the_results_lie_around_the_true_one() -> None:
    population = toy(4000)
    X, Y, z = campaign(30, seed=2)
    near = localised(population, population.basis(X), _scaled(Y), effective=50.0)
    before = everywhere(population)
    assert (near.mean - z).norm() < 0.6 * (before.mean - z).norm()
    assert torch.logdet(near.root @ near.root.T) < torch.logdet(before.root @ before.root.T)
    assert near.effective >= 50.0 - 1e-6


@pytest.mark.parametrize("effective", [20.0, 200.0])
def test_the_effective_number_of_labs_does_not_fall_below_its_bound(effective: float) -> None:
    population = toy()
    X, Y, _ = campaign(40)
    w = weights(population, population.basis(X), _scaled(Y), effective=effective)
    assert float(w.sum()) == pytest.approx(1.0)
    assert 1 / float(w.square().sum()) == pytest.approx(effective, rel=0.02)


def test_levels_tell_nothing_and_missing_outcomes_are_left_out() -> None:
    population = toy()
    X, Y, _ = campaign(20)
    H, y = population.basis(X), _scaled(Y)
    shift = torch.arange(M, dtype=torch.double)
    one = weights(population, H, y, effective=50.0)
    assert torch.allclose(one, weights(population, H, y + shift, effective=50.0))
    holed = y.clone()
    holed[3:, 0] = torch.nan
    fewer = weights(population, H, holed, effective=50.0)
    assert torch.isfinite(fewer).all()
    assert not torch.allclose(one, fewer)


def test_draws_are_labs_of_the_population_about_their_mean() -> None:
    population = toy()
    X, _, _ = campaign(9)
    draws = population.draws(X, 5, seed=1)
    assert draws.shape == (5, 9, M)
    assert torch.allclose(draws.mean(dim=1), torch.zeros(5, M, dtype=torch.double), atol=1e-12)
    assert torch.equal(draws, population.draws(X, 5, seed=1))
