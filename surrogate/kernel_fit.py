r"""Hyperparameters of many small Gaussian processes at once, and how well each explains its data.

Notation
--------
=========  =======================================================================  ==============
symbol     meaning                                                                  shape
=========  =======================================================================  ==============
X          distinct conditions in the unit cube                                     (n, d)
y          means of the measurements at X, standardised; 0 where there is none      (B, n)
r          how many measurements each mean is of; 0: none                           (B, n)
S, N       scatter of the measurements about their means: sum of squares, degrees   (B,)
θ          logarithms of the hyperparameters: D lengthscales, ℓ, a₁, a₂, τ², σ²     (B, D + 5)
B          problems: an outcome under one belief about smoothness and noise         —
=========  =======================================================================  ==============

.. math::
    k(x, x') = a_1 M(x, x'; \ell_1 … \ell_D) + a_2 M_{5/2}(x, x'; \ell), \qquad
    \bar y \sim N(c, K + \tau^2 I + \sigma^2 R^{-1}), \quad S \sim \sigma^2 \chi^2_N

M is Matérn-5/2, or the squared exponential in problems that are ``squared``, or the mean of one
for each lengthscale in those that are ``additive``. σ² is the noise of a measurement, which
replicates pin; τ² what a condition differs by from its neighbours for good.
The constant c is integrated out under a flat prior (Rasmussen & Williams 2006, eq. 2.45).
Priors are normal in θ. The maximum is found by L-BFGS for all problems together; the evidence is
Laplace's approximation around it (MacKay 1992), with the Hessian by differences of the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from surrogate.errors import FitError

# Beyond e^±9 no parameter of a standardised problem on the unit cube means anything more.
BOUND = 9.0
_ROOT5 = math.sqrt(5.0)
_JITTER = 1e-8
_ITERATIONS = 100
_BESIDES_LENGTHSCALES = 5
_STEP = 1e-3
"""Of the differences that make the Hessian, in θ."""
_PART = 1 << 17
"""Numbers at a time: 1 MB each of some five arrays."""


@dataclass(frozen=True)
class Columns:
    """How inputs are measured: which columns share a lengthscale, and each one's factor, (d,)."""

    group: tuple[int, ...]
    factor: tuple[float, ...]

    @classmethod
    def of(cls, choices: Sequence[Sequence[int]], d: int) -> Columns:
        """Give each column a lengthscale of its own, and the columns of each choice one together.

        ``choices``: columns that are one-hot together. Two different choices are then at distance
        one, as the ends of a range are.

        >>> Columns.of([(1, 2)], 4)
        Columns(group=(0, 1, 1, 2), factor=(1.0, 0.7071067811865476, 0.7071067811865476, 1.0))
        """
        owner = {column: place for place, columns in enumerate(choices) for column in columns}
        numbers: dict[tuple[str, int], int] = {}
        group = []
        for column in range(d):
            key = ("choice", owner[column]) if column in owner else ("column", column)
            group.append(numbers.setdefault(key, len(numbers)))
        factor = [math.sqrt(0.5) if column in owner else 1.0 for column in range(d)]
        return cls(tuple(group), tuple(factor))

    @property
    def n_lengthscales(self) -> int:
        """D."""
        return max(self.group, default=-1) + 1

    def factor_of(self, place: int) -> float:
        """Return the factor of the columns of lengthscale number ``place``."""
        return self.factor[self.group.index(place)]

    def scaled(self, X: Tensor) -> Tensor:
        """Return X (…, d) with each column times its factor."""
        return X * torch.tensor(self.factor, dtype=X.dtype, device=X.device)


@dataclass(frozen=True)
class Problems:
    """The data of B problems on shared conditions.

    ``X`` (n, d) is scaled so that columns of one ``group`` are measured by one lengthscale;
    ``group`` (d,) numbers the lengthscales 0 … D − 1; ``squared`` (B,) whether the kernel is the
    squared exponential, ``additive`` (B,) whether it is the mean of one for each lengthscale;
    ``y``, ``r`` (B, n); ``scatter``, ``degrees`` (B,); ``location``, ``scale`` (B, D + 5) of the
    priors of θ.
    """

    X: Tensor
    group: Tensor
    squared: Tensor
    additive: Tensor
    y: Tensor
    r: Tensor
    scatter: Tensor
    degrees: Tensor
    location: Tensor
    scale: Tensor

    @property
    def n_lengthscales(self) -> int:
        """D."""
        return self.location.shape[-1] - _BESIDES_LENGTHSCALES

    def of(self, rows: Tensor | Sequence[int]) -> Problems:
        """Return the problems number ``rows``, in this order."""
        own = (field.name for field in fields(self) if field.name not in {"X", "group"})
        return replace(self, **{name: getattr(self, name)[rows] for name in own})


@dataclass(frozen=True)
class Fit:
    """θ (B, P) at the maximum, the log evidence (B,) in nats, and −∂² log p / ∂θ² (B, P, P)."""

    theta: Tensor
    log_evidence: Tensor
    hessian: Tensor


def kernel(problems: Problems, theta: Tensor, A: Tensor, C: Tensor) -> Tensor:
    """Return K (B, a, c) between A (a, d) and C (c, d), or (B, a, d) and (B, c, d)."""
    inverse = torch.exp(-theta[:, : problems.n_lengthscales])[:, problems.group].unsqueeze(-2)
    squares = _squares(A * inverse, C * inverse)
    ard = _matern(squares)
    if bool(problems.squared.any()):
        ard = torch.where(problems.squared[:, None, None], torch.exp(-0.5 * squares), ard)
    if bool(problems.additive.any()):
        rows = problems.additive.nonzero().squeeze(-1)
        ard = ard.index_copy(
            -3, rows, _additive(problems, inverse[rows], _of(A, rows), _of(C, rows))
        )
    isotropic = _matern(_squares(A, C) * torch.exp(-2 * theta[:, -5])[:, None, None])
    amplitude = theta[:, -4:-2].exp()
    return amplitude[:, :1, None] * ard + amplitude[:, 1:, None] * isotropic


def _of(A: Tensor, rows: Tensor) -> Tensor:
    """Return those of a batch of problems, or what all of them share."""
    return A.index_select(-3, rows) if A.ndim > 2 and A.shape[-3] > 1 else A


def _additive(problems: Problems, inverse: Tensor, A: Tensor, C: Tensor) -> Tensor:
    """Return the mean of squared exponentials, each of the inputs of one lengthscale.

    Additive Gaussian processes: Duvenaud, Nickisch & Rasmussen 2011, of first order.
    """
    A, C = A * inverse, C * inverse
    parts = []
    for place in range(problems.n_lengthscales):
        columns = problems.group == place
        parts.append(torch.exp(-0.5 * _squares(A[..., columns], C[..., columns])))
    return torch.stack(parts).mean(dim=0)


def kernel_in_parts(problems: Problems, theta: Tensor, A: Tensor, C: Tensor) -> Tensor:
    """Return :func:`kernel`, made of so few rows at a time that the processor's cache holds them.

    For answers, not for gradients, which would keep every part.
    """
    n_rows = max(1, _PART // (theta.shape[0] * C.shape[-2]))
    return torch.cat([kernel(problems, theta, part, C) for part in A.split(n_rows, dim=-2)], dim=-2)


def prior_variance(theta: Tensor) -> Tensor:
    """Return k(x, x) of each problem, (B,)."""
    return theta[:, -4:-2].exp().sum(dim=-1)


def noise_variance(theta: Tensor) -> Tensor:
    """Return the variance of one measurement about the surface, (B,)."""
    return theta[:, -2:].exp().sum(dim=-1)


def _squares(A: Tensor, C: Tensor) -> Tensor:
    """Return squared distances (…, a, c)."""
    product = A @ C.transpose(-1, -2)
    lengths = (A * A).sum(-1).unsqueeze(-1) + (C * C).sum(-1).unsqueeze(-2)
    return (lengths - 2 * product).clamp_min(0.0)


def _matern(squares: Tensor) -> Tensor:
    # The root has no gradient at zero, the Matérn-5/2 has: it is flat there.
    root = _ROOT5 * (squares + 1e-20).sqrt()
    return (1 + root + root * root / 3) * torch.exp(-root)


def factors(problems: Problems, theta: Tensor, K: Tensor) -> Tensor:
    """Return the Cholesky factors (B, n, n) of K + τ² + σ²/r; rows without a measurement alone."""
    measured = (problems.r > 0).to(K)
    noise = theta[:, -2:-1].exp() + theta[:, -1:].exp() / problems.r.clamp_min(1)
    covariance = K * measured[:, :, None] * measured[:, None, :]
    diagonal = torch.where(problems.r > 0, noise + _JITTER * prior_variance(theta)[:, None], 1.0)
    covariance = covariance + torch.diag_embed(diagonal)
    factor, failed = torch.linalg.cholesky_ex(covariance)
    attempt = 0
    while bool(failed.any()):
        attempt += 1
        if attempt > 5:
            raise FitError("the covariance of the results cannot be factorised")
        jitter = 10.0**attempt * _JITTER * prior_variance(theta)[:, None].expand_as(diagonal)
        factor, failed = torch.linalg.cholesky_ex(covariance + torch.diag_embed(jitter))
    return factor


def log_posterior(problems: Problems, theta: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p(data, θ) of each problem (B,), and its gradient (B, D + 5)."""
    theta = theta.detach().requires_grad_()
    K = kernel(problems, theta, problems.X, problems.X)
    with torch.no_grad():
        measured = (problems.r > 0).to(K)
        factor = factors(problems, theta, K)
        inverse = torch.cholesky_inverse(factor)
        ones = inverse @ measured.unsqueeze(-1)
        precision = (ones.squeeze(-1) * measured).sum(-1)
        solved = (inverse @ problems.y.unsqueeze(-1)).squeeze(-1)
        constant = (solved * measured).sum(-1) / precision
        alpha = solved - constant[:, None] * ones.squeeze(-1)
        quadratic = (alpha * problems.y).sum(-1)
        log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        count = measured.sum(-1) - 1 + problems.degrees
        noise = theta[:, -1]
        value = -0.5 * (
            quadratic
            + log_det
            + precision.log()
            + problems.degrees * noise
            + problems.scatter * torch.exp(-noise)
            + count * math.log(2 * math.pi)
        )
        # d log p / dK: ½ (α αᵀ − P), P the projection that c leaves.
        projected = inverse - ones @ ones.transpose(-1, -2) / precision[:, None, None]
        slope = 0.5 * (alpha.unsqueeze(-1) * alpha.unsqueeze(-2) - projected)
        slope = slope * measured[:, :, None] * measured[:, None, :]
        diagonal = slope.diagonal(dim1=-2, dim2=-1) * measured
        of_nugget = (diagonal * theta[:, -2:-1].exp()).sum(-1)
        of_noise = (diagonal * theta[:, -1:].exp() / problems.r.clamp_min(1)).sum(-1)
        of_noise = of_noise - 0.5 * (problems.degrees - problems.scatter * torch.exp(-noise))
    (gradient,) = torch.autograd.grad((K * slope).sum(), theta)
    gradient = gradient.clone()
    gradient[:, -2] += of_nugget
    gradient[:, -1] += of_noise
    with torch.no_grad():
        distance = (theta - problems.location) / problems.scale
        value = value - 0.5 * (distance**2).sum(-1) - problems.scale.log().sum(-1)
        value = value - 0.5 * theta.shape[-1] * math.log(2 * math.pi)
        gradient = gradient - distance / problems.scale
    return value, gradient


def fit(problems: Problems) -> Fit:
    """Find the maximum of each problem's posterior, and its Laplace evidence.

    Raises:
        FitError: a covariance that cannot be factorised.
    """
    theta = maximise(problems)
    hessian = curvature(problems, theta)
    return Fit(theta, laplace_evidence(problems, theta, hessian), hessian)


def maximise(problems: Problems, *, start: Tensor | None = None) -> Tensor:
    """Return θ (B, D + 5) at the maximum of each posterior.

    ``start``: where to begin; the priors' locations by default.

    Raises:
        FitError: a covariance that cannot be factorised.
    """
    begin = problems.location if start is None else start
    shape = begin.shape

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = log_posterior(problems, torch.from_numpy(flat).reshape(shape).to(begin))
        return -float(value.sum()), -gradient.reshape(-1).cpu().numpy()

    result = minimize(
        objective,
        begin.reshape(-1).cpu().numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-BOUND, BOUND)] * begin.numel(),
        options={"maxiter": _ITERATIONS, "ftol": 1e-7, "gtol": 2e-3},
    )
    return torch.from_numpy(result.x).reshape(shape).to(begin)


def curvature(problems: Problems, theta: Tensor) -> Tensor:
    """Return −∂² log p(data, θ) / ∂θ² of each problem (B, P, P), by differences of the gradient."""
    columns = []
    for place in range(theta.shape[-1]):
        step = torch.zeros_like(theta[0])
        step[place] = _STEP
        _, upper = log_posterior(problems, theta + step)
        _, lower = log_posterior(problems, theta - step)
        columns.append((lower - upper) / (2 * _STEP))
    hessian = torch.stack(columns, dim=-1)
    return 0.5 * (hessian + hessian.transpose(-1, -2))


def laplace_evidence(problems: Problems, theta: Tensor, hessian: Tensor) -> Tensor:
    """Return log ∫ p(data, θ) dθ of each problem (B,), the posterior of θ taken for a Gaussian.

    ``hessian`` (B, P, P): as :func:`curvature` returns it at ``theta``.
    """
    value, _ = log_posterior(problems, theta)
    # A direction that the data leave flat is held by its prior at the least.
    eigenvalues = torch.linalg.eigvalsh(hessian).clamp_min(1e-2)
    return (
        value + 0.5 * theta.shape[-1] * math.log(2 * math.pi) - 0.5 * eigenvalues.log().sum(dim=-1)
    )
