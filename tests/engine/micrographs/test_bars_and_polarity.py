"""Scale bars of stated length; dark fibres on bright ground: seen, said, turned round if stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from engine.errors import DataError, spell
from engine.lab.physics import Microstructure
from engine.lab.render import render
from engine.micrographs.barlabel import plain_font
from engine.micrographs.lengths import length_nm
from engine.micrographs.opened import open_micrograph
from engine.micrographs.scale import HowTaken


@pytest.fixture(scope="module")
def mat() -> NDArray[np.uint8]:
    values = (620.0, 0.2, 0.1, 0.85, 0.0, 0.2)
    structure = Microstructure(*(np.asarray(v) for v in values))
    return render(structure, np.random.default_rng(2), shape=(240, 320))


@pytest.fixture
def barred(tmp_path: Path, mat: NDArray[np.uint8]) -> Path:
    strip = np.zeros((30, 320), np.uint8)
    strip[12:16, 200:280] = 255
    strip[8:20:3, 20:90:4] = 255
    Image.fromarray(np.vstack([mat, strip])).save(tmp_path / "mat.png")
    return tmp_path / "mat.png"


def words(picture) -> str:
    return "; ".join(spell(warning, "cli") for warning in picture.warnings)


def test_a_bar_of_stated_length(barred: Path) -> None:
    picture = open_micrograph(barred, max_megapixels=1)
    assert picture.nm_per_pixel is None
    assert "a scale bar of 80 px (columns 200 to 280, row 252)" in words(picture)
    assert "--scale-bar" in words(picture)
    picture = open_micrograph(barred, HowTaken(scale_bar="2 um"), max_megapixels=1)
    assert picture.nm_per_pixel == pytest.approx(25.0)
    assert picture.scale_source == "scale bar of 80 px, stated to be 2 um"
    barred.with_suffix(".txt").write_text("DataSize=320x270\nPixelSize=30\n")
    assert open_micrograph(barred, max_megapixels=1).nm_per_pixel == 30.0
    picture = open_micrograph(barred, HowTaken(scale_bar="2,4 µm"), max_megapixels=1)
    assert picture.nm_per_pixel == pytest.approx(30.0)


@pytest.mark.parametrize("label", ["2 µm", "500 nm", "1.00um", "20 µm"])
def test_a_bar_whose_label_is_read(tmp_path: Path, mat: NDArray[np.uint8], label: str) -> None:
    strip = Image.new("L", (320, 44))
    pen = ImageDraw.Draw(strip)
    pen.text((120, 4), label, fill=255, font=plain_font(20))
    pen.rectangle((100, 34, 199, 37), fill=255)
    path = tmp_path / "mat.png"
    Image.fromarray(np.vstack([mat, np.asarray(strip)])).save(path)
    nm_per_pixel = (length_nm(label) or 0.0) / 100
    picture = open_micrograph(path, max_megapixels=1)
    assert picture.nm_per_pixel == pytest.approx(nm_per_pixel)
    assert "its label read as" in words(picture)
    # It decides between a cut-out and a scaled picture.
    sidecar = f"DataSize=640x568\nPixelSize={nm_per_pixel / 2}\n"
    path.with_suffix(".txt").write_text(sidecar)
    assert open_micrograph(path, max_megapixels=1).nm_per_pixel == pytest.approx(nm_per_pixel)
    path.with_suffix(".txt").write_text(sidecar.replace(str(nm_per_pixel / 2), "7"))
    picture = open_micrograph(path, max_megapixels=1)
    assert picture.nm_per_pixel is None
    assert "7 nm if it was cut out, 14 nm if it was scaled" in words(picture)


def test_a_bar_on_the_picture_itself(tmp_path: Path, mat: NDArray[np.uint8]) -> None:
    grey = np.minimum(mat, 230)
    grey[205:210, 220:300] = 255
    Image.fromarray(grey).save(tmp_path / "mat.png")
    picture = open_micrograph(tmp_path / "mat.png", HowTaken(scale_bar="1um"), max_megapixels=1)
    assert picture.nm_per_pixel == pytest.approx(12.5)


def test_no_bar_where_one_is_stated(tmp_path: Path, mat: NDArray[np.uint8]) -> None:
    Image.fromarray(mat).save(tmp_path / "mat.png")
    with pytest.raises(DataError, match="no scale bar is seen that would be 2 um long"):
        open_micrograph(tmp_path / "mat.png", HowTaken(scale_bar="2 um"), max_megapixels=1)


def test_dark_fibres(tmp_path: Path, mat: NDArray[np.uint8]) -> None:
    bright, dark = tmp_path / "bright.png", tmp_path / "dark.png"
    Image.fromarray(mat).save(bright)
    Image.fromarray(255 - mat).save(dark)
    picture = open_micrograph(bright, max_megapixels=1)
    assert "darker than their ground" not in words(picture)
    expected = picture.measure().statistics
    picture = open_micrograph(dark, max_megapixels=1)
    assert "fibres look darker than their ground" in words(picture)
    assert "--dark-fibres" in words(picture)
    picture = open_micrograph(dark, HowTaken(dark_fibres=True), max_megapixels=1)
    measured = picture.measure()
    assert measured.statistics.diameter.mean == pytest.approx(expected.diameter.mean, rel=0.02)
    assert measured.statistics.porosity == pytest.approx(expected.porosity, abs=0.01)
    assert picture.document(measured)["dark_fibres"] is True
    assert picture.warnings == ()


def test_real_pictures_have_bright_fibres(shared_data: Path) -> None:
    for path in [
        *sorted(shared_data.glob("sem_*/*.png"))[::9],
        *sorted(shared_data.glob("sem_zeiss/*.tif")),
    ]:
        assert "darker" not in words(open_micrograph(path, max_megapixels=100))
