"""What a revision leaves outside: runs that stay, and proposals that would not be made today."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from db.records import ExperimentRecord, Status
from engine.campaign import Campaign
from engine.campaign.ranges import outside_text
from engine.experiments.importers.runs import outside_the_search

_RUN = (Status.RUNNING, Status.COMPLETED, Status.FAILED)


def excluded_proposals(campaign: Campaign, experiments: Iterable[ExperimentRecord]) -> list[str]:
    """Say which proposed runs the campaign does not search any more, and why, reason by reason."""
    names: dict[str, list[str]] = {}
    for experiment in experiments:
        if experiment.status is Status.PROPOSED:
            for reason in _reasons(campaign, experiment):
                names.setdefault(reason, []).append(experiment.name)
    return [
        f"{'run' if len(runs) == 1 else 'runs'} {', '.join(runs)} "
        f"{'is' if len(runs) == 1 else 'are'} proposed, but {text}: give "
        f"{'it' if len(runs) == 1 else 'them'} up, or make {'it' if len(runs) == 1 else 'them'} "
        "all the same"
        for text, runs in names.items()
    ]


def _reasons(campaign: Campaign, experiment: ExperimentRecord) -> Iterator[str]:
    for parameter in campaign.controlled:
        value = experiment.conditions.get(parameter.name)
        text = None if value is None else outside_text(parameter, value)
        if text is not None:
            number = value if isinstance(value, str) else f"{value:g}"
            yield f"{campaign.heading(parameter.name)} = {number} {text}"
    for constraint in campaign.broken_by(experiment.conditions):
        yield f"{constraint} is not met"
    for exclusion in campaign.exclusions_of(experiment.conditions):
        yield exclusion.message


def runs_left_outside(
    former: Campaign, campaign: Campaign, experiments: Iterable[ExperimentRecord]
) -> list[str]:
    """Say how many runs a revision leaves outside of the search, as far as it is news."""
    rows = [e.conditions for e in experiments if e.status in _RUN]
    consequence = "kept: they count and teach, and are not proposed again"
    former_texts, texts = (
        outside_the_search(c, rows, "run", consequence=consequence) for c in (former, campaign)
    )
    return [text for text in texts if text not in former_texts]
