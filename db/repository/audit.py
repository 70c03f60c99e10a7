"""The audit trail, searched: who did what, when, and which run it was about."""

from __future__ import annotations

from sqlalchemy import or_, select, union
from sqlalchemy.engine import Connection

from db.records import AuditQuery, ChangeRecord
from db.tables import changes
from db.tables import condition_values as v
from db.tables import curve_fits as f
from db.tables import experiments as e
from db.tables import measurements as m
from db.tables import micrographs as p
from db.tables import picture_corrections as k
from db.tables import picture_removals as r
from db.tables import status_changes as s

_COLUMNS = (changes.c.id, changes.c.at, changes.c.actor, changes.c.action, changes.c.detail)


def find_changes(connection: Connection, query: AuditQuery) -> list[ChangeRecord]:
    """Return the changes that are looked for, newest first."""
    statement = select(*_COLUMNS).order_by(changes.c.id.desc()).limit(query.limit)
    if query.before is not None:
        statement = statement.where(changes.c.id < query.before)
    if query.actor is not None:
        statement = statement.where(changes.c.actor == query.actor)
    if query.action is not None:
        statement = statement.where(changes.c.action == query.action)
    if query.since is not None:
        statement = statement.where(changes.c.at >= query.since)
    if query.until is not None:
        statement = statement.where(changes.c.at < query.until)
    if query.experiments is not None:
        ids = list(query.experiments)
        parts = [
            select(t.c.change_id).where(t.c.experiment_id.in_(ids)) for t in (v, m, p, f, s, k)
        ]
        parts.append(select(e.c.change_id).where(e.c.id.in_(ids)))
        parts.append(
            select(r.c.change_id)
            .join(p, p.c.id == r.c.micrograph_id)
            .where(p.c.experiment_id.in_(ids))
        )
        # What leaves no row of its own tells in its detail which run it was about.
        details = [f"experiment {id_}" for id_ in ids]
        statement = statement.where(
            or_(changes.c.id.in_(union(*parts)), changes.c.detail.in_(details))
        )
    return [ChangeRecord(*row) for row in connection.execute(statement)]


def actors_and_actions(connection: Connection) -> tuple[list[str], list[str]]:
    """Return who ever did something, and what was ever done, each in order."""
    actors = select(changes.c.actor).distinct().order_by(changes.c.actor)
    actions = select(changes.c.action).distinct().order_by(changes.c.action)
    return (
        [actor for (actor,) in connection.execute(actors)],
        [action for (action,) in connection.execute(actions)],
    )
