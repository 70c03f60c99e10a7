"""Campaigns, and the audit trail."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class ChangeRecord:
    """One line of the audit trail."""

    id: int
    at: datetime
    actor: str
    action: str
    detail: str | None = None


@dataclass(frozen=True)
class AuditQuery:
    """Which changes are looked for; what is ``None`` does not matter.

    ``before``: only ids below it; ``since`` and ``until``: from this moment on, and before that;
    ``experiments``: those about one of these runs.
    """

    limit: int = 50
    before: int | None = None
    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    experiments: Collection[int] | None = None


@dataclass(frozen=True)
class CampaignRecord:
    """A campaign in its newest (or an asked-for) revision."""

    id: int
    name: str
    revision_id: int
    revision: int
    definition: Mapping[str, Any]
    is_active: bool
    created_at: datetime
    note: str | None = None
    actor: str = ""
