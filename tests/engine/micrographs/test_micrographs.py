from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image

from engine.errors import DataError, UsageError
from engine.micrographs.calibration import ScaleReading
from engine.micrographs.databar import find_crop
from engine.micrographs.layout import named_pictures
from engine.micrographs.reading import read_grey
from engine.micrographs.scale import read_scale
from generator.statistics import measure

SETTINGS = ["flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400"]


def mat(shape=(96, 128), seed=0):
    from engine.lab.physics import Microstructure
    from engine.lab.render import render

    values = (620.0, 0.2, 0.1, 0.78, 0.0, 0.2)
    structure = Microstructure(*(np.asarray(v) for v in values))
    return render(structure, np.random.default_rng(seed), shape=shape)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "41a.tif"
    Image.fromarray(mat()).save(path)
    return path


def files(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "I;16", "CMYK"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_every_kind_of_picture_is_read(tmp_path, mode, suffix):
    if (mode, suffix) == ("CMYK", "png"):
        pytest.skip("PNG has no CMYK")
    path, grey = tmp_path / f"a.{suffix}", mat()
    plain = Image.fromarray(grey)
    if mode == "I;16":
        plain = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        rgb = plain.convert("RGB")
        plain = rgb.quantize(64) if mode == "P" else rgb.convert(mode)
    plain.save(path)
    found = read_grey(path, max_megapixels=1)
    assert found.shape == grey.shape
    assert np.corrcoef(found.ravel(), grey.ravel())[0, 1] > 0.98


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p.write_text("hello"), "not a picture"),
        (lambda p: Image.new("L", (1, 1)).save(p), "at least 32"),
        (lambda p: Image.new("L", (64, 64), 9).save(p), "shows nothing"),
        (lambda p: Image.new("1", (20_000, 20_000)).save(p), "at most 1 megapixels, got 400"),
        (
            lambda p: Image.fromarray(np.full((64, 64), np.nan, np.float32)).save(p, "TIFF"),
            "finite",
        ),
    ],
)
def test_bad_pictures_are_refused(tmp_path, make, words):
    path = tmp_path / "a.png"
    make(path)
    with pytest.raises(DataError, match=words):
        read_grey(path, max_megapixels=1)


def test_a_truncated_tiff_is_refused(picture):
    picture.write_bytes(picture.read_bytes()[:-4000])
    with pytest.raises(DataError, match="damaged"):
        read_grey(picture, max_megapixels=1)


def test_the_scale_of_a_hitachi_sidecar(picture):
    sidecar = picture.with_suffix(".txt")
    sidecar.write_text("[SemImageFile]\nDataSize=128x96\nPixelSize=6.5\nMagnification=30000\n")
    scale = read_scale(picture, (128, 96)).scale
    assert (scale.nm_per_pixel, scale.source) == (6.5, "41a.txt: PixelSize")
    assert read_scale(picture, (128, 96), 7.0).scale.source == "stated"
    sidecar.write_text("PixelSize=none\n")
    reading = read_scale(picture, (128, 96))
    assert reading.scale is None
    assert "41a.txt: PixelSize: 'none' is not understood" in reading.warnings[0]
    sidecar.write_text("notes of mine")
    assert read_scale(picture, (128, 96)) == ScaleReading()
    with pytest.raises(UsageError, match="above 0"):
        read_scale(picture, (128, 96), -1.0)


def test_the_scale_of_fei_tags(tmp_path):
    path, text = tmp_path / "fei.tif", "[User]\r\nUser=me\r\n[Scan]\r\nPixelWidth=2.5e-009\r\n"
    tifffile.imwrite(path, mat(), extratags=[(34682, "s", len(text) + 1, text, True)])
    scale = read_scale(path, (128, 96)).scale
    assert scale.nm_per_pixel == pytest.approx(2.5)
    assert "PixelWidth" in scale.source


def test_the_scale_of_zeiss_tags(tmp_path):
    path = tmp_path / "zeiss.tif"
    head = "\r\n".join(["0"] * 40 + [""])
    text = head + "AP_PIXEL_SIZE\r\nPixel Size = 19.5 nm\r\n"
    text += "AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 9.75 nm\r\n"
    tifffile.imwrite(path, mat(), extratags=[(34118, "s", len(text) + 1, text, True)])
    scale = read_scale(path, (128, 96)).scale
    assert (scale.nm_per_pixel, scale.source) == (9.75, "TIFF tag: AP_IMAGE_PIXEL_SIZE")


def test_a_data_bar_is_found_and_a_mat_is_left_whole():
    grey = mat((240, 320)).astype(np.float32)
    assert find_crop(grey) is None
    for ground, ink in ((0.0, 255.0), (250.0, 0.0)):
        barred = np.vstack([grey, np.full((24, 320), ground, np.float32)])
        barred[248:258, 20:120:3] = ink
        left, top, right, bottom = find_crop(barred)
        assert (left, top, right) == (0, 0, 320)
        assert abs(bottom - 240) <= 1


def test_layouts(tmp_path):
    for name in ("7_2.tif", "7_10.png", "10_1.jpg", "A_b_1.tif", "notes.txt"):
        (tmp_path / name).touch()
    found = [(word, path.name) for word, path in named_pictures(tmp_path)]
    assert found == [
        ("7", "7_2.tif"), ("7", "7_10.png"), ("10", "10_1.jpg"), ("A_b", "A_b_1.tif"),
    ]  # fmt: skip
    deep = tmp_path / "images" / "preprocessed" / "3"
    deep.mkdir(parents=True)
    (deep / "3_1.jpg").touch()
    assert [(word, path.name) for word, path in named_pictures(tmp_path)] == [("3", "3_1.jpg")]


def test_add_show_and_measure(engine, folder, picture):
    engine("log", "--new", *SETTINGS, "--label", "A1")
    done = engine(
        "micrograph", "add", picture, "--experiment", "A1", "--nm-per-pixel", 60, "--json"
    )
    (added,) = done.json["added"]
    assert (added["nm_per_pixel"], added["nm_per_pixel_source"]) == (60, "stated")
    assert added["statistics"]["unit"] == "nm"
    shown = engine("micrograph", "show", 1)
    assert "fibre diameter [nm]" in shown.out
    (overlay,) = (folder / "spinneret-data" / "overlays").glob("1-*.png")
    with Image.open(overlay) as drawn:
        assert drawn.size == (128, 96)
    again = engine("micrograph", "measure", 1, "--nm-per-pixel", 30, "--json").json["items"][0]
    halved = added["statistics"]["diameter"]["mean"] / 2
    assert again["statistics"]["diameter"]["mean"] == pytest.approx(halved)
    assert engine("micrograph", "measure", "--missing", "--json").json["items"] == []
    assert engine("micrograph", "show", 1, "--json").json["nm_per_pixel"] == 30
    assert "there is no micrograph 9" in engine("micrograph", "show", 9).err
    assert engine("micrograph", "measure").exit_code == 2


def test_one_bad_picture_keeps_all_out(engine, folder, state, picture, tmp_path):
    engine("log", "--new", *SETTINGS)
    bad = tmp_path / "bad.png"
    bad.write_text("hello")
    before, kept = state(), files(folder)
    answer = engine("micrograph", "add", bad, "--experiment", 1)
    assert (answer.exit_code, "not a picture" in answer.err) == (1, True)
    answer = engine("micrograph", "add", picture, "--experiment", 2)
    assert (answer.exit_code, "no experiment 2" in answer.err) == (1, True)
    words = ["micrograph", "add", picture, "--experiment", 1]
    assert engine(*words, "--rotation-axis", "z").exit_code == 2
    assert engine(*words, "--nm-per-pixel", 0).exit_code == 2
    assert files(folder) == kept
    assert engine("micrograph", "add", picture, bad, "--experiment", 1).exit_code == 1
    assert state() == before
    engine(*words)
    answer = engine(*words)
    assert "has this micrograph already" in answer.err


def test_a_folder_twice_is_once(engine, tmp_path, picture):
    engine("log", "--new", *SETTINGS, "--label", "7")
    source = tmp_path / "pictures"
    source.mkdir()
    shutil.copy(picture, source / "7_1.tif")
    Image.fromarray(mat(seed=5)).save(source / "99_1.png")
    first = engine("micrograph", "import", source, "--json")
    assert [p["experiment"] for p in first.json["added"]] == [1]
    assert "99" in first.json["warnings"][0]
    second = engine("micrograph", "import", source, "--json").json
    assert (second["added"], second["known"]) == ([], 1)
    assert engine("micrograph", "import", tmp_path / "none").exit_code == 1


def test_log_measures_what_it_keeps(engine, picture):
    picture.with_suffix(".txt").write_text("DataSize=128x96\nPixelSize=60\n")
    engine("log", "--new", *SETTINGS, "--micrograph", picture)
    found = engine("micrograph", "show", 1, "--json").json
    assert found["nm_per_pixel_source"] == "41a.txt: PixelSize"
    assert found["statistics"]["diameter"]["n"] > 0
    assert json.dumps(found)


def real_micrographs(shared_data):
    """Return path, grey values, scale and crop of every real micrograph."""
    for path in sorted(shared_data.glob("sem_*/*")):
        if path.suffix in (".tif", ".png"):
            grey = read_grey(path, max_megapixels=100)
            yield path, grey, read_scale(path, grey.shape[::-1]).scale, find_crop(grey)


def test_every_real_micrograph_is_read(shared_data):
    names = set()
    for path, grey, scale, crop in real_micrographs(shared_data):
        names.add(path.parent.name)
        has_bar = "sem_pan" not in path.parts
        assert (scale is not None, crop is not None) == (has_bar, has_bar), path
        if crop:
            assert 0.85 < crop[3] / grey.shape[0] < 0.97
        if "sem_hitachi" in path.parts:
            written = dict(
                line.split("=", 1)
                for line in path.with_suffix(".txt").read_text(errors="replace").splitlines()
                if "=" in line
            )
            assert scale.nm_per_pixel == float(written["PixelSize"]), path
            assert scale.source == f"{path.stem}.txt: PixelSize"
        if "sem_zeiss" in path.parts:
            with tifffile.TiffFile(path) as tiff:
                tags = tiff.sem_metadata["ap_image_pixel_size"]
            assert tags[2] == "nm"
            assert scale.nm_per_pixel == pytest.approx(tags[1])
            assert scale.source == "TIFF tag: AP_IMAGE_PIXEL_SIZE"
    assert names == {"sem_hitachi", "sem_pan", "sem_zeiss"}


def test_real_micrographs_are_measured(shared_data):
    for path, grey, scale, _ in list(real_micrographs(shared_data))[::7]:
        top, left = (n // 2 - 128 for n in grey.shape)
        size = scale.nm_per_pixel if scale else None
        found = measure(grey[top : top + 256, left : left + 256], size).statistics
        assert found.unit == ("nm" if scale else "px")
        assert 1.5 < found.diameter.mean / (size or 1.0) < 120.0, path
        assert 0.0 < found.standard_errors["diameter"] < found.diameter.mean, path
        assert -1.0 <= found.order <= 1.0
        assert 0.0 <= found.porosity < 1.0
