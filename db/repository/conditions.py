"""Conditions of an experiment: each change is a further revision, none is written over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from db.errors import ConflictError
from db.records import Stage, Value
from db.repository.scope import Scope
from db.tables import condition_values as v


def condition_row(
    experiment_id: int,
    parameter: str,
    stage: Stage,
    revision: int,
    *,
    value: Value | None,
    change_id: int,
) -> dict[str, Any]:
    """Return a row of ``condition_values``; without value it takes back what was there."""
    is_text = isinstance(value, str)
    return {
        "experiment_id": experiment_id,
        "parameter": parameter,
        "stage": stage,
        "revision": revision,
        "number": None if is_text else value,
        "text": value if is_text else None,
        "change_id": change_id,
    }


def set_values(
    scope: Scope, experiment_id: int, stage: Stage, values: Mapping[str, Value | None]
) -> None:
    """Record values of a stage: a further revision of each that changes."""
    newest: dict[str, tuple[int, Value | None]] = {}
    statement = (
        select(v.c.parameter, v.c.revision, v.c.number, v.c.text)
        .where(v.c.experiment_id == experiment_id, v.c.stage == stage)
        .order_by(v.c.revision)
    )
    for parameter, revision, number, text in scope.connection.execute(statement):
        newest[parameter] = (revision, text if number is None else number)  # None: taken back
    rows = [
        condition_row(
            experiment_id,
            name,
            stage,
            newest.get(name, (0, None))[0] + 1,
            value=value,
            change_id=scope.change_id,
        )
        for name, value in values.items()
        if newest.get(name, (0, None))[1] != value
    ]
    if rows:
        scope.insert_many(v, rows)


def take_back(scope: Scope, experiment_id: int, parameter: str) -> None:
    """Take back a condition as really run; earlier values stay behind it.

    Raises:
        ConflictError: nothing was recorded of it.
    """
    revision = scope.connection.execute(
        select(func.max(v.c.revision)).where(
            v.c.experiment_id == experiment_id,
            v.c.parameter == parameter,
            v.c.stage == Stage.ACTUAL,
        )
    ).scalar_one()
    if revision is None:
        raise ConflictError(f"experiment {experiment_id} has no {parameter} to take back")
    row = condition_row(
        experiment_id,
        parameter,
        Stage.ACTUAL,
        revision + 1,
        value=None,
        change_id=scope.change_id,
    )
    scope.insert_many(v, [row])
