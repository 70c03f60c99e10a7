"""Covariances by column are those of the whole matrix, whichever model is asked."""

from __future__ import annotations

import numpy as np
import torch

from engine.propose.covariances import Asked, Matrices, moments_of_points
from surrogate.averaged_fit import fit_averaged
from surrogate.gp import fit_outcomes
from surrogate.sourced_gp import GPConfig


def data(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    X = torch.rand(n, 3, generator=generator, dtype=torch.double)
    noise = 0.1 * torch.randn(n, 2, generator=generator, dtype=torch.double)
    return X, torch.stack([torch.sin(4 * X[:, 0]), 1e3 * X[:, 1] * X[:, 2]], dim=-1) + noise


def test_an_averaged_model_is_asked_by_column() -> None:
    X, Y = data(18)
    Y[3:6, 1] = torch.nan
    model = fit_averaged(X, Y)
    asked, _ = data(40)
    mean, covariances = moments_of_points(model, asked, torch.arange(40))
    assert isinstance(covariances, Asked)
    means, matrices = model.joint_moments(asked)
    np.testing.assert_allclose(mean, means.numpy(), rtol=1e-9)
    for j, matrix in enumerate(matrices.numpy()):
        tolerance = 1e-8 * float(np.abs(matrix).max())
        columns = covariances.columns(j, [39, 0, 7])
        np.testing.assert_allclose(columns, matrix[:, [39, 0, 7]], atol=tolerance)
        np.testing.assert_allclose(covariances.variances(j), np.diag(matrix), atol=tolerance)


def test_other_models_and_averages_over_rooms_have_their_matrix() -> None:
    X, Y = data(12)
    fixed = fit_outcomes(X, Y, config=GPConfig())
    mean, covariances = moments_of_points(fixed, X, torch.arange(12))
    assert isinstance(covariances, Matrices)
    assert mean.shape == (2, 12)
    assert covariances.columns(1, [3]).shape == (12, 1)
    model = fit_averaged(X, Y)
    mean, covariances = moments_of_points(model, X, torch.arange(12) // 3)
    means, matrices = model.joint_moments(X)
    np.testing.assert_allclose(mean, means.reshape(2, 4, 3).mean(-1).numpy())
    blocks = matrices.reshape(2, 4, 3, 4, 3).mean(dim=(2, 4)).numpy()
    np.testing.assert_allclose(covariances.columns(0, range(4)), blocks[0], rtol=1e-9)
    np.testing.assert_allclose(covariances.variances(1), np.diag(blocks[1]), rtol=1e-9)
