"""The active campaign as it stands when a refresh begins: read once, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from db.records import CampaignRecord, ExperimentRecord, ModelKind
from db.transaction import Transaction
from engine.campaign import Campaign
from engine.campaign.history import History
from engine.experiments.learning_set import history_from_records, learnable
from engine.refresh.due import Due, due
from engine.refresh.request import RefreshRequest
from engine.registry.serving_version import Serving, serving
from engine.workspace import Workspace


@dataclass(frozen=True)
class Snapshot:
    """The campaign as it stands when a refresh begins.

    ``experiments``: what is looked at; ``n_left_out`` finished ones of a large campaign are not.
    """

    record: CampaignRecord
    campaign: Campaign
    experiments: tuple[ExperimentRecord, ...]
    watermark: int
    due: Due
    serving: Serving
    sources: tuple[str, ...]
    n_left_out: int = 0

    @property
    def history(self) -> History:
        """What strategies would see."""
        return history_from_records(self.campaign, self.experiments)


def take_snapshot(workspace: Workspace, tx: Transaction, request: RefreshRequest) -> Snapshot:
    """Read the active campaign as it stands.

    Raises:
        NotFoundError: no campaign is active.
    """
    record, campaign = workspace.active_campaign(tx)
    limit, n_left_out = workspace.settings.propose.most_runs, 0
    if request.kind is ModelKind.GENERATOR:
        # A generator learns from pictures alone.
        experiments = list(tx.experiments.get_all(tx.experiments.pictured(record.id, newest=limit)))
    else:
        experiments, n_left_out = learnable(tx, record, campaign, limit=limit)
    return Snapshot(
        record,
        campaign,
        tuple(experiments),
        tx.watermark(),
        due(tx, record.id, workspace.settings.refresh, request.kind),
        serving(workspace.data_dir, tx, record.id, request.kind),
        tuple(source.name for source in tx.sources.find(record.id)),
        n_left_out,
    )
