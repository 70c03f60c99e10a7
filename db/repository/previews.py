"""Previews: pictures of the mat to expect, and what they show; the ledger of the generator."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, insert, select

from db.records import NewPreview, PreviewRecord
from db.repository.scope import Scope
from db.tables import changes
from db.tables import previews as p


class Previews:
    """What was drawn of runs before they were made. The files are the caller's to keep."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def add(
        self,
        campaign_id: int,
        preview: NewPreview,
        *,
        experiment_id: int | None = None,
        batch_id: int | None = None,
    ) -> int:
        """Record a preview; return its id.

        Args:
            campaign_id: whose conditions, or whose picture, it was asked for.
            preview: what was drawn; its file is in its place already.
            experiment_id: the run that it is of, if any.
            batch_id: the batch that proposed the run.

        Raises:
            ConflictError: a number that cannot be, or a run that does not exist.
        """
        self._scope.require_campaign(campaign_id)
        values = {
            "campaign_id": campaign_id,
            "experiment_id": experiment_id,
            "batch_id": batch_id,
            "model_version_id": preview.model_version_id,
            "generator": preview.generator,
            "seed": preview.seed,
            "n_pictures": preview.n_pictures,
            "request": dict(preview.request),
            "level": preview.level,
            "statistics": dict(preview.statistics),
            "sha256": preview.sha256,
            "path": preview.path,
            "change_id": self._scope.change_id,
        }
        statement = insert(p).values(values).returning(p.c.id)
        return self._scope.connection.execute(statement).scalar_one()

    def get(self, id_: int) -> PreviewRecord | None:
        """Return a preview by its number."""
        records = self._select(p.c.id == id_)
        return records[0] if records else None

    def of_experiment(self, experiment_id: int) -> list[PreviewRecord]:
        """Return what was drawn of one run, oldest first."""
        return self._select(p.c.experiment_id == experiment_id)

    def _select(self, condition: ColumnElement[bool]) -> list[PreviewRecord]:
        statement = (
            select(
                p.c.id,
                p.c.campaign_id,
                p.c.experiment_id,
                p.c.batch_id,
                p.c.generator,
                p.c.seed,
                p.c.n_pictures,
                p.c.request,
                p.c.level,
                p.c.statistics,
                p.c.sha256,
                p.c.path,
                p.c.model_version_id,
                changes.c.at,
                changes.c.actor,
            )
            .join(changes, changes.c.id == p.c.change_id)
            .where(condition)
            .order_by(p.c.id)
        )
        return [_record(tuple(row)) for row in self._scope.connection.execute(statement)]

    def all_of(self, campaign_id: int) -> list[PreviewRecord]:
        """Return a campaign's previews, oldest first."""
        return self._select(p.c.campaign_id == campaign_id)


def _record(row: tuple[Any, ...]) -> PreviewRecord:
    id_, campaign_id, experiment_id, batch_id, *drawn = row
    at, actor = drawn.pop(-2), drawn.pop()
    return PreviewRecord(id_, campaign_id, experiment_id, batch_id, NewPreview(*drawn), at, actor)
