"""Runs from outside of what is searched today: facts all the same, and what to say of them.

A choice can no longer be had, bounds were narrowed, a table came from elsewhere. Such runs teach
the model and count in the front; where the best lies among them it is said, as no batch can repeat
it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.campaign import Campaign
from engine.campaign.front import front_mask
from engine.campaign.history import History, Run
from engine.campaign.numbers import written
from engine.campaign.ranges import outside_text
from engine.propose.space import Space

_MOST_NAMED = 3


def notes_on_outside(space: Space, history: History) -> list[str]:
    """Say which runs of the front, and which awaited runs, are outside of today's search."""
    return [*_front(space, history), *_pending(space, history)]


def _outside(space: Space, runs: Sequence[Run]) -> list[Run]:
    if not runs:
        return []
    is_searched = space.is_searched(space.settings_of([run.conditions for run in runs]))
    return [run for run, is_in in zip(runs, is_searched, strict=True) if not is_in]


def _front(space: Space, history: History) -> list[str]:
    campaign = history.campaign
    names = [objective.outcome for objective in campaign.objectives]
    outsiders = {id(run) for run in _outside(space, history.finished)}
    if not outsiders:
        return []
    runs = [run for run in history.finished if _may_count(campaign, run)]
    averages = [[_mean(run, name) for name in names] for run in runs]
    values = np.array(averages, dtype=float).reshape(-1, len(names))
    on_front = [
        run
        for run, is_on in zip(runs, front_mask(values, campaign.objectives), strict=True)
        if is_on
    ]
    beyond_reach = [run for run in on_front if id(run) in outsiders]
    if not beyond_reach:
        return []
    n = len(beyond_reach)
    listed = "; ".join(
        f"{run.name}{_bests(campaign, run, on_front)}, {_reason(campaign, run)}"
        for run in beyond_reach[:_MOST_NAMED]
    )
    remainder = f"; and {n - _MOST_NAMED} more" if n > _MOST_NAMED else ""
    return [
        f"{n} of the {len(on_front)} {'run' if len(on_front) == 1 else 'runs'} on the front "
        f"{'is' if n == 1 else 'are'} outside of what is searched today ({listed}{remainder}): "
        f"{'it counts' if n == 1 else 'they count'}, and {'is' if n == 1 else 'are'} out of reach."
    ]


def _pending(space: Space, history: History) -> list[str]:
    return [
        f"{run.name} is awaited, but {_reason(history.campaign, run)}: give it up, or spin it all "
        "the same."
        for run in _outside(space, history.pending)[:_MOST_NAMED]
    ]


def _may_count(campaign: Campaign, run: Run) -> bool:
    """Whether a run breaks no outcome constraint, as far as it was measured."""
    averages = {name: _mean(run, name) for name in run.outcomes}
    return all(
        c.is_met(averages) for c in campaign.constraints if c.terms.keys() <= averages.keys()
    )


def _mean(run: Run, outcome: str) -> float:
    values = run.outcomes.get(outcome)
    return float(np.mean(values)) if values else float("nan")


def _bests(campaign: Campaign, run: Run, front: Sequence[Run]) -> str:
    """Say in which objectives a run of the front is the best of it."""
    best = []
    for objective in campaign.objectives:
        gains = {id(r): float(objective.gains(_mean(r, objective.outcome))) for r in front}
        if gains[id(run)] == max(gains.values()):
            value = (
                f"{written(_mean(run, objective.outcome), 4)} {campaign.unit_of(objective.outcome)}"
            )
            best.append(f"{objective.outcome} {value}".rstrip())
    return f" with the best {' and '.join(best)}" if best else ""


def _reason(campaign: Campaign, run: Run) -> str:
    reasons = []
    for parameter in campaign.controlled:
        value = run.conditions.get(parameter.name)
        text = None if value is None else outside_text(parameter, value)
        if value is not None and text is not None:
            number = value if isinstance(value, str) else f"{value:g}"
            reasons.append(f"{campaign.heading(parameter.name)} = {number} {text}")
    return " and ".join(reasons)
