"""Batches: what one call chose, as recorded (API) and as computed (``engine propose``)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import AliasPath, Field

from db.records import Status
from engine.documents import Document, Moment, Value
from engine.documents.experiments import PredictionOut
from engine.documents.predictions import ForecastOut
from engine.documents.retrieval import PreviewOut
from engine.errors import NotFoundError

if TYPE_CHECKING:
    from db.records import (
        BatchRecord,
        CampaignRecord,
        ExperimentRecord,
        PredictionRecord,
        ProposalRecord,
    )
    from db.transaction import Transaction
    from engine.loop import ProposedBatch


class ProposedOut(Document):
    """One proposed run: why, and what to expect."""

    experiment: int
    order: int
    status: Status
    conditions: dict[str, Value]
    p_success: float
    reason_kind: str
    reason: str
    nearest: int | None
    predictions: tuple[PredictionOut, ...]

    @classmethod
    def build(
        cls,
        proposal: ProposalRecord,
        run: ExperimentRecord,
        predictions: Iterable[PredictionRecord],
    ) -> Self:
        """Return a proposal with its run and what was said of it."""
        return cls(
            experiment=run.id,
            order=proposal.order,
            status=run.status,
            conditions=dict(run.proposed),
            p_success=proposal.p_success,
            reason_kind=proposal.reason_kind,
            reason=proposal.reason,
            nearest=proposal.nearest_experiment_id,
            predictions=tuple(map(PredictionOut.model_validate, predictions)),
        )


class BatchBriefOut(Document):
    """What one call chose, without its runs."""

    batch: int = Field(validation_alias="id")
    strategy: str
    seed: int
    watermark: int
    created_at: Moment
    created_by: str
    request: dict[str, Any]


class BatchOut(BatchBriefOut):
    """What one call chose, in the order to run it."""

    proposals: tuple[ProposedOut, ...] = ()

    @classmethod
    def build(cls, batch: BatchRecord, proposals: Iterable[ProposedOut]) -> Self:
        """Return a batch with its runs."""
        return cls.model_validate(batch).model_copy(update={"proposals": tuple(proposals)})


def recorded_batch(tx: Transaction, campaign: CampaignRecord, batch_id: int) -> BatchOut:
    """Return a batch as it is recorded, with its runs as they stand now.

    Raises:
        NotFoundError: the campaign has no such batch.
    """
    # Larger is no id: the drivers refuse it in words of their own.
    batch = tx.batches.get(batch_id) if batch_id < 2**63 else None
    if batch is None or batch.campaign_id != campaign.id:
        raise NotFoundError(f"there is no batch {batch_id} in the campaign '{campaign.name}'")
    items = []
    for proposal in tx.batches.proposals(batch_id):
        run = tx.experiments.get(proposal.experiment_id)
        assert run is not None  # noqa: S101 -- written with its proposal
        items.append(ProposedOut.build(proposal, run, tx.batches.predictions_of(run.id)))
    return BatchOut.build(batch, items)


class BatchesOut(Document):
    """A page of batches, newest first, without their runs."""

    items: tuple[BatchBriefOut, ...]
    next: int | None


class SuggestionOut(Document):
    """One run of a batch as it was computed; ``experiment`` is ``null`` for a dry run."""

    experiment: int | None = None
    order: int
    conditions: dict[str, Value]
    ambient: dict[str, float]
    outcomes: dict[str, ForecastOut]
    p_success: float
    reason_kind: str
    reason: str
    nearest: int | None = Field(default=None, validation_alias=AliasPath("nearest", "id"))
    acquisition_value: float | None


class DrawnSuggestionOut(SuggestionOut):
    """A run of which pictures were drawn."""

    preview: PreviewOut


class SourceShareOut(Document):
    """What a source contributed: how far it is trusted, its weight by outcome."""

    name: str
    trust: float
    used: bool
    weights: dict[str, float]


class _Learnt(Document):
    learnt: int = Field(validation_alias="n_learnt")
    left_out: int = Field(validation_alias="n_left_out")


class ProposedBatchOut(Document):
    """A batch as it was computed, with what it rests on."""

    batch: int | None
    campaign: str
    seed: int
    strategy: str
    notes: tuple[str, ...]
    runs: _Learnt
    seconds: dict[str, float]
    surrogate: str | None
    sources: tuple[SourceShareOut, ...]
    beliefs: dict[str, dict[str, float]]
    generator: str | None
    sheet: str | None
    proposals: tuple[DrawnSuggestionOut | SuggestionOut, ...]

    @classmethod
    def build(cls, proposed: ProposedBatch, sheet: Path | None = None) -> Self:
        """Return a batch; ``sheet``: the contact sheet of its previews."""
        batch, previews = proposed.batch, proposed.previews
        suggestions = [
            SuggestionOut.model_validate(suggestion).model_copy(update={"experiment": id_})
            for id_, suggestion in proposed.numbered
        ]
        if previews is not None:
            suggestions = [
                DrawnSuggestionOut(**dict(suggestion), preview=PreviewOut.build(preview))
                for suggestion, preview in zip(suggestions, previews.items, strict=True)
            ]
        return cls(
            batch=proposed.batch_id,
            campaign=proposed.campaign.name,
            seed=proposed.request.seed,
            strategy=batch.strategy,
            notes=batch.notes,
            runs=_Learnt.model_validate(batch),
            seconds=dict(batch.seconds),
            surrogate=batch.surrogate,
            sources=tuple(map(SourceShareOut.model_validate, batch.sources)),
            beliefs={outcome: dict(shares) for outcome, shares in batch.beliefs.items()},
            generator=None if previews is None else previews.generator,
            sheet=None if sheet is None else str(sheet),
            proposals=tuple(suggestions),
        )
