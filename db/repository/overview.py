"""A whole campaign at a glance, computed by the database: whatever its size, few rows come back.

Means are those of an experiment's present replicates. Only completed experiments count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CTE, ColumnElement, and_, case, exists, func, literal, or_, select, true

from db.records import Goal, Limit, Overview, Status
from db.repository.scope import Scope
from db.tables import campaigns as c
from db.tables import experiments as e
from db.tables import measurements as m
from db.tables import micrographs as p
from db.tables import model_versions as v


class Overviews:
    """What ``engine status`` tells of all experiments together."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def compute(self, campaign_id: int, goals: Sequence[Goal], limits: Sequence[Limit]) -> Overview:
        """Count and compare a campaign's completed experiments, in one pass over its results.

        Args:
            campaign_id: whose.
            goals: for each, the experiments beyond it are counted.
            limits: experiments known to break one are counted, and count nowhere else.
        """
        outcomes = [goal.outcome for goal in goals]
        outcomes += [name for limit in limits for name in limit.terms]
        mean_values = _mean_values(campaign_id, list(dict.fromkeys(outcomes)))
        column = {name: mean_values.c[f"y{i}"] for i, name in enumerate(dict.fromkeys(outcomes))}
        sound = and_(true(), *(_may_hold(limit, column) for limit in limits))
        reached = [_is_reached(goal, column) for goal in goals]
        total = select(func.count()).select_from(mean_values)
        # All in one statement, so that the means are computed once.
        answers: list[Any] = [total.where(~sound), total.where(sound, *reached)]
        answers += [total.where(sound, is_beyond) for is_beyond in reached]
        row = self._scope.connection.execute(
            select(*(answer.scalar_subquery() for answer in answers))
        ).one()
        return Overview(
            n_breaking=row[0],
            n_beyond_all=row[1],
            n_beyond=tuple(row[2:]),
        )

    def n_files(self, campaign: str | None = None) -> int:
        """Return how many files of the data folder the rows name, of one campaign or of all.

        Micrographs count by their content, models unless their files were pruned.
        """
        pictures = select(func.count(p.c.path.distinct())).join(e, e.c.id == p.c.experiment_id)
        models = select(func.count(v.c.artifact_path.distinct())).where(
            v.c.pruned_change_id.is_(None)
        )
        if campaign is not None:
            its = select(c.c.id).where(c.c.name == campaign).scalar_subquery()
            pictures = pictures.where(e.c.campaign_id == its)
            models = models.where(v.c.campaign_id == its)
        counts = [
            self._scope.connection.execute(statement).scalar_one()
            for statement in (pictures, models)
        ]
        return sum(counts)

    def latest(self, campaign_id: int, n: int) -> list[int]:
        """Return the ids of the completed experiments with the newest results, newest first."""
        its = (e.c.campaign_id == campaign_id, e.c.status == Status.COMPLETED)
        # A run has some ten measurements, so that 64 rows for each are nearly always enough at
        # once.
        limit = 64 * n
        while True:
            statement = (
                select(m.c.experiment_id)
                .where(exists().where(e.c.id == m.c.experiment_id, *its))  # for the newest only
                .order_by(m.c.change_id.desc(), m.c.experiment_id.desc())
                .limit(limit)
            )
            rows = self._scope.connection.execute(statement).scalars().all()
            names = list(dict.fromkeys(rows))[:n]
            if len(names) == n or len(rows) < limit:
                return names
            limit *= 16


def present() -> ColumnElement[bool]:
    """Say that a measurement is superseded by no other, and takes none back."""
    superseded = select(m.c.supersedes_id).where(m.c.supersedes_id.is_not(None))
    return and_(m.c.id.not_in(superseded), m.c.value.is_not(None))


def usable() -> ColumnElement[bool]:
    """Say that a measurement is present and a number, not a limit that the value lies beyond."""
    return and_(present(), m.c.bound.is_(None))


def _mean_values(campaign_id: int, outcomes: Sequence[str]) -> CTE:
    """Select id and the means y0, y1, … of ``outcomes``, one row an experiment with any of them."""
    columns = [
        func.avg(case((m.c.outcome == name, m.c.value))).label(f"y{i}")
        for i, name in enumerate(outcomes)
    ]
    grouped = (
        select(m.c.experiment_id.label("id"), *columns)
        .where(m.c.outcome.in_(outcomes), usable())
        .group_by(m.c.experiment_id)
        .subquery()
    )
    return (
        select(grouped)
        .join(e, e.c.id == grouped.c.id)
        .where(e.c.campaign_id == campaign_id, e.c.status == Status.COMPLETED)
        .cte("means")
        .prefix_with("MATERIALIZED")  # it is asked several times
    )


def gain_of(goal: Goal, value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return how far a value is beyond a goal's threshold, the larger the better."""
    if goal.target is None:
        return (value - literal(goal.threshold)) * literal(goal.sign)
    return literal(goal.threshold) - func.abs(value - literal(goal.target))


def _is_reached(goal: Goal, column: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    gain = gain_of(goal, column[goal.outcome])
    return gain > 0 if goal.target is None else gain >= 0


def _may_hold(limit: Limit, column: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    total = sum(
        (column[name] * literal(float(factor)) for name, factor in limit.terms.items()),
        start=literal(0.0),
    )
    conditions: list[ColumnElement[bool]] = []
    if limit.upper is not None:
        conditions.append(total <= literal(limit.upper))
    if limit.lower is not None:
        conditions.append(total >= literal(limit.lower))
    # Unknown is not broken: an outcome that was not measured breaks no limit.
    return or_(total.is_(None), and_(true(), *conditions))
