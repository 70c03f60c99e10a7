"""Choosing a batch from finite candidates: greedy, refined on the instrument's grid, then ordered.

Sequential greedy maximisation of a submodular acquisition function is within 1 − 1/e of the best
batch (Wilson et al. 2018), and submodularity lets most re-evaluations be skipped: a candidate's
value only falls while the batch grows, so yesterday's value is an upper bound (Minoux 1978).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.propose.space import Space

Array = NDArray[np.float64]

Allowed = Callable[[list[int]], NDArray[np.bool_]]
"""Given the candidates picked so far, (c,) which ones may follow."""

_CHUNK = 128  # candidates evaluated together: bounds memory, (draws × chunk × cells of the front)
_LAZY = 48  # candidates re-evaluated before looking whether the next bound can still win


@dataclass(frozen=True)
class DistinctLimits:
    """At most ``limits[i]`` different values of controlled parameter ``i`` in a batch.

    Values no further apart than ``resolutions[i]`` (0 if not given) are one. ``absent`` tells of
    parameter ``i``, in which of (n, c) settings it has no value: these count for nothing.
    ``are_twins`` says which of (n, c) settings hardly differ from one: a batch takes twins only
    where nothing else is left. What is to be spun twice is a replicate, which is asked for.
    """

    limits: Mapping[int, int]
    resolutions: Mapping[int, float] = field(default_factory=dict)
    absent: Callable[[int, Array], NDArray[np.bool_]] | None = None
    are_twins: Callable[[Array, Array], NDArray[np.bool_]] | None = None

    def moved_onto(self, settings: Array, chosen: Sequence[Array]) -> Array:
        """Return (n, c) the settings with limited parameters at values that ``chosen`` use.

        Each limited parameter goes to the nearest value in use, so that what is good elsewhere is
        looked at where a batch may still go.
        """
        moved = settings.copy()
        for place in self.limits:
            used = np.array(sorted({float(row[place]) for row in self._counted(place, chosen)}))
            if not len(used):
                continue
            nearest = np.abs(settings[:, place, None] - used).argmin(axis=1)
            moved[:, place] = used[nearest]
        return moved

    def allowed(self, settings: Array, chosen: Sequence[Array]) -> NDArray[np.bool_]:
        """Return (n,): which settings may join those chosen so far."""
        good = np.ones(len(settings), dtype=bool)
        for place, limit in self.limits.items():
            finest = self.resolutions.get(place, 0.0)
            used: list[float] = []
            for row in self._counted(place, chosen):
                if all(abs(row[place] - value) > finest for value in used):
                    used.append(float(row[place]))
            if len(used) >= limit:
                apart = np.abs(settings[:, place, None] - np.array(used))
                fits = (apart <= finest).any(axis=1)
                good &= fits if self.absent is None else fits | self.absent(place, settings)
        if self.are_twins is None:
            return good
        apart_enough = good.copy()
        for row in chosen:
            apart_enough &= ~self.are_twins(settings, row)
        return apart_enough if apart_enough.any() else good

    def _counted(self, place: int, chosen: Sequence[Array]) -> Sequence[Array]:
        """Return those of the chosen in which the parameter has a value."""
        if self.absent is None or not len(chosen):
            return chosen
        is_absent = self.absent(place, np.stack(list(chosen)))
        return [row for row, without in zip(chosen, is_absent, strict=True) if not without]


@dataclass(frozen=True)
class Choice:
    """Picked candidates in the order of picking, with each one's value at that moment.

    ``first_values``: (n,) the acquisition value of every candidate before anything was picked.
    """

    picks: list[int]
    values: list[float]
    first_values: Array


def pick_greedily(
    acquisition: torch.nn.Module,
    index: Tensor,
    pending: Tensor,
    n: int,
    *,
    bonus: Array,
    allowed: Allowed,
) -> Choice:
    """Pick ``n`` candidates one after the other, each given those before it.

    Args:
        acquisition: BoTorch acquisition function over point indices.
        index: (c,) the candidates' point indices.
        pending: (q,) point indices of the runs that are under way.
        n: how many to pick; fewer come back where no more are allowed.
        bonus: (c,) added to the (logarithmic) acquisition value: log-probability of success.
        allowed: given the picks so far, (c,) which candidates may follow.
    """

    queue = pending
    if len(queue):
        acquisition.set_X_pending(queue.unsqueeze(-1))

    def evaluate(rows: NDArray[np.int64]) -> Array:
        with torch.no_grad():
            parts = [acquisition(part.reshape(-1, 1, 1)) for part in index[rows].split(_CHUNK)]
        return torch.cat(parts).double().numpy() + bonus[rows]

    def add(best: int) -> None:
        nonlocal queue
        queue = torch.cat([queue, index[best : best + 1]])
        acquisition.set_X_pending(queue.unsqueeze(-1))

    return greedy(evaluate, add, len(index), n, allowed)


def greedy(
    evaluate: Callable[[NDArray[np.int64]], Array],
    add: Callable[[int], None],
    n_candidates: int,
    n: int,
    allowed: Allowed,
    *,
    falls: bool = True,
) -> Choice:
    """Pick ``n`` candidates one after the other, each by its value given those before it.

    Args:
        evaluate: (r,) candidates → (r,) values, given the picks so far.
        add: takes a candidate into the batch.
        n_candidates: how many there are.
        n: how many to pick; fewer come back where no more are allowed.
        allowed: given the picks so far, (c,) which candidates may follow.
        falls: a value only falls while the batch grows, so that old values are bounds.
    """
    bounds = evaluate(np.arange(n_candidates))
    first_values = bounds.copy()
    picks: list[int] = []
    values: list[float] = []
    for _ in range(n):
        mask = allowed(picks)
        # A setting is proposed once; replicates come from earlier runs, not from the same batch.
        mask[picks] = False
        if not mask.any():
            break
        if picks and not falls:
            open_rows = np.flatnonzero(mask)
            bounds[open_rows] = evaluate(open_rows)
        best = _lazy_best(evaluate, bounds, mask, fresh=not picks or not falls)
        picks.append(best)
        values.append(float(bounds[best]))
        if len(picks) < n:
            add(best)
    return Choice(picks, values, first_values)


def _lazy_best(
    evaluate: Callable[[NDArray[np.int64]], Array],
    bounds: Array,
    mask: NDArray[np.bool_],
    *,
    fresh: bool,
) -> int:
    """Return the best allowed candidate, re-evaluating only those whose bound could win."""
    order = np.flatnonzero(mask)[np.argsort(-bounds[mask], kind="stable")]
    if fresh:
        return int(order[0])
    best, best_value = int(order[0]), -np.inf
    for start in range(0, len(order), _LAZY):
        rows = order[start : start + _LAZY]
        if bounds[rows[0]] <= best_value:
            break
        bounds[rows] = evaluate(rows)
        winner = int(rows[np.argmax(bounds[rows])])
        if bounds[winner] > best_value:
            best, best_value = winner, float(bounds[winner])
    return best


def order_to_run(space: Space, settings: Array, last_run: Array | None) -> list[int]:
    """Return the order that changes hard-to-change parameters least, starting from the last run.

    Within one solution (needle, …) the order of picking is kept: the most valuable run comes first.
    """
    hard = [i for i, p in enumerate(space.controlled) if p.hard_to_change]
    if not hard:
        return list(range(len(settings)))
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, identity in enumerate(space.identities(settings)):
        groups.setdefault(tuple(identity[i] for i in hard), []).append(row)
    scale = np.array(
        [
            (np.ptp(space.controlled[i].bounds) if space.controlled[i].is_numeric else 0.0) or 1.0
            for i in hard
        ]
    )
    current = None if last_run is None else last_run[hard]
    order: list[int] = []
    while groups:
        nearest = min(
            groups,
            key=lambda identity: (
                0.0
                if current is None
                else float(np.abs((settings[groups[identity][0], hard] - current) / scale).sum()),
                groups[identity][0],
            ),
        )
        current = settings[groups[nearest][0], hard]
        order.extend(groups.pop(nearest))
    return order
