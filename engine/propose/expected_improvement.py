r"""Expected improvement of one or two objectives, given draws of what is known so far.

What finished and pending runs truly are is drawn; given such a draw a candidate is normal. So
candidates differ by what the model says of them, never by the luck of draws of their own, which
rules where an improvement is rare.

With two objectives the expectation is a formula, by the cells of Emmerich et al. 2011. With one it
is BoTorch's qLogNEI (Ament et al. 2023) of the batch with the candidate, which all candidates share
a draw for.

Notation
--------
==========  ====================================================================  ==============
symbol      meaning                                                               shape
==========  ====================================================================  ==============
s, f, c     draws; finished and pending runs; candidates                          —
M, v        mean of each candidate given a draw of the runs, and variance         (s, c), (c,)
law         what makes a gain of a value: nothing, or a target's distance         —
V           whitened covariance of runs and candidates; a row more for each pick  (f + …, c)
Ψ(a)        E[(y − a)₊] = σ h((μ − a) / σ), h(u) = φ(u) + u Φ(u)                  —
==========  ====================================================================  ==============

.. math:: \mathrm{EHVI} = \sum_\mathrm{steps}
          \big(\Psi_x(\mathrm{start}) - \Psi_x(\mathrm{end})\big) \, \Psi_y(\mathrm{height})
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from botorch.utils.safe_math import fatmax, log_fatplus
from botorch.utils.sampling import draw_sobol_normal_samples
from linear_operator.utils.cholesky import psd_safe_cholesky
from numpy.typing import NDArray
from torch import Tensor

from engine.propose.aims import Folded, Law, Straight
from engine.propose.batch import Allowed, Choice, greedy
from engine.propose.covariances import Covariances
from engine.propose.improvement import NO_GAIN, Staircases

Array = NDArray[np.float64]

_CELLS = 2_000_000  # draws × candidates × steps at once
# BoTorch's own, in units of the candidates' spread.
_TAU = 1e-6
_TAU_OF_A_BATCH = 1e-2


class _Conditional:
    """One objective's candidates given draws of the runs; picks join the runs one by one.

    ``runs`` and what is taken are gains; ``mean`` and ``variance`` of candidates are not, as long
    as ``law`` has not turned them into gains.
    """

    def __init__(self, points: Points, objective: int, z: Array) -> None:
        """Condition on the runs, drawn by z (s, runs + picks to come)."""
        n_runs, mean = points.n_runs, points.mean[objective]
        self.law = law = points.law(objective)
        self._points, self._objective = points, objective
        self._z = z
        variances = points.covariances.variances(objective)
        with_runs = points.covariances.columns(objective, range(n_runs))
        scale = max(float(np.mean(variances)), 1e-300)
        # Neighbours on the grid are nearly the same point: singular in rounding.
        self._least = 1e-9 * scale
        runs = torch.from_numpy(with_runs[:n_runs] + self._least * np.eye(n_runs))
        root = psd_safe_cholesky(runs, jitter=1e-6 * scale, max_tries=6)
        cross = torch.from_numpy(np.ascontiguousarray(with_runs[n_runs:].T))
        self._V = torch.linalg.solve_triangular(root, cross, upper=False).numpy()
        self.runs = law.gains(mean[:n_runs] + z[:, :n_runs] @ root.numpy().T)
        self.mean = mean[n_runs:] + z[:, :n_runs] @ self._V
        spread = variances[n_runs:] - (self._V**2).sum(axis=0)
        self.variance = np.maximum(spread, self._least)
        self._n = n_runs

    @property
    def next_z(self) -> Array:
        """(s,) the standard normal draw of whatever is looked at next."""
        z: Array = self._z[:, min(self._n, self._z.shape[1] - 1)]
        return z

    def take(self, pick: int) -> Array:
        """Draw candidate ``pick``'s gain (s,), and condition all others on it."""
        z = self._z[:, self._n]
        f = self._points.n_runs
        with_pick = self._points.covariances.columns(self._objective, [f + pick])[f:, 0]
        column = with_pick - self._V[:, pick] @ self._V
        row = column / np.sqrt(self.variance[pick])
        drawn: Array = self.mean[:, pick] + np.sqrt(self.variance[pick]) * z
        self.mean = self.mean + z[:, None] * row
        self.variance = np.maximum(self.variance - row**2, self._least)
        self._V = np.concatenate([self._V, row[None]])
        self._n += 1
        return self.law.gains(drawn)


@dataclass(frozen=True)
class Points:
    """Joint moments of runs and candidates, of each objective by itself.

    ``mean`` (k, p) beyond the reference point with maximisation signs; ``covariances`` of the p
    points; the first ``n_runs`` points are finished and pending runs. ``laws``: for each objective
    what makes gains of draws, where they are not gains already.
    """

    mean: Array
    covariances: Covariances
    n_runs: int
    laws: tuple[Law, ...] = ()

    def law(self, j: int) -> Law:
        """Return the law of objective ``j``."""
        return self.laws[j] if self.laws else Straight()


def pick_by_expectation(
    points: Points, n: int, *, n_draws: int, seed: int, bonus: Array, allowed: Allowed
) -> Choice:
    """Pick ``n`` candidates one after the other, each by its expected gain given those before it.

    Args:
        points: one objective, or two.
        n: how many to pick; fewer come back where no more are allowed.
        n_draws: of the runs.
        seed: of the draws.
        bonus: (c,) added to the logarithm of the gain: log-probability of success.
        allowed: given the picks so far, (c,) which candidates may follow.
    """
    k, p = points.mean.shape
    f = points.n_runs
    # One more than the picks: the draw that candidates share.
    width = f + n + 1
    z = draw_sobol_normal_samples(d=k * width, n=n_draws, seed=seed, dtype=torch.double).numpy()
    parts = [_Conditional(points, j, z[:, j * width : (j + 1) * width]) for j in range(k)]
    target: _Best | _Front = _Best(parts[0]) if k == 1 else _Front(parts[0], parts[1])

    def evaluate(rows: NDArray[np.int64]) -> Array:
        return target.log_gain(rows) + bonus[rows]

    # Smoothed maxima are no bounds.
    return greedy(evaluate, target.take, p - f, n, allowed, falls=k > 1)


class _Best:
    """One objective: what the batch improves on the best run of each draw, more with a candidate.

    Where nothing improves, what is like a pick adds less than what is far from all of them.
    """

    def __init__(self, part: _Conditional) -> None:
        self._part = part
        runs = part.runs if part.runs.shape[1] else np.zeros((len(part.mean), 1))
        self._best = runs.max(axis=1)
        self._scale = float(np.sqrt(part.variance.mean()))
        if isinstance(part.law, Folded):
            self._scale = float(runs.std()) or 1.0
        self._picked: list[Tensor] = []

    def take(self, pick: int) -> None:
        self._picked.append(self._log_improvement(self._part.take(pick)))

    def log_gain(self, rows: NDArray[np.int64]) -> Array:
        z = self._part.next_z[:, None]
        values = self._part.mean[:, rows] + np.sqrt(self._part.variance[rows]) * z
        gains = self._log_improvement(self._part.law.gains(values))
        if self._picked:
            picked = torch.stack(self._picked, dim=-1)[:, None]
            batch = [gains.unsqueeze(-1), picked.expand(-1, len(rows), -1)]
            best_picked = fatmax(picked, dim=-1, tau=_TAU_OF_A_BATCH)
            best = fatmax(torch.cat(batch, dim=-1), dim=-1, tau=_TAU_OF_A_BATCH)
            gains = best + torch.log(-torch.expm1((best_picked - best).clamp_max(-1e-15)))
        average: Array = torch.logsumexp(gains, dim=0).numpy() - np.log(len(gains))
        return average + np.log(self._scale)

    def _log_improvement(self, values: Array) -> Tensor:
        """Return the logarithm of what ``values`` (s, …) improve, in units of the spread."""
        best = self._best.reshape(-1, *[1] * (values.ndim - 1))
        # Where no draw improves, the one that comes nearest still counts for most.
        return log_fatplus(torch.from_numpy((values - best) / self._scale), tau=_TAU)


class _Front:
    """Two objectives: what is to be improved on is the staircase of each draw."""

    def __init__(self, first: _Conditional, second: _Conditional) -> None:
        self._parts = (first, second)
        self._fronts = Staircases.from_points(np.stack([first.runs, second.runs], axis=-1))

    def take(self, pick: int) -> None:
        drawn = np.stack([part.take(pick) for part in self._parts], axis=-1)
        self._fronts = self._fronts.with_point(drawn)

    def log_gain(self, rows: NDArray[np.int64]) -> Array:
        n_draws, n_steps = self._fronts.start.shape
        at_once = max(1, _CELLS // (n_draws * n_steps))
        gain = np.concatenate(
            [self._gain(rows[first : first + at_once]) for first in range(0, len(rows), at_once)]
        )
        value = np.log(np.maximum(gain, 1e-300))
        is_idle = gain <= 1e-300
        if is_idle.any():
            averages = np.stack(
                [part.law.gains(part.mean[:, rows[is_idle]]) for part in self._parts], axis=-1
            )
            value[is_idle] = NO_GAIN - self._fronts.shortfall(averages).mean(axis=0)
        return value

    def _gain(self, rows: NDArray[np.int64]) -> Array:
        fronts = self._fronts
        first, second = self._parts
        beyond_start = _excess(first, rows, fronts.start[:, None])
        # Each step ends where the next begins; beyond the last there is nothing.
        beyond_end = np.concatenate(
            [beyond_start[..., 1:], np.zeros((*beyond_start.shape[:-1], 1))], axis=-1
        )
        width = np.maximum(beyond_start - beyond_end, 0.0)
        # Draws with a shorter front begin with steps of no width and no end to their height.
        height = np.where(np.isinf(fronts.height), 1e300, fronts.height)[:, None]
        rise = _excess(second, rows, height)
        gain: Array = np.einsum("sct,sct->sc", width, rise).mean(axis=0)
        return gain


def _excess(part: _Conditional, rows: NDArray[np.int64], least: Array) -> Array:
    """Return Ψ(least) of candidates (s, c, steps)."""
    deviation = np.sqrt(part.variance[rows])[:, None]
    return part.law.excess(part.mean[:, rows, None], deviation, least)
