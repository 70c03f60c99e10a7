"""What every database must do for model versions and sources to pretrain on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from rows import SHA

from db.errors import ConflictError
from db.records import CampaignRecord, ModelKind, ModelStatus, SourceKind, SourceRecord
from db.session import Database


class TestModels:
    def test_round_trip(self, database: Database, campaign: CampaignRecord) -> None:
        with database.write("refresh") as tx:
            first = tx.models.add(
                campaign.id,
                kind=ModelKind.SURROGATE,
                artifact_path="models/1.safetensors",
                sha256=SHA,
                watermark=1,
                metrics={"r2": 0.6},
                status=ModelStatus.CHAMPION,
            )
            second = tx.models.add(
                campaign.id,
                kind=ModelKind.SURROGATE,
                artifact_path="models/2.safetensors",
                sha256=SHA,
                watermark=1,
                metrics={},
                parent_id=first,
            )
        with database.read() as tx:
            records = tx.models.all_of(campaign.id)
        assert [(r.id, r.status, r.parent_id) for r in records] == [
            (first, ModelStatus.CHAMPION, None),
            (second, ModelStatus.CANDIDATE, first),
        ]
        assert records[0].metrics == {"r2": 0.6}

    def test_one_champion_of_a_kind(self, database: Database, campaign: CampaignRecord) -> None:
        def add_champion() -> None:
            with database.write("refresh") as tx:
                tx.models.add(
                    campaign.id,
                    kind=ModelKind.GENERATOR,
                    artifact_path="m",
                    sha256=SHA,
                    watermark=0,
                    metrics={},
                    status=ModelStatus.CHAMPION,
                )

        add_champion()
        with pytest.raises(ConflictError):
            add_champion()

    def test_a_champion_makes_room_for_the_next(
        self, database: Database, campaign: CampaignRecord
    ) -> None:
        kind = ModelKind.SURROGATE
        ids = []
        for n in range(2):
            with database.write("pretrain") as tx:
                former = tx.models.retire_champion(campaign.id, kind)
                ids.append(
                    tx.models.add(
                        campaign.id,
                        kind=kind,
                        artifact_path=f"models/{n}",
                        sha256=SHA,
                        watermark=n,
                        metrics={},
                        status=ModelStatus.CHAMPION,
                        parent_id=former,
                    )
                )
        with database.read() as tx:
            champion, retired = tx.models.champion(campaign.id, kind), tx.models.get(ids[0])
            assert tx.models.champion(campaign.id, ModelKind.GENERATOR) is None
            assert tx.models.get(99) is None
        assert champion is not None
        assert (champion.id, champion.parent_id) == (ids[1], ids[0])
        assert retired is not None
        assert retired.status is ModelStatus.RETIRED


def add_source(
    database: Database, campaign_id: int | None, name: str, **changes: object
) -> SourceRecord:
    fields: dict[str, object] = {
        "name": name,
        "kind": SourceKind.TABLE,
        "definition": {"path": "old.csv", "units": {"voltage": "kV"}},
        "fingerprint": SHA,
        **changes,
    }
    with database.write("source add") as tx:
        return tx.sources.add(campaign_id, **fields)  # type: ignore[arg-type]


class TestSources:
    def test_round_trip(self, database: Database, campaign: CampaignRecord) -> None:
        own = add_source(database, campaign.id, "older")
        shared = add_source(database, None, "labs", kind=SourceKind.SIMULATED)
        with database.write("init") as tx:
            other = tx.campaigns.create("other", {})
        with database.read() as tx:
            assert tx.sources.find(campaign.id) == [own, shared]
            assert tx.sources.find(other.id) == tx.sources.find(None) == [shared]
        assert (own.name, own.kind, own.fingerprint) == ("older", SourceKind.TABLE, SHA)
        assert own.definition == {"path": "old.csv", "units": {"voltage": "kV"}}
        assert abs(datetime.now(UTC) - own.created_at) < timedelta(minutes=5)

    @pytest.mark.parametrize("first", ["own", "all"])
    @pytest.mark.parametrize("second", ["own", "all"])
    def test_a_name_serves_once(
        self, database: Database, campaign: CampaignRecord, first: str, second: str
    ) -> None:
        ids = {"own": campaign.id, "all": None}
        add_source(database, ids[first], "older")
        with pytest.raises(ConflictError, match="'older' exists already"):
            add_source(database, ids[second], "older")

    def test_removed_ones_are_kept_for_what_was_trained_on_them(
        self, database: Database, campaign: CampaignRecord
    ) -> None:
        first = add_source(database, campaign.id, "older")
        with database.write("source remove") as tx:
            before = tx.watermark()
            tx.sources.remove(first.id)
        again = add_source(database, campaign.id, "older", kind=SourceKind.CAMPAIGN)
        with database.write("source remove") as tx:
            assert tx.sources.find(campaign.id) == [again]
            assert tx.sources.find(campaign.id, watermark=before) == [first]
            with pytest.raises(ConflictError, match="no source 1 in use"):
                tx.sources.remove(first.id)

    @pytest.mark.parametrize("changes", [{"name": ""}, {"fingerprint": "a"}, {"kind": "pickle"}])
    def test_what_cannot_be_is_refused(
        self, database: Database, campaign: CampaignRecord, changes: dict[str, object]
    ) -> None:
        with pytest.raises(ConflictError):
            add_source(database, campaign.id, **{"name": "older", **changes})  # type: ignore[arg-type]
