"""The audit trail, and campaigns with the revisions of their definitions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Named,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from db.tables.common import WithChange, WithId, check, metadata
from db.types import Json, UtcDateTime


class ChangeColumns(WithId):
    """Who did what, when."""

    at: Named[datetime] = Column(UtcDateTime)
    actor: Named[str] = Column(String)
    action: Named[str] = Column(String)
    detail: Named[str | None] = Column(Text)


class CampaignColumns(WithChange):
    """One search."""

    name: Named[str] = Column(String, unique=True)
    is_active: Named[bool] = Column(Boolean(create_constraint=True, name="is_active"))


class CampaignRevisionColumns(WithChange):
    """A campaign's definition, as JSON."""

    campaign_id: Named[int] = Column(ForeignKey("campaigns.id"))
    revision: Named[int]
    definition: Named[Any] = Column(Json, nullable=False)
    note: Named[str | None] = Column(Text)


changes = Table("changes", metadata, ChangeColumns)


campaigns = Table("campaigns", metadata, CampaignColumns)


# The migrations restrict partial indexes on PostgreSQL too; to say so here would import its dialect
# at every start.
Index(
    "uq_campaigns_active",
    campaigns.c.is_active,
    unique=True,
    sqlite_where=text("is_active"),
)


campaign_revisions = Table(
    "campaign_revisions",
    metadata,
    CampaignRevisionColumns,
    UniqueConstraint("campaign_id", "revision"),
    UniqueConstraint("campaign_id", "id"),
    check("revision_positive", "revision >= 1"),
)
