"""Exact improvement: the hypervolume's own difference, and BoTorch's picks on the same draws."""

import moocore
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from engine.propose.acquisition import Goal, build_acquisition
from engine.propose.batch import pick_greedily
from engine.propose.improvement import (
    NO_GAIN,
    Staircases,
    log_expected,
    log_expected_by_directions,
    pick_by_directions,
    pick_exactly,
)


def volume(points: np.ndarray) -> float:
    """The hypervolume of (p, k) points beyond 0, all maximised."""
    return float(moocore.hypervolume(-np.maximum(points, 0.0), ref=np.zeros(points.shape[1])))


def gains(front: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    return np.array([volume(np.vstack([front, row])) - volume(front) for row in candidates])


def anywhere(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Values on both sides of the reference, many of them equal."""
    return np.round(rng.normal(0.4, 0.8, shape), int(rng.integers(1, 4)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 12), st.integers(1, 5))
def test_the_improvement_is_the_difference_of_hypervolumes(seed: int, b: int, s: int) -> None:
    rng = np.random.default_rng(seed)
    baseline, candidates = anywhere(rng, s, b, 2), anywhere(rng, s, 7, 2)
    found = Staircases.from_points(baseline).improvement(candidates)
    for draw in range(s):
        front = np.vstack([np.zeros((1, 2)), baseline[draw]])
        np.testing.assert_allclose(found[draw], gains(front, candidates[draw]), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 8))
def test_a_front_with_one_more_point_is_the_front_of_all(seed: int, b: int) -> None:
    rng = np.random.default_rng(seed)
    baseline, more = anywhere(rng, 3, b, 2), anywhere(rng, 3, 2)
    candidates = anywhere(rng, 3, 9, 2)
    np.testing.assert_allclose(
        Staircases.from_points(baseline).with_point(more).improvement(candidates),
        Staircases.from_points(np.concatenate([baseline, more[:, None]], axis=1)).improvement(
            candidates
        ),
        atol=1e-12,
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(10, 90))
def test_a_batch_is_that_of_plain_greedy(seed: int, n: int, c: int) -> None:
    rng = np.random.default_rng(seed)
    draws, baseline = rng.normal(0.5, 0.6, (4, c, 2)), rng.normal(0.2, 0.4, (4, 5, 2))
    p_success = rng.uniform(0.3, 1.0, c)
    choice = pick_exactly(
        draws, baseline, n, bonus=np.log(p_success), allowed=lambda _: np.ones(c, dtype=bool)
    )
    fronts = [np.vstack([np.zeros((1, 2)), front]) for front in baseline]
    for pick, value in zip(choice.picks, choice.values, strict=True):
        expected = p_success * np.mean(
            [gains(f, d) for f, d in zip(fronts, draws, strict=True)], axis=0
        )
        if value > NO_GAIN:
            assert np.exp(value) == pytest.approx(expected[pick], rel=1e-9)
            assert expected[pick] >= expected.max() * (1 - 1e-9)
        fronts = [np.vstack([f, d[pick]]) for f, d in zip(fronts, draws, strict=True)]
    assert len(set(choice.picks)) == min(n, c)


@pytest.mark.parametrize("seed", range(3))
def test_picks_what_botorch_picks_on_the_same_draws(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(32, 70, 2, generator=generator, dtype=torch.double) * 0.4
    draws += torch.rand(70, 2, generator=generator, dtype=torch.double)
    reference = torch.tensor([-0.2, 0.1], dtype=torch.double)
    anything = {"bonus": np.zeros(50), "allowed": lambda _: np.ones(50, dtype=bool)}
    theirs = pick_greedily(
        build_acquisition(draws, torch.arange(20), Goal(reference)),
        torch.arange(20, 70, dtype=torch.double),
        torch.empty(0, dtype=torch.double),
        5,
        **anything,
    )
    beyond = (draws - reference).numpy()
    ours = pick_exactly(beyond[:, 20:], beyond[:, :20], 5, **anything)
    assert ours.picks == theirs.picks
    np.testing.assert_allclose(ours.values, theirs.values, atol=0.05)


def test_where_nothing_improves_the_nearest_to_it_leads() -> None:
    front = Staircases.from_points(np.array([[[1.0, 3.0], [3.0, 1.0]]]))
    candidates = np.array([[[0.5, 0.5], [0.9, 2.9], [0.9, 1.5]]])
    assert front.improvement(candidates).max() == 0.0
    values = log_expected(front, candidates, np.ones(2))
    assert (values <= NO_GAIN).all()
    assert np.argsort(-values).tolist() == [1, 2, 0]


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_directions_order_candidates_as_hypervolumes_do(k: int) -> None:
    rng = np.random.default_rng(k)
    front, candidates = rng.uniform(0, 1, (6, k)), rng.uniform(0, 1.4, (80, k))
    exact = gains(front, candidates)
    estimate = log_expected_by_directions(front, candidates[None], seed=0)
    better = exact > 0.02 * exact.max()
    assert spearmanr(exact[better], estimate[better]).statistic > (0.99 if k == 1 else 0.75)
    assert estimate[np.argmax(exact)] > np.median(estimate)


@pytest.mark.parametrize("k", [2, 4])
def test_a_batch_by_directions_is_nearly_as_good_as_the_exact_one(k: int) -> None:
    rng = np.random.default_rng(k)
    where = rng.uniform(0.2, 1.0, (60, k))
    draws = where + 0.2 * rng.normal(size=(32, 60, k))
    baseline = 0.4 + 0.1 * rng.normal(size=(32, 5, k))
    anything = {"bonus": np.zeros(60), "allowed": lambda _: np.ones(60, dtype=bool)}

    def won(picks: list[int]) -> float:
        return float(
            np.mean(
                [
                    volume(np.vstack([b, d[picks]])) - volume(b)
                    for b, d in zip(baseline, draws, strict=True)
                ]
            )
        )

    choice = pick_by_directions(draws, baseline, 5, seed=0, **anything)
    best: list[int] = []
    for _ in range(5):
        best.append(max(set(range(60)) - set(best), key=lambda i: won([*best, i])))
    assert len(set(choice.picks)) == 5
    assert (np.diff(choice.values) <= 1e-12).all()
    assert won(choice.picks) > 0.93 * won(best)
    luck = np.mean([won(list(rng.permutation(60)[:5])) for _ in range(20)])
    assert won(choice.picks) > 1.2 * luck
