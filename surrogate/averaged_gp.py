r"""The plain surrogate: Gaussian processes under a few beliefs, averaged by their evidence.

No single prior serves every campaign. A robot's colour has hardly any noise, the strength of a mat
is noise for the most part; a yield may jump from one setting to the next, a diameter hardly bends.
So each outcome is fitted under each of a few beliefs about noise and smoothness
(:mod:`surrogate.beliefs`), and what they expect is averaged with the weights that the
results give them:

.. math:: w_b \propto p(b) \int p(y \mid \theta)\, p(\theta \mid b)\, d\theta

Replicates enter as their mean and their scatter, which pins the noise
(:mod:`surrogate.kernel_fit`, with the kernel and its notation). While runs are few, a belief's
hyperparameters are averaged over, too (:mod:`surrogate.hyperparameter_draws`). The average is a
mixture; it is handed on as the Gaussian with its mean and covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from botorch.models.model import Model
from torch import Tensor

from surrogate.asked_points import AskedPoints, Average
from surrogate.beliefs import Belief
from surrogate.exclusive import exclusive
from surrogate.kernel_fit import (
    Columns,
    Problems,
    factors,
    kernel,
    kernel_in_parts,
    noise_variance,
    prior_variance,
)
from surrogate.posteriors import as_posterior
from surrogate.replicates import Merged

# As many points are asked together: the covariance with the runs is kept for each.
_POINTS_AT_ONCE = 512


@dataclass(frozen=True)
class Members:
    """The Gaussian processes that are averaged: an outcome under a belief each, B of them.

    ``theta`` (B, D + 5); ``outcome`` (B,) whose; ``weight`` (B,), summing to one for an outcome;
    ``beliefs`` (B,), one of them as often as its hyperparameters were drawn.
    """

    theta: Tensor
    outcome: Tensor
    weight: Tensor
    beliefs: tuple[Belief, ...]

    def of(self, places: Sequence[int]) -> Members:
        """Return those of some outcomes, numbered in the order of ``places``."""
        owners = self.outcome.tolist()
        pairs = [
            (row, place)
            for place, outcome in enumerate(places)
            for row, owner in enumerate(owners)
            if owner == outcome
        ]
        rows = [row for row, _ in pairs]
        return Members(
            self.theta[rows],
            torch.tensor([place for _, place in pairs], device=self.outcome.device),
            self.weight[rows],
            tuple(self.beliefs[row] for row in rows),
        )


class AveragedGP(Model):
    """Exact Gaussian processes over m outcomes, averaged over beliefs.

    :func:`surrogate.averaged_fit.fit_averaged` makes them.

    Args:
        merged: what was measured, in work space.
        columns: how inputs are measured by the kernel.
        members: what is averaged.
        standard: (2, m) mean and spread of the standardisation.
        maxima: the members at their hyperparameters' maxima, if ``members`` are draws about these.
    """

    theta: Tensor
    outcome: Tensor
    weight: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        merged: Merged,
        columns: Columns,
        members: Members,
        standard: Tensor,
        maxima: Members | None = None,
    ) -> None:
        super().__init__()
        self._maxima = maxima
        self.merged, self.columns = merged, columns
        self.beliefs = members.beliefs
        for name, tensor in (
            ("theta", members.theta),
            ("outcome", members.outcome),
            ("weight", members.weight),
            ("shift", standard[0]),
            ("scale", standard[1]),
        ):
            self.register_buffer(name, tensor)
        flat = torch.stack([torch.zeros_like(self.theta), torch.ones_like(self.theta)])
        self.problems = problems_of(
            merged, columns, (members.beliefs, self.outcome), standard, flat
        )
        self._solve()

    def _solve(self) -> None:
        """Keep what every question needs: factors, K⁻¹1, and K⁻¹(y − c)."""
        problems = self.problems
        K = kernel(problems, self.theta, problems.X, problems.X)
        self._factor = factors(problems, self.theta, K)
        self._measured = (problems.r > 0).to(K)
        pair = torch.stack([self._measured, problems.y], dim=-1)
        solved = torch.cholesky_solve(pair, self._factor)
        self._precision = (solved[..., 0] * self._measured).sum(-1)
        self._constant = (solved[..., 1] * self._measured).sum(-1) / self._precision
        self._ones = solved[..., 0]
        self._alpha = solved[..., 1] - self._constant[:, None] * solved[..., 0]

    @property
    def num_outputs(self) -> int:
        """m."""
        return len(self.shift)

    @property
    def batch_shape(self) -> torch.Size:
        """Empty: one set of data."""
        return torch.Size()

    @property
    def noise(self) -> Tensor:
        """(m,) expected variance of one measurement about its mean, in work space."""
        return self._averaged(noise_variance(self.theta)) * self.scale**2

    @property
    def weights(self) -> list[dict[str, float]]:
        """For each outcome, the weight of each belief that matters."""
        parts: list[dict[str, float]] = [{} for _ in range(self.num_outputs)]
        for belief, place, weight in zip(
            self.beliefs, self.outcome.tolist(), self.weight.tolist(), strict=True
        ):
            parts[place][belief.name] = parts[place].get(belief.name, 0.0) + weight
        return parts

    def _averaged(self, values: Tensor) -> Tensor:
        """Average (B, …) over beliefs → (m, …)."""
        shape = (-1, *[1] * (values.ndim - 1))
        total = values.new_zeros(self.num_outputs, *values.shape[1:])
        return total.index_add(0, self.outcome, values * self.weight.reshape(shape))

    def _cross(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return scaled inputs, means (…, B, q), L⁻¹k (…, B, n, q) and 1 − k K⁻¹ 1 (…, B, q)."""
        problems = self.problems
        Z = self.columns.scaled(X).unsqueeze(-3)
        K = kernel(problems, self.theta, Z, problems.X) * self._measured.unsqueeze(-2)
        mean = self._constant[:, None] + (K @ self._alpha.unsqueeze(-1)).squeeze(-1)
        rest = 1.0 - (K @ self._ones.unsqueeze(-1)).squeeze(-1)
        V = torch.linalg.solve_triangular(self._factor, K.transpose(-1, -2), upper=False)
        return Z, mean, V, rest

    def _joint(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return means (…, m, q) and covariances (…, m, q, q) of X (…, q, d), in work space."""
        Z, mean, V, rest = self._cross(X)
        rest = rest / self._precision.sqrt()[:, None]
        covariance = (
            kernel(self.problems, self.theta, Z, Z)
            - V.transpose(-1, -2) @ V
            + rest.unsqueeze(-1) * rest.unsqueeze(-2)
        )
        lead = mean.ndim - 2
        average = self._over(mean, lead)
        off = mean - average.index_select(lead, self.outcome)
        spread = self._over(covariance + off.unsqueeze(-1) * off.unsqueeze(-2), lead)
        spread = 0.5 * (spread + spread.transpose(-1, -2))
        return (
            average * self.scale[:, None] + self.shift[:, None],
            spread * self.scale[:, None, None] ** 2,
        )

    def _over(self, values: Tensor, lead: int) -> Tensor:
        """Average over beliefs along dimension ``lead``."""
        moved = self._averaged(values.movedim(lead, 0))
        return moved.movedim(0, lead)

    @exclusive
    def joint_moments(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return means (m, p) and covariances (m, p, p) of the outcomes without noise."""
        with torch.no_grad():
            mean, covariance = self._joint_by_member(X.to(self.theta))
        return mean.to(X.device), covariance.to(X.device)

    def _joint_by_member(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return what :meth:`_joint` does of X (p, d), with one p × p matrix a member at a time.

        Of 1,400 points a matrix takes 15 MB, and there are some fifteen members.
        """
        Z, mean, V, rest = self._cross(X)
        average = self._averaged(mean)
        off = mean - average[self.outcome]
        rest = rest / self._precision.sqrt()[:, None]
        total = mean.new_zeros(self.num_outputs, len(X), len(X))
        for member, (place, weight) in enumerate(zip(self.outcome, self.weight, strict=True)):
            problem = self.problems.of([member])
            covariance = kernel_in_parts(problem, self.theta[member, None], Z[0], Z[0])[0]
            covariance -= V[member].T @ V[member]
            covariance.addr_(rest[member], rest[member]).addr_(off[member], off[member])
            total[place].add_(covariance, alpha=float(weight))
        total = 0.5 * (total + total.transpose(-1, -2))
        return (
            average * self.scale[:, None] + self.shift[:, None],
            total * self.scale[:, None, None] ** 2,
        )

    @exclusive
    def asked(self, X: Tensor) -> AskedPoints:
        """Return the outcomes without noise at X (p, d), jointly but column by column.

        The same moments as :meth:`joint_moments`, of whose covariances most are never needed.
        """
        with torch.no_grad():
            Z, mean, V, rest = self._cross(X.to(self.theta))
        standard = torch.stack([self.shift, self.scale])
        average = Average(self.problems, self.theta, self.outcome, self.weight, standard)
        return AskedPoints(average, Z[0], mean, V, rest / self._precision.sqrt()[:, None])

    @exclusive
    def marginal_moments(
        self, X: Tensor, *, observation_noise: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Return means and variances (p, m) of each of X (p, d) by itself."""
        means, variances = [], []
        with torch.no_grad():
            for part in X.to(self.theta).split(_POINTS_AT_ONCE):
                _, mean, V, rest = self._cross(part)
                variance = (
                    prior_variance(self.theta)[:, None]
                    - (V * V).sum(-2)
                    + rest**2 / self._precision[:, None]
                ).clamp_min(1e-12)
                average = self._averaged(mean)
                variance = self._averaged(variance + (mean - average[self.outcome]) ** 2)
                means.append(average.T * self.scale + self.shift)
                spread = variance.T * self.scale**2
                variances.append(spread + self.noise if observation_noise else spread)
        return torch.cat(means).to(X.device), torch.cat(variances).to(X.device)

    def prior_variances(self, X: Tensor) -> Tensor:
        """Return (p, m): the variance of each outcome at X (p, d) before any result."""
        variance = self._averaged(prior_variance(self.theta)) * self.scale**2
        return variance.to(X.device).expand(len(X), -1)

    @exclusive
    def leave_one_out(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Predict each condition's mean from all other conditions, hyperparameters held.

        Rasmussen & Williams 2006, eqs. 5.10–5.12 with c integrated out. Standardised units; the
        variances are of such a mean, noise included.
        """
        inverse = torch.cholesky_inverse(self._factor)
        inverse = inverse - self._ones.unsqueeze(-1) * (
            self._ones / self._precision[:, None]
        ).unsqueeze(-2)
        diagonal = inverse.diagonal(dim1=-2, dim2=-1).clamp_min(1e-12)
        mean = self.problems.y - self._alpha / diagonal
        variance = 1.0 / diagonal
        average = self._averaged(mean)
        variance = self._averaged(variance + (mean - average[self.outcome]) ** 2)
        observed, means, variances = [], [], []
        for place in range(self.num_outputs):
            rows = self.merged.count[:, place] > 0
            values = (self.merged.mean[rows, place] - self.shift[place]) / self.scale[place]
            observed.append(values.cpu())
            means.append(average[place, rows].cpu())
            variances.append(variance[place, rows].cpu())
        return observed, means, variances

    def outcomes_of(self, places: Sequence[int]) -> AveragedGP:
        """Return the model of some of its outcomes, in the order of ``places``."""
        chosen = list(places)
        merged = replace(
            self.merged,
            mean=self.merged.mean[:, chosen],
            count=self.merged.count[:, chosen],
            scatter=self.merged.scatter[chosen],
            degrees=self.merged.degrees[chosen],
        )
        members = Members(self.theta, self.outcome, self.weight, self.beliefs).of(chosen)
        maxima = None if self._maxima is None else self._maxima.of(chosen)
        standard = torch.stack([self.shift, self.scale])[:, chosen]
        return AveragedGP(merged, self.columns, members, standard, maxima)

    def at_maxima(self) -> AveragedGP:
        """Return the model whose hyperparameters are taken to be the most likely ones."""
        if self._maxima is None:
            return self
        standard = torch.stack([self.shift, self.scale])
        return AveragedGP(self.merged, self.columns, self._maxima, standard)

    def subset_output(self, idcs: list[int]) -> AveragedGP:
        """BoTorch's name of :meth:`outcomes_of`."""
        return self.outcomes_of(idcs)

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any = None,
    ) -> Any:
        """Return BoTorch's posterior at X (…, q, d); differentiable in X."""
        if output_indices is not None:
            return self.outcomes_of(output_indices).posterior(
                X, observation_noise=observation_noise, posterior_transform=posterior_transform
            )
        mean, covariance = self._joint(X.to(self.theta))
        if isinstance(observation_noise, Tensor) or observation_noise:
            noise = (
                observation_noise.mean(dim=-2)
                if isinstance(observation_noise, Tensor)
                else self.noise
            )
            eye = torch.eye(X.shape[-2], dtype=mean.dtype, device=mean.device)
            covariance = covariance + noise[..., :, None, None] * eye
        return as_posterior(mean, covariance, posterior_transform)


def problems_of(
    merged: Merged,
    columns: Columns,
    owners: tuple[Sequence[Belief], Tensor],
    standard: Tensor,
    priors: Tensor,
) -> Problems:
    """Return the problems of ``owners``: the belief and the outcome of each.

    Args:
        merged: what was measured, m outcomes.
        columns: how inputs are measured by the kernel.
        owners: B beliefs, and whose they are, (B,).
        standard: (2, m) mean and spread of the standardisation.
        priors: (2, B, D + 5) locations and scales.
    """
    beliefs, outcome = owners
    shift, scale = standard
    counts = merged.count.T[outcome]
    y = ((merged.mean - shift) / scale).T[outcome]
    return Problems(
        columns.scaled(merged.X),
        torch.tensor(columns.group, device=merged.X.device, dtype=torch.long),
        torch.tensor([belief.is_squared for belief in beliefs], device=merged.X.device),
        torch.tensor([belief.is_additive for belief in beliefs], device=merged.X.device),
        torch.where(counts > 0, y, 0.0),
        counts,
        (merged.scatter / scale**2)[outcome],
        merged.degrees[outcome],
        priors[0],
        priors[1],
    )
