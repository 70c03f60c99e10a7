"""``gp`` and ``matmcl``: a surrogate, a search on the instrument's grid, expected improvement.

The batch is picked on joint posterior draws, first from settings all over the space, its ends and
corners, and around the expected front; then again and again from what was picked and its
neighbours, of which the best by a cheap score are looked at. That is done in the typical room;
where the room is not stated, the leaders are picked from once more, averaged over all its readings
(or at the worst of them). Each pick is of the whole batch, so that the batch is consistent.

Where no run reaches a threshold, or meets the constraints, the search is for a run that falls less
short of them (:class:`~engine.propose.reach.Shortfall`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from botorch.utils.multi_objective.pareto import is_non_dominated
from numpy.typing import NDArray

from engine.campaign import Value
from engine.campaign.history import History, Run
from engine.errors import ModelError, field
from engine.propose.acquisition import Goal, build_acquisition
from engine.propose.aims import Aims, draw_judged
from engine.propose.batch import Allowed, Choice, DistinctLimits, pick_greedily
from engine.propose.candidates import leaders_of, spread_settings
from engine.propose.covariances import moments_of_points
from engine.propose.expected_improvement import Points, pick_by_expectation
from engine.propose.forecaster import Forecaster
from engine.propose.improvement import (
    Staircases,
    log_expected,
    log_expected_by_directions,
    pick_by_directions,
    pick_exactly,
)
from engine.propose.neighbours import neighbours
from engine.propose.reach import reference_point, shortfall_of
from engine.propose.room import Room
from engine.workspace.settings import ProposeSettings

Array = NDArray[np.float64]

_MAX_BASELINE = 96
"""Finished runs kept as the front to beat: those most likely to be on it."""
_MAX_AROUND = 144
"""Settings around the expected front among the first candidates."""
_ROUNDS = 3
"""Passes over the surroundings of what was picked."""
_MAX_CLOSE_LOOK = 320
"""Rows (candidates × readings) of the second pass."""
_DRAWS_OF_ONE = 2
"""Times the usual number of draws for a single objective, whose candidates share each."""
_EXACT_DRAWS = 4
"""Times as many draws where the improvement is exact, and a draw next to free: the more candidates,
the more of them look good by luck."""
_MOST_BOXES = 3
"""Objectives up to which hypervolumes are computed by boxes; with more the boxes take minutes."""
_SCORE_DRAWS = 32
"""Draws that a candidate is scored by on its own."""
_NEAR = 16
"""Runs on the expected front whose surroundings are among the first candidates."""


@dataclass(frozen=True)
class Picked:
    """Settings (n, c) in the order of picking with their acquisition values; seconds by stage."""

    settings: Array
    values: tuple[float, ...]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class _Rows:
    """Candidates in their rooms: X (r, d), the candidate of each row (r,), P(success) (c,)."""

    X: Array
    owner: NDArray[np.int64]
    p_success: Array


class Search:
    """One search for a batch: the fitted objectives, the goal, and what may be chosen.

    With ``explore`` the search begins at the worst corner of the data where no run reaches a
    threshold, instead of going towards it.
    """

    def __init__(
        self,
        history: History,
        forecaster: Forecaster,
        *,
        explore: bool,
        room: Room,
        settings: ProposeSettings,
        seed: int,
    ) -> None:
        self.history = history
        self.campaign = history.campaign
        self.forecaster = forecaster
        self.space = forecaster.space
        self.room = room
        self.settings = settings
        self.seed = seed
        self.work = replace(forecaster.data.work, campaign=self.campaign)
        self.aims = Aims(self.work, forecaster.outcomes)
        self.runs = [run for run in history.finished if run.outcomes]
        self.shortfall = shortfall_of(history, self.aims, explore=explore)
        reference, _ = reference_point(
            self.campaign, history.finished, explore=explore, work=self.work
        )
        self.reference = np.array(reference if self.shortfall is None else [0.0])
        X = self._encode(self.runs)
        mean, variance = forecaster.work_moments(X, with_noise=False)
        self.pending = self._encode(history.pending)
        self.baseline = X[self._baseline(mean, variance)]
        self.moments = mean, variance

    def _encode(self, runs: Sequence[Run]) -> Array:
        return self.space.encode([run.conditions for run in runs], self.forecaster.data.fill)

    def _baseline(self, mean: Array, variance: Array) -> NDArray[np.int64]:
        """Return the places of the finished runs that may be on the front."""
        if len(mean) <= _MAX_BASELINE:
            return np.arange(len(mean))
        generator = torch.Generator().manual_seed(self.seed)
        columns = self.aims.k if self.shortfall is None else mean.shape[1]
        # Runs are drawn one by one, not jointly: only how often each is on the front is counted.
        noise = torch.randn(64, len(mean), columns, generator=generator, dtype=torch.double)
        draws = mean[:, :columns] + noise.numpy() * np.sqrt(variance[:, :columns])
        worth = torch.from_numpy(self._worth(draws))
        often = is_non_dominated(worth, deduplicate=False).double().mean(dim=0)
        keep = torch.argsort(often, descending=True, stable=True)[:_MAX_BASELINE]
        return np.sort(keep.numpy())

    def pick(
        self,
        n: int,
        *,
        excluded: set[tuple[int, ...]],
        limits: DistinctLimits,
        fixed: Mapping[str, Value],
    ) -> Picked:
        """Pick ``n`` settings out of the whole space.

        Raises:
            ModelError: fewer than ``n`` new settings exist.
        """
        started = time.perf_counter()
        pool = self._first_look(n, excluded, fixed)
        if len(pool) < n:
            raise ModelError(
                f"expected {n} settings that were not run yet, found {len(pool)} on the "
                f"instrument's grid: ask for fewer, or allow {field('replicates')}."
            )
        typical = self.room.typical[None]
        picked = self._choose(pool, typical, n, limits, self.seed)
        sampled = time.perf_counter()
        visited = {*excluded, *self.space.identities(pool)}
        # Box decompositions of three objectives or more, and constraints, take their time.
        slow = len(self.reference) == _MOST_BOXES or bool(self.aims.n_limits)
        for _ in range(1 if slow else _ROUNDS):
            near = self._around(pool, picked, visited, limits, fixed)
            if not len(near):
                break
            visited.update(self.space.identities(near))
            pool = np.concatenate([pool[self._leaders(picked)], near])
            picked = self._choose(pool, typical, n, limits, self.seed + 1)
        if len(self.room.readings) > 1:
            room = max(_MAX_CLOSE_LOOK // len(self.room.readings), 4 * n)
            pool = pool[self._leaders(picked, room)]
            picked = self._choose(pool, self.room.readings, n, limits, self.seed + 2)
        seconds = {"search": sampled - started, "refine": time.perf_counter() - sampled}
        values = tuple(value + self._log_unit for value in picked.values)
        return Picked(pool[picked.picks], values, seconds)

    @property
    def _log_unit(self) -> float:
        """What takes the logarithm of an improvement to the outcomes' units."""
        if self.shortfall is not None:
            return 0.0
        straight = [o for o in self.campaign.objectives if o.target is None]
        return float(np.log([self.work.unit(o.outcome) for o in straight]).sum())

    def _first_look(
        self, n: int, excluded: set[tuple[int, ...]], fixed: Mapping[str, Value]
    ) -> Array:
        """Return new settings all over the space, and the best around the expected front."""
        raw = max(self.settings.raw_samples, 4 * n)
        whole_grid = self.space.every_setting(fixed)
        if whole_grid is not None:
            return self._best_alone(self.space.new_among(whole_grid, excluded), 2 * raw)
        spread = spread_settings(self.space, raw, self.seed, fixed)
        near = self._near_the_front(fixed)
        around = np.concatenate([near, neighbours(self.space, near, fixed)])
        around = self.space.new_among(around[self.space.is_feasible(around)], excluded)
        spread = self.space.new_among(spread, excluded)
        best = self._best_alone(around, _MAX_AROUND)
        return self.space.new_among(np.concatenate([best, spread]), excluded)

    def _best_alone(self, settings: Array, n: int) -> Array:
        """Return the ``n`` of (p, c) settings that promise most, each by itself."""
        if len(settings) <= n:
            return settings
        return settings[leaders_of(*self._score(settings), n)]

    def _leaders(self, picked: Choice, n: int | None = None) -> list[int]:
        """Return the places of the picks and of the next best alone, ``n`` in all."""
        order = np.argsort(-picked.first_values, kind="stable")
        n_best = n or len(picked.picks) + self.settings.restarts
        return list(dict.fromkeys([*picked.picks, *order.tolist()]))[:n_best]

    def _around(
        self,
        pool: Array,
        picked: Choice,
        visited: set[tuple[int, ...]],
        limits: DistinctLimits,
        fixed: Mapping[str, Value],
    ) -> Array:
        """Return the best new settings near the leaders."""
        leaders = pool[self._leaders(picked)]
        near = neighbours(self.space, leaders, fixed)
        if limits.limits and picked.picks:
            # What is good elsewhere is looked at where the batch may still go.
            best = pool[self._leaders(picked, _MAX_CLOSE_LOOK)]
            moved = limits.moved_onto(np.concatenate([best, near]), [pool[i] for i in picked.picks])
            near = np.concatenate([near, moved[self.space.is_feasible(moved)]])
        return self._best_alone(self.space.new_among(near, visited), _MAX_CLOSE_LOOK)

    def _score(self, settings: Array) -> tuple[Array, Array]:
        """Score settings (p, c) alone, in the typical room.

        Returns:
            Values (p,), the higher the better, and means beyond the reference (p, k).
        """
        X = self.space.cube(settings, np.tile(self.room.typical, (len(settings), 1)))
        mean, variance = self.forecaster.work_moments(X, with_noise=False)
        # The same few draws for all: what is compared differs by the settings, not by luck.
        draws = self._drawn(mean, variance)
        gains = self._worth(draws) - self.reference
        gains = np.where(self._is_allowed(draws)[..., None], gains, 0.0)
        front = self._expected_front
        if self.shortfall is not None:
            # Counted from below all runs: there is nothing to be beyond yet.
            lowest = front.min(initial=0.0)
            front, gains = front - lowest, gains - lowest
        if gains.shape[-1] == 2:
            scale = gains.std(axis=(0, 1)) + 1e-12
            value = log_expected(Staircases.from_points(front[None]), gains, scale)
        else:
            value = log_expected_by_directions(front, gains, self.seed)
        p_success = self.forecaster.feasibility.probability(X)
        expected = self._expected_worth(mean, variance) - self.reference
        return value + np.log(np.maximum(p_success, 1e-6)), expected

    def _worth(self, values: Array) -> Array:
        """Return what is searched for, the larger the better: gains (…, k), or what falls short."""
        if self.shortfall is None:
            return self.aims.gains(values)
        return self.shortfall.measure(self.aims.judged(values))

    def _expected_worth(self, mean: Array, variance: Array) -> Array:
        if self.shortfall is None:
            return self.aims.expected(mean, variance)
        worth: Array = self._worth(self._drawn(mean, variance)).mean(axis=0)
        return worth

    def _drawn(self, mean: Array, variance: Array) -> Array:
        """Return draws (s, p, m) of points (p, m), each by itself: for all the same, and back."""
        z = np.random.default_rng(self.seed).standard_normal((_SCORE_DRAWS, 1, mean.shape[1]))
        z[..., : self.aims.k] *= self.aims.signs
        drawn: Array = mean + np.concatenate([z, -z]) * np.sqrt(variance)
        return drawn

    def _is_allowed(self, values: Array) -> NDArray[np.bool_]:
        """Whether values (…, m) meet the outcome constraints, or none has to yet."""
        if self.shortfall is not None:
            return np.ones(values.shape[:-1], dtype=bool)
        return np.asarray((self.aims.violations(values) <= 0).all(axis=-1), dtype=bool)

    @cached_property
    def _expected_front(self) -> Array:
        """(b, k) what runs and pending runs are expected to give, beyond the reference."""
        mean, variance = self.moments
        if len(self.pending):
            pending = self.forecaster.work_moments(self.pending, with_noise=False)
            mean = np.concatenate([mean, pending[0]])
            variance = np.concatenate([variance, pending[1]])
        gains = self._expected_worth(mean, variance) - self.reference
        return gains[self._is_allowed(mean)]

    def pick_from(self, X: Array, n: int) -> Choice:
        """Pick ``n`` rows out of X (c, d): settings together with the room they were run in."""
        rows = _Rows(X, np.arange(len(X)), self.forecaster.feasibility.probability(X))
        return self._pick(rows, n, lambda _: np.ones(len(X), dtype=bool), self.seed)

    def _choose(
        self, pool: Array, readings: Array, n: int, limits: DistinctLimits, seed: int
    ) -> Choice:
        r = len(readings)
        X = self.space.cube(np.repeat(pool, r, axis=0), np.tile(readings, (len(pool), 1)))
        owner = np.repeat(np.arange(len(pool)), r)
        p_success = self.forecaster.feasibility.probability(X).reshape(len(pool), r)
        reduced = (
            p_success.min(axis=1) if self.room.aggregation == "worst" else p_success.mean(axis=1)
        )
        return self._pick(
            _Rows(X, owner, reduced),
            n,
            lambda picks: limits.allowed(pool, [pool[i] for i in picks]),
            seed,
        )

    def _pick(self, rows: _Rows, n: int, allowed: Allowed, seed: int) -> Choice:
        b, q = len(self.baseline), len(self.pending)
        X = torch.from_numpy(np.concatenate([self.baseline, self.pending, rows.X]))
        owners = torch.from_numpy(np.concatenate([np.arange(b + q), b + q + rows.owner]))
        # The acquisition value is a logarithm, so that a factor is a sum; 1e-6 keeps it finite.
        bonus = np.log(np.maximum(rows.p_success, 1e-6))
        is_worst = self.room.aggregation == "worst"
        k = len(self.reference)
        is_one_row_each = len(owners) == int(owners[-1]) + 1
        is_straight = not self.aims.has_targets or is_one_row_each
        is_free = not self.aims.n_limits and self.shortfall is None
        if k <= 2 and is_free and is_straight and not is_worst:
            mean, covariances = moments_of_points(self.forecaster.model, X, owners)
            margins, laws = self.aims.shifted(mean, self.reference)
            return pick_by_expectation(
                Points(margins, covariances, b + q, laws),
                n,
                n_draws=self.settings.mc_samples * (_DRAWS_OF_ONE if k == 1 else 1),
                seed=seed,
                bonus=bonus,
                allowed=allowed,
            )
        is_exact = k == 2 and is_free
        draws = draw_judged(
            self.forecaster.model,
            X,
            owners,
            self.aims,
            n_draws=self.settings.mc_samples * (_EXACT_DRAWS if is_exact else 1),
            seed=seed,
            is_worst=is_worst,
        )
        goal = Goal(torch.from_numpy(self.reference), self._limits())
        if self.shortfall is not None:
            draws = torch.from_numpy(self.shortfall.measure(draws.numpy()))
        elif is_exact or (k > _MOST_BOXES and not self.aims.n_limits):
            gains = (draws - goal.reference).numpy()
            parts = gains[:, b + q :], gains[:, : b + q]
            if is_exact:
                return pick_exactly(*parts, n, bonus=bonus, allowed=allowed)
            return pick_by_directions(*parts, n, seed=seed, bonus=bonus, allowed=allowed)
        index = torch.arange(b + q, draws.shape[1], dtype=draws.dtype)
        return pick_greedily(
            build_acquisition(draws, torch.arange(b), goal),
            index,
            torch.arange(b, b + q, dtype=draws.dtype),
            n,
            bonus=bonus,
            allowed=allowed,
        )

    def _limits(self) -> tuple[tuple[int, float, float], ...]:
        """Return the columns of judged draws that have to be 0 or less."""
        if self.shortfall is not None:
            return ()
        return tuple((self.aims.k + i, 1.0, 0.0) for i in range(self.aims.n_limits))

    def _near_the_front(self, fixed: Mapping[str, Value]) -> Array:
        """Return the settings of runs whose expected results nothing beats, and of pending ones."""
        expected = self._expected_worth(*self.moments)
        if self.shortfall is None:
            on_front = is_non_dominated(torch.from_numpy(expected)).numpy()
            best = [run for run, is_on in zip(self.runs, on_front, strict=True) if is_on][:_NEAR]
        else:
            order = np.argsort(-expected[:, 0], kind="stable")[:_NEAR]
            best = [self.runs[place] for place in order]
        near = [run.conditions for run in (*best, *self.history.pending[:_NEAR])]
        settings = self.space.snap(self.space.settings_of(near))
        for name, value in fixed.items():
            settings[:, self.space.place_of(name)] = self.space.code_of(name, value)
        return self.space.canonical(settings)
