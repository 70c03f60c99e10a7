"""``gp`` and ``matmcl``: Gaussian processes, qLogNEHVI on posterior draws, search on the grid.

Two passes. The first looks at a few hundred settings spread over the whole space, judged in the
typical room. The second looks closely around the winners and averages (or takes the worst) over all
readings of the room. Each pass picks the whole batch, so that the batch is consistent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from botorch.utils.multi_objective.pareto import is_non_dominated
from numpy.typing import NDArray
from torch import Tensor

from engine.campaign import Campaign, Value
from engine.campaign.history import History, Run
from engine.errors import ModelError, by_voice, field
from engine.propose.acquisition import Goal, build_acquisition, draw_joint
from engine.propose.batch import Allowed, Choice, DistinctLimits, pick_greedily
from engine.propose.forecaster import Forecaster
from engine.propose.room import Room
from engine.propose.training_data import to_work
from engine.workspace.settings import ProposeSettings

Array = NDArray[np.float64]

_HOW_TO_REVISE = by_voice(" (config.toml, then `engine campaign revise`)", "")
_MAX_BASELINE = 96
"""Finished runs kept as the front to beat: those most likely to be on it."""
_MAX_CLOSE_LOOK = 360
"""Rows (candidates × readings) of the second pass."""


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
        self.baseline = self._baseline()
        self.pending = self.space.encode(
            [run.conditions for run in history.pending], forecaster.data.fill
        )

    def _baseline(self) -> Array:
        """Return X (b, d) of the finished runs that may be on the front."""
        runs = [r for r in self.history.finished if r.outcomes]
        X = self.space.encode([run.conditions for run in runs], self.forecaster.data.fill)
        if len(X) <= _MAX_BASELINE:
            return X
        mean, variance = self.forecaster.moments(X, with_noise=False)
        generator = torch.Generator().manual_seed(self.seed)
        k = len(self.goal.reference)
        # Runs are drawn one by one, not jointly: only how often each is on the front is counted.
        noise = torch.randn(64, len(X), k, generator=generator, dtype=torch.double)
        draws = torch.from_numpy(mean[:, :k]) + noise * torch.from_numpy(variance[:, :k]).sqrt()
        often = is_non_dominated(draws * self.signs[:k], deduplicate=False).double().mean(dim=0)
        keep = torch.argsort(often, descending=True, stable=True)[:_MAX_BASELINE]
        return X[np.sort(keep.numpy())]

    def pick(
        self,
        n: int,
        *,
        excluded: set[tuple[float, ...]],
        limits: DistinctLimits,
        fixed: Mapping[str, Value],
    ) -> Picked:
        """Pick ``n`` settings out of the whole space.

        Raises:
            ModelError: fewer than ``n`` new settings exist.
        """
        started = time.perf_counter()
        raw = max(self.settings.raw_samples, 4 * n)
        pool = self._new_settings(
            np.concatenate([self.space.sample(raw, self.seed, fixed), self._near_the_front(fixed)]),
            excluded,
        )
        if len(pool) < n:
            raise ModelError(
                f"expected {n} settings that were not run yet, found {len(pool)} on the "
                f"instrument's grid: ask for fewer, or allow {field('replicates')}."
            )
        wide = self._choose(pool, self.room.typical[None], n, limits, self.seed)
        sampled = time.perf_counter()
        close_pool = self._close_look(pool, wide, n, excluded, fixed)
        close = self._choose(close_pool, self.room.readings, n, limits, self.seed + 1)
        rows, values = close.picks, close.values
        seconds = {"search": sampled - started, "refine": time.perf_counter() - sampled}
        return Picked(close_pool[rows], tuple(values), seconds)

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
        draws = draw_joint(
            self.forecaster.model,
            X,
            owners,
            n_draws=self.settings.mc_samples,
            seed=seed,
            worst=self.worst_case_signs() if self.room.aggregation == "worst" else None,
        )
        index = torch.arange(b + q, draws.shape[1], dtype=draws.dtype)
        return pick_greedily(
            build_acquisition(draws * self.signs, torch.arange(b), self.goal),
            index,
            torch.arange(b, b + q, dtype=draws.dtype),
            n,
            # The acquisition value is a logarithm, so that a factor is a sum; 1e-6 keeps it finite.
            bonus=np.log(np.maximum(rows.p_success, 1e-6)),
            allowed=allowed,
        )

    def worst_case_signs(self) -> Tensor:
        """Return (m,): +1 where a small value is bad, −1 where a large one is."""
        signs = self.signs.clone()
        for column, sign, _ in self.goal.limits:
            if column >= len(self.goal.reference):
                signs[column] = -sign
        return signs

    def _new_settings(self, pool: Array, excluded: set[tuple[float, ...]]) -> Array:
        unique = {self.space.key(row): row for row in pool}
        remaining = [row for key, row in unique.items() if key not in excluded]
        return np.stack(remaining) if remaining else np.empty((0, pool.shape[1]))

    def _near_the_front(self, fixed: Mapping[str, Value]) -> Array:
        """Return the settings around the runs whose expected results nothing beats."""
        runs = [run for run in self.history.finished if run.outcomes]
        X = self.space.encode([run.conditions for run in runs], self.forecaster.data.fill)
        mean, _ = self.forecaster.moments(X, with_noise=False)
        k = len(self.goal.reference)
        on_front = is_non_dominated(torch.from_numpy(mean[:, :k]) * self.signs[:k]).numpy()
        settings = [np.empty((0, len(self.space.controlled)))]
        for run in [run for run, is_best in zip(runs, on_front, strict=True) if is_best][:12]:
            row = self.space.settings_of([run.conditions])[0]
            for name, value in fixed.items():
                row[self.space.place_of(name)] = self.space.code_of(name, value)
            settings.append(self.space.neighbours(row, fixed))
        return np.concatenate(settings)

    def _close_look(
        self,
        pool: Array,
        wide: Choice,
        n: int,
        excluded: set[tuple[float, ...]],
        fixed: Mapping[str, Value],
    ) -> Array:
        """Return the winners of the first pass, the next best, and the settings around them."""
        room = max(_MAX_CLOSE_LOOK // len(self.room.readings), 4 * n)
        best = np.argsort(-wide.first_values, kind="stable")[: self.settings.restarts]
        leaders = [*wide.picks, *(int(i) for i in best if i not in wide.picks)]
        around = [pool[leaders]]
        around.extend(self.space.neighbours(pool[i], fixed) for i in leaders)
        candidates = self._new_settings(np.concatenate(around), excluded)
        n_leaders = min(len(leaders), len(candidates))
        followers = np.random.default_rng(self.seed).permutation(
            np.arange(n_leaders, len(candidates))
        )
        return candidates[
            np.concatenate([np.arange(n_leaders), followers[: max(0, room - n_leaders)]])
        ]


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
