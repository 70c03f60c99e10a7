"""A campaign that does not spin: no picture of a mat, no simulated lab, and one word of why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.records import ModelKind, NewExperiment, Origin, Status
from engine.loop import propose, read_snapshot, replay
from engine.propose.request import ProposeRequest
from engine.refresh.plan import plan
from engine.refresh.request import RefreshRequest
from engine.sources import serving_surrogate
from engine.sources.serving_surrogate import STARTER, knowing_folder
from engine.workspace import Workspace
from engine.workspace.init import initialise

WHY = "not electrospinning's"

STEEL = """
[campaign]
name = "steel"
parameters = [
  { name = "c", unit = "wt%", low = 0.05, high = 1.2 },
  { name = "mn", unit = "wt%", low = 0.2, high = 2.0 },
  { name = "w", unit = "wt%", low = 0.0, high = 18.0 },
  { name = "temperature", unit = "°C", low = 100.0, high = 900.0, step = 50.0 },
]
properties = [
  { name = "fracture_strength", unit = "MPa" },
  { name = "elongation", unit = "%" },
]
objectives = [
  { outcome = "fracture_strength", threshold = 300.0 },
  { outcome = "elongation", threshold = 5.0 },
]
"""


@pytest.fixture
def steel(folder: Path, toy: Path) -> Path:
    """Return a fresh workspace of a steel campaign, where a generator and the starter lie ready."""
    assert toy.is_dir()
    for file in folder.iterdir():
        if file.is_file():
            file.unlink()
    (folder / "config.toml").write_text(STEEL, encoding="utf-8")
    initialise(folder / "config.toml")
    return folder


def fill(workspace: Workspace, n: int) -> None:
    rng = np.random.default_rng(1)
    runs = []
    for _ in range(n):
        actual = {
            "c": float(rng.uniform(0.05, 1.2)),
            "mn": float(rng.uniform(0.2, 2.0)),
            "w": float(rng.uniform(0.0, 18.0)),
            "temperature": float(50 * rng.integers(2, 19)),
        }
        strength = 300.0 + 500.0 * actual["c"] + 0.2 * actual["temperature"]
        outcomes = {"fracture_strength": (strength,), "elongation": (40.0 - 20.0 * actual["c"],)}
        runs.append(
            NewExperiment(Origin.MANUAL, Status.COMPLETED, actual=actual, outcomes=outcomes)
        )
    with workspace.database.write("test") as tx:
        tx.experiments.add(workspace.active_campaign(tx)[0], runs)


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("strategy", ["matmcl", "gp", "sobol"])
@pytest.mark.usefixtures("steel")
def test_proposes_without_and_says_so_once(strategy: str, engine) -> None:
    words = ("propose", "--n", 2, "--seed", 7, "--strategy", strategy)
    answer = engine(*words, "--json")
    assert answer.exit_code == 0, answer.err
    document = answer.json
    assert [WHY in note for note in document["notes"]].count(True) == 1
    assert plain(answer.err).count(WHY) == 1
    assert (document["generator"], document["sheet"]) == (None, None)
    assert all("preview" not in proposal for proposal in document["proposals"])
    assert all(p["reason_kind"] == "space_filling" for p in document["proposals"])
    shown = engine(*words)
    assert plain(shown.out + shown.err).count(WHY) == 1


@pytest.mark.usefixtures("steel")
def test_previews_that_nobody_wants_are_not_spoken_of(engine, monkeypatch) -> None:
    words = ("propose", "--n", 1, "--seed", 7, "--strategy", "sobol")
    declined = engine(*words, "--no-preview")
    assert WHY not in plain(declined.out + declined.err)
    monkeypatch.setenv("SPINNERET_GENERATOR__PRETRAINED", "none")
    switched_off = engine(*words)
    assert WHY not in plain(switched_off.out + switched_off.err)


def test_previews_that_are_asked_for_are_refused(steel: Path, engine) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    Image.fromarray(grey).save(steel / "mine.png")
    for words in (
        ("propose", "--n", 1, "--strategy", "sobol", "--preview"),
        ("preview", "--set", "temperature=300"),
        ("preview", "--like", "mine.png", "--nm-per-pixel", 60),
    ):
        answer = engine(*words)
        assert answer.exit_code == 1
        assert "a preview is a picture of an electrospun mat" in plain(answer.err)
        assert plain(answer.err).count(WHY) == 1
    with Workspace.open(steel / "config.toml") as workspace, workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        assert tx.batches.all_of(record.id) == []
        assert tx.previews.all_of(record.id) == []


def test_matmcl_is_the_plain_gp_then(steel: Path) -> None:
    with Workspace.open(steel / "config.toml") as workspace:
        fill(workspace, 12)
        assert read_snapshot(workspace).checkpoint is None
        batches = {
            strategy: propose(
                workspace,
                ProposeRequest(n=2, seed=3, strategy=strategy, explore=True),
                record=False,
                preview=None,
            ).batch
            for strategy in ("matmcl", "gp")
        }
        settings = {
            strategy: [suggestion.conditions for suggestion in batch.suggestions]
            for strategy, batch in batches.items()
        }
        assert settings["matmcl"] == settings["gp"]
        assert batches["matmcl"].surrogate is None
        recorded = propose(
            workspace, ProposeRequest(n=2, seed=3, strategy="matmcl", explore=True), preview=None
        )
        assert recorded.batch_id is not None
        assert replay(workspace, recorded.batch_id).differences == ()


def checkpoint_of(workspace: Workspace) -> Path | None:
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        return knowing_folder(workspace, tx, record.id, campaign)


def test_simulated_labs_added_by_hand_serve(steel: Path, engine) -> None:
    answer = engine("source", "add", "labs", "--simulated", "--labs", 2, "--seed", 0)
    assert answer.exit_code == 0, answer.err
    with Workspace.open(steel / "config.toml") as workspace:
        assert checkpoint_of(workspace) == STARTER


@pytest.mark.parametrize(
    ("sources", "serves"),
    [
        (["ensemble"], False),
        (["ensemble", "own runs"], False),
        (["ensemble", "older steel"], True),
        (["older steel"], True),
    ],
)
def test_a_champion_serves_with_what_the_user_added(
    steel: Path, monkeypatch: pytest.MonkeyPatch, sources: list[str], serves: bool
) -> None:
    champion = steel / "champion"
    champion.mkdir()
    (champion / "matmcl.json").write_text(json.dumps({"sources": sources}), encoding="utf-8")
    monkeypatch.setattr(serving_surrogate, "serving_folder", lambda *_: champion)
    with Workspace.open(steel / "config.toml") as workspace:
        assert checkpoint_of(workspace) == (champion if serves else None)


def test_no_generator_is_trained_on(steel: Path) -> None:
    with Workspace.open(steel / "config.toml") as workspace:
        planned = plan(workspace, RefreshRequest(kind=ModelKind.GENERATOR))
    assert planned.problem is not None
    assert WHY in planned.problem


def test_no_surrogate_is_trained_on_for_nothing(steel: Path, engine) -> None:
    with Workspace.open(steel / "config.toml") as workspace:
        fill(workspace, 60)
        planned = plan(workspace, RefreshRequest())
    assert planned.problem is not None
    assert WHY in planned.problem
    refused = engine("refresh")
    assert refused.exit_code == 1
    assert plain(refused.err).count(WHY) == 1
    assert "engine source add" in plain(refused.err)
    with Workspace.open(steel / "config.toml") as workspace, workspace.database.read() as tx:
        assert tx.models.all_of(workspace.active_campaign(tx)[0].id) == []


def test_with_a_source_there_is_something_to_learn_from(steel: Path, engine) -> None:
    answer = engine("source", "add", "labs", "--simulated", "--labs", 2, "--seed", 0)
    assert answer.exit_code == 0, answer.err
    with Workspace.open(steel / "config.toml") as workspace:
        fill(workspace, 60)
        assert WHY not in (plan(workspace, RefreshRequest()).problem or "")
