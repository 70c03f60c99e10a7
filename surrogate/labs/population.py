r"""Simulated labs as points of one latent, and which of them the results speak for.

Notation
--------
=======  ==========================================================================  ===========
z_l      lab l of L, a point of K coordinates                                        (L, K)
μ, Φ     what the labs have in common, and how a lab's place moves each outcome      (n, m, 1+K)
s_o      unit of outcome o: how far a lab's outcome moves within a campaign          (m,)
N        covariance of one specimen's outcomes, in units of s                        (m, m)
w_l      weight of a lab, Σ w = 1                                                    (L,)
=======  ==========================================================================  ===========

A lab's outcomes are :math:`s_o (c_o + \mu_o(x) + \Phi_o(x) \cdot z_l)`. Its weight is its
likelihood of the results, tempered so that the effective number of labs does not fall below a
bound:

.. math:: w_l \propto p(Y \mid z_l)^\lambda, \qquad
          \Big(\sum_l w_l\Big)^2 / \sum_l w_l^2 \ge n_\mathrm{eff}, \qquad 0 < \lambda \le 1
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Basis = Callable[[Tensor], Tensor]
"""X (..., d) in the unit cube → (..., m, 1 + K): μ, then Φ, in units of s; differentiable."""

# In units of s²: how far the labs may miss a result for other reasons than its noise.
_MISFIT = 0.3**2
_BISECTIONS = 40


@dataclass(frozen=True)
class Population:
    """The labs as one campaign sees them.

    Attributes:
        basis: μ and Φ at conditions.
        points: (L, K) float64.
        unit: (m,) s in work space; 0 for an outcome that no simulated lab has.
        noise: (m, m) covariance of a specimen's outcomes, in units of s.
        is_relative: (m,) whether s is a share of the outcome's own level: labs speak of logarithms,
            the campaign does not.
        name: of the source, to people.
    """

    basis: Basis
    points: Tensor
    unit: Tensor
    noise: Tensor
    is_relative: Tensor
    name: str = "ensemble"

    def draws(self, X: Tensor, n: int, seed: int) -> Tensor:
        """Return what ``n`` labs drawn by ``seed`` would have at X (p, d): (n, p, m) in units of s.

        Levels are left out: nothing is known of them before the first result.
        """
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randint(len(self.points), (n,), generator=generator)
        H = self.basis(X)
        responses = H[..., 0] + torch.einsum("pmk,nk->npm", H[..., 1:], self.points[chosen])
        return responses - responses.mean(dim=1, keepdim=True)


@dataclass(frozen=True)
class Neighbourhood:
    """Where a lab may lie: z ~ N(mean, root rootᵀ).

    ``mean`` (K,), ``root`` (K, K), ``effective``: number of labs that it rests on.
    """

    mean: Tensor
    root: Tensor
    effective: float


def everywhere(population: Population) -> Neighbourhood:
    """Return where labs lie before any result."""
    L = len(population.points)
    return _moments(population.points, torch.full((L,), 1.0 / L, dtype=torch.double))


def localised(
    population: Population, H: Tensor, Y: Tensor, *, effective: float = 400.0
) -> Neighbourhood:
    """Return where the labs lie that the results speak for.

    Args:
        population: all labs.
        H: (n, m, 1 + K) the basis at the results' conditions.
        Y: (n, m) results in units of s, NaN where not measured; levels do not matter.
        effective: smallest effective number of labs.
    """
    return _moments(population.points, weights(population, H, Y, effective=effective))


def weights(population: Population, H: Tensor, Y: Tensor, *, effective: float) -> Tensor:
    """Return the weights (L,) of the labs, see :func:`localised`."""
    log_likelihood = _log_likelihood(population, H, Y)
    log_likelihood = log_likelihood - log_likelihood.max()
    low, high = 0.0, 1.0
    tempered = log_likelihood.exp()
    if _effective(tempered) < effective:
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if _effective((middle * log_likelihood).exp()) < effective:
                high = middle
            else:
                low = middle
        tempered = (low * log_likelihood).exp()
    return tempered / tempered.sum()


def _effective(w: Tensor) -> float:
    return float(w.sum() ** 2 / w.square().sum())


def _log_likelihood(population: Population, H: Tensor, Y: Tensor) -> Tensor:
    """Return ln p(Y | z_l) (L,) but for a constant: quadratic in z, so rows are summed once."""
    K = population.points.shape[-1]
    measured = ~torch.isnan(Y)
    count = measured.sum(dim=0).clamp_min(1)
    mask = measured.unsqueeze(-1).to(H)
    # About each outcome's mean over its own rows, so that levels drop out.
    H = (H - (H * mask).sum(dim=0) / count.unsqueeze(-1)) * mask
    R = Y.nan_to_num() - (Y.nan_to_num() * mask[..., 0]).sum(dim=0) / count
    R = R * mask[..., 0] - H[..., 0]
    gram, gain = H.new_zeros(K, K), H.new_zeros(K)
    S = population.noise + _MISFIT * torch.eye(Y.shape[-1], dtype=Y.dtype)
    for pattern in torch.unique(measured, dim=0):
        columns = pattern.nonzero().flatten()
        if not len(columns):
            continue
        rows = (measured == pattern).all(dim=-1)
        root = torch.linalg.cholesky(S[columns][:, columns])
        n = int(rows.sum())
        U = H[rows][:, columns, 1:].transpose(0, 1).reshape(len(columns), -1)
        U = torch.linalg.solve_triangular(root, U, upper=False).reshape(-1, K)
        r = torch.linalg.solve_triangular(root, R[rows][:, columns].T, upper=False).reshape(-1)
        assert len(U) == n * len(columns)  # noqa: S101
        gram, gain = gram + U.T @ U, gain + U.T @ r
    Z = population.points
    return Z @ gain - 0.5 * ((Z @ gram) * Z).sum(dim=-1)


def _moments(Z: Tensor, w: Tensor) -> Neighbourhood:
    n = _effective(w)
    K = Z.shape[-1]
    mean = w @ Z
    centred = Z - mean
    covariance = centred.T @ (w.unsqueeze(-1) * centred)
    diagonal = covariance.diagonal().clamp_min(1e-4)
    # n labs know K (K + 1) / 2 covariances badly; each coordinate's variance they know well.
    share = K / (K + n)
    covariance = (1 - share) * covariance + share * torch.diag(diagonal)
    root = torch.linalg.cholesky(covariance + 1e-6 * torch.eye(K, dtype=Z.dtype))
    return Neighbourhood(mean, root, n)
