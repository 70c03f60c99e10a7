"""`engine doctor`: what is wrong is found, what was left behind is removed, and nothing else."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from db.records import JobRecord, ModelKind
from engine.registry.files import FILES, keep
from engine.sources.serving_surrogate import starter_sha256
from engine.workspace import Workspace
from engine.workspace.leases import TRAINING, now, try_acquire

Engine = Callable[..., Any]
WORDS = ("flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400")


def levels(answer: Any) -> dict[str, str]:
    return {one["subject"]: one["level"] for one in answer.json["findings"]}


def add_champion(workspace: Workspace, text: str = "a") -> Path:
    kept = keep(
        workspace.data_dir,
        ModelKind.SURROGATE,
        lambda folder: (folder / "w").write_text(text, encoding="utf-8") and None,
    )
    with workspace.database.write("test") as tx:
        id_ = tx.models.add(
            1, kind=ModelKind.SURROGATE, artifact_path=kept.artifact, sha256=kept.digest,
            watermark=0, metrics={}, config={FILES: dict(kept.files)},
        )  # fmt: skip
        tx.models.promote(id_)
    return kept.folder


def test_all_is_fine(engine: Engine, folder: Path) -> None:
    with Workspace.open(folder / "config.toml") as workspace:
        add_champion(workspace)
    answer = engine("doctor", "--json")
    assert set(answer.json["findings"][0]) == {"subject", "level", "text", "fixed"}
    assert answer.exit_code == 0
    assert set(levels(answer).values()) == {"fine"}
    assert engine("doctor", "--quick").exit_code == 0
    assert "versions" in engine("doctor").out


@pytest.mark.parametrize("harm", ["deleted", "altered"])
def test_a_champion_that_is_not_as_it_was(engine: Engine, folder: Path, harm: str) -> None:
    with Workspace.open(folder / "config.toml") as workspace:
        place = add_champion(workspace)
    if harm == "deleted":
        shutil.rmtree(place)
    else:
        (place / "w").write_text("b", encoding="utf-8")
    answer = engine("doctor", "--json")
    assert (answer.exit_code, levels(answer)["models"]) == (1, "wrong")
    assert engine("doctor", "--fix").exit_code == 1  # what serves is a person's decision
    assert engine("models", "rollback").exit_code == 0
    assert engine("doctor").exit_code == 0


def test_leftovers_are_removed_and_nothing_else(engine: Engine, folder: Path) -> None:
    picture = folder / "41.png"
    Image.new("L", (48, 36), 7).save(picture)
    assert engine("log", "--new", *WORDS, "--micrograph", picture).exit_code == 0
    data = folder / "spinneret-data"
    with Workspace.open(folder / "config.toml") as workspace:
        champion = add_champion(workspace)
        keep(workspace.data_dir, ModelKind.GENERATOR, lambda f: (f / "w").touch())
    (data / "micrographs" / ".incoming-x").write_bytes(b"x")
    (data / "micrographs" / "aa").mkdir(exist_ok=True)
    (data / "micrographs" / "aa" / "aaaa.png").write_bytes(b"x")
    (data / "models" / ".new-x").mkdir()
    (data / "models" / ".surrogate.draft-1-1-1").mkdir()
    kept = {path for path in (data / "micrographs").rglob("*.png") if path.stem != "aaaa"}
    assert len(kept) == 1
    assert levels(engine("doctor", "--fix", "--json"))["models' leftovers"] == "fine"  # young
    answer = engine("doctor", "--fix", "--older-than", "0", "--json")
    assert answer.exit_code == 0
    fixed = [one["subject"] for one in answer.json["findings"] if one["fixed"]]
    assert fixed == ["models' leftovers", "pictures' leftovers"]
    assert os.listdir(data / "models") == [champion.name]
    assert {path for path in (data / "micrographs").rglob("*") if path.is_file()} == kept
    assert set(levels(engine("doctor", "--older-than", "0", "--json")).values()) == {"fine"}
    next(iter(kept)).unlink()
    assert levels(engine("doctor", "--json"))["pictures"] == "wrong"


def test_the_dead_are_let_go(engine: Engine, folder: Path) -> None:
    with Workspace.open(folder / "config.toml") as workspace:
        past = now() - timedelta(hours=1)
        lease = try_acquire(workspace.database, TRAINING, owner="elsewhere/1/1", clock=lambda: past)
        assert lease is not None
        with workspace.database.write("test") as tx:
            tx.refreshes.start(1, kind=ModelKind.SURROGATE, trigger="x", watermark=1, at=past)
    assert levels(engine("doctor", "--json"))["training"] == "look"
    assert engine("doctor", "--fix").exit_code == 0
    with Workspace.open(folder / "config.toml") as workspace, workspace.database.read() as tx:
        assert tx.leases.all() == ()
        assert tx.refreshes.running() == ()


def test_a_schedule_that_nobody_keeps(engine: Engine, folder: Path) -> None:
    with (
        Workspace.open(folder / "config.toml") as workspace,
        workspace.database.write("test") as tx,
    ):
        tx.schedule.put(JobRecord("backup", now() - timedelta(hours=2), {"function": "backup"}))
    answer = engine("doctor", "--json")
    assert (answer.exit_code, levels(answer)["schedule"]) == (1, "wrong")


def test_a_database_that_is_not_there_or_damaged(engine: Engine, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "spinneret.db")) as connection:
        connection.execute("DROP INDEX ix_experiments_campaign_id_id")
        connection.commit()
    answer = engine("doctor", "--json")
    assert (answer.exit_code, levels(answer)["soundness"]) == (1, "wrong")
    (folder / "spinneret.db").unlink()
    answer = engine("doctor", "--json")
    assert (answer.exit_code, levels(answer)["database"]) == (1, "wrong")


def test_a_data_folder_that_cannot_be_written(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.doctor.folders._can_write", lambda _: False)
    answer = engine("doctor", "--json")
    assert (answer.exit_code, levels(answer)["data folder"]) == (1, "wrong")


def test_embeddings_of_models_that_are_no_more(engine: Engine, folder: Path) -> None:
    with (
        Workspace.open(folder / "config.toml") as workspace,
        workspace.database.write("embed") as tx,
    ):
        tx.embeddings.add("a" * 64, {"b" * 64: [0.6, 0.8]})
        tx.embeddings.add(starter_sha256(), {"b" * 64: [0.6, 0.8]})
    kept = folder / "spinneret-data" / "embeddings"
    kept.mkdir(parents=True)
    (kept / "a.npz").write_bytes(b"of an older version")
    os.utime(kept, (1, 1))
    told = engine("doctor", "--json")
    found = {one["text"] for one in told.json["findings"] if one["subject"] == "embeddings"}
    assert found == {
        "2 of pictures, searched in memory",
        "1 by models that are no more: `engine doctor --fix` removes them",
    }
    assert kept.exists()
    assert engine("doctor", "--fix").exit_code == 0
    assert not kept.exists()
    with Workspace.open(folder / "config.toml") as workspace, workspace.database.read() as tx:
        assert tx.embeddings.count() == {starter_sha256(): 1}
