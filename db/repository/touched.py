"""What one change recorded of experiments, and what was there before: what an undoing restores."""

from __future__ import annotations

import re
from collections.abc import Collection

from sqlalchemy import exists, func, or_, select
from sqlalchemy.engine import Connection

from db.records import ChangeRecord, Stage, Status, TouchedRecord, reading
from db.repository.corrections import corrections_of, current_of, place_of
from db.repository.curves import content_of, fits_of
from db.tables import changes
from db.tables import condition_values as v
from db.tables import curve_fits as f
from db.tables import experiments as e
from db.tables import measurements as m
from db.tables import micrographs as p
from db.tables import picture_corrections as k
from db.tables import picture_removals as r
from db.tables import status_changes as s

UNDO = "undo"
"""The action of a change that undoes another; its detail is ``change N``."""


_KINDS = {Stage.ACTUAL: "condition", Stage.FACT: "fact"}


def touched_by(connection: Connection, change_id: int) -> list[TouchedRecord]:
    """Return what a change recorded, experiment by experiment."""
    return [
        *_measurements(connection, change_id),
        *_conditions(connection, change_id),
        *_micrographs(connection, change_id),
        *_curves(connection, change_id),
        *_corrections(connection, change_id),
        *_statuses(connection, change_id),
    ]


def _measurements(connection: Connection, change_id: int) -> list[TouchedRecord]:
    former, later = m.alias("former"), m.alias("later")
    newest = (
        select(later.c.value)
        .where(*(later.c[name] == m.c[name] for name in ("experiment_id", "outcome", "replicate")))
        .order_by(later.c.revision.desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = (
        select(
            m.c.experiment_id,
            m.c.outcome,
            m.c.replicate,
            m.c.value,
            newest,
            former.c.value,
            former.c.bound,
            former.c.sd,
            former.c.n,
        )
        .outerjoin(former, former.c.id == m.c.supersedes_id)
        .where(m.c.change_id == change_id)
        .order_by(m.c.id)
    )
    return [
        TouchedRecord(
            id_,
            "measurement",
            outcome,
            replicate,
            None if former_value is None else reading(former_value, *extras),
            newest_value == value,
        )
        for (
            id_,
            outcome,
            replicate,
            value,
            newest_value,
            former_value,
            *extras,
        ) in connection.execute(statement)
    ]


def _conditions(connection: Connection, change_id: int) -> list[TouchedRecord]:
    statement = select(v.c.experiment_id, v.c.parameter, v.c.stage, v.c.revision).where(
        v.c.change_id == change_id, v.c.stage != Stage.PROPOSED
    )
    records = []
    for id_, name, stage, revision in connection.execute(statement).all():
        values = connection.execute(
            select(v.c.revision, v.c.number, v.c.text)
            .where(v.c.experiment_id == id_, v.c.parameter == name, v.c.stage == stage)
            .order_by(v.c.revision)
        )
        by_revision = {n: text if number is None else number for n, number, text in values}
        is_current = by_revision[max(by_revision)] == by_revision[revision]
        former = by_revision.get(revision - 1)
        records.append(TouchedRecord(id_, _KINDS[Stage(stage)], name, None, former, is_current))
    return records


def _micrographs(connection: Connection, change_id: int) -> list[TouchedRecord]:
    added = select(p.c.experiment_id, p.c.original_name, p.c.id).where(p.c.change_id == change_id)
    records = [
        TouchedRecord(id_, "micrograph", name, picture, None, not _is_removed(connection, picture))
        for id_, name, picture in connection.execute(added).all()
    ]
    moved = (
        select(r.c.experiment_id, p.c.original_name, p.c.id, r.c.is_removed)
        .join(p, p.c.id == r.c.micrograph_id)
        .where(r.c.change_id == change_id)
    )
    return records + [
        TouchedRecord(
            id_,
            "micrograph",
            name,
            picture,
            bool(is_removed),
            _is_removed(connection, picture) == is_removed,
        )
        for id_, name, picture, is_removed in connection.execute(moved).all()
    ]


def _is_removed(connection: Connection, micrograph_id: int) -> bool:
    newest = select(r.c.is_removed).where(r.c.micrograph_id == micrograph_id)
    newest = newest.order_by(r.c.id.desc()).limit(1)
    return bool(connection.execute(newest).scalar_one_or_none())


def _curves(connection: Connection, change_id: int) -> list[TouchedRecord]:
    statement = select(f.c.experiment_id, f.c.curve_id, func.min(f.c.revision))
    statement = statement.where(f.c.change_id == change_id)
    records = []
    for id_, curve_id, revision in connection.execute(
        statement.group_by(f.c.experiment_id, f.c.curve_id).order_by(f.c.curve_id)
    ).all():
        fits = fits_of(connection, curve_id)
        former = next((fit for fit in fits if fit.revision == revision - 1), None)
        last = [fit for fit in fits if fit.change_id == change_id][-1]
        # By what it says, not by its number: an undoing repeats an earlier reading.
        is_current = content_of(fits[-1]) == content_of(last)
        records.append(TouchedRecord(id_, "curve", f"curve {curve_id}", None, former, is_current))
    return records


def _corrections(connection: Connection, change_id: int) -> list[TouchedRecord]:
    pictures = select(k.c.micrograph_id).where(k.c.change_id == change_id).distinct()
    records = []
    for picture in connection.execute(pictures.order_by(k.c.micrograph_id)).scalars().all():
        rows = corrections_of(connection, picture)
        by_id = {row.id: row for row in rows}
        # By what it says, not by its number: an undoing makes an earlier correction again.
        counting = {place_of(row): row.id for row in current_of(rows)}
        for row in rows:
            if row.change_id != change_id:
                continue
            former = None if row.undoes_id is None else by_id[row.undoes_id]
            number = counting.get(place_of(row))
            records.append(
                TouchedRecord(
                    row.experiment_id,
                    "correction",
                    f"correction {row.undoes_id or row.id}",
                    number if former is None else row.id,
                    former,
                    (number is None) == (former is not None),
                )
            )
    return records


def _statuses(connection: Connection, change_id: int) -> list[TouchedRecord]:
    # A change may write several: its note, then its status. What counts is what was before all.
    statement = (
        select(s.c.experiment_id, func.max(s.c.id))
        .where(s.c.change_id == change_id)
        .group_by(s.c.experiment_id)
    )
    records = []
    for id_, last in connection.execute(statement).all():
        rows = connection.execute(
            select(s.c.id, s.c.change_id, s.c.status, s.c.failure, s.c.note)
            .where(s.c.experiment_id == id_)
            .order_by(s.c.id)
        ).all()
        states = {row.id: (row.status, row.failure, row.note) for row in rows}
        is_current = states[rows[-1].id] == states[last]
        earlier = [row for row in rows if row.change_id < change_id]
        state = None
        if earlier:
            status, failure, note = states[earlier[-1].id]
            state = (Status(status), failure, note)
        records.append(TouchedRecord(id_, "status", "status", None, state, is_current))
    return records


def last_change_of(
    connection: Connection, actor: str, campaign_id: int, without: Collection[int]
) -> ChangeRecord | None:
    """Return somebody's newest change of a campaign's experiments that undid nothing itself."""
    its = select(e.c.id).where(e.c.campaign_id == campaign_id)
    statement = (
        select(changes.c.id, changes.c.at, changes.c.actor, changes.c.action, changes.c.detail)
        .where(
            changes.c.actor == actor,
            changes.c.action != UNDO,
            changes.c.id.not_in(without),
            or_(
                *(
                    exists().where(
                        table.c.change_id == changes.c.id, table.c.experiment_id.in_(its)
                    )
                    for table in (s, v, m, p, f, r, k)
                )
            ),
        )
        .order_by(changes.c.id.desc())
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else ChangeRecord(*row)


def undone_by(connection: Connection, actor: str) -> set[int]:
    """Return the changes that somebody's undoings name."""
    statement = select(changes.c.detail).where(changes.c.actor == actor, changes.c.action == UNDO)
    numbers = (
        re.match(r"change (\d+)", detail or "")
        for detail in connection.execute(statement).scalars()
    )
    return {int(number[1]) for number in numbers if number is not None}
