r"""Do the new results fit what was known? Asked before anything is learnt from them.

A plain Gaussian process is fitted to the results before; what it says of the new runs is compared
with what came. Everything is in work space (logarithms, where an outcome's scatter grows with it).

======  ====================================================================  ==========
symbol  meaning                                                               shape
======  ====================================================================  ==========
z       residual of a new result in predictive standard deviations            (n, m)
z₀      the same of the old results, each left out once                       (n₀, m)
T       mean of min(z², 36) over the newest w runs                            scalar
D       the same of run i, had it given the results of run j                  (w, w)
A       (mean − trace) of D over all assignments, in its standard             scalar
        deviation over them (Hoeffding 1951): how much better than by
        chance the results fit the runs that they were recorded for
======  ====================================================================  ==========

A single result with |z| > 6 is *odd*: it is not learnt from, and told, with the power of ten by
which it is off if there is one. The new results as a whole are *not believed* where

- too many of them are odd, or
- T is larger than what old results, drawn with replacement, ever give, with allowance for new
  regions, or
- A is no more than chance could give (3.0), and less than results of the model's own, with
  residuals drawn from z₀, would give one time in a hundred: the labels may be exchanged. Where the
  model expects no difference between the runs, it cannot tell, and does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.errors import SpinneretError
from engine.propose.forecaster import Forecaster, outcomes_with_data
from engine.propose.training_data import to_work
from engine.workspace.settings import ProposeSettings
from surrogate.gp import leave_one_out

Array = NDArray[np.float64]

LEAST_OLD, LEAST_NEW = 16, 4
ODD_SIGMAS = 6.0
MOST_ODD = 0.25
"""Share of the new runs that may be odd before none of them is believed."""
ALLOWANCE = 1.4
"""New regions are predicted worse than left-out runs: T may be that much larger for it."""
WINDOWS = (8, 12, 20, 40)
DRAWS, QUANTILE = 4000, 0.999
ASSIGNMENT_WINDOWS = (20, 40)
CHANCE, RARE, SIMULATIONS = 3.0, 0.01, 400


@dataclass(frozen=True)
class Odd:
    """A result that is far from what was expected."""

    run: Run
    outcome: str
    value: float
    expected: float
    sigmas: float
    factor: float | None

    def told(self, campaign: Campaign) -> str:
        """Say it in words."""
        text = (
            f"{self.run.name}: {campaign.heading(self.outcome)} = {self.value:.4g}, expected about "
            f"{self.expected:.4g} ({self.sigmas:.0f} standard deviations)"
        )
        if self.factor is not None:
            text += f": {self.factor:g} times as much; is that a unit error?"
        return text


@dataclass(frozen=True)
class Suspicion:
    """What is suspicious about new results.

    ``odd``: single results. ``disbelief``: why the new results as a whole are not believed, if they
    are not; ``suspects``: the runs that are meant. ``numbers``: plain JSON types.
    """

    odd: tuple[Odd, ...] = ()
    disbelief: str | None = None
    suspects: tuple[Run, ...] = ()
    numbers: dict[str, float] = field(default_factory=dict)


def examine(
    old: History, new: Sequence[Run], settings: ProposeSettings, *, seed: int = 0
) -> Suspicion:
    """Compare new results with what the old ones say of them.

    Args:
        old: the campaign as it was known.
        new: runs with results since, in the order in which they were recorded.
        settings: of proposals.
        seed: of the draws.

    Returns:
        An empty suspicion, where the old results are too few to tell.
    """
    if not any(run.outcomes for run in new):
        return Suspicion()
    known = Known.of(old, settings)
    return Suspicion() if known is None else known.examine(new, seed=seed)


@dataclass(frozen=True)
class Known:
    """What the old results say: a plain Gaussian process fitted to them, and z₀ (n₀, m)."""

    forecaster: Forecaster
    residuals: Array

    @classmethod
    def of(cls, old: History, settings: ProposeSettings) -> Known | None:
        """Fit it; ``None`` where there are too few, or they cannot be modelled."""
        if old.n_finished < LEAST_OLD:
            return None
        try:
            forecaster = Forecaster.fit(old, settings, outcomes=outcomes_with_data(old))
        except SpinneretError:
            return None  # what cannot be modelled cannot be doubted
        return cls(forecaster, _left_out(forecaster))

    def examine(self, new: Sequence[Run], *, seed: int = 0) -> Suspicion:
        """Compare new results with it."""
        new = [run for run in new if run.outcomes]
        campaign, outcomes = self.forecaster.space.campaign, self.forecaster.outcomes
        z, raw, expected = _residuals(self.forecaster, campaign, new, outcomes)
        spread = (raw - expected) / np.where(z == 0, np.nan, z)
        odd = [
            _as_odd(campaign, new[row], outcomes[i], (raw[row, i], expected[row, i], z[row, i]))
            for row, i in zip(*np.nonzero(np.abs(np.nan_to_num(z)) > ODD_SIGMAS), strict=True)
        ]
        found = _whole(new, z, self.residuals, odd, seed)
        if found.disbelief is not None:
            return found
        kept = [row for row, run in enumerate(new) if all(run is not one.run for one in odd)]
        parts = _Predicted(expected[kept], spread[kept], raw[kept])
        return _exchanged(found, [new[row] for row in kept], parts, self.residuals, seed)


@dataclass(frozen=True)
class _Predicted:
    """Means, standard deviations and results in work space, (n, m) each."""

    mean: Array
    spread: Array
    result: Array

    def newest(self, n: int) -> _Predicted:
        """Return the last n rows."""
        return _Predicted(self.mean[-n:], self.spread[-n:], self.result[-n:])


def _exchanged(
    found: Suspicion, runs: Sequence[Run], told: _Predicted, known: Array, seed: int
) -> Suspicion:
    """See whether the results fit the runs that they were recorded for."""
    residuals = known[np.isfinite(known).all(axis=1)]
    if len(residuals) < LEAST_OLD:
        return found
    for window in (*(w for w in ASSIGNMENT_WINDOWS if w < len(runs)), len(runs)):
        if window < min(WINDOWS):
            continue
        part = told.newest(window)
        fit = assignment(part.mean, part.spread, part.result)
        rng = np.random.default_rng([seed, window])
        drawn = [
            assignment(
                part.mean,
                part.spread,
                part.mean + part.spread * residuals[rng.integers(len(residuals), size=window)],
            )
            for _ in range(SIMULATIONS)
        ]
        rare = float(np.quantile(drawn, RARE))
        found.numbers[f"assignment_{window}"] = fit
        found.numbers[f"assignment_rare_{window}"] = rare
        if fit < min(CHANCE, rare):
            why = (
                f"the newest {window} results fit the runs that they were recorded for no better "
                f"than chance would have it ({fit:.1f} standard deviations; {rare:.1f} or more are "
                "expected 99 times in 100): they may be exchanged"
            )
            return Suspicion(found.odd, why, tuple(runs[-window:]), found.numbers)
    return found


def assignment(mean: Array, spread: Array, result: Array) -> float:
    """Return A of w runs, each argument (w, m); NaN where not measured."""
    z = (result[None, :, :] - mean[:, None, :]) / spread[:, None, :]
    capped = np.minimum(z**2, ODD_SIGMAS**2)
    seen = np.isfinite(capped)
    D = np.where(seen, capped, 0.0).sum(axis=2) / np.maximum(seen.sum(axis=2), 1)
    n = len(D)
    centred = D - D.mean(axis=0) - D.mean(axis=1)[:, None] + D.mean()
    deviation = math.sqrt(float((centred**2).sum()) / max(n - 1, 1))
    return float(D.sum() / n - np.trace(D)) / max(deviation, 1e-12)


def _residuals(
    forecaster: Forecaster, campaign: Campaign, new: Sequence[Run], outcomes: Sequence[str]
) -> tuple[Array, Array, Array]:
    """Return z (n, m), values in work space (n, m), and what was expected there (n, m)."""
    X = forecaster.space.encode([run.conditions for run in new], forecaster.data.fill)
    mean, variance = forecaster.moments(X)
    raw = np.full(mean.shape, np.nan)
    for i, outcome in enumerate(outcomes):
        for row, run in enumerate(new):
            values = np.array(run.outcomes.get(outcome, ()), dtype=float)
            if len(values):
                raw[row, i] = float(np.median(to_work(campaign, outcome, values)))
    return (raw - mean) / np.sqrt(variance), raw, mean


def _left_out(forecaster: Forecaster) -> Array:
    """Return z₀ (n₀, m) of the old results; NaN where not measured."""
    Y = torch.from_numpy(forecaster.data.Y)
    z = torch.full_like(Y, torch.nan)
    for i, (observed, mean, variance) in enumerate(
        zip(*leave_one_out(forecaster.model), strict=True)
    ):
        seen = ~torch.isnan(Y[:, i])
        if int(seen.sum()) == len(observed):
            z[seen, i] = ((observed - mean) / variance.sqrt()).double()
    return np.asarray(z.numpy())


def _as_odd(campaign: Campaign, run: Run, outcome: str, found: tuple[float, float, float]) -> Odd:
    value, mean, z = map(float, found)
    if campaign.property_of(outcome).scale == "log":
        value, mean = math.exp(value), math.exp(mean)
    return Odd(run, outcome, value, mean, abs(z), power_of_ten(value, mean))


def power_of_ten(value: float, expected: float) -> float | None:
    """Return 1000 where a value is about a thousand times what is expected, and so on."""
    if not (value > 0 and expected > 0):
        return None
    exponent = math.log10(value / expected)
    nearest = round(exponent)
    if abs(nearest) < 2 or abs(exponent - nearest) > 0.35:
        return None
    return float(10.0**nearest)


def _whole(
    new: Sequence[Run],
    z: Array,
    known: Array,
    odd: Sequence[Odd],
    seed: int,
) -> Suspicion:
    names = {id(one.run) for one in odd}
    suspects = tuple(run for run in new if id(run) in names)
    numbers = {"n_new": float(len(new)), "n_odd": float(len(suspects))}
    if len(suspects) > max(2.0, MOST_ODD * len(new)):
        factors = {one.factor for one in odd if one.factor is not None}
        hint = f"; they are about {min(factors):g} times too large" if len(factors) == 1 else ""
        why = f"{len(suspects)} of {len(new)} new runs are far from everything known{hint}"
        return Suspicion(tuple(odd), why, suspects, numbers)
    old_rows = _capped(known)
    new_rows = _capped(z[[id(run) not in names for run in new]])  # odd ones are left out anyway
    rng = np.random.default_rng(seed)
    for window in (*(w for w in WINDOWS if w < len(new_rows)), len(new_rows)):
        if window < LEAST_NEW or len(old_rows) < LEAST_OLD:
            continue
        newest = float(np.mean(new_rows[-window:]))
        drawn = rng.choice(old_rows, size=(DRAWS, window)).mean(axis=1)
        limit = ALLOWANCE * float(np.quantile(drawn, QUANTILE))
        numbers[f"misfit_{window}"], numbers[f"limit_{window}"] = newest, limit
        if newest > limit:
            why = (
                f"the newest {window} runs do not fit what the results before say of them: mean "
                f"squared residual {newest:.2f} predictive variances, up to {limit:.2f} would pass "
                "for chance; they may be assigned to the wrong runs"
            )
            rest = [run for run in new if id(run) not in names]
            return Suspicion(tuple(odd), why, tuple(rest[len(rest) - window :]), numbers)
    return Suspicion(tuple(odd), None, (), numbers)


def _capped(z: Array) -> Array:
    """Return the mean of min(z², 36) over the outcomes of each row that has any, (n,)."""
    squared = np.minimum(z**2, ODD_SIGMAS**2)
    seen = np.isfinite(squared).any(axis=1)
    return np.asarray(np.nanmean(squared[seen], axis=1))
