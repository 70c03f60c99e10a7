"""A toy generator (16 × 16, two steps) in place of the starter."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.previews.make_starter import make_starter
from engine.previews.training import Recipe
from generator.config import GeneratorConfig, TrainingSettings

SHAPE = GeneratorConfig(
    side_px=16, nm_per_pixel=120.0, fold=2, channels=(8, 16), attention=(False, True),
    condition_dim=8, embedding_dim=8, prior_width=16, prior_depth=1,
)  # fmt: skip
BRIEF = TrainingSettings(
    steps=2, batch=4, warmup=0, device="cpu", precision="no", checkpoint_every=1, report_every=1
)
RECIPE = Recipe(SHAPE, BRIEF, BRIEF)


def make_toy(folder: Path, work: Path, seed: int = 1) -> str:
    """Train a toy and return its SHA-256."""
    return make_starter(
        folder, work, standard=8, wide=3, encoder_steps=2, recipe=RECIPE, seed=seed, command="toy"
    )


@pytest.fixture(scope="session")
def made_toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a toy, made once."""
    place = tmp_path_factory.mktemp("toy")
    make_toy(place / "starter", place / "work")
    return place / "starter"


@pytest.fixture(scope="session", name="make_toy")
def _make_toy() -> Callable[..., str]:
    """Return what trains a toy."""
    return make_toy


@pytest.fixture
def toy_recipe() -> Recipe:
    """Return how a toy is trained."""
    return RECIPE


@pytest.fixture
def toy(made_toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a toy of one's own, which serves as the starter."""
    folder = Path(shutil.copytree(made_toy, tmp_path / "starter"))
    monkeypatch.setattr("engine.previews.serving_generator.STARTER", folder)
    monkeypatch.setenv("SPINNERET_GENERATOR__PRETRAINED", "auto")
    return folder
