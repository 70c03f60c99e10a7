"""``engine status``: where the active campaign stands, in plain frozen data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.records import CampaignRecord, ExperimentRecord, Status
from engine.campaign import Campaign, Objective
from engine.workspace import Workspace


@dataclass(frozen=True)
class Best:
    """The best value of one objective so far: the mean of a completed run's replicates.

    Runs known to break a constraint do not count.
    """

    objective: Objective
    value: float | None
    experiment: ExperimentRecord | None
    n_beyond: int

    @property
    def is_beyond(self) -> bool:
        """Whether the best value is on the right side of the threshold."""
        return self.n_beyond > 0


@dataclass(frozen=True)
class Standing:
    """Everything that ``engine status`` shows.

    ``pending`` in the order of their ids, ``latest`` by their newest result, newest first;
    ``n_beyond_all`` counts completed runs on the right side of every threshold; ``n_breaking``
    those known to break a constraint, which count nowhere else.
    """

    record: CampaignRecord
    campaign: Campaign
    counts: dict[Status, int]
    pending: tuple[ExperimentRecord, ...]
    latest: tuple[ExperimentRecord, ...]
    best: tuple[Best, ...]
    n_beyond_all: int
    n_breaking: int = 0


def standing(workspace: Workspace, *, n_latest: int = 5) -> Standing:
    """Read where the active campaign stands.

    Raises:
        NotFoundError: no campaign is active.
    """
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        experiments = tx.experiments.list(record.id)
        counts = tx.experiments.count(record.id)
    finished = [e for e in experiments if e.status is Status.COMPLETED and e.measurements]
    sound = [e for e in finished if not _breaks_a_constraint(e, campaign)]
    beyond = [{e.id for e in sound if _is_beyond(e, o)} for o in campaign.objectives]
    newest = sorted(finished, key=lambda e: (_newest_result(e), e.id), reverse=True)
    return Standing(
        record=record,
        campaign=campaign,
        counts=counts,
        pending=tuple(e for e in experiments if e.status.is_pending),
        latest=tuple(newest[:n_latest]),
        best=tuple(
            _best(sound, objective, len(ids))
            for objective, ids in zip(campaign.objectives, beyond, strict=True)
        ),
        n_beyond_all=len(set.intersection(*beyond)),
        n_breaking=len(finished) - len(sound),
    )


def mean_of(experiment: ExperimentRecord, outcome: str) -> float | None:
    """Return the mean of an outcome's replicates, ``None`` where it was not measured."""
    values = [m.value for m in experiment.measurements if m.outcome == outcome]
    return sum(values) / len(values) if values else None


def _breaks_a_constraint(experiment: ExperimentRecord, campaign: Campaign) -> bool:
    """Whether a constrained outcome was measured, and its mean is on the wrong side."""
    for constraint in campaign.constraints:
        means = {name: mean_of(experiment, name) for name in constraint.terms}
        known = {name: mean for name, mean in means.items() if mean is not None}
        if len(known) == len(means) and not constraint.is_met(known):
            return True
    return False


def _newest_result(experiment: ExperimentRecord) -> datetime:
    return max(measurement.recorded_at for measurement in experiment.measurements)


def _is_beyond(experiment: ExperimentRecord, objective: Objective) -> bool:
    mean = mean_of(experiment, objective.outcome)
    return mean is not None and objective.sign * (mean - objective.threshold) > 0


def _best(runs: Sequence[ExperimentRecord], objective: Objective, n_beyond: int) -> Best:
    means = [(mean_of(experiment, objective.outcome), experiment) for experiment in runs]
    measured = [(objective.sign * mean, e) for mean, e in means if mean is not None]
    if not measured:
        return Best(objective, None, None, 0)
    value, experiment = max(measured, key=lambda pair: pair[0])
    return Best(objective, objective.sign * value, experiment, n_beyond)
