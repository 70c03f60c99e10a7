"""A generator trained on from a lab's own micrographs: registered whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.records import ModelKind, ModelStatus, NewExperiment, Origin, Status
from engine.errors import ModelError
from engine.lab.virtual import VirtualLab
from engine.micrographs import store_micrograph
from engine.previews.fine_tuning import FEWEST, FineTuning, fine_tune_generator
from engine.previews.serving import serving_generator
from engine.workspace import Workspace

BRIEF = FineTuning(prior_steps=2, unet_steps=2, seed=1, device="cpu")


@pytest.fixture
def pictured(folder: Path, toy: Path) -> Path:
    """Return a workspace whose finished runs have micrographs."""
    lab, rng = VirtualLab(), np.random.default_rng(5)
    with Workspace.open(folder / "config.toml") as workspace:
        with workspace.database.write("test") as tx:
            record, _ = workspace.active_campaign(tx)
            rows = [
                {p.name: float(rng.choice(p.levels or ())) for p in lab.campaign.controlled}
                for _ in range(FEWEST)
            ]
            new = [NewExperiment(Origin.MANUAL, Status.COMPLETED, actual=row) for row in rows]
            ids = tx.experiments.add(record, new)
        for id_ in ids:
            path = folder / f"{id_}.png"
            Image.fromarray(rng.integers(0, 256, (48, 48), dtype=np.uint8)).save(path)
            stored = store_micrograph(path, workspace.data_dir, max_megapixels=9.0)
            with workspace.database.write("test") as tx:
                tx.micrographs.add(
                    id_, sha256=stored.sha256, path=stored.path, original_name="x.png",
                    width_px=48, height_px=48, n_bytes=stored.n_bytes, nm_per_pixel=60.0,
                    nm_per_pixel_source="stated",
                )  # fmt: skip
    return folder


def test_the_new_one_serves_when_it_is_champion(pictured: Path, engine) -> None:
    with Workspace.open(pictured / "config.toml") as workspace:
        made = fine_tune_generator(
            workspace, BRIEF, status=ModelStatus.CHAMPION, replayed=4, tell=lambda _: None
        )
        with workspace.database.read() as tx:
            record, _ = workspace.active_campaign(tx)
            (row,) = tx.models.list(record.id)
            serving = serving_generator(workspace, tx, record.id)
    assert (row.kind, row.sha256) == (ModelKind.GENERATOR, made.sha256)
    assert made.n_micrographs == FEWEST
    assert serving is not None
    assert serving.model_version_id == made.model_id
    answer = engine("preview", "--set", "voltage=18", "--json")
    assert answer.exit_code == 0, answer.err
    assert answer.json["generator"] == made.sha256


def test_too_few_micrographs(folder: Path, toy: Path) -> None:
    with (
        Workspace.open(folder / "config.toml") as workspace,
        pytest.raises(ModelError, match="expected at least 8 micrographs"),
    ):
        fine_tune_generator(workspace, BRIEF, replayed=4)


def test_a_full_disk_leaves_nothing(
    pictured: Path, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("generator.storing.os.fsync", full)
    monkeypatch.setattr("surrogate.matmcl.storing.os.fsync", full)
    with Workspace.open(pictured / "config.toml") as workspace:
        with pytest.raises(ModelError, match="No space left"):
            fine_tune_generator(workspace, BRIEF, replayed=4)
        assert list((workspace.data_dir / "models").iterdir()) == []
        with workspace.database.read() as tx:
            record, _ = workspace.active_campaign(tx)
            assert tx.models.list(record.id) == []
