"""What every database must do for campaigns."""

from __future__ import annotations

import pytest
from rows import OUTCOME

from db.errors import ConflictError
from db.records import CampaignRecord
from db.session import Database


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
