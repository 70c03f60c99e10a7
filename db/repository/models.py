"""Model versions: what was trained, on what, how well it does, and which one serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, select, update

from db.errors import ConflictError
from db.records import ModelKind, ModelStatus, ModelVersionRecord, PromotionRecord
from db.repository.scope import Scope
from db.tables import changes
from db.tables import model_versions as v
from db.tables import promotions as p


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
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        versions: Mapping[str, str] | None = None,
        reason: str | None = None,
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
            config: what it was trained with, plain JSON types.
            seed: of everything drawn at random.
            versions: of the code and the libraries, by name.
            reason: why it serves, if it is the champion.

        Raises:
            ConflictError: a second champion of its kind, or a campaign that does not exist.
        """
        self._scope.require_campaign(campaign_id)
        values = {
            "campaign_id": campaign_id,
            "kind": kind,
            "status": status,
            "parent_id": parent_id,
            "artifact_path": artifact_path,
            "sha256": sha256,
            "watermark": watermark,
            "metrics": dict(metrics),
            "config": None if config is None else dict(config),
            "seed": seed,
            "versions": None if versions is None else dict(versions),
            "change_id": self._scope.change_id,
        }
        statement = insert(v).values(values).returning(v.c.id)
        id_ = self._scope.connection.execute(statement).scalar_one()
        if status == ModelStatus.CHAMPION:
            self._note_serving(campaign_id, kind, id_, reason)
        return id_

    def get(self, id_: int) -> ModelVersionRecord | None:
        """Return a model version by its number."""
        records = self._select(v.c.id == id_)
        return records[0] if records else None

    def champion(self, campaign_id: int, kind: ModelKind) -> ModelVersionRecord | None:
        """Return the version of its kind that a campaign uses, if there is one."""
        records = self._select(_champion(campaign_id, kind))
        return records[0] if records else None

    def promote(self, id_: int, *, reason: str | None = None) -> int | None:
        """Let a version serve; return the id of the one that retired, if any did.

        Raises:
            ConflictError: no such version, or its files were pruned.
        """
        version = self.get(id_)
        if version is None:
            raise ConflictError(f"there is no model version {id_}")
        if version.is_pruned:
            raise ConflictError(f"the files of model version {id_} were pruned; train it again")
        # Before the new one: an index allows one champion of a kind at any moment.
        former = self.retire_champion(version.campaign_id, version.kind)
        self._set(id_, status=ModelStatus.CHAMPION)
        self._note_serving(version.campaign_id, version.kind, id_, reason)
        return former

    def step_down(
        self, campaign_id: int, kind: ModelKind, *, reason: str | None = None
    ) -> int | None:
        """Let what ships with the program serve; return the id of the one that retired, if any."""
        former = self.retire_champion(campaign_id, kind)
        self._note_serving(campaign_id, kind, None, reason)
        return former

    def mark_pruned(self, id_: int) -> None:
        """Say that a version's files are removed on purpose; its row stays.

        Raises:
            ConflictError: it serves.
        """
        version = self.get(id_)
        if version is None or version.status == ModelStatus.CHAMPION:
            raise ConflictError(f"model version {id_} does not exist or is the champion")
        self._set(id_, pruned_change_id=self._scope.change_id)

    def promotions(self, campaign_id: int, kind: ModelKind) -> Sequence[PromotionRecord]:
        """Return what served from when on, oldest first; the last one serves now."""
        statement = (
            select(
                p.c.id,
                p.c.campaign_id,
                p.c.kind,
                p.c.model_version_id,
                p.c.reason,
                changes.c.at,
                changes.c.actor,
            )
            .join(changes, changes.c.id == p.c.change_id)
            .where(p.c.campaign_id == campaign_id, p.c.kind == kind)
            .order_by(p.c.id)
        )
        return [
            PromotionRecord(id_, campaign, ModelKind(its_kind), version, reason, at, by)
            for id_, campaign, its_kind, version, reason, at, by in (
                self._scope.connection.execute(statement)
            )
        ]

    def _note_serving(
        self, campaign_id: int, kind: ModelKind, id_: int | None, reason: str | None
    ) -> None:
        self._scope.require_campaign(campaign_id)
        values = {
            "campaign_id": campaign_id,
            "kind": kind,
            "model_version_id": id_,
            "reason": reason,
            "change_id": self._scope.change_id,
        }
        self._scope.connection.execute(insert(p).values(values))

    def _set(self, id_: int, **values: object) -> None:
        assert self._scope.change_id  # noqa: S101 -- who changed it, and when
        self._scope.connection.execute(update(v).where(v.c.id == id_).values(**values))

    def retire_champion(self, campaign_id: int, kind: ModelKind) -> int | None:
        """Make room for another champion; return the id of the one that retired, if any did."""
        former = self.champion(campaign_id, kind)
        if former is None:
            return None
        self._set(former.id, status=ModelStatus.RETIRED)
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
                v.c.config,
                v.c.seed,
                v.c.versions,
                v.c.pruned_change_id.is_not(None),
            )
            .join(changes, changes.c.id == v.c.change_id)
            .where(condition)
            .order_by(v.c.id)
        )
        return [
            ModelVersionRecord(id_, campaign, ModelKind(kind), ModelStatus(status), *columns)
            for id_, campaign, kind, status, *columns in self._scope.connection.execute(statement)
        ]

    def all_of(self, campaign_id: int) -> list[ModelVersionRecord]:
        """Return a campaign's model versions, oldest first."""
        return self._select(v.c.campaign_id == campaign_id)


def _champion(campaign_id: int, kind: ModelKind) -> ColumnElement[bool]:
    return and_(
        v.c.campaign_id == campaign_id, v.c.kind == kind, v.c.status == ModelStatus.CHAMPION
    )
