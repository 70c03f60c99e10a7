"""One way into a picture: its file is decoded once, and what is drawn of it is written whole."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import DataError, NotFoundError, UsageError
from engine.micrographs.opened import open_micrograph
from engine.micrographs.overlay import show
from engine.micrographs.scale import HowTaken
from engine.micrographs.thumbnails import rendition
from engine.workspace import Workspace


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A micrograph 96 × 80, with a data bar of 16 rows below."""
    grey = np.random.default_rng(0).integers(30, 226, (80, 96)).astype(np.uint8)
    grey[64:] = 0
    Image.fromarray(grey).save(tmp_path / "mat.png")
    return tmp_path / "mat.png"


def test_all_that_is_to_be_known_of_a_picture(picture: Path, decoded: list[str]) -> None:
    opened = open_micrograph(picture, HowTaken(5.0, "y"), max_megapixels=1)
    assert (opened.grey.shape, opened.crop) == ((80, 96), (0, 0, 96, 64))
    assert (opened.inside.shape, opened.upright.shape) == ((64, 96), (96, 64))
    assert (opened.upright == opened.inside.T).all()
    assert (opened.nm_per_pixel, opened.require_scale()) == (5.0, 5.0)
    assert decoded == ["mat.png"]
    known = open_micrograph(picture, max_megapixels=1, crop=(0, 0, 96, 40))
    assert (known.inside.shape, known.nm_per_pixel) == ((40, 96), None)
    with pytest.raises(DataError, match=r"mat\.png: nobody wrote its scale; state nm_per_pixel"):
        known.require_scale()
    with pytest.raises(DataError, match="nothing is left inside its crop box"):
        _ = dataclasses.replace(known, crop=(9, 9, 9, 9)).inside


def test_what_cannot_be_opened(picture: Path) -> None:
    with pytest.raises(NotFoundError, match=r"gone\.png: no such micrograph"):
        open_micrograph(picture.with_name("gone.png"), max_megapixels=1)
    with pytest.raises(DataError, match="got a folder"):
        open_micrograph(picture.parent, max_megapixels=1)
    with pytest.raises(UsageError, match="nm_per_pixel: expected a size above 0 nm"):
        open_micrograph(picture, HowTaken(-1.0), max_megapixels=1)
    with pytest.raises(DataError, match="my mat: expected at most"):
        open_micrograph(picture, max_megapixels=0.001, name="my mat")


@pytest.fixture
def kept(engine, picture: Path) -> int:
    settings = ["flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400"]
    assert engine("log", "--new", *settings, "--micrograph", picture).exit_code == 0
    return 1


def test_a_fresh_picture_asked_by_eight_threads(
    folder: Path, workspace: Workspace, kept: int
) -> None:
    def ask(_: int) -> tuple[bytes, bytes]:
        return rendition(workspace, kept, 320).read_bytes(), show(
            workspace, kept
        ).overlay.read_bytes()

    with ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(ask, range(8)))
    for name in {content for pair in contents for content in pair}:
        assert name.startswith(b"\x89PNG")
        assert name.endswith(b"IEND\xaeB`\x82")
    assert len(set(contents)) == 1
    left = [path.name for path in (folder / "spinneret-data").rglob("*") if path.is_file()]
    assert [name for name in left if "draft" in name] == []
