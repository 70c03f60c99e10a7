"""From predictions of a lab's settings to scores, and from seeds to paired comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bench.harness.intervals import mean_interval
from engine.bench.harness.tasks import Trace
from engine.bench.models.prediction import Predicted
from engine.bench.models.prediction_scores import normal_nlpd
from engine.bench.models.rows import Row
from engine.campaign import Campaign

Array = NDArray[np.float64]

SCORES = ("r2", "r2_noisy", "nlpd", "coverage")


def scores(
    campaign: Campaign, predicted: Predicted, truth: Array, measured: Array
) -> dict[str, Any]:
    """Return each score by outcome and its mean over outcomes; truth and measurements (t, m)."""
    from engine.propose.work_space import WorkSpace

    by_outcome: dict[str, dict[str, float | None]] = {name: {} for name in SCORES}
    for i, outcome in enumerate(campaign.outcomes):
        mean, y = predicted.mean[:, i], measured[:, i]
        if predicted.centre is not None:
            centre = predicted.centre[:, i]
        else:
            centre = _work(campaign, outcome, mean)
        by_outcome["r2"][outcome] = r2(WorkSpace(campaign).transform(outcome, truth[:, i]), centre)
        by_outcome["r2_noisy"][outcome] = r2(y, mean)
        by_outcome["nlpd"][outcome] = by_outcome["coverage"][outcome] = None
        if predicted.variance is not None:
            is_log = campaign.property_of(outcome).scale == "log"
            nlpd = normal_nlpd(y, centre, predicted.variance[:, i], is_log=is_log)
            by_outcome["nlpd"][outcome] = float(nlpd.mean())
        if predicted.lower is not None and predicted.upper is not None:
            inside = (predicted.lower[:, i] <= y) & (y <= predicted.upper[:, i])
            by_outcome["coverage"][outcome] = float(inside.mean())
    averages = {name: _mean(list(values.values())) for name, values in by_outcome.items()}
    return {**averages, "by_outcome": by_outcome}


def r2(y: Array, predicted: Array) -> float:
    """Return 1 − Σ(y − ŷ)² / Σ(y − ȳ)² of (t,) values; they must differ."""
    return float(1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def summarise(
    traces: Sequence[Trace], rows: Sequence[Row], sizes: Sequence[int], reference: str
) -> dict[str, Any]:
    """Return, for each row, its scores by number of experiments, and beside its reference.

    The reference of a row is the first row of the same truth with the model ``reference``.
    """
    by_row = {row.name: _by_seed(traces, row.name) for row in rows}
    of_truth = {row.truth: row.name for row in reversed(rows) if row.model == reference}
    return {
        "sizes": list(sizes),
        "reference": reference,
        "rows": {
            row.name: {
                "truth": row.truth,
                "model": row.model,
                "seeds": sorted(by_row[row.name]),
                **{name: _described(by_row[row.name], name) for name in SCORES},
                "against": of_truth.get(row.truth),
                "differences": _differences(by_row, row.name, of_truth.get(row.truth)),
            }
            for row in rows
        },
    }


def _by_seed(traces: Sequence[Trace], name: str) -> dict[int, Mapping[str, list[Any]]]:
    return {
        trace.seed: {score: [round_[score] for round_ in trace.rounds] for score in SCORES}
        for trace in traces
        if trace.strategy == name
    }


def _described(by_seed: Mapping[int, Mapping[str, list[Any]]], score: str) -> dict[str, Any] | None:
    """Return mean, SD and 95 % interval over seeds, each by number of experiments."""
    values = [by_seed[seed][score] for seed in sorted(by_seed)]
    if not values or any(value is None for row in values for value in row):
        return None
    return _spread(np.array(values))


def _differences(
    by_row: Mapping[str, Mapping[int, Mapping[str, list[Any]]]], name: str, reference: str | None
) -> dict[str, Any] | None:
    if reference is None or reference == name:
        return None
    seeds = sorted(set(by_row[name]) & set(by_row[reference]))
    differences: dict[str, Any] = {"paired_seeds": len(seeds)}
    for score in SCORES:
        pairs = [(by_row[name][s][score], by_row[reference][s][score]) for s in seeds]
        if not pairs or any(value is None for pair in pairs for part in pair for value in part):
            differences[score] = None
            continue
        spread = _spread(np.array([np.subtract(*pair) for pair in pairs]))
        differences[score] = spread | {"max": max(spread["mean"]), "min": min(spread["mean"])}
    return differences


def _spread(values: Array) -> dict[str, Any]:
    """Return mean, SD and 95 % interval of the mean of ``values`` (seeds, sizes)."""
    interval = mean_interval(values)
    return {
        "mean": values.mean(axis=0).tolist(),
        "sd": values.std(axis=0, ddof=1).tolist() if len(values) > 1 else None,
        "interval": [bound.tolist() for bound in interval] if interval else None,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    finite = [value for value in values if value is not None]
    return float(np.mean(finite)) if len(finite) == len(values) else None


def _work(campaign: Campaign, outcome: str, mean: Array) -> Array:
    """Return means in the outcome's unit in work space; of a log-scaled one none is below zero."""
    from engine.propose.work_space import WorkSpace

    # A model that learns in the unit may answer below zero, where there is no logarithm.
    if campaign.property_of(outcome).scale == "log":
        mean = np.maximum(mean, 1e-6 * np.abs(mean).max())
    return WorkSpace(campaign).transform(outcome, mean)
