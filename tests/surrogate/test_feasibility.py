import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.feasibility import Feasibility


def test_without_failures_everything_succeeds() -> None:
    X = np.random.default_rng(0).random((10, 2))
    assert (Feasibility(X, np.ones(10, dtype=bool)).probability(X) == 1.0).all()


def test_learns_where_the_jet_breaks() -> None:
    X = np.random.default_rng(0).random((60, 2))
    classifier = Feasibility(X, X[:, 0] > 0.3)
    bad, good = classifier.probability(np.array([[0.05, 0.5], [0.8, 0.5]]))
    assert bad < 0.3
    assert good > 0.8


def test_only_failures_do_not_make_everything_impossible() -> None:
    X = np.random.default_rng(0).random((3, 2))
    probability = Feasibility(X, np.zeros(3, dtype=bool)).probability(X)
    assert (probability > 0).all()
    assert (probability < 0.5).all()


def test_many_runs_are_learnt_from_in_bounded_time() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((3000, 2))
    succeeded = X[:, 0] > 0.02
    bad, good = Feasibility(X, succeeded).probability(np.array([[0.0, 0.5], [0.8, 0.5]]))
    assert bad < good


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**16))
def test_is_a_probability(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.random((n, 2))
    probability = Feasibility(X, rng.random(n) > 0.5).probability(rng.random((5, 2)))
    assert ((probability >= 0) & (probability <= 1)).all()
