r"""The covariance of all outcomes of all rows, inverted by its structure.

Notation
--------
=====  ====================================================================  =============
k      kernel of the discrepancy at the n rows                               (n, n)
B, N   how discrepancies and noises of the m outcomes go together            (m, m)
F, v   linear features and the prior variances of their weights θ            (n, m, J), (J,)
r      results minus their prior mean                                        (n, m)
=====  ====================================================================  =============

.. math:: \Sigma = k \otimes B + I \otimes N + F \, \mathrm{diag}(v) F^T

Where every outcome is measured in every row, the generalised eigenvectors W of B and N
(:math:`W^T N W = I,\; W^T B W = \mathrm{diag}(\lambda)`) take Σ without features apart into m
matrices :math:`A_j = \lambda_j k + I`; features follow by Woodbury's identity. Where some values
are missing, Σ is made of what was measured. Both give the same numbers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor


@dataclass(frozen=True)
class Parts:
    """What Σ consists of: ``k`` (n, n), ``B`` and ``N`` (m, m), ``v`` (J,)."""

    k: Tensor
    B: Tensor
    N: Tensor
    v: Tensor


@dataclass(frozen=True)
class Gradients:
    """Derivatives of −ln p by the parts of Σ and by the prior mean (n, m)."""

    k: Tensor
    B: Tensor
    N: Tensor
    v: Tensor
    mean: Tensor


class Factorised(ABC):
    """Σ of some rows, factorised: what training and prediction ask of it.

    Attributes:
        value: −ln p(r).
        theta: (J,) posterior mean of the features' weights θ.
        root: (J, J) lower factor of θ's posterior precision.
        alpha: (n, m) Σ⁻¹ r, 0 where not measured.
    """

    value: float
    theta: Tensor
    root: Tensor
    alpha: Tensor

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @abstractmethod
    def gradients(self) -> Gradients:
        """Return the derivatives of :attr:`value`."""

    @abstractmethod
    def shadow(self, K: Tensor, outcome: int) -> Tensor:
        """Return (..., p, J): what the rows' discrepancy takes of the features at p points.

        ``K`` (..., p, n) is the kernel between the points and the rows.
        """

    @abstractmethod
    def explained(self, K: Tensor, row: int, column: int) -> Tensor:
        """Return (..., p, p): covariance of the discrepancy that the rows take away."""

    @abstractmethod
    def explained_diagonal(self, K: Tensor, outcome: int) -> Tensor:
        """Return (..., p), the diagonal of :meth:`explained` of one outcome."""

    @abstractmethod
    def row_precision(self) -> Tensor:
        """Return (n, m, m), the blocks of Σ⁻¹ of each row; 0 where not measured."""

    def weights_covariance(self) -> Tensor:
        """Return (J, J), the posterior covariance of θ."""
        return torch.cholesky_inverse(self.root)

    def _weigh(self, b: Tensor, X: Tensor) -> None:
        """Condition θ: X = Fᵀ Σ₀⁻¹ F and b = Fᵀ Σ₀⁻¹ r, Σ₀ without features."""
        self.root = torch.linalg.cholesky(X + torch.diag(1 / self.parts.v))
        self.theta = torch.cholesky_solve(b.unsqueeze(-1), self.root).squeeze(-1)

    def _by_features(self) -> Tensor:
        """Return the derivative by v: ½ (diag Fᵀ Σ⁻¹ F − (Fᵀ α)²)."""
        inverse = 1 / self.parts.v
        shrunk = inverse - inverse.square() * self.weights_covariance().diagonal()
        return 0.5 * (shrunk - (self.theta * inverse).square())


def factorised(parts: Parts, F: Tensor, r: Tensor, *, is_final: bool = False) -> Factorised:
    """Factorise Σ; NaN in ``r`` is what was not measured.

    ``is_final``: for prediction rather than for gradients.
    """
    if not torch.isnan(r).any():
        return WholeRows(parts, F, r, is_final=is_final)
    return RaggedRows(parts, F, r)


class WholeRows(Factorised):
    """Every outcome is measured in every row."""

    def __init__(self, parts: Parts, F: Tensor, r: Tensor, *, is_final: bool = False) -> None:
        super().__init__(parts)
        n, m = r.shape
        root = torch.linalg.cholesky(parts.N)
        half = torch.linalg.solve_triangular(root, parts.B, upper=False)
        inner = torch.linalg.solve_triangular(root, half.T, upper=False)
        spread, Q = torch.linalg.eigh((inner + inner.T) / 2)
        self._spread = spread.clamp_min(0.0)
        self._W = torch.linalg.solve_triangular(root.T, Q, upper=True)
        rotated = torch.cat([F, r.unsqueeze(-1)], dim=-1)
        rotated = torch.tensordot(self._W.T, rotated, dims=([1], [1]))  # (m, n, J + 1)
        self._eigen: tuple[Tensor, Tensor] | None = None
        # One factorisation for all questions to come, or m that are cheap to differentiate.
        if is_final:
            kappa, V = torch.linalg.eigh(parts.k)
            self._eigen = kappa.clamp_min(0.0), V
            scale = self._spread[:, None] * self._eigen[0] + 1.0
            solved = V @ ((V.T @ rotated) / scale.unsqueeze(-1))
            log_det = float(scale.log().sum())
        else:
            A = self._spread[:, None, None] * parts.k + torch.eye(n, dtype=r.dtype)
            self._factors = torch.linalg.cholesky(A)
            solved = torch.cholesky_solve(rotated, self._factors)
            log_det = 2 * float(self._factors.diagonal(dim1=-2, dim2=-1).log().sum())
        self._solved = solved[..., :-1]
        flat = rotated.flatten(0, 1)
        products = flat.T @ solved.flatten(0, 1)
        b, squares = products[:-1, -1], float(products[-1, -1])
        self._weigh(b, products[:-1, :-1])
        self._alpha = solved[..., -1] - self._solved @ self.theta  # (m, n), rotated
        self.alpha = self._alpha.T @ self._W.T
        log_det += 2 * n * float(root.diagonal().log().sum())
        log_det += 2 * float(self.root.diagonal().log().sum()) + float(parts.v.log().sum())
        self.value = 0.5 * (
            squares - float(b @ self.theta) + log_det + n * m * math.log(2 * math.pi)
        )

    def gradients(self) -> Gradients:
        """Return the derivatives of :attr:`value`; not of rows factorised for prediction."""
        parts, W = self.parts, self._W
        inverse = torch.cholesky_inverse(self._factors)
        # The low rank and the squares together: both are subtracted from the inverse.
        low = self._solved.flatten(0, 1).T
        low = torch.linalg.solve_triangular(self.root, low, upper=False).T
        low = torch.cat([low.unflatten(0, self._alpha.shape), self._alpha.unsqueeze(-1)], dim=-1)
        scaled = (self._spread.sqrt()[:, None, None] * low).transpose(0, 1).flatten(1)
        by_k = torch.tensordot(self._spread, inverse, dims=1) - scaled @ scaled.T
        m, n = self._alpha.shape
        flat = low.transpose(0, 1).reshape(n, -1)
        moved = (parts.k @ flat).reshape(n, m, -1).transpose(0, 1).reshape(m, -1)
        fixed = low.reshape(m, -1)
        by_B = torch.diag((inverse * parts.k).sum(dim=(-2, -1))) - moved @ fixed.T
        by_N = torch.diag(inverse.diagonal(dim1=-2, dim2=-1).sum(dim=-1)) - fixed @ fixed.T
        return Gradients(
            0.5 * by_k,
            0.5 * W @ by_B @ W.T,
            0.5 * W @ by_N @ W.T,
            self._by_features(),
            -self.alpha,
        )

    def _mixing(self) -> Tensor:
        return self.parts.B @ self._W

    def shadow(self, K: Tensor, outcome: int) -> Tensor:
        """See :meth:`Factorised.shadow`."""
        return K @ torch.tensordot(self._mixing()[outcome], self._solved, dims=1)

    def _shares(self, row: int, column: int) -> tuple[Tensor, Tensor]:
        assert self._eigen is not None  # noqa: S101
        kappa, V = self._eigen
        mixing = self._mixing()
        scale = self._spread[:, None] * kappa + 1.0
        return ((mixing[row] * mixing[column])[:, None] / scale).sum(dim=0), V

    def explained(self, K: Tensor, row: int, column: int) -> Tensor:
        """See :meth:`Factorised.explained`."""
        shares, V = self._shares(row, column)
        U = K @ V
        return (U * shares) @ U.transpose(-1, -2)

    def explained_diagonal(self, K: Tensor, outcome: int) -> Tensor:
        """See :meth:`Factorised.explained_diagonal`."""
        shares, V = self._shares(outcome, outcome)
        return (K @ V).square() @ shares

    def row_precision(self) -> Tensor:
        """See :meth:`Factorised.row_precision`."""
        assert self._eigen is not None  # noqa: S101
        kappa, V = self._eigen
        scale = self._spread[:, None] * kappa + 1.0
        diagonal = V.square() @ (1 / scale).T  # (n, m)
        blocks = torch.einsum("oj,nj,pj->nop", self._W, diagonal, self._W)
        low = torch.linalg.solve_triangular(self.root, self._solved.flatten(0, 1).T, upper=False).T
        low = torch.einsum("oj,jnq->noq", self._W, low.unflatten(0, self._alpha.shape))
        return blocks - low @ low.transpose(-1, -2)


class RaggedRows(Factorised):
    """Some outcomes are missing in some rows: the measured values, one by one."""

    def __init__(self, parts: Parts, F: Tensor, r: Tensor) -> None:
        super().__init__(parts)
        self._shape = r.shape
        self._rows, self._outcomes = (~torch.isnan(r)).nonzero(as_tuple=True)
        i, o = self._rows, self._outcomes
        self._is_row = (i[:, None] == i).to(r)
        covariance = parts.k[i][:, i] * parts.B[o][:, o] + self._is_row * parts.N[o][:, o]
        self._factor = torch.linalg.cholesky(covariance)
        values, features = r[i, o], F[i, o]
        solved = torch.cholesky_solve(
            torch.cat([features, values.unsqueeze(-1)], dim=-1), self._factor
        )
        self._solved = solved[:, :-1]
        b = features.T @ solved[:, -1]
        self._weigh(b, features.T @ self._solved)
        self._alpha = solved[:, -1] - self._solved @ self.theta
        self.alpha = torch.zeros_like(parts.k[:, :1]).expand(self._shape).clone()
        self.alpha[i, o] = self._alpha
        log_det = 2 * float(self._factor.diagonal().log().sum())
        log_det += 2 * float(self.root.diagonal().log().sum()) + float(parts.v.log().sum())
        squares = float(values @ solved[:, -1] - b @ self.theta)
        self.value = 0.5 * (squares + log_det + len(values) * math.log(2 * math.pi))

    def _precision(self) -> Tensor:
        low = torch.linalg.solve_triangular(self.root, self._solved.T, upper=False)
        return torch.cholesky_inverse(self._factor) - low.T @ low

    def gradients(self) -> Gradients:
        """Return the derivatives of :attr:`value`."""
        parts, i, o = self.parts, self._rows, self._outcomes
        G = 0.5 * (self._precision() - torch.outer(self._alpha, self._alpha))
        B = parts.B[o][:, o]

        def summed(values: Tensor, index: Tensor, size: int) -> Tensor:
            total = values.new_zeros(size, size)
            return total.index_put_((index[:, None], index), values, accumulate=True)

        n, m = self._shape
        by_k = summed(G * B, i, n)
        by_B = summed(G * parts.k[i][:, i], o, m)
        by_N = summed(G * self._is_row, o, m)
        return Gradients(by_k, by_B, by_N, self._by_features(), -self.alpha)

    def _crossed(self, K: Tensor, outcome: int) -> Tensor:
        return K[..., self._rows] * self.parts.B[outcome][self._outcomes]

    def shadow(self, K: Tensor, outcome: int) -> Tensor:
        """See :meth:`Factorised.shadow`."""
        return self._crossed(K, outcome) @ self._solved

    def _half(self, K: Tensor, outcome: int) -> Tensor:
        crossed = self._crossed(K, outcome).transpose(-1, -2)
        return cast(Tensor, torch.linalg.solve_triangular(self._factor, crossed, upper=False))

    def explained(self, K: Tensor, row: int, column: int) -> Tensor:
        """See :meth:`Factorised.explained`."""
        first = self._half(K, row)
        second = first if row == column else self._half(K, column)
        return first.transpose(-1, -2) @ second

    def explained_diagonal(self, K: Tensor, outcome: int) -> Tensor:
        """See :meth:`Factorised.explained_diagonal`."""
        return self._half(K, outcome).square().sum(dim=-2)

    def row_precision(self) -> Tensor:
        """See :meth:`Factorised.row_precision`."""
        precision = self._precision()
        n, m = self._shape
        blocks = precision.new_zeros(n, m, m)
        first, second = self._is_row.nonzero(as_tuple=True)
        o = self._outcomes
        blocks[self._rows[first], o[first], o[second]] = precision[first, second]
        return blocks
