"""What was recorded of one experiment, moment by moment, and at which change it stands."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select, union_all
from sqlalchemy.engine import Connection

from db.records import Stage, TrailRecord, reading
from db.tables import changes
from db.tables import condition_values as v
from db.tables import curve_fits as f
from db.tables import curves as c
from db.tables import measurements as m
from db.tables import micrographs as p
from db.tables import picture_corrections as k
from db.tables import picture_removals as r
from db.tables import status_changes as s


def version_of(connection: Connection, experiment_id: int) -> int:
    """Return the newest change that touched an experiment; 0 if there is no such one."""
    parts = [
        select(func.max(table.c.change_id).label("change_id")).where(
            table.c.experiment_id == experiment_id
        )
        for table in (s, v, m, p, f, r, k)
    ]
    newest = union_all(*parts).subquery("newest")
    newest_id = connection.execute(select(func.max(newest.c.change_id))).scalar_one()
    return int(newest_id or 0)


def trail_of(connection: Connection, experiment_id: int) -> list[TrailRecord]:
    """Return every status, condition as run, fact, measurement and picture, oldest first."""
    entries = [
        TrailRecord(at, actor, change, "status", failure or status, None, 1, note=note)
        for at, actor, change, status, failure, note in connection.execute(
            select(changes.c.at, changes.c.actor, changes.c.id, s.c.status, s.c.failure, s.c.note)
            .join(changes, changes.c.id == s.c.change_id)
            .where(s.c.experiment_id == experiment_id)
            .order_by(s.c.id)
        )
    ]
    entries += [
        TrailRecord(
            at,
            actor,
            change,
            "fact" if stage == Stage.FACT else "condition",
            name,
            text if number is None else number,
            revision,
        )
        for at, actor, change, name, stage, number, text, revision in connection.execute(
            select(
                changes.c.at,
                changes.c.actor,
                changes.c.id,
                v.c.parameter,
                v.c.stage,
                v.c.number,
                v.c.text,
                v.c.revision,
            )
            .join(changes, changes.c.id == v.c.change_id)
            .where(v.c.experiment_id == experiment_id, v.c.stage != Stage.PROPOSED)
        )
    ]
    entries += [
        TrailRecord(
            at,
            actor,
            change,
            "measurement",
            name,
            None if value is None else reading(value, bound, sd, n),
            revision,
            replicate,
            note,
        )
        for (
            at,
            actor,
            change,
            name,
            value,
            revision,
            replicate,
            note,
            bound,
            sd,
            n,
        ) in connection.execute(
            select(
                changes.c.at,
                changes.c.actor,
                changes.c.id,
                m.c.outcome,
                m.c.value,
                m.c.revision,
                m.c.replicate,
                m.c.note,
                m.c.bound,
                m.c.sd,
                m.c.n,
            )
            .join(changes, changes.c.id == m.c.change_id)
            .where(m.c.experiment_id == experiment_id)
        )
    ]
    entries += _curves(connection, experiment_id)
    entries += [
        TrailRecord(at, actor, change, "micrograph", name, "added", 1, id_)
        for at, actor, change, name, id_ in connection.execute(
            select(changes.c.at, changes.c.actor, changes.c.id, p.c.original_name, p.c.id)
            .join(changes, changes.c.id == p.c.change_id)
            .where(p.c.experiment_id == experiment_id)
        )
    ]
    entries += [
        TrailRecord(
            at, actor, change, "micrograph", name, None if removed else "put back", 2, id_, note
        )
        for at, actor, change, name, removed, id_, note in connection.execute(
            select(
                changes.c.at,
                changes.c.actor,
                changes.c.id,
                p.c.original_name,
                r.c.is_removed,
                p.c.id,
                r.c.note,
            )
            .join(p, p.c.id == r.c.micrograph_id)
            .join(changes, changes.c.id == r.c.change_id)
            .where(r.c.experiment_id == experiment_id)
            .order_by(r.c.id)
        )
    ]
    entries += _corrections(connection, experiment_id)
    kinds = ("status", "condition", "fact", "curve", "measurement", "micrograph", "correction")
    return sorted(
        entries, key=lambda r: (r.change_id, kinds.index(r.kind), r.name, r.replicate or 0)
    )


def _corrections(connection: Connection, experiment_id: int) -> list[TrailRecord]:
    statement = (
        select(
            changes.c.at,
            changes.c.actor,
            changes.c.id,
            p.c.original_name,
            k.c.kind,
            k.c.undoes_id,
            k.c.id,
            k.c.note,
        )
        .join(changes, changes.c.id == k.c.change_id)
        .join(p, p.c.id == k.c.micrograph_id)
        .where(k.c.experiment_id == experiment_id)
        .order_by(k.c.id)
    )
    return [
        TrailRecord(
            at,
            actor,
            change,
            "correction",
            name,
            kind if undoes is None else None,
            1 if undoes is None else 2,
            id_ if undoes is None else undoes,
            note,
        )
        for at, actor, change, name, kind, undoes, id_, note in connection.execute(statement)
    ]


def _curves(connection: Connection, experiment_id: int) -> list[TrailRecord]:
    statement = (
        select(
            changes.c.at,
            changes.c.actor,
            changes.c.id,
            c.c.original_name,
            f.c.revision,
            c.c.replicate,
            f.c.definitions,
            f.c.results,
        )
        .join(changes, changes.c.id == f.c.change_id)
        .join(c, c.c.id == f.c.curve_id)
        .where(f.c.experiment_id == experiment_id)
    )
    return [
        TrailRecord(at, actor, change, "curve", name, None, revision, replicate, _reading(*fit))
        for at, actor, change, name, revision, replicate, *fit in connection.execute(statement)
    ]


def _reading(definitions: Mapping[str, str], results: object) -> str:
    if results is None:
        return "taken back"
    return ", ".join(f"{name}: {text}" for name, text in definitions.items())
