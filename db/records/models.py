"""Models: versions, which of them served, trainings, sources to pretrain on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ModelKind(StrEnum):
    """What a model is for."""

    SURROGATE = "surrogate"
    GENERATOR = "generator"


class ModelStatus(StrEnum):
    """Where a model version stands: ``candidate → champion → retired``, or ``rejected``."""

    CANDIDATE = "candidate"
    CHAMPION = "champion"
    RETIRED = "retired"
    REJECTED = "rejected"


class RefreshOutcome(StrEnum):
    """What came of a training."""

    RUNNING = "running"
    PROMOTED = "promoted"
    REJECTED = "rejected"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_verdict(self) -> bool:
        """Whether the training came to an end and was judged."""
        return self in (RefreshOutcome.PROMOTED, RefreshOutcome.REJECTED)


class SourceKind(StrEnum):
    """What a source is: where its runs are read from."""

    CAMPAIGN = "campaign"
    DATABASE = "database"
    TABLE = "table"
    MATMCL = "matmcl"
    SIMULATED = "simulated"


@dataclass(frozen=True)
class ModelVersionRecord:
    """A trained model: its file, what it was trained on, how well it does.

    ``config``, ``seed`` and ``versions`` are what it can be rebuilt from (versions recorded before
    there were such columns have none); ``is_pruned``: its files were removed on purpose.
    """

    id: int
    campaign_id: int
    kind: ModelKind
    status: ModelStatus
    parent_id: int | None
    artifact_path: str
    sha256: str
    watermark: int
    metrics: Mapping[str, Any]
    created_at: datetime
    created_by: str
    config: Mapping[str, Any] | None = None
    seed: int | None = None
    versions: Mapping[str, str] | None = None
    is_pruned: bool = False


@dataclass(frozen=True)
class PromotionRecord:
    """A version that began to serve; ``model_version_id`` is ``None`` for the starter."""

    id: int
    campaign_id: int
    kind: ModelKind
    model_version_id: int | None
    reason: str | None
    at: datetime
    by: str


@dataclass(frozen=True)
class RefreshRunRecord:
    """One training: why it began, when, and what came of it.

    ``watermark``: the change up to which results were known to it; ``report``: plain JSON.
    """

    id: int
    campaign_id: int
    trigger: str
    started_at: datetime
    finished_at: datetime | None
    outcome: RefreshOutcome
    log: str | None
    model_version_id: int | None
    kind: ModelKind = ModelKind.SURROGATE
    watermark: int | None = None
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class SourceRecord:
    """A reference to runs made elsewhere; ``campaign_id`` is ``None`` where it serves all.

    ``fingerprint`` is the SHA-256 of what was read when the source was added.
    """

    id: int
    campaign_id: int | None
    name: str
    kind: SourceKind
    definition: Mapping[str, Any]
    fingerprint: str
    created_at: datetime
    created_by: str
