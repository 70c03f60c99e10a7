r"""Whether the labs are believed: by the evidence of all outcomes, with them and without.

The same discrepancy and the same noise are fitted twice to the same results, once beside the labs
and once alone; the labs are everywhere that labs can be, not localised, or the results would count
twice. The difference of the evidences decides (:mod:`surrogate.trust`). With the labs left aside
the model is the plain one of :func:`surrogate.gp.fit_outcomes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from botorch.models.model import Model
from scipy.stats import qmc
from torch import Tensor

from surrogate.beliefs import MATS, PlainInputs
from surrogate.errors import InputError
from surrogate.exclusive import exclusive
from surrogate.labs.features import MEAN, SOURCE, Features
from surrogate.labs.hyperparameters import Beliefs, Fitted, Setting, fit_hyperparameters
from surrogate.labs.model import LabsModel
from surrogate.labs.population import Neighbourhood, Population, everywhere, localised
from surrogate.sourced import Heads, SourcePrior
from surrogate.sourced_gp import GPConfig
from surrogate.trust import SourceUse, fit_trusting, trusted

GATE_ROWS, FIT_ROWS = 64, 200
"""Rows that suffice to weigh the labs, and to find hyperparameters; the posterior has all rows."""

MOST_RAGGED_VALUES = 2400
"""Values that are inverted one by one where some are missing; beyond, the labs are left aside."""

_REFERENCE_POINTS = 64
_SURE = 30.0
# Of an outcome that no lab has: half of what is seen varies from specimen to specimen.
_UNKNOWN_NOISE = 0.5


@exclusive
def fit_among_labs(
    X: Tensor,
    Y: Tensor,
    population: Population | None,
    heads: Heads | None = None,
    *,
    inputs: PlainInputs = MATS,
    beliefs: Beliefs | None = None,
    config: GPConfig | None = None,
    prior: SourcePrior | None = None,
) -> tuple[Model, tuple[SourceUse, ...]]:
    """Fit all outcomes together, with the labs and other sources that the results speak for.

    Args:
        X: (n, d) conditions in the unit cube.
        Y: (n, m) outcomes in work space, NaN where not measured.
        population: the simulated labs; ``None``: sources are weighed one outcome at a time.
        heads: of other sources; those of the labs' own name are not asked.
        inputs: what the plain surrogate is told of the campaign.
        beliefs: priors of this model.
        config, prior: of the model where the labs are left aside.

    Returns:
        The model, and what each source contributed.

    Raises:
        InputError, FitError: see :func:`surrogate.gp.fit_outcomes`.
    """
    if population is None:
        return fit_trusting(X, Y, heads, inputs=inputs, config=config, prior=prior)
    sources = heads
    if heads is not None:
        sources = trusted(heads, [name != population.name for name in heads.layout.names])
    if is_too_ragged(Y):
        plain = fit_trusting(X, Y, sources, inputs=inputs, config=config, prior=prior)
        return _aside(plain, population.name, 0.0, Y.shape[-1])
    fit = _Fit(X, Y, population, sources, beliefs or Beliefs(), prior or SourcePrior())
    return fit.run(config, inputs)


def is_too_ragged(Y: Tensor) -> bool:
    """Whether values are missing and the others too many for the labs to be weighed."""
    measured = ~torch.isnan(Y)
    return not bool(measured.all()) and int(measured.sum()) > MOST_RAGGED_VALUES


def _sample(Y: Tensor, limit: int) -> Tensor:
    n = len(Y)
    if n <= limit:
        return torch.arange(n)
    # The same rows give the same sample: a replayed proposal has the same hyperparameters.
    generator = torch.Generator().manual_seed(n)
    rows = torch.randperm(n, generator=generator)[:limit].sort().values
    if ((~torch.isnan(Y[rows])).sum(dim=0) < 2).any():
        return torch.arange(n)
    return rows


def _aside(
    plain: tuple[Model, tuple[SourceUse, ...]], name: str, trust: float, m: int
) -> tuple[Model, tuple[SourceUse, ...]]:
    """Return the model without the labs, and say that they were left aside."""
    model, use = plain
    return model, (SourceUse(name, trust, False, (0.0,) * m), *use)


@dataclass
class _Fit:
    """One call of :func:`fit_among_labs`: results in units of s, networks asked once."""

    X: Tensor
    Y: Tensor
    population: Population
    sources: Heads | None
    beliefs: Beliefs
    prior: SourcePrior

    def __post_init__(self) -> None:
        self.device = self.X.device
        self.x = self.X.to(device="cpu", dtype=torch.double)
        work = self.Y.to(device="cpu", dtype=torch.double)
        measured = ~torch.isnan(work)
        counts = measured.sum(dim=0)
        if work.ndim != 2 or len(work) != len(self.x) or (counts < 2).any():
            raise InputError(
                f"expected X (n, d), Y (n, m) and two values of each outcome at least, got "
                f"{tuple(self.X.shape)}, {tuple(self.Y.shape)} and {counts.tolist()}"
            )
        values = work.nan_to_num() * measured
        self.shift = values.sum(dim=0) / counts
        centred = torch.where(measured, work - self.shift, torch.nan)
        spread = (centred.nan_to_num().square().sum(dim=0) / (counts - 1)).sqrt().clamp_min(1e-9)
        is_known = self.population.unit > 0
        level = torch.where(self.population.is_relative, self.shift.abs(), 1.0)
        self.unit = torch.where(is_known, self.population.unit * level, spread).clamp_min(1e-9)
        self.spread = spread / self.unit
        self.y = centred / self.unit
        noise = self.population.noise * torch.outer(is_known.double(), is_known.double())
        self.N = noise + torch.diag(torch.where(is_known, 0.0, _UNKNOWN_NOISE**2))
        with torch.no_grad():
            self.H = self.population.basis(self.x).to(self.x)
            self.columns = None if self.sources is None else self.sources(self.x).to(self.x)
        self.everywhere = everywhere(self.population)
        self.R = self._correlation()

    def _correlation(self) -> Tensor:
        """Return how outcomes go together among the labs, mixed with the identity."""
        points = qmc.Sobol(self.x.shape[-1], seed=0).random(_REFERENCE_POINTS)
        with torch.no_grad():
            H = self.population.basis(torch.from_numpy(points)).to(self.x)
        U = (H[..., 1:] - H[..., 1:].mean(dim=0)) @ self.everywhere.root
        U = U.transpose(0, 1).flatten(1)
        covariance = U @ U.T
        deviation = covariance.diagonal().sqrt().clamp_min(1e-9)
        R = covariance / torch.outer(deviation, deviation)
        R.fill_diagonal_(1.0)
        share = self.beliefs.coupling
        return share * R + (1 - share) * torch.eye(len(R), dtype=R.dtype)

    def features(
        self, near: Neighbourhood | None, chosen: Sequence[bool]
    ) -> tuple[Features, Tensor | None]:
        """Return features with the labs ``near`` (or without), and the ``chosen`` other sources."""
        sources = trusted(self.sources, chosen)
        columns = None
        if self.sources is not None and self.columns is not None and sources is not None:
            owner = self.sources.layout.owner
            columns = self.columns[..., [i for i, s in enumerate(owner) if chosen[s]]]
        population = self.population if near is not None else None
        features = Features(
            population, near, sources, self.spread, self.unit, self.shift, self.prior
        )
        return features, columns

    def setting(
        self, near: Neighbourhood | None, chosen: Sequence[bool], rows: Tensor
    ) -> tuple[Features, Setting]:
        """Return the features and what a fit to ``rows`` rests on."""
        features, columns = self.features(near, chosen)
        return features, features.setting(
            self.x[rows],
            self.y[rows],
            beliefs=self.beliefs,
            R=self.R,
            N=self.N,
            H=self.H[rows] if near is not None else None,
            heads=columns[rows] if columns is not None else None,
        )

    def weigh(self, near: Neighbourhood | None, chosen: Sequence[bool], rows: Tensor) -> Fitted:
        """Fit hyperparameters to ``rows``."""
        return fit_hyperparameters(self.setting(near, chosen, rows)[1], self.beliefs)

    def run(
        self, config: GPConfig | None, inputs: PlainInputs
    ) -> tuple[Model, tuple[SourceUse, ...]]:
        """Weigh, localise, fit."""
        rows = _sample(self.y, GATE_ROWS)
        S = 0 if self.sources is None else len(self.sources.layout.names)
        no_source = [False] * S
        alone = self.weigh(None, no_source, rows)
        labs = self.weigh(self.everywhere, no_source, rows)
        trust = _trust(labs, alone)
        if trust < 0.5:
            plain = fit_trusting(
                self.X, self.Y, self.sources, inputs=inputs, config=config, prior=self.prior
            )
            return _aside(plain, self.population.name, trust, len(self.unit))
        trusts = [
            _trust(self.weigh(None, [s == source for s in range(S)], rows), alone)
            for source in range(S)
        ]
        chosen = [share >= 0.5 for share in trusts]
        near = localised(self.population, self.H, self.y)
        fit_rows = _sample(self.y, FIT_ROWS)
        _, setting = self.setting(near, chosen, fit_rows)
        fitted = fit_hyperparameters(setting, self.beliefs, labs.x)
        features, setting = self.setting(near, chosen, torch.arange(len(self.x)))
        model = LabsModel.condition(features, setting, fitted.x)
        return model, self._use(model, trust, trusts, chosen)

    def _use(
        self, model: LabsModel, trust: float, trusts: Sequence[float], chosen: Sequence[bool]
    ) -> tuple[SourceUse, ...]:
        state, m = model.state, len(self.unit)
        theta, kind = state.solved.theta, state.setting.kind
        weight = float(state.hyperparameters.amplitude) + float(theta[kind == MEAN])
        use = [SourceUse(self.population.name, trust, True, (weight,) * m)]
        earned = theta[kind == SOURCE].reshape(-1, m)
        expected = self.prior.weight / max(sum(chosen), 1)
        place = 0
        names = () if self.sources is None else self.sources.layout.names
        for name, share, is_chosen in zip(names, trusts, chosen, strict=True):
            weights = (0.0,) * m
            if is_chosen:
                weights = tuple((expected + earned[place]).tolist())
                place += 1
            use.append(SourceUse(name, share, is_chosen, weights))
        return tuple(use)


def _trust(fitted: Fitted, reference: Fitted) -> float:
    gain = max(-_SURE, min(_SURE, fitted.log_evidence - reference.log_evidence))
    return float(torch.sigmoid(torch.tensor(gain)))
