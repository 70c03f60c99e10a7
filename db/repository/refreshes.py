"""Refresh runs: when and why a model was trained, what came of it, and what is new since."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, distinct, func, insert, select, update

from db.errors import ConflictError
from db.records import ModelKind, RefreshOutcome, RefreshRunRecord
from db.repository.scope import Scope
from db.tables import experiments, measurements, micrographs
from db.tables import refresh_runs as r


class Refreshes:
    """Trainings of a campaign's models, one row each."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def start(
        self, campaign_id: int, *, kind: ModelKind, trigger: str, watermark: int, at: datetime
    ) -> int:
        """Record that a training begins; return its id.

        Args:
            campaign_id: whose model.
            kind: surrogate or generator.
            trigger: why, a word or two: ``"by hand"``, ``"min_new_results"``.
            watermark: the change up to which results are known to it.
            at: now.
        """
        self._scope.require_campaign(campaign_id)
        values = {
            "campaign_id": campaign_id,
            "kind": kind,
            "trigger": trigger,
            "watermark": watermark,
            "started_at": at,
            "outcome": RefreshOutcome.RUNNING,
            "change_id": self._scope.change_id,
        }
        statement = insert(r).values(values).returning(r.c.id)
        return self._scope.connection.execute(statement).scalar_one()

    def finish(
        self,
        id_: int,
        outcome: RefreshOutcome,
        *,
        at: datetime,
        log: str | None = None,
        model_version_id: int | None = None,
        report: Mapping[str, Any] | None = None,
    ) -> None:
        """Record what came of a training.

        Args:
            id_: as :meth:`start` gave it.
            outcome: anything but ``RUNNING``.
            at: now; not before it began, even where the clock was set back.
            log: in a sentence or more.
            model_version_id: the version that it made, if it made one.
            report: the numbers behind the outcome, plain JSON types.

        Raises:
            ConflictError: there is no such training, or it ended already.
        """
        run = self.get(id_)
        if run is None or run.outcome is not RefreshOutcome.RUNNING:
            state = "does not exist" if run is None else f"has ended already ({run.outcome})"
            raise ConflictError(f"refresh {id_} {state}")
        assert self._scope.change_id  # noqa: S101 -- who ended it, and when
        values = {
            "outcome": outcome,
            # A CHECK would refuse an end before the beginning.
            "finished_at": max(at, run.started_at),
            "log": log,
            "model_version_id": model_version_id,
            "report": None if report is None else dict(report),
        }
        self._scope.connection.execute(update(r).where(r.c.id == id_).values(values))

    def get(self, id_: int) -> RefreshRunRecord | None:
        """Return a training by its number."""
        runs = self._select(r.c.id == id_)
        return runs[0] if runs else None

    def running(self, campaign_id: int | None = None) -> tuple[RefreshRunRecord, ...]:
        """Return those that began and did not end: running now, or their process is gone."""
        condition: ColumnElement[bool] = r.c.outcome == RefreshOutcome.RUNNING
        if campaign_id is not None:
            condition = and_(condition, r.c.campaign_id == campaign_id)
        return tuple(self._select(condition))

    def n_new(self, campaign_id: int, watermark: int) -> tuple[int, int]:
        """Return how many experiments got results, and how many micrographs came, since then."""

        def count(column: ColumnElement[Any], change: ColumnElement[int], owner: Any) -> int:
            statement = (
                select(func.count(distinct(column)))
                .join(experiments, experiments.c.id == owner)
                .where(change > watermark, experiments.c.campaign_id == campaign_id)
            )
            return int(self._scope.connection.execute(statement).scalar_one())

        m, p = measurements.c, micrographs.c
        return (
            count(m.experiment_id, m.change_id, m.experiment_id),
            count(p.id, p.change_id, p.experiment_id),
        )

    def _select(
        self, condition: ColumnElement[bool], limit: int | None = None
    ) -> list[RefreshRunRecord]:
        statement = (
            select(
                r.c.id,
                r.c.campaign_id,
                r.c.trigger,
                r.c.started_at,
                r.c.finished_at,
                r.c.outcome,
                r.c.log,
                r.c.model_version_id,
                r.c.kind,
                r.c.watermark,
                r.c.report,
            )
            .where(condition)
            .order_by(r.c.id.desc())
            .limit(limit)
        )
        return [
            RefreshRunRecord(
                id_, campaign, trigger, start, end, RefreshOutcome(outcome), log, version,
                ModelKind(kind), *columns,
            )
            for id_, campaign, trigger, start, end, outcome, log, version, kind, *columns in (
                self._scope.connection.execute(statement)
            )
        ]  # fmt: skip

    def find(
        self, campaign_id: int, kind: ModelKind | None = None, *, limit: int | None = None
    ) -> list[RefreshRunRecord]:
        """Return a campaign's trainings, newest first."""
        condition: ColumnElement[bool] = r.c.campaign_id == campaign_id
        if kind is not None:
            condition = and_(condition, r.c.kind == kind)
        return self._select(condition, limit)
