"""What every database must do for experiments."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rows import OUTCOME, add_batch, add_picture, proposal
from sqlalchemy import event

from db.errors import ConflictError
from db.records import CampaignRecord, NewExperiment, Origin, Status
from db.session import Database


class TestExperiments:
    def test_round_trip(self, database: Database, campaign: CampaignRecord) -> None:
        new = [
            NewExperiment(
                Origin.IMPORT,
                Status.COMPLETED,
                label="M1",
                note="a note — with ° and µ",
                proposed={"voltage": 18},
                actual={"voltage": 17.8, "polymer": "PCL", "humidity": 0.1 + 0.2},
                outcomes={OUTCOME: (80.0, 1e-300, -1.7976931348623157e308), "modulus": (2.5,)},
            ),
            NewExperiment(Origin.MANUAL, Status.FAILED, failure="drips"),
            NewExperiment(Origin.MANUAL, Status.RUNNING),
        ]
        with database.write("import", actor="ana") as tx:
            ids = tx.experiments.add(campaign, new)
        assert len(set(ids)) == 3
        with database.read() as tx:
            records = tx.experiments.find(campaign.id)
            assert records == [tx.experiments.get(id_) for id_ in ids]
            assert tx.experiments.labels(campaign.id) == {"M1": ids[0]}
            assert tx.measurements.count(campaign.id) == 4
        for record, item in zip(records, new, strict=True):
            assert record.proposed == item.proposed
            assert record.actual == item.actual
            assert record.replicates() == item.outcomes
            assert (record.status, record.failure) == (item.status, item.failure)
            assert (record.label, record.note, record.origin) == (
                item.label,
                item.note,
                item.origin,
            )
            assert record.created_by == "ana"
            assert abs(datetime.now(UTC) - record.created_at) < timedelta(minutes=5)
        assert records[0].conditions == {"voltage": 17.8, "polymer": "PCL", "humidity": 0.1 + 0.2}
        assert isinstance(records[0].proposed["voltage"], float)

    def test_ids_come_in_the_order_given(
        self, database: Database, campaign: CampaignRecord
    ) -> None:
        new = [
            NewExperiment(Origin.IMPORT, Status.COMPLETED, label=f"L{(i * 7919) % 2500}")
            for i in range(2500)
        ]
        with database.write("import") as tx:
            ids = tx.experiments.add(campaign, new)
            labels = tx.experiments.labels(campaign.id)
        assert [labels[item.label or ""] for item in new] == ids == sorted(ids)

    def test_filters(self, database: Database, campaign: CampaignRecord) -> None:
        statuses = [Status.COMPLETED, Status.PROPOSED, Status.RUNNING, Status.COMPLETED]
        with database.write("log") as tx:
            ids = tx.experiments.add(
                campaign, [NewExperiment(Origin.MANUAL, status) for status in statuses]
            )
            other = tx.campaigns.create("other", {})
            tx.experiments.add(other, [NewExperiment(Origin.MANUAL, Status.RUNNING, label="x")])

        def listed(**wanted: object) -> list[int]:
            with database.read() as tx:
                found = tx.experiments.find(campaign.id, **wanted)  # type: ignore[arg-type]
            return [record.id for record in found]

        assert listed() == ids
        assert listed(status=[Status.COMPLETED]) == [ids[0], ids[3]]
        assert listed(status={Status.PROPOSED, Status.RUNNING}) == ids[1:3]
        assert listed(status=[]) == []
        assert listed(newest=2) == ids[2:]
        assert listed(newest=1, status=[Status.PROPOSED]) == [ids[1]]
        with database.read() as tx:
            assert tx.experiments.get(10_000) is None
            assert tx.experiments.count(campaign.id) == {
                Status.PROPOSED: 1,
                Status.RUNNING: 1,
                Status.COMPLETED: 2,
                Status.FAILED: 0,
                Status.ABANDONED: 0,
            }

    def test_nothing_to_add(self, database: Database, campaign: CampaignRecord) -> None:
        with database.write("import") as tx:
            assert tx.experiments.add(campaign, []) == []
            assert tx.measurements.add(1, OUTCOME, []) == []

    def test_status_failure_and_note(self, database: Database, experiment_id: int) -> None:
        with database.write("log") as tx:
            tx.experiments.set_status(
                experiment_id, Status.FAILED, failure="beads", note="too dilute"
            )
            tx.experiments.set_status(experiment_id, Status.ABANDONED)
            record = tx.experiments.get(experiment_id)
        assert record is not None
        assert (record.status, record.failure, record.note) == (
            Status.ABANDONED,
            None,
            "too dilute",
        )
        with database.write("note") as tx:
            tx.experiments.set_note(experiment_id, None)
            record = tx.experiments.get(experiment_id)
        assert record is not None
        assert (record.status, record.note) == (Status.ABANDONED, None)

    @pytest.mark.parametrize(
        ("status", "failure"), [(Status.FAILED, None), (Status.COMPLETED, "beads")]
    )
    def test_failure_iff_failed(
        self,
        database: Database,
        experiment_id: int,
        status: Status,
        failure: str | None,
    ) -> None:
        with database.write("log") as tx, pytest.raises(ConflictError, match="kind of failure"):
            tx.experiments.set_status(experiment_id, status, failure=failure)

    def test_actual_conditions_are_revised(self, database: Database, experiment_id: int) -> None:
        with database.write("log") as tx:
            tx.experiments.set_actual(experiment_id, {"voltage": 17.5, "humidity": 60.0})
            tx.experiments.set_actual(experiment_id, {"voltage": 18.0, "polymer": "PCL"})
            record = tx.experiments.get(experiment_id)
        assert record is not None
        assert record.actual == {"voltage": 18.0, "polymer": "PCL", "humidity": 60.0}

    def test_unknown_experiments_are_told(self, database: Database) -> None:
        with database.write("log") as tx:
            for attempt in (
                lambda: tx.experiments.set_status(9, Status.RUNNING),
                lambda: tx.experiments.set_note(9, "x"),
                lambda: tx.experiments.set_actual(9, {"voltage": 1.0}),
            ):
                with pytest.raises(ConflictError, match="no experiment 9"):
                    attempt()


def test_reading_takes_as_many_queries_for_many_as_for_one(
    database: Database, campaign: CampaignRecord
) -> None:
    def n_statements() -> int:
        executed: list[str] = []

        def count(*arguments: Any) -> None:
            executed.append(arguments[2])

        event.listen(database._engine, "before_cursor_execute", count)
        with database.read() as tx:
            tx.experiments.find(campaign.id, watermark=tx.watermark())
        event.remove(database._engine, "before_cursor_execute", count)
        return len(executed)

    def add(n: int) -> None:
        with database.write("propose") as tx:
            for _ in range(n):
                (id_,) = add_batch(tx, campaign, proposal(1))
                tx.measurements.add(id_, OUTCOME, [1.0])
                add_picture(tx, id_)

    add(1)
    for_one = n_statements()
    add(10)
    assert n_statements() == for_one < 10


@pytest.mark.deep
def test_an_import_of_twenty_thousand_takes_seconds(
    database: Database, campaign: CampaignRecord
) -> None:
    actual = {f"p{i}": 1.0 for i in range(6)}
    outcomes = {f"o{i}": (1.0,) for i in range(10)}
    new = [NewExperiment(Origin.IMPORT, Status.COMPLETED, actual=actual, outcomes=outcomes)]
    begun = time.perf_counter()
    with database.write("import") as tx:
        ids = tx.experiments.add(campaign, new * 20_000)
    assert len(set(ids)) == 20_000
    assert time.perf_counter() - begun < 60  # some 5 s on an idle core
