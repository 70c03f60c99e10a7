r"""The few numbers that are fitted, with their priors: maximum a posteriori in their logarithms.

Notation
--------
======  =================================================================  ========
a       how much of the labs' responses is believed                        scalar
d_o     spread of the discrepancy, in units of s                           (m,)
τ_o     a specimen's noise, as a multiple of the simulated labs'           (m,)
ω       share of the ARD kernel beside the isotropic one                   scalar
ℓ       lengthscales of both                                               (d + 1,)
======  =================================================================  ========

.. math:: k = \omega\, M_{5/2}(\ell_1 … \ell_d) + (1 - \omega)\, M_{5/2}(\ell_0), \quad
          B_{op} = d_o d_p R_{op}, \quad N_{op} = \tau_o \tau_p N^\mathrm{labs}_{op}

R is the correlation of the outcomes among the labs, mixed with the identity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from surrogate.errors import FitError
from surrogate.labs.algebra import Parts, factorised

_BOUND = 6.0
"""Logarithms stay within ± this of their priors' centres: beyond, nothing changes any more."""


@dataclass(frozen=True)
class Beliefs:
    """Priors: (location, scale) of normals on logarithms; the logit of ω is N(0, 1).

    ``amplitude``: of a; ``misfit``: of the discrepancy's common spread beside the labs,
    ``alone``: where it stands alone; ``misfit_free``, ``noise_free``: of each outcome's own
    deviation; ``coupling``: share of R that is not the identity; ``mean_free``: standard deviation
    of μ's own weight; ``level``: of each outcome's constant, in units of s.
    """

    amplitude: tuple[float, float] = (0.0, 0.4)
    misfit: tuple[float, float] = (-1.0, 0.7)
    alone: tuple[float, float] = (-0.3, 0.5)
    misfit_free: float = 0.5
    # Twice as wide as simulated labs need: measured tables scatter more than they do.
    noise: tuple[float, float] = (0.0, 0.5)
    noise_free: float = 0.5
    lengthscale: tuple[float, float] = (0.5, 0.7)
    coupling: float = 0.7
    mean_free: float = 0.3
    level: float = 10.0
    max_iterations: int = 40


@dataclass(frozen=True)
class Setting:
    """What does not change while hyperparameters are fitted.

    Attributes:
        X: (n, d) conditions.
        Y: (n, m) results in units of s about their means, NaN where not measured.
        F: (n, m, J) linear features: levels, the labs' Φ (whitened), their μ, other sources.
        kind: (J,) 0 level, 1 the labs' Φ, 2 their μ, 3 another source.
        fixed: (J,) prior standard deviations of their weights, before ``a``.
        labs_mean: (n, m) what the labs expect on average, zero without labs.
        sources_mean: (n, m) what other sources expect.
        R, N: (m, m) correlation of outcomes, covariance of noise.
    """

    X: Tensor
    Y: Tensor
    F: Tensor
    kind: Tensor
    fixed: Tensor
    labs_mean: Tensor
    sources_mean: Tensor
    R: Tensor
    N: Tensor
    has_labs: bool


class Hyperparameters:
    """A point of the fit: one vector of logarithms, read by name."""

    def __init__(self, x: Tensor, m: int, d: int) -> None:
        self.x = x
        self.amplitude = x[0].exp()
        self.misfit = (x[1] + x[2 : 2 + m]).exp()
        self.lengthscales = x[2 + m : 2 + m + d].exp()
        self.isotropic = x[2 + m + d].exp()
        self.share = torch.sigmoid(x[3 + m + d])
        self.noise = (x[4 + m + d] + x[5 + m + d : 5 + 2 * m + d]).exp()

    def kernel(self, A: Tensor, B: Tensor) -> Tensor:
        """Return k between A (..., p, d) and B (..., q, d); differentiable."""
        ard = _matern(_distance(A / self.lengthscales, B / self.lengthscales))
        isotropic = _matern(_distance(A / self.isotropic, B / self.isotropic))
        return self.share * ard + (1 - self.share) * isotropic

    def coupling(self, R: Tensor) -> Tensor:
        """Return how the discrepancies of the outcomes go together, (m, m)."""
        return torch.outer(self.misfit, self.misfit) * R

    def noises(self, labs: Tensor) -> Tensor:
        """Return how the outcomes' noises go together, (m, m)."""
        return torch.outer(self.noise, self.noise) * labs

    def v(self, kind: Tensor, fixed: Tensor) -> Tensor:
        """Return the prior variances of the features' weights, (J,)."""
        of_labs = (kind == 1) | (kind == 2)
        scale = torch.where(of_labs, self.amplitude, torch.ones_like(self.amplitude))
        return (scale * fixed).square()

    def mean(self, setting: Setting) -> Tensor:
        """Return the prior mean at the rows, (n, m)."""
        return self.amplitude * setting.labs_mean + setting.sources_mean

    def parts(self, setting: Setting) -> Parts:
        """Return what Σ consists of."""
        return Parts(
            self.kernel(setting.X, setting.X) + _JITTER * torch.eye(len(setting.X)).to(setting.X),
            self.coupling(setting.R),
            self.noises(setting.N),
            self.v(setting.kind, setting.fixed),
        )


_JITTER = 1e-7


def _distance(A: Tensor, B: Tensor) -> Tensor:
    squared = (
        A.square().sum(-1).unsqueeze(-1)
        + B.square().sum(-1).unsqueeze(-2)
        - 2 * A @ B.transpose(-1, -2)
    )
    # The root has no slope at 0, where Matérn-5/2 is flat.
    return squared.clamp_min(1e-14).sqrt()


def _matern(distance: Tensor) -> Tensor:
    r = math.sqrt(5.0) * distance
    return (1 + r + r.square() / 3) * torch.exp(-r)


def _centres(beliefs: Beliefs, m: int, d: int, has_labs: bool) -> tuple[Tensor, Tensor]:
    """Return location and scale of every logarithm's prior."""
    misfit = beliefs.misfit if has_labs else beliefs.alone
    rows = [
        beliefs.amplitude,
        misfit,
        *[(0.0, beliefs.misfit_free)] * m,
        *[beliefs.lengthscale] * (d + 1),
        (0.0, 1.0),
        beliefs.noise,
        *[(0.0, beliefs.noise_free)] * m,
    ]
    table = torch.tensor(rows, dtype=torch.double)
    return table[:, 0], table[:, 1]


@dataclass(frozen=True)
class Fitted:
    """Hyperparameters at their maximum, and ln p(Y, hyperparameters) there [nat]."""

    x: Tensor
    log_evidence: float


def fit_hyperparameters(setting: Setting, beliefs: Beliefs, start: Tensor | None = None) -> Fitted:
    """Maximise the evidence times the priors.

    Args:
        setting: results and features.
        beliefs: the priors, and how many iterations.
        start: where to begin; the priors' centres if ``None``.

    Raises:
        FitError: no start whose covariance can be factorised.
    """
    m, d = setting.Y.shape[-1], setting.X.shape[-1]
    centre, scale = _centres(beliefs, m, d, setting.has_labs)

    def objective(vector: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        x = torch.from_numpy(vector.copy()).requires_grad_()
        with torch.enable_grad():
            h = Hyperparameters(x, m, d)
            parts, mean = h.parts(setting), h.mean(setting)
        with torch.no_grad():
            plain = Parts(*(part.detach() for part in (parts.k, parts.B, parts.N, parts.v)))
            try:
                solved = factorised(plain, setting.F, setting.Y - mean.detach())
            except torch.linalg.LinAlgError:
                return 1e10, np.zeros_like(vector)
            slopes = solved.gradients()
        # Linear in the parts with their derivatives as weights: its gradient is that of −ln p.
        with torch.enable_grad():
            linear = (
                (slopes.k * parts.k).sum()
                + (slopes.B * parts.B).sum()
                + (slopes.N * parts.N).sum()
                + (slopes.v * parts.v).sum()
                + (slopes.mean * mean).sum()
            )
            penalty = 0.5 * ((x - centre) / scale).square().sum()
            (slope,) = torch.autograd.grad(linear + penalty, x)
        return solved.value + float(penalty.detach()), slope.numpy()

    begin = (centre if start is None else start).numpy()
    result = minimize(
        objective,
        begin,
        jac=True,
        method="L-BFGS-B",
        bounds=[(float(c) - _BOUND, float(c) + _BOUND) for c in centre],
        options={"maxiter": beliefs.max_iterations, "ftol": 1e-6},
    )
    if not np.isfinite(result.fun) or result.fun >= 1e10:
        raise FitError(f"no hyperparameters could be found for {tuple(setting.Y.shape)} values")
    return Fitted(torch.from_numpy(result.x), -float(result.fun))
