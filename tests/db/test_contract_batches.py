"""What every database must do for batches and their proposals."""

from __future__ import annotations

from rows import OUTCOME, add_batch, proposal

from db.records import CampaignRecord, Origin, Stage, Status
from db.session import Database


class TestBatches:
    def test_round_trip(
        self, database: Database, campaign: CampaignRecord, experiment_id: int
    ) -> None:
        with database.write("propose", actor="ana") as tx:
            watermark = tx.watermark()
            batch, ids = tx.batches.add(
                campaign,
                strategy="gp",
                seed=2**62,
                request={"n": 2, "at": {"humidity": 55.0}},
                watermark=watermark,
                versions={"spinneret": "0.1.0"},
                proposals=[
                    proposal(2, nearest_experiment_id=experiment_id),
                    proposal(1, predictions={}, acquisition_value=None),
                ],
            )
        assert (batch.seed, batch.strategy, batch.created_by) == (2**62, "gp", "ana")
        assert batch.request == {"n": 2, "at": {"humidity": 55.0}}
        assert (batch.watermark, batch.versions) == (watermark, {"spinneret": "0.1.0"})
        with database.read() as tx:
            assert tx.batches.get(batch.id) == batch
            assert tx.batches.all_of(campaign.id) == [batch]
            assert tx.batches.get(99) is None
            reasons = tx.batches.proposals(batch.id)
            first = tx.experiments.get(ids[0])
            ledger = tx.batches.predictions(campaign.id)
            assert tx.batches.predictions_of(ids[0]) == ledger
            assert tx.batches.predictions_of(ids[1]) == []
        assert [(r.order, r.experiment_id) for r in reasons] == [(1, ids[1]), (2, ids[0])]
        assert first is not None
        assert first.proposal == reasons[1]
        assert (first.status, first.origin) == (Status.PROPOSED, Origin.PROPOSAL)
        assert first.proposed == {"voltage": 18.0, "polymer": "PCL"}
        assert [(p.outcome, p.mean, p.lower, p.upper, p.level) for p in ledger] == [
            (OUTCOME, 80.0, 60.0, 100.0, 0.9)
        ]
        assert ledger[0].batch_id == batch.id

    def test_an_empty_batch(self, database: Database, campaign: CampaignRecord) -> None:
        with database.write("propose") as tx:
            assert add_batch(tx, campaign) == []


def test_stages_are_apart(database: Database, campaign: CampaignRecord) -> None:
    assert {Stage.PROPOSED, Stage.ACTUAL, Stage.FACT} == set(Stage)
    with database.write("propose") as tx:
        (id_,) = add_batch(tx, campaign, proposal(1))
        tx.experiments.set_actual(id_, {"voltage": 17.0})
        record = tx.experiments.get(id_)
    assert record is not None
    assert record.proposed == {"voltage": 17.0, "polymer": "PCL"}
    assert record.actual == {"voltage": 17.0}
