"""From held-out measurements to R², coverage and NLPD, each with its interval.

Notation

==========  ==================================================================  ============
``y``       held-out measurements in the outcome's unit                         (N,)
``ŷ``       what was predicted of them without their recipe, by repeat          (R, N)
R²          1 − Σ(y − ŷ)² / Σ(y − ȳ)² over all folds of a repeat together,      ()
            the mean over repeats
coverage    share of y inside their intervals                                   ()
NLPD        mean of −log p(y), p the predicted density per unit of the outcome   ()
C           how often each recipe is in each resample; row 0 is the data, all 1  (B + 1, G)
==========  ==================================================================  ============

Intervals are percentile bootstraps over recipes: all measurements of a recipe stay together, and
every model sees the same resamples, so that differences are paired. Those of scores are of 95 %,
those of differences to a named model of 90 %: above zero, the one-sided test at 5 % says so too.
Folds are held as they are; what another split does is told by the scores of each repeat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bench.harness.intervals import LEVEL, N_RESAMPLES

Array = NDArray[np.float64]
Index = NDArray[np.int64]

DIFFERENCE_LEVEL = 0.9


@dataclass(frozen=True)
class Measurements:
    """What was measured: one entry a measurement, all (N,).

    ``value`` in the outcome's unit; ``outcome``, ``run`` and ``recipe`` are indices.
    """

    value: Array
    outcome: Index
    run: Index
    recipe: Index


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of each measurement, by repeat: (R, N), units as in :class:`Measurements`.

    ``nlpd``: −log density per unit, in nats. ``None`` for a model without a density.
    """

    mean: Array
    lower: Array | None = None
    upper: Array | None = None
    nlpd: Array | None = None


def summarise(
    measured: Measurements,
    predicted: Mapping[str, OutOfFold],
    outcomes: Sequence[str],
    against: Sequence[str],
) -> dict[str, Any]:
    """Return the scores of each model, and how far they are from those of the models ``against``.

    Differences are a model's mean over outcomes less that of the reference: R² above zero and NLPD
    below zero speak for the model.
    """
    C = resamples(int(measured.recipe.max()) + 1)
    m = len(outcomes)
    r2 = {name: _r2(measured, answers, m, C) for name, answers in predicted.items()}
    nlpd = {name: _nlpd(measured, answers, m, C) for name, answers in predicted.items()}
    return {
        "against": list(against),
        "difference_level": DIFFERENCE_LEVEL,
        "outcomes": list(outcomes),
        "models": {
            name: {
                **_describe("r2", r2[name], outcomes),
                **_describe("coverage", _coverage(measured, answers, m, C), outcomes),
                **_describe("nlpd", nlpd[name], outcomes),
                "mean_r2_by_repeat": _by_repeat(measured, answers, m, C[:1]),
                "differences": {
                    reference: {
                        **_difference("r2", r2[name], r2[reference]),
                        **_difference("nlpd", nlpd[name], nlpd[reference]),
                    }
                    for reference in against
                    if reference != name
                },
            }
            for name, answers in predicted.items()
        },
    }


def resamples(n: int, *, seed: int = 0) -> Array:
    """Return C (B + 1, n): row 0 takes each of ``n`` once, the others draw with replacement."""
    rng = np.random.default_rng(seed)
    # Counts in place of drawn rows: a score of all resamples is then one matrix product.
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES)
    return np.concatenate([np.ones((1, n)), drawn])


def normal_nlpd(value: Array, centre: Array, variance: Array, *, is_log: bool) -> Array:
    """Return −log density of ``value``, per unit: normal, or log-normal where ``is_log``."""
    work = np.log(value) if is_log else value
    nlpd = 0.5 * (np.log(2 * np.pi * variance) + (work - centre) ** 2 / variance)
    return np.asarray(nlpd + work if is_log else nlpd)


def _r2(measured: Measurements, answers: OutOfFold, m: int, C: Array) -> Array:
    """Return R² (B + 1, m)."""
    columns = []
    for outcome in range(m):
        rows = measured.outcome == outcome
        y, recipe = measured.value[rows], measured.recipe[rows]
        y_c = y - y.mean()
        n, s1, s2 = (C @ _by_recipe(part, recipe, C) for part in (np.ones_like(y), y_c, y_c**2))
        squared = ((answers.mean[:, rows] - y) ** 2).mean(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            total = s2 - s1**2 / n
            r2 = 1 - (C @ _by_recipe(squared, recipe, C)) / total
        # A resample in which one value is drawn again and again has no variance, hence no R².
        columns.append(np.where(total > 1e-12 * s2[0], r2, np.nan))
    return np.stack(columns, axis=1)


def _coverage(measured: Measurements, answers: OutOfFold, m: int, C: Array) -> Array | None:
    if answers.lower is None or answers.upper is None:
        return None
    inside = (answers.lower <= measured.value) & (measured.value <= answers.upper)
    return _by_outcome(measured, inside.mean(axis=0), m, C)


def _nlpd(measured: Measurements, answers: OutOfFold, m: int, C: Array) -> Array | None:
    return None if answers.nlpd is None else _by_outcome(measured, answers.nlpd.mean(axis=0), m, C)


def _by_outcome(measured: Measurements, values: Array, m: int, C: Array) -> Array:
    """Return the means of ``values`` (N,) by outcome, (B + 1, m)."""
    columns = []
    for outcome in range(m):
        rows = measured.outcome == outcome
        recipe = measured.recipe[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            total = C @ _by_recipe(values[rows], recipe, C)
            columns.append(total / (C @ _by_recipe(np.ones(len(recipe)), recipe, C)))
    return np.stack(columns, axis=1)


def _by_recipe(values: Array, recipe: Index, C: Array) -> Array:
    """Return the sums of ``values`` (n,) by recipe, (G,)."""
    return np.bincount(recipe, weights=values, minlength=C.shape[1]).astype(np.float64)


def _describe(name: str, scores: Array | None, outcomes: Sequence[str]) -> dict[str, Any]:
    """Return a score by outcome and its mean over outcomes; ``scores`` (B + 1, m), row 0 as is."""
    if scores is None:
        return dict.fromkeys((name, f"{name}_interval", f"mean_{name}", f"mean_{name}_interval"))
    mean = scores.mean(axis=1)
    return {
        name: dict(zip(outcomes, scores[0].tolist(), strict=True)),
        f"{name}_interval": {o: _interval(scores[:, i]) for i, o in enumerate(outcomes)},
        f"mean_{name}": float(mean[0]),
        f"mean_{name}_interval": _interval(mean),
    }


def _by_repeat(measured: Measurements, answers: OutOfFold, m: int, C: Array) -> list[float]:
    """Return the mean R² over outcomes of each repeat alone."""
    repeats = (OutOfFold(answers.mean[i : i + 1]) for i in range(len(answers.mean)))
    return [float(_r2(measured, repeat, m, C)[0].mean()) for repeat in repeats]


def _difference(name: str, scores: Array | None, reference: Array | None) -> dict[str, Any]:
    """Return the difference in the mean over outcomes, paired, with its interval."""
    if scores is None or reference is None:
        return {name: None, f"{name}_interval": None}
    difference = scores.mean(axis=1) - reference.mean(axis=1)
    return {
        name: float(difference[0]),
        f"{name}_interval": _interval(difference, DIFFERENCE_LEVEL),
    }


def _interval(scores: Array, level: float = LEVEL) -> list[float] | None:
    """Return the percentile interval of rows 1 …, without the resamples that define no score."""
    drawn = scores[1:][np.isfinite(scores[1:])]
    if not drawn.size:
        return None
    tail = 100 * (1 - level) / 2
    return [float(bound) for bound in np.percentile(drawn, [tail, 100 - tail])]
