"""Which outcomes can be learnt from these runs, and why not the others.

Tests destroy, so one half of the mats may be pulled and the other half be looked at: runs count by
outcome. An outcome can be learnt once two runs of different settings differ in it. What cannot be
learnt is left out of the search, and said; the runs come back to it as soon as it varies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.campaign import Campaign
from engine.campaign.history import History
from engine.propose.space import Space

ROUNDING = 1e-12
"""Of the largest value: a spread below it is rounding, no result."""


@dataclass(frozen=True)
class Learnable:
    """What a search can go by.

    ``counts``: runs with a value, of each wanted outcome; ``n_complete``: runs with all of them;
    ``problems``: why an outcome cannot be learnt, of those that cannot.
    """

    campaign: Campaign
    counts: Mapping[str, int]
    n_complete: int
    problems: Mapping[str, str]

    @property
    def n_runs(self) -> int:
        """How many runs say something of the objective that most of them say something of."""
        return max(self.counts[objective.outcome] for objective in self.campaign.objectives)

    @property
    def focus(self) -> Campaign | None:
        """The campaign with those objectives and constraints that can be learnt, if any can."""
        if not self.problems:
            return self.campaign
        objectives = tuple(o for o in self.campaign.objectives if o.outcome not in self.problems)
        if not objectives:
            return None
        fields = {name: getattr(self.campaign, name) for name in Campaign.model_fields}
        constraints = tuple(
            c for c in self.campaign.constraints if not self.problems.keys() & c.terms.keys()
        )
        return Campaign(**{**fields, "objectives": objectives, "constraints": constraints})

    @property
    def counted(self) -> str:
        """How many runs there are to learn from, by outcome where that differs."""
        if len(set(self.counts.values())) == 1 and self.n_complete == self.n_runs:
            return "is 1" if self.n_runs == 1 else f"are {self.n_runs}"
        return "are " + ", ".join(
            f"{count} with {outcome}" for outcome, count in self.counts.items()
        )

    def notes(self) -> list[str]:
        """Say what the search does without, and why, and what it goes by."""
        heading = self.campaign.heading
        focus = self.focus
        remaining = () if focus is None else focus.wanted_outcomes
        notes = [
            f"{heading(outcome)} cannot be learnt yet: {problem}; {self._consequence(outcome)}."
            for outcome, problem in self.problems.items()
        ]
        if focus is None:
            notes.append("nothing that is wanted can be learnt yet; the batch fills the space.")
        elif self.problems:
            names = ", ".join(heading(objective.outcome) for objective in focus.objectives)
            notes.append(f"the search goes by {names}.")
        if len(remaining) > 1 and any(self.counts[name] > self.n_complete for name in remaining):
            counts = ", ".join(f"{heading(name)} on {self.counts[name]}" for name in remaining)
            notes.append(
                f"measured: {counts} runs, all that is wanted on {self.n_complete}; each is learnt "
                "from its own runs."
            )
        return notes

    def _consequence(self, outcome: str) -> str:
        rules = [f"'{c}'" for c in self.campaign.constraints if outcome in c.terms]
        parts = []
        if any(objective.outcome == outcome for objective in self.campaign.objectives):
            parts.append("as an objective it does not count in this batch")
        if rules:
            parts.append(
                f"the constraint {' and '.join(rules)} does not count in this batch"
                + (" either" if parts else "")
            )
        return ", ".join(parts)


def unpredicted(history: History, predicted: Sequence[str]) -> list[str]:
    """Say why outcomes that are wanted, or were measured, are not among those predicted."""
    campaign = history.campaign
    names = [
        name
        for name in campaign.outcomes
        if name in campaign.wanted_outcomes or any(name in run.outcomes for run in history.finished)
    ]
    problems = assess(history, names).problems
    return [
        f"{campaign.heading(name)} is not predicted: {problems[name]}."
        for name in names
        if name not in predicted and name in problems
    ]


def assess(history: History, outcomes: Sequence[str] | None = None) -> Learnable:
    """Look at what the finished runs say of ``outcomes``, by default those that are wanted."""
    campaign, space = history.campaign, Space(history.campaign)
    names = campaign.wanted_outcomes if outcomes is None else outcomes
    counts, problems = {}, {}
    for outcome in names:
        runs = [run for run in history.finished if run.outcomes.get(outcome)]
        counts[outcome] = len(runs)
        values = [value for run in runs for value in run.outcomes[outcome]]
        if len(runs) < 2:
            number = "1 finished run has" if runs else "no finished run has"
            problems[outcome] = f"{number} a value of it, at least 2 are needed"
        elif is_constant(values):
            problems[outcome] = f"it is {values[0]:g} in all of {len(runs)} runs"
        elif len(space.keys(run.conditions for run in runs)) < 2:
            problems[outcome] = f"all {len(runs)} runs with a value of it have the same setting"
    n_complete = sum(all(run.outcomes.get(o) for o in names) for run in history.finished)
    return Learnable(campaign, counts, n_complete, problems)


def is_constant(values: Sequence[float]) -> bool:
    """Whether values are one value, whatever its unit, but for rounding.

    >>> is_constant([1e-15, 2e-15]), is_constant([0.1 + 0.2, 0.3]), is_constant([0.0, 0.0])
    (False, True, True)
    """
    # Halves: the difference of the largest numbers there are is none.
    low, high = min(values) / 2, max(values) / 2
    return high - low <= ROUNDING * float(np.max(np.abs([low, high])))
