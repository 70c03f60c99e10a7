from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from engine.errors import DataError, NotFoundError
from engine.micrographs.store import store_micrograph

SETTINGS = ["flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400"]


@pytest.fixture
def picture(tmp_path) -> Path:
    path = tmp_path / "41a.tif"
    Image.new("I;16", (36, 32), color=700).save(path)
    return path


def store(path: Path, data_dir: Path, limit: float = 1.0):
    return store_micrograph(path, data_dir, max_megapixels=limit)


def test_a_picture_is_kept_by_its_content(tmp_path, picture) -> None:
    stored = store(picture, tmp_path / "data")
    sha256 = hashlib.sha256(picture.read_bytes()).hexdigest()
    assert stored.sha256 == sha256
    assert stored.path == f"micrographs/{sha256[:2]}/{sha256}.tif"
    assert (tmp_path / "data" / stored.path).read_bytes() == picture.read_bytes()
    assert (stored.width_px, stored.height_px) == (36, 32)
    assert (stored.original_name, stored.n_bytes) == ("41a.tif", picture.stat().st_size)


def test_the_same_picture_is_one_file(tmp_path, picture) -> None:
    first = store(picture, tmp_path / "data")
    twin = picture.rename(tmp_path / "twin.tif")
    second = store(twin, tmp_path / "data")
    assert (second.path, second.original_name) == (first.path, "twin.tif")
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert files == [tmp_path / "data" / first.path]


def test_a_damaged_copy_is_put_right(tmp_path, picture) -> None:
    stored = store(picture, tmp_path / "data")
    (tmp_path / "data" / stored.path).write_bytes(b"half")
    store(picture, tmp_path / "data")
    assert (tmp_path / "data" / stored.path).read_bytes() == picture.read_bytes()


@pytest.mark.parametrize("mode", ["text", "truncated", "svg", "empty"])
def test_what_is_no_picture_is_refused(tmp_path, mode) -> None:
    path = tmp_path / "a.png"
    if mode == "truncated":
        Image.effect_noise((64, 64), 50).save(path)
        path.write_bytes(path.read_bytes()[:-500])
    else:
        path.write_text({"text": "hello", "svg": "<svg/>", "empty": ""}[mode])
    with pytest.raises(DataError, match="picture"):
        store(path, tmp_path / "data")
    assert [p for p in (tmp_path / "data").rglob("*") if p.is_file()] == []


def test_a_bomb_is_refused_before_it_unpacks(tmp_path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="at most 100 megapixels, got 400"):
        store(path, tmp_path / "data", limit=100.0)


def test_a_large_picture_within_the_limit_is_kept(tmp_path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (10_000, 9_500)).save(path)
    limit = Image.MAX_IMAGE_PIXELS
    assert store(path, tmp_path / "data", limit=100.0).width_px == 10_000
    assert limit == Image.MAX_IMAGE_PIXELS


def test_missing_files_and_folders_are_told(tmp_path) -> None:
    with pytest.raises(NotFoundError):
        store(tmp_path / "none.png", tmp_path / "data")
    with pytest.raises(DataError, match="folder"):
        store(tmp_path, tmp_path / "data")


def test_real_micrographs(tmp_path, shared_data) -> None:
    for name in ("sem_hitachi/PVAZnO_q001.tif", "sem_zeiss", "sem_pan/pan3_2_04.png"):
        path = shared_data / name
        path = next(path.glob("*.tif")) if path.is_dir() else path
        assert store(path, tmp_path / "data", limit=100.0).width_px >= 640


def test_log_keeps_pictures_and_refuses_one_of_another_mat(engine, folder, state, tmp_path) -> None:
    picture = tmp_path / "mat.png"
    Image.effect_noise((64, 64), 50).save(picture)
    engine("log", "--new", *SETTINGS)
    done = engine("log", 1, "--micrograph", picture, "--json").json
    assert done["micrographs"] == 1
    kept = engine("show", 1, "--json").json["micrographs"][0]
    assert (folder / "spinneret-data" / kept["path"]).is_file()
    before = state()
    assert "has this micrograph already" in engine("log", 1, "--micrograph", picture).err
    answer = engine("log", "--new", *SETTINGS, "--micrograph", picture)
    assert (answer.exit_code, "belongs to experiment 1" in answer.err) == (1, True)
    text = folder / "a.tif"
    text.write_text("no")
    assert engine("log", 1, "--micrograph", text).exit_code == 1
    assert state() == before
