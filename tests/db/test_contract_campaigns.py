"""What every database must do for campaigns."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rows import OUTCOME

from db.errors import ConflictError
from db.records import CampaignRecord, NewExperiment, Origin, Status
from db.session import Database
from db.transaction import Transaction

RUN = NewExperiment(Origin.MANUAL, Status.COMPLETED, actual={"voltage": 17.0})


class TestCampaigns:
    def test_newest_is_active_and_use_switches(self, database: Database) -> None:
        with database.write("init") as tx:
            first = tx.campaigns.create("one", {"name": "one"}, note="to start with")
            tx.campaigns.create("two", {"name": "two"})
        with database.read() as tx:
            active = tx.campaigns.active()
            assert active is not None
            assert active.name == "two"
            assert [c.is_active for c in tx.campaigns.all()] == [False, True]
        with database.write("use") as tx:
            assert tx.campaigns.use("one").is_active
        with database.read() as tx:
            active = tx.campaigns.active()
            assert active is not None
            assert active.id == first.id
            assert active.note == "to start with"
            assert tx.changes()[0].action == "use"

    def test_revisions_are_kept(self, database: Database, campaign: CampaignRecord) -> None:
        definition = {"name": "nanofibre", "objectives": [{"outcome": OUTCOME, "threshold": 40.5}]}
        with database.write("revise") as tx:
            second = tx.campaigns.revise(campaign.id, definition, note="harder")
        assert (second.id, second.revision) == (campaign.id, 2)
        with database.read() as tx:
            assert tx.campaigns.get("nanofibre") == second == tx.campaigns.by_id(campaign.id)
            assert tx.campaigns.revisions(campaign.id) == [campaign, second]
            assert tx.campaigns.at_revision(campaign.revision_id) == campaign
            assert second.definition == definition

    def test_unknown_ones_are_told(self, database: Database, campaign: CampaignRecord) -> None:
        with database.write("try") as tx:
            assert tx.campaigns.get("other") is None
            assert tx.campaigns.by_id(99) is None
            with pytest.raises(ConflictError, match="no campaign 'other'; known: nanofibre"):
                tx.campaigns.use("other")
            with pytest.raises(ConflictError, match="no campaign 99"):
                tx.campaigns.revise(99, {})
            with pytest.raises(ConflictError, match="id 99"):
                tx.campaigns.at_revision(99)

    def test_a_name_serves_once(self, database: Database, campaign: CampaignRecord) -> None:
        with (
            pytest.raises(ConflictError, match="name exists already; nothing was written"),
            database.write("init") as tx,
        ):
            tx.campaigns.create("nanofibre", {})
        with database.read() as tx:
            assert tx.campaigns.active() == campaign


def _twin(database: Database) -> CampaignRecord:
    with database.write("init") as tx:
        return tx.campaigns.create("other", {"name": "other"})


class TestOneCampaign:
    """What is done for one campaign is recorded for no other."""

    def test_runs_and_batches_of_another_are_refused(
        self, database: Database, campaign: CampaignRecord
    ) -> None:
        other = _twin(database)
        own = database.in_campaign(campaign.id)
        with own.write("log") as tx:
            assert tx.experiments.add(campaign, [RUN]) != []
        with (
            pytest.raises(ConflictError, match=rf"for campaign {campaign.id}, and was about"),
            own.write("log") as tx,
        ):
            tx.experiments.add(other, [RUN])
        with pytest.raises(ConflictError, match="nothing was written"), own.write("propose") as tx:
            tx.batches.add(
                other, strategy="sobol", seed=1, request={}, watermark=0, versions={}, proposals=[]
            )
        with pytest.raises(ConflictError), own.write("revise") as tx:
            tx.campaigns.revise(other.id, {"name": "other"})

    def test_a_run_of_another_is_not_changed(
        self, database: Database, campaign: CampaignRecord
    ) -> None:
        other = _twin(database)
        with database.write("log") as tx:
            (run,) = tx.experiments.add(other, [RUN])
        own = database.in_campaign(campaign.id).acting("anna")
        changes: list[Callable[[Transaction], object]] = [
            lambda tx: tx.experiments.set_note(run, "x"),
            lambda tx: tx.experiments.set_actual(run, {"voltage": 18.0}),
            lambda tx: tx.measurements.add(run, OUTCOME, [1.0]),
        ]
        for change in changes:
            with pytest.raises(ConflictError, match="nothing was written"), own.write("log") as tx:
                change(tx)
        with database.in_campaign(other.id).write("log") as tx:
            for change in changes:
                change(tx)
