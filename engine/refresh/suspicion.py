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

A single result with |z| > 6 is an *outlier*: it is not learnt from, and reported, with the power of
ten by which it is off if there is one. The new results as a whole are *not believed* where

- too many of them are outliers, or
- T is larger than what old results, drawn with replacement, ever give, with allowance for new
  regions, or
- A is no more than chance could give (3.0), and less than results of the model's own, with
  residuals drawn from z₀, would give one time in a hundred: the labels may be exchanged. Where the
  model expects no difference between the runs, it cannot tell, and does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.campaign.numbers import written
from engine.errors import SpinneretError
from engine.propose.forecaster import Forecaster, outcomes_with_data
from engine.propose.work_space import WorkSpace
from engine.workspace.settings import ProposeSettings
from surrogate.gp import leave_one_out

Array = NDArray[np.float64]

LEAST_OLD, LEAST_NEW = 16, 4
# A unit error is off by far more.
OUTLIER_SIGMAS = 6.0
OUTLIER_SHARE = 0.25
"""Share of the new runs that may be outliers before none of them is believed."""
ALLOWANCE = 1.4
"""New regions are predicted worse than left-out runs: T may be that much larger for it."""
# Several, as a bad batch of eight would drown among forty good ones.
WINDOWS = (8, 12, 20, 40)
# Four draws in 4,000 lie beyond the quantile: enough to place it.
DRAWS, QUANTILE = 4000, 0.999
ASSIGNMENT_WINDOWS = (20, 40)
# A is standard normal under chance, which exceeds 3.0 one time in a thousand; chosen on seeds 100
# to 139 of `engine bench refresh --doubts-only`, checked on 0 to 59 (docs/benchmarks.md). The size
# of residuals alone (T) believed exchanged labels in 5 of 10 seeds.
CHANCE, RARE, SIMULATIONS = 3.0, 0.01, 400


@dataclass(frozen=True)
class Outlier:
    """A result that is far from what was expected."""

    run: Run
    outcome: str
    value: float
    expected: float
    sigmas: float
    factor: float | None

    def sentence(self, campaign: Campaign) -> str:
        """Return it as a sentence for the user."""
        text = (
            f"{self.run.name}: {campaign.heading(self.outcome)} = {written(self.value, 4)}, "
            f"expected about {written(self.expected, 4)} ({self.sigmas:.0f} standard deviations)"
        )
        if self.factor is not None:
            text += f": {self.factor:g} times as much; is that a unit error?"
        return text


@dataclass(frozen=True)
class Suspicion:
    """What is suspicious about new results.

    ``outliers``: single results. ``disbelief``: why the new results as a whole are not believed, if
    they are not; ``suspects``: the runs that are meant. ``numbers``: plain JSON types.
    """

    outliers: tuple[Outlier, ...] = ()
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
    expectation = Expectation.fit(old, settings)
    return Suspicion() if expectation is None else expectation.examine(new, seed=seed)


@dataclass(frozen=True)
class Expectation:
    """What the old results say: a plain Gaussian process fitted to them, and z₀ (n₀, m)."""

    forecaster: Forecaster
    residuals: Array

    @classmethod
    def fit(cls, old: History, settings: ProposeSettings) -> Expectation | None:
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
        outliers = [
            _as_outlier(campaign, new[row], outcomes[i], (raw[row, i], expected[row, i], z[row, i]))
            for row, i in zip(*np.nonzero(np.abs(np.nan_to_num(z)) > OUTLIER_SIGMAS), strict=True)
        ]
        suspicion = _misfit(new, z, self.residuals, outliers, seed)
        if suspicion.disbelief is not None:
            return suspicion
        rows = [
            row
            for row, run in enumerate(new)
            if all(run is not outlier.run for outlier in outliers)
        ]
        parts = _Predicted(expected[rows], spread[rows], raw[rows])
        return _exchanged(suspicion, [new[row] for row in rows], parts, self.residuals, seed)


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
    suspicion: Suspicion,
    runs: Sequence[Run],
    predicted: _Predicted,
    old_residuals: Array,
    seed: int,
) -> Suspicion:
    """See whether the results fit the runs that they were recorded for."""
    residuals = old_residuals[np.isfinite(old_residuals).all(axis=1)]
    if len(residuals) < LEAST_OLD:
        return suspicion
    for window in (*(w for w in ASSIGNMENT_WINDOWS if w < len(runs)), len(runs)):
        if window < min(WINDOWS):
            continue
        part = predicted.newest(window)
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
        suspicion.numbers[f"assignment_{window}"] = fit
        suspicion.numbers[f"assignment_rare_{window}"] = rare
        if fit < min(CHANCE, rare):
            disbelief = (
                f"the newest {window} results fit the runs that they were recorded for no better "
                f"than chance would have it ({fit:.1f} standard deviations; {rare:.1f} or more are "
                "expected 99 times in 100): they may be exchanged"
            )
            return Suspicion(
                suspicion.outliers, disbelief, tuple(runs[-window:]), suspicion.numbers
            )
    return suspicion


def assignment(mean: Array, spread: Array, result: Array) -> float:
    """Return A of w runs, each argument (w, m); NaN where not measured."""
    z = (result[None, :, :] - mean[:, None, :]) / spread[:, None, :]
    # Capped, or a single outlier would decide over the assignment of all others.
    capped = np.minimum(z**2, OUTLIER_SIGMAS**2)
    is_measured = np.isfinite(capped)
    D = np.where(is_measured, capped, 0.0).sum(axis=2) / np.maximum(is_measured.sum(axis=2), 1)
    n = len(D)
    # Hoeffding's variance of a random assignment's sum: the doubly centred squares over n − 1.
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
    new_work = WorkSpace.from_runs(campaign, new)
    # Of zeros, new or old, those stand where the model has them.
    work = replace(new_work, units={}, floors={**new_work.floors, **forecaster.data.work.floors})
    for i, outcome in enumerate(outcomes):
        for row, run in enumerate(new):
            values = np.array(run.outcomes.get(outcome, ()), dtype=float)
            if len(values):
                # The median: one wild replicate is the outliers' business, not the run's.
                raw[row, i] = float(np.median(work.transform(outcome, values)))
    return (raw - mean) / np.sqrt(variance), raw, mean


def _left_out(forecaster: Forecaster) -> Array:
    """Return z₀ (n₀, m) of the old results; NaN where not measured."""
    Y = torch.from_numpy(forecaster.data.Y)
    z = torch.full_like(Y, torch.nan)
    for i, (observed, mean, variance) in enumerate(
        zip(*leave_one_out(forecaster.model), strict=True)
    ):
        is_measured = ~torch.isnan(Y[:, i])
        # The model leaves out what it takes for an outlier itself; then rows no longer match.
        if int(is_measured.sum()) == len(observed):
            z[is_measured, i] = ((observed - mean) / variance.sqrt()).double()
    return np.asarray(z.numpy())


def _as_outlier(
    campaign: Campaign, run: Run, outcome: str, residual: tuple[float, float, float]
) -> Outlier:
    value, mean, z = map(float, residual)
    if campaign.property_of(outcome).scale == "log":
        value, mean = math.exp(value), math.exp(mean)
    return Outlier(run, outcome, value, mean, abs(z), power_of_ten(value, mean))


def power_of_ten(value: float, expected: float) -> float | None:
    """Return 1000 where a value is about a thousand times what is expected, and so on.

    >>> power_of_ten(12_000.0, 12.0)
    1000.0
    >>> power_of_ten(30.0, 12.0) is None
    True
    """
    if not (value > 0 and expected > 0):
        return None
    exponent = math.log10(value / expected)
    nearest = round(exponent)
    # Wrong units are off by 100 (%) or 1000 (k, m) at least, and 10^0.35 is some twice.
    if abs(nearest) < 2 or abs(exponent - nearest) > 0.35:
        return None
    return float(10.0**nearest)


def _misfit(
    new: Sequence[Run],
    z: Array,
    old_residuals: Array,
    outliers: Sequence[Outlier],
    seed: int,
) -> Suspicion:
    names = {id(outlier.run) for outlier in outliers}
    suspects = tuple(run for run in new if id(run) in names)
    numbers = {"n_new": float(len(new)), "n_odd": float(len(suspects))}
    # Two odd ones of four may be chance; they are left out singly all the same.
    if len(suspects) > max(2.0, OUTLIER_SHARE * len(new)):
        factors = {outlier.factor for outlier in outliers if outlier.factor is not None}
        hint = f"; they are about {min(factors):g} times too large" if len(factors) == 1 else ""
        disbelief = f"{len(suspects)} of {len(new)} new runs are far from everything known{hint}"
        return Suspicion(tuple(outliers), disbelief, suspects, numbers)
    old_rows = _capped(old_residuals)
    new_rows = _capped(z[[id(run) not in names for run in new]])  # outliers are left out anyway
    rng = np.random.default_rng(seed)
    for window in (*(w for w in WINDOWS if w < len(new_rows)), len(new_rows)):
        if window < LEAST_NEW or len(old_rows) < LEAST_OLD:
            continue
        newest = float(np.mean(new_rows[-window:]))
        drawn = rng.choice(old_rows, size=(DRAWS, window)).mean(axis=1)
        limit = ALLOWANCE * float(np.quantile(drawn, QUANTILE))
        numbers[f"misfit_{window}"], numbers[f"limit_{window}"] = newest, limit
        if newest > limit:
            disbelief = (
                f"the newest {window} runs do not fit what the results before say of them: mean "
                f"squared residual {newest:.2f} predictive variances, up to {limit:.2f} would pass "
                "for chance; they may be assigned to the wrong runs"
            )
            believed = [run for run in new if id(run) not in names]
            return Suspicion(
                tuple(outliers), disbelief, tuple(believed[len(believed) - window :]), numbers
            )
    return Suspicion(tuple(outliers), None, (), numbers)


def _capped(z: Array) -> Array:
    """Return the mean of min(z², 36) over the outcomes of each row that has any, (n,)."""
    squared = np.minimum(z**2, OUTLIER_SIGMAS**2)
    is_measured = np.isfinite(squared).any(axis=1)
    return np.asarray(np.nanmean(squared[is_measured], axis=1))
