"""Another run in place of a proposed one that was rejected.

A replacement is a batch of one run, asked for as the rejected run's own batch was; its request
names the run that it stands in for. What was rejected of that batch is taken for awaited while it
is chosen, so that neither it nor its like come again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from db.records import BatchRecord, ExperimentRecord, ProposalRecord, Status
from db.transaction import Transaction
from engine.campaign import Campaign
from engine.campaign.history import History
from engine.errors import NotFoundError, StateError
from engine.experiments.entries import Entry
from engine.experiments.learning_set import history_from_records
from engine.experiments.record import record_series
from engine.propose.request import ProposeRequest
from engine.workspace import Workspace
from engine.workspace.lookup import find_experiment

_INHERITED = ("strategy", "at", "robust", "fixed", "explore", "replicates")


@dataclass(frozen=True)
class BatchFamily:
    """A batch as it was proposed, and the batches of one run that replaced rejected ones."""

    batch: BatchRecord
    replacements: tuple[BatchRecord, ...]
    proposals: tuple[ProposalRecord, ...]

    @property
    def replaced(self) -> dict[int, int]:
        """The run that each replaced run gave way to."""
        runs = {p.batch_id: p.experiment_id for p in self.proposals}
        return {int(b.request["replaces"]): runs[b.id] for b in self.replacements}


def family_of(tx: Transaction, batch: BatchRecord) -> BatchFamily:
    """Return a batch with its replacements; of a replacement, those of the batch it belongs to.

    A replacement comes right after the run that it stands in for.
    """
    batches = tx.batches.all_of(batch.campaign_id)
    stand_ins = {int(b.request["replaces"]): b for b in batches if b.request.get("replaces")}
    by_id = {b.id: b for b in batches}
    while batch.request.get("replaces"):
        run = tx.experiments.get(int(batch.request["replaces"]))
        assert run is not None  # noqa: S101 -- checked when the replacement was asked for
        assert run.proposal is not None  # noqa: S101
        batch = by_id[run.proposal.batch_id]
    replacements: list[BatchRecord] = []
    proposals: list[ProposalRecord] = []
    queue = list(reversed(tx.batches.proposals(batch.id)))
    while queue:
        proposal = queue.pop()
        proposals.append(proposal)
        stand_in = stand_ins.get(proposal.experiment_id)
        if stand_in is not None:
            replacements.append(stand_in)
            queue += tx.batches.proposals(stand_in.id)
    return BatchFamily(batch, tuple(replacements), tuple(proposals))


def replacement_request(workspace: Workspace, run: int | str, *, seed: int) -> ProposeRequest:
    """Return the request for a run in place of a rejected one, as its batch was asked for.

    Raises:
        NotFoundError: there is no such run.
        StateError: it was not proposed, is not rejected, or was replaced already.
    """
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        rejected = find_experiment(tx, record, run)
        if rejected.proposal is None:
            raise StateError(f"experiment {rejected.name} was not proposed: nothing replaces it")
        if rejected.status is not Status.ABANDONED:
            raise StateError(
                f"experiment {rejected.name} is {rejected.status}: a run is replaced once it is "
                "rejected"
            )
        batch = tx.batches.get(rejected.proposal.batch_id)
        assert batch is not None  # noqa: S101 -- written with its proposals
        earlier = family_of(tx, batch).replaced.get(rejected.id)
    if earlier is not None:
        raise StateError(f"experiment {rejected.name} was replaced already, by run {earlier}")
    inherited: Mapping[str, Any] = {
        name: batch.request[name] for name in _INHERITED if name in batch.request
    }
    return replace(ProposeRequest(n=1, seed=seed, replaces=rejected.id), **inherited)


def with_rejected(
    tx: Transaction,
    campaign: Campaign,
    history: History,
    request: ProposeRequest,
    watermark: int | None = None,
) -> History:
    """Return the history in which what the replaced run's batch lost is awaited.

    Raises:
        NotFoundError: there is no run of the number that the request replaces.
    """
    if request.replaces is None:
        return history
    rejected = tx.experiments.get(request.replaces)
    if rejected is None or rejected.proposal is None:
        raise NotFoundError(f"there is no proposed run {request.replaces}")
    batch = tx.batches.get(rejected.proposal.batch_id)
    assert batch is not None  # noqa: S101 -- written with its proposals
    ids = [p.experiment_id for p in family_of(tx, batch).proposals]
    runs = tx.experiments.get_all(ids, watermark=watermark)
    lost = [_awaited(run) for run in runs if run.status is Status.ABANDONED]
    awaited = history_from_records(campaign, lost).pending
    return replace(history, pending=(*history.pending, *awaited))


def _awaited(run: ExperimentRecord) -> ExperimentRecord:
    return replace(run, status=Status.PROPOSED, measurements=())


def accept(workspace: Workspace, batch_id: int) -> list[int]:
    """Mark the proposed runs of a batch (replacements, too) as under way, all or none.

    Raises:
        NotFoundError: the campaign has no such batch.
        StateError: none of them is proposed any more.
    """
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        batch = tx.batches.get(batch_id) if 0 < batch_id < 2**63 else None
        if batch is None or batch.campaign_id != record.id:
            raise NotFoundError(f"there is no batch {batch_id} in the campaign '{record.name}'")
        ids = [proposal.experiment_id for proposal in family_of(tx, batch).proposals]
        runs = tx.experiments.get_all(ids)
    proposed = [run.id for run in runs if run.status is Status.PROPOSED]
    if not proposed:
        raise StateError(f"no run of batch {batch_id} is proposed any more: nothing to accept")
    entries = [Entry(experiment=f"id:{id_}", running=True) for id_ in proposed]
    record_series(workspace, entries, detail=f"batch {batch_id} accepted")
    return proposed
