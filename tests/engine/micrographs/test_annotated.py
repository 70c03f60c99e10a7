"""What an overlay shows beside the mat: the scale bar as it was read, and what was cut away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from engine.bulk.picture import PictureTask, read_picture
from engine.errors import NotFoundError, spell
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.lab.physics import Microstructure
from engine.lab.render import render
from engine.micrographs.annotated import MARK, annotated, bar_picture
from engine.micrographs.barlabel import plain_font
from engine.micrographs.opened import open_micrograph
from engine.micrographs.overlay import measure_again
from engine.micrographs.scale import HowTaken
from engine.micrographs.thumbnails import bar_of, overlay_of

SETTINGS = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}


@pytest.fixture(scope="module")
def mat() -> NDArray[np.uint8]:
    values = (620.0, 0.2, 0.1, 0.85, 0.0, 0.2)
    structure = Microstructure(*(np.asarray(v) for v in values))
    return render(structure, np.random.default_rng(2), shape=(240, 320))


@pytest.fixture
def labelled(tmp_path: Path, mat: NDArray[np.uint8]) -> Path:
    strip = Image.new("L", (320, 44))
    pen = ImageDraw.Draw(strip)
    pen.text((120, 4), "2 µm", fill=255, font=plain_font(20))
    pen.rectangle((100, 34, 199, 37), fill=255)
    path = tmp_path / "labelled.png"
    Image.fromarray(np.vstack([mat, np.asarray(strip)])).save(path)
    return path


def test_the_bar_is_shown_where_it_was_read(labelled: Path) -> None:
    picture = open_micrograph(labelled, max_megapixels=1)
    drawn = bar_picture(picture)
    assert drawn is not None
    columns = np.flatnonzero((drawn == MARK).all(axis=2).any(axis=0))
    ends = columns[np.flatnonzero(np.diff(columns, prepend=-9) > 1)]
    # A hundred pixels between the marks, six times enlarged.
    assert ends.size == 2
    assert ends[1] - ends[0] == 600
    overlay = annotated(picture, picture.measure())
    assert overlay.shape[1] == 320
    assert overlay.shape[0] > 284  # all of the picture, and the bar below it
    stated = open_micrograph(labelled, HowTaken(nm_per_pixel=20.0), max_megapixels=1)
    assert bar_picture(stated) is None
    assert annotated(stated, stated.measure()).shape == (284, 320, 3)


def test_in_bulk_the_overlay_shows_the_bar(labelled: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "o" / "labelled.png"
    reading = read_picture(PictureTask(str(labelled), "labelled.png", overlay=str(overlay)))
    assert reading.problem is None
    assert reading.nm_per_pixel == pytest.approx(20.0)
    with Image.open(overlay) as drawn:
        assert drawn.height > 284


def test_kept_pictures(workspace, labelled: Path) -> None:
    run = record(workspace, Entry(conditions=SETTINGS, micrographs=(labelled,))).experiment
    picture = measure_again(workspace, [run.micrographs[0].id], HowTaken())[0]
    assert (picture.nm_per_pixel_source or "").startswith("scale bar of 100 px")
    with Image.open(bar_of(workspace, picture.id)) as drawn:
        assert drawn.width > 600
    overlay = overlay_of(workspace, picture.id)
    measure_again(workspace, [picture.id], HowTaken(nm_per_pixel=7.0))
    other = overlay_of(workspace, picture.id)
    assert not overlay.exists()
    with Image.open(other) as drawn:
        assert drawn.height == 284
    with pytest.raises(NotFoundError, match="by no scale bar"):
        bar_of(workspace, picture.id)


def test_much_cut_away_is_told(tmp_path: Path, mat: NDArray[np.uint8]) -> None:
    path = tmp_path / "framed.png"
    for n_rows, is_told in ((70, True), (24, False)):
        strip = np.zeros((n_rows, 320), np.uint8)
        strip[8:16:2, 20:90:4] = 255
        Image.fromarray(np.vstack([mat, strip])).save(path)
        picture = open_micrograph(path, max_megapixels=1)
        assert picture.crop is not None
        words = "; ".join(spell(warning, "cli") for warning in picture.warnings)
        assert ("% of the picture is taken for data bars" in words) is is_told
        # As recorded, it is told again; as stated, it is no surprise.
        kept = open_micrograph(path, max_megapixels=1, crop=picture.crop)
        assert ("left out" in str(kept.warnings)) is is_told
        stated = open_micrograph(path, HowTaken(crop=picture.crop), max_megapixels=1)
        assert "left out" not in str(stated.warnings)
        if is_told:
            assert "23 % of the picture" in words
            assert "--crop" in words
