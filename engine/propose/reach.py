r"""How far finished runs have come: thresholds and outcome constraints that none of them meets yet.

Beyond all data every improvement is worth nothing, or next to it, and a search would go wherever
the model knows least. While no run reaches a threshold or meets the constraints, a search therefore
goes for the run that comes nearest, and for a nearer one (:class:`Shortfall`).

Notation
--------
==========  ====================================================================  ==============
symbol      meaning                                                               shape
==========  ====================================================================  ==============
gains       of runs in work space, NaN where not measured                         (n, k)
t           the thresholds' gains                                                 (k,)
v           violations of the constraints, above 0 where one is broken            (n, l)
s, u        how far the mean run is from thresholds and constraints, and at       (k,), (l,)
            least how far the runs are spread
==========  ====================================================================  ==============

.. math:: \mathrm{shortfall} = \min\big(\min_j (g_j - t_j) / s_j, \; -\max_i (v_i)_+ / u_i\big)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, LinearConstraint, Objective
from engine.campaign.history import History, Run
from engine.campaign.numbers import written
from engine.errors import by_voice
from engine.propose.aims import Aims
from engine.propose.work_space import WorkSpace

Array = NDArray[np.float64]

_HOW_TO_REVISE = by_voice(" (config.toml, then `engine campaign revise`)", "")


@dataclass(frozen=True)
class Reach:
    """What finished runs have come to.

    ``n_meeting``: runs that meet all constraints as far as is known; ``n_complete``: those of which
    every objective is known, too; ``n_beyond``: those that are beyond every threshold.
    ``unreached``: the objectives, of those that were measured, whose threshold no run reaches (that
    meets the constraints, if any does); ``unmet``: the constraints that no run meets, of those that
    were measured.
    """

    campaign: Campaign
    finished: tuple[Run, ...]
    unreached: tuple[Objective, ...]
    unmet: tuple[LinearConstraint, ...]
    n_meeting: int
    n_beyond: int
    n_complete: int
    candidates: tuple[Run, ...]
    """Runs whose objectives count: those that meet the constraints, or all if none does."""

    @property
    def lacks_meeting(self) -> bool:
        """Whether there are constraints that no run meets, all together."""
        return bool(self.campaign.constraints) and not self.n_meeting

    def notes(self, *, explore: bool = False) -> list[str]:
        """Say what is not reached yet, and what the batch does about it."""
        notes = [_contradiction(rule) for rule in contradictions(self.campaign)]
        for objective in self.unreached:
            heading = self.campaign.heading(objective.outcome)
            if explore:
                notes.append(
                    f"no run reaches the threshold of {heading} yet: exploring below it, from the "
                    "worst corner of the data."
                )
                continue
            best, n = self._best(objective)
            is_target = objective.target is not None
            deed = "comes within the tolerance of" if is_target else "reaches the threshold of"
            meeting = self.campaign.constraints and not self.lacks_meeting
            notes.append(
                f"no run {'that meets the constraints ' if meeting else ''}{deed} {heading} yet: "
                f"expected {objective.aim}, the {'nearest' if is_target else 'best'} of {n} is "
                f"{written(best, 4)}. The search goes towards it; if it is out of reach, move it"
                f"{_HOW_TO_REVISE}."
            )
        for constraint in self.unmet:
            nearest, n = self._nearest(constraint)
            notes.append(
                f"no run meets the constraint '{constraint}' yet: the nearest of {n} is "
                f"{written(nearest, 4)}. The search goes towards it; if it is out of reach, move it"
                f"{_HOW_TO_REVISE}."
            )
        if self.lacks_meeting and not self.unmet:
            notes.append(
                "no run meets all constraints together yet, though each is met by some: the search "
                "goes towards runs that do."
            )
        is_comparable = self.n_complete > 0 and not self.unreached and not self.lacks_meeting
        if not self.n_beyond and is_comparable:
            limits = " and within the constraints" if self.campaign.constraints else ""
            notes.append(
                f"no run lies beyond every threshold at once{limits} yet, though each is reached "
                "by some: the search goes for runs that do."
            )
        return notes

    def _best(self, objective: Objective) -> tuple[float, int]:
        values = _averages(self.candidates, objective.outcome)
        values = values[np.isfinite(values)]
        return float(values[np.argmax(objective.gains(values))]), len(values)

    def _nearest(self, constraint: LinearConstraint) -> tuple[float, int]:
        ((name, factor),) = constraint.terms.items()
        values = _averages(self.finished, name)
        values = values[np.isfinite(values)]
        slack = [constraint.slack({name: float(value)}) for value in values]
        return float(factor * values[int(np.argmax(slack))]), len(values)


def measure_reach(campaign: Campaign, finished: Sequence[Run]) -> Reach:
    """Look at what finished runs have reached, by the means of their replicates."""
    values = np.stack([_averages(finished, o.outcome) for o in campaign.objectives], axis=1)
    columns = [o.is_reached(values[:, j]) for j, o in enumerate(campaign.objectives)]
    reached: NDArray[np.bool_] = np.stack(columns, axis=1)
    is_met = np.ones(len(values), dtype=bool)
    unmet = []
    for constraint in campaign.constraints:
        name = next(iter(constraint.terms))
        column = _averages(finished, name)
        # Unknown is not broken.
        fine = np.array(
            [not np.isfinite(x) or constraint.is_met({name: float(x)}) for x in column], dtype=bool
        )
        is_met &= fine
        has_value = np.isfinite(column)
        if has_value.any() and not fine[has_value].any():
            unmet.append(constraint)
    counts = is_met if is_met.any() else np.ones_like(is_met)
    unreached = [
        objective
        for j, objective in enumerate(campaign.objectives)
        if np.isfinite(values[counts, j]).any() and not reached[counts, j].any()
    ]
    return Reach(
        campaign,
        tuple(finished),
        tuple(unreached),
        tuple(unmet),
        int(is_met.sum()),
        int((is_met & reached.all(axis=1)).sum()),
        int((is_met & np.isfinite(values).all(axis=1)).sum()),
        tuple(run for run, is_counted in zip(finished, counts, strict=True) if is_counted),
    )


def _averages(runs: Sequence[Run], outcome: str) -> Array:
    return np.array(
        [np.mean(run.outcomes[outcome]) if run.outcomes.get(outcome) else np.nan for run in runs],
        dtype=np.float64,
    )


def contradictions(campaign: Campaign) -> list[tuple[str, str]]:
    """Return the pairs of rules on one outcome that no value meets, in words.

    >>> campaign = Campaign(
    ...     name="toy",
    ...     parameters=[{"name": "x", "low": 0, "high": 1}],
    ...     properties=[{"name": "y"}],
    ...     objectives=[{"outcome": "y", "threshold": 8}],
    ...     constraints=["y <= 5", "y >= 1"],
    ... )
    >>> contradictions(campaign)
    [('y <= 5', 'the threshold of y, ≥ 8')]
    """
    rules: list[tuple[str, str, float, float]] = []
    for constraint in campaign.constraints:
        ((name, factor),) = constraint.terms.items()
        upper = (constraint.operator == "<=") == (factor > 0)
        bound = constraint.bound / factor
        span = (-np.inf, bound) if upper else (bound, np.inf)
        rules.append((name, f"'{constraint}'", *span))
    for objective in campaign.objectives:
        name, edges = objective.outcome, objective.edges
        low = -np.inf if objective.goal == "minimize" else edges[0]
        high = np.inf if objective.goal == "maximize" else edges[-1]
        rules.append((name, f"the threshold of {name}, {objective.aim}", low, high))
        prop = campaign.property_of(name)
        if prop.minimum is not None:
            word = f"the minimum of {prop.name}, {prop.minimum:g}"
            rules.append((name, word, prop.minimum, np.inf))
        if prop.maximum is not None:
            word = f"the maximum of {prop.name}, {prop.maximum:g}"
            rules.append((name, word, -np.inf, prop.maximum))
    return [
        (first[1].strip("'"), second[1].strip("'"))
        for first, second in combinations(rules, 2)
        if first[0] == second[0] and max(first[2], second[2]) > min(first[3], second[3])
    ]


def _contradiction(pair: tuple[str, str]) -> str:
    return (
        f"{pair[0]} and {pair[1]} contradict each other: no run can ever meet both. The search "
        f"goes where they are missed least; change one of them{_HOW_TO_REVISE}."
    )


def reference_point(
    campaign: Campaign, finished: Sequence[Run], *, explore: bool, work: WorkSpace | None = None
) -> tuple[list[float], list[str]]:
    """Return the gains in work space from which on runs count, and remarks.

    Where no run reaches a threshold, they are those of the run that comes nearest to all of them,
    so far as they are lower; with ``explore`` the worst corner of the data in that objective.
    ``work``: by default without units.
    """
    work = WorkSpace.from_runs(campaign, finished).unscaled if work is None else work
    reach = measure_reach(campaign, finished)
    gains = work_gains_of(work, finished)
    reference = np.array([work.reference(o) for o in campaign.objectives])
    if not reach.unreached:
        return reference.tolist(), reach.notes(explore=explore)
    if explore:
        for j, column in enumerate(gains.T):
            measured = column[np.isfinite(column)]
            if len(measured) and measured.max() <= reference[j]:
                spread = float(np.ptp(measured)) or 1.0
                reference[j] = float(measured.min() - 0.1 * spread)
    else:
        counted = work_gains_of(work, reach.candidates)
        complete = counted[np.isfinite(counted).all(axis=1)]
        if len(complete):
            margins = (complete - reference) / _scale_of(reference - gains)
            reference = np.minimum(reference, complete[int(np.argmax(margins.min(axis=1)))])
        else:
            # No run tells of all objectives: the nearest of each by itself.
            nearest = np.where(np.isfinite(counted), counted, -np.inf).max(axis=0)
            reference = np.where(np.isfinite(nearest), np.minimum(reference, nearest), reference)
    return reference.tolist(), reach.notes(explore=explore)


def work_gains_of(work: WorkSpace, finished: Sequence[Run]) -> Array:
    """Return the gains (n, k) of runs in work space, NaN where not measured."""
    return np.stack(
        [work.gains(o, _averages(finished, o.outcome)) for o in work.campaign.objectives],
        axis=1,
    )


def _scale_of(misses: Array) -> Array:
    """Return the mean miss (n, c) of each column, at least its standard deviation; never 0."""
    scales = []
    for column in misses.T:
        measured = column[np.isfinite(column)]
        scale = max(float(np.mean(measured)), float(np.std(measured))) if len(measured) else 0.0
        scales.append(scale if scale > 0 else 1.0)
    return np.array(scales)


@dataclass(frozen=True)
class Shortfall:
    """By how much judged outcomes (…, k + l) fall short of thresholds and constraints, negative.

    Beyond all thresholds it goes on to grow; of the constraints it asks only that they are met.
    ``reference`` (k,) and ``scale`` (k + l,); without ``counts_gains`` the constraints alone count.
    """

    reference: Array
    scale: Array
    counts_gains: bool

    def measure(self, judged: Array) -> Array:
        """Return the shortfall (…, 1), the larger the better."""
        k = len(self.reference)
        parts = []
        if self.counts_gains:
            parts.append((judged[..., :k] - self.reference) / self.scale[:k])
        if judged.shape[-1] > k:
            parts.append(-np.maximum(judged[..., k:], 0.0) / self.scale[k:])
        least: Array = np.concatenate(parts, axis=-1).min(axis=-1, keepdims=True)
        return least


def shortfall_of(history: History, aims: Aims, *, explore: bool) -> Shortfall | None:
    """Return what falls short while a threshold is unreached or constraints are not met, or none.

    A single objective without constraints needs none: its improvement *is* towards the threshold.
    With ``explore`` only the constraints count.
    """
    campaign, finished = history.campaign, history.finished
    reach = measure_reach(campaign, finished)
    counts_gains = not explore
    is_short = bool(reach.unreached) and counts_gains and (aims.k > 1 or aims.n_limits > 0)
    if not is_short and not reach.lacks_meeting:
        return None
    work = aims.work
    reference = np.array([work.reference(o) for o in campaign.objectives])
    averages = np.stack([_averages(finished, name) for name in aims.outcomes], axis=1)
    values = np.stack(
        [work.transform(name, averages[:, j]) for j, name in enumerate(aims.outcomes)], axis=1
    )
    misses = [reference - work_gains_of(work, finished), aims.violations(values)]
    return Shortfall(reference, _scale_of(np.concatenate(misses, axis=1)), counts_gains)
