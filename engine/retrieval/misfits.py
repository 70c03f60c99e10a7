r"""Which runs' mats are not what their conditions promise, and what they look like instead.

Notation
--------
=====  ======================================================================  ==========
z      leave-one-out residuals of ln diameter, order and logit porosity,       (n, 3)
       divided by their predictive and then by the runs' robust spread
a      s_ii − mean_j s_ij − mean_j s_ji + mean s, with s_ij the similarity     (n,)
       of run i's picture to run j's conditions: its own match, beyond what
       picture and conditions have in common with everything
p      probability of so large a misfit where nothing is wrong                 (n,)
=====  ======================================================================  ==========

Statistics: :math:`q = z^T R^{-1} z` with the runs' robust correlation R, χ²; a calibrated
leave-one-out Gaussian process (Rasmussen & Williams 2006, eqs. 5.10–5.12) gives z; q is divided
by the runs' own inflation, so that tails heavier than Gauss's raise no alarm. Latent: a is
compared with all other runs' (median and median absolute deviation), lower tail; it counts only
where it tells matched from mismatched pairs at all. Both are combined by Cauchy's test (Liu & Xie,
JASA 115, 393, 2020), which holds for dependent p. Flags control the false discovery rate
(Benjamini & Hochberg, JRSS B 57, 289, 1995).

A flagged run is a *swap* where exchanging its picture with another run's explains both; a *drift*
where runs beside it in time are off the same way; else it is *unexplained*: a slip of another
kind, or new physics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, false_discovery_control, norm, spearmanr

from engine.errors import ModelError, UsageError
from engine.retrieval.expected import LEAST_RUNS, LOOKS, MeasuredRun, StatisticsModel

Array = NDArray[np.float64]
Verdict = Literal["swap", "drift", "unexplained"]

NAMES = LOOKS[:3]
"""The statistics that flags rest on; those of beads and of spread have tails too heavy for it."""

LEAST_AREA = 0.65
"""Area under the curve (matched against mismatched pairs) from which the latent has a say."""

# From the median deviation to the standard deviation of a normal.
_MAD = 1.4826
# The middle of the squares: the misfits that are looked for lie above it.
_BULK = (0.5, 0.7, 0.85)
_SWAP_GAIN = 9.0
"""Least gain in log-density, both runs together, that makes an exchange the explanation."""

_SWAP_P = 0.02
_DRIFT_RUNS = 3
_DRIFT_Z = 1.5


@dataclass(frozen=True)
class Finding:
    """What a flagged run looks like: exchanged with ``partner``, drifted ``along`` a statistic."""

    verdict: Verdict
    partner: MeasuredRun | None = None
    along: str | None = None


@dataclass(frozen=True)
class Misfit:
    """What is known of one run, flagged or not.

    ``measured``, ``promised``: ln diameter, order, logit porosity of its pictures, and as its
    conditions promise, (3,), NaN where not known; ``z`` their robust difference. ``similarity``:
    of picture and conditions, ``None`` without a model. ``p``, and its adjusted form ``q`` (the
    share of false flags if everything up to it is flagged).
    """

    run: MeasuredRun
    measured: Array
    promised: Array
    z: Array
    similarity: float | None
    p_statistics: float | None
    p_latent: float | None
    p: float
    q: float
    is_flagged: bool
    finding: Finding | None = None


@dataclass(frozen=True)
class Checked:
    """All runs with pictures, most suspect first, and how far to trust the flags.

    ``expected_false``: flags to expect among these where nothing is wrong with any run but those
    found. ``latent_area``: how well the latent tells matched from mismatched pairs (½: not at all).
    """

    runs: tuple[Misfit, ...]
    false_share: float
    expected_false: float
    latent_area: float | None
    model: str | None
    notes: tuple[str, ...] = field(default=())

    @property
    def flagged(self) -> tuple[Misfit, ...]:
        """Those that stand out."""
        return tuple(run for run in self.runs if run.is_flagged)


def check_runs(
    runs: Sequence[MeasuredRun],
    statistics: StatisticsModel | None,
    similarity: Array | None,
    *,
    false_share: float = 0.1,
    model: str | None = None,
    notes: Sequence[str] = (),
) -> Checked:
    """Compare what pictures show with what conditions promise.

    Args:
        runs: finished runs with pictures, in order of time.
        statistics: fitted to these very runs in this order, :data:`NAMES` only, or ``None``.
        similarity: s (n, n) of run i's picture to run j's conditions, NaN throughout the row and
            column of a run that could not be embedded; or ``None``.
        false_share: share of false flags among all flags that is put up with, in (0, 1).
        model: the name of what made ``similarity``.
        notes: remarks to pass on.

    Raises:
        UsageError: a share that cannot be.
        ModelError: neither statistics nor similarities.
    """
    if not 0.0 < false_share < 1.0:
        raise UsageError(
            f"expected a share above 0 and below 1, got {false_share}", field="false_share"
        )
    if statistics is None and similarity is None:
        raise ModelError("; ".join(notes) or "expected statistics or a model, got neither")
    n = len(runs)
    remarks = list(notes)
    mean, sd = statistics.left_out() if statistics is not None else _all_unknown(n)
    Y = _statistics_of(runs)
    z = _robust((Y - mean) / sd)
    p_statistics = _misfit_p(z)  # NaN where a run has none
    p_latent, area = None, None
    if similarity is not None:
        embedded = np.flatnonzero(~np.isnan(np.diag(similarity)))
        inner = similarity[np.ix_(embedded, embedded)]
        area = separation(inner) if len(embedded) >= LEAST_RUNS else 0.0
        if area >= LEAST_AREA:
            p_latent = np.full(n, np.nan)
            p_latent[embedded] = _latent_p(inner)
        else:
            remarks.append(
                f"the latent tells matched from mismatched pairs in {area:.0%} of cases only: "
                "it has no say"
            )
    if statistics is None and p_latent is None:
        raise ModelError("; ".join(remarks))
    p = _combined([p_statistics] if p_latent is None else [p_statistics, p_latent])
    q = false_discovery_control(p)
    flagged = q <= false_share
    judge = _Judge(runs, (mean, sd), z, flagged)
    misfits = [
        Misfit(
            run=run,
            measured=Y[i],
            promised=mean[i],
            z=z[i],
            similarity=None if similarity is None else _or_none(similarity[i, i]),
            p_statistics=_or_none(p_statistics[i]),
            p_latent=None if p_latent is None else _or_none(p_latent[i]),
            p=float(p[i]),
            q=float(q[i]),
            is_flagged=bool(flagged[i]),
            finding=judge.judge(i) if flagged[i] else None,
        )
        for i, run in enumerate(runs)
    ]
    misfits.sort(key=lambda misfit: misfit.p)
    return Checked(
        tuple(misfits), false_share, false_share * int(flagged.sum()), area, model, tuple(remarks)
    )


def separation(similarity: Array) -> float:
    """Return the probability that a matched pair is more similar than a mismatched one of its row.

    ``similarity``: (n, n), matched on the diagonal.
    """
    matched = np.diag(similarity)[:, None]
    off = ~np.eye(len(similarity), dtype=bool)
    wins = (matched > similarity)[off].mean() + 0.5 * (matched == similarity)[off].mean()
    return float(wins)


def _statistics_of(runs: Sequence[MeasuredRun]) -> Array:
    """Return Y (n, 3)."""
    return np.stack([run.Y[: len(NAMES)] for run in runs])


def _all_unknown(n: int) -> tuple[Array, Array]:
    return np.full((n, len(NAMES)), np.nan), np.full((n, len(NAMES)), np.nan)


def _robust(z: Array, least: float = 0.5) -> Array:
    """Centre each column at its median and scale it by its spread, at least ``least``."""
    scaled = z.copy()
    for column in range(z.shape[1]):
        is_known = ~np.isnan(z[:, column])
        if is_known.sum() < 3:
            continue
        centre = np.median(z[is_known, column])
        spread = _MAD * np.median(np.abs(z[is_known, column] - centre))
        scaled[:, column] = (z[:, column] - centre) / max(float(spread), least)
    return scaled


def _misfit_p(z: Array) -> Array:
    """Return p (n,) of z (n, c) by χ², over what is known of each run; NaN where nothing is."""
    correlation = _correlation(z)
    square, count = np.full(len(z), np.nan), np.zeros(len(z), dtype=int)
    for i, residuals in enumerate(z):
        columns = np.flatnonzero(~np.isnan(residuals))
        count[i] = columns.size
        if columns.size:
            inner = correlation[np.ix_(columns, columns)]
            square[i] = residuals[columns] @ np.linalg.solve(inner, residuals[columns])
    is_known = count > 0
    p = np.full(len(z), np.nan)
    p[is_known] = chi2.sf(
        square[is_known] / _inflation(square[is_known], count[is_known]), count[is_known]
    )
    return p


def _inflation(square: Array, count: NDArray[np.int_]) -> float:
    """Return by how much squares exceed χ² in the bulk: what makes their quantiles fit, or 1."""
    if len(square) < LEAST_RUNS:
        return 1.0
    excess = square / chi2.mean(count)
    shares = np.array(_BULK)
    expected = chi2.ppf(shares, round(float(count.mean()))) / count.mean()
    return max(1.0, float((np.quantile(excess, shares) / expected).max()))


def _correlation(z: Array) -> Array:
    """Return the columns' correlation from ranks, drawn to none a little: outliers hardly count."""
    c = z.shape[1]
    correlation = np.eye(c)
    for i in range(c):
        for j in range(i):
            is_complete = ~np.isnan(z[:, [i, j]]).any(axis=1)
            if is_complete.sum() >= 10:
                rho = spearmanr(z[is_complete, i], z[is_complete, j]).statistic
                # Spearman's rank correlation as Pearson's of a normal; a tenth less, drawn to none
                # a little.
                correlation[i, j] = correlation[j, i] = 0.9 * 2.0 * np.sin(np.pi * rho / 6.0)
    return correlation if np.linalg.eigvalsh(correlation).min() > 0.05 else np.eye(c)


def _latent_p(similarity: Array) -> Array:
    centred = (
        similarity
        - similarity.mean(axis=1, keepdims=True)
        - similarity.mean(axis=0, keepdims=True)
        + similarity.mean()
    )
    matched = np.diag(centred)
    return np.asarray(norm.cdf(_robust(_gaussian(matched)[:, None], 1e-9)[:, 0]))


def _gaussian(values: Array) -> Array:
    """Mend skewness: similarities crowd below their upper limit."""
    upper = float(values.max())
    width = upper - float(np.median(values))
    if width <= 0:
        return values
    return np.asarray(-np.log(upper - values + width))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _combined(p: Sequence[Array]) -> Array:
    """Combine p-values of the same runs by Cauchy's test; NaN says nothing, 1 where all are."""
    stacked = np.stack(p)
    is_known = ~np.isnan(stacked)
    # The tangent has poles at p = 0 and 1.
    t = np.where(
        is_known, np.tan((0.5 - np.clip(np.nan_to_num(stacked), 1e-12, 1 - 1e-12)) * np.pi), 0
    )
    n = is_known.sum(axis=0)
    return np.where(n > 0, 0.5 - np.arctan(t.sum(axis=0) / np.maximum(n, 1)) / np.pi, 1.0)


class _Judge:
    """Says what a flagged run looks like."""

    def __init__(
        self,
        runs: Sequence[MeasuredRun],
        left_out: tuple[Array, Array],
        z: Array,
        flagged: NDArray[np.bool_],
    ) -> None:
        self.runs, self.flagged, self.z = runs, flagged, z
        Y, (mean, sd) = _statistics_of(runs), left_out
        spread = np.ones(len(NAMES))
        raw = (Y - mean) / sd
        for column in range(len(NAMES)):
            values = raw[~np.isnan(raw[:, column]), column]
            if values.size >= 3:
                spread[column] = max(
                    0.5, _MAD * float(np.median(np.abs(values - np.median(values))))
                )
        # log-density (n, n) and p of run i's picture under run j's conditions
        off = (Y[:, None, :] - mean[None, :, :]) / (sd * spread)[None, :, :]
        is_known = ~np.isnan(off)
        square = np.where(is_known, off, 0.0) ** 2
        scale = np.where(np.isnan(sd), 1.0, sd)[None, :, :]
        self.log_density = -(0.5 * square + np.where(is_known, np.log(scale), 0.0)).sum(axis=-1)
        count = np.maximum(is_known.sum(axis=-1), 1)
        self.p = np.where(is_known.any(axis=-1), chi2.sf(square.sum(axis=-1), count), 0.0)

    def judge(self, i: int) -> Finding:
        """Judge flagged run ``i``."""
        partner = self._partner(i)
        if partner is not None:
            return Finding("swap", partner=self.runs[partner])
        along = self._drift(i)
        if along is not None:
            return Finding("drift", along=along)
        return Finding("unexplained")

    def _partner(self, i: int) -> int | None:
        matched = np.diag(self.log_density)
        gain = self.log_density[i] + self.log_density[:, i] - matched[i] - matched
        fits = (self.p[i] > _SWAP_P) & (self.p[:, i] > _SWAP_P)
        fits[i] = False
        # A flagged partner is likelier: an exchange makes two misfits.
        gain = np.where(fits, gain + 2.0 * self.flagged, -np.inf)
        best = int(np.argmax(gain))
        return best if gain[best] >= _SWAP_GAIN else None

    def _drift(self, i: int) -> str | None:
        """Return the statistic in which runs around ``i`` are off the same way, if one is."""
        for column in np.argsort(-np.abs(np.nan_to_num(self.z[i]))):
            sign = np.sign(self.z[i, column])
            off = np.nan_to_num(self.z[:, column]) * sign >= _DRIFT_Z
            if not off[i]:
                continue
            first, last = i, i
            while first > 0 and off[first - 1]:
                first -= 1
            while last + 1 < len(off) and off[last + 1]:
                last += 1
            if last - first + 1 >= _DRIFT_RUNS:
                return f"{NAMES[column]} {'up' if sign > 0 else 'down'}"
        return None
