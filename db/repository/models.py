"""Model versions: what was trained, on what, and how well it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, select, update

from db.models import changes
from db.models import model_versions as v
from db.records import ModelKind, ModelStatus, ModelVersionRecord
from db.repository.scope import Scope


class Models:
    """The trained surrogates and generators; at most one champion of a kind in a campaign."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def add(
        self,
        campaign_id: int,
        *,
        kind: ModelKind,
        artifact_path: str,
        sha256: str,
        watermark: int,
        metrics: Mapping[str, Any],
        status: ModelStatus = ModelStatus.CANDIDATE,
        parent_id: int | None = None,
    ) -> int:
        """Register a trained model; return its id.

        Args:
            campaign_id: what it was trained for.
            kind: surrogate or generator.
            artifact_path: its file, relative to the data folder.
            sha256: of the file's bytes, 64 hexadecimal digits.
            watermark: the change up to which results were known to the training.
            metrics: how well it does, plain JSON types.
            status: a candidate, unless it is known to be the champion.
            parent_id: the version that it was trained on from.

        Raises:
            ConflictError: a second champion of its kind, or a campaign that does not exist.
        """
        values = {
            "campaign_id": campaign_id,
            "kind": kind,
            "status": status,
            "parent_id": parent_id,
            "artifact_path": artifact_path,
            "sha256": sha256,
            "watermark": watermark,
            "metrics": dict(metrics),
            "change_id": self._scope.change_id,
        }
        statement = insert(v).values(values).returning(v.c.id)
        return self._scope.connection.execute(statement).scalar_one()

    def get(self, id_: int) -> ModelVersionRecord | None:
        """Return a model version by its number."""
        found = self._select(v.c.id == id_)
        return found[0] if found else None

    def champion(self, campaign_id: int, kind: ModelKind) -> ModelVersionRecord | None:
        """Return the version of its kind that a campaign uses, if there is one."""
        found = self._select(_champion(campaign_id, kind))
        return found[0] if found else None

    def retire_champion(self, campaign_id: int, kind: ModelKind) -> int | None:
        """Make room for another champion; return the id of the one that retired, if any did."""
        former = self.champion(campaign_id, kind)
        if former is None:
            return None
        assert self._scope.change_id  # noqa: S101 -- who retired it, and when
        statement = update(v).where(v.c.id == former.id).values(status=ModelStatus.RETIRED)
        self._scope.connection.execute(statement)
        return former.id

    def _select(self, condition: ColumnElement[bool]) -> list[ModelVersionRecord]:
        statement = (
            select(
                v.c.id,
                v.c.campaign_id,
                v.c.kind,
                v.c.status,
                v.c.parent_id,
                v.c.artifact_path,
                v.c.sha256,
                v.c.watermark,
                v.c.metrics,
                changes.c.at,
                changes.c.actor,
            )
            .join(changes, changes.c.id == v.c.change_id)
            .where(condition)
            .order_by(v.c.id)
        )
        return [
            ModelVersionRecord(id_, campaign, ModelKind(kind), ModelStatus(status), *rest)
            for id_, campaign, kind, status, *rest in self._scope.connection.execute(statement)
        ]

    # Last in its class: below it, annotations would take `list` for this method.
    def list(self, campaign_id: int) -> list[ModelVersionRecord]:
        """Return a campaign's model versions, oldest first."""
        return self._select(v.c.campaign_id == campaign_id)


def _champion(campaign_id: int, kind: ModelKind) -> ColumnElement[bool]:
    return and_(
        v.c.campaign_id == campaign_id, v.c.kind == kind, v.c.status == ModelStatus.CHAMPION
    )
