r"""Simulated labs as points of one latent: the likelihood that teaches it, and where labs lie.

A lab's outcomes at conditions x, each in its own unit, follow from one point z of K coordinates:

.. math:: y_o = c_o + h_{o0}(x) + \sum_{k=1}^K z_k h_{ok}(x) + \varepsilon_o, \quad z \sim N(0, I),
          \quad \varepsilon_o \sim N(0, \sigma_o^2)

Levels c are unknown: rows are taken about their lab's mean, outcome by outcome. With :math:`r`
and :math:`U` the centred residuals and heads of all outcomes of a lab one below the other, divided
by σ, and :math:`A = I + U^T U,\; b = U^T r`,

.. math:: \ln p = -\tfrac12 \Big( \sum_o (n_o - 1) \ln 2\pi\sigma_o^2 + \ln |A| + r^T r
          - b^T A^{-1} b \Big), \qquad z \mid y \sim N(A^{-1} b, A^{-1})

A probabilistic PCA over labs whose loadings are functions of the conditions and which all outcomes
share: what strength says of a lab, elongation knows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.errors import InputError
from surrogate.matmcl.loss import LEAST_LOG_NOISE, pack


def joint_likelihood(H: Tensor, y: Tensor, lab_index: Tensor, log_noise: Tensor) -> Tensor:
    """Return the exact log marginal likelihood of each lab, one z for all of its outcomes.

    Args:
        H: (n, m, 1 + K) mean head and deviation heads at each row.
        y: (n, m) outcomes in units that all labs share; NaN where not measured.
        lab_index: (n,) which lab a row belongs to, 0 … L − 1.
        log_noise: (m,) ln σ² of each outcome.

    Returns:
        (L,) log likelihoods of what was measured.

    Raises:
        InputError: shapes do not fit.
    """
    sums = _sums(H, y, lab_index, log_noise)
    log_det = 2 * sums.factor.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
    half = torch.linalg.solve_triangular(sums.factor, sums.b, upper=False)
    gained = half.square().sum(dim=(-2, -1))
    log_noise = log_noise.clamp_min(LEAST_LOG_NOISE)
    constant = (sums.count * (math.log(2 * math.pi) + log_noise)).sum(dim=-1)
    return -0.5 * (constant + log_det + sums.squares - gained)


def lab_places(H: Tensor, y: Tensor, lab_index: Tensor, log_noise: Tensor) -> Tensor:
    """Return where each lab lies, the posterior mean of its z (L, K); arguments as above.

    Raises:
        InputError: shapes do not fit.
    """
    sums = _sums(H, y, lab_index, log_noise)
    return torch.cholesky_solve(sums.b, sums.factor).squeeze(-1)


@dataclass(frozen=True)
class _Sums:
    """Of each lab: factor of A (L, K, K), b (L, K, 1), rᵀr (L,), degrees of freedom (L, m)."""

    factor: Tensor
    b: Tensor
    squares: Tensor
    count: Tensor


def _sums(H: Tensor, y: Tensor, lab_index: Tensor, log_noise: Tensor) -> _Sums:
    if H.ndim != 3 or y.shape != H.shape[:2] or lab_index.shape != y.shape[:1]:
        raise InputError(
            f"expected H (n, m, J), y (n, m) and lab_index (n,), "
            f"got {tuple(H.shape)}, {tuple(y.shape)} and {tuple(lab_index.shape)}"
        )
    measured = ~torch.isnan(y)
    mask = measured.unsqueeze(-1).to(H.dtype)
    residuals = y.nan_to_num().unsqueeze(-1) - H[..., :1]
    rows = torch.cat([residuals, H[..., 1:], torch.ones_like(residuals)], dim=-1) * mask
    packed = pack(rows, lab_index, torch.bincount(lab_index))  # (L, most rows, m, J + 1)
    present, values = packed[..., -1:], packed[..., :-1]
    count = present.sum(dim=1)
    centred = (values - values.sum(dim=1, keepdim=True) / count.clamp_min(1).unsqueeze(1)) * present
    scale = torch.exp(-0.5 * log_noise.clamp_min(LEAST_LOG_NOISE))
    # Doubles: with small noises the squares reach 10⁶, and A is singular in float32.
    flat = (centred * scale.unsqueeze(-1)).flatten(1, 2).double()
    inner = flat.transpose(-2, -1) @ flat
    eye = torch.eye(H.shape[-1] - 1, dtype=flat.dtype, device=H.device)
    return _Sums(
        torch.linalg.cholesky(inner[:, 1:, 1:] + eye),
        inner[:, 1:, :1],
        inner[:, 0, 0],
        (count.squeeze(-1) - 1).clamp_min(0),
    )
