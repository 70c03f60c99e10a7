"""Batches, their proposals, and the ledger of predictions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, func, insert, select

from db.records import (
    BatchRecord,
    CampaignRecord,
    NewExperiment,
    NewProposal,
    Origin,
    PredictionRecord,
    ProposalRecord,
    ScoredRecord,
    Status,
)
from db.repository.assembly import proposal_record, select_proposals
from db.repository.experiments import Experiments
from db.repository.previews import Previews
from db.repository.scope import Scope
from db.tables import batches as b
from db.tables import changes, predictions, proposals
from db.tables import experiments as e
from db.tables import measurements as m


class Batches:
    """One batch for each call of ``engine propose``."""

    def __init__(self, scope: Scope, experiments: Experiments, previews: Previews) -> None:
        self._scope = scope
        self._experiments = experiments
        self._previews = previews

    def add(
        self,
        campaign: CampaignRecord,
        *,
        strategy: str,
        seed: int,
        request: Mapping[str, Any],
        watermark: int,
        versions: Mapping[str, str],
        proposals: Sequence[NewProposal],
        model_version_id: int | None = None,
    ) -> tuple[BatchRecord, list[int]]:
        """Record a batch with its experiments (proposed), reasons and predictions.

        Args:
            campaign: in the revision that the proposals are for.
            strategy: the one that led.
            seed: with which it can be replayed.
            request: what was asked, plain JSON types.
            watermark: the change up to which results were known to the strategy.
            versions: of the code and the libraries, by name.
            proposals: in the order in which ids are to be given.
            model_version_id: of the surrogate that led, where it was a stored one.

        Returns:
            The batch, and the experiments' ids in the order of ``proposals``.

        Raises:
            ConflictError: two proposals of one place in the order, or a number that cannot be.
        """
        self._scope.require_campaign(campaign.id)
        batch = {
            "campaign_id": campaign.id,
            "revision_id": campaign.revision_id,
            "strategy": strategy,
            "seed": seed,
            "request": dict(request),
            "watermark": watermark,
            "versions": dict(versions),
            "model_version_id": model_version_id,
            "change_id": self._scope.change_id,
        }
        statement = insert(b).values(batch).returning(b.c.id)
        batch_id = self._scope.connection.execute(statement).scalar_one()
        ids = self._experiments.add(
            campaign,
            [
                NewExperiment(Origin.PROPOSAL, Status.PROPOSED, proposed=proposal.conditions)
                for proposal in proposals
            ],
        )
        self._add_reasons(batch_id, ids, proposals)
        self._add_predictions(batch_id, ids, proposals, model_version_id)
        for id_, proposal in zip(ids, proposals, strict=True):
            if proposal.preview is not None:
                self._previews.add(
                    campaign.id, proposal.preview, experiment_id=id_, batch_id=batch_id
                )
        record = self.get(batch_id)
        assert record is not None  # noqa: S101 -- written above, in this transaction
        return record, ids

    def get(self, batch_id: int) -> BatchRecord | None:
        """Return one batch."""
        records = self._batches(_select_batches().where(b.c.id == batch_id))
        return records[0] if records else None

    def of_change(self, detail: str) -> int | None:
        """Return the newest batch whose change tells this detail, if there is one."""
        statement = (
            select(b.c.id)
            .join(changes, changes.c.id == b.c.change_id)
            .where(changes.c.detail == detail)
            .order_by(b.c.id.desc())
            .limit(1)
        )
        return self._scope.connection.execute(statement).scalar_one_or_none()

    def proposals(self, batch_id: int) -> list[ProposalRecord]:
        """Return a batch's proposals in the order to run them."""
        p = proposals
        statement = select_proposals().where(p.c.batch_id == batch_id).order_by(p.c.run_order)
        return [proposal_record(row) for row in self._scope.connection.execute(statement)]

    def predictions(
        self, campaign_id: int, *, status: Collection[Status] | None = None
    ) -> list[PredictionRecord]:
        """Return the ledger: everything said of a campaign's experiments before they were run.

        With ``status`` only of the experiments that have one of these.
        """
        statement = _select_predictions().join(e, e.c.id == predictions.c.experiment_id)
        if status is not None:
            statement = statement.where(e.c.status.in_(list(status)))
        return self._predictions(statement.where(e.c.campaign_id == campaign_id))

    def scored(self, campaign_id: int) -> list[ScoredRecord]:
        """Return each first prediction beside every current measurement that came after it."""
        p, first, later = predictions, predictions.alias("first"), m.alias("later")
        earliest = (
            select(func.min(first.c.id))
            .where(first.c.experiment_id == p.c.experiment_id, first.c.outcome == p.c.outcome)
            .scalar_subquery()
        )
        statement = (
            select(
                p.c.experiment_id,
                p.c.outcome,
                p.c.mean,
                p.c.lower,
                p.c.upper,
                p.c.level,
                m.c.value,
            )
            .join(e, e.c.id == p.c.experiment_id)
            .join(m, and_(m.c.experiment_id == p.c.experiment_id, m.c.outcome == p.c.outcome))
            .outerjoin(later, later.c.supersedes_id == m.c.id)
            .where(
                e.c.campaign_id == campaign_id,
                e.c.status == Status.COMPLETED,
                later.c.id.is_(None),
                m.c.value.is_not(None),
                m.c.bound.is_(None),
                # The first of each run and outcome: what was said with the result at hand proves
                # nothing.
                p.c.id == earliest,
            )
            .order_by(p.c.experiment_id, p.c.outcome, m.c.replicate)
        )
        return [
            ScoredRecord(id_, outcome, mean, lower, upper, level, value)
            for id_, outcome, mean, lower, upper, level, value in self._scope.connection.execute(
                statement
            )
            if value is not None
        ]

    def predictions_of(self, *experiment_ids: int) -> list[PredictionRecord]:
        """Return what was said of these experiments."""
        return self._predictions(
            _select_predictions().where(predictions.c.experiment_id.in_(experiment_ids))
        )

    def _add_reasons(self, batch_id: int, ids: Sequence[int], new: Sequence[NewProposal]) -> None:
        rows = [
            {
                "experiment_id": id_,
                "batch_id": batch_id,
                "run_order": proposal.order,
                "p_success": proposal.p_success,
                "reason_kind": proposal.reason_kind,
                "reason": proposal.reason,
                "nearest_experiment_id": proposal.nearest_experiment_id,
                "acquisition_value": proposal.acquisition_value,
            }
            for id_, proposal in zip(ids, new, strict=True)
        ]
        if rows:
            self._scope.connection.execute(insert(proposals), rows)

    def _add_predictions(
        self,
        batch_id: int,
        ids: Sequence[int],
        new: Sequence[NewProposal],
        model_version_id: int | None,
    ) -> None:
        rows = [
            {
                "experiment_id": id_,
                "outcome": outcome,
                "batch_id": batch_id,
                "model_version_id": model_version_id,
                "mean": mean,
                "lower": lower,
                "upper": upper,
                "level": proposal.level,
                "change_id": self._scope.change_id,
            }
            for id_, proposal in zip(ids, new, strict=True)
            for outcome, (mean, lower, upper) in proposal.predictions.items()
        ]
        if rows:
            self._scope.connection.execute(insert(predictions), rows)

    def _batches(self, statement: Select[*tuple[Any, ...]]) -> list[BatchRecord]:
        return [BatchRecord(*row) for row in self._scope.connection.execute(statement)]

    def _predictions(self, statement: Select[*tuple[Any, ...]]) -> list[PredictionRecord]:
        rows = self._scope.connection.execute(statement.order_by(predictions.c.id))
        return [PredictionRecord(*row) for row in rows]

    def all_of(self, campaign_id: int) -> list[BatchRecord]:
        """Return a campaign's batches, oldest first."""
        return self._batches(
            _select_batches().where(b.c.campaign_id == campaign_id).order_by(b.c.id)
        )

    def newest(self, campaign_id: int, n: int) -> list[BatchRecord]:
        """Return a campaign's newest batches, newest first."""
        return self._batches(
            _select_batches().where(b.c.campaign_id == campaign_id).order_by(b.c.id.desc()).limit(n)
        )


def _select_batches() -> Select[*tuple[Any, ...]]:
    return select(
        b.c.id,
        b.c.campaign_id,
        b.c.revision_id,
        b.c.strategy,
        b.c.seed,
        b.c.request,
        b.c.watermark,
        b.c.versions,
        changes.c.at,
        changes.c.actor,
        b.c.model_version_id,
    ).join(changes, changes.c.id == b.c.change_id)


def _select_predictions() -> Select[*tuple[Any, ...]]:
    p = predictions
    return select(
        p.c.experiment_id,
        p.c.outcome,
        p.c.mean,
        p.c.lower,
        p.c.upper,
        p.c.level,
        p.c.batch_id,
        p.c.model_version_id,
    )
