"""Sources: what models are pretrained on besides the campaign's own runs. References, no copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, or_, select, update

from db.errors import ConflictError
from db.records import SourceKind, SourceRecord
from db.repository.scope import Scope
from db.tables import changes
from db.tables import sources as s


class Sources:
    """The sources of a campaign, and those that serve every campaign."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def add(
        self,
        campaign_id: int | None,
        *,
        name: str,
        kind: SourceKind,
        definition: Mapping[str, Any],
        fingerprint: str,
    ) -> SourceRecord:
        """Record a source.

        Args:
            campaign_id: the campaign it serves; ``None``: every one.
            name: unlike the other sources in use there.
            kind: where its runs are read from.
            definition: what it takes to read them again, plain JSON types.
            fingerprint: SHA-256 of what was read, 64 hexadecimal digits.

        Raises:
            ConflictError: a source of that name is in use there.
        """
        homonyms = and_(s.c.name == name, s.c.removed_change_id.is_(None))
        if campaign_id is not None:  # one of all campaigns must not clash with any of theirs
            homonyms = and_(homonyms, _serves(campaign_id))
        for former in self._select(homonyms):
            raise ConflictError(
                f"a source '{name}' exists already ({former.kind})",
                mend="choose another name, or take that one away first: `engine source remove "
                f"{name}`",
            )
        values = {
            "campaign_id": campaign_id,
            "name": name,
            "kind": kind,
            "definition": dict(definition),
            "fingerprint": fingerprint,
            "change_id": self._scope.change_id,
        }
        statement = insert(s).values(values).returning(s.c.id)
        id_ = self._scope.connection.execute(statement).scalar_one()
        return next(record for record in self._select(s.c.id == id_))

    def remove(self, id_: int) -> None:
        """Take a source out of use; its row stays for what was trained on it.

        Raises:
            ConflictError: no such source is in use.
        """
        in_use = and_(s.c.id == id_, s.c.removed_change_id.is_(None))
        if not self._select(in_use):
            raise ConflictError(f"there is no source {id_} in use")
        values = {"removed_change_id": self._scope.change_id}
        self._scope.connection.execute(update(s).where(in_use).values(values))

    def _select(self, condition: ColumnElement[bool]) -> list[SourceRecord]:
        statement = (
            select(
                s.c.id,
                s.c.campaign_id,
                s.c.name,
                s.c.kind,
                s.c.definition,
                s.c.fingerprint,
                changes.c.at,
                changes.c.actor,
            )
            .join(changes, changes.c.id == s.c.change_id)
            .where(condition)
            .order_by(s.c.id)
        )
        return [
            SourceRecord(id_, campaign, name, SourceKind(kind), *columns)
            for id_, campaign, name, kind, *columns in self._scope.connection.execute(statement)
        ]

    def find(self, campaign_id: int | None, *, watermark: int | None = None) -> list[SourceRecord]:
        """Return the sources in use, oldest first.

        Args:
            campaign_id: those of this campaign and those of all; ``None``: the latter only.
            watermark: as they were at that change; now, where not given.
        """
        in_use: ColumnElement[bool] = s.c.removed_change_id.is_(None)
        if watermark is not None:
            in_use = and_(
                s.c.change_id <= watermark, or_(in_use, s.c.removed_change_id > watermark)
            )
        return self._select(and_(_serves(campaign_id), in_use))


def _serves(campaign_id: int | None) -> ColumnElement[bool]:
    of_all = s.c.campaign_id.is_(None)
    return of_all if campaign_id is None else or_(of_all, s.c.campaign_id == campaign_id)
