"""Experiments: their conditions, and every status they had."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, func, select, update

from db.errors import ConflictError
from db.records import (
    CampaignRecord,
    ChangeRecord,
    ExperimentBrief,
    ExperimentRecord,
    NewExperiment,
    Stage,
    Status,
    TouchedRecord,
    TrailRecord,
    Value,
)
from db.repository.assembly import Query, not_removed, read_briefs, read_experiments
from db.repository.conditions import set_values, take_back
from db.repository.new_experiments import add_experiments
from db.repository.scope import Scope
from db.repository.touched import last_change_of, touched_by, undone_by
from db.repository.trail import trail_of, version_of
from db.tables import changes, micrographs
from db.tables import experiments as e
from db.tables import status_changes as s
from db.words import nfc


class Experiments:
    """The samples, spun and still to be spun."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def add(self, campaign: CampaignRecord, new: Sequence[NewExperiment]) -> list[int]:
        """Create experiments with their conditions and measurements; return ids in their order.

        Everything is written in bulk: 20 000 experiments of 16 values take seconds.

        Raises:
            ConflictError: a label that the campaign has already, or a value that cannot be.
        """
        return add_experiments(self._scope, campaign, new)

    def get(self, experiment_id: int) -> ExperimentRecord | None:
        """Return one experiment with everything known of it."""
        records = self.get_all([experiment_id])
        return records[0] if records else None

    def briefs(
        self,
        campaign_id: int,
        outcomes: Sequence[str],
        *,
        status: Collection[Status],
        watermark: int | None = None,
    ) -> Sequence[ExperimentBrief]:
        """Return many experiments in a few words each, in the order of their ids.

        Args:
            campaign_id: whose.
            outcomes: whose means are wanted.
            status: only those that have one of these.
            watermark: everything as it stood when this change had been written.
        """
        query = Query(e.c.campaign_id == campaign_id, status, watermark)
        return read_briefs(self._scope.connection, query, outcomes)

    def get_all(
        self, ids: Collection[int], *, watermark: int | None = None
    ) -> Sequence[ExperimentRecord]:
        """Return the experiments of these ids that there are, in the order of their ids.

        ``watermark``: as they stood when this change had been written.
        """
        query = Query(e.c.id.in_(ids), watermark=watermark)
        return read_experiments(self._scope.connection, query)

    def pictured(self, campaign_id: int, *, newest: int) -> list[int]:
        """Return the ids of the newest completed experiments that have micrographs, ascending."""
        statement = (
            select(e.c.id)
            .where(
                e.c.campaign_id == campaign_id,
                e.c.status == Status.COMPLETED,
                e.c.id.in_(select(micrographs.c.experiment_id).where(not_removed())),
            )
            .order_by(e.c.id.desc())
            .limit(newest)
        )
        return sorted(self._scope.connection.execute(statement).scalars())

    def version(self, experiment_id: int) -> int:
        """Return the newest change that touched an experiment; 0 if there is no such one."""
        return version_of(self._scope.connection, experiment_id)

    def trail(self, experiment_id: int) -> list[TrailRecord]:
        """Return what was recorded of an experiment, moment by moment."""
        return trail_of(self._scope.connection, experiment_id)

    def page(
        self,
        campaign_id: int,
        *,
        status: Collection[Status] | None = None,
        before_id: int | None = None,
        newest: int = 50,
    ) -> list[ExperimentRecord]:
        """Return ``newest`` experiments with ids below ``before_id``, in the order of their ids."""
        condition = e.c.campaign_id == campaign_id
        if before_id is not None:
            condition = and_(condition, e.c.id < before_id)
        return read_experiments(self._scope.connection, Query(condition, status, None, newest))

    def labels(self, campaign_id: int) -> dict[str, int]:
        """Return the ids of the experiments that have a label, by label."""
        statement = select(e.c.label, e.c.id).where(
            e.c.campaign_id == campaign_id, e.c.label.is_not(None)
        )
        rows = self._scope.connection.execute(statement)
        return {label: id_ for label, id_ in rows if label is not None}

    def heads(self, campaign_id: int) -> dict[int, tuple[str | None, str | None, datetime]]:
        """Return label, note and the moment of recording of every experiment, by its id."""
        statement = (
            select(e.c.id, e.c.label, e.c.note, changes.c.at)
            .join(changes, changes.c.id == e.c.change_id)
            .where(e.c.campaign_id == campaign_id)
        )
        rows = self._scope.connection.execute(statement)
        return {id_: (label, note, at) for id_, label, note, at in rows}

    def labelled(self, campaign_id: int, label: str) -> int | None:
        """Return the id of the experiment of that label, if there is one.

        Labels are stored as they came and compared in Unicode's normal form C.
        """
        statement = select(e.c.id).where(e.c.campaign_id == campaign_id, e.c.label == label)
        exact = self._scope.connection.execute(statement).scalar_one_or_none()
        if exact is not None:
            return exact
        word, labels = nfc(label), self.labels(campaign_id)
        return next((id_ for name, id_ in labels.items() if nfc(name) == word), None)

    def labelled_as(self, campaign_id: int, labels: Collection[str]) -> dict[str, int]:
        """Return the ids of the experiments that have one of these labels, spelt just so."""
        statement = select(e.c.label, e.c.id).where(
            e.c.campaign_id == campaign_id, e.c.label.in_(list(labels))
        )
        rows = self._scope.connection.execute(statement)
        return {label: id_ for label, id_ in rows if label is not None}

    def count(self, campaign_id: int) -> dict[Status, int]:
        """Return how many experiments have each status now; every status is there."""
        statement = (
            select(e.c.status, func.count())
            .where(e.c.campaign_id == campaign_id)
            .group_by(e.c.status)
        )
        rows = self._scope.connection.execute(statement)
        return {**dict.fromkeys(Status, 0), **{Status(status): n for status, n in rows}}

    def set_status(
        self,
        experiment_id: int,
        status: Status,
        *,
        failure: str | None = None,
        note: str | None = None,
    ) -> None:
        """Record what an experiment became; without ``note`` the one it has stays.

        Setting what it already is writes nothing.

        Raises:
            ConflictError: no such experiment, a failed one without its kind of failure, or a kind
                of failure with another status.
        """
        if (status is Status.FAILED) != (failure is not None):
            raise ConflictError(
                f"experiment {experiment_id}: expected a kind of failure with 'failed' and with no "
                f"other status, got '{status}' with {failure or 'none'}"
            )
        _, _, old_note = self._state(experiment_id)
        self._write_state(experiment_id, status, failure, old_note if note is None else note)

    def set_note(self, experiment_id: int, note: str | None) -> None:
        """Record another note (``None`` takes it away); earlier ones stay in the history.

        Raises:
            ConflictError: there is no such experiment.
        """
        status, failure, _ = self._state(experiment_id)
        self._write_state(experiment_id, status, failure, note)

    def set_actual(self, experiment_id: int, values: Mapping[str, Value]) -> None:
        """Record conditions as really run: a further revision of each that changes.

        Raises:
            ConflictError: there is no such experiment, or a value cannot be.
        """
        # SQLite takes NaN for no value, which would take back what is there.
        if any(isinstance(value, float) and math.isnan(value) for value in values.values()):
            raise ConflictError("log: a condition is infinite or not a number")
        self._set(experiment_id, Stage.ACTUAL, values)

    def set_facts(self, experiment_id: int, facts: Mapping[str, str | None]) -> None:
        """Record who, when, with what: a further revision of each that changes.

        ``None`` takes a fact back; of one that was never recorded it writes nothing.

        Raises:
            ConflictError: there is no such experiment.
        """
        self._set(experiment_id, Stage.FACT, facts)

    def _set(self, experiment_id: int, stage: Stage, values: Mapping[str, Value | None]) -> None:
        self._state(experiment_id)
        set_values(self._scope, experiment_id, stage, values)

    def unset_actual(self, experiment_id: int, parameter: str) -> None:
        """Take back what was recorded of a condition as really run; earlier values stay behind it.

        Raises:
            ConflictError: nothing was recorded of it.
        """
        self._scope.require_run(experiment_id)
        take_back(self._scope, experiment_id, parameter)

    def restore_status(
        self, experiment_id: int, status: Status, failure: str | None, note: str | None
    ) -> None:
        """Record that an experiment is again what it was, its note included."""
        self._write_state(experiment_id, status, failure, note)

    def touched(self, change_id: int) -> list[TouchedRecord]:
        """Return what a change recorded of experiments, with what was there before."""
        return touched_by(self._scope.connection, change_id)

    def last_change_of(
        self, actor: str, campaign_id: int, *, without: Collection[int] = ()
    ) -> ChangeRecord | None:
        """Return somebody's newest change of a campaign's experiments, but for undoings."""
        return last_change_of(self._scope.connection, actor, campaign_id, without)

    def undone(self, actor: str) -> set[int]:
        """Return the changes of somebody that were undone."""
        return undone_by(self._scope.connection, actor)

    def _state(self, experiment_id: int) -> tuple[Status, str | None, str | None]:
        self._scope.require_run(experiment_id)
        statement = select(e.c.status, e.c.failure, e.c.note).where(e.c.id == experiment_id)
        row = self._scope.connection.execute(statement).one_or_none()
        if row is None:
            raise ConflictError(f"there is no experiment {experiment_id}")
        status, failure, note = row
        return Status(status), failure, note

    def _write_state(
        self, experiment_id: int, status: Status, failure: str | None, note: str | None
    ) -> None:
        # A row that changes nothing would still move the watermark, and with it everybody's cache.
        if (status, failure, note) == self._state(experiment_id):
            return
        state = {"status": status, "failure": failure, "note": note}
        change_id = self._scope.change_id
        # The history first; the present state stands in the experiment's row too, as every list
        # filters by it.
        self._scope.insert_many(
            s, [{"experiment_id": experiment_id, "change_id": change_id, **state}]
        )
        statement = update(e).where(e.c.id == experiment_id).values(state)
        self._scope.connection.execute(statement)

    def find(
        self,
        campaign_id: int,
        *,
        status: Collection[Status] | None = None,
        watermark: int | None = None,
        newest: int | None = None,
        pictured: bool = False,
    ) -> list[ExperimentRecord]:
        """Return a campaign's experiments in the order of their ids.

        Args:
            campaign_id: whose.
            status: only those that have one of these.
            watermark: everything exactly as it stood when this change had been written: status,
                failure, note, conditions, measurements, micrographs.
            newest: only so many, those of the highest ids.
            pictured: only those that have micrographs by now.
        """
        condition = e.c.campaign_id == campaign_id
        if pictured:
            its_pictures = select(micrographs.c.experiment_id).where(not_removed())
            condition = and_(condition, e.c.id.in_(its_pictures))
        query = Query(condition, status, watermark, newest)
        return read_experiments(self._scope.connection, query)

    def each(self, campaign_id: int, *, chunk: int = 500) -> Iterator[ExperimentRecord]:
        """Yield a campaign's experiments in the order of their ids, few of them in memory."""
        statement = select(e.c.id).where(e.c.campaign_id == campaign_id).order_by(e.c.id)
        ids = self._scope.connection.execute(statement).scalars().all()
        for start in range(0, len(ids), chunk):
            yield from self.get_all(ids[start : start + chunk])
