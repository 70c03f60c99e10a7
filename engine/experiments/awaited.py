"""Runs that are still to be made although the campaign excludes their settings by now."""

from __future__ import annotations

from collections.abc import Iterable

from db.records import ExperimentRecord, Status
from engine.campaign import Campaign


def excluded_proposals(campaign: Campaign, experiments: Iterable[ExperimentRecord]) -> list[str]:
    """Say which proposed runs lie in an exclusion, exclusion by exclusion."""
    numbers: dict[str, list[int]] = {}
    for experiment in experiments:
        if experiment.status is Status.PROPOSED:
            for exclusion in campaign.exclusions_of(experiment.conditions):
                numbers.setdefault(exclusion.message, []).append(experiment.id)
    return [
        f"{'run' if len(ids) == 1 else 'runs'} {', '.join(map(str, ids))} "
        f"{'is' if len(ids) == 1 else 'are'} proposed, but {text}: give "
        f"{'it' if len(ids) == 1 else 'them'} up, or spin {'it' if len(ids) == 1 else 'them'} "
        "all the same"
        for text, ids in numbers.items()
    ]
