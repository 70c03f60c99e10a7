"""What linear rules leave of the ranges: points all over it, the nearest setting, or none.

Notation
--------
=========  ==================================================================  ==================
symbol     meaning                                                             shape
=========  ==================================================================  ==================
u          numeric parameters by their place in their ranges, 0 … 1            (…, v)
A          rules: lower ≤ A u ≤ upper, each row scaled to Σ|A| = 1             (r, v)
levels     where the instrument can be set: places of each level, or how       by parameter
           many even steps there are; nothing where it is continuous
=========  ==================================================================  ==================

The continuous relaxation is sampled by hit-and-run (Smith 1984), all chains at once, each from a
mixture of vertices. Whether any setting exists on the steps, and which is nearest to a point, is a
mixed integer program (HiGHS).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

Array = NDArray[np.float64]

_THIN = 1e-6  # of a range: a polytope no wider than that in some direction has no such direction
_TIME_LIMIT_S = 10.0
_MOST_STEPS = 1_000_000  # finer grids are as good as continuous, and integers lose their digits


@dataclass(frozen=True)
class Polytope:
    """Rules over numeric parameters in the unit cube.

    ``low``, ``high``: (v,) where a parameter may be, equal where it is held; ``steps``: for each
    parameter the number of even steps, the places (t,) of its levels, or ``None``.

    >>> simplex = Polytope(
    ...     np.ones((1, 3)) / 3, np.array([1 / 3]), np.array([1 / 3]), np.zeros(3), np.ones(3),
    ...     (10, 10, None),
    ... )
    >>> points = simplex.points(200, np.random.default_rng(0))
    >>> bool(np.allclose(points.sum(axis=1), 1.0)), bool((points >= 0).all())
    (True, True)
    >>> simplex.nearest(np.array([0.33, 0.33, 0.34])).round(6).tolist()
    [0.3, 0.3, 0.4]
    """

    A: Array
    lower: Array
    upper: Array
    low: Array
    high: Array
    steps: tuple[int | Array | None, ...]

    @cached_property
    def vertices(self) -> Array:
        """Corners (w, v) that span the polytope: the farthest along directions that are left."""
        v = len(self.low)
        corners = [*self._ends(np.eye(v))]
        for direction in np.random.default_rng(0).standard_normal((2 * v, v)):
            spanned = _basis(np.array(corners))
            # What points the corners so far cannot tell apart lies across all they span.
            across = direction - spanned.T @ (spanned @ direction)
            size = float(np.linalg.norm(across))
            if size < _THIN:
                break
            ends = self._ends((across / size)[None])
            # Of no width in a random direction across: of no width in any.
            if len(ends) < 2 or (ends[1] - ends[0]) @ across < _THIN:
                break
            corners.extend(ends)
        _, first = np.unique(np.round(corners, 9), axis=0, return_index=True)
        return np.array(corners)[np.sort(first)]

    def _ends(self, directions: Array) -> list[Array]:
        ends = []
        for direction in directions:
            for sign in (1.0, -1.0):  # the lowest first
                result = milp(
                    sign * direction,
                    bounds=Bounds(self.low, self.high),
                    constraints=LinearConstraint(self.A, self.lower, self.upper),
                )
                if result.x is not None:
                    ends.append(np.clip(result.x, self.low, self.high))
        return ends

    def points(self, n: int, rng: np.random.Generator, *, ends: float = 0.0) -> Array:
        """Return (n, v) points all over the relaxation, a share of them at its ends.

        The polytope must hold a point (:meth:`nearest`).
        """
        v, corners = len(self.low), self.vertices
        basis = _basis(corners)
        points = rng.dirichlet(np.ones(len(corners)), n) @ corners
        normals = np.concatenate([self.A, -self.A, np.eye(v), -np.eye(v)])
        limits = np.concatenate([self.upper, -self.lower, self.high, -self.low])
        bounded = np.isfinite(limits)
        normals, limits = normals[bounded], limits[bounded]
        for _ in range(20 + 10 * len(basis) if len(basis) else 0):
            direction = rng.standard_normal((n, len(basis))) @ basis
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            speed = direction @ normals.T
            room = np.maximum(limits - points @ normals.T, 0.0)
            # Rules that a direction hardly touches, equalities above all, do not bound it.
            ratio = room / np.where(np.abs(speed) > 1e-9, speed, np.inf)
            forward = np.where(speed > 1e-9, ratio, np.inf).min(axis=1)
            backward = np.where(speed < -1e-9, ratio, -np.inf).max(axis=1)
            way = backward + rng.random(n) * (forward - backward)
            points = points + np.where(np.isfinite(way), way, 0.0)[:, None] * direction
        at_end = rng.random(n) < ends
        points[at_end] = _near_corners(len(corners), int(at_end.sum()), rng) @ corners
        return np.clip(points, self.low, self.high)

    def is_possible(self) -> bool:
        """Whether the relaxation holds a point."""
        result = milp(
            np.zeros(len(self.low)),
            bounds=Bounds(self.low, self.high),
            constraints=LinearConstraint(self.A, self.lower, self.upper),
        )
        return result.x is not None

    def nearest(self, target: Array | None = None) -> Array | None:
        """Return the setting (v,) on the steps that is nearest to ``target`` (v,), or any.

        ``None``: there is none, which is proven.

        Raises:
            TimeoutError: neither was found out in time.
        """
        v = len(self.low)
        levels, right, low, high, integral = self._stepped()
        n_variables = len(low)
        cost = np.zeros(n_variables)
        rules = np.hstack([self.A, np.zeros((len(self.A), n_variables - v))])
        rows = np.concatenate([rules, levels])
        lower, upper = np.concatenate([self.lower, right]), np.concatenate([self.upper, right])
        if target is not None:
            # Each distance is a variable t with t ≥ u − target and t ≥ target − u.
            rows = np.hstack([rows, np.zeros((len(rows), v))])
            apart = np.hstack([np.eye(v), np.zeros((v, n_variables - v))])
            rows = np.concatenate(
                [rows, np.hstack([apart, -np.eye(v)]), np.hstack([-apart, -np.eye(v)])]
            )
            lower = np.concatenate([lower, np.full(2 * v, -np.inf)])
            upper = np.concatenate([upper, target, -target])
            cost = np.concatenate([cost, np.ones(v)])
            low, high = np.concatenate([low, np.zeros(v)]), np.concatenate([high, np.ones(v)])
            integral = np.concatenate([integral, np.zeros(v, dtype=np.int64)])
        result = milp(
            cost,
            integrality=integral,
            bounds=Bounds(low, high),
            constraints=LinearConstraint(rows, lower, upper),
            options={"time_limit": _TIME_LIMIT_S},
        )
        if result.status == 2:
            return None
        if result.x is None:
            raise TimeoutError(result.message)
        return np.clip(result.x[:v], self.low, self.high)

    def _stepped(self) -> tuple[Array, Array, Array, Array, NDArray[np.int64]]:
        """Return what puts u on its levels: equalities, right sides, bounds and integrality."""
        v = len(self.low)
        low, high, integral = list(self.low), list(self.high), [0] * v
        entries: list[tuple[dict[int, float], float]] = []
        for place, steps in enumerate(self.steps):
            if steps is None or self.low[place] == self.high[place]:
                continue
            first = len(low)
            if isinstance(steps, int):
                if steps > _MOST_STEPS:
                    continue
                low.append(0.0)
                high.append(float(steps))
                integral.append(1)
                entries.append(({place: 1.0, first: -1.0 / steps}, 0.0))
            else:
                low.extend([0.0] * len(steps))
                high.extend([1.0] * len(steps))
                integral.extend([1] * len(steps))
                chosen = range(first, first + len(steps))
                entries.append((dict.fromkeys(chosen, 1.0), 1.0))
                levels = {i: -float(x) for i, x in zip(chosen, steps, strict=True)}
                entries.append(({place: 1.0, **levels}, 0.0))
        rows, right = np.zeros((len(entries), len(low))), np.zeros(len(entries))
        for row, (factors, value) in enumerate(entries):
            rows[row, list(factors)] = list(factors.values())
            right[row] = value
        return rows, right, np.array(low), np.array(high), np.array(integral, dtype=np.int64)

    def drop_rule(self, row: int) -> Polytope:
        """Return the polytope with one rule less."""
        keep = np.arange(len(self.A)) != row
        return Polytope(
            self.A[keep], self.lower[keep], self.upper[keep], self.low, self.high, self.steps
        )

    def freed(self, place: int) -> Polytope:
        """Return the polytope with one parameter no longer held."""
        low, high = self.low.copy(), self.high.copy()
        low[place], high[place] = 0.0, 1.0
        return Polytope(self.A, self.lower, self.upper, low, high, self.steps)


def contradiction(polytope: Polytope, pinned: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return rules and held parameters that contradict each other, none of them needlessly.

    Args:
        polytope: one without any setting.
        pinned: places of the parameters that are held.

    Returns:
        Rows of the rules, and places of the held parameters: leave out any one, and there is a
        setting.
    """
    places = []
    for place in pinned:
        freed = polytope.freed(place)
        if freed.nearest() is None:
            polytope = freed
        else:
            places.append(place)
    rows = list(range(len(polytope.A)))
    for row in reversed(range(len(polytope.A))):
        fewer = polytope.drop_rule(row)
        if fewer.nearest() is None:
            polytope = fewer
            rows.remove(row)
    return rows, places


def _near_corners(n_corners: int, n: int, rng: np.random.Generator) -> Array:
    """Return weights (n, n_corners) of which few are large: corners, and what lies between two."""
    return rng.dirichlet(np.full(n_corners, 0.5 / n_corners), n)


def _basis(corners: Array) -> Array:
    """Return (k, v) orthonormal directions in which the corners differ."""
    if len(corners) < 2:
        return np.zeros((0, corners.shape[-1] if corners.ndim == 2 else 0))
    _, sizes, directions = np.linalg.svd(corners - corners.mean(axis=0), full_matrices=False)
    return np.asarray(directions[sizes > _THIN])
