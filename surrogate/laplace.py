r"""A Gaussian process that tells two classes apart, by Laplace's approximation.

Notation
--------
====  ==========================================================================  =========
y     which class: +1 or −1                                                       (n,)
f     the latent function at the data; K its prior covariance                     (n,), (n, n)
K     c · exp(−r² / 2ℓ²), r the distance of two rows
π     σ(f), the probability of +1;  W = π (1 − π)                                 (n,)
B     1 + √W K √W, whose eigenvalues are 1 at least: safe to factorise            (n, n)
====  ==========================================================================  =========

Rasmussen & Williams, Gaussian Processes for Machine Learning (2006): the mode by Newton's method
(section 3.4), the evidence of c and ℓ and its gradient (5.5.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import minimize
from scipy.special import expit, log_expit

Array = NDArray[np.float64]

MOST_NEWTON, ENOUGH = 100, 1e-10
# Nodes of Gauss and Hermite for the mean of σ(f) over f's normal law.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True)
class Classifier:
    """The classifier fitted to ``X`` (n, d), with c (``scale``) and ℓ (``length``).

    ``slope``: ∇ ln p(y | f) at the mode, (n,); ``root``: √W, (n,); ``factor``: of B, lower, (n, n).
    """

    X: Array
    scale: float
    length: float
    slope: Array
    root: Array
    factor: Array

    @classmethod
    def fit(
        cls,
        X: Array,
        is_positive: NDArray[np.bool_],
        *,
        start: tuple[float, float],
        bounds: tuple[tuple[float, float], tuple[float, float]],
    ) -> Self:
        """Fit c and ℓ by the evidence, from ``start`` and inside ``bounds``, both as (c, ℓ)."""
        y = np.where(is_positive, 1.0, -1.0)
        squares = _squares(X, X)
        mode = np.zeros(len(X))

        def loss(theta: Array) -> tuple[float, Array]:
            nonlocal mode
            # From the last mode on: the next one is near.
            fit = _mode(*_covariance(squares, theta), y, mode)
            mode = fit.f
            return fit.loss, fit.gradient

        fitted = minimize(
            loss,
            np.log(start),
            jac=True,
            method="L-BFGS-B",
            bounds=[tuple(np.log(pair)) for pair in bounds],
        )
        fit = _mode(*_covariance(squares, fitted.x), y, mode)
        scale, length = np.exp(fitted.x).tolist()
        return cls(X, scale, length, fit.slope, fit.root, fit.factor)

    def probability(self, X: Array) -> Array:
        """Return the probability of the positive class, (m,), at (m, d)."""
        cross = self.scale * np.exp(-0.5 * _squares(self.X, X) / self.length**2)
        mean = self.slope @ cross
        explained = solve_triangular(self.factor, self.root[:, None] * cross, lower=True)
        deviation = np.sqrt(np.maximum(self.scale - (explained**2).sum(axis=0), 0.0))
        p: Array = expit(mean[:, None] + deviation[:, None] * NODES) @ WEIGHTS
        return p


@dataclass(frozen=True)
class _Mode:
    f: Array
    slope: Array
    root: Array
    factor: Array
    loss: float
    gradient: Array


def _mode(K: Array, derivatives: tuple[Array, Array], y: Array, start: Array) -> _Mode:
    """Return the mode, −ln of the evidence and its gradient in (ln c, ln ℓ)."""
    # scikit-learn's classifier is the same; loading it takes ten times as long as the fit.
    f, objective = start, -math.inf
    for _ in range(MOST_NEWTON):
        p = expit(f)
        slope = (y + 1.0) / 2.0 - p
        W = p * (1.0 - p)
        root = np.sqrt(W)
        factor = _factor(K, root)
        b = W * f + slope
        a = b - root * cho_solve((factor, True), root * (K @ b))
        f = K @ a
        value = float(-0.5 * a @ f + log_expit(y * f).sum())
        if abs(value - objective) < ENOUGH * max(1.0, abs(value)):
            break
        objective = value
    p = expit(f)
    slope = (y + 1.0) / 2.0 - p
    root = np.sqrt(p * (1.0 - p))
    factor = _factor(K, root)
    evidence = float(-0.5 * slope @ f + log_expit(y * f).sum() - np.log(np.diag(factor)).sum())
    # R = √W B⁻¹ √W; the diagonal of the posterior covariance follows from it.
    R = root[:, None] * cho_solve((factor, True), np.diag(root))
    C = solve_triangular(factor, root[:, None] * K, lower=True)
    spread = np.diag(K) - (C**2).sum(axis=0)
    # The mode moves with the hyperparameters: through the third derivative of ln σ.
    moved = 0.5 * spread * p * (1.0 - p) * (2.0 * p - 1.0)
    gradient = []
    for dK in derivatives:
        explicit = 0.5 * slope @ dK @ slope - 0.5 * float((R * dK).sum())
        b = dK @ slope
        gradient.append(explicit + moved @ (b - K @ (R @ b)))
    return _Mode(f, slope, root, factor, -evidence, -np.array(gradient))


def _factor(K: Array, root: Array) -> Array:
    """Return the lower factor of B."""
    return np.linalg.cholesky(np.eye(len(root)) + root[:, None] * K * root).astype(np.float64)


def _covariance(squares: Array, theta: Array) -> tuple[Array, tuple[Array, Array]]:
    """Return K and its derivatives by ln c and ln ℓ."""
    scaled = squares / math.exp(2.0 * theta[1])
    K = math.exp(theta[0]) * np.exp(-0.5 * scaled)
    return K, (K, K * scaled)


def _squares(A: Array, B: Array) -> Array:
    """Return squared distances of rows, (n, m)."""
    squares = (A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1) - 2.0 * A @ B.T
    return np.maximum(squares, 0.0)
