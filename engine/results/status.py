"""``engine status``: where the active campaign stands, in plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass

from db.records import CampaignRecord, ExperimentRecord, Limit, MeanRecord, Status
from engine.campaign import Campaign, Objective
from engine.results.designs import Design, Expected, best_designs, goal_of
from engine.workspace import Workspace


@dataclass(frozen=True)
class Best:
    """The best of one objective so far: the setting with the best mean of all its specimens.

    Settings known to break a constraint do not count. ``n_beyond``: runs beyond the threshold.
    """

    objective: Objective
    design: Design | None
    n_beyond: int

    @property
    def measured(self) -> MeanRecord | None:
        """The specimens of the best setting, in a few numbers."""
        return None if self.design is None else self.design.means[self.objective.outcome]

    @property
    def value(self) -> float | None:
        """Their mean."""
        return None if self.measured is None else self.measured.mean

    @property
    def experiment(self) -> int | None:
        """The newest run of the setting."""
        return None if self.design is None else self.design.runs[-1]

    @property
    def expected(self) -> Expected | None:
        """What a model expects of the setting."""
        return None if self.design is None else self.design.expected.get(self.objective.outcome)


@dataclass(frozen=True)
class CampaignStatus:
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


def campaign_status(workspace: Workspace, *, n_latest: int = 5) -> CampaignStatus:
    """Read where the active campaign stands.

    Raises:
        NotFoundError: no campaign is active.
    """
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        counts = tx.experiments.count(record.id)
        pending = tx.experiments.find(record.id, status=[s for s in Status if s.is_pending])
        summary = tx.overviews.compute(
            record.id, [goal_of(o) for o in campaign.objectives], _limits(campaign)
        )
        newest = tx.overviews.latest(record.id, n_latest)
        by_id = {run.id: run for run in tx.experiments.get_all(newest)}
        best = best_designs(tx, record, campaign, n=1, has_front=False).ranked
    return CampaignStatus(
        record=record,
        campaign=campaign,
        counts=counts,
        pending=tuple(pending),
        latest=tuple(by_id[id_] for id_ in newest),
        best=tuple(
            Best(objective, next(iter(best[objective.outcome]), None), n_beyond)
            for objective, n_beyond in zip(campaign.objectives, summary.n_beyond, strict=True)
        ),
        n_beyond_all=summary.n_beyond_all,
        n_breaking=summary.n_breaking,
    )


def mean_of(experiment: ExperimentRecord, outcome: str) -> float | None:
    """Return the mean of an outcome's replicates, ``None`` where it was not measured."""
    values = experiment.replicates().get(outcome, ())
    return sum(values) / len(values) if values else None


def _limits(campaign: Campaign) -> list[Limit]:
    return [Limit(c.terms, *c.range()) for c in campaign.constraints]
