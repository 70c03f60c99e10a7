"""Settings that keep a campaign's parameter constraints, uniformly: a mixture stays on its simplex.

Notation

=======  ===============================================================  =================
``z``    numeric parameters, each in shares of its range                   (n, k), 0 … 1
``P``    projection onto the directions that keep every equality           (k, k)
``d_i``  ``P e_i``: parameter ``i`` moves, others make room for it         (k,)
=======  ===============================================================  =================

Moving along ``d_i`` to a uniform place between the walls is a step of hit-and-run, which leaves the
uniform distribution over the feasible set as it is (Smith 1984).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign
from engine.errors import UsageError
from engine.propose.polytope import Polytope
from engine.propose.sampling import Sampler
from engine.propose.space import Space, places, values_at

Array = NDArray[np.float64]

_MOST_ROUNDS = 5000
_MOST_DRAWS = 50  # of as many as are wanted, where exclusions refuse most


class FeasibleSet:
    """What the parameter constraints of a campaign leave of its numeric parameters' ranges.

    Constants take up their share of a sum, and are none of its ``names``.

    Raises:
        UsageError: they leave nothing.
    """

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._numeric = [
            i for i, p in enumerate(campaign.parameters) if p.is_numeric and not p.is_constant
        ]
        self.names = [campaign.parameters[i].name for i in self._numeric]
        constants = {
            p.name: p.bounds[0] for p in campaign.parameters if p.is_numeric and p.is_constant
        }
        bounds = np.array([campaign.parameter(name).bounds for name in self.names], dtype=float)
        bounds = bounds.reshape(-1, 2)
        self.low, self.span = bounds[:, 0], bounds[:, 1] - bounds[:, 0]
        equal: list[Array] = []
        upper: list[Array] = []
        for constraint in campaign.parameter_constraints:
            terms = np.array([constraint.terms.get(name, 0.0) for name in self.names])
            # Each row in shares of the ranges, and of length 1: units are no matter of geometry.
            used = sum(constraint.terms.get(name, 0.0) * x for name, x in constants.items())
            row, limit = terms * self.span, constraint.bound - float(terms @ self.low) - used
            length = float(np.linalg.norm(row))
            if length == 0:
                continue
            sign = -1.0 if constraint.operator == ">=" else 1.0
            scaled = np.append(sign * row, sign * limit) / length
            (equal if constraint.operator == "==" else upper).append(scaled)
        k = len(self.names)
        self._equal = np.array(equal).reshape(-1, k + 1)
        walls = [np.append(np.eye(k), np.ones((k, 1)), axis=1)]
        walls += [
            np.append(-np.eye(k), np.zeros((k, 1)), axis=1),
            np.array(upper).reshape(-1, k + 1),
        ]
        self._walls = np.concatenate(walls)
        rows = self._equal[:, :-1]
        self.directions = np.eye(k) - np.linalg.pinv(rows) @ rows
        lower = np.append(self._equal[:, -1], np.full(len(upper), -np.inf))
        rules = np.concatenate([self._equal, np.array(upper).reshape(-1, k + 1)])
        self._polytope = Polytope(
            rules[:, :-1], lower, rules[:, -1], np.zeros(k), np.ones(k), (None,) * k
        )
        if len(rules) and self._polytope.nearest() is None:
            raise UsageError("no setting satisfies the bounds and the parameter constraints")

    def sample_all(self, n: int, rng: np.random.Generator) -> Array:
        """Return (n, parameters) shares of all parameters, choices too, that nothing forbids.

        Raises:
            UsageError: exclusions leave nothing.
        """
        parts, n_found = [], 0
        for _ in range(_MOST_DRAWS):
            part = rng.random((n, len(self._campaign.parameters)))
            part[:, self._numeric] = self.sample(n, rng)
            parts.append(part[~self.is_excluded(part)])
            n_found += len(parts[-1])
            if n_found >= n:
                return np.concatenate(parts)[:n]
        return self._from_regions(n, rng)

    def _from_regions(self, n: int, rng: np.random.Generator) -> Array:
        """Return (n, parameters) shares from the little that exclusions leave."""
        space = Space(self._campaign)
        settings = Sampler(space).sample(n, int(rng.integers(2**31)))
        settings = settings[rng.integers(len(settings), size=n)]
        shares = rng.random((n, len(self._campaign.parameters)))
        for column, parameter in enumerate(self._campaign.parameters):
            if parameter.role == "ambient":
                continue
            values = settings[:, space.place_of(parameter.name)]
            if parameter.choices is not None:
                codes = space.level_of(space.place_of(parameter.name), values)
                shares[:, column] = (codes + 0.5) / len(parameter.settable)
            else:
                shares[:, column] = places(parameter, values)
        return shares

    def move(self, shares: Array, j: int, rng: np.random.Generator) -> Array:
        """Return (n, parameters) with parameter ``j`` moved, exclusions aside."""
        moved = shares.copy()
        if j in self._numeric:
            moved[:, self._numeric] = self.moved(
                shares[:, self._numeric], self._numeric.index(j), rng
            )
        else:
            moved[:, j] = rng.random(len(shares))
        return moved

    def is_excluded(self, shares: Array) -> NDArray[np.bool_]:
        """Return (n,): which of (n, parameters) shares lie in an exclusion."""
        excluded = np.zeros(len(shares), dtype=bool)
        if not self._campaign.exclusions:
            return excluded
        space = Space(self._campaign)
        settings = np.empty((len(shares), len(space.controlled)))
        for column, parameter in enumerate(self._campaign.parameters):
            if parameter.role == "ambient":
                continue
            place = space.place_of(parameter.name)
            if parameter.choices is not None:
                n = len(parameter.settable)
                codes = np.minimum((shares[:, column] * n).astype(np.int64), n - 1)
                settings[:, place] = space.at_level(place, codes)
            else:
                settings[:, place] = values_at(parameter, shares[:, column])
        for exclusion in self._campaign.exclusions:
            excluded |= space.is_inside(exclusion, settings)
        return excluded

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return ``n`` points (n, k) all over the set."""
        if not len(self._polytope.A):
            return rng.random((n, len(self.names)))
        return self._polytope.points(n, rng)

    def moved(self, places: Array, i: int, rng: np.random.Generator) -> Array:
        """Return the points (n, k) with parameter ``i`` moved, and whatever makes room for it."""
        return self._step(places, np.tile(self.directions[i], (len(places), 1)), rng)

    def lines(self, places: Array, i: int, n: int) -> Array:
        """Return the feasible points nearest to each place as parameter ``i`` goes its way.

        Args:
            places: (m, k), feasible or not.
            i: which parameter.
            n: how many of its values, evenly over all that the constraints let it have.

        Returns:
            (m, n, k): what else has to move, moves as little as it can.
        """
        values = np.linspace(*self._attainable(i), n)
        targets = np.repeat(places, n, axis=0)
        own_row = np.append(np.eye(len(self.names))[i], 0.0)
        rows = np.concatenate([self._equal, own_row[None, :]])[:, :-1]
        limits = np.tile(np.append(self._equal[:, -1], 0.0), (len(targets), 1))
        limits[:, -1] = np.tile(values, len(places))
        inverse = np.linalg.pinv(rows)

        def on_equalities(points: Array) -> Array:
            projected: Array = points - (points @ rows.T - limits) @ inverse.T
            return projected

        # Dykstra's algorithm: projecting in turn, each wall with what it took off before, leads to
        # the nearest point of all. https://doi.org/10.1080/01621459.1983.10477029
        corrections = np.zeros((len(self._walls), *targets.shape))
        points = targets
        for _ in range(_MOST_ROUNDS):
            start = points
            points = on_equalities(points)
            for wall, row in enumerate(self._walls):
                moved = points + corrections[wall]
                normal = row[:-1]
                excess = np.maximum(moved @ normal - row[-1], 0.0) / (normal @ normal)
                points = moved - excess[:, None] * normal
                corrections[wall] = moved - points
            if np.abs(points - start).max() < 1e-10:
                break
        return on_equalities(points).reshape(len(places), n, -1)

    def _attainable(self, i: int) -> tuple[float, float]:
        """Return the least and the greatest that parameter ``i`` can be, in shares of its range."""
        from scipy.optimize import linprog

        ends = []
        for sign in (1.0, -1.0):
            solution = linprog(
                sign * np.eye(len(self.names))[i],
                A_ub=self._walls[:, :-1],
                b_ub=self._walls[:, -1],
                A_eq=self._equal[:, :-1],
                b_eq=self._equal[:, -1],
                bounds=[(0, 1)] * len(self.names),
            )
            assert solution.x is not None  # noqa: S101 -- there is a point, so there are ends
            ends.append(float(solution.x[i]))
        return ends[0], ends[1]

    def _step(self, places: Array, directions: Array, rng: np.random.Generator) -> Array:
        normals, limits = self._walls[:, :-1], self._walls[:, -1]
        gap = np.maximum(limits - places @ normals.T, 0.0)
        speed = directions @ normals.T
        with np.errstate(divide="ignore", invalid="ignore"):
            times = gap / speed
        far = np.where(speed > 1e-12, times, np.inf).min(axis=1)
        near = np.where(speed < -1e-12, times, -np.inf).max(axis=1)
        # A direction that leads nowhere: the equalities hold the parameter where it is.
        stuck = ~np.isfinite(far) | ~np.isfinite(near)
        reach = np.where(stuck, 0.0, near + rng.random(len(places)) * (far - near))
        stepped: Array = np.clip(places + reach[:, None] * directions, 0.0, 1.0)
        return stepped
