"""Gaussian moments as BoTorch wants them."""

from __future__ import annotations

from typing import Any

import torch
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from torch import Tensor


def as_posterior(mean: Tensor, covariance: Tensor, posterior_transform: Any = None) -> Any:
    """Return BoTorch's posterior of independent outcomes.

    Args:
        mean: (…, m, q).
        covariance: (…, m, q, q).
        posterior_transform: BoTorch's, or ``None``.
    """
    jitter = 1e-8 * covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    covariance = covariance + jitter * torch.eye(mean.shape[-1]).to(covariance)
    # One outcome or many: BoTorch wants the outcomes last, and none for a single one.
    normals = [
        MultivariateNormal(mean[..., place, :], covariance[..., place, :, :])
        for place in range(mean.shape[-2])
    ]
    joint = (
        normals[0]
        if len(normals) == 1
        else MultitaskMultivariateNormal.from_independent_mvns(normals)
    )
    posterior = GPyTorchPosterior(joint)
    return posterior if posterior_transform is None else posterior_transform(posterior)
