"""A generator trained on from a lab's own micrographs: judged, registered whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.records import (
    ModelKind,
    ModelStatus,
    NewExperiment,
    Origin,
    RefreshOutcome,
    RefreshRunRecord,
    Status,
)
from engine.errors import DataError, StateError
from engine.jobs.kinds import TASK_HANDLERS
from engine.lab.virtual import VirtualLab
from engine.micrographs.store import store_micrograph
from engine.previews import fine_tuning
from engine.previews.fine_tuning import FEWEST
from engine.previews.serving_generator import Serving, serving_generator
from engine.refresh.request import RefreshRequest
from engine.refresh.run import refresh
from engine.workspace import Workspace
from surrogate.progress import silent

BRIEF = RefreshRequest(kind=ModelKind.GENERATOR, steps=2, seed=1, device="cpu")


@pytest.fixture(autouse=True)
def few_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.previews.fine_tuning.draw_lessons", _few)


def _few(*args: object, **options: object) -> object:
    from engine.previews.lessons import draw_lessons

    return draw_lessons(*args, **{**options, "standard": 4})  # type: ignore[arg-type]


@pytest.fixture
def pictured(folder: Path, toy: Path) -> Iterator[Workspace]:
    """Yield a workspace whose finished runs have micrographs."""
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
        yield workspace


def losses(monkeypatch: pytest.MonkeyPatch, before: float, after: float) -> None:
    told = iter([before, after])
    monkeypatch.setattr(fine_tuning, "_loss", lambda *_: next(told))


def serving(workspace: Workspace) -> Serving | None:
    with workspace.database.read() as tx:
        return serving_generator(workspace, tx, workspace.active_campaign(tx)[0].id)


def last_run(workspace: Workspace) -> RefreshRunRecord:
    with workspace.database.read() as tx:
        return tx.refreshes.find(workspace.active_campaign(tx)[0].id, ModelKind.GENERATOR)[0]


def test_a_better_one_serves_and_rolls_back_when_altered(
    pictured: Workspace, engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses(monkeypatch, 0.5, 0.4)
    heard: list[str] = []
    done = refresh(pictured, BRIEF, lambda what, *_: heard.append(what))
    assert done.outcome is RefreshOutcome.PROMOTED
    assert {"reading micrographs", "prior", "unet"} <= set(heard)
    found = serving(pictured)
    assert found is not None
    assert found.model_version_id == done.model_id
    answer = engine("preview", "--set", "voltage=18", "--json")
    assert answer.exit_code == 0, answer.err
    with pictured.database.read() as tx:
        row = tx.models.get(done.model_id or 0)
    assert row is not None
    assert answer.json["generator"] == row.sha256
    assert (row.seed, row.metrics["loss_after"]) == (1, 0.4)
    weights = next((pictured.data_dir / row.artifact_path).rglob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    found = serving(pictured)
    assert found is not None
    assert found.model_version_id is None


def test_a_worse_one_does_not_serve(pictured: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    losses(monkeypatch, 0.4, 0.5)
    done = refresh(pictured, BRIEF)
    assert done.outcome is RefreshOutcome.REJECTED
    found = serving(pictured)
    assert found is not None
    assert found.model_version_id is None
    with pictured.database.read() as tx:
        row = tx.models.get(done.model_id or 0)
    assert row is not None
    assert row.status is ModelStatus.REJECTED
    assert last_run(pictured).outcome is RefreshOutcome.REJECTED


def test_the_loss_is_that_of_held_out_micrographs(pictured: Workspace) -> None:
    report = refresh(pictured, BRIEF).report["generator"]
    assert (report["micrographs"], report["held_out"]) == (FEWEST, 1)
    assert 0 < report["loss_before"] < 10
    assert report["loss_after"] != report["loss_before"]


def test_it_stops_when_asked_and_says_so(pictured: Workspace) -> None:
    done = refresh(pictured, BRIEF, should_stop=lambda: True)
    assert done.outcome is RefreshOutcome.INTERRUPTED
    assert last_run(pictured).outcome is RefreshOutcome.INTERRUPTED


def test_the_scheduler_trains_it_on_when_micrographs_came(
    pictured: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses(monkeypatch, 0.5, 0.4)
    brief = partial(fine_tuning.FineTuning, prior_steps=2, unet_steps=2)
    monkeypatch.setattr(fine_tuning, "FineTuning", brief)

    def job(workspace: Workspace) -> str:
        handler = TASK_HANDLERS["schedule.generator"]
        return str(handler(workspace, {}, silent, lambda: False)["summary"])

    assert job(pictured) == f"not due: {FEWEST} micrographs are new"
    monkeypatch.setenv("SPINNERET_REFRESH__MIN_NEW_MICROGRAPHS", str(FEWEST))
    with Workspace.open(folder / "config.toml") as workspace:
        assert "promoted: loss on" in job(workspace)
    assert last_run(pictured).trigger == "schedule"
    assert job(pictured) == "not due: 0 micrographs are new"


def test_too_few_micrographs(folder: Path, toy: Path, engine) -> None:
    with (
        Workspace.open(folder / "config.toml") as workspace,
        pytest.raises(StateError, match="expected at least 8 micrographs"),
    ):
        refresh(workspace, BRIEF)
    dry = engine("refresh", "--kind", "generator", "--dry-run")
    assert dry.exit_code == 0
    assert "expected at least 8 micrographs" in dry.err
    assert engine("refresh", "--kind", "generator", "--full").exit_code == 2


def test_a_full_disk_leaves_nothing(pictured: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.registry.files.place_folder", full)
    with pytest.raises(DataError, match="disk is full"):
        refresh(pictured, BRIEF)
    models = pictured.data_dir / "models"
    assert [one for one in models.iterdir() if not one.name.startswith(".refresh-")] == []
    with pictured.database.read() as tx:
        assert tx.models.all_of(pictured.active_campaign(tx)[0].id) == []
    assert last_run(pictured).outcome is RefreshOutcome.FAILED
