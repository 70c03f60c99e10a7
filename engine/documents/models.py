"""Trained models: versions, what serves, trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from db.records import ModelKind, ModelStatus, RefreshOutcome
from engine.documents import Document, Moment

if TYPE_CHECKING:
    from engine.registry.versions import ModelEntry


class ModelOut(Document):
    """A trained model."""

    model: int = Field(validation_alias="id")
    kind: ModelKind
    status: ModelStatus
    parent: int | None = Field(validation_alias="parent_id")
    watermark: int
    sha256: str
    metrics: dict[str, Any]
    created_at: Moment
    created_by: str


class ModelsOut(Document):
    """Every version, newest first."""

    items: tuple[ModelOut, ...]


class ServedOut(Document):
    """What serves now, and what served before; ``null``: what ships with the program."""

    kind: ModelKind
    champion: int | None = Field(validation_alias="now_id")
    retired: int | None = Field(validation_alias="former_id")
    notes: tuple[str, ...]


class PromotionOut(Document):
    """When a version began to serve, and why."""

    at: Moment
    by: str
    reason: str | None


class _Version(Document):
    model: int = Field(validation_alias="id")
    kind: ModelKind
    status: ModelStatus
    parent: int | None = Field(validation_alias="parent_id")
    artifact: str = Field(validation_alias="artifact_path")
    sha256: str
    watermark: int
    created_at: Moment
    created_by: str
    metrics: dict[str, Any]
    config: dict[str, Any] | None
    seed: int | None
    versions: dict[str, str] | None


class ModelEntryOut(_Version):
    """A version with what it can be rebuilt from, the state of its files, and when it served."""

    files: str = ""
    problems: tuple[str, ...] = ()
    refresh: int | None = None
    served: tuple[PromotionOut, ...] = ()

    @classmethod
    def build(cls, entry: ModelEntry, files: str) -> Self:
        """Return a version; ``files``: sound, altered or gone, or pruned."""
        return cls(
            **dict(_Version.model_validate(entry.version)),
            files=files,
            problems=entry.problems,
            refresh=None if entry.refresh is None else entry.refresh.id,
            served=tuple(map(PromotionOut.model_validate, entry.served)),
        )


class PrunedOut(Document):
    """Versions whose files were removed, or would be."""

    models: tuple[int, ...] = Field(validation_alias="ids")
    bytes: int = Field(validation_alias="n_bytes")
    dry_run: bool = Field(validation_alias="is_dry_run")


class PretrainedOut(Document):
    """A surrogate that was trained on every source, and serves."""

    model: int = Field(validation_alias="model_id")
    artifact: str
    sha256: str
    watermark: int
    retired: int | None = Field(validation_alias="former_id")
    metrics: dict[str, Any]
    notes: tuple[str, ...]


class RefreshedOut(Document):
    """What came of a refresh."""

    refresh: int = Field(validation_alias="refresh_id")
    kind: ModelKind
    mode: str
    outcome: RefreshOutcome
    why: str = Field(validation_alias="reason")
    model: int | None = Field(validation_alias="model_id")
    retired: int | None = Field(validation_alias="former_id")
    artifact: str | None
    report: dict[str, Any]
    notes: tuple[str, ...]
