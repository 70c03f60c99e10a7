"""``gp`` and ``matmcl``: a surrogate, a search on the instrument's grid, expected improvement.

The batch is picked on joint posterior draws, first from settings all over the space, its ends and
corners, and around the expected front; then again and again from what was picked and its
neighbours, of which the best by a cheap score are looked at. That is done in the typical room;
where the room is not stated, the leaders are picked from once more, averaged over all its readings
(or at the worst of them). Each pick is of the whole batch, so that the batch is consistent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from botorch.utils.multi_objective.pareto import is_non_dominated
from numpy.typing import NDArray
from torch import Tensor

from engine.campaign import Campaign, Value
from engine.campaign.history import History, Run
from engine.errors import ModelError, by_voice, field
from engine.propose.acquisition import Goal, build_acquisition, draw_joint, joint_of_points
from engine.propose.batch import Allowed, Choice, DistinctLimits, pick_greedily
from engine.propose.candidates import leaders_of, spread_settings
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
from engine.propose.room import Room
from engine.propose.training_data import to_work
from engine.workspace.settings import ProposeSettings

Array = NDArray[np.float64]

_HOW_TO_REVISE = by_voice(" (config.toml, then `engine campaign revise`)", "")
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
    """One search for a batch: the fitted objectives, the goal, and what may be chosen."""

    def __init__(
        self,
        history: History,
        forecaster: Forecaster,
        reference: Sequence[float],
        *,
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
        self.goal = _goal(self.campaign, forecaster.outcomes, reference)
        self.signs = _signs(self.campaign, forecaster.outcomes)
        self.runs = [run for run in history.finished if run.outcomes]
        X = self._encode(self.runs)
        mean, variance = forecaster.moments(X, with_noise=False)
        self.pending = self._encode(history.pending)
        self.baseline = X[self._baseline(mean, variance)]
        self.expected = mean * self.signs.numpy()

    def _encode(self, runs: Sequence[Run]) -> Array:
        return self.space.encode([run.conditions for run in runs], self.forecaster.data.fill)

    def _baseline(self, mean: Array, variance: Array) -> NDArray[np.int64]:
        """Return the places of the finished runs that may be on the front."""
        if len(mean) <= _MAX_BASELINE:
            return np.arange(len(mean))
        generator = torch.Generator().manual_seed(self.seed)
        k = len(self.goal.reference)
        # Runs are drawn one by one, not jointly: only how often each is on the front is counted.
        noise = torch.randn(64, len(mean), k, generator=generator, dtype=torch.double)
        draws = torch.from_numpy(mean[:, :k]) + noise * torch.from_numpy(variance[:, :k]).sqrt()
        often = is_non_dominated(draws * self.signs[:k], deduplicate=False).double().mean(dim=0)
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
        slow = len(self.goal.reference) == _MOST_BOXES or bool(self.goal.limits)
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
        return Picked(pool[picked.picks], tuple(picked.values), seconds)

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
        mean, variance = self.forecaster.moments(X, with_noise=False)
        mean = mean * self.signs.numpy()
        # The same few draws for all: what is compared differs by the settings, not by luck.
        z = np.random.default_rng(self.seed).standard_normal((_SCORE_DRAWS, 1, mean.shape[1]))
        k, reference = len(self.goal.reference), self.goal.reference.numpy()
        draws = mean + np.concatenate([z, -z]) * np.sqrt(variance)
        gains = np.where(self._is_allowed(draws)[..., None], draws[..., :k] - reference, 0.0)
        if k == 2:
            front = Staircases.from_points(self._expected_front[None])
            value = log_expected(front, gains, gains.std(axis=(0, 1)) + 1e-12)
        else:
            value = log_expected_by_directions(self._expected_front, gains, self.seed)
        p_success = self.forecaster.feasibility.probability(X)
        return value + np.log(np.maximum(p_success, 1e-6)), mean[:, :k] - reference

    def _is_allowed(self, values: Array) -> NDArray[np.bool_]:
        """Whether values (…, m) with maximisation signs meet the outcome constraints."""
        good = np.ones(values.shape[:-1], dtype=bool)
        for column, sign, bound in self.goal.limits:
            good &= sign * values[..., column] <= sign * bound
        return good

    @cached_property
    def _expected_front(self) -> Array:
        """(b, k) what runs and pending runs are expected to give, beyond the reference."""
        expected = self.expected
        if len(self.pending):
            pending, _ = self.forecaster.moments(self.pending, with_noise=False)
            expected = np.concatenate([expected, pending * self.signs.numpy()])
        gains = expected[:, : len(self.goal.reference)] - self.goal.reference.numpy()
        return gains[self._is_allowed(expected)]

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
        k = len(self.goal.reference)
        if k <= 2 and not self.goal.limits and not is_worst:
            mean, covariance = joint_of_points(self.forecaster.model, X, owners)
            beyond = mean[:k] * self.signs[:k, None] - self.goal.reference[:, None]
            return pick_by_expectation(
                Points.of(beyond, covariance[:k], b + q),
                n,
                n_draws=self.settings.mc_samples * (_DRAWS_OF_ONE if k == 1 else 1),
                seed=seed,
                bonus=bonus,
                allowed=allowed,
            )
        is_exact = k == 2 and not self.goal.limits
        draws = draw_joint(
            self.forecaster.model,
            X,
            owners,
            n_draws=self.settings.mc_samples * (_EXACT_DRAWS if is_exact else 1),
            seed=seed,
            worst=self.worst_case_signs() if is_worst else None,
        )
        draws = draws * self.signs
        if is_exact:
            gains = (draws - self.goal.reference).numpy()
            return pick_exactly(
                gains[:, b + q :], gains[:, : b + q], n, bonus=bonus, allowed=allowed
            )
        if len(self.goal.reference) > _MOST_BOXES and not self.goal.limits:
            gains = (draws - self.goal.reference).numpy()
            return pick_by_directions(
                gains[:, b + q :], gains[:, : b + q], n, seed=seed, bonus=bonus, allowed=allowed
            )
        index = torch.arange(b + q, draws.shape[1], dtype=draws.dtype)
        return pick_greedily(
            build_acquisition(draws, torch.arange(b), self.goal),
            index,
            torch.arange(b, b + q, dtype=draws.dtype),
            n,
            bonus=bonus,
            allowed=allowed,
        )

    def worst_case_signs(self) -> Tensor:
        """Return (m,): +1 where a small value is bad, −1 where a large one is."""
        signs = self.signs.clone()
        for column, sign, _ in self.goal.limits:
            if column >= len(self.goal.reference):
                signs[column] = -sign
        return signs

    def _near_the_front(self, fixed: Mapping[str, Value]) -> Array:
        """Return the settings of runs whose expected results nothing beats, and of pending ones."""
        k = len(self.goal.reference)
        on_front = is_non_dominated(torch.from_numpy(self.expected[:, :k])).numpy()
        best = [run for run, is_best in zip(self.runs, on_front, strict=True) if is_best][:_NEAR]
        near = [run.conditions for run in (*best, *self.history.pending[:_NEAR])]
        settings = self.space.snap(self.space.settings_of(near))
        for name, value in fixed.items():
            settings[:, self.space.place_of(name)] = self.space.code_of(name, value)
        return settings


def _signs(campaign: Campaign, outcomes: Sequence[str]) -> Tensor:
    by_name = {objective.outcome: objective.sign for objective in campaign.objectives}
    return torch.tensor([by_name.get(name, 1.0) for name in outcomes], dtype=torch.double)


def _goal(campaign: Campaign, outcomes: Sequence[str], reference: Sequence[float]) -> Goal:
    signs = _signs(campaign, outcomes)
    limits = []
    for constraint in campaign.constraints:
        name, factor = next(iter(constraint.terms.items()))
        column = outcomes.index(name)
        bound = float(work_bound(campaign, name, constraint.bound / factor))
        upper = (constraint.operator == "<=") == (factor > 0)
        # The draws carry the objective's sign already: an upper bound on a minimised objective is a
        # lower bound on its negative.
        sign = (1.0 if upper else -1.0) * float(signs[column])
        limits.append((column, sign, bound * float(signs[column])))
    return Goal(torch.tensor(reference, dtype=torch.double), tuple(limits))


def work_bound(campaign: Campaign, outcome: str, bound: float) -> float:
    """Take a bound on an outcome to work space; one that no logarithm reaches becomes −1000."""
    if campaign.property_of(outcome).scale == "log" and bound <= 0:
        return -1e3
    return float(to_work(campaign, outcome, np.array(bound)))


def reference_point(
    campaign: Campaign, finished: Sequence[Run], *, explore: bool
) -> tuple[list[float], list[str]]:
    """Return the thresholds in work space with maximisation signs, and remarks.

    Raises:
        ModelError: no finished run reaches a threshold, and ``explore`` is not set.
    """
    reference, notes = [], []
    for objective in campaign.objectives:
        name, sign = objective.outcome, objective.sign
        values = np.array([np.mean(run.outcomes[name]) for run in finished if name in run.outcomes])
        threshold = sign * work_bound(campaign, name, objective.threshold)
        work = sign * to_work(campaign, name, values)
        if work.max() <= threshold:
            best = campaign.heading(name), float(values[np.argmax(work)])
            if not explore:
                raise ModelError(
                    f"no finished run reaches the threshold of {best[0]}: expected "
                    f"{'more' if sign > 0 else 'less'} than {objective.threshold:g}, the best of "
                    f"{len(values)} is {best[1]:.4g}. Beyond the data every proposal is worth "
                    f"nothing: move the threshold{_HOW_TO_REVISE}, or ask to {field('explore')}: "
                    "to search from the worst corner of the data until runs do."
                )
            spread = float(np.ptp(work)) or 1.0
            threshold = float(work.min() - 0.1 * spread)
            notes.append(f"no run reaches the threshold of {best[0]} yet: exploring below it.")
        reference.append(threshold)
    return reference, notes
