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

Intervals are percentile bootstraps, 95 %, over recipes: all measurements of a recipe stay together,
and every model sees the same resamples, so that differences are paired. Folds are held as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bench.scores import LEVEL, N_RESAMPLES

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Held:
    """What was measured: one entry a measurement, all (N,).

    ``value`` in the outcome's unit; ``outcome``, ``run`` and ``recipe`` are indices.
    """

    value: Array
    outcome: Index
    run: Index
    recipe: Index


@dataclass(frozen=True)
class OutOfFold:
    """What a model said of each measurement, by repeat: (R, N), units as in :class:`Held`.

    ``nlpd``: −log density per unit, in nats. ``None`` for a model without a density.
    """

    mean: Array
    lower: Array | None = None
    upper: Array | None = None
    nlpd: Array | None = None


def summarise(
    held: Held, predicted: Mapping[str, OutOfFold], outcomes: Sequence[str], baseline: str
) -> dict[str, Any]:
    """Return the scores of each model, and its mean R² less the baseline's."""
    C = resamples(int(held.recipe.max()) + 1)
    r2 = {name: _r2(held, found, len(outcomes), C) for name, found in predicted.items()}
    return {
        "baseline": baseline,
        "outcomes": list(outcomes),
        "models": {
            name: {
                **_describe("r2", r2[name], outcomes),
                **_describe("coverage", _coverage(held, found, len(outcomes), C), outcomes),
                **_describe("nlpd", _nlpd(held, found, len(outcomes), C), outcomes),
                **_difference(r2[name], None if name == baseline else r2[baseline]),
            }
            for name, found in predicted.items()
        },
    }


def resamples(n: int, *, seed: int = 0) -> Array:
    """Return C (B + 1, n): row 0 takes each of ``n`` once, the others draw with replacement."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES)
    return np.concatenate([np.ones((1, n)), drawn])


def normal_nlpd(value: Array, centre: Array, variance: Array, *, is_log: bool) -> Array:
    """Return −log density of ``value``, per unit: normal, or log-normal where ``is_log``."""
    work = np.log(value) if is_log else value
    nlpd = 0.5 * (np.log(2 * np.pi * variance) + (work - centre) ** 2 / variance)
    return np.asarray(nlpd + work if is_log else nlpd)


def _r2(held: Held, found: OutOfFold, m: int, C: Array) -> Array:
    """Return R² (B + 1, m)."""
    columns = []
    for outcome in range(m):
        here = held.outcome == outcome
        y, recipe = held.value[here], held.recipe[here]
        y_c = y - y.mean()
        n, s1, s2 = (C @ _by_recipe(part, recipe, C) for part in (np.ones_like(y), y_c, y_c**2))
        squared = ((found.mean[:, here] - y) ** 2).mean(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            total = s2 - s1**2 / n
            r2 = 1 - (C @ _by_recipe(squared, recipe, C)) / total
        columns.append(np.where(total > 1e-12 * s2[0], r2, np.nan))
    return np.stack(columns, axis=1)


def _coverage(held: Held, found: OutOfFold, m: int, C: Array) -> Array | None:
    if found.lower is None or found.upper is None:
        return None
    inside = (found.lower <= held.value) & (held.value <= found.upper)
    return _means(held, inside.mean(axis=0), m, C)


def _nlpd(held: Held, found: OutOfFold, m: int, C: Array) -> Array | None:
    return None if found.nlpd is None else _means(held, found.nlpd.mean(axis=0), m, C)


def _means(held: Held, values: Array, m: int, C: Array) -> Array:
    """Return the means of ``values`` (N,) by outcome, (B + 1, m)."""
    columns = []
    for outcome in range(m):
        here = held.outcome == outcome
        recipe = held.recipe[here]
        with np.errstate(divide="ignore", invalid="ignore"):
            total = C @ _by_recipe(values[here], recipe, C)
            columns.append(total / (C @ _by_recipe(np.ones(len(recipe)), recipe, C)))
    return np.stack(columns, axis=1)


def _by_recipe(values: Array, recipe: Index, C: Array) -> Array:
    """Return the sums of ``values`` (n,) by recipe, (G,)."""
    return np.bincount(recipe, weights=values, minlength=C.shape[1]).astype(np.float64)


def _describe(name: str, scores: Array | None, outcomes: Sequence[str]) -> dict[str, Any]:
    """Return a score by outcome and its mean over outcomes; ``scores`` (B + 1, m), row 0 as is."""
    if scores is None:
        nothing = (name, f"{name}_interval", f"mean_{name}", f"mean_{name}_interval")
        return dict.fromkeys(nothing)
    mean = scores.mean(axis=1)
    return {
        name: dict(zip(outcomes, scores[0].tolist(), strict=True)),
        f"{name}_interval": {o: _interval(scores[:, i]) for i, o in enumerate(outcomes)},
        f"mean_{name}": float(mean[0]),
        f"mean_{name}_interval": _interval(mean),
    }


def _difference(r2: Array, baseline: Array | None) -> dict[str, Any]:
    if baseline is None:
        return {"difference": None, "difference_interval": None}
    difference = r2.mean(axis=1) - baseline.mean(axis=1)
    return {"difference": float(difference[0]), "difference_interval": _interval(difference)}


def _interval(scores: Array) -> list[float] | None:
    """Return the percentile interval of rows 1 …, without the resamples that define no score."""
    drawn = scores[1:][np.isfinite(scores[1:])]
    if not drawn.size:
        return None
    tail = 100 * (1 - LEVEL) / 2
    return [float(bound) for bound in np.percentile(drawn, [tail, 100 - tail])]
