"""``gp-0.1``: the plain Gaussian process of the first release, kept as the benchmarks' mark.

Ratios of runs are told against it, so that a better plain model does not move the mark. Frozen are
its one fixed belief about noise and smoothness, its evidence for leading at all, and its search in
two passes: a few hundred settings spread over the space, then a closer look around the winners over
all readings of the room, each by qLogNEHVI on joint draws, greedily. What has no part in its merit
(the space, the room, space-filling) is the engine's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Value
from engine.campaign.history import History
from engine.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from engine.propose.forecaster import Forecaster
    from engine.propose.room import Room

Array = NDArray[np.float64]

NAME = "gp-0.1"
_FEWEST_RUNS, _FOLDS, _ROWS_FOR_ONE_FIT = 5, 5, 64
_RAW, _RESTARTS, _DRAWS, _READINGS = 512, 8, 64, 6
_MAX_BASELINE, _MAX_CLOSE_LOOK = 96, 360


def propose(
    history: History, n: int, seed: int, at: Mapping[str, float]
) -> tuple[list[dict[str, Value]], str]:
    """Choose ``n`` settings for today's room ``at``; return them and who chose."""
    from engine.propose.batch import DistinctLimits
    from engine.propose.room import plan_room
    from engine.propose.space import Space
    from engine.propose.spacefilling import fill_space

    campaign = history.campaign
    space = Space(campaign)
    runs = (*history.finished, *history.failed, *history.pending)
    excluded = space.keys(run.conditions for run in runs)
    outcomes = campaign.wanted_outcomes
    n_finished = sum(all(o in run.outcomes for o in outcomes) for run in history.finished)
    if n_finished >= max(len(space.controlled) + 1, _FEWEST_RUNS):
        forecaster = _fitted(history)
        if _leads(forecaster, len(campaign.objectives)):
            room = plan_room(space, history, at, robust=False, n_readings=_READINGS)
            picked = _TwoPasses(history, forecaster, room, seed).pick(n, excluded)
            return space.conditions_of(picked), NAME
    settings = fill_space(
        space,
        n,
        seed,
        excluded=excluded,
        existing=space.settings_of([run.conditions for run in runs]),
        limits=DistinctLimits({}),
        fixed={},
        chosen=[],
    )
    return space.conditions_of(settings), "sobol"


def choose_from_pool(
    history: History, pool: Sequence[Mapping[str, Value]], n: int, seed: int
) -> list[int]:
    """Choose ``n`` of the conditions in ``pool``; return their indices."""
    from engine.propose.room import plan_room
    from engine.propose.space import Space

    try:
        forecaster = _fitted(history)
    except ModelError:
        return [int(i) for i in np.random.default_rng(seed).permutation(len(pool))[:n]]
    room = plan_room(Space(history.campaign), history, {}, robust=False, n_readings=1)
    X = forecaster.space.encode(pool, forecaster.data.fill)
    search = _TwoPasses(history, forecaster, room, seed)
    p_success = forecaster.feasibility.probability(X)
    return search.choose_rows(X, np.arange(len(X)), p_success, min(n, len(pool)), seed)[0]


def _fitted(history: History) -> Forecaster:
    import torch

    from engine.propose.forecaster import Forecaster, fit_feasibility
    from engine.propose.space import Space
    from engine.propose.training_data import training_data
    from surrogate.errors import SurrogateError
    from surrogate.gp import fit_outcomes
    from surrogate.sourced_gp import GPConfig

    space = Space(history.campaign)
    data = training_data(history, space, history.campaign.wanted_outcomes).unscaled
    try:
        model = fit_outcomes(torch.from_numpy(data.X), torch.from_numpy(data.Y), config=GPConfig())
    except SurrogateError as error:
        raise ModelError(f"the surrogate could not be fitted: {error}") from error
    return Forecaster(space, model, data, fit_feasibility(space, history), 0.9)


def _leads(forecaster: Forecaster, n_objectives: int) -> bool:
    """Whether left-out rows are predicted better by the model than by the mean of the others."""
    import torch

    from surrogate.gp import fit_outcomes, leave_one_out, marginal_moments
    from surrogate.sourced_gp import GPConfig

    X, Y = torch.from_numpy(forecaster.data.X), torch.from_numpy(forecaster.data.Y)
    run = torch.from_numpy(forecaster.data.run)
    if len(X) < _ROWS_FOR_ONE_FIT:
        mean, variance = torch.full_like(Y, torch.nan), torch.full_like(Y, torch.nan)
        for fold in range(_FOLDS):
            out = run % _FOLDS == fold
            if out.any() and ((~torch.isnan(Y[~out])).sum(dim=0) >= 2).all():
                model = fit_outcomes(X[~out], Y[~out], config=GPConfig())
                mean[out], variance[out] = marginal_moments(model, X[out])
        measured = ~torch.isnan(Y) & ~torch.isnan(mean)
        columns = range(Y.shape[1])
        members = [tuple(part[measured[:, i], i] for part in (Y, mean, variance)) for i in columns]
    else:
        members = list(zip(*leave_one_out(forecaster.model), strict=True))

    def density(value: Tensor, centre: Tensor, spread: Tensor) -> Tensor:
        return -0.5 * ((value - centre) ** 2 / spread + spread.log())

    gains = []
    for observed, centre, spread in members[:n_objectives]:
        n = len(observed)
        mean_of_rest = (observed.sum() - observed) / (n - 1)
        width = ((observed**2).sum() - observed**2) / (n - 1) - mean_of_rest**2
        width = width.clamp_min(1e-9) * n / max(1, n - 2)
        gains.append(density(observed, centre, spread) - density(observed, mean_of_rest, width))
    same_rows = len({len(gain) for gain in gains}) == 1
    total = torch.stack(gains).sum(dim=0) if same_rows else torch.cat(gains)
    if len(total) < 3:
        return False
    error = (total.std() / len(total) ** 0.5).clamp_min(1e-9)
    return bool(total.mean() / error > 0)


class _TwoPasses:
    """The search: everywhere first, then around the winners."""

    def __init__(self, history: History, forecaster: Forecaster, room: Room, seed: int) -> None:
        import torch
        from botorch.utils.multi_objective.pareto import is_non_dominated

        from engine.propose.acquisition import Goal
        from engine.propose.aims import Aims
        from engine.propose.reach import reference_point

        self.forecaster, self.space, self.room, self.seed = (
            forecaster,
            forecaster.space,
            room,
            seed,
        )
        campaign = history.campaign
        reference, _ = reference_point(campaign, history.finished, explore=True)
        self.aims = Aims(forecaster.data.work, forecaster.outcomes)
        self.goal = Goal(torch.tensor(reference, dtype=torch.double))
        runs = [run for run in history.finished if run.outcomes]
        X = self.space.encode([run.conditions for run in runs], forecaster.data.fill)
        mean, variance = forecaster.moments(X, with_noise=False)
        k = len(reference)
        on_front = is_non_dominated(torch.from_numpy(self.aims.gains(mean))).numpy()
        self.best_runs = [run for run, best in zip(runs, on_front, strict=True) if best][:12]
        if len(X) > _MAX_BASELINE:
            generator = torch.Generator().manual_seed(seed)
            noise = torch.randn(64, len(X), k, generator=generator, dtype=torch.double)
            spread = torch.from_numpy(variance[:, :k]).sqrt()
            draws = torch.from_numpy(mean[:, :k]) + noise * spread
            gains = torch.from_numpy(self.aims.gains(draws.numpy()))
            often = is_non_dominated(gains, deduplicate=False).double().mean(0)
            keep = torch.argsort(often, descending=True, stable=True)[:_MAX_BASELINE]
            X = X[np.sort(keep.numpy())]
        self.baseline = X
        self.pending = self.space.encode(
            [run.conditions for run in history.pending], forecaster.data.fill
        )

    def pick(self, n: int, excluded: set[tuple[int, ...]]) -> Array:
        """Return settings (n, c) in the order of picking."""
        near = [
            self._neighbours(self.space.settings_of([run.conditions])[0]) for run in self.best_runs
        ]
        from engine.propose.sampling import Sampler

        spread = Sampler(self.space).sample(max(_RAW, 4 * n), self.seed)
        pool = self._new(np.concatenate([spread, *near]), excluded)
        if len(pool) < n:
            raise ModelError(f"expected {n} settings that were not run yet, got {len(pool)}")
        picks, first = self._choose(pool, self.room.typical[None], n, self.seed)
        best = np.argsort(-first, kind="stable")[:_RESTARTS]
        leaders = [*picks, *(int(i) for i in best if i not in picks)]
        around = [pool[leaders], *(self._neighbours(pool[i]) for i in leaders)]
        candidates = self._new(np.concatenate(around), excluded)
        n_leaders = min(len(leaders), len(candidates))
        limit = max(_MAX_CLOSE_LOOK // len(self.room.readings), 4 * n)
        rng = np.random.default_rng(self.seed)
        followers = rng.permutation(np.arange(n_leaders, len(candidates)))
        rows = np.concatenate([np.arange(n_leaders), followers[: max(0, limit - n_leaders)]])
        closer = candidates[rows.astype(int)]
        return closer[self._choose(closer, self.room.readings, n, self.seed + 1)[0]]

    def _neighbours(self, row: Array) -> Array:
        """Return feasible settings one, two and an eighth of the steps away, or other choices."""
        moved = []
        for i, parameter in enumerate(self.space.controlled):
            if parameter.is_categorical:
                values = [float(c) for c in range(len(parameter.choices or ())) if c != row[i]]
            elif parameter.levels is None:
                low, high = parameter.bounds
                shifts = np.array([0.02, 0.06, 0.15]) * (high - low)
                nearby = np.clip(np.concatenate([row[i] - shifts, row[i] + shifts]), low, high)
                values = [float(v) for v in nearby if v != row[i]]
            else:
                levels = np.asarray(list(parameter.levels), dtype=float)
                place, far = int(np.abs(levels - row[i]).argmin()), max(2, len(levels) // 8)
                places = sorted({place + s * k for k in (1, 2, far) for s in (-1, 1)})
                values = [float(levels[p]) for p in places if 0 <= p < len(levels)]
            for value in values:
                step = row.copy()
                step[i] = value
                moved.append(step)
        candidates = np.unique(np.round(np.array(moved).reshape(-1, len(row)), 9), axis=0)
        return candidates[self.space.is_feasible(candidates)]

    def _new(self, pool: Array, excluded: set[tuple[int, ...]]) -> Array:
        unique = {self.space.key(row): row for row in pool}
        rows = [row for key, row in unique.items() if key not in excluded]
        return np.stack(rows) if rows else np.empty((0, pool.shape[1]))

    def _choose(self, pool: Array, readings: Array, n: int, seed: int) -> tuple[list[int], Array]:
        r = len(readings)
        X = self.space.cube(np.repeat(pool, r, axis=0), np.tile(readings, (len(pool), 1)))
        p_success = self.forecaster.feasibility.probability(X).reshape(len(pool), r).mean(axis=1)
        return self.choose_rows(X, np.repeat(np.arange(len(pool)), r), p_success, n, seed)

    def choose_rows(
        self, X: Array, owner: NDArray[np.int64], p_success: Array, n: int, seed: int
    ) -> tuple[list[int], Array]:
        """Return n picks among candidates (rows of X with one ``owner``), and all first values."""
        import torch

        from engine.propose.acquisition import build_acquisition, draw_joint
        from engine.propose.batch import pick_greedily

        b, q = len(self.baseline), len(self.pending)
        points = torch.from_numpy(np.concatenate([self.baseline, self.pending, X]))
        owners = torch.from_numpy(np.concatenate([np.arange(b + q), b + q + owner]))
        model = self.forecaster.model
        draws = draw_joint(model, points, owners, n_draws=_DRAWS, seed=seed)
        gains = torch.from_numpy(self.aims.gains(draws.numpy()))
        choice = pick_greedily(
            build_acquisition(gains, torch.arange(b), self.goal),
            torch.arange(b + q, draws.shape[1], dtype=draws.dtype),
            torch.arange(b, b + q, dtype=draws.dtype),
            n,
            bonus=np.log(np.maximum(p_success, 1e-6)),
            allowed=lambda _: np.ones(len(p_success), dtype=bool),
        )
        return choice.picks, choice.first_values
