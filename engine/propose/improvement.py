"""Exact hypervolume improvement of two objectives, and a cheap estimate of any number's.

With two objectives the region that a front beats is a staircase, and what a candidate adds is a sum
over its steps: no box decomposition, no smoothing. All draws are worked on at once.

Notation
--------
==========  ====================================================================  ===============
symbol      meaning                                                               shape
==========  ====================================================================  ===============
draws       values beyond the reference point, maximisation signs, work space     (s, c, k)
s, c, k     draws; candidates; objectives                                         —
start, end  a step of a staircase from x = start to end …                          (s, steps)
height      … with y = height; the last step has height 0 and no end              (s, steps)
==========  ====================================================================  ===============
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.propose.batch import Allowed, Choice, greedy

Array = NDArray[np.float64]

NO_GAIN = -700.0
"""Logarithm of the value of what improves in no draw: about the smallest number's there is."""

_CELLS = 4_000_000  # draws × candidates × steps at once: some 100 MB
_DIRECTIONS = 48
_AT_ONCE = 512  # candidates whose reach is held at once: draws × candidates × directions


@dataclass(frozen=True)
class Staircases:
    """One front of two objectives for each draw: ``start``, ``end`` and ``height`` (s, steps).

    >>> front = Staircases.from_points(np.array([[[1.0, 3.0], [2.0, 2.0], [1.5, 1.0]]]))
    >>> front.improvement(np.array([[[2.0, 3.0], [1.0, 1.0], [3.0, 1.0]]]))
    array([[1., 0., 1.]])
    """

    start: Array
    end: Array
    height: Array

    @classmethod
    def from_points(cls, points: Array) -> Staircases:
        """Build the front of each draw of ``points`` (s, b, 2)."""
        s = len(points)
        points = np.concatenate([np.zeros((s, 1, 2)), np.maximum(points, 0.0)], axis=1)
        order = np.lexsort((-points[..., 1], -points[..., 0]), axis=-1)
        x, y = (np.take_along_axis(points[..., i], order, axis=1) for i in (0, 1))
        # From the right: a point is on the front if it lies higher than all to its right.
        highest = np.maximum.accumulate(y, axis=1)
        on_front = np.concatenate([y[:, :1] > 0, y[:, 1:] > highest[:, :-1]], axis=1) & (x > 0)
        n_steps = int(on_front.sum(axis=1).max(initial=0))
        first = np.argsort(~on_front, axis=1, kind="stable")[:, :n_steps][:, ::-1]
        is_step = np.take_along_axis(on_front, first, axis=1)
        # Draws with a shorter front begin with steps of no width.
        x = np.where(is_step, np.take_along_axis(x, first, axis=1), 0.0)
        y = np.where(is_step, np.take_along_axis(y, first, axis=1), np.inf)
        zero = np.zeros((s, 1))
        return cls(
            np.concatenate([zero, x], axis=1),
            np.concatenate([x, zero + np.inf], axis=1),
            np.concatenate([y, zero], axis=1),
        )

    def improvement(self, candidates: Array) -> Array:
        """Return (s, c) the hypervolume that each of ``candidates`` (s, c, 2) would add."""
        at_once = max(1, _CELLS // max(1, len(candidates) * self.start.shape[1]))
        parts = [
            self._improvement(candidates[:, first : first + at_once])
            for first in range(0, candidates.shape[1], at_once)
        ]
        return np.concatenate(parts, axis=1) if parts else np.zeros(candidates.shape[:2])

    def _improvement(self, candidates: Array) -> Array:
        x, y = candidates[:, :, None, 0], candidates[:, :, None, 1]
        width = np.minimum(x, self.end[:, None]) - self.start[:, None]
        rise = y - self.height[:, None]
        gain: Array = np.einsum("sct,sct->sc", np.maximum(width, 0.0), np.maximum(rise, 0.0))
        return gain

    def shortfall(self, candidates: Array) -> Array:
        """Return (s, c) by how much both values of a candidate fall short of an improvement."""
        missing = np.maximum(
            self.start[:, None] - candidates[:, :, None, 0],
            self.height[:, None] - candidates[:, :, None, 1],
        )
        return np.maximum(missing.min(axis=2), 0.0)

    def with_point(self, points: Array) -> Staircases:
        """Return the fronts with one more of ``points`` (s, 2) in each draw."""
        corners = np.stack([self.start[:, 1:], self.height[:, :-1]], axis=2)
        corners[np.isinf(corners)] = 0.0
        return Staircases.from_points(np.concatenate([corners, points[:, None]], axis=1))


def log_expected(fronts: Staircases, candidates: Array, scale: Array) -> Array:
    """Return (c,) the logarithm of the mean improvement of (s, c, 2) candidates over draws.

    Where no draw improves, it is :data:`NO_GAIN` and lower the further a candidate falls short, in
    units of ``scale`` (2,), so that an exhausted front still knows better from worse.
    """
    mean = fronts.improvement(candidates).mean(axis=0)
    value = np.log(np.maximum(mean, 1e-300))
    is_idle = mean <= 0
    if is_idle.any():
        scaled = Staircases(
            fronts.start / scale[0], fronts.end / scale[0], fronts.height / scale[1]
        )
        value[is_idle] = NO_GAIN - scaled.shortfall(candidates[:, is_idle] / scale).mean(axis=0)
    return value


def pick_exactly(
    draws: Array, baseline: Array, n: int, *, bonus: Array, allowed: Allowed
) -> Choice:
    """Pick ``n`` candidates one after the other, each by its expected gain given those before it.

    Args:
        draws: (s, c, 2) candidates, jointly drawn with …
        baseline: (s, b, 2) finished and pending runs.
        n: how many to pick; fewer come back where no more are allowed.
        bonus: (c,) added to the logarithm of the gain: log-probability of success.
        allowed: given the picks so far, (c,) which candidates may follow.
    """
    fronts = Staircases.from_points(baseline)
    scale = draws.std(axis=(0, 1)) + 1e-12

    def evaluate(rows: NDArray[np.int64]) -> Array:
        return log_expected(fronts, draws[:, rows], scale) + bonus[rows]

    def add(best: int) -> None:
        nonlocal fronts
        fronts = fronts.with_point(draws[:, best])

    return greedy(evaluate, add, draws.shape[1], n, allowed)


def log_expected_by_directions(front: Array, draws: Array, seed: int) -> Array:
    """Estimate what :func:`log_expected` computes, for any number of objectives.

    The hypervolume beyond the reference is, up to a constant, the mean over directions λ of the
    unit sphere's positive part of max over points of min over objectives (yⱼ / λⱼ)ᵏ (Zhang &
    Golovin 2020). Directions are the same for all candidates, so that these can be compared.

    Args:
        front: (b, k) what is to be improved on.
        draws: (s, c, k) candidates.
        seed: of the directions.
    """
    directions = _directions(1, draws.shape[2], seed)
    best = _reach(front[None], directions).max(axis=1, initial=0.0)
    parts = [
        _log_gain(_reach(draws[:, first : first + _AT_ONCE], directions), best, draws.shape[2])
        for first in range(0, draws.shape[1], _AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def pick_by_directions(
    draws: Array, baseline: Array, n: int, *, seed: int, bonus: Array, allowed: Allowed
) -> Choice:
    """Pick as :func:`pick_exactly` does, by the estimate and for any number of objectives.

    Each draw has directions of its own, so that all together see every part of the front.

    Args:
        draws: (s, c, k) candidates, jointly drawn with …
        baseline: (s, b, k) finished and pending runs.
        n: how many to pick; fewer come back where no more are allowed.
        seed: of the directions.
        bonus: (c,) added to the logarithm of the gain: log-probability of success.
        allowed: given the picks so far, (c,) which candidates may follow.
    """
    k = draws.shape[2]
    directions = _directions(len(draws), k, seed)
    reached = _reach(draws, directions)
    best = _reach(baseline, directions).max(axis=1, initial=0.0)

    def evaluate(rows: NDArray[np.int64]) -> Array:
        return _log_gain(reached[:, rows], best, k) + bonus[rows]

    def add(pick: int) -> None:
        nonlocal best
        best = np.maximum(best, reached[:, pick])

    return greedy(evaluate, add, draws.shape[1], n, allowed)


def _directions(s: int, k: int, seed: int) -> Array:
    """Return (s, l, k) unit vectors without negative entries."""
    directions = np.abs(np.random.default_rng(seed).standard_normal((s, _DIRECTIONS, k)))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    return np.maximum(directions, 1e-3)


def _reach(values: Array, directions: Array) -> Array:
    """Return (s, p, l) how far values (s, p, k) reach along each of (s or 1, l, k) directions."""
    reached = np.full((*values.shape[:2], directions.shape[1]), np.inf)
    for j in range(values.shape[2]):
        np.minimum(reached, values[:, :, None, j] / directions[:, None, :, j], out=reached)
    return reached


def _log_gain(reached: Array, best: Array, k: int) -> Array:
    """Return (c,) the logarithm of what (s, c, l) adds to (s or 1, l), as :func:`log_expected`."""
    best = best[:, None]
    gain = np.maximum(np.maximum(reached, 0.0) ** k - best**k, 0.0).mean(axis=(0, 2))
    value = np.log(np.maximum(gain, 1e-300))
    is_idle = gain <= 0
    if is_idle.any():
        value[is_idle] = NO_GAIN - np.maximum(best - reached[:, is_idle], 0.0).mean(axis=(0, 2))
    return value
