"""Expected improvement given draws of the runs: against brute force, and where all is hopeless."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.propose.covariances import Matrices
from engine.propose.expected_improvement import Points, pick_by_expectation
from engine.propose.improvement import Staircases

N_RUNS = 5


def points(k: int, n: int = 25, seed: int = 0) -> Points:
    """Return ``k`` objectives at ``n`` points on a line, with a smooth covariance."""
    x = np.sort(np.random.default_rng(seed).random(n))
    covariance = 0.3 * np.exp(-0.5 * ((x[:, None] - x) / 0.15) ** 2)
    mean = np.stack([np.sin(5 * x), np.cos(4 * x)][:k]) + 0.5
    return Points(mean, Matrices(np.stack([covariance + 0.02 * np.eye(n)] * k)), N_RUNS)


def matrices(given: Points) -> NDArray[np.float64]:
    """Return the covariances (k, p, p) as a whole."""
    k, p = given.mean.shape
    return np.stack([given.covariances.columns(j, range(p)) for j in range(k)])


def pick(given: Points, n: int, n_draws: int = 256) -> tuple[list[int], NDArray[np.float64]]:
    c = given.mean.shape[1] - given.n_runs
    choice = pick_by_expectation(
        given,
        n,
        n_draws=n_draws,
        seed=1,
        bonus=np.zeros(c),
        allowed=lambda picks: np.ones(c, dtype=bool),
    )
    return choice.picks, choice.first_values


def test_two_objectives_are_the_mean_over_joint_draws() -> None:
    given = points(2)
    _, values = pick(given, 1, n_draws=1024)
    rng = np.random.default_rng(0)
    draws = np.stack(
        [
            rng.multivariate_normal(mean, covariance, size=20_000)
            for mean, covariance in zip(given.mean, matrices(given), strict=True)
        ],
        axis=-1,
    )
    fronts = Staircases.from_points(draws[:, :N_RUNS])
    expected = fronts.improvement(draws[:, N_RUNS:]).mean(axis=0)
    np.testing.assert_allclose(np.exp(values), expected, rtol=0.1, atol=3e-3)


@pytest.mark.parametrize("k", [1, 2])
def test_the_second_pick_is_not_beside_the_first(k: int) -> None:
    given = points(k, n=60)
    picks, values = pick(given, 4)
    assert len(set(picks)) == 4
    # Alone, the best two are neighbours; together, the second tells more elsewhere.
    first, second = np.argsort(-values)[:2]
    assert abs(first - second) == 1
    assert abs(picks[0] - picks[1]) > 1


@pytest.mark.parametrize("k", [1, 2])
def test_hopeless_candidates_are_still_told_apart(k: int) -> None:
    given = points(k)
    mean = given.mean.copy()
    mean[:, N_RUNS:] = -40.0 + 0.1 * np.arange(20)
    _, values = pick(Points(mean, Matrices(matrices(given) * 1e-4), N_RUNS), 1)
    assert np.isfinite(values).all()
    assert (np.diff(values) > 0).all()


def test_of_two_equally_uncertain_the_higher_mean_is_worth_more() -> None:
    covariance = np.diag([0.1, 1.0, 1.0, 0.2])
    mean = np.array([[0.0, -1.0, -0.5, -0.5]])
    _, values = pick(Points(mean, Matrices(covariance[None]), 1), 1)
    assert values[1] > values[0]
    assert values[1] > values[2]  # the same mean, less to be hoped for


def test_same_seed_same_picks() -> None:
    first, second = pick(points(2), 3), pick(points(2), 3)
    assert first[0] == second[0]
    np.testing.assert_array_equal(first[1], second[1])
