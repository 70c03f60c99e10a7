"""What every database must do; run against each kind that is at hand."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from db.errors import ConflictError, DatabaseError
from db.records import (
    CampaignRecord,
    FailureKind,
    ModelKind,
    ModelStatus,
    NewExperiment,
    NewProposal,
    Origin,
    SourceKind,
    SourceRecord,
    Stage,
    Status,
)
from db.session import Database, Transaction

OUTCOME = "elongation.longitudinal"
SHA = "a" * 64


def proposal(order: int, **changes: object) -> NewProposal:
    fields: dict[str, object] = {
        "conditions": {"voltage": 16.0 + order, "polymer": "PCL"},
        "order": order,
        "p_success": 0.9,
        "reason_kind": "fills_gap",
        "reason": "nothing was run near it",
        "nearest_experiment_id": None,
        "acquisition_value": -1.5,
        "predictions": {OUTCOME: (80.0, 60.0, 100.0)},
        "level": 0.9,
    }
    return NewProposal(**{**fields, **changes})  # type: ignore[arg-type]


def add_batch(tx: Transaction, campaign: CampaignRecord, *proposals: NewProposal) -> list[int]:
    _, ids = tx.batches.add(
        campaign,
        strategy="gp",
        seed=7,
        request={"n": len(proposals)},
        watermark=tx.watermark(),
        versions={"spinneret": "0.1.0"},
        proposals=proposals,
    )
    return ids


class TestCampaigns:
    def test_newest_is_active_and_use_switches(self, database: Database) -> None:
        with database.write("init") as tx:
            first = tx.campaigns.create("one", {"name": "one"}, note="to start with")
            tx.campaigns.create("two", {"name": "two"})
        with database.read() as tx:
            active = tx.campaigns.active()
            assert active is not None
            assert active.name == "two"
            assert [c.is_active for c in tx.campaigns.list()] == [False, True]
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
            NewExperiment(Origin.MANUAL, Status.FAILED, failure=FailureKind.DRIPS),
            NewExperiment(Origin.MANUAL, Status.RUNNING),
        ]
        with database.write("import", actor="ana") as tx:
            ids = tx.experiments.add(campaign, new)
        assert len(set(ids)) == 3
        with database.read() as tx:
            records = tx.experiments.list(campaign.id)
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
                found = tx.experiments.list(campaign.id, **wanted)  # type: ignore[arg-type]
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
                experiment_id, Status.FAILED, failure=FailureKind.BEADS, note="too dilute"
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
        ("status", "failure"), [(Status.FAILED, None), (Status.COMPLETED, FailureKind.BEADS)]
    )
    def test_failure_iff_failed(
        self,
        database: Database,
        experiment_id: int,
        status: Status,
        failure: FailureKind | None,
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


class TestMeasurements:
    def test_replicates_go_on_counting(self, database: Database, experiment_id: int) -> None:
        with database.write("log", actor="ben") as tx:
            added = tx.measurements.add(experiment_id, OUTCOME, [90.0, 91.0], note="second strip")
            first = tx.measurements.add(experiment_id, "modulus", [2.0])
            apart = tx.measurements.add(experiment_id, "modulus", [3.0], first_replicate=5)
        assert [(m.replicate, m.value) for m in added] == [(3, 90.0), (4, 91.0)]
        assert {(m.recorded_by, m.note, m.revision) for m in added} == {("ben", "second strip", 1)}
        assert [m.replicate for m in first + apart] == [1, 5]
        with database.read() as tx:
            record = tx.experiments.get(experiment_id)
        assert record is not None
        assert record.replicates() == {OUTCOME: (80.0, 84.0, 90.0, 91.0), "modulus": (2.0, 3.0)}

    def test_a_correction_supersedes(
        self, database: Database, campaign: CampaignRecord, experiment_id: int
    ) -> None:
        with database.write("correct") as tx:
            second = tx.measurements.correct(experiment_id, OUTCOME, 1, 81.0, note="typing error")
            third = tx.measurements.correct(experiment_id, OUTCOME, 1, 82.0)
            every = tx.measurements.all(experiment_id)
            record = tx.experiments.get(experiment_id)
            assert tx.measurements.count(campaign.id) == 2
        assert [(m.replicate, m.revision, m.value) for m in every] == [
            (1, 1, 80.0),
            (1, 2, 81.0),
            (1, 3, 82.0),
            (2, 1, 84.0),
        ]
        assert [m.supersedes_id for m in every] == [None, every[0].id, second.id, None]
        assert record is not None
        assert record.measurements == (third, every[3])

    def test_nothing_to_correct(self, database: Database, experiment_id: int) -> None:
        with database.write("correct") as tx, pytest.raises(ConflictError, match="replicate 3"):
            tx.measurements.correct(experiment_id, OUTCOME, 3, 1.0)


class TestMicrographs:
    def test_round_trip(
        self, database: Database, campaign: CampaignRecord, experiment_id: int
    ) -> None:
        with database.write("log") as tx:
            plain = tx.micrographs.add(
                experiment_id,
                sha256=SHA,
                path="aa/a.tif",
                original_name="41a.tif",
                width_px=1280,
                height_px=1024,
                n_bytes=5_000_000_000,
            )
            told = tx.micrographs.add(
                experiment_id,
                sha256="b" * 64,
                path="bb/b.tif",
                original_name="41b.tif",
                width_px=1280,
                height_px=1024,
                n_bytes=17,
                nm_per_pixel=12.5,
                nm_per_pixel_source="scale bar",
                rotation_axis="horizontal",
                crop=(0, 0, 1280, 960),
                statistics={"porosity": 0.8, "diameters_nm": [410.0, 388.5]},
            )
        with database.read() as tx:
            record = tx.experiments.get(experiment_id)
            assert record is not None
            assert list(record.micrographs) == [plain, told] == tx.micrographs.list(experiment_id)
            assert tx.micrographs.find(campaign.id, SHA) == plain
            assert tx.micrographs.find(campaign.id, "c" * 64) is None
            assert tx.micrographs.find(campaign.id + 1, SHA) is None
        assert plain.crop is None
        assert plain.statistics is None
        assert told.crop == (0, 0, 1280, 960)
        assert told.statistics == {"porosity": 0.8, "diameters_nm": [410.0, 388.5]}


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
            assert tx.batches.list(campaign.id) == [batch]
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
            records = tx.models.list(campaign.id)
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
            assert tx.sources.list(campaign.id) == [own, shared]
            assert tx.sources.list(other.id) == tx.sources.list(None) == [shared]
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
            assert tx.sources.list(campaign.id) == [again]
            assert tx.sources.list(campaign.id, watermark=before) == [first]
            with pytest.raises(ConflictError, match="no source 1 in use"):
                tx.sources.remove(first.id)

    @pytest.mark.parametrize("changes", [{"name": ""}, {"fingerprint": "a"}, {"kind": "pickle"}])
    def test_what_cannot_be_is_refused(
        self, database: Database, campaign: CampaignRecord, changes: dict[str, object]
    ) -> None:
        with pytest.raises(ConflictError):
            add_source(database, campaign.id, **{"name": "older", **changes})  # type: ignore[arg-type]


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
            assert tx.experiments.list(campaign.id) == []
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


Attempt = Callable[[Transaction, CampaignRecord, int], object]

IMPOSSIBLE: dict[str, tuple[Attempt, str]] = {
    "a label twice": (
        lambda tx, c, _: tx.experiments.add(
            c, [NewExperiment(Origin.IMPORT, Status.COMPLETED, label="M1")]
        ),
        "experiment of that label",
    ),
    "an unknown origin": (
        lambda tx, c, _: tx.experiments.add(c, [NewExperiment("heaven", Status.RUNNING)]),  # type: ignore[arg-type]
        "origin",
    ),
    "an unknown status": (
        lambda tx, c, _: tx.experiments.add(c, [NewExperiment(Origin.MANUAL, "done")]),  # type: ignore[arg-type]
        "status",
    ),
    "a failed run without its kind": (
        lambda tx, c, _: tx.experiments.add(c, [NewExperiment(Origin.MANUAL, Status.FAILED)]),
        "needs its kind of failure",
    ),
    "a condition that is no number": (
        lambda tx, _, id_: tx.experiments.set_actual(id_, {"voltage": math.nan}),
        "condition",
    ),
    "an infinite condition": (
        lambda tx, _, id_: tx.experiments.set_actual(id_, {"voltage": -math.inf}),
        "condition is infinite",
    ),
    "a value that is no number": (
        lambda tx, _, id_: tx.measurements.add(id_, OUTCOME, [math.nan]),
        "value",
    ),
    "an infinite value": (
        lambda tx, _, id_: tx.measurements.add(id_, OUTCOME, [math.inf]),
        "measured value is infinite",
    ),
    "a replicate twice": (
        lambda tx, _, id_: tx.measurements.add(id_, OUTCOME, [1.0], first_replicate=2),
        "recorded already",
    ),
    "a replicate 0": (
        lambda tx, _, id_: tx.measurements.add(id_, OUTCOME, [1.0], first_replicate=0),
        "count from 1",
    ),
    "a measurement of nothing": (
        lambda tx, _, id_: tx.measurements.add(id_ + 100, OUTCOME, [1.0]),
        "names another one that does not exist",
    ),
    "a picture twice": (
        lambda tx, _, id_: [add_picture(tx, id_), add_picture(tx, id_)],
        "micrograph already",
    ),
    "a picture without size": (
        lambda tx, _, id_: add_picture(tx, id_, width_px=0),
        "picture has no size",
    ),
    "a short hash": (lambda tx, _, id_: add_picture(tx, id_, sha256="abc"), "sha256"),
    "a crop box outside": (
        lambda tx, _, id_: add_picture(tx, id_, crop=(0, 0, 11, 10)),
        "crop box",
    ),
    "a pixel size from nowhere": (
        lambda tx, _, id_: add_picture(tx, id_, nm_per_pixel=5.0),
        "where it was read from",
    ),
    "an interval upside down": (
        lambda tx, c, _: add_batch(tx, c, proposal(1, predictions={OUTCOME: (1.0, 2.0, 0.0)})),
        "lower end lies above",
    ),
    "a certain interval": (
        lambda tx, c, _: add_batch(tx, c, proposal(1, level=1.0)),
        "between 0 and 1",
    ),
    "a probability above 1": (
        lambda tx, c, _: add_batch(tx, c, proposal(1, p_success=1.1)),
        "probability of success",
    ),
    "one place for two": (
        lambda tx, c, _: add_batch(tx, c, proposal(1), proposal(1)),
        "one place in the order",
    ),
    "a near one that is not there": (
        lambda tx, c, _: add_batch(tx, c, proposal(1, nearest_experiment_id=4711)),
        "does not exist",
    ),
    "a revision of another campaign": (
        lambda tx, c, _: tx.experiments.add(
            CampaignRecord(
                c.id, c.name, c.revision_id + 1, 2, {}, is_active=True, created_at=c.created_at
            ),
            [NewExperiment(Origin.MANUAL, Status.RUNNING)],
        ),
        "does not exist",
    ),
}


def add_picture(tx: Transaction, experiment_id: int, **changes: object) -> object:
    fields: dict[str, object] = {
        "sha256": SHA,
        "path": "a",
        "original_name": "a",
        "width_px": 10,
        "height_px": 10,
        "n_bytes": 10,
    }
    return tx.micrographs.add(experiment_id, **{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(("attempt", "message"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_wrong_rows_are_impossible(
    database: Database,
    campaign: CampaignRecord,
    experiment_id: int,
    attempt: Attempt,
    message: str,
) -> None:
    with database.read() as tx:
        before = (tx.watermark(), tx.experiments.list(campaign.id))
    with pytest.raises(ConflictError, match=message), database.write("try") as tx:
        attempt(tx, campaign, experiment_id)
    with database.read() as tx:
        assert (tx.watermark(), tx.experiments.list(campaign.id)) == before


def test_reading_takes_as_many_queries_for_many_as_for_one(
    database: Database, campaign: CampaignRecord
) -> None:
    def n_statements() -> int:
        executed: list[str] = []

        def count(*arguments: Any) -> None:
            executed.append(arguments[2])

        event.listen(database._engine, "before_cursor_execute", count)
        with database.read() as tx:
            tx.experiments.list(campaign.id, watermark=tx.watermark())
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


def test_stages_are_apart(database: Database, campaign: CampaignRecord) -> None:
    assert {Stage.PROPOSED, Stage.ACTUAL} == set(Stage)
    with database.write("propose") as tx:
        (id_,) = add_batch(tx, campaign, proposal(1))
        tx.experiments.set_actual(id_, {"voltage": 17.0})
        record = tx.experiments.get(id_)
    assert record is not None
    assert record.proposed == {"voltage": 17.0, "polymer": "PCL"}
    assert record.actual == {"voltage": 17.0}
