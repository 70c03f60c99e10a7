"""What a benchmark's search is for: ``fracture_strength.longitudinal,elongation.longitudinal``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.campaign import Campaign, Objective
from engine.errors import UsageError, field, nearest_name
from engine.workspace.settings import parse_campaign

GOALS = {
    "min": "minimize",
    "minimize": "minimize",
    "max": "maximize",
    "maximize": "maximize",
    "target": "target",
}

Threshold = Callable[[str, str], float]
"""(outcome, goal) → the threshold to take where neither the words nor the campaign name one."""


def with_objectives(
    campaign: Campaign,
    objectives: Sequence[str],
    constraints: Sequence[str],
    default_threshold: Threshold,
) -> Campaign:
    """Return ``campaign`` with the objectives and outcome constraints of the command's words.

    An objective is ``outcome``, ``outcome:min``, ``outcome:max:8.5`` with its threshold, or
    ``outcome:target:300:20`` with the value to hit and its tolerance. Words left out come from the
    campaign's own objective of that outcome; no words at all leave all of the campaign's
    objectives. Constraints (``elastic_modulus.longitudinal >= 0.2``) add to its own.

    Raises:
        UsageError: an unknown outcome or goal, or a threshold that is no number.
    """
    changes: dict[str, Any] = {}
    if objectives:
        parsed = [_objective(word, campaign, default_threshold) for word in objectives]
        changes["objectives"] = [objective.model_dump() for objective in parsed]
    if constraints:
        changes["constraints"] = [*map(str, campaign.constraints), *constraints]
    if not changes:
        return campaign
    return parse_campaign(
        {**campaign.definition(), **changes}, f"{field('objectives')} and {field('constraint')}"
    )


def without_limits(campaign: Campaign) -> Campaign:
    """Return ``campaign`` with every parameter as easy to change as the others."""
    definition = campaign.definition()
    for parameter in definition["parameters"]:
        parameter.pop("hard_to_change", None)
        parameter.pop("max_distinct", None)
    return Campaign(**definition)


def _objective(word: str, campaign: Campaign, default_threshold: Threshold) -> Objective:
    outcome, *details = (part.strip() for part in word.split(":"))
    if outcome not in campaign.outcomes:
        raise UsageError(
            f"unknown outcome '{outcome}'.{nearest_name(outcome, campaign.outcomes)} "
            f"Known: {', '.join(campaign.outcomes)}",
            field="objectives",
        )
    default = {objective.outcome: objective for objective in campaign.objectives}.get(outcome)
    goal = _goal(details[0], word) if details else (default.goal if default else "maximize")
    if goal == "target":
        return _target(outcome, details[1:], word, default)
    if len(details) > 1:
        threshold = _number(details[1], word)
    elif default is not None and default.goal == goal and default.threshold is not None:
        threshold = default.threshold
    else:
        threshold = default_threshold(outcome, goal)
    return Objective(outcome=outcome, goal=goal, threshold=threshold)


def _target(
    outcome: str, numbers: Sequence[str], word: str, default: Objective | None
) -> Objective:
    if not numbers and default is not None and default.goal == "target":
        return default
    if len(numbers) != 2:
        raise UsageError(
            "expected the value to hit and its tolerance, such as outcome:target:300:20, got "
            f"'{word}'",
            field="objectives",
        )
    target, tolerance = (_number(text, word) for text in numbers)
    if not tolerance > 0:
        raise UsageError(f"expected a tolerance above 0, got '{word}'", field="objectives")
    return Objective(outcome=outcome, goal="target", target=target, tolerance=tolerance)


def _goal(text: str, word: str) -> str:
    if text not in GOALS:
        raise UsageError(
            "expected outcome:min or outcome:max, or outcome:target:300:20, got "
            f"'{word}'{nearest_name(text, GOALS)}",
            field="objectives",
        )
    return GOALS[text]


def _number(text: str, word: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            "expected a number as threshold, target and tolerance, such as "
            f"outcome:max:8.5 or outcome:target:300:20, got '{word}'",
            field="objectives",
        ) from None
