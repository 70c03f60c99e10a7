"""Whole experiments, read set by set: one query a table, however many experiments there are.

A *selection* names the experiments asked for and the status they have, at present or as it stood
at a watermark; every other table is read for that selection. Revisions come in rising order, so
that the newest one known overwrites the others.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, func, select
from sqlalchemy.engine import Connection, Row

from db.records import (
    ExperimentBrief,
    ExperimentRecord,
    MeasurementRecord,
    MicrographRecord,
    Origin,
    ProposalRecord,
    Stage,
    Status,
    Value,
    reading,
)
from db.tables import (
    changes,
    condition_values,
    measurements,
    micrographs,
    picture_removals,
    proposals,
)
from db.tables import experiments as e
from db.tables import status_changes as s

_AnySelect = Select[*tuple[Any, ...]]
_AnyRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True)
class Query:
    """Which experiments to read, and as of when."""

    condition: ColumnElement[bool]
    status: Collection[Status] | None = None
    watermark: int | None = None
    newest: int | None = None


def read_experiments(connection: Connection, query: Query) -> list[ExperimentRecord]:
    """Return the experiments in the order of their ids, with everything known of them."""
    selection = _selection(query)
    proposed, actual, facts = _conditions(connection, selection, query.watermark)
    measured = _measurements(connection, selection, query.watermark)
    pictures = _micrographs(connection, selection, query.watermark)
    reasons = _proposals(connection, selection)
    statement = (
        select(
            e.c.id,
            e.c.campaign_id,
            e.c.revision_id,
            e.c.label,
            e.c.origin,
            selection.c.status,
            selection.c.failure,
            selection.c.note,
            changes.c.at,
            changes.c.actor,
        )
        .join(selection, selection.c.id == e.c.id)
        .join(changes, changes.c.id == e.c.change_id)
        .order_by(e.c.id)
    )
    return [
        ExperimentRecord(
            id=row.id,
            campaign_id=row.campaign_id,
            revision_id=row.revision_id,
            label=row.label,
            origin=Origin(row.origin),
            status=Status(row.status),
            failure=row.failure,
            note=row.note,
            created_at=row.at,
            created_by=row.actor,
            proposed=proposed.get(row.id, {}),
            actual=actual.get(row.id, {}),
            measurements=tuple(measured.get(row.id, ())),
            micrographs=tuple(pictures.get(row.id, ())),
            proposal=reasons.get(row.id),
            facts={name: str(text) for name, text in facts.get(row.id, {}).items()},
        )
        for row in connection.execute(statement)
    ]


def read_briefs(
    connection: Connection, query: Query, outcomes: Sequence[str]
) -> list[ExperimentBrief]:
    """Return the experiments in the order of their ids: status, conditions, means of outcomes."""
    selection = _selection(query)
    proposed, actual, facts = _conditions(connection, selection, query.watermark)
    m = measurements
    later = m.alias("later")
    superseded = select(later.c.supersedes_id).where(later.c.supersedes_id.is_not(None))
    if query.watermark is not None:
        superseded = superseded.where(later.c.change_id <= query.watermark)
    statement: _AnySelect = (
        select(m.c.experiment_id, m.c.outcome, func.avg(m.c.value))
        # `superseded` has no NULL among it: NOT IN would then hold for no row at all.
        .where(
            m.c.outcome.in_(outcomes),
            m.c.id.not_in(superseded),
            m.c.value.is_not(None),
            m.c.bound.is_(None),
        )
        .group_by(m.c.experiment_id, m.c.outcome)
    )
    mean_values: dict[int, dict[str, float]] = defaultdict(dict)
    for id_, outcome, mean in connection.execute(
        _restricted(statement, m, selection, query.watermark)
    ):
        mean_values[id_][outcome] = mean
    chosen = select(selection.c.id, selection.c.status).order_by(selection.c.id)
    return [
        ExperimentBrief(
            id_,
            Status(status),
            {**proposed.get(id_, {}), **actual.get(id_, {})},
            mean_values.get(id_, {}),
            {name: str(text) for name, text in facts.get(id_, {}).items()},
        )
        for id_, status in connection.execute(chosen)
    ]


def _selection(query: Query) -> Subquery:
    statement: _AnySelect
    if query.watermark is None:
        status: ColumnElement[str] = e.c.status
        statement = select(e.c.id, e.c.status, e.c.failure, e.c.note).where(query.condition)
    else:
        status = s.c.status
        # By id, not by time: clocks go back, ids do not.
        newest_changes = (
            select(func.max(s.c.id))
            .join(e, e.c.id == s.c.experiment_id)
            .where(query.condition, s.c.change_id <= query.watermark)
            .group_by(s.c.experiment_id)
        )
        statement = (
            select(e.c.id, s.c.status, s.c.failure, s.c.note)
            .join(s, s.c.experiment_id == e.c.id)
            .where(s.c.id.in_(newest_changes))
        )
    if query.status is not None:
        statement = statement.where(status.in_(list(query.status)))
    if query.newest is not None:
        statement = statement.order_by(e.c.id.desc()).limit(query.newest)
    return statement.subquery("selection")


def _restricted(
    statement: _AnySelect, table: Any, selection: Subquery, watermark: int | None
) -> _AnySelect:
    statement = statement.where(table.c.experiment_id.in_(select(selection.c.id)))
    # Writers commit in the order of their change ids (`db.postgres`), so that this is the state as
    # it was.
    return statement if watermark is None else statement.where(table.c.change_id <= watermark)


_Conditions = dict[int, dict[str, Value]]


def _conditions(
    connection: Connection, selection: Subquery, watermark: int | None
) -> tuple[_Conditions, _Conditions, _Conditions]:
    v = condition_values
    statement = select(v.c.experiment_id, v.c.stage, v.c.parameter, v.c.number, v.c.text)
    statement = statement.order_by(v.c.experiment_id, v.c.parameter, v.c.stage, v.c.revision)
    by_stage: dict[str, _Conditions] = {stage: defaultdict(dict) for stage in Stage}
    for row in connection.execute(_restricted(statement, v, selection, watermark)):
        experiment_id, stage, parameter, number, text = row
        value = text if number is None else number
        if value is None:  # taken back
            by_stage[stage][experiment_id].pop(parameter, None)
        else:
            by_stage[stage][experiment_id][parameter] = value
    return by_stage[Stage.PROPOSED], by_stage[Stage.ACTUAL], by_stage[Stage.FACT]


def select_measurements() -> _AnySelect:
    """Select what :func:`measurement_record` takes."""
    m = measurements
    return select(
        m.c.id,
        m.c.experiment_id,
        m.c.outcome,
        m.c.replicate,
        m.c.revision,
        m.c.value,
        m.c.supersedes_id,
        changes.c.at,
        changes.c.actor,
        m.c.note,
        m.c.bound,
        m.c.sd,
        m.c.n,
    ).join(changes, changes.c.id == m.c.change_id)


def measurement_record(row: _AnyRow) -> MeasurementRecord:
    """Return the record of a row of :func:`select_measurements`."""
    id_, experiment, outcome, replicate, revision, number, *remainder, bound, sd, n = row
    # Without a number it was taken back.
    value = math.nan if number is None else reading(number, bound, sd, n)
    return MeasurementRecord(id_, experiment, outcome, replicate, revision, value, *remainder)


def _measurements(
    connection: Connection, selection: Subquery, watermark: int | None
) -> dict[int, list[MeasurementRecord]]:
    m = measurements
    statement = select_measurements().order_by(
        m.c.experiment_id, m.c.outcome, m.c.replicate, m.c.revision
    )
    by_experiment: dict[int, list[MeasurementRecord]] = defaultdict(list)
    for row in connection.execute(_restricted(statement, m, selection, watermark)):
        record = measurement_record(row)
        records = by_experiment[record.experiment_id]
        # Revisions of a replicate follow one another, so what is superseded is the one just read.
        if records and record.supersedes_id == records[-1].id:
            records.pop()
        records.append(record)
    return {
        # A server may sort words in its own way.
        id_: sorted(
            (record for record in records if not record.is_retraction),
            key=lambda record: (record.outcome, record.replicate),
        )
        for id_, records in by_experiment.items()
    }


def select_micrographs() -> _AnySelect:
    """Select what :func:`micrograph_record` takes."""
    p = micrographs
    return select(
        p.c.id,
        p.c.experiment_id,
        p.c.sha256,
        p.c.path,
        p.c.original_name,
        p.c.width_px,
        p.c.height_px,
        p.c.n_bytes,
        p.c.nm_per_pixel,
        p.c.nm_per_pixel_source,
        p.c.rotation_axis,
        p.c.crop_left,
        p.c.crop_top,
        p.c.crop_right,
        p.c.crop_bottom,
        p.c.statistics,
    )


def not_removed(watermark: int | None = None) -> ColumnElement[bool]:
    """Return the condition that a picture is its run's, by now or as of a watermark."""
    r, later = picture_removals, picture_removals.alias("later")
    superseded = select(later.c.id).where(
        later.c.micrograph_id == r.c.micrograph_id, later.c.id > r.c.id
    )
    removed = select(r.c.micrograph_id).where(r.c.is_removed)
    if watermark is not None:
        superseded = superseded.where(later.c.change_id <= watermark)
        removed = removed.where(r.c.change_id <= watermark)
    return micrographs.c.id.not_in(removed.where(~superseded.exists()))


def micrograph_record(row: _AnyRow) -> MicrographRecord:
    """Return the record of a row of :func:`select_micrographs`."""
    box = (row.crop_left, row.crop_top, row.crop_right, row.crop_bottom)
    return MicrographRecord(
        id=row.id,
        experiment_id=row.experiment_id,
        sha256=row.sha256,
        path=row.path,
        original_name=row.original_name,
        width_px=row.width_px,
        height_px=row.height_px,
        n_bytes=row.n_bytes,
        nm_per_pixel=row.nm_per_pixel,
        nm_per_pixel_source=row.nm_per_pixel_source,
        rotation_axis=row.rotation_axis,
        crop=None if row.crop_left is None else box,
        statistics=row.statistics,
    )


def _micrographs(
    connection: Connection, selection: Subquery, watermark: int | None
) -> dict[int, list[MicrographRecord]]:
    by_experiment: dict[int, list[MicrographRecord]] = defaultdict(list)
    statement = select_micrographs().where(not_removed(watermark)).order_by(micrographs.c.id)
    for row in connection.execute(_restricted(statement, micrographs, selection, watermark)):
        record = micrograph_record(row)
        by_experiment[record.experiment_id].append(record)
    return by_experiment


def select_proposals() -> _AnySelect:
    """Select what :func:`proposal_record` takes."""
    p = proposals
    return select(
        p.c.experiment_id,
        p.c.batch_id,
        p.c.run_order,
        p.c.p_success,
        p.c.reason_kind,
        p.c.reason,
        p.c.nearest_experiment_id,
        p.c.acquisition_value,
    )


def proposal_record(row: _AnyRow) -> ProposalRecord:
    """Return the record of a row of :func:`select_proposals`."""
    return ProposalRecord(*row)


def _proposals(connection: Connection, selection: Subquery) -> dict[int, ProposalRecord]:
    # A proposal is written with its experiment: who sees the one sees the other.
    statement = _restricted(select_proposals(), proposals, selection, None)
    return {row.experiment_id: proposal_record(row) for row in connection.execute(statement)}
