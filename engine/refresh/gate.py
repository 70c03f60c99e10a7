r"""May a candidate be promoted? Judged on recipes that no training ever saw, against two others.

The judged recipes are taken in the order in which they were run, in blocks. For each block the
Gaussian processes are fitted to everything recorded before its first run, once with what the
candidate knows, once with what the champion knows, once without (a plain ARD model), and predict
the block. Runs of one recipe count together.

======  ==================================================================  ==========
symbol  meaning                                                             shape
======  ==================================================================  ==========
e       squared error of a run's mean, in variances of the outcome,         (recipes,)
        averaged over outcomes
l       negative log density of it [nats], averaged over outcomes           (recipes,)
d       mean over recipes of e(candidate) − e(other): the loss in R²        scalar
======  ==================================================================  ==========

Both differences are paired, so what is hard to predict for everybody cancels. The candidate is
worse than another where its loss, less one standard error, still exceeds the tolerance (2.5 times
that for l): what a few dozen noisy runs cannot tell apart does not count. It is promoted only if it
is not worse than the current model and a plain GP.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.errors import StateError
from engine.propose.forecaster import Forecaster, outcomes_with_data
from engine.propose.work_space import WorkSpace
from engine.refresh.own_runs import Part, part_of, recipe_of
from engine.refresh.request import ShouldStop
from engine.sources.knowledge import Knowledge
from engine.workspace.settings import ProposeSettings
from surrogate.progress import Progress

Array = NDArray[np.float64]

# Each block costs one fit of each model: three models in three blocks are the nine fits that
# docs/benchmarks.md counts for a refresh.
BLOCKS = 3
# The rest is judged one block after the other, each by models fitted to all before it.
FIRST_SHARE = 0.4
"""Share of the runs that the first fit may look at."""
# Fewer give no standard error to speak of.
LEAST_JUDGED = 4
LEAST_FITTED = 8
DENSITY_FACTOR = 2.5
PLAIN, CHAMPION, CANDIDATE = "plain", "champion", "candidate"


@dataclass(frozen=True)
class Block:
    """Runs to fit to, and judged runs that came after them."""

    fitted: tuple[Run, ...]
    judged: tuple[Run, ...]


@dataclass(frozen=True)
class Scores:
    """What one model scored, by recipe: ``error`` and ``density`` (recipes,)."""

    error: Array
    density: Array

    @property
    def r2(self) -> float:
        """Mean R² over the outcomes."""
        return 1.0 - float(self.error.mean())


@dataclass(frozen=True)
class Verdict:
    """Whether the candidate may be promoted, why, and the numbers (plain JSON types)."""

    passes: bool
    reason: str
    numbers: Mapping[str, Any]


def n_judged(campaign: Campaign, runs: Sequence[Run]) -> int:
    """Return how many recipes would judge a candidate."""
    return len(
        {
            recipe_of(campaign, run.conditions)
            for block in blocks_of(campaign, runs)
            for run in block.judged
        }
    )


def blocks_of(campaign: Campaign, runs: Sequence[Run]) -> list[Block]:
    """Return the blocks of a history's finished runs, in the order in which they were run."""
    first = max(LEAST_FITTED, math.ceil(FIRST_SHARE * len(runs)))
    judged = [
        place
        for place, run in enumerate(runs)
        if place >= first and part_of(campaign, run.conditions) is Part.JUDGED
    ]
    # In order of time, as in use: a random split would let later runs tell of earlier ones.
    parts = np.array_split(np.array(judged, dtype=int), min(BLOCKS, len(judged)) or 1)
    return [
        Block(tuple(runs[: part[0]]), tuple(runs[place] for place in part))
        for part in parts
        if len(part)
    ]


def judge(
    history: History,
    models: Mapping[str, Knowledge | None],
    *,
    tolerance: float,
    settings: ProposeSettings,
    progress: Progress,
    should_stop: ShouldStop = lambda: False,
) -> Verdict:
    """Compare the candidate with the champion and a plain model.

    Args:
        history: the campaign's, at the watermark of the training.
        models: what each knows beforehand, by name; ``candidate`` among them. A plain model is
            added.
        tolerance: the loss of R² that is taken for chance.
        settings: of proposals.
        progress: hears how far it is.
        should_stop: ends it between two fits.

    Raises:
        KeyboardInterrupt: it was asked to stop.
        StateError: too few judged recipes.
        ModelError: the models cannot be fitted.
    """
    scores = evaluate(history, {**models, PLAIN: None}, settings, progress, should_stop)
    candidate = scores[CANDIDATE]
    against: dict[str, Any] = {}
    worse_than = []
    for name, opponent in scores.items():
        if name == CANDIDATE:
            continue
        comparison = paired(candidate, opponent)
        comparison["loses"] = (
            # Worse beyond chance, not "not better beyond chance": most good candidates differ by
            # less than their error.
            comparison["d_r2"] + comparison["se_r2"] < -tolerance
            or comparison["d_density"] + comparison["se_density"] < -DENSITY_FACTOR * tolerance
        )
        against[name] = comparison
        if comparison["loses"]:
            worse_than.append(
                f"{name} (R² {comparison['d_r2']:+.3f} ± {comparison['se_r2']:.3f}, log density "
                f"{comparison['d_density']:+.3f} ± {comparison['se_density']:.3f})"
            )
    numbers = {
        "n_recipes": len(candidate.error),
        "tolerance": tolerance,
        "r2": {name: score.r2 for name, score in scores.items()},
        "log_density": {name: -float(score.density.mean()) for name, score in scores.items()},
        "against": against,
    }
    margins = ", ".join(
        f"{name} {margin['d_r2']:+.3f} ± {margin['se_r2']:.3f}" for name, margin in against.items()
    )
    n = len(candidate.error)
    if worse_than:
        reason = f"it is worse on {n} unseen recipes than {' and '.join(worse_than)}"
        return Verdict(False, reason, numbers)
    reason = f"it is worse than neither on {n} unseen recipes (R² against {margins})"
    return Verdict(True, reason, numbers)


def paired(scores: Scores, opponent: Scores) -> dict[str, Any]:
    """Return how much better ``scores`` are in R² and log density [nats], with standard errors.

    >>> better, worse = (Scores(np.array(e), np.zeros(2)) for e in ([0.2, 0.4], [0.4, 0.8]))
    >>> f"{paired(better, worse)['d_r2']:.2f}"
    '0.30'
    """
    gain, density = opponent.error - scores.error, opponent.density - scores.density
    return {
        "d_r2": float(gain.mean()),
        "se_r2": _standard_error(gain),
        "d_density": float(density.mean()),
        "se_density": _standard_error(density),
    }


def _standard_error(values: Array) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0


def evaluate(
    history: History,
    models: Mapping[str, Knowledge | None],
    settings: ProposeSettings,
    progress: Progress,
    should_stop: ShouldStop = lambda: False,
) -> dict[str, Scores]:
    """Return what each model scores on the judged recipes.

    Raises:
        KeyboardInterrupt: it was asked to stop.
        StateError: too few judged recipes.
        ModelError: the models cannot be fitted.
    """
    campaign = history.campaign
    runs = [run for run in history.finished if run.outcomes]
    outcomes = judged_outcomes(campaign, history)
    blocks = blocks_of(campaign, runs)
    if n_judged(campaign, runs) < LEAST_JUDGED:
        raise StateError(
            f"expected at least {LEAST_JUDGED} recipes that no training sees to judge a candidate "
            f"by, got {n_judged(campaign, runs)}: log more results first"
        )
    work = WorkSpace.from_runs(campaign, runs).unscaled
    spread = _spread(work, runs, outcomes)
    total = len(blocks) * len(models)
    scores_by_name: dict[str, Scores] = {}
    for place, (name, knowledge) in enumerate(models.items()):
        rows: dict[str, list[tuple[float, float]]] = {}
        for number, block in enumerate(blocks):
            if should_stop():
                raise KeyboardInterrupt
            progress("judging", place * len(blocks) + number, total)
            history_then = History(campaign, block.fitted)
            forecaster = Forecaster.fit(
                history_then, settings, outcomes=outcomes, knowledge=knowledge
            )
            for recipe, score in _scored(forecaster, work, block.judged, spread):
                # Replicates of one recipe share its luck; counted singly they would feign a smaller
                # standard error.
                rows.setdefault(recipe, []).append(score)
        recipe_means = np.array([np.mean(scores, axis=0) for scores in rows.values()])
        scores_by_name[name] = Scores(recipe_means[:, 0], recipe_means[:, 1])
    progress("judging", total, total)
    return scores_by_name


def judged_outcomes(campaign: Campaign, history: History) -> tuple[str, ...]:
    """Return the outcomes by which models are judged: those that are wanted, as far as measured."""
    required = [objective.outcome for objective in campaign.objectives]
    required += [name for constraint in campaign.constraints for name in constraint.terms]
    measured = outcomes_with_data(history)
    return tuple(dict.fromkeys(o for o in required if o in measured)) or measured


def _spread(work: WorkSpace, runs: Sequence[Run], outcomes: Sequence[str]) -> Array:
    """Return the standard deviation of each outcome in work space, (m,), unmoved by outliers."""
    spreads = []
    for outcome in outcomes:
        values = _work_means(work, runs, outcome)
        values = values[np.isfinite(values)]
        low, high = np.percentile(values, (16, 84))  # ± one standard deviation of a normal
        # What hardly any run differs in has the spread of all, or none to divide by.
        spread, extent = float(high - low) / 2, float(np.ptp(values))
        spreads.append(spread if spread > 1e-9 * extent else extent or 1.0)
    return np.array(spreads)


def _work_means(work: WorkSpace, runs: Sequence[Run], outcome: str) -> Array:
    return np.array(
        [
            float(np.mean(work.transform(outcome, np.array(run.outcomes[outcome]))))
            if run.outcomes.get(outcome)
            else math.nan
            for run in runs
        ]
    )


def _scored(
    forecaster: Forecaster, work: WorkSpace, judged: Sequence[Run], spread: Array
) -> list[tuple[str, tuple[float, float]]]:
    """Return each judged run's recipe with its squared error and negative log density."""
    campaign = forecaster.space.campaign
    X = forecaster.space.encode([run.conditions for run in judged], forecaster.data.fill)
    mean, variance = forecaster.moments(X)
    true = np.stack([_work_means(work, judged, o) for o in forecaster.outcomes], axis=1)
    error = ((true - mean) / spread) ** 2
    density = 0.5 * ((true - mean) ** 2 / variance + np.log(2 * math.pi * variance))
    scores = []
    for row, run in enumerate(judged):
        if np.isfinite(true[row]).any():
            score = float(np.nanmean(error[row])), float(np.nanmean(density[row]))
            scores.append((recipe_of(campaign, run.conditions), score))
    return scores
