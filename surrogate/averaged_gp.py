r"""The plain surrogate: Gaussian processes under a few beliefs, averaged by their evidence.

No single prior serves every campaign. A robot's colour has hardly any noise, the strength of a mat
is noise for the most part; a yield may jump from one setting to the next, a diameter hardly bends.
So each outcome is fitted under each of a few beliefs about noise and smoothness
(:data:`BELIEFS`), and what they expect is averaged with the weights that the results give them:

.. math:: w_b \propto p(b) \int p(y \mid \theta)\, p(\theta \mid b)\, d\theta

Replicates enter as their mean and their scatter, which pins the noise
(:mod:`surrogate.kernel_fit`, with the kernel and its notation). The average over beliefs is a
mixture; it is handed on as the Gaussian with its mean and covariance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from torch import Tensor

from surrogate.exclusive import exclusive
from surrogate.kernel_fit import Problems, factors, fit, kernel, prior_variance

# Below it a belief changes no digit that anybody reads, and would cost as much as the first.
_LEAST_WEIGHT = 0.005
# As many points are asked together: the covariance with the runs is kept for each.
_POINTS_AT_ONCE = 512


@dataclass(frozen=True)
class Belief:
    """What is expected of an outcome: location and scale of normal priors of logarithms.

    In units of the standardised outcome and of the unit cube. ``lengthscale``: ``None`` takes the
    modes of BoTorch's default, LogNormal(√2 + ½ ln d, √3) (Hvarfner, Hellsten & Nardi 2024): a
    normal with the location μ − σ² has its maximum where the log-normal density of the value has.
    """

    name: str
    noise: tuple[float, float]
    lengthscale: tuple[float, float] | None
    outputscale: tuple[float, float] = (-0.7, 1.0)
    is_noisy: bool = False

    def priors(self, n_lengthscales: int) -> tuple[list[float], list[float]]:
        """Return locations and scales for D lengthscales, the isotropic one, a₁, a₂ and σ²."""
        by_dimension = math.sqrt(2) + 0.5 * math.log(n_lengthscales) - 3.0, math.sqrt(3)
        length = self.lengthscale or by_dimension
        pairs = [length] * (n_lengthscales + 1) + [self.outputscale] * 2 + [self.noise]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


_SMOOTH = (0.5, 0.7)

BELIEFS = (
    Belief("noisy, smooth", (-0.5, 0.5), _SMOOTH, is_noisy=True),
    Belief("clean, smooth", (-4.0, 1.0), _SMOOTH),
    Belief("noisy, any", (-0.75, 0.5), None, is_noisy=True),
    Belief("clean, any", (-5.0, 1.0), None),
)
"""Specimens of one mat scatter as in the first and third; a robot's measurements as in the rest."""


NOISE_IS_RARE = math.exp(3.0)
"""Odds against noise of the size of the signal, in fields where nothing speaks for it."""


@dataclass(frozen=True)
class PlainInputs:
    """What the plain surrogate is told of a campaign besides its results.

    ``choices``: columns of X that are one-hot together. ``is_of_specimens``: whether results are of
    single specimens, as in the testing of mats, so that noise is as likely as not; elsewhere it
    has to be :data:`NOISE_IS_RARE` times better supported.
    """

    choices: tuple[tuple[int, ...], ...] = ()
    is_of_specimens: bool = True


MATS = PlainInputs()
"""A campaign of numbers only, its results of single specimens."""


@dataclass(frozen=True)
class Merged:
    """Measurements by distinct condition: the sufficient statistics of replicates.

    ``X`` (n, d); ``mean``, ``count`` (n, m), 0 where an outcome has none; ``scatter``,
    ``degrees`` (m,): squares about the means and how many are free.
    """

    X: Tensor
    mean: Tensor
    count: Tensor
    scatter: Tensor
    degrees: Tensor


def merge_replicates(X: Tensor, Y: Tensor) -> Merged:
    """Merge rows of equal conditions.

    A row that repeats another to the last digit in every group is a copy, not a measurement: where
    no replicate of an outcome differs from its fellows, they count once.

    >>> X = torch.tensor([[0.0], [1.0], [0.0]])
    >>> merged = merge_replicates(X, torch.tensor([[1.0], [5.0], [3.0]]))
    >>> merged.mean.flatten().tolist(), merged.scatter.item(), merged.degrees.item()
    ([2.0, 5.0], 2.0, 1.0)
    """
    distinct, place = torch.unique(X, dim=0, return_inverse=True)
    # In the order of their first rows, so that nothing depends on how conditions are sorted.
    first = torch.full((len(distinct),), len(X)).scatter_reduce(
        0, place.cpu(), torch.arange(len(X)), reduce="amin"
    )
    order = first.argsort()
    place = order.argsort().to(place.device)[place]
    is_measured = ~torch.isnan(Y)
    values = Y.nan_to_num()
    zeros = values.new_zeros(len(distinct), Y.shape[-1])
    count = zeros.index_add(0, place, is_measured.to(values))
    mean = zeros.index_add(0, place, values) / count.clamp_min(1)
    off = torch.where(is_measured, values - mean[place], 0.0)
    scatter = (off**2).sum(0)
    degrees = (count - 1).clamp_min(0).sum(0)
    size = torch.where(is_measured, values, 0.0).abs().amax(0).clamp_min(1e-300)
    copied = (degrees > 0) & (off.abs().amax(0) <= 1e-12 * size)
    count = torch.where(copied, count.clamp_max(1), count)
    degrees = torch.where(copied, 0.0, degrees)
    scatter = torch.where(copied, 0.0, scatter)
    return Merged(distinct[order.to(distinct.device)], mean, count, scatter, degrees)


@dataclass(frozen=True)
class Members:
    """The Gaussian processes that are averaged: an outcome under a belief each, B of them.

    ``theta`` (B, D + 4); ``outcome`` (B,) whose; ``weight`` (B,), summing to one for an outcome;
    ``beliefs`` (B,) names.
    """

    theta: Tensor
    outcome: Tensor
    weight: Tensor
    beliefs: tuple[str, ...]


class AveragedGP(Model):
    """Exact Gaussian processes over m outcomes, averaged over beliefs; see :func:`fit_averaged`.

    Args:
        merged: what was measured, in work space.
        columns: how inputs are measured by the kernel.
        members: what is averaged.
        standard: (2, m) mean and spread of the standardisation.
        log_evidence: (m,) of each outcome under all its beliefs, in nats.
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
        log_evidence: Tensor,
    ) -> None:
        super().__init__()
        self.merged, self.columns = merged, columns
        self.beliefs = members.beliefs
        self.log_evidence = log_evidence
        for name, tensor in (
            ("theta", members.theta),
            ("outcome", members.outcome),
            ("weight", members.weight),
            ("shift", standard[0]),
            ("scale", standard[1]),
        ):
            self.register_buffer(name, tensor)
        flat = torch.zeros_like(self.theta), torch.ones_like(self.theta)
        self.problems = _problems(merged, columns, self.outcome, standard, flat)
        self._solve()

    def _solve(self) -> None:
        """Keep what every question needs: factors, K⁻¹1, and K⁻¹(y − c)."""
        problems = self.problems
        K = kernel(self.theta, problems.group, problems.X, problems.X)
        self._factor = factors(problems, self.theta, K)
        self._measured = (problems.r > 0).to(K)
        pair = torch.stack([self._measured, problems.y], dim=-1)
        solved = torch.cholesky_solve(pair, self._factor)
        self._precision = (solved[..., 0] * self._measured).sum(-1)
        self._constant = (solved[..., 1] * self._measured).sum(-1) / self._precision
        self._ones = solved[..., 0]
        self._alpha = solved[..., 1] - self._constant[:, None] * solved[..., 0]
        self._inverse: Tensor | None = None

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
        return self._averaged(self.theta[:, -1].exp()) * self.scale**2

    @property
    def weights(self) -> list[dict[str, float]]:
        """For each outcome, the weight of each belief that matters."""
        parts: list[dict[str, float]] = [{} for _ in range(self.num_outputs)]
        for name, place, weight in zip(
            self.beliefs, self.outcome.tolist(), self.weight.tolist(), strict=True
        ):
            parts[place][name] = weight
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
        K = kernel(self.theta, problems.group, Z, problems.X) * self._measured.unsqueeze(-2)
        mean = self._constant[:, None] + (K @ self._alpha.unsqueeze(-1)).squeeze(-1)
        rest = 1.0 - (K @ self._ones.unsqueeze(-1)).squeeze(-1)
        V = torch.linalg.solve_triangular(self._factor, K.transpose(-1, -2), upper=False)
        return Z, mean, V, rest

    def _joint(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return means (…, m, q) and covariances (…, m, q, q) of X (…, q, d), in work space."""
        Z, mean, V, rest = self._cross(X)
        rest = rest / self._precision.sqrt()[:, None]
        covariance = (
            kernel(self.theta, self.problems.group, Z, Z)
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
            mean, covariance = self._joint(X.to(self.theta))
        return mean.to(X.device), covariance.to(X.device)

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
        kept = [
            (belief, place)
            for place, outcome in enumerate(places)
            for belief in range(len(self.outcome))
            if int(self.outcome[belief]) == outcome
        ]
        rows = [belief for belief, _ in kept]
        chosen = list(places)
        merged = replace(
            self.merged,
            mean=self.merged.mean[:, chosen],
            count=self.merged.count[:, chosen],
            scatter=self.merged.scatter[chosen],
            degrees=self.merged.degrees[chosen],
        )
        members = Members(
            self.theta[rows],
            torch.tensor([place for _, place in kept], device=self.outcome.device),
            self.weight[rows],
            tuple(self.beliefs[row] for row in rows),
        )
        standard = torch.stack([self.shift, self.scale])[:, chosen]
        return AveragedGP(merged, self.columns, members, standard, self.log_evidence[chosen])

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
        jitter = 1e-8 * covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
        covariance = covariance + jitter * torch.eye(X.shape[-2]).to(covariance)
        # One outcome or many: BoTorch wants the outcomes last, and none for a single one.
        normals = [
            MultivariateNormal(mean[..., place, :], covariance[..., place, :, :])
            for place in range(self.num_outputs)
        ]
        joint = (
            normals[0]
            if len(normals) == 1
            else MultitaskMultivariateNormal.from_independent_mvns(normals)
        )
        posterior = GPyTorchPosterior(joint)
        return posterior if posterior_transform is None else posterior_transform(posterior)


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

    def scaled(self, X: Tensor) -> Tensor:
        """Return X (…, d) with each column times its factor."""
        return X * torch.tensor(self.factor, dtype=X.dtype, device=X.device)


@exclusive
def fit_averaged(
    X: Tensor,
    Y: Tensor,
    *,
    inputs: PlainInputs = MATS,
    beliefs: Sequence[Belief] = BELIEFS,
    fit_rows: int = 320,
) -> AveragedGP:
    """Fit every outcome under every belief, and weigh the beliefs by their evidence.

    Args:
        X: (n, d) conditions in the unit cube.
        Y: (n, m) outcomes in work space, NaN where not measured; equal rows of X are replicates.
        inputs: what is known of the campaign.
        beliefs: what to average over.
        fit_rows: with more distinct conditions than this, hyperparameters are fitted to a sample of
            so many; the posterior is exact on all all the same.

    Raises:
        FitError: a covariance that cannot be factorised.

    >>> X = torch.linspace(0, 1, 8, dtype=torch.float64).unsqueeze(-1)
    >>> model = fit_averaged(X, torch.sin(6 * X))
    >>> means, covariances = model.joint_moments(X[:3])
    >>> means.shape, covariances.shape
    (torch.Size([1, 3]), torch.Size([1, 3, 3]))
    """
    m = Y.shape[-1]
    columns = Columns.of(inputs.choices, X.shape[-1])
    merged = merge_replicates(X, Y)
    standard = _standardisation(merged)
    outcome = torch.arange(m, device=X.device).repeat(len(beliefs))
    pairs = [belief.priors(columns.n_lengthscales) for belief in beliefs]
    priors = torch.tensor(pairs, dtype=X.dtype, device=X.device).repeat_interleave(m, dim=0)
    problems = _problems(
        _sampled(merged, fit_rows), columns, outcome, standard, (priors[:, 0], priors[:, 1])
    )
    result = fit(problems)
    rare = 0.0 if inputs.is_of_specimens else math.log(NOISE_IS_RARE)
    against = torch.tensor([rare if belief.is_noisy else 0.0 for belief in beliefs]).to(X)
    evidence = result.log_evidence.reshape(len(beliefs), m) - against[:, None]
    weight = torch.softmax(evidence, dim=0).reshape(-1)
    kept = (weight > _LEAST_WEIGHT).nonzero().squeeze(-1)
    totals = weight.new_zeros(m).index_add(0, outcome[kept], weight[kept])
    names = [belief.name for belief in beliefs for _ in range(m)]
    members = Members(
        result.theta[kept],
        outcome[kept],
        weight[kept] / totals[outcome[kept]],
        tuple(names[row] for row in kept.tolist()),
    )
    total = torch.logsumexp(evidence, dim=0) - math.log(len(beliefs))
    return AveragedGP(merged, columns, members, standard, total)


def _standardisation(merged: Merged) -> Tensor:
    """Return mean and spread (2, m) of what was measured; an outcome without spread keeps 1."""
    measured = (merged.count > 0).to(merged.mean)
    n = measured.sum(0).clamp_min(1)
    shift = (merged.mean * measured).sum(0) / n
    off = (merged.mean - shift) * measured
    total = (off**2).sum(0) + merged.scatter
    scale = (total / (n + merged.degrees - 1).clamp_min(1)).sqrt()
    scale = torch.where(scale > 1e-12 * (1e-300 + shift.abs()), scale, 1.0)
    return torch.stack([shift, scale])


def _sampled(merged: Merged, most: int) -> Merged:
    n = len(merged.X)
    if n <= most:
        return merged
    # The same rows give the same sample: a proposal that is replayed has the same hyperparameters.
    generator = torch.Generator().manual_seed(n)
    rows = torch.randperm(n, generator=generator)[:most].sort().values.to(merged.X.device)
    return replace(merged, X=merged.X[rows], mean=merged.mean[rows], count=merged.count[rows])


def _problems(
    merged: Merged,
    columns: Columns,
    outcome: Tensor,
    standard: Tensor,
    priors: tuple[Tensor, Tensor],
) -> Problems:
    shift, scale = standard
    counts = merged.count.T[outcome]
    y = ((merged.mean - shift) / scale).T[outcome]
    return Problems(
        columns.scaled(merged.X),
        torch.tensor(columns.group, device=merged.X.device, dtype=torch.long),
        torch.where(counts > 0, y, 0.0),
        counts,
        (merged.scatter / scale**2)[outcome],
        merged.degrees[outcome],
        *priors,
    )
