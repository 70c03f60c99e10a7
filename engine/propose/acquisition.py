"""qLogNEHVI over a finite candidate set, on posterior draws made once.

BoTorch's qLogNEHVI (Daulton et al. 2021, Ament et al. 2023) integrates the hypervolume improvement
over the joint posterior of candidate and baseline. With noisy results nearly every finished run
may be on the front, so each evaluation pays for the joint posterior of a hundred points and more.
On an instrument's grid the candidates are finite: here the joint posterior of baseline, pending
runs and all candidates is drawn once, and BoTorch's own acquisition function then reads those draws
by index. The estimator is the same; each further evaluation is a table look-up.

Notation
--------
=========  ====================================================================  ===============
symbol     meaning                                                               shape
=========  ====================================================================  ===============
draws      joint posterior draws of all points, maximisation signs, work space   (s, p, m)
s, p, m    draws; points (baseline, pending, candidates); modelled outcomes      —
index      "X" of the acquisition function: a point's row in ``draws``           (…, 1)
=========  ====================================================================  ===============
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.acquisition.objective import LinearMCObjective
from botorch.acquisition.utils import compute_best_feasible_objective
from botorch.models.ensemble import EnsembleModel
from botorch.models.model import Model
from botorch.posteriors.ensemble import EnsemblePosterior
from botorch.sampling.index_sampler import IndexSampler
from botorch.utils.sampling import draw_sobol_normal_samples
from linear_operator.utils.cholesky import psd_safe_cholesky
from torch import Tensor

from engine.propose.fused_kernel import without_compiling
from surrogate.gp import joint_moments

# Direction numbers of Joe & Kuo reach so far: https://web.maths.unsw.edu.au/~fkuo/sobol
_MAX_SOBOL_DIMENSION = 21_000


class DrawnPosterior(EnsembleModel):
    """A model over point indices whose ensemble members are posterior draws made beforehand."""

    def __init__(self, draws: Tensor) -> None:
        super().__init__()
        self.draws = draws
        self._num_outputs = draws.shape[-1]

    def forward(self, X: Tensor) -> Tensor:
        """Look up draws: (…, q, 1) indices → (…, s, q, m)."""
        return torch.movedim(self.draws[:, X[..., 0].long()], 0, -3)


class EveryDraw(IndexSampler):
    """Reads all members of an ensemble posterior, in order: every call sees the same draws."""

    def forward(self, posterior: EnsemblePosterior) -> Tensor:
        """Return (s, …, q, m): every draw once."""
        return torch.movedim(posterior.values, -3, 0)


class _DrawnImprovement(qLogNoisyExpectedImprovement):
    """qLogNEI that knows what is worse than all drawn points.

    Where no run of a draw meets the constraints, BoTorch asks the model at random places for such a
    value: here that would be points that do not exist, and other ones each time.
    """

    def _compute_best_feasible_objective(self, samples: Tensor, obj: Tensor) -> Tensor:
        drawn = self.objective(self.model.draws)
        lowest = (drawn.mean(dim=0) - 6 * drawn.std(dim=0)).min()
        best: Tensor = compute_best_feasible_objective(
            samples, obj, self._constraints, infeasible_obj=lowest
        )
        return best


def draw_joint(
    model: Model, X: Tensor, owner: Tensor, *, n_draws: int, seed: int, worst: Tensor | None = None
) -> Tensor:
    """Draw the joint posterior of the noise-free outcomes of p points.

    A point may be meant for several rooms: then it has several rows in ``X``.

    Args:
        model: m outcomes, work space.
        X: (r, d) rows in the unit cube.
        owner: (r,) the point, 0 … p−1, that each row belongs to.
        n_draws: number of quasi-Monte-Carlo draws.
        seed: of the scrambled Sobol sequence.
        worst: ``None`` averages a point's rows; else (m,) signs, +1 where small is bad: each draw
            takes the worst row of each outcome.

    Returns:
        (n_draws, p, m) draws.
    """
    n_points = int(owner.max()) + 1
    means, covariances = (
        joint_moments(model, X) if worst is not None else joint_of_points(model, X, owner)
    )
    columns: list[Tensor] = []
    for column, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        # 7919, a prime: outcomes get sequences of their own, for any small seeds of the caller.
        draws = _draw(mean, covariance, n_draws, seed + 7919 * column)
        if worst is not None:
            draws = _worst(draws * worst[column], owner, n_points) * worst[column]
        columns.append(draws)
    return torch.stack(columns, dim=-1)


def joint_of_points(model: Model, X: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
    """Return means (m, p) and covariances (m, p, p) of points, the mean over each one's rows.

    ``X`` (r, d), ``owner`` (r,) as for :func:`draw_joint`.
    """
    n_points = int(owner.max()) + 1
    means, covariances = joint_moments(model, X)
    if n_points == len(owner):
        return means, covariances
    pairs = [
        _averaged(mean, covariance, owner, n_points)
        for mean, covariance in zip(means, covariances, strict=True)
    ]
    return torch.stack([pair[0] for pair in pairs]), torch.stack([pair[1] for pair in pairs])


def _averaged(
    mean: Tensor, covariance: Tensor, owner: Tensor, n_points: int
) -> tuple[Tensor, Tensor]:
    """Take the moments of the mean over each point's rows (a linear map of a Gaussian)."""
    weights = torch.zeros(n_points, len(owner), dtype=mean.dtype, device=mean.device)
    weights[owner, torch.arange(len(owner))] = 1.0
    weights = weights / weights.sum(dim=1, keepdim=True)
    return weights @ mean, weights @ covariance @ weights.T


def _worst(draws: Tensor, owner: Tensor, n_points: int) -> Tensor:
    result = torch.full((len(draws), n_points), torch.inf, dtype=draws.dtype, device=draws.device)
    return result.scatter_reduce(1, owner.expand(len(draws), -1), draws, reduce="amin")


def _draw(mean: Tensor, covariance: Tensor, n_draws: int, seed: int) -> Tensor:
    scale = covariance.diagonal().mean().clamp_min(1e-12)
    # Neighbours on the grid are nearly the same point: their covariance is singular in rounding.
    jitter = 1e-7 * scale * torch.eye(len(mean), dtype=mean.dtype, device=mean.device)
    root = psd_safe_cholesky(covariance + jitter, jitter=1e-6 * scale.item(), max_tries=6)
    if len(mean) <= _MAX_SOBOL_DIMENSION:
        base = draw_sobol_normal_samples(d=len(mean), n=n_draws, seed=seed, dtype=mean.dtype)
    else:
        generator = torch.Generator().manual_seed(seed)
        base = torch.randn(n_draws, len(mean), generator=generator, dtype=mean.dtype)
    return mean + base.to(mean) @ root.T


@dataclass(frozen=True)
class Goal:
    """What the draws are judged by, in work space with maximisation signs.

    ``reference``: (k,) thresholds of the k objectives, which are the first k columns of the draws;
    ``limits``: for each outcome constraint its column, sign and bound: feasible where
    ``sign · value ≤ sign · bound`` with sign +1 for ≤ and −1 for ≥.
    """

    reference: Tensor
    limits: tuple[tuple[int, float, float], ...] = ()

    def constraint_functions(self) -> list[Callable[[Tensor], Tensor]] | None:
        """Return BoTorch's constraint callables (negative is feasible), or ``None``."""
        if not self.limits:
            return None

        def make(column: int, sign: float, bound: float) -> Callable[[Tensor], Tensor]:
            return lambda draws: sign * (draws[..., column] - bound)

        return [make(*limit) for limit in self.limits]


def build_acquisition(draws: Tensor, baseline: Tensor, goal: Goal) -> torch.nn.Module:
    """Make qLogNEHVI (two objectives or more) or qLogNEI (one) over the drawn points.

    Args:
        draws: (s, p, m).
        baseline: (b,) indices of the runs that improvement is measured against.
        goal: reference point and constraints.
    """
    model = DrawnPosterior(draws)
    sampler = EveryDraw(torch.Size([draws.shape[0]]), seed=0)
    baseline_index = baseline.to(draws).unsqueeze(-1)
    n_objectives = len(goal.reference)
    constraints = goal.constraint_functions()
    if n_objectives == 1:
        weights = torch.zeros(draws.shape[-1], dtype=draws.dtype)
        weights[0] = 1.0
        return _DrawnImprovement(
            model,
            baseline_index,
            sampler=sampler,
            objective=LinearMCObjective(weights),
            constraints=constraints,
            prune_baseline=False,  # it was chosen already, and a table of draws has no root
            cache_root=False,
        )
    with without_compiling():
        return qLogNoisyExpectedHypervolumeImprovement(
            model,
            goal.reference,
            baseline_index,
            sampler=sampler,
            objective=IdentityMCMultiOutputObjective(outcomes=list(range(n_objectives))),
            constraints=constraints,
            prune_baseline=False,
            cache_root=False,
        )
