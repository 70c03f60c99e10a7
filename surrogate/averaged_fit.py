"""How the plain surrogate is fitted: beliefs weighed by their evidence, hyperparameters drawn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from surrogate.averaged_gp import AveragedGP, Members, problems_of
from surrogate.beliefs import MATS, Belief, PlainInputs
from surrogate.exclusive import exclusive
from surrogate.hyperparameter_draws import draws_about, importance, shared_out
from surrogate.kernel_fit import BOUND, Columns, fit, log_posterior, maximise
from surrogate.replicates import Merged, merge_replicates, sampled, standardisation

# Below it a belief changes no digit that anybody reads, and would cost as much as the first.
_LEAST_WEIGHT = 0.005
# Of a belief that was weighed on a sample: all the results will weigh it down further.
_LEAST_ON_A_SAMPLE = 0.05
# Gaussian processes that an outcome is averaged over: twice as many predict no better.
_DRAWS = 12
_LEAST_OF_A_DRAW = 0.001


@exclusive
def fit_averaged(
    X: Tensor,
    Y: Tensor,
    *,
    inputs: PlainInputs = MATS,
    beliefs: Sequence[Belief] | None = None,
    weigh_rows: int = 96,
    fit_rows: int = 320,
    draws: int = _DRAWS,
) -> AveragedGP:
    """Fit every outcome under every belief, and weigh the beliefs by their evidence.

    Args:
        X: (n, d) conditions in the unit cube.
        Y: (n, m) outcomes in work space, NaN where not measured; equal rows of X are replicates.
        inputs: what is known of the campaign.
        beliefs: what to average over; by default what ``inputs`` suggest.
        weigh_rows: with more distinct conditions than this, beliefs are weighed on a sample of so
            many, and those that matter fitted to more.
        fit_rows: with more distinct conditions than this, hyperparameters are fitted to a sample of
            so many; the posterior is exact on all all the same.
        draws: Gaussian processes to average an outcome over while there are no more conditions than
            ``weigh_rows``; one takes every belief at its maximum.

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
    standard = standardisation(merged)
    believed = inputs.beliefs if beliefs is None else tuple(beliefs)
    outcome = torch.arange(m, device=X.device).repeat(len(believed))
    members = tuple(belief for belief in believed for _ in range(m))
    priors = _priors(members, columns, merged, outcome)
    few = sampled(merged, weigh_rows)
    result = fit(problems_of(few, columns, (members, outcome), standard, priors))
    odds = [0.0 if inputs.is_of_specimens else belief.log_odds_against for belief in members]
    evidence = result.log_evidence - torch.tensor(odds).to(X)
    weight = torch.softmax(evidence.reshape(-1, m), dim=0).reshape(-1)
    is_sample = len(few.X) < len(merged.X)
    least = _LEAST_ON_A_SAMPLE if is_sample else _LEAST_WEIGHT
    rows = (weight > least).nonzero().squeeze(-1)
    theta, weight, owner = result.theta[rows], weight[rows], outcome[rows]
    members = tuple(members[row] for row in rows.tolist())
    if is_sample:
        # What is not believed on a sample is not fitted to the rest, and so many runs leave the
        # hyperparameters hardly any room.
        more = sampled(merged, fit_rows)
        theta = maximise(
            problems_of(more, columns, (members, owner), standard, priors[:, rows]), start=theta
        )
    maxima = None
    if not is_sample:
        maxima = _members(theta, owner, weight, members)
        counts = shared_out(weight.tolist(), draws)
        theta, distances = draws_about(theta, result.hessian[rows], counts)
        theta = theta.clamp(-BOUND, BOUND)
        place = torch.repeat_interleave(torch.tensor(counts, device=X.device))
        owner, members = owner[place], tuple(members[p] for p in place.tolist())
        drawn = problems_of(merged, columns, (members, owner), standard, priors[:, rows[place]])
        share = importance(lambda at: log_posterior(drawn, at)[0], theta, distances, counts)
        weight = weight[place] * share
        kept = (weight > _LEAST_OF_A_DRAW).nonzero().squeeze(-1)
        theta, owner, weight = theta[kept], owner[kept], weight[kept]
        members = tuple(members[p] for p in kept.tolist())
    return AveragedGP(merged, columns, _members(theta, owner, weight, members), standard, maxima)


def _members(
    theta: Tensor, outcome: Tensor, weight: Tensor, beliefs: tuple[Belief, ...]
) -> Members:
    """Return members whose weights sum to one for each outcome."""
    totals = weight.new_zeros(int(outcome.max()) + 1).index_add(0, outcome, weight)
    return Members(theta, outcome, weight / totals[outcome], beliefs)


def _priors(beliefs: Sequence[Belief], columns: Columns, merged: Merged, outcome: Tensor) -> Tensor:
    """Return locations and scales, (2, B, D + 5)."""
    replicated = (merged.degrees > 0).tolist()
    pairs = [
        belief.priors(columns, has_replicates=replicated[place])
        for belief, place in zip(beliefs, outcome.tolist(), strict=True)
    ]
    return torch.tensor(pairs).to(merged.X).permute(2, 0, 1)
