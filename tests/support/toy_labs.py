"""A toy ensemble: three outcomes of two conditions, labs as points of a latent of four."""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate.labs.population import Population

K, M, D = 4, 3, 2
SLOPES = torch.tensor(
    [[1.0, -0.5, 0.8], [0.3, 1.2, -0.6], [-0.7, 0.4, 0.9], [0.5, -0.9, 0.2]], dtype=torch.double
)
CORRELATED = 0.04 * (torch.eye(M, dtype=torch.double) + 0.5)


def basis(X: Tensor) -> Tensor:
    """Return (..., 3, 1 + 4): a common trend, four directions."""
    waves = torch.stack(
        [X[..., 0] - 0.5, X[..., 1] - 0.5, torch.sin(4 * X[..., 0]), torch.cos(5 * X[..., 1])], -1
    )
    directions = waves.unsqueeze(-2) * SLOPES.T
    common = (X.sum(dim=-1) - 1).unsqueeze(-1).expand(*X.shape[:-1], M)
    return torch.cat([common.unsqueeze(-1), directions], dim=-1)


def toy(n_labs: int = 500) -> Population:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(n_labs, K, generator=generator, dtype=torch.double)
    return Population(
        basis, points, torch.full((M,), 0.5, dtype=torch.double), CORRELATED, torch.zeros(M).bool()
    )


def campaign(n: int, seed: int = 0, *, flipped: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Return X (n, 2), results (n, 3) and the lab's place; ``flipped``: knobs work backwards."""
    generator = torch.Generator().manual_seed(seed)
    X = torch.rand(n, D, generator=generator, dtype=torch.double)
    z = 1.5 * torch.randn(K, generator=generator, dtype=torch.double)
    root = torch.linalg.cholesky(CORRELATED)
    noise = torch.randn(n, M, generator=generator, dtype=torch.double) @ root.T
    return X, truth(1 - X if flipped else X, z) + 0.5 * noise, z


def truth(X: Tensor, z: Tensor) -> Tensor:
    H = basis(X)
    return 2.0 + 0.5 * (H[..., 0] + H[..., 1:] @ z)
