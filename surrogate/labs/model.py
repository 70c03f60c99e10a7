r"""A campaign as one more lab: the posterior of all outcomes together, as a BoTorch model.

.. math:: y_o(x) = c_o + a\,(\mu_o(x) + \Phi_o(x) \cdot z) + \sum_s b_{so} h_{so}(x) + \delta_o(x)
          + \varepsilon_o

z is normal (:class:`~surrogate.labs.population.Neighbourhood`), c and b are normal too, δ is a
Gaussian process whose outcomes go together, ε the noise of one specimen. All of it is Gaussian, so
the posterior is exact.

Hyperparameters are at their maximum, so that variances come out too small where the truth is not
of the model's form. Each run is predicted from the others, and variances of outcome o are
multiplied by

.. math:: q_o = \mathrm{clip}\Big(
          \frac{\sum_i e_{io}^2 / v_{io} + n_0 \bar q}{n_o + n_0},\; 1,\; 4\Big)

with the errors e and variances v of left-out runs, q̄ the same over all outcomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from botorch.models.model import Model
from botorch.posteriors import GPyTorchPosterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from torch import Tensor

from surrogate.errors import InputError
from surrogate.exclusive import exclusive
from surrogate.labs.algebra import Factorised, factorised
from surrogate.labs.features import LEVEL, Features
from surrogate.labs.hyperparameters import Hyperparameters, Setting

_PRIOR_RUNS, _PRIOR_VALUES = 10.0, 30.0
_LARGEST_FACTOR = 4.0
# So many points at a time go through the network.
_POINTS_AT_ONCE = 2048


@dataclass(frozen=True)
class State:
    """A fit: what was learnt from the rows, in units of s about the means; ``factor`` (m,) is q."""

    features: Features
    setting: Setting
    hyperparameters: Hyperparameters
    solved: Factorised
    factor: Tensor


class LabsModel(Model):
    """The posterior; ``outcomes`` are those of ``state`` that it tells, in this order.

    Args:
        state: of the fit.
        places: of the fit's outcomes, those that it tells; all if ``None``.
    """

    def __init__(self, state: State, places: Sequence[int] | None = None) -> None:
        super().__init__()
        self.state = state
        m = state.setting.Y.shape[-1]
        self.places = tuple(range(m)) if places is None else tuple(places)
        # Points are taken to where parameters live.
        self.register_buffer("_home", torch.zeros(1, dtype=torch.double))

    @classmethod
    def condition(cls, features: Features, setting: Setting, x: Tensor) -> LabsModel:
        """Return the exact posterior on the rows of ``setting``, hyperparameters given."""
        m, d = setting.Y.shape[-1], setting.X.shape[-1]
        with torch.no_grad():
            h = Hyperparameters(x.detach(), m, d)
            solved = factorised(
                h.parts(setting), setting.F, setting.Y - h.mean(setting), is_final=True
            )
            factor = variance_factor(setting.Y, *_left_out(setting.Y, solved))
        return cls(State(features, setting, h, solved, factor))

    @property
    def num_outputs(self) -> int:
        """How many outcomes it tells."""
        return len(self.places)

    @property
    def batch_shape(self) -> torch.Size:
        """No batch: one fit."""
        return torch.Size([])

    @exclusive
    def outcomes_of(self, places: Sequence[int]) -> LabsModel:
        """Return the model of some of its outcomes, which rests on all results as before."""
        return LabsModel(self.state, [self.places[place] for place in places])

    def subset_output(self, idcs: list[int]) -> LabsModel:
        """BoTorch's name of :meth:`outcomes_of`."""
        return self.outcomes_of(idcs)

    # -- the posterior, in units of s ------------------------------------------------------------

    def _at(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features (..., p, m, J), prior mean (..., p, m) and kernel (..., p, n)."""
        state = self.state
        F, labs_mean, sources_mean = state.features(X)
        mean = state.hyperparameters.amplitude * labs_mean + sources_mean
        return F, mean, state.hyperparameters.kernel(X, state.setting.X)

    def _mean(self, at: tuple[Tensor, Tensor, Tensor], outcome: int) -> Tensor:
        F, prior, K = at
        solved, B = self.state.solved, self.state.solved.parts.B
        return (
            prior[..., outcome]
            + F[..., outcome, :] @ solved.theta
            + K @ (solved.alpha @ B[:, outcome])
        )

    def _unsure(self, at: tuple[Tensor, Tensor, Tensor], outcome: int) -> Tensor:
        """Return (..., p, J): how an outcome moves with the features' weights, data considered."""
        F, _, K = at
        moved: Tensor = F[..., outcome, :] - self.state.solved.shadow(K, outcome)
        half = torch.linalg.solve_triangular(
            self.state.solved.root, moved.transpose(-1, -2), upper=False
        )
        return half.transpose(-1, -2)

    def _covariance(
        self, X: Tensor, at: tuple[Tensor, Tensor, Tensor], row: int, column: int
    ) -> Tensor:
        """Return (..., p, p) between two outcomes without noise."""
        state = self.state
        prior = state.solved.parts.B[row, column] * state.hyperparameters.kernel(X, X)
        first = self._unsure(at, row)
        second = first if row == column else self._unsure(at, column)
        explained = state.solved.explained(at[2], row, column)
        return prior - explained + first @ second.transpose(-1, -2)

    def _variance(self, at: tuple[Tensor, Tensor, Tensor], outcome: int) -> Tensor:
        solved = self.state.solved
        remaining = solved.parts.B[outcome, outcome] - solved.explained_diagonal(at[2], outcome)
        return remaining.clamp_min(1e-10) + self._unsure(at, outcome).square().sum(dim=-1)

    # -- work space ------------------------------------------------------------------------------

    @exclusive
    def joint_moments(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return means (m, p) and covariances (m, p, p) without noise, each outcome by itself."""
        X = self._on_cpu(X)
        shift, unit = self.state.features.shift, self.state.features.unit
        with torch.no_grad():
            at = self._at(X)
            centres = torch.stack([self._mean(at, o) for o in self.places])
            covariances = torch.stack([self._covariance(X, at, o, o) for o in self.places])
        places = list(self.places)
        centres = shift[places, None] + unit[places, None] * centres
        scale = (unit.square() * self.state.factor)[places]
        return centres, covariances * scale[:, None, None]

    @exclusive
    def marginal_moments(
        self, X: Tensor, *, observation_noise: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Return means and variances (p, m) of each point by itself."""
        places = list(self.places)
        shift, unit = self.state.features.shift[places], self.state.features.unit[places]
        centres, variances = [], []
        with torch.no_grad():
            for part in self._on_cpu(X).split(_POINTS_AT_ONCE):
                at = self._at(part)
                centres.append(torch.stack([self._mean(at, o) for o in places], dim=-1))
                variances.append(torch.stack([self._variance(at, o) for o in places], dim=-1))
        noise = self.state.solved.parts.N.diagonal()[places] if observation_noise else 0.0
        variance = (torch.cat(variances) + noise) * unit.square() * self.state.factor[places]
        return shift + unit * torch.cat(centres), variance

    @exclusive
    def prior_variances(self, X: Tensor) -> Tensor:
        """Return (p, m): the variance of each outcome at X (p, d) before any result.

        Of the labs' and sources' weights and of the discrepancy; the level is not counted.
        """
        state = self.state
        places = list(self.places)
        with torch.no_grad():
            F, _, _ = state.features(self._on_cpu(X))
            variance = state.hyperparameters.v(state.setting.kind, state.setting.fixed)
            of_weights = (F.square() * variance * (state.setting.kind != LEVEL)).sum(dim=-1)
            of_discrepancy = state.solved.parts.B.diagonal()
        scale = state.features.unit.square() * state.factor
        return ((of_weights + of_discrepancy) * scale)[:, places]

    @exclusive
    def leave_one_out(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Predict each row from the others, all of its outcomes left out, hyperparameters held.

        Returns:
            For each outcome the observed values (n,), means and variances (with noise), in work
            space; rows in which it was measured.
        """
        state = self.state
        Y = state.setting.Y
        measured = ~torch.isnan(Y)
        error, variance = _left_out(Y, state.solved)
        variance = variance * state.factor
        observed, expected, variances = [], [], []
        for o in self.places:
            rows, unit = measured[:, o], state.features.unit[o]
            values = state.features.shift[o] + unit * Y[rows, o]
            observed.append(values)
            expected.append(values - unit * error[rows, o])
            variances.append(unit.square() * variance[rows, o])
        return observed, expected, variances

    @exclusive
    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: object | None = None,
    ) -> GPyTorchPosterior:
        """Return BoTorch's posterior at X (..., q, d), all outcomes together; differentiable in X.

        Raises:
            InputError: noise given as a tensor, or a posterior transform: neither is known here.
        """
        if isinstance(observation_noise, Tensor) or posterior_transform is not None:
            raise InputError("expected noise to be asked for by True or False, and no transform")
        chosen = range(self.num_outputs) if output_indices is None else output_indices
        places = [self.places[index] for index in chosen]
        X = self._on_cpu(X)
        unit, shift = self.state.features.unit[places], self.state.features.shift[places]
        spread = unit * self.state.factor[places].sqrt()
        at = self._at(X)
        mean = shift + unit * torch.stack([self._mean(at, o) for o in places], dim=-1)
        rows = []
        for o in places:
            rows.append(torch.stack([self._covariance(X, at, o, p) for p in places], dim=-1))
        covariance = torch.stack(rows, dim=-2)  # (..., q, q, m, m)
        covariance = covariance * torch.outer(spread, spread)
        if observation_noise:
            N = self.state.solved.parts.N[places][:, places] * torch.outer(spread, spread)
            eye = torch.eye(X.shape[-2], dtype=X.dtype)
            covariance = covariance + eye[:, :, None, None] * N
        q, m = X.shape[-2], len(places)
        joint = covariance.transpose(-3, -2).reshape(*X.shape[:-2], q * m, q * m)
        joint = joint + 1e-9 * torch.eye(q * m, dtype=X.dtype)
        if m == 1:
            return GPyTorchPosterior(MultivariateNormal(mean.squeeze(-1), joint))
        return GPyTorchPosterior(MultitaskMultivariateNormal(mean, joint))

    @staticmethod
    def _on_cpu(X: Tensor) -> Tensor:
        return X.to(device="cpu", dtype=torch.double)


def _left_out(Y: Tensor, solved: Factorised) -> tuple[Tensor, Tensor]:
    """Return errors and variances (n, m) of each row predicted from the others, with its noise."""
    # A missing outcome neither tells nor learns anything: any variance serves.
    blocks = solved.row_precision() + torch.diag_embed(torch.isnan(Y).to(Y))
    covariance = torch.linalg.inv(blocks)
    error = (covariance @ solved.alpha.unsqueeze(-1)).squeeze(-1)
    return error, covariance.diagonal(dim1=-2, dim2=-1)


def variance_factor(Y: Tensor, error: Tensor, variance: Tensor) -> Tensor:
    """Return q (m,), by which variances are multiplied."""
    measured = (~torch.isnan(Y)).to(Y)
    squares = (error.square() / variance * measured).sum(dim=0)
    count = measured.sum(dim=0)
    common = (squares.sum() + _PRIOR_VALUES) / (count.sum() + _PRIOR_VALUES)
    factor = (squares + _PRIOR_RUNS * common) / (count + _PRIOR_RUNS)
    return factor.clamp(1.0, _LARGEST_FACTOR)
