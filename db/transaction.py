"""A transaction: every repository, over one consistent state."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.engine import Connection

from db.records import AuditQuery, ChangeRecord
from db.repository import (
    Answers,
    Batches,
    Campaigns,
    Corrections,
    Curves,
    Designs,
    Embeddings,
    Experiments,
    Leases,
    Measurements,
    Micrographs,
    Models,
    Overviews,
    Previews,
    Refreshes,
    Schedule,
    Sessions,
    Sources,
    Tasks,
    Tokens,
    Users,
)
from db.repository.audit import actors_and_actions, find_changes
from db.repository.scope import Change, Scope
from db.tables import changes


class Transaction:
    """The repositories, over one consistent state. Made by :class:`db.session.Database`."""

    def __init__(
        self,
        connection: Connection,
        change: Change | None = None,
        campaign_id: int | None = None,
    ) -> None:
        self._scope = Scope(connection, change, campaign_id)
        self.campaigns = Campaigns(self._scope)
        self.measurements = Measurements(self._scope)
        self.micrographs = Micrographs(self._scope)
        self.corrections = Corrections(self._scope)
        self.curves = Curves(self._scope)
        self.experiments = Experiments(self._scope)
        self.previews = Previews(self._scope)
        # A batch is written with its experiments and their previews, hence the repositories it is
        # given.
        self.batches = Batches(self._scope, self.experiments, self.previews)
        self.models = Models(self._scope)
        self.overviews = Overviews(self._scope)
        self.designs = Designs(self._scope)
        self.sources = Sources(self._scope)
        self.refreshes = Refreshes(self._scope)
        self.leases = Leases(self._scope)
        self.schedule = Schedule(self._scope)
        self.users = Users(self._scope)
        self.sessions = Sessions(self._scope)
        self.tokens = Tokens(self._scope)
        self.tasks = Tasks(self._scope)
        self.answers = Answers(self._scope)
        self.embeddings = Embeddings(self._scope)

    def note(self) -> None:
        """Write the change itself to the audit trail, though no other row names it."""
        _ = self._scope.change_id

    def watermark(self) -> int:
        """Return the highest change id but the one being written; 0 when there is none."""
        return self._scope.watermark()

    def changes(self, *, limit: int = 50) -> list[ChangeRecord]:
        """Return the audit trail, newest first."""
        return self.find_changes(AuditQuery(limit=limit))

    def find_changes(self, query: AuditQuery) -> list[ChangeRecord]:
        """Return those changes of the audit trail that are looked for, newest first."""
        return find_changes(self._scope.connection, query)

    def actors_and_actions(self) -> tuple[list[str], list[str]]:
        """Return who is in the audit trail, and what was done, each in order."""
        return actors_and_actions(self._scope.connection)

    def has_change(self, action: str, detail: str) -> bool:
        """Whether a change of this kind and detail was ever made."""
        statement = (
            select(changes.c.id)
            .where(changes.c.action == action, changes.c.detail == detail)
            .limit(1)
        )
        return self._scope.connection.execute(statement).first() is not None
