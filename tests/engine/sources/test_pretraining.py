"""`engine pretrain`: all sources into one checkpoint, made champion whole or not at all."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from db.records import ModelKind, ModelStatus
from db.repository import Models
from engine.sources.pretraining import PretrainRequest, pretrain
from engine.workspace import Workspace
from surrogate.matmcl.checkpoint import load_checkpoint, read_card

Engine = Callable[..., Any]
ALONG = "fracture_strength.longitudinal"
QUICK = ("--from", "scratch", "--steps", "12")


@pytest.fixture
def table(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    voltage, flow = rng.uniform(14, 24, 48).round(1), rng.uniform(0.2, 0.8, 48).round(2)
    strength = np.exp(0.1 * voltage - flow + 0.05 * rng.standard_normal(48))
    lines = ["voltage,flow_rate,fracture_strength.longitudinal"]
    lines += [f"{v},{f},{s:.4f}" for v, f, s in zip(voltage, flow, strength, strict=True)]
    path = folder / "old.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def old(engine: Engine, table: Path) -> str:
    assert engine("source", "add", "old", "--table", table).exit_code == 0
    return "old"


def models(folder: Path) -> list[str]:
    home = folder / "spinneret-data" / "models"
    return sorted(os.listdir(home)) if home.is_dir() else []


def quiet(
    stage: str, completed: int = 0, total: int = 0, numbers: Mapping[str, float] | None = None
) -> None:
    assert stage
    assert completed <= total


def champions(folder: Path) -> list[tuple[int, ModelStatus, int | None]]:
    with Workspace.open(folder / "config.toml") as workspace, workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        return [(one.id, one.status, one.parent_id) for one in tx.models.all_of(record.id)]


class TestPretrain:
    def test_a_champion_and_the_next(self, engine: Engine, old: str, folder: Path) -> None:
        answer = engine("pretrain", *QUICK, "--json")
        assert answer.exit_code == 0, answer.err
        told = answer.json
        checkpoint = folder / "spinneret-data" / told["artifact"]
        card = read_card(checkpoint)
        assert card.sha256 == told["sha256"]
        assert card.sources == ("old",)
        assert card.data_watermark == told["watermark"]
        assert load_checkpoint(checkpoint, parts="table").sources == ("old",)
        assert set(told["metrics"]["r2_held_out"]["old"]) == {ALONG}
        (source,) = told["metrics"]["sources"]
        assert (source["runs"], source["held_out_runs"]) == (48, 7)
        again = engine("pretrain", "--from", checkpoint, "--steps", "2", "--json").json
        assert again["retired"] == told["model"]
        assert champions(folder) == [(1, ModelStatus.RETIRED, None), (2, ModelStatus.CHAMPION, 1)]
        assert len(models(folder)) == 2
        assert "model 3 is the champion" in engine("pretrain", *QUICK).out

    def test_new_words_of_a_second_stage(self, engine: Engine, folder: Path) -> None:
        (folder / "composite.toml").write_text(COMPOSITE, encoding="utf-8")
        assert engine("campaign", "create", "--file", "composite.toml").exit_code == 0
        (folder / "mats.csv").write_text(MATS, encoding="utf-8")
        words = ("--map", f"composite_strength={ALONG}", "--map", "drive=V")
        answer = engine("source", "add", "mats", "--table", "mats.csv", *words, "--json")
        assert answer.exit_code == 0, answer.err
        done = engine("pretrain", *QUICK, "--json").json
        assert "fibre_content" in done["metrics"]["parameters"]
        card = read_card(folder / "spinneret-data" / done["artifact"])
        assert card.extra["names"] == {
            "parameters": {"drive": "voltage"},
            "outcomes": {"composite_strength": ALONG},
        }
        assert "toughness" in card.vocabulary.outcomes

    def test_simulated_labs(self, engine: Engine, folder: Path) -> None:
        assert engine("source", "add", "labs", "--simulated", "--labs", "3").exit_code == 0
        done = engine("pretrain", "--from", "scratch", "--steps", "2", "--json")
        assert done.exit_code == 0, done.err
        assert done.json["metrics"]["replayed_labs"] == 3
        card = read_card(folder / "spinneret-data" / done.json["artifact"])
        assert card.sources == ("ensemble",)

    def test_micrographs_become_tiles(
        self, engine: Engine, folder: Path, other: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rng = np.random.default_rng(0)
        with monkeypatch.context() as elsewhere:
            elsewhere.chdir(other)
            for run in range(1, 4):
                picture = folder / f"{run}.png"
                grey = rng.integers(0, 60000, (300, 400), dtype=np.uint16)
                Image.fromarray(grey).save(picture)
                assert engine("log", run, "--micrograph", picture).exit_code == 0
        words = ("--database", other, "--nm-per-pixel", "50")
        assert engine("source", "add", "a", *words).exit_code == 0
        done = engine("pretrain", "--from", "scratch", "--steps", "1", "--json")
        assert done.exit_code == 0, done.err
        (source,) = done.json["metrics"]["sources"]
        assert (source["runs"], source["tiles"]) == (12, 12)


class TestWholeOrNotAtAll:
    def test_interrupted_and_taken_up_again(self, old: str, folder: Path) -> None:
        def interrupt(stage: str, completed: int = 0, *_: object) -> None:
            if stage == "training" and completed == 10:
                os.kill(os.getpid(), signal.SIGINT)

        asked = PretrainRequest(start="scratch", steps=20)
        with Workspace.open(folder / "config.toml") as workspace:
            with pytest.raises(KeyboardInterrupt):
                pretrain(workspace, asked, interrupt)
            assert models(folder) == [".pretraining-1"]
            assert champions(folder) == []
            resumed = PretrainRequest(start="scratch", steps=20, resume=True)
            first = pretrain(workspace, resumed, quiet)
            whole = pretrain(workspace, asked, quiet)
        assert first.sha256 == whole.sha256  # the cards differ in their watermarks
        assert models(folder) == sorted(Path(one.artifact).name for one in (first, whole))

    def test_a_failure_leaves_the_old_champion(
        self, engine: Engine, old: str, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert engine("pretrain", *QUICK).exit_code == 0
        before = models(folder), champions(folder)

        def fail(*_: object, **__: object) -> int:
            raise RuntimeError("power cut")

        monkeypatch.setattr(Models, "add", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            engine("pretrain", *QUICK, "--seed", "1")
        monkeypatch.undo()
        kept, rows = before
        assert [name for name in models(folder) if not name.startswith(".")] == kept
        assert champions(folder) == rows
        with Workspace.open(folder / "config.toml") as workspace, workspace.database.read() as tx:
            champion = tx.models.champion(1, ModelKind.SURROGATE)
        assert champion is not None
        assert (folder / "spinneret-data" / champion.artifact_path).is_dir()

    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (("--source", "odl"), 1, "Did you mean 'old'"),
            (("--from", "nowhere"), 2, "expected starter, scratch or a checkpoint's folder"),
            (("--from", "."), 1, "expected a checkpoint"),
            (("--from", "pickled"), 1, "pickle"),
            (("--resume",), 2, "no interrupted training"),
            (("--device", "cuda:7"), 1, "GPU"),
            (("--device", "abacus"), 1, "device"),
        ],
    )
    def test_what_cannot_be_leaves_nothing(
        self, engine: Engine, old: str, folder: Path, words: tuple[str, ...], code: int,
        message: str,
    ) -> None:  # fmt: skip
        (folder / "pickled").mkdir()
        (folder / "pickled" / "model.pt").write_bytes(pickle.dumps({"a": 1}))
        start = () if "--from" in words else QUICK
        answer = engine("pretrain", *start, *words)
        assert (answer.exit_code, message in answer.err) == (code, True), answer.err
        assert [name for name in models(folder) if not name.startswith(".")] == []
        assert champions(folder) == []

    def test_without_a_source(self, engine: Engine) -> None:
        answer = engine("pretrain")
        assert (answer.exit_code, "engine source add" in answer.err) == (2, True)


COMPOSITE = """
[campaign]
name = "composite"
[[campaign.parameters]]
name = "drive"
unit = "kV"
low = 10.0
high = 25.0
[[campaign.parameters]]
name = "fibre_content"
unit = "%"
low = 5.0
high = 40.0
[[campaign.properties]]
name = "composite_strength"
unit = "MPa"
[[campaign.properties]]
name = "toughness"
[[campaign.objectives]]
outcome = "composite_strength"
threshold = 5.0
"""
MATS = """V [kV],fibre_content [%],fracture_strength.longitudinal,toughness
12,10,5,1
14,20,9,2
18,30,12,2
22,15,8,3
"""
