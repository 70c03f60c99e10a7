"""The loop that somebody writes in an afternoon with BoTorch: every default, nothing of ours.

One ``SingleTaskGP`` for each objective on the unit cube, choices one-hot, the means of replicates,
qLogNEHVI (qLogNEI for one objective) over what can still be run. Whatever the engine adds has to
beat this.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from engine.campaign import Value
from engine.campaign.front import gains_of
from engine.campaign.history import History

NAME = "botorch"
_DRAWS = 128  # qLogNEHVI's own default
_AT_ONCE = 256  # candidates evaluated together, for memory


def choose_by_botorch(
    history: History, pool: Sequence[Mapping[str, Value]], n: int, seed: int
) -> list[int]:
    """Choose ``n`` of the conditions in ``pool``; return their indices."""
    import torch
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import ModelListGP, SingleTaskGP
    from botorch.optim import optimize_acqf_discrete
    from botorch.sampling import SobolQMCNormalSampler
    from gpytorch.mlls import SumMarginalLogLikelihood

    from engine.propose.fused_kernel import without_compiling
    from engine.propose.space import Space
    from engine.propose.training_data import typical_ambient

    campaign, runs = history.campaign, history.finished
    space = Space(campaign)
    fill = typical_ambient(space, runs)
    X = torch.from_numpy(space.encode([run.conditions for run in runs], fill))
    choices = torch.from_numpy(space.encode(pool, fill))
    objectives = campaign.objectives
    averages = [[float(np.mean(run.outcomes[o.outcome])) for o in objectives] for run in runs]
    Y = torch.from_numpy(gains_of(averages, objectives))
    sampler = SobolQMCNormalSampler(torch.Size([_DRAWS]), seed=seed)
    # The same shuffled order for all that is equally promising: the first row is no better.
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(choices)))
    # BoTorch draws new beginnings of a fit that failed from torch's own generator.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), without_compiling():
        torch.manual_seed(seed)
        warnings.simplefilter("ignore")  # jitter for repeated settings, restarts of hard fits
        model = ModelListGP(*(SingleTaskGP(X, Y[:, i : i + 1]) for i in range(Y.shape[1])))
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        if Y.shape[1] == 1:
            acquisition = qLogNoisyExpectedImprovement(model.models[0], X, sampler=sampler)
        else:
            reference = [objective.reference for objective in objectives]
            acquisition = qLogNoisyExpectedHypervolumeImprovement(
                model, reference, X, sampler=sampler, prune_baseline=True
            )
        best, _ = optimize_acqf_discrete(
            acquisition, q=n, choices=choices[order], max_batch_size=_AT_ONCE, unique=True
        )
    return _rows_of(best.numpy(), choices.numpy())


def _rows_of(best: np.ndarray, choices: np.ndarray) -> list[int]:
    """Return which rows of ``choices`` (c, d) those of ``best`` (n, d) are, each row once."""
    rows: list[int] = []
    for point in best:
        distance = np.abs(choices - point).sum(axis=1)
        distance[rows] = np.inf
        rows.append(int(distance.argmin()))
    return rows
