r"""Draws of hyperparameters: what is not known of them widens what is predicted.

Ten runs do not tell a lengthscale. At the single most likely one a Gaussian process is sure of
what it cannot know: it takes a far peak for impossible and never looks there. So each Gaussian
process is replaced by a few, their hyperparameters drawn from Laplace's approximation about the
maximum θ̂ with the curvature H, and weighed by how far that approximation is right there:

.. math::
    \theta_k = \hat\theta + H^{-1/2} z_k, \qquad
    w_k \propto \min\Big(\frac{p(y, \theta_k)}{e^{-z_k^\top z_k / 2}},\; e \cdot \text{median}\Big)

z is zero once, which keeps the maximum itself, and otherwise the same few points of a scrambled
Sobol sequence, made normal. The cap keeps one lucky draw from standing for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch
from scipy.stats import norm, qmc
from torch import Tensor

_LEAST_CURVATURE = 0.1
"""Of a direction that the data leave flat: priors have one of 0.3 and more, differences may err."""
_MOST_ABOVE_MEDIAN = 1.0  # nats


def shared_out(weights: Sequence[float], n: int) -> list[int]:
    """Return how many of about ``n`` draws each of the weights gets, one at the least.

    >>> shared_out([0.7, 0.28, 0.02], 12)
    [8, 3, 1]
    """
    return [max(1, round(n * weight)) for weight in weights]


def draws_about(theta: Tensor, hessian: Tensor, counts: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Draw hyperparameters about each maximum.

    Args:
        theta: (B, P) maxima.
        hessian: (B, P, P) of −log p there.
        counts: how many draws of each, the maximum among them.

    Returns:
        (K, P) draws, those of the first maximum first, and (K,) ½ zᵀz of each.
    """
    curvature, directions = torch.linalg.eigh(hessian)
    spread = curvature.clamp_min(_LEAST_CURVATURE) ** -0.5
    # The symmetric root: it moves little where H does, whatever basis its eigenvectors come in.
    roots = directions * spread.unsqueeze(-2) @ directions.transpose(-1, -2)
    draws, distances = [], []
    for place, count in enumerate(counts):
        z = torch.from_numpy(_normals(count, theta.shape[-1])).to(theta)
        draws.append(theta[place] + z @ roots[place])
        distances.append(0.5 * (z * z).sum(-1))
    return torch.cat(draws), torch.cat(distances)


def importance(
    log_posterior: Callable[[Tensor], Tensor],
    draws: Tensor,
    distances: Tensor,
    counts: Sequence[int],
) -> Tensor:
    """Return (K,) the weight of each draw, those of one maximum summing to one.

    Args:
        log_posterior: of draws (K, P), (K,) in nats up to a constant for each maximum.
        draws: (K, P) and …
        distances: (K,) as :func:`draws_about` returns them.
        counts: how many draws each maximum has.
    """
    excess = (log_posterior(draws) + distances).split(list(counts))
    parts = [part.minimum(part.median() + _MOST_ABOVE_MEDIAN) for part in excess]
    return torch.cat([torch.softmax(part, dim=0) for part in parts])


@lru_cache(maxsize=64)
def _normals(count: int, d: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return (count, d): zero first, then normal quantiles of a Sobol sequence."""
    if count == 1:
        return np.zeros((1, d))
    uniform = qmc.Sobol(d, seed=0).random_base2(int(np.ceil(np.log2(count))))[: count - 1]
    # Beyond three standard deviations Laplace's approximation says nothing.
    return np.concatenate([np.zeros((1, d)), norm.ppf(0.001 + 0.998 * uniform)])
