"""Campaigns and the revisions of their definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.engine import Row

from db.errors import ConflictError
from db.records import CampaignRecord
from db.repository.scope import Scope
from db.tables import campaign_revisions as r
from db.tables import campaigns as c
from db.tables import changes


class Campaigns:
    """The searches of this database; at most one is active."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def create(
        self,
        name: str,
        definition: Mapping[str, Any],
        *,
        note: str | None = None,
        is_active: bool = True,
    ) -> CampaignRecord:
        """Create a campaign in its first revision and make it the active one.

        Args:
            name: unique in the database.
            definition: plain JSON types (``Campaign.definition()``).
            note: why, for the record.
            is_active: ``False`` leaves another one active, if there is one.

        Raises:
            ConflictError: a campaign of that name exists (raised when the change is written).
        """
        change_id = self._scope.change_id
        is_active = is_active or self.active() is None
        if is_active:
            self._deactivate()
        values = {"name": name, "is_active": is_active, "change_id": change_id}
        statement = insert(c).values(values).returning(c.c.id)
        campaign_id = self._scope.connection.execute(statement).scalar_one()
        return self._add_revision(campaign_id, 1, definition, note)

    def revise(
        self, campaign_id: int, definition: Mapping[str, Any], *, note: str | None = None
    ) -> CampaignRecord:
        """Record a further revision of the definition; earlier ones stay as they were.

        Raises:
            ConflictError: there is no such campaign.
        """
        self._scope.require_campaign(campaign_id)
        newest = select(func.max(r.c.revision)).where(r.c.campaign_id == campaign_id)
        revision = self._scope.connection.execute(newest).scalar_one()
        if revision is None:
            raise ConflictError(f"there is no campaign {campaign_id} to revise")
        return self._add_revision(campaign_id, revision + 1, definition, note)

    def use(self, name: str) -> CampaignRecord:
        """Make a campaign the active one.

        Raises:
            ConflictError: there is no campaign of that name.
        """
        if self.get(name) is None:
            names = ", ".join(record.name for record in self.all()) or "none"
            raise ConflictError(f"there is no campaign '{name}'; known: {names}")
        self._scope.change_id  # noqa: B018 -- the audit trail tells the switch
        self._deactivate()
        self._scope.connection.execute(update(c).where(c.c.name == name).values(is_active=True))
        record = self.get(name)
        assert record is not None  # noqa: S101 -- looked up above, in this transaction
        return record

    def active(self) -> CampaignRecord | None:
        """Return the active campaign in its newest revision."""
        return self._first(_newest().where(c.c.is_active))

    def get(self, name: str) -> CampaignRecord | None:
        """Return the campaign of that name in its newest revision."""
        return self._first(_newest().where(c.c.name == name))

    def by_id(self, campaign_id: int) -> CampaignRecord | None:
        """Return the campaign in its newest revision."""
        return self._first(_newest().where(c.c.id == campaign_id))

    def revisions(self, campaign_id: int) -> list[CampaignRecord]:
        """Return every revision of a campaign, oldest first."""
        statement = _any_revision().where(c.c.id == campaign_id).order_by(r.c.revision)
        return [_record(row) for row in self._scope.connection.execute(statement)]

    def at_revision(self, revision_id: int) -> CampaignRecord:
        """Return the campaign as ``revision_id`` defines it.

        Raises:
            ConflictError: there is no such revision.
        """
        record = self._first(_any_revision().where(r.c.id == revision_id))
        if record is None:
            raise ConflictError(f"there is no campaign revision with the id {revision_id}")
        return record

    def _deactivate(self) -> None:
        self._scope.connection.execute(update(c).where(c.c.is_active).values(is_active=False))

    def _add_revision(
        self, campaign_id: int, revision: int, definition: Mapping[str, Any], note: str | None
    ) -> CampaignRecord:
        values = {
            "campaign_id": campaign_id,
            "revision": revision,
            "definition": dict(definition),
            "note": note,
            "change_id": self._scope.change_id,
        }
        statement = insert(r).values(values).returning(r.c.id)
        return self.at_revision(self._scope.connection.execute(statement).scalar_one())

    def _first(self, statement: Select[*tuple[Any, ...]]) -> CampaignRecord | None:
        row = self._scope.connection.execute(statement).one_or_none()
        return None if row is None else _record(row)

    def all(self) -> list[CampaignRecord]:
        """Return every campaign in its newest revision, in the order of their creation."""
        return [_record(row) for row in self._scope.connection.execute(_newest().order_by(c.c.id))]


def _any_revision() -> Select[*tuple[Any, ...]]:
    return (
        select(
            c.c.id,
            c.c.name,
            r.c.id.label("revision_id"),
            r.c.revision,
            r.c.definition,
            c.c.is_active,
            changes.c.at,
            r.c.note,
            changes.c.actor,
        )
        .join(r, r.c.campaign_id == c.c.id)
        .join(changes, changes.c.id == r.c.change_id)
    )


def _newest() -> Select[*tuple[Any, ...]]:
    siblings = r.alias("same")
    newest = select(func.max(siblings.c.revision)).where(siblings.c.campaign_id == c.c.id)
    return _any_revision().where(r.c.revision == newest.scalar_subquery())


def _record(row: Row[*tuple[Any, ...]]) -> CampaignRecord:
    return CampaignRecord(*row)
