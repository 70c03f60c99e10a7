"""New experiments, in bulk: their rows, first status, conditions and measurements."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, insert, select

from db.records import CampaignRecord, NewExperiment, Stage
from db.repository.conditions import condition_row
from db.repository.measurements import columns_of
from db.repository.scope import Scope
from db.tables import condition_values as v
from db.tables import experiments as e
from db.tables import measurements as m
from db.tables import status_changes as s


def add_experiments(
    scope: Scope, campaign: CampaignRecord, new: Sequence[NewExperiment]
) -> list[int]:
    """Create experiments with their conditions and measurements; return ids in their order.

    Everything is written in bulk: 20 000 experiments of 16 values take seconds.

    Raises:
        ConflictError: a label that the campaign has already, or a value that cannot be.
    """
    if not new:
        return []
    scope.require_campaign(campaign.id)
    change_id = scope.change_id
    ids = _insert(scope, campaign, new, change_id)
    pairs = tuple(zip(ids, new, strict=True))
    scope.insert_many(
        s,
        [
            {
                "experiment_id": id_,
                "status": item.status,
                "failure": item.failure,
                "note": item.note,
                "change_id": change_id,
            }
            for id_, item in pairs
        ],
    )
    scope.insert_many(
        v,
        [
            condition_row(id_, name, stage, 1, value=value, change_id=change_id)
            for id_, item in pairs
            for stage, values in (
                (Stage.PROPOSED, item.proposed),
                (Stage.ACTUAL, item.actual),
                (Stage.FACT, item.facts),
            )
            for name, value in values.items()
        ],
    )
    scope.insert_many(
        m,
        [
            {
                "experiment_id": id_,
                "outcome": outcome,
                "replicate": replicate,
                "revision": 1,
                **columns_of(value),
                "change_id": change_id,
            }
            for id_, item in pairs
            for outcome, values in item.outcomes.items()
            for replicate, value in enumerate(values, start=1)
        ],
    )
    return ids


def _insert(
    scope: Scope, campaign: CampaignRecord, new: Sequence[NewExperiment], change_id: int
) -> list[int]:
    rows = [
        {
            "campaign_id": campaign.id,
            "revision_id": campaign.revision_id,
            "label": item.label,
            "origin": item.origin,
            "status": item.status,
            "failure": item.failure,
            "note": item.note,
            "change_id": change_id,
        }
        for item in new
    ]
    if scope.connection.dialect.name == "sqlite":
        # Nobody else writes meanwhile; each row asked for its id takes twice as long.
        first = scope.connection.execute(select(func.max(e.c.id))).scalar() or 0
        ids = list(range(first + 1, first + 1 + len(rows)))
        scope.insert_many(e, [{"id": id_, **row} for id_, row in zip(ids, rows, strict=True)])
        return ids
    # Else the rows may come back in any order, and results would be given to other runs.
    # https://docs.sqlalchemy.org/en/20/core/connections.html#correlating-returning-rows-to-parameter-sets
    statement = insert(e).returning(e.c.id, sort_by_parameter_order=True)
    return list(scope.connection.execute(statement, rows).scalars())
