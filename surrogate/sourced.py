r"""The GP whose mean and covariance know what other sources found: MatMCL's heads, with weights.

Notation
--------
=========  =========================================================================  =============
symbol     meaning                                                                    shape
=========  =========================================================================  =============
X          conditions in the unit cube                                                (n, d)
h_s(x)     mean head of source s, in standardised units of the outcome                (n, m)
g_sk(x)    deviation heads of source s: how one lab differs from the next             (n, m, K_s)
J          all heads together, mean heads first within each source                    —
b_s        weight that source s earns, prior N(β/S, β²/4 S)                           (m,)
ρ_s²       share of the labs' spread that is believed                                 (m,)
=========  =========================================================================  =============

.. math::
    f(x) = c + \sum_s b_s h_s(x) + \sum_s \rho_s \sum_k z_{sk} g_{sk}(x) + \delta(x),
    \qquad z \sim N(0, 1),\; \delta \sim GP(0, k)

b and z are integrated out: they stand in the mean (:math:`β/S`) and in a linear kernel, so that
a weight is as sure as the data make it (Kennedy & O'Hagan 2001's autoregressive form with several
parents; the deviation heads are a learned prior over labs as in ALPaCA, Harrison et al. 2018). k is
the plain GP's kernel on the raw conditions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import gpytorch
import torch
from botorch.models import ModelListGP
from botorch.models.model import Model
from botorch.models.transforms.input import InputTransform
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import Kernel
from gpytorch.means import ConstantMean, Mean
from gpytorch.priors import LogNormalPrior
from torch import Tensor

from surrogate.errors import InputError
from surrogate.exclusive import exclusive

# GPyTorch goes over to conjugate gradients, which are not exact, from 800 rows on.
_MOST_ROWS = 20_000


class Heads(Protocol):
    """What sources say of conditions, for a fixed list of outcomes."""

    @property
    def layout(self) -> HeadLayout:
        """Which of the J columns are mean heads, and whose."""

    def __call__(self, X: Tensor) -> Tensor:
        """Map X (..., d) in the unit cube to heads (..., m, J); differentiable."""


@dataclass(frozen=True)
class HeadLayout:
    """The J heads of S sources: ``names`` (S,), ``deviations`` (S,) numbers of deviation heads.

    Raises:
        InputError: no source, or names and numbers do not fit.
    """

    names: tuple[str, ...]
    deviations: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.names or len(self.names) != len(self.deviations):
            raise InputError(
                f"expected as many numbers of deviation heads as sources, got "
                f"{len(self.deviations)} for {len(self.names)}"
            )

    @property
    def width(self) -> int:
        """J."""
        return len(self.names) + sum(self.deviations)

    @property
    def owner(self) -> tuple[int, ...]:
        """The source of each column (J,)."""
        return tuple(s for s, k in enumerate(self.deviations) for _ in range(1 + k))

    @property
    def is_mean(self) -> tuple[bool, ...]:
        """Whether each column (J,) is a mean head."""
        return tuple(place == 0 for k in self.deviations for place in range(1 + k))


@dataclass(frozen=True)
class SourcePrior:
    """Beliefs in the sources before any result.

    ``weight``: β, the sum of the sources' weights expected; ``spread``: log-normal prior (location,
    scale) of ρ²; ``residual``: of the outputscales of δ. A smaller δ fits simulated labs better and
    a measured table worse, so it has the plain GP's prior.
    """

    weight: float = 0.7
    spread: tuple[float, float] = (-0.7, 1.0)
    residual: tuple[float, float] = (-0.7, 1.0)


class AppendHeads(InputTransform):
    """Append m·J head values to the d conditions; the last two inputs are remembered."""

    def __init__(self, heads: Heads, outcomes: Sequence[int]) -> None:
        super().__init__()
        self.transform_on_train = True
        self.transform_on_eval = True
        self.transform_on_fantasize = True
        self.is_one_to_many = False
        self._heads = heads
        self._outcomes = list(outcomes)
        self._memory: list[tuple[Tensor, Tensor]] = []

    def __deepcopy__(self, memo: dict[int, object]) -> AppendHeads:
        """Share the heads, which never change: copies of a model are many, networks are large."""
        # Without the memory: the copy is of a model that will be asked elsewhere.
        copy = AppendHeads(self._heads, self._outcomes)
        copy.train(self.training)
        return copy

    def transform(self, X: Tensor) -> Tensor:
        """Return (..., d + m·J) of X (..., d)."""
        for cached, result in self._memory:
            # An optimiser of hyperparameters asks for the same X at each step; the networks would
            # run each time.
            if cached.shape == X.shape and not X.requires_grad and torch.equal(cached, X):
                return result
        with torch.set_grad_enabled(X.requires_grad and torch.is_grad_enabled()):
            values = self._heads(X)[..., self._outcomes, :].to(X)
            result = torch.cat([X, values.flatten(-2)], dim=-1)
        if not X.requires_grad:
            # Two: the training inputs, and the candidates asked between them. A clone, as X may be
            # written to.
            self._memory = [(X.clone(), result), *self._memory[:1]]
        return result


class _Columns(torch.nn.Module):
    """Reads the heads of each outcome out of appended inputs."""

    columns: Tensor

    def __init__(self, d: int, m: int, width: int, batch_shape: torch.Size) -> None:
        super().__init__()
        columns = d + torch.arange(m * width).reshape(m, width)
        self.register_buffer("columns", columns if batch_shape else columns[0])

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., n, J) of x (..., n, d + m·J)."""
        index = self.columns.unsqueeze(-2)
        shape = torch.broadcast_shapes(x.shape[:-1], index.shape[:-1])
        expanded = x.expand(*shape, x.shape[-1])
        return expanded.gather(-1, index.expand(*shape, index.shape[-1]))


class HeadMean(Mean):
    """c + (β/S) Σ_s h_s(x): the mean heads with their expected weights."""

    weights: Tensor

    def __init__(
        self, columns: _Columns, layout: HeadLayout, weight: float, batch_shape: torch.Size
    ) -> None:
        super().__init__()
        self.read = columns
        self.constant = ConstantMean(batch_shape=batch_shape)
        weights = torch.tensor(layout.is_mean, dtype=torch.double) * weight / len(layout.names)
        self.register_buffer("weights", weights)

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., n)."""
        constant: Tensor = self.constant(x)
        return constant + self.read(x) @ self.weights.to(x)


class HeadKernel(Kernel):
    """Σ_s v_s h_s h_s' + ρ_s² Σ_k g_sk g_sk': unsure weights and labs' spread, integrated out."""

    has_lengthscale = False
    is_stationary = False
    fixed: Tensor
    owner: Tensor

    def __init__(
        self, columns: _Columns, layout: HeadLayout, prior: SourcePrior, batch_shape: torch.Size
    ) -> None:
        super().__init__(batch_shape=batch_shape)
        self.read = columns
        sources = len(layout.names)
        # A sum of S independent weights then has the standard deviation β/2, however many there
        # are.
        variance = (prior.weight / 2) ** 2 / sources
        self.register_buffer("fixed", torch.tensor(layout.is_mean, dtype=torch.double) * variance)
        self.register_buffer("owner", torch.tensor(layout.owner))
        self.register_buffer("free", torch.tensor(layout.is_mean).logical_not().double())
        self.register_parameter(
            "raw_spread", torch.nn.Parameter(torch.zeros(*batch_shape, 1, sources))
        )
        # No transform: the optimiser is bounded instead, as for BoTorch's own lengthscales.
        constraint = GreaterThan(1e-4, transform=None, initial_value=math.exp(prior.spread[0]))
        self.register_constraint("raw_spread", constraint)
        self.register_prior(
            "spread_prior",
            LogNormalPrior(*prior.spread),
            lambda kernel: kernel.spread,
            lambda kernel, value: kernel._set_spread(value),
        )

    @property
    def spread(self) -> Tensor:
        """ρ² (m, 1, S)."""
        value: Tensor = self.raw_spread_constraint.transform(self.raw_spread)
        return value

    def _set_spread(self, value: Tensor) -> None:
        self.initialize(raw_spread=self.raw_spread_constraint.inverse_transform(value))

    def _scale(self, like: Tensor) -> Tensor:
        """Return the prior variances of the columns, (m, 1, J)."""
        spread = self.spread.to(like)[..., self.owner]
        return self.fixed.to(like) + self.free.to(like) * spread

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **params: object) -> Tensor:
        """Return (..., n1, n2), or (..., n) on the diagonal."""
        H1, H2 = self.read(x1), self.read(x2)
        scaled = H1 * self._scale(H1)
        if diag:
            return (scaled * H2).sum(dim=-1)
        return scaled @ H2.transpose(-1, -2)


@dataclass(frozen=True)
class Extension:
    """What a plain GP needs to know of the sources: inputs with heads, mean, additional kernel."""

    transform: AppendHeads
    mean: HeadMean
    kernel: HeadKernel

    @classmethod
    def build(
        cls,
        heads: Heads,
        outcomes: Sequence[int],
        X: Tensor,
        prior: SourcePrior,
        batch_shape: torch.Size,
    ) -> Extension:
        """Build it for ``outcomes``, places among those of ``heads``, and conditions like X."""
        layout = heads.layout
        read = _Columns(X.shape[-1], len(outcomes), layout.width, batch_shape).to(X.device)
        return cls(
            AppendHeads(heads, outcomes),
            HeadMean(read, layout, prior.weight, batch_shape).to(X),
            HeadKernel(read, layout, prior, batch_shape).to(X),
        )


@exclusive
def head_weights(model: Model, m: int, n_sources: int) -> Tensor:
    r"""Return the posterior means of the sources' weights b, (m, S); zeros for a plain model.

    b is Gaussian a priori and enters linearly, so its posterior mean is
    :math:`β/S + v\, h^T (K + σ² I)^{-1} (y - μ)` with v = β²/4S.
    """
    weights = torch.zeros(m, n_sources, dtype=torch.double)
    place = 0
    with torch.no_grad(), exact():
        for member in model.models if isinstance(model, ModelListGP) else [model]:
            member.eval()
            if isinstance(member.mean_module, HeadMean):
                X = member.train_inputs[0]
                member(X[..., :1, :])  # makes the cache of (K + σ² I)⁻¹ (y − μ), used later too
                solved = member.prediction_strategy.mean_cache.unsqueeze(-1)
                mean = member.mean_module
                heads = mean.read(X)[..., mean.weights > 0]
                # Added last, see `SourcedGP`.
                kernel = member.covar_module.kernels[-1]
                variance = kernel.fixed[mean.weights > 0]
                draws = mean.weights[mean.weights > 0] + variance * (
                    heads.transpose(-1, -2) @ solved
                ).squeeze(-1)
                weights[place : place + member.num_outputs] = draws.reshape(-1, n_sources).cpu()
            place += member.num_outputs
    return weights


@contextmanager
def exact() -> Iterator[None]:
    """Factorise however many rows there are: GPyTorch would iterate from 800 on."""
    # `fast_pred_var` keeps the factor between questions.
    # https://docs.gpytorch.ai/en/stable/settings.html
    with gpytorch.settings.max_cholesky_size(_MOST_ROWS), gpytorch.settings.fast_pred_var():
        yield


def prior_draws(H: Tensor, layout: HeadLayout, prior: SourcePrior, n: int, seed: int) -> Tensor:
    """Draw what the sources expect before any result, in standardised units.

    Args:
        H: (p, m, J) heads at p points.
        layout: of the J columns.
        prior: beliefs in the sources.
        n: number of draws s.
        seed: of the draws; one lab is one draw of all weights.

    Returns:
        (s, p, m).
    """
    sources = len(layout.names)
    is_mean = torch.tensor(layout.is_mean).to(H)
    centre = is_mean * prior.weight / sources
    spread = math.exp(prior.spread[0])
    variance = is_mean * (prior.weight / 2) ** 2 / sources + (1 - is_mean) * spread
    generator = torch.Generator().manual_seed(seed)
    m, width = H.shape[-2:]
    noise = torch.randn(n, m, width, generator=generator, dtype=torch.double).to(H)
    return torch.einsum("pmj,smj->spm", H, centre + variance.sqrt() * noise)
