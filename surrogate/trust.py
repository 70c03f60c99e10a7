r"""How far the sources are believed: the evidence of the results decides, for each source.

A source that misleads costs most while results are few, because its weight is still at the prior.
So each source has to earn its place: the GP with it and the GP without it are fitted to the same
results, and their evidences (marginal likelihoods with the hyperparameters' priors, at their
maximum; MacKay 1992) are compared, pooled over all outcomes:

.. math:: \text{trust} = \sigma\big(\log p(Y \mid \text{source}) - \log p(Y \mid \text{none})\big)

A source with a trust below one half is left aside. If none is left, the model is the plain GP;
else it is mixed with the plain one (:mod:`surrogate.mixed`), for evidences of many outcomes of the
same few runs are surer than they should be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from botorch.models import ModelListGP
from botorch.models.model import Model
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import Tensor

from surrogate.beliefs import MATS, PlainInputs
from surrogate.exclusive import exclusive
from surrogate.gp import fit_outcomes
from surrogate.mixed import mixed
from surrogate.sourced import HeadLayout, Heads, SourcePrior, head_weights
from surrogate.sourced_gp import GPConfig

_EXPECTED_SHARE = 0.5
"""The share of the model with sources beside the plain one, before results tell."""
_MAX_ROWS = 160
"""Rows that suffice to weigh a source; with more, a sample of them is asked."""
# e^−30 is 10⁻¹³: sure enough, and no overflow in the sigmoid.
_SURE = 30.0


@dataclass(frozen=True)
class SourceUse:
    """What one source contributed.

    ``trust``: probability that the results are better explained with it than without, 0 … 1.
    ``used``: whether its heads stand in the mean. ``weights``: by outcome, the share of its mean
    head in the posterior, 0 for a source left aside.
    """

    name: str
    trust: float
    used: bool
    weights: tuple[float, ...]


class _Part:
    """Some of the sources of other heads: a ``Heads`` of its own."""

    def __init__(self, heads: Heads, chosen: Sequence[int]) -> None:
        layout = heads.layout
        self._heads = heads
        self._columns = [i for i, owner in enumerate(layout.owner) if owner in chosen]
        self._layout = HeadLayout(
            tuple(layout.names[s] for s in chosen), tuple(layout.deviations[s] for s in chosen)
        )

    @property
    def layout(self) -> HeadLayout:
        return self._layout

    def __call__(self, X: Tensor) -> Tensor:
        return self._heads(X)[..., self._columns]


def trusted(heads: Heads | None, used: Sequence[bool]) -> Heads | None:
    """Return the heads of those sources that are ``used``, one flag for each; ``None`` if none."""
    chosen = [source for source, is_used in enumerate(used) if is_used]
    return _Part(heads, chosen) if heads is not None and chosen else None


@exclusive
def fit_trusting(
    X: Tensor,
    Y: Tensor,
    heads: Heads | None,
    *,
    inputs: PlainInputs = MATS,
    config: GPConfig | None = None,
    prior: SourcePrior | None = None,
) -> tuple[Model, tuple[SourceUse, ...]]:
    """Fit the outcomes with those sources that the results speak for.

    Args:
        X: (n, d) conditions in the unit cube.
        Y: (n, m) outcomes in work space, NaN where not measured.
        heads: of all sources, or ``None``.
        inputs: what the plain surrogate is told of the campaign.
        config: priors and budget of the fit with heads.
        prior: beliefs in the sources.

    Returns:
        The model, and what each source contributed (none without heads).

    Raises:
        InputError, FitError: see :func:`surrogate.gp.fit_outcomes`.
    """
    if heads is None:
        return fit_outcomes(X, Y, inputs=inputs), ()
    layout = heads.layout
    rows = _sample(Y)
    x, y = X[rows], Y[rows]
    # Weighed under one belief, with and without: the same priors on both sides.
    plain = fit_outcomes(x, y, config=config or GPConfig())
    plain_evidence = evidence(plain)
    alone: dict[int, Model] = {}
    trust = []
    for source in range(len(layout.names)):
        part = _Part(heads, [source])
        alone[source] = fit_outcomes(x, y, config=config, heads=part, prior=prior)
        gain = max(-_SURE, min(_SURE, evidence(alone[source]) - plain_evidence))
        trust.append(float(torch.sigmoid(torch.tensor(gain))))
    used = [source for source, share in enumerate(trust) if share >= 0.5]
    model: Model
    # That very model was fitted to weigh it: no need to fit it again.
    if not used:
        model = fit_outcomes(X, Y, inputs=inputs)
    elif len(rows) == len(X) and len(used) == 1:
        model = alone[used[0]]
    else:
        chosen = trusted(heads, [share >= 0.5 for share in trust])
        model = fit_outcomes(X, Y, config=config, heads=chosen, prior=prior)
    weights = torch.empty(0)
    if used:
        weights = head_weights(model, Y.shape[-1], len(used))
        model = mixed(model, fit_outcomes(X, Y, inputs=inputs), expected=_EXPECTED_SHARE)
        weights = model.share * weights
    return model, tuple(
        SourceUse(
            name,
            trust[source],
            source in used,
            tuple(weights[:, used.index(source)].tolist())
            if source in used
            else (0.0,) * Y.shape[-1],
        )
        for source, name in enumerate(layout.names)
    )


@exclusive
def evidence(model: Model) -> float:
    """Return log p(Y, hyperparameters), summed over the outcomes, in nats.

    Outcomes are standardised by the same rule in every model of the same results, so differences
    are Bayes factors at the maximum of the hyperparameters.
    """
    members = model.models if isinstance(model, ModelListGP) else [model]
    total = 0.0
    for member in members:
        member.eval()
        objective = ExactMarginalLogLikelihood(member.likelihood, member)
        with torch.no_grad():
            value = objective(member.forward(member.train_inputs[0]), member.train_targets)
        # GPyTorch gives the mean over rows.
        total += float((value * member.train_targets.shape[-1]).sum())
    return total


def _sample(Y: Tensor) -> Tensor:
    """Return the rows to weigh the sources by: all of few, a fixed sample of many."""
    n = len(Y)
    if n <= _MAX_ROWS:
        return torch.arange(n, device=Y.device)
    generator = torch.Generator().manual_seed(n)
    rows = torch.randperm(n, generator=generator)[:_MAX_ROWS].sort().values.to(Y.device)
    # A rare outcome needs two values to be fitted at all.
    if ((~torch.isnan(Y[rows])).sum(dim=0) < 2).any():
        return torch.arange(n, device=Y.device)
    return rows
