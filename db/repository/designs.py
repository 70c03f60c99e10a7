"""Designs: runs of equal settings together, their specimens pooled by the database itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)

from db.records import DesignRecord, Goal, MeanRecord, Stage, Status, Value
from db.repository.overview import gain_of, usable
from db.repository.scope import Scope
from db.tables import condition_values as v
from db.tables import experiments as e
from db.tables import measurements as m

_REVISION = 1_000_000
"""Added to a revision, so that as text the newest is the greatest."""

_VALUE_AT = len(str(_REVISION)) + 1
"""Where, counted from 1, the value stands behind its revision."""


class Designs:
    """What was spun, setting by setting, however often."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def pooled(
        self,
        campaign_id: int,
        parameters: Mapping[str, Value | None],
        outcomes: Sequence[str],
        *,
        excluded: Sequence[int] = (),
    ) -> list[DesignRecord]:
        """Return the completed experiments by their settings, those with any of ``outcomes``.

        Args:
            campaign_id: whose.
            parameters: what makes a setting, with the value that stands where none is recorded.
            outcomes: whose specimens are pooled.
            excluded: ids of experiments that are left out.
        """
        designs = _pooled(campaign_id, parameters, outcomes, excluded).cte("designs")
        rows = self._scope.connection.execute(select(designs).order_by(designs.c.first))
        return [_record(row, outcomes) for row in rows]

    def best(
        self,
        campaign_id: int,
        parameters: Mapping[str, Value | None],
        outcomes: Sequence[str],
        goals: Sequence[Goal],
        n: int,
    ) -> list[list[DesignRecord]]:
        """Return the best ``n`` by each goal, the best first: few, however many there are."""
        designs = _pooled(campaign_id, parameters, outcomes, ()).cte("designs")
        # It is asked once for each goal.
        designs = designs.prefix_with("MATERIALIZED")
        parts = []
        for place, goal in enumerate(goals):
            gain = gain_of(goal, designs.c[f"mean{list(outcomes).index(goal.outcome)}"])
            part = select(literal(place).label("goal"), gain.label("gain"), designs)
            part = part.where(gain.is_not(None)).order_by(gain.desc(), designs.c.first).limit(n)
            parts.append(select(part.subquery()))
        statement = union_all(*parts)
        rows = self._scope.connection.execute(statement).all()
        rows = sorted(rows, key=lambda row: (row.goal, -row.gain, row.first))
        return [
            [_record(row[2:], outcomes) for row in rows if row.goal == place]
            for place in range(len(goals))
        ]


def _record(row: Sequence[Any], outcomes: Sequence[str]) -> DesignRecord:
    first, ids, *sums = row
    runs = tuple(sorted(map(int, ids.split(","))))
    parts = zip(outcomes, zip(*[iter(sums)] * 5, strict=True), strict=True)
    return DesignRecord(
        runs,
        {
            outcome: MeanRecord(first, outcome, mean, square, lowest, highest, int(n))
            for outcome, (n, mean, square, lowest, highest) in parts
            if n
        },
    )


def _pooled(
    campaign_id: int,
    parameters: Mapping[str, Value | None],
    outcomes: Sequence[str],
    excluded: Sequence[int],
) -> Select[*tuple[Any, ...]]:
    keys = _keys(parameters)
    runs = _sums(outcomes)
    columns: list[ColumnElement[Any]] = []
    for i in range(len(outcomes)):
        n = func.sum(runs.c[f"n{i}"])
        columns += [
            n.label(f"n{i}"),
            (func.sum(runs.c[f"sum{i}"]) / func.nullif(n, 0)).label(f"mean{i}"),
            (func.sum(runs.c[f"square{i}"]) / func.nullif(n, 0)).label(f"square{i}"),
            func.min(runs.c[f"lowest{i}"]).label(f"lowest{i}"),
            func.max(runs.c[f"highest{i}"]).label(f"highest{i}"),
        ]
    ids = func.aggregate_strings(cast(e.c.id, String), ",")
    statement = (
        select(func.min(e.c.id).label("first"), ids.label("ids"), *columns)
        .join(runs, runs.c.id == e.c.id)
        .where(
            e.c.campaign_id == campaign_id,
            e.c.status == Status.COMPLETED,
            # Written out: a server takes some 32,000 values at most.
            e.c.id.not_in(
                bindparam("excluded", list(excluded), expanding=True, literal_execute=True)
            ),
        )
    )
    if keys is None:
        return statement.having(func.count() > 0)
    values = [keys.c[f"key{i}"] for i in range(len(parameters))]
    return statement.outerjoin(keys, keys.c.id == e.c.id).group_by(*values)


def _sums(outcomes: Sequence[str]) -> Any:
    """Select, of each experiment with any of the outcomes, what its specimens add up to."""
    columns: list[ColumnElement[Any]] = []
    for i, outcome in enumerate(outcomes):
        value = case((m.c.outcome == outcome, m.c.value))
        columns += [
            func.count(value).label(f"n{i}"),
            func.sum(value).label(f"sum{i}"),
            func.sum(value * value).label(f"square{i}"),
            func.min(value).label(f"lowest{i}"),
            func.max(value).label(f"highest{i}"),
        ]
    return (
        select(m.c.experiment_id.label("id"), *columns)
        .where(m.c.outcome.in_(list(outcomes)), usable())
        .group_by(m.c.experiment_id)
        .subquery("sums")
    )


def _keys(parameters: Mapping[str, Value | None]) -> Any:
    """Select each experiment's settings as text: as run where that is recorded, else as planned."""
    if not parameters:
        return None
    columns = []
    for i, (name, default) in enumerate(parameters.items()):
        actual, planned = (_newest(name, stage) for stage in (Stage.ACTUAL, Stage.PROPOSED))
        columns.append(
            case(
                # What was taken back has a revision and no value behind it.
                (func.length(actual) >= _VALUE_AT, func.substr(actual, _VALUE_AT)),
                (func.length(planned) >= _VALUE_AT, func.substr(planned, _VALUE_AT)),
                else_=_as_text(default),
            ).label(f"key{i}")
        )
    return (
        select(v.c.experiment_id.label("id"), *columns)
        .where(v.c.parameter.in_(list(parameters)))
        .group_by(v.c.experiment_id)
        .subquery("keys")
    )


def _newest(parameter: str, stage: Stage) -> ColumnElement[Any]:
    value = func.coalesce(v.c.text, cast(v.c.number, String), "")
    revised = cast(v.c.revision + _REVISION, String).concat(value)
    return func.max(case(((v.c.parameter == parameter) & (v.c.stage == stage), revised)))


def _as_text(value: Value | None) -> ColumnElement[Any]:
    if value is None:
        return cast(null(), String)
    return literal(value) if isinstance(value, str) else cast(literal(float(value)), String)
