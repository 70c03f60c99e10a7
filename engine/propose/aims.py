r"""What outcomes are worth to a campaign, in work space: where larger becomes better.

An objective to maximise or minimise is judged by its value there; a target by its distance in the
outcome's unit, as the front and the tolerance have it, in tolerances. Distances are no linear
functions: :math:`E|y - t|` is not :math:`|E y - t|`, so every draw is judged by itself, and where a
formula is wanted it is that of the folded normal (or lognormal).

Notation
--------
==========  ====================================================================  ==============
symbol      meaning                                                               shape
==========  ====================================================================  ==============
values      outcomes in work space, those of the objectives first                 (…, m)
gains       the larger the better: y, −y, or −|y − target| / tolerance            (…, k)
violations  of each outcome constraint; above 0 it is broken                      (…, l)
judged      gains and violations                                                  (…, k + l)
==========  ====================================================================  ==============
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from botorch.models.model import Model
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor

from engine.campaign import Objective
from engine.propose.acquisition import draw_joint
from engine.propose.work_space import WorkSpace

Array = NDArray[np.float64]

_HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)
_MOST_LOG = 700.0
"""No double holds the exponential of more."""


@dataclass(frozen=True)
class Straight:
    """Gains that are the values themselves."""

    def gains(self, values: Array) -> Array:
        """Return the gains of values."""
        return values

    def excess(self, mean: Array, deviation: Array, least: Array) -> Array:
        """Return E[(gain − least)₊] of normal values."""
        return excess(mean, deviation, least)


@dataclass(frozen=True)
class Folded:
    """A target's gains, from ``reference`` on: −|y − target| / tolerance − reference."""

    target: float
    tolerance: float
    is_log: bool
    reference: float = 0.0

    def gains(self, values: Array) -> Array:
        """Return the gains of values in work space."""
        y = np.exp(np.minimum(values, _MOST_LOG)) if self.is_log else values
        gains: Array = -np.abs(y - self.target) / self.tolerance - self.reference
        return gains

    def excess(self, mean: Array, deviation: Array, least: Array) -> Array:
        """Return E[(gain − least)₊] of values that are normal in work space.

        The payoff is a triangle over the target: three payoffs that are straight from a value on.
        """
        reach = np.maximum(-(least + self.reference) * self.tolerance, 0.0)
        if self.is_log:
            area = self._log_triangle(mean, deviation, reach)
        else:
            # Seen from below, where no differences of large numbers arise.
            lowered = -np.abs(mean - self.target)
            area = (
                excess(lowered, deviation, -reach)
                - 2 * excess(lowered, deviation, np.zeros(1))
                + excess(lowered, deviation, reach)
            )
        triangle: Array = np.where(reach > 0, np.maximum(area, 0.0), 0.0) / self.tolerance
        return triangle

    def expected(self, mean: Array, variance: Array) -> Array:
        """Return E[gain] of values that are normal in work space."""
        deviation = np.sqrt(variance)
        if self.is_log:
            level = np.exp(np.minimum(mean + variance / 2, _MOST_LOG))
            distance = (
                2 * _put_price(mean, deviation, np.full(1, self.target)) + level - self.target
            )
        else:
            lowered = -np.abs(mean - self.target)
            distance = 2 * excess(lowered, deviation, np.zeros(1)) - lowered
        gain: Array = -distance / self.tolerance - self.reference
        return gain

    def _log_triangle(self, mean: Array, deviation: Array, reach: Array) -> Array:
        low, high = self.target - reach, self.target + reach
        middle = np.full(1, self.target)
        # From the side on which the payoffs are small, and never as differences of huge ones.
        is_below = (mean < np.log(self.target)) & (deviation < 1.0)
        calls = (
            _call_price(mean, deviation, low)
            - 2 * _call_price(mean, deviation, middle)
            + _call_price(mean, deviation, high)
        )
        puts = (
            _put_price(mean, deviation, low)
            - 2 * _put_price(mean, deviation, middle)
            + _put_price(mean, deviation, high)
        )
        return np.where(is_below, calls, puts)


Law = Straight | Folded


def excess(mean: Array, deviation: Array, threshold: Array) -> Array:
    """Return E[(y − threshold)₊] of normals."""
    u = np.maximum((mean - threshold) / deviation, -38.0)
    value: Array = deviation * (np.exp(-0.5 * u**2 - _HALF_LOG_TWO_PI) + u * ndtr(u))
    return np.maximum(value, 0.0)


def _call_price(mean: Array, deviation: Array, level: Array) -> Array:
    """Return E[(y − level)₊] of lognormals."""
    forward = np.exp(np.minimum(mean + deviation**2 / 2, _MOST_LOG))
    d = (mean - np.log(np.maximum(level, 1e-300))) / deviation
    value: Array = np.where(
        level > 0, forward * ndtr(d + deviation) - level * ndtr(d), forward - level
    )
    return value


def _put_price(mean: Array, deviation: Array, level: Array) -> Array:
    """Return E[(level − y)₊] of lognormals."""
    forward = np.exp(np.minimum(mean + deviation**2 / 2, _MOST_LOG))
    d = (mean - np.log(np.maximum(level, 1e-300))) / deviation
    value: Array = np.where(
        level > 0, level * ndtr(-d) - forward * ndtr(-d - deviation), np.zeros_like(forward)
    )
    return value


@dataclass(frozen=True)
class _Limit:
    """An outcome constraint: column, +1 for ≤ and −1 for ≥, bound in work space."""

    column: int
    sign: float
    bound: float


class Aims:
    """What outcomes (…, m), those of the objectives first, are worth."""

    def __init__(self, work: WorkSpace, outcomes: Sequence[str]) -> None:
        campaign = work.campaign
        self.work = work
        self.k, self.outcomes = len(campaign.objectives), tuple(outcomes)
        self.signs = np.array([-1.0 if o.goal == "minimize" else 1.0 for o in campaign.objectives])
        self.laws = tuple(law_of(work, o) for o in campaign.objectives)
        self._limits = tuple(_limits(work, outcomes))

    @property
    def n_limits(self) -> int:
        """How many outcome constraints there are."""
        return len(self._limits)

    @property
    def has_targets(self) -> bool:
        """Whether a gain is no straight function of its outcome."""
        return any(isinstance(law, Folded) for law in self.laws)

    def gains(self, values: Array) -> Array:
        """Return the gains (…, k) of values (…, m)."""
        gains: Array = values[..., : self.k] * self.signs
        for j, law in enumerate(self.laws):
            if isinstance(law, Folded):
                gains[..., j] = law.gains(values[..., j])
        return gains

    def expected(self, mean: Array, variance: Array) -> Array:
        """Return the expected gains (…, k) of values with these moments (…, m)."""
        gains: Array = mean[..., : self.k] * self.signs
        for j, law in enumerate(self.laws):
            if isinstance(law, Folded):
                gains[..., j] = law.expected(mean[..., j], variance[..., j])
        return gains

    def violations(self, values: Array) -> Array:
        """Return the violations (…, l) of values (…, m)."""
        if not self._limits:
            return np.zeros((*values.shape[:-1], 0))
        columns = [limit.sign * (values[..., limit.column] - limit.bound) for limit in self._limits]
        return np.stack(columns, axis=-1)

    def judged(self, values: Array) -> Array:
        """Return the gains and violations (…, k + l) of values (…, m)."""
        return np.concatenate([self.gains(values), self.violations(values)], axis=-1)

    def shifted(self, mean: Array, reference: Array) -> tuple[Array, tuple[Law, ...]]:
        """Return means (k, p) and laws that turn them, and draws around them, into gains.

        Gains count from ``reference`` (k,) on. ``mean`` (m, p) in work space.
        """
        rows, laws = mean[: self.k].copy(), list(self.laws)
        for j, law in enumerate(self.laws):
            if isinstance(law, Folded):
                laws[j] = replace(law, reference=float(reference[j]))
            else:
                rows[j] = rows[j] * self.signs[j] - reference[j]
        return rows, tuple(laws)


def law_of(work: WorkSpace, objective: Objective) -> Law:
    """Return what makes a gain in work space of an objective's draws."""
    if objective.target is None or objective.tolerance is None:
        return Straight()
    if work.is_log(objective.outcome):
        return Folded(objective.target, objective.tolerance, is_log=True)
    unit = work.unit(objective.outcome)
    return Folded(objective.target / unit, objective.tolerance / unit, is_log=False)


def _limits(work: WorkSpace, outcomes: Sequence[str]) -> list[_Limit]:
    limits = []
    for constraint in work.campaign.constraints:
        name, factor = next(iter(constraint.terms.items()))
        upper = (constraint.operator == "<=") == (factor > 0)
        bound = work.bound(name, constraint.bound / factor)
        limits.append(_Limit(outcomes.index(name), 1.0 if upper else -1.0, bound))
    return limits


def draw_judged(
    model: Model,
    X: Tensor,
    owner: Tensor,
    aims: Aims,
    *,
    n_draws: int,
    seed: int,
    is_worst: bool = False,
) -> Tensor:
    """Draw what p points are worth, (n_draws, p, k + l): gains and violations.

    A point meant for several rooms has several rows: judged is the mean outcome over them, for
    targets the mean of the gains, or the worst row by each gain and constraint.

    Args:
        model: m outcomes, work space.
        X: (r, d) rows in the unit cube.
        owner: (r,) the point, 0 … p−1, that each row belongs to.
        aims: what outcomes are worth.
        n_draws: number of quasi-Monte-Carlo draws.
        seed: of the scrambled Sobol sequence.
        is_worst: take the worst row.
    """
    n_points = int(owner.max()) + 1
    is_row_by_row = is_worst or (aims.has_targets and n_points < len(owner))
    owners = torch.arange(len(owner)) if is_row_by_row else owner
    draws = draw_joint(model, X, owners, n_draws=n_draws, seed=seed)
    judged = torch.from_numpy(aims.judged(draws.numpy()))
    if not is_row_by_row:
        return judged
    index = owner[None, :, None].expand_as(judged)
    shape = (len(judged), n_points, judged.shape[2])
    if not is_worst:
        return torch.zeros(shape, dtype=judged.dtype).scatter_reduce(
            1, index, judged, reduce="mean", include_self=False
        )
    # The least gain, the largest violation.
    upright = torch.ones(judged.shape[2], dtype=judged.dtype)
    upright[aims.k :] = -1.0
    least = torch.full(shape, torch.inf, dtype=judged.dtype).scatter_reduce(
        1, index, judged * upright, reduce="amin"
    )
    return least * upright
