"""Laplace's approximation: scikit-learn's classifier is the yardstick."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from surrogate.laplace import Classifier, _covariance, _mode, _squares

START, BOUNDS = (4.0, 0.7), ((0.3, 50.0), (0.15, 5.0))


def runs(n: int, d: int, seed: int = 0, share: float = 0.3):
    rng = np.random.default_rng(seed)
    X = rng.random((n, d))
    return X, X[:, 0] + 0.15 * rng.standard_normal(n) > share, rng.random((200, d))


@pytest.mark.parametrize(("n", "d", "share"), [(20, 2, 0.3), (90, 3, 0.2), (150, 6, 0.1)])
def test_fits_and_predicts_as_scikit_learn(n: int, d: int, share: float) -> None:
    X, good, new = runs(n, d, share=share)
    ours = Classifier.fit(X, good, start=START, bounds=BOUNDS)
    kernel = ConstantKernel(START[0], BOUNDS[0]) * RBF(START[1], BOUNDS[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hyperparameter at its bound
        theirs = GaussianProcessClassifier(kernel).fit(X, good)
    assert np.log([ours.scale, ours.length]) == pytest.approx(theirs.kernel_.theta, abs=1e-3)
    # Theirs takes the mean of the sigmoid by five error functions, ours by quadrature.
    assert np.abs(ours.probability(new) - theirs.predict_proba(new)[:, 1]).max() < 5e-3


def test_the_gradient_is_that_of_the_evidence() -> None:
    X, good, _ = runs(60, 3)
    y, squares, theta = np.where(good, 1.0, -1.0), _squares(X, X), np.log([3.0, 0.5])

    def loss(at):
        return _mode(*_covariance(squares, at), y, np.zeros(len(y))).loss

    steps = 1e-5 * np.eye(2)
    numeric = [(loss(theta + step) - loss(theta - step)) / 2e-5 for step in steps]
    found = _mode(*_covariance(squares, theta), y, np.zeros(len(y)))
    assert found.gradient == pytest.approx(numeric, rel=1e-5)


def test_the_same_setting_with_both_ends() -> None:
    X = np.repeat([[0.2, 0.2], [0.8, 0.8]], 6, axis=0)
    good = np.array([True, False] * 3 + [True] * 6)
    fitted = Classifier.fit(X, good, start=START, bounds=BOUNDS)
    half, sure = fitted.probability(np.array([[0.2, 0.2], [0.8, 0.8]]))
    assert half == pytest.approx(0.5, abs=0.1)
    assert sure > 0.75
