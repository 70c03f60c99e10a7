r"""Two models of the same outcomes, averaged.

Each errs in its own way: a model that leans on sources where the lab at hand is not like them, the
plain one where results are far. Of the mixture with share s

.. math:: \mu = s\,\mu_1 + (1 - s)\,\mu_2, \qquad
          \Sigma = s\,\Sigma_1 + (1 - s)\,\Sigma_2 + s (1 - s)\,(\mu_1 - \mu_2)(\mu_1 - \mu_2)^\top

are the moments, and a Gaussian with them is the answer: where the two disagree it is less sure
(Bayesian model averaging: Hoeting, Madigan, Raftery & Volinsky 1999). The share is not that of the
evidences, which ten outcomes of the same runs make too sure, but the one with which left-out runs
are predicted best (stacking: Yao, Vehtari, Simpson & Gelman 2018), held near an expected one e:

.. math:: \hat s = \arg\max_s \sum_{io} \log\big(s\,p_1(y_{io} \mid y_{-i})
          + (1 - s)\,p_2(y_{io} \mid y_{-i})\big) + w e \log s + w (1 - e) \log(1 - s)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from botorch.models.model import Model
from torch import Tensor

from surrogate.exclusive import exclusive
from surrogate.gp import joint_moments, leave_one_out, marginal_moments, outcomes_of
from surrogate.gp import prior_variances as prior_variances_of
from surrogate.posteriors import as_posterior

LeftOut = tuple[list[Tensor], list[Tensor], list[Tensor]]


_WEIGHT = 20.0
"""How many left-out values the expected share is worth."""


def mixed(leading: Model, other: Model, *, expected: float) -> MixedModel:
    """Return the mixture by which left-out runs are predicted best.

    ``expected``: the leading model's share before any result, 0 … 1. It stays with replicates, of
    which the models leave out different things: one a row, the other a condition.
    """
    left_out = leave_one_out(leading), leave_one_out(other)
    return MixedModel(leading, other, stacked_share(*left_out, expected=expected))


def stacked_share(leading: LeftOut, other: LeftOut, *, expected: float) -> float:
    """Return ŝ from two models' left-out runs: values, means and variances of each outcome.

    Units may differ by a shift and a factor for each outcome.
    """
    gains = []
    for (y, mean, variance), (ours, centre, spread) in zip(
        zip(*leading, strict=True), zip(*other, strict=True), strict=True
    ):
        if len(y) != len(ours) or len(y) < 2:
            return expected
        factor = y.std() / ours.std()
        shift = y.mean() - factor * ours.mean()
        if not torch.allclose(shift + factor * ours, y, rtol=1e-4, atol=1e-6 * float(y.std())):
            return expected
        first = _log_density(y, mean, variance)
        gains.append(first - _log_density(y, shift + factor * centre, factor**2 * spread))
    log_odds = torch.cat(gains)
    shares = torch.linspace(0.005, 0.995, 199, dtype=log_odds.dtype).unsqueeze(-1)
    # log (s p₁ + (1 − s) p₂) but for log p₂, which no share changes.
    fit = torch.logaddexp(shares.log() + log_odds, (1 - shares).log()).sum(dim=-1)
    prior = expected * shares.log() + (1 - expected) * (1 - shares).log()
    return float(shares[int((fit + _WEIGHT * prior.squeeze(-1)).argmax())])


def _log_density(y: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return -0.5 * (variance.log() + (y - mean).square() / variance)


class MixedModel(Model):
    """The mixture of ``leading``, with ``share`` in 0 … 1, and ``other``; m outcomes each."""

    def __init__(self, leading: Model, other: Model, share: float) -> None:
        super().__init__()
        self.leading, self.other, self.share = leading, other, share

    @property
    def num_outputs(self) -> int:
        """m."""
        return int(self.leading.num_outputs)

    @property
    def batch_shape(self) -> torch.Size:
        """Empty: one set of data."""
        return torch.Size()

    def _mean(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mixture's mean, and √(s (1 − s)) times the difference."""
        apart = (self.share * (1 - self.share)) ** 0.5 * (first - second)
        return self.share * first + (1 - self.share) * second, apart

    @exclusive
    def joint_moments(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return means (m, p) and covariances (m, p, p) of the outcomes without noise."""
        first, covariances = joint_moments(self.leading, X)
        second, others = joint_moments(self.other, X)
        mean, apart = self._mean(first, second)
        mixed = self.share * covariances + (1 - self.share) * others
        return mean, mixed.addcmul_(apart.unsqueeze(-1), apart.unsqueeze(-2))

    @exclusive
    def marginal_moments(
        self, X: Tensor, *, observation_noise: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Return means and variances (p, m) of each point by itself."""
        first, variances = marginal_moments(self.leading, X, observation_noise=observation_noise)
        second, others = marginal_moments(self.other, X, observation_noise=observation_noise)
        mean, apart = self._mean(first, second)
        return mean, self.share * variances + (1 - self.share) * others + apart.square()

    @exclusive
    def prior_variances(self, X: Tensor) -> Tensor:
        """Return (p, m): the variance of each outcome at X (p, d) before any result."""
        first, second = (prior_variances_of(model, X) for model in (self.leading, self.other))
        return self.share * first + (1 - self.share) * second

    def leave_one_out(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return those of the leading model, which counts rows where the plain one counts means."""
        return leave_one_out(self.leading)

    def outcomes_of(self, places: Sequence[int]) -> MixedModel:
        """Return the model of some of its outcomes, in the order of ``places``."""
        leading, other = (outcomes_of(model, places) for model in (self.leading, self.other))
        return MixedModel(leading, other, self.share)

    def subset_output(self, idcs: list[int]) -> MixedModel:
        """BoTorch's name of :meth:`outcomes_of`."""
        return self.outcomes_of(idcs)

    @exclusive
    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any = None,
    ) -> Any:
        """Return BoTorch's posterior at X (…, q, d), outcomes apart; differentiable in X."""
        places = range(self.num_outputs) if output_indices is None else output_indices
        means, covariances = [], []
        for place in places:
            (first, one), (second, other) = (
                _moments(outcomes_of(model, [place]), X, observation_noise)
                for model in (self.leading, self.other)
            )
            mean, apart = self._mean(first, second)
            spread = apart.unsqueeze(-1) * apart.unsqueeze(-2)
            means.append(mean)
            covariances.append(self.share * one + (1 - self.share) * other + spread)
        return as_posterior(
            torch.stack(means, dim=-2), torch.stack(covariances, dim=-3), posterior_transform
        )


def _moments(model: Model, X: Tensor, observation_noise: bool | Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (…, q) and covariance (…, q, q) of a model of one outcome."""
    posterior = model.posterior(X, observation_noise=observation_noise)
    return posterior.mean.squeeze(-1), posterior.distribution.covariance_matrix
