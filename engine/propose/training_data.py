"""From a history to tensors: which rows, which outcomes, in which scale.

Minimised objectives change sign only inside the acquisition function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.campaign.history import History, Run
from engine.campaign.numbers import written
from engine.errors import ModelError, by_voice, field
from engine.propose.learnable import is_constant
from engine.propose.space import Space
from engine.propose.work_space import WorkSpace

Array = NDArray[np.float64]

CORRECT_IT = by_voice("Correct it (`engine log ID --correct`)", "Correct it in its run")
"""What mends a value that was a slip."""

_CORRECTING = by_voice("`engine log ID --correct`", "correcting it in the run")

_OUTLIER_SIGMAS = 12.0
"""Robust standard deviations from the median beyond which a value is pointed out."""


@dataclass(frozen=True)
class TrainingData:
    """What the surrogate is fitted to: one row for each replicate of each finished run.

    ``X``: (n, d) in the unit cube; ``Y``: (n, m) in work space without its units, NaN where not
    measured; ``run``: (n,) index of the finished run; ``fill``: (a,) what stood in for missing
    ambient readings; ``notes``: what the user should know; ``work``: the work space.
    """

    X: Array
    Y: Array
    run: NDArray[np.int64]
    outcomes: tuple[str, ...]
    fill: Array
    notes: tuple[str, ...]
    work: WorkSpace

    @property
    def units(self) -> Array:
        """(m,) what to divide Y by for work space."""
        return np.array([self.work.unit(outcome) for outcome in self.outcomes])

    @property
    def unscaled(self) -> TrainingData:
        """The same for a model that is fitted to Y as it stands."""
        return replace(self, work=self.work.unscaled)


def typical_ambient(space: Space, runs: Sequence[Run]) -> Array:
    """Return (a,) the mean ambient reading, or the middle of the range where there is none."""
    values = space.ambient_of([run.conditions for run in runs])
    middles = np.array([p.value_at(0.5) if p.is_numeric else 0.0 for p in space.ambient])
    if not len(values):
        return middles
    is_read = ~np.isnan(values)
    sums = np.where(is_read, values, 0.0).sum(axis=0)
    return np.where(is_read.any(axis=0), sums / np.maximum(is_read.sum(axis=0), 1), middles)


def training_data(history: History, space: Space, outcomes: Sequence[str]) -> TrainingData:
    """Collect the rows to learn ``outcomes`` from.

    Raises:
        ModelError: fewer than two runs have results, or one outcome is the same in all of them.
    """
    campaign = history.campaign
    runs = [run for run in history.finished if any(o in run.outcomes for o in outcomes)]
    if len(runs) < 2:
        raise ModelError(
            f"expected at least 2 finished runs with results to learn from, got {len(runs)}: log "
            f"or import more, or use {field('strategy')} sobol."
        )
    fill = typical_ambient(space, history.finished)
    encoded = space.encode([run.conditions for run in runs], fill)
    rows, targets, owner = [], [], []
    for index, run in enumerate(runs):
        for replicate in range(max(len(run.outcomes.get(o, ())) for o in outcomes)):
            values = [_replicate(run, outcome, replicate) for outcome in outcomes]
            rows.append(encoded[index])
            targets.append(values)
            owner.append(index)
    raw = np.array(targets, dtype=float)
    _refuse_constant(raw, outcomes, len(runs))
    work = WorkSpace.from_runs(campaign, history.finished)
    Y = np.stack([work.unscaled.transform(o, raw[:, i]) for i, o in enumerate(outcomes)], axis=1)
    notes = [
        *replace(work, floors={o: f for o, f in work.floors.items() if o in outcomes}).notes(),
        *_outliers(work, raw, outcomes, [runs[i] for i in owner]),
    ]
    n_missing = space.missing_ambient(runs)
    if n_missing:
        stand_in = ", ".join(
            f"{p.name} {written(x, 4)} {p.unit}" for p, x in zip(space.ambient, fill, strict=True)
        )
        notes.append(f"{n_missing} runs lack an ambient reading; the mean stands in ({stand_in}).")
    return TrainingData(
        np.stack(rows),
        Y,
        np.array(owner, dtype=np.int64),
        tuple(outcomes),
        fill,
        tuple(notes),
        work,
    )


def _replicate(run: Run, outcome: str, replicate: int) -> float:
    values = run.outcomes.get(outcome, ())
    return values[replicate] if replicate < len(values) else float("nan")


def _refuse_constant(raw: Array, outcomes: Sequence[str], n_runs: int) -> None:
    for i, outcome in enumerate(outcomes):
        values = raw[~np.isnan(raw[:, i]), i]
        if len(values) < 2:
            raise ModelError(
                f"expected at least 2 values of {outcome} to learn from, got {len(values)}: log "
                f"more, or use {field('strategy')} sobol."
            )
        if is_constant(values.tolist()):
            raise ModelError(
                f"{outcome} has the same value, {values[0]:g}, in all of {n_runs} runs: there is "
                f"nothing to learn from it. {CORRECT_IT}, or use {field('strategy')} sobol."
            )


def _outliers(
    work: WorkSpace, raw: Array, outcomes: Sequence[str], owners: Sequence[Run]
) -> list[str]:
    notes = []
    for i, outcome in enumerate(outcomes):
        values = work.transform(outcome, raw[:, i])
        centre = np.nanmedian(values)
        # 1.4826 × the median absolute deviation is the standard deviation of a Gaussian.
        spread = 1.4826 * np.nanmedian(np.abs(values - centre))
        if not spread > 0:
            continue
        for row in np.flatnonzero(np.abs(values - centre) > _OUTLIER_SIGMAS * spread)[:3]:
            far = abs(values[row] - centre) / spread
            notes.append(
                f"{owners[row].name}: {work.campaign.heading(outcome)} = {raw[row, i]:g} lies "
                f"{f'{far:.0f}' if far < 1e6 else f'{far:.0e}'} robust standard deviations from "
                f"the median; if it is a slip, {_CORRECTING} mends it."
            )
    return notes
