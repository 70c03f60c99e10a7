"""What every database must do for the audit trail and its watermarks."""

from __future__ import annotations

import pytest

from db.errors import DatabaseError
from db.records import CampaignRecord, NewExperiment, Origin, Status
from db.session import Database


class TestChanges:
    def test_watermark_counts_what_was_written(
        self, database: Database, campaign: CampaignRecord
    ) -> None:
        with database.read() as tx:
            before = tx.watermark()
        with database.write("log", actor="ana", detail="by hand") as tx:
            assert tx.watermark() == before
            tx.experiments.add(campaign, [NewExperiment(Origin.MANUAL, Status.RUNNING)])
            assert tx.watermark() == before
        with database.read() as tx:
            assert tx.watermark() > before
            newest, oldest = tx.changes()
            assert tx.changes(limit=1) == [newest]
        assert (newest.actor, newest.action, newest.detail) == ("ana", "log", "by hand")
        assert oldest.id < newest.id == tx_watermark(database)

    def test_writing_nothing_leaves_no_trace(self, database: Database, experiment_id: int) -> None:
        before = tx_watermark(database)
        with database.write("log") as tx:
            tx.experiments.set_status(experiment_id, Status.COMPLETED)
            tx.experiments.set_note(experiment_id, None)
            tx.experiments.set_actual(experiment_id, {"voltage": 18.0})
            tx.experiments.set_actual(experiment_id, {})
        assert tx_watermark(database) == before

    def test_an_error_takes_everything_back(
        self, database: Database, campaign: CampaignRecord
    ) -> None:
        before = tx_watermark(database)
        new = NewExperiment(Origin.MANUAL, Status.RUNNING)

        def add_then_fail() -> None:
            with database.write("import") as tx:
                tx.experiments.add(campaign, [new])
                raise RuntimeError("later")

        with pytest.raises(RuntimeError, match="later"):
            add_then_fail()
        with database.read() as tx:
            assert tx.experiments.find(campaign.id) == []
            assert tx.watermark() == before

    def test_a_reader_cannot_write(self, database: Database, campaign: CampaignRecord) -> None:
        with database.read() as tx, pytest.raises(DatabaseError, match=r"Database\.write"):
            tx.campaigns.create("other", {})

    def test_the_login_name_is_the_actor(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def nobody() -> str:
            raise KeyError("getpwuid(): uid not found: 4711")

        monkeypatch.setattr("getpass.getuser", nobody)
        with database.write("init") as tx:
            tx.campaigns.create("one", {})
            assert tx.changes()[0].actor == "unknown"


def tx_watermark(database: Database) -> int:
    with database.read() as tx:
        return tx.watermark()
