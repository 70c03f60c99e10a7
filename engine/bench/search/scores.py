"""From curves to a comparison: how good, how soon, how much better than chance, how sure.

Notation

==========  =========================================================  ==================
``y``       score after each experiment, one curve a seed               (seeds, experiments)
target      the baseline's mean score when the budget is spent          ()
n(target)   experiments after which the mean curve reaches the target   ()
AF          acceleration factor, n_baseline(target) / n(target)         ()
``y*``      the reference's score after ``read_at`` experiments         ()
n*          experiments after which a curve is at y*, read between     ()
            batches along a straight line; the budget where it never is
==========  =========================================================  ==================

AF follows Liang et al., npj Comput. Mater. 7, 188 (2021). Intervals are percentile bootstraps over
seeds, 95 %; the strategies of one resample have the same seeds: what is paired stays paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bench.harness.intervals import LEVEL, N_RESAMPLES, mean_interval
from engine.bench.harness.tasks import Trace
from engine.bench.search.strategies import BASELINES
from engine.errors import UsageError, nearest_name

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Protocol:
    """Experiments to start with, in a batch, in all; and when the reference's score is read."""

    start: int
    batch: int
    budget: int
    read_at: int | None = None

    @property
    def at(self) -> int:
        """After how many experiments the reference's score is read: the budget, or sooner."""
        return self.budget if self.read_at is None else self.read_at

    @property
    def checkpoints(self) -> list[int]:
        """The numbers of experiments at which scores are read: after each batch."""
        return [*range(self.start, self.budget, self.batch), self.budget]


def summarise(
    traces: Sequence[Trace], strategies: Sequence[str], protocol: Protocol, reference: str
) -> dict[str, Any]:
    """Return, for each strategy, its mean curve and its distance from baseline and reference.

    The baseline is ``sobol`` or ``random`` where it was run, otherwise the first strategy; the
    reference the strategy whose score is to be reached with fewer experiments.
    """
    curves = {name: _curves(traces, name, protocol.budget) for name in strategies}
    curves = {name: by_seed for name, by_seed in curves.items() if by_seed}
    baseline = next((name for name in BASELINES if name in curves), next(iter(curves)))
    return {
        "baseline": baseline,
        "reference": reference,
        "read_at": protocol.at,
        "checkpoints": protocol.checkpoints,
        "strategies": {
            name: {
                **_describe(by_seed, protocol),
                **_compare(by_seed, curves[baseline], protocol),
                "reach": reach(by_seed, curves.get(reference, {}), protocol),
                **_seconds([t for t in traces if t.strategy == name]),
            }
            for name, by_seed in curves.items()
        },
    }


def experiments_to(target: float, curve: Array) -> int | None:
    """Return after how many experiments ``curve`` (experiments,) reaches ``target``, if ever."""
    # The tolerance is for sums in another order, which a curve at its own target may be.
    reached = np.flatnonzero(curve >= target - 1e-12)
    return int(reached[0]) + 1 if reached.size else None


def _curves(traces: Sequence[Trace], name: str, budget: int) -> dict[int, Array]:
    """Return the curves of a strategy by seed, each (budget,): the last score goes on."""
    return {
        trace.seed: np.pad(np.array(trace.curve), (0, budget - len(trace.curve)), mode="edge")
        for trace in traces
        if trace.strategy == name and trace.curve
    }


def _describe(curves: dict[int, Array], protocol: Protocol) -> dict[str, Any]:
    at = np.array(protocol.checkpoints) - 1
    y = np.stack([curves[seed] for seed in sorted(curves)])
    interval = mean_interval(y[:, at])
    return {
        "seeds": sorted(curves),
        "mean": y[:, at].mean(axis=0).tolist(),
        "sd": y[:, at].std(axis=0, ddof=1).tolist() if len(y) > 1 else None,
        "interval": [bound.tolist() for bound in interval] if interval else None,
        "final": float(y[:, -1].mean()),
        "final_interval": [float(bound[-1]) for bound in interval] if interval else None,
    }


def _compare(
    curves: dict[int, Array], baseline: dict[int, Array], protocol: Protocol
) -> dict[str, Any]:
    """Return difference, experiments to the baseline's end and AF, over the seeds both ran."""
    seeds = sorted(set(curves) & set(baseline))
    if not seeds:
        return {"paired_seeds": 0}
    y, y0 = (np.stack([by_seed[seed] for seed in seeds]) for by_seed in (curves, baseline))
    difference = y[:, -1] - y0[:, -1]
    interval = mean_interval(difference)
    target = float(y0[:, -1].mean())
    needed = experiments_to(target, y.mean(axis=0))
    needed_by_baseline = experiments_to(target, y0.mean(axis=0)) or protocol.budget
    return {
        "paired_seeds": len(seeds),
        "difference": float(difference.mean()),
        "difference_interval": [float(bound) for bound in interval] if interval else None,
        "target": target,
        "experiments_to_target": needed,
        "acceleration": needed_by_baseline / needed if needed else None,
        "acceleration_interval": _acceleration_interval(y, y0, protocol.budget),
    }


def reference_of(name: str, strategies: Sequence[str]) -> str:
    """Return the strategy to reach: the one named, else ``gp`` where it runs, else the first.

    Raises:
        UsageError: it does not run.
    """
    if name and name not in strategies:
        raise UsageError(
            f"expected one of the strategies compared, {', '.join(strategies)}, "
            f"got '{name}'.{nearest_name(name, strategies)}",
            field="reference",
        )
    return name or ("gp" if "gp" in strategies else strategies[0])


def reach(
    curves: dict[int, Array], reference: dict[int, Array], protocol: Protocol
) -> dict[str, Any] | None:
    """Return after how many experiments a strategy has what the reference has after ``at``.

    ``experiments`` and ``ratio`` (to the reference's ``at``) are read off the mean curves, with a
    bootstrap interval over the paired seeds; ``by_seed`` off each seed's own two curves. What never
    gets there counts as the budget and is told as censored. ``None``: no seed that both ran.
    """
    seeds = sorted(set(curves) & set(reference))
    if not seeds:
        return None
    x = np.array(protocol.checkpoints, dtype=np.float64)
    y, y0 = (np.stack([by_seed[seed] for seed in seeds]) for by_seed in (curves, reference))
    at, places = protocol.at, np.array(protocol.checkpoints) - 1
    # Off each pair of curves, then off the means: a mean of crossings is no crossing of means.
    needed = np.array(
        [crossing(float(b[at - 1]), x, a[places]) for a, b in zip(y, y0, strict=True)]
    )
    crossings = [crossing(float(y0.mean(axis=0)[at - 1]), x, y[:, places].mean(axis=0))]
    rng = np.random.default_rng(0)
    for pick in rng.integers(len(y), size=(N_RESAMPLES if len(y) > 1 else 0, len(y))):
        target = float(y0[pick].mean(axis=0)[at - 1])
        crossings.append(crossing(target, x, y[pick][:, places].mean(axis=0)))
    experiments = np.nan_to_num(np.array(crossings), nan=float(protocol.budget))
    final = y[:, -1] - y0[:, -1]
    filled = np.nan_to_num(needed, nan=float(protocol.budget))
    return {
        "paired_seeds": len(seeds),
        "target": float(y0.mean(axis=0)[at - 1]),
        "experiments": float(experiments[0]),
        "is_censored": bool(np.isnan(crossings[0])),
        "ratio": float(experiments[0] / at),
        "ratio_interval": _percentiles(experiments[1:] / at),
        "by_seed": {
            "experiments": filled.tolist(),
            "censored": np.isnan(needed).tolist(),
            "ratio": float(filled.mean() / at),
            "ratio_median": float(np.median(filled) / at),
        },
        "final_difference": float(final.mean()),
        "final_difference_se": float(final.std(ddof=1) / np.sqrt(len(final)))
        if len(final) > 1
        else None,
    }


def crossing(target: float, x: Array, y: Array) -> float:
    """Return the x at which the rising polyline (x, y) reaches ``target``; NaN where it never does.

    A line that starts at or above the target is there from its first x.

    >>> crossing(0.5, np.array([8.0, 16.0]), np.array([0.4, 0.6]))
    12.0
    """
    reached = np.flatnonzero(y >= target - 1e-12)
    if not reached.size:
        return float("nan")
    i = int(reached[0])
    if i == 0:
        return float(x[0])
    return float(x[i - 1] + (x[i] - x[i - 1]) * (target - y[i - 1]) / (y[i] - y[i - 1]))


def _percentiles(values: Array) -> list[float] | None:
    if not values.size:
        return None
    tail = 100 * (1 - LEVEL) / 2
    return [float(bound) for bound in np.percentile(values, [tail, 100 - tail])]


def _acceleration_interval(y: Array, y0: Array, budget: int) -> list[float] | None:
    """Return the interval of AF; a resample that never reaches the target counts as the budget."""
    if len(y) < 2:
        return None
    rng = np.random.default_rng(0)
    factors = []
    for pick in rng.integers(len(y), size=(N_RESAMPLES, len(y))):
        mean, mean0 = y[pick].mean(axis=0), y0[pick].mean(axis=0)
        target = float(mean0[-1])
        factors.append(
            (experiments_to(target, mean0) or budget) / (experiments_to(target, mean) or budget)
        )
    tail = 100 * (1 - LEVEL) / 2
    return [float(bound) for bound in np.percentile(factors, [tail, 100 - tail])]


def _seconds(traces: Sequence[Trace]) -> dict[str, Any]:
    """Return the seconds a batch took to choose, start designs left out."""
    seconds = [float(step["seconds"]["total"]) for trace in traces for step in trace.rounds[1:]]
    return {
        "seconds_per_batch": float(np.mean(seconds)) if seconds else None,
        "seconds_per_batch_max": max(seconds) if seconds else None,
    }
