"""Looks at what campaigns refer to: their sources, and runs that are still to be spun."""

from __future__ import annotations

from collections.abc import Iterator

from db.errors import DatabaseError
from db.records import Status
from engine.doctor.findings import Finding, Level
from engine.errors import SpinneretError
from engine.experiments.awaited import excluded_proposals
from engine.sources.databases import require_source
from engine.sources.definition import definition_from
from engine.workspace import Workspace, definition_of


def sources(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look whether what the sources refer to is there; none of their runs are read."""
    with workspace.database.read() as tx:
        records = {
            source.id: source
            for campaign in tx.campaigns.all()
            for source in tx.sources.find(campaign.id)
        }
    bad = 0
    for source in records.values():
        try:
            require_source(workspace, definition_from(source.definition, source.name))
        except (SpinneretError, DatabaseError) as error:
            bad += 1
            yield Finding(
                "sources", Level.WRONG,
                f"'{source.name}': {error.worded('cli')}: put it back in its place, or "
                f"`engine source remove {source.name}` and add it from where it is now",
            )  # fmt: skip
    if records and not bad:
        n = len(records)
        yield Finding("sources", Level.FINE, f"{n}, all where they were" if n > 1 else "1, there")


def proposals(workspace: Workspace, fix: bool, stale_s: float) -> Iterator[Finding]:
    """Look whether runs still to be spun keep to the campaign as it is now."""
    with workspace.database.read() as tx:
        record = tx.campaigns.active()
        if record is None:
            return
        campaign = definition_of(record)
        proposed = tx.experiments.find(record.id, status=[Status.PROPOSED])
    for text in excluded_proposals(campaign, proposed):
        yield Finding("proposals", Level.LOOK, text)
