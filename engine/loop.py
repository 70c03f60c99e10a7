"""One round of the loop: read what is known, choose, and record it in one transaction.

The same functions serve the command line, the benchmarks' demo and whatever comes later; each takes
an open workspace, and nothing of worth is left in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from db.records import BatchRecord, CampaignRecord, NewProposal
from db.transaction import Transaction
from engine.campaign import Campaign, Value
from engine.campaign.history import History
from engine.compute import limit_threads, loading
from engine.errors import ModelError, NotFoundError, by_voice, marked
from engine.experiments.learning_set import learning_set
from engine.propose.batch_record import (
    differences,
    new_proposal,
    refuse_missing_plugin,
    request_as_json,
    request_from_json,
    versions_of,
)
from engine.propose.replacement import with_rejected
from engine.propose.request import (
    SOURCED_STRATEGIES,
    Forecast,
    ProposeRequest,
    Suggestion,
    SuggestionBatch,
)
from engine.sources.serving_surrogate import folder_of, knowing_folder
from engine.sources.spinning import spins
from engine.workspace import Workspace, definition_of
from engine.workspace.settings import ProposeSettings
from surrogate.progress import Progress, silent

if TYPE_CHECKING:
    from engine.previews.preview import Previews
    from engine.sources.knowledge import Knowledge


_ATTEMPTS = 3  # a person records a result a minute, a batch takes seconds


@dataclass(frozen=True)
class ProposedBatch:
    """A batch as recorded: ids are ``None`` for a dry run.

    ``previews``: one for each suggestion, in their order, or ``None`` where none were drawn;
    ``remarks``: why not, if they should have been.
    """

    campaign: Campaign
    request: ProposeRequest
    batch: SuggestionBatch
    batch_id: int | None
    experiment_ids: tuple[int | None, ...]
    previews: Previews | None = None
    remarks: tuple[str, ...] = ()

    @property
    def numbered(self) -> list[tuple[int | None, Suggestion]]:
        """Experiment ids with their suggestions, in the order to run them."""
        return list(zip(self.experiment_ids, self.batch.suggestions, strict=True))


@dataclass(frozen=True)
class Snapshot:
    """Everything a strategy may look at, and the change it stands at."""

    record: CampaignRecord
    history: History
    watermark: int
    checkpoint: Path | None = None

    @property
    def campaign(self) -> Campaign:
        """The campaign's definition."""
        return self.history.campaign


@dataclass(frozen=True)
class Replayed:
    """A batch computed again from what was known then; no ``differences`` if it is the same."""

    batch_id: int
    campaign: Campaign
    request: ProposeRequest
    batch: SuggestionBatch
    experiment_ids: tuple[int, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True)
class Scored:
    """Candidates, a row each: a forecast of a new measurement, and the rank.

    Rank 1 promises most hypervolume beyond the runs so far. ``notes``: what the user should know.
    """

    campaign: Campaign
    forecasts: tuple[dict[str, Forecast], ...]
    ranks: tuple[int, ...]
    notes: tuple[str, ...]


def propose(
    workspace: Workspace,
    request: ProposeRequest,
    *,
    record: bool = True,
    preview: bool | None = False,
    progress: Progress = silent,
) -> ProposedBatch:
    """Propose the next batch from every result so far, and record it in one transaction.

    If somebody else recorded something meanwhile, the batch is computed again: no setting is
    proposed twice.

    Args:
        workspace: an open workspace.
        request: what is asked.
        record: whether to write it down.
        preview: whether to draw the mats to expect; ``None``: where a generator exists that can.
        progress: called at each part of the work.

    Raises:
        UsageError, ModelError: see :func:`engine.propose.suggest`.
        ModelError: previews were asked for and cannot be drawn.
        DataError: their files cannot be written.
        DatabaseError: the database cannot be written.
    """
    settings = workspace.settings.propose
    workspace = workspace.settled()
    for _ in range(_ATTEMPTS):
        progress("reading the campaign")
        snapshot = read_snapshot(workspace, request)
        batch = compute(
            snapshot.history, request, workspace, settings, progress, checkpoint=snapshot.checkpoint
        )
        drawn, remarks = _previews(
            workspace, snapshot.campaign, batch, request, preview=preview, progress=progress
        )
        batch = _with_reason(workspace, snapshot, batch, preview=preview)
        if not record:
            no_ids = (None,) * len(batch.suggestions)
            return ProposedBatch(
                snapshot.campaign, request, batch, None, no_ids, drawn, tuple(remarks)
            )
        new = [new_proposal(s, settings.level) for s in batch.suggestions]
        if drawn is not None:
            from engine.previews.preview import store_previews

            pictures = store_previews(workspace, drawn)
            new = [
                replace(proposal, preview=picture)
                for proposal, picture in zip(new, pictures, strict=True)
            ]
        written = _record(workspace, snapshot, request, batch, new)
        if written is None:
            progress("something new was recorded: choosing again")
            continue
        recorded, ids = written
        return ProposedBatch(
            snapshot.campaign, request, batch, recorded.id, tuple(ids), drawn, tuple(remarks)
        )
    raise ModelError(
        f"the campaign changed {_ATTEMPTS} times while the batch was being chosen; nothing was "
        f"recorded. {by_voice('Run the command again', 'Ask once more')}."
    )


def _record(
    workspace: Workspace,
    snapshot: Snapshot,
    request: ProposeRequest,
    batch: SuggestionBatch,
    proposals: Sequence[NewProposal],
) -> tuple[BatchRecord, list[int]] | None:
    """Record a batch; ``None`` if anything was recorded since it was begun."""
    settings = workspace.settings.propose

    def work(tx: Transaction) -> tuple[BatchRecord, list[int]] | None:
        if tx.watermark() != snapshot.watermark:
            return None
        return tx.batches.add(
            snapshot.record,
            strategy=batch.strategy,
            seed=request.seed,
            request=request_as_json(request, settings, workspace, batch),
            watermark=snapshot.watermark,
            versions=versions_of(batch),
            proposals=proposals,
        )

    return workspace.database.transact("propose", work)


def _previews(
    workspace: Workspace,
    campaign: Campaign,
    batch: SuggestionBatch,
    request: ProposeRequest,
    *,
    preview: bool | None,
    progress: Progress,
) -> tuple[Previews | None, list[str]]:
    """Draw a batch's previews, or say why there are none although nobody declined them."""
    if preview is False or not batch.suggestions:
        return None, []
    from engine.previews.preview import can_preview, preview_conditions

    if preview is None and not can_preview(workspace, campaign):
        return None, []
    conditions = [{**s.conditions, **s.ambient} for s in batch.suggestions]
    try:
        drawn = preview_conditions(
            workspace,
            conditions,
            seed=request.seed,
            forecasts=[s.outcomes for s in batch.suggestions],
            progress=progress,
            strict=False,
        )
    except ModelError as error:
        if preview:
            raise
        return None, [f"no previews: {marked(error)}"]
    return drawn, []


def _with_reason(
    workspace: Workspace, snapshot: Snapshot, batch: SuggestionBatch, *, preview: bool | None
) -> SuggestionBatch:
    """Note that a campaign that does not spin has no previews, unless that is noted already."""
    match = spins(snapshot.campaign)
    if match.is_spinning or preview is False or any(match.reason in note for note in batch.notes):
        return batch
    from engine.previews.preview import has_generator

    if not has_generator(workspace):
        return batch
    return replace(batch, notes=(*batch.notes, f"no previews: {match.reason}."))


def write_batch_sheet(
    workspace: Workspace, proposed: ProposedBatch, path: Path | None = None
) -> Path | None:
    """Write the contact sheet of a batch; ``None`` for a dry run that names no file.

    Raises:
        DataError: it cannot be written; the batch stands all the same.
    """
    if proposed.previews is None or (path is None and proposed.batch_id is None):
        return None
    from engine.previews.contact_sheet import SheetRow
    from engine.previews.sheet_files import condition_lines, sheets_folder, write_sheet

    path = path or sheets_folder(workspace) / f"batch-{proposed.batch_id}.png"
    rows = [
        SheetRow(
            f"run {'–' if id_ is None else id_}",
            condition_lines(proposed.campaign, suggestion.conditions),
            preview,
        )
        for (id_, suggestion), preview in zip(
            proposed.numbered, proposed.previews.items, strict=True
        )
    ]
    name = "a dry run" if proposed.batch_id is None else f"batch {proposed.batch_id}"
    write_sheet(path, f"What to expect of {name}", proposed.previews, rows)
    return path


def replay(workspace: Workspace, batch_id: int, *, progress: Progress = silent) -> Replayed:
    """Compute a recorded batch again from the data up to its watermark, and compare.

    Raises:
        NotFoundError: there is no such batch.
    """
    with workspace.database.read() as tx:
        batch_record = tx.batches.get(batch_id)
        if batch_record is None:
            batches = [b.id for b in tx.batches.all_of(workspace.active_campaign(tx)[0].id)]
            span = f"batches {batches[0]} to {batches[-1]}" if batches else "no batch yet"
            raise NotFoundError(f"there is no batch {batch_id}; the campaign has {span}")
        refuse_missing_plugin(batch_record)
        record = tx.campaigns.at_revision(batch_record.revision_id)
        campaign = definition_of(record)
        request, settings = request_from_json(batch_record)
        history = learning_set(
            tx, record, campaign, limit=settings.most_runs, watermark=batch_record.watermark
        )
        history = with_rejected(tx, campaign, history, request, batch_record.watermark)
        recorded = [tx.experiments.get(p.experiment_id) for p in tx.batches.proposals(batch_id)]
        checkpoint = _checkpoint_of(workspace, tx, batch_record)
    batch = compute(history, request, workspace, settings, progress, checkpoint=checkpoint)
    recorded_conditions = [dict(e.proposed) for e in recorded if e is not None]
    recomputed = [{**s.conditions, **s.ambient} for s in batch.suggestions]
    return Replayed(
        batch_id,
        campaign,
        request,
        batch,
        tuple(e.id for e in recorded if e is not None),
        tuple(differences(batch_record, recorded_conditions, recomputed)),
    )


def score(
    workspace: Workspace,
    conditions: Sequence[Mapping[str, Value]],
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Scored:
    """Forecast and rank conditions that the user brings (controlled parameters are required).

    Raises:
        ModelError: too few results to learn from.
    """
    snapshot = read_snapshot(workspace)
    limit_threads(workspace.settings.compute.threads)
    progress("fitting and ranking")
    with loading():
        from engine.propose import rank_conditions

    settings = workspace.settings.propose
    knowledge = knowledge_for(snapshot.campaign, settings.strategy, snapshot.checkpoint)
    ranking = rank_conditions(snapshot.history, conditions, settings, seed, knowledge)
    order = sorted(range(len(conditions)), key=lambda row: -ranking.values[row])
    ranks = {row: rank + 1 for rank, row in enumerate(order)}
    return Scored(
        snapshot.campaign,
        ranking.forecasts,
        tuple(ranks[row] for row in range(len(conditions))),
        ranking.notes,
    )


def read_snapshot(workspace: Workspace, request: ProposeRequest | None = None) -> Snapshot:
    """Read the campaign and all its experiments, consistently, as a request looks at them."""
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        checkpoint = knowing_folder(workspace, tx, record.id, campaign)
        limit = workspace.settings.propose.most_runs
        history = learning_set(tx, record, campaign, limit=limit)
        if request is not None:
            history = with_rejected(tx, campaign, history, request)
        return Snapshot(record, history, tx.watermark(), checkpoint)


def knowledge_for(campaign: Campaign, strategy: str, checkpoint: Path | None) -> Knowledge | None:
    """Return what the pretrained surrogate knows of a campaign, if the strategy asks it.

    Raises:
        ModelError: the checkpoint cannot be read.
    """
    if strategy not in SOURCED_STRATEGIES or checkpoint is None:
        return None
    with loading():
        from engine.sources.knowledge import knowledge_of

    return knowledge_of(campaign, checkpoint)


def compute(
    history: History,
    request: ProposeRequest,
    workspace: Workspace,
    settings: ProposeSettings,
    progress: Progress,
    *,
    checkpoint: Path | None = None,
) -> SuggestionBatch:
    """Choose a batch, with the workspace's thread count. Writes nothing.

    ``checkpoint``: the folder of the pretrained surrogate that serves.
    """
    progress("loading the numerical libraries")
    limit_threads(workspace.settings.compute.threads)
    with loading():
        from engine.propose import suggest

    knowledge = knowledge_for(history.campaign, request.strategy, checkpoint)
    progress(f"choosing {request.n} runs")
    return suggest(history, request, settings, knowledge)


def _checkpoint_of(workspace: Workspace, tx: Transaction, record: BatchRecord) -> Path | None:
    digest = record.request.get("surrogate")
    return None if not digest else folder_of(workspace, tx, record.campaign_id, digest)
