"""What every database must do for measurements and micrographs."""

from __future__ import annotations

import pytest
from rows import OUTCOME, SHA

from db.errors import ConflictError
from db.records import CampaignRecord
from db.session import Database


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
            every = tx.measurements.all_of(experiment_id)
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
            assert list(record.micrographs) == [plain, told] == tx.micrographs.all_of(experiment_id)
            assert tx.micrographs.find(campaign.id, SHA) == plain
            assert tx.micrographs.find(campaign.id, "c" * 64) is None
            assert tx.micrographs.find(campaign.id + 1, SHA) is None
        assert plain.crop is None
        assert plain.statistics is None
        assert told.crop == (0, 0, 1280, 960)
        assert told.statistics == {"porosity": 0.8, "diameters_nm": [410.0, 388.5]}
