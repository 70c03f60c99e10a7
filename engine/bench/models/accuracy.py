"""How well are held-out runs of a finished table predicted? Models beside one another, by folds.

The runs are split by recipe: runs with the same settings, with all their replicates and test
directions, are in one fold. In a fold every model learns from the other folds' runs and predicts
these from their conditions alone (the room's readings among them). Each repeat splits anew; all
models meet the same splits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bench.harness.environment import environment
from engine.bench.harness.tasks import one_thread
from engine.bench.models.prediction_scores import Measurements, OutOfFold, normal_nlpd, summarise
from engine.bench.models.predictors import (
    MODELS,
    Entry,
    Predicted,
    Predictor,
    check_against,
    check_models,
)
from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.errors import DataError, ModelError, SpinneretError, UsageError, nearest_name
from surrogate.progress import Progress, silent

Array = NDArray[np.float64]
Index = NDArray[np.int64]

KIND = "accuracy"


@dataclass(frozen=True)
class AccuracyConfig:
    """What is compared, on which table. No ``outcomes`` means all that can be learnt.

    ``against``: the models to which differences are told; without any, those of
    :data:`~engine.bench.models.predictors.AGAINST` that are compared, or the first model.

    Raises:
        UsageError: numbers that make no benchmark.
    """

    table: str
    folds: int = 10
    seed: int = 0
    repeats: int = 1
    outcomes: tuple[str, ...] = ()
    models: tuple[str, ...] = tuple(MODELS)
    against: tuple[str, ...] = ()
    level: float = 0.9

    def __post_init__(self) -> None:
        for option, value, least in (
            ("folds", self.folds, 2),
            ("seed", self.seed, 0),
            ("repeats", self.repeats, 1),
        ):
            if value < least:
                raise UsageError(f"expected at least {least}, got {value}", field=option)

    @property
    def n_steps(self) -> int:
        """How many times a model is fitted and asked."""
        return self.repeats * self.folds * len(self.models)


def accuracy(
    config: AccuracyConfig,
    campaign: Campaign,
    runs: Sequence[Run],
    *,
    models: Mapping[str, Predictor] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run the benchmark on ``runs`` and return its document.

    Args:
        config: what is compared.
        campaign: what the table's columns mean.
        runs: the finished runs, replicates kept.
        models: further models by name, for tests and notebooks.
        progress: told after each fit, of :attr:`AccuracyConfig.n_steps`.

    Raises:
        UsageError: unknown names, or more folds than recipes.
        DataError: nothing to learn in the table.
        ModelError: a model fails; the message says which, and in which fold.
    """
    custom = {name: Entry(predict, "the caller's own") for name, predict in (models or {}).items()}
    config = replace(config, models=check_models(config.models, custom=custom))
    config = replace(config, against=check_against(config.against, config.models))
    outcomes, left_out = _choose_outcomes(config, campaign, runs)
    measured = [run for run in runs if any(run.outcomes.get(outcome) for outcome in outcomes)]
    recipes = recipes_of(campaign, measured)
    n_recipes = int(recipes.max()) + 1
    if config.folds > n_recipes:
        raise UsageError(
            f"expected at most the table's {n_recipes} recipes, got {config.folds}", field="folds"
        )
    entries = {name: {**MODELS, **custom}[name] for name in config.models}
    measurements = _measurements(measured, outcomes, recipes)
    job = _Job(config, campaign, measured, outcomes, measurements)
    with one_thread():
        predicted, folds, seconds = job.run(entries, recipes, progress)
    summary = summarise(measurements, predicted, outcomes, config.against)
    for name, scores in summary["models"].items():
        scores["seconds_per_fold"] = float(np.median(seconds[name]))
        scores["about"] = entries[name].about
    return {
        "kind": KIND,
        "config": _options(config),
        "environment": environment(),
        "campaign": campaign.definition(),
        "data": {
            "experiments": len(measured),
            "recipes": n_recipes,
            "measurements": len(measurements.value),
            "outcomes_left_out": list(left_out),
        },
        "summary": summary,
        **_raw(measurements, measured, outcomes, folds, predicted),
    }


def recipes_of(campaign: Campaign, runs: Sequence[Run]) -> Index:
    """Return (n,) the index of each run's recipe: runs with equal settings share one."""
    from engine.propose.space import Space

    space = Space(campaign)
    places: dict[tuple[int, ...], int] = {}
    keys = [space.key(row) for row in space.settings_of([run.conditions for run in runs])]
    return np.array([places.setdefault(key, len(places)) for key in keys], dtype=np.int64)


def folds_of(recipes: Index, n_folds: int, seed: Sequence[int]) -> Index:
    """Return (n,) the fold of each run, drawn by recipe; folds differ by at most one recipe.

    >>> folds_of(np.array([0, 0, 1, 2]), 3, [0]).tolist()
    [1, 1, 2, 0]
    """
    order = np.random.default_rng(seed).permutation(int(recipes.max()) + 1)
    fold_of_recipe = np.empty(len(order), dtype=np.int64)
    fold_of_recipe[order] = np.arange(len(order)) % n_folds
    return fold_of_recipe[recipes]


def _choose_outcomes(
    config: AccuracyConfig, campaign: Campaign, runs: Sequence[Run]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the outcomes to predict, and those of the campaign that cannot be learnt."""
    for name in config.outcomes:
        if name not in campaign.outcomes:
            raise UsageError(
                f"unknown outcome '{name}'.{nearest_name(name, campaign.outcomes)} "
                f"Known: {', '.join(campaign.outcomes)}",
                field="outcomes",
            )
    learnable = [outcome for outcome in campaign.outcomes if _varies(runs, outcome)]
    lost = [outcome for outcome in config.outcomes if outcome not in learnable]
    if lost or not learnable:
        raise DataError(
            f"{config.table}: expected differing results of {', '.join(lost) or 'an outcome'}, "
            f"got {len(runs)} completed runs with none to learn from. "
            f"Learnable: {', '.join(learnable) or 'nothing'}"
        )
    if config.outcomes:
        return tuple(dict.fromkeys(config.outcomes)), ()
    return tuple(learnable), tuple(o for o in campaign.outcomes if o not in learnable)


def _varies(runs: Sequence[Run], outcome: str) -> bool:
    values = [value for run in runs for value in run.outcomes.get(outcome, ())]
    # Relative to the size of the values: equal ones may differ by rounding.
    return len(values) >= 2 and bool(np.ptp(values) > 1e-12 * max(1.0, abs(values[0])))


def _measurements(runs: Sequence[Run], outcomes: Sequence[str], recipes: Index) -> Measurements:
    rows = [
        (value, i, number)
        for number, run in enumerate(runs)
        for i, outcome in enumerate(outcomes)
        for value in run.outcomes.get(outcome, ())
    ]
    run = np.array([row[2] for row in rows], dtype=np.int64)
    return Measurements(
        np.array([row[0] for row in rows], dtype=np.float64),
        np.array([row[1] for row in rows], dtype=np.int64),
        run,
        recipes[run],
    )


@dataclass(frozen=True)
class _Job:
    """The folds of all repeats, and what is asked in each."""

    config: AccuracyConfig
    campaign: Campaign
    runs: Sequence[Run]
    outcomes: tuple[str, ...]
    measurements: Measurements

    def run(
        self, entries: Mapping[str, Entry], recipes: Index, progress: Progress
    ) -> tuple[dict[str, OutOfFold], Index, dict[str, list[float]]]:
        """Return each model's predictions, the fold of each run (R, n), and each fold's seconds."""
        seconds: dict[str, list[float]] = {name: [] for name in entries}
        repeats: dict[str, list[OutOfFold]] = {name: [] for name in entries}
        splits: list[Index] = []
        n_fits = 0
        for repeat in range(self.config.repeats):
            split = folds_of(recipes, self.config.folds, [self.config.seed, repeat])
            parts: dict[str, list[tuple[Index, Predicted]]] = {name: [] for name in entries}
            for fold in range(self.config.folds):
                for name, entry in entries.items():
                    started = time.perf_counter()
                    parts[name].append(self._predict(name, entry, split, repeat, fold))
                    seconds[name].append(time.perf_counter() - started)
                    n_fits += 1
                    stage = f"repeat {repeat + 1}, fold {fold + 1}: {name}"
                    progress(stage, n_fits, self.config.n_steps)
            splits.append(split)
            for name in entries:
                repeats[name].append(self._of_measurements(_joined(parts[name], len(self.runs))))
        return {name: _stack(r) for name, r in repeats.items()}, np.stack(splits), seconds

    def _predict(
        self, name: str, entry: Entry, split: Index, repeat: int, fold: int
    ) -> tuple[Index, Predicted]:
        rows = np.flatnonzero(split == fold)
        training = tuple(run for run, part in zip(self.runs, split, strict=True) if part != fold)
        seed = int(np.random.default_rng([self.config.seed, repeat, fold]).integers(2**31))
        heading = f"{name}, repeat {repeat + 1}, fold {fold + 1}"
        try:
            predicted = entry.predict(
                History(self.campaign, training),
                [self.runs[int(i)].conditions for i in rows],
                self.outcomes,
                level=self.config.level,
                seed=seed,
            )
        except SpinneretError as error:
            raise ModelError(f"{heading}: {error}") from error
        shape = (len(rows), len(self.outcomes))
        for part in predicted.parts():
            if part.shape != shape or not np.isfinite(part).all():
                raise ModelError(f"{heading}: expected {shape} finite numbers, got {part.shape}")
        return rows, predicted

    def _of_measurements(self, predicted: Predicted) -> OutOfFold:
        """Turn predictions of runs (n, m) into those of measurements (1, N)."""
        measured = self.measurements

        def pick(part: Array | None) -> Array | None:
            return None if part is None else part[measured.run, measured.outcome][None]

        mean = predicted.mean[measured.run, measured.outcome][None]
        lower, upper = pick(predicted.lower), pick(predicted.upper)
        if predicted.centre is None or predicted.variance is None:
            return OutOfFold(mean, lower, upper)
        nlpd = np.empty((1, len(measured.value)))
        for i, outcome in enumerate(self.outcomes):
            rows = measured.outcome == i
            cells = measured.run[rows], measured.outcome[rows]
            is_log = self.campaign.property_of(outcome).scale == "log"
            centre, variance = predicted.centre[cells], predicted.variance[cells]
            nlpd[0, rows] = normal_nlpd(measured.value[rows], centre, variance, is_log=is_log)
        return OutOfFold(mean, lower, upper, nlpd)


def _joined(parts: Sequence[tuple[Index, Predicted]], n: int) -> Predicted:
    """Put the folds of one repeat together, (n, m)."""
    order = np.empty(n, dtype=np.int64)
    order[np.concatenate([rows for rows, _ in parts])] = np.arange(n)

    def joined(name: str) -> Array | None:
        arrays = [getattr(predicted, name) for _, predicted in parts]
        return None if arrays[0] is None else np.concatenate(arrays)[order]

    mean = np.concatenate([predicted.mean for _, predicted in parts])[order]
    return Predicted(mean, *map(joined, ("lower", "upper", "centre", "variance")))


def _stack(repeats: Sequence[OutOfFold]) -> OutOfFold:
    def joined(name: str) -> Array | None:
        arrays = [getattr(repeat, name) for repeat in repeats]
        return None if arrays[0] is None else np.concatenate(arrays)

    mean = np.concatenate([repeat.mean for repeat in repeats])
    return OutOfFold(mean, *map(joined, ("lower", "upper", "nlpd")))


def _options(config: AccuracyConfig) -> dict[str, Any]:
    return {
        "table": config.table,
        "folds": config.folds,
        "seed": config.seed,
        "repeats": config.repeats,
        "models": list(config.models),
        "against": list(config.against),
        "level": config.level,
        "split": "by recipe",
    }


def _raw(
    measurements: Measurements,
    runs: Sequence[Run],
    outcomes: Sequence[str],
    folds: Index,
    predicted: Mapping[str, OutOfFold],
) -> dict[str, Any]:
    """Return each measurement, its fold in each repeat, and what each model said of it."""
    return {
        "measurements": {
            "experiment": [runs[i].label or str(i + 1) for i in measurements.run],
            "recipe": measurements.recipe.tolist(),
            "outcome": [outcomes[i] for i in measurements.outcome],
            "value": measurements.value.tolist(),
            "fold": folds[:, measurements.run].tolist(),
        },
        "predictions": {
            name: {
                part: None if values is None else values.tolist()
                for part, values in vars(answers).items()
            }
            for name, answers in predicted.items()
        },
    }
