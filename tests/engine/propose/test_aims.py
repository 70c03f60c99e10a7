"""Gains of targets: formulas against brute force, where they are tiny, and over rooms."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from engine.propose.aims import Aims, Folded, Straight, draw_judged
from engine.propose.covariances import Matrices
from engine.propose.expected_improvement import Points, pick_by_expectation
from engine.propose.improvement import Staircases
from engine.propose.work_space import WorkSpace


def by_integral(law: Folded, mean: float, deviation: float, least: float) -> float:
    """E[(gain − least)₊] by numerical integration over the triangle."""
    reach = -(least + law.reference) * law.tolerance
    if reach <= 0:
        return 0.0
    corners = np.array([law.target - reach, law.target, law.target + reach])
    if law.is_log:
        corners = np.log(np.maximum(corners, 1e-300))
    corners = np.clip(corners, mean - 30 * deviation, mean + 30 * deviation)

    def payoff(x: float) -> float:
        gain = float(law.gains(np.array(x))) - least
        return max(gain, 0.0) * norm.pdf(x, mean, deviation)

    parts = [quad(payoff, a, b, limit=200, epsabs=0)[0] for a, b in itertools.pairwise(corners)]
    return sum(parts)


@pytest.mark.parametrize("is_log", [False, True])
@settings(max_examples=60, deadline=None)
@given(
    place=st.floats(-3, 3),
    deviation=st.floats(0.02, 2.0),
    tolerance=st.floats(0.05, 0.9),
    least=st.floats(0.0, 1.2),
)
def test_the_excess_is_the_integral(is_log, place, deviation, tolerance, least) -> None:
    law = Folded(target=2.0, tolerance=tolerance, is_log=is_log, reference=-1.0)
    centre = np.log(2.0) if is_log else 2.0
    mean = centre + place * deviation
    value = law.excess(np.array(mean), np.array(deviation), np.array(least))
    expected = by_integral(law, mean, deviation, least)
    assert value == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("deviation", [0.01, 0.3, 2.0])
@pytest.mark.parametrize("place", [-4.0, 0.0, 4.0])
def test_the_expected_gain_is_not_that_of_the_mean(is_log, deviation, place) -> None:
    law = Folded(target=2.0, tolerance=0.5, is_log=is_log)
    mean = (np.log(2.0) if is_log else 2.0) + place * deviation
    nodes = norm.ppf((np.arange(400_000) + 0.5) / 400_000)
    gains = law.gains(mean + deviation * nodes)
    value = law.expected(np.array([mean]), np.array([deviation**2]))
    assert value == pytest.approx(gains.mean(), rel=2e-3)
    assert value < law.gains(np.array(mean)) + 1e-9 or is_log


@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e15])
def test_the_unit_does_not_matter(scale: float) -> None:
    one, other = (Folded(2.0 * s, 0.5 * s, is_log=False, reference=-1.0) for s in (1.0, scale))
    means = np.linspace(0, 4, 9)
    np.testing.assert_allclose(
        other.excess(means * scale, np.array(0.3 * scale), np.array(0.2)),
        one.excess(means, np.array(0.3), np.array(0.2)),
        rtol=1e-9,
    )


def test_a_straight_gain_is_as_before() -> None:
    values = np.array([-1.0, 2.0])
    assert Straight().gains(values) is values


def points(k: int, laws, n: int = 25) -> Points:
    x = np.sort(np.random.default_rng(0).random(n))
    covariance = 0.3 * np.exp(-0.5 * ((x[:, None] - x) / 0.15) ** 2) + 0.02 * np.eye(n)
    mean = np.stack([np.sin(5 * x), np.cos(4 * x)][:k]) + 0.5
    return Points(mean, Matrices(np.stack([covariance] * k)), 5, laws)


TARGET = Folded(0.6, 0.4, is_log=False, reference=-1.5)


@pytest.mark.parametrize("laws", [(TARGET, Straight()), (Straight(), TARGET), (TARGET, TARGET)])
def test_two_objectives_against_joint_draws(laws) -> None:
    """The formula is the mean hypervolume improvement over joint draws of everything."""
    given_points = points(2, laws)
    matrices = [
        given_points.covariances.columns(j, range(given_points.mean.shape[1]))
        for j in range(len(laws))
    ]
    choice = pick_by_expectation(
        given_points,
        1,
        n_draws=2048,
        seed=1,
        bonus=np.zeros(20),
        allowed=lambda picks: np.ones(20, dtype=bool),
    )
    rng = np.random.default_rng(5)
    draws = np.stack(
        [
            law.gains(rng.multivariate_normal(m, c, size=40_000))
            for law, m, c in zip(laws, given_points.mean, matrices, strict=True)
        ],
        axis=-1,
    )
    gains = np.concatenate(
        [
            Staircases.from_points(part[:, :5]).improvement(part[:, 5:])
            for part in np.array_split(draws, 20)
        ]
    ).mean(axis=0)
    assert np.exp(choice.first_values) == pytest.approx(gains, rel=0.1, abs=2e-3)


def test_one_target_prefers_what_may_hit() -> None:
    """A sure miss loses to what may hit, and a sure hit to nothing."""
    law = Folded(1.0, 0.1, is_log=False, reference=-1.0)
    mean = np.array([[0.5, 0.7, 1.0, 1.0]])
    covariance = np.diag([1e-8, 1e-8, 1e-8, 0.5])[None]
    choice = pick_by_expectation(
        Points(mean, Matrices(covariance), 1, (law,)),
        1,
        n_draws=512,
        seed=0,
        bonus=np.zeros(3),
        allowed=lambda picks: np.ones(3, dtype=bool),
    )
    values = choice.first_values
    assert choice.picks == [1]
    assert values[1] > values[0]
    assert values[1] > values[2]


def test_a_target_is_missed_in_every_room_that_misses_it(toy_with, monkeypatch) -> None:
    """200 in one room and 400 in the other are 300 on average, and never 300."""
    campaign = toy_with(
        objectives=[{"outcome": "stretch", "goal": "target", "target": 300, "tolerance": 20}]
    )
    aims = Aims(WorkSpace(campaign), ("stretch",))
    rows = torch.tensor([[[200.0], [400.0], [290.0], [300.0]]], dtype=torch.double)
    monkeypatch.setattr("engine.propose.aims.draw_joint", lambda *_, **__: rows)
    owner = torch.tensor([0, 0, 1, 1])
    mean = draw_judged(None, None, owner, aims, n_draws=1, seed=0)
    assert mean[0, :, 0].tolist() == [-5.0, -0.25]
    worst = draw_judged(None, None, owner, aims, n_draws=1, seed=0, is_worst=True)
    assert worst[0, :, 0].tolist() == [-5.0, -0.5]


def test_the_worst_room_breaks_a_limit_on_either_side(toy_with, monkeypatch) -> None:
    campaign = toy_with(
        objectives=[{"outcome": "stretch", "goal": "target", "target": 300, "tolerance": 20}],
        constraints=["stretch >= 250", "stretch <= 350"],
    )
    aims = Aims(WorkSpace(campaign), ("stretch",))
    rows = torch.tensor([[[200.0], [400.0]]], dtype=torch.double)
    monkeypatch.setattr("engine.propose.aims.draw_joint", lambda *_, **__: rows)
    worst = draw_judged(None, None, torch.tensor([0, 0]), aims, n_draws=1, seed=0, is_worst=True)
    assert worst[0, 0].tolist() == [-5.0, 50.0, 50.0]
