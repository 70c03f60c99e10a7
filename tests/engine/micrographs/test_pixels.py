"""Pixels of every kind: what is read is what the picture's maker meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from mat_pictures import mat as mat_picture
from numpy.typing import NDArray
from PIL import Image

from engine.errors import DataError
from engine.micrographs.databar import find_crop
from engine.micrographs.opened import open_micrograph
from engine.micrographs.reading import read_grey, read_reduced
from engine.micrographs.scale import HowTaken
from engine.micrographs.store import inspect_picture
from engine.micrographs.tiff_pages import page_warnings

GREY = np.random.default_rng(0).integers(20, 220, (60, 80)).astype(np.uint8)
TURNED = {
    1: GREY,
    2: GREY[:, ::-1],
    3: GREY[::-1, ::-1],
    4: GREY[::-1],
    5: GREY.T,
    6: np.rot90(GREY, -1),
    7: np.rot90(GREY, 2).T,
    8: np.rot90(GREY),
}


def check(path: Path, expected: NDArray[Any]) -> None:
    grey = read_grey(path, max_megapixels=1)
    assert grey.shape == expected.shape
    assert np.corrcoef(grey.ravel(), expected.ravel())[0, 1] > 0.99
    assert inspect_picture(path, 1)[1:] == expected.shape[::-1]
    assert read_reduced(path, 20, max_megapixels=1).ndim == 2


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "i2", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_numbers_of_every_kind(tmp_path: Path, kind: str, compression: str | None) -> None:
    path = tmp_path / "mat.tif"
    factor = {"u2": 200, "u4": 16_000_000}.get(kind, 1)
    deep = GREY.astype(kind) * np.asarray(factor, dtype=kind)
    tifffile.imwrite(path, deep, photometric="minisblack", compression=compression)
    check(path, GREY)
    tifffile.imwrite(path, deep, photometric="miniswhite", compression=compression)
    check(path, 255 - GREY)


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("is_planar", [False, True])
def test_colours_and_transparency(tmp_path: Path, kind: str, is_planar: bool) -> None:
    path = tmp_path / "mat.tif"
    factor, opaque = {"u1": (1, 255), "u2": (200, 65_535), "f4": (1 / 255, 1)}[kind]
    rgb = np.stack([GREY * float(factor)] * 3, -1).astype(kind)
    clear = np.concatenate([rgb, np.full((60, 80, 1), opaque, kind)], -1)
    for pixels, extra in ((rgb, None), (clear, ["unassalpha"])):
        planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if is_planar else pixels
        tifffile.imwrite(
            path,
            planes,
            photometric="rgb",
            extrasamples=extra,
            planarconfig="separate" if is_planar else "contig",
        )
        check(path, GREY)


def test_palettes_inks_and_bits(tmp_path: Path) -> None:
    path = tmp_path / "mat.tif"
    for kind, n in (("u1", 256), ("u2", 65_536)):
        colours = np.stack([np.arange(n) * (65_535 // (n - 1))] * 3).astype(np.uint16)
        tifffile.imwrite(path, GREY.astype(kind), photometric="palette", colormap=colours)
        check(path, GREY)
        ink = np.stack([0 * GREY, 0 * GREY, 0 * GREY, 255 - GREY]).astype(kind)
        ink *= np.asarray(257 if kind == "u2" else 1, dtype=kind)
        tifffile.imwrite(path, ink, photometric="separated", planarconfig="separate")
        check(path, GREY)
        tifffile.imwrite(path, np.moveaxis(ink, 0, -1), photometric="separated")
        check(path, GREY)
    for photometric, bits in (("minisblack", GREY > 120), ("miniswhite", GREY <= 120)):
        tifffile.imwrite(path, bits, photometric=photometric)
        check(path, (GREY > 120).astype(float))
    tifffile.imwrite(path, GREY.astype(">u2") * 200, byteorder=">")
    check(path, GREY)


@pytest.mark.parametrize("turn", TURNED)
def test_orientations(tmp_path: Path, turn: int) -> None:
    path = tmp_path / "mat.tif"
    for kind in ("u1", "u2", "f8"):
        for compression in (None, "zlib"):
            tag = (274, "H", 1, turn, True)
            tifffile.imwrite(path, GREY.astype(kind), compression=compression, extratags=[tag])
            check(path, TURNED[turn])
    exif = Image.Exif()
    exif[274] = turn
    large = np.kron(GREY, np.ones((8, 8), np.uint8))
    for name in ("mat.jpg", "mat.png"):
        Image.fromarray(large).save(tmp_path / name, exif=exif, quality=95)
        check(tmp_path / name, np.kron(TURNED[turn], np.ones((8, 8))))


def test_what_nobody_can_unpack_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mat.tif"
    tifffile.imwrite(path, GREY.astype(np.complex64))
    with pytest.raises(DataError, match="is not a picture; expected PNG, JPEG, TIFF, BMP"):
        read_grey(path, max_megapixels=1)


def test_a_strip_that_holds_more_than_its_pixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mat.tif"
    tifffile.imwrite(path, GREY.astype(np.float64), compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages[0].tags["ImageLength"]
        rows = tiff.pages[0].tags["RowsPerStrip"]
    # Fewer rows are announced than the strip holds.
    for place in (tag.valueoffset, rows.valueoffset):
        content[place : place + 2] = (40).to_bytes(2, "little")
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="damaged picture: a strip holds more than its pixels"):
        read_grey(path, max_megapixels=1)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_the_full_picture_below_its_thumbnail(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "mat.tif"
    for first, below in ((GREY[::2, ::2], GREY), (GREY, GREY[::2, ::2])):
        with tifffile.TiffWriter(path) as tiff:
            tiff.write(first, subifds=1, compression=compression)
            tiff.write(below, compression=compression)
        check(path, GREY)
        assert page_warnings(path) == []


def test_a_full_picture_below_that_is_packed_otherwise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mat.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(GREY[::2, ::2], subifds=1)
        tiff.write(GREY, compression="lzma")
    with pytest.raises(DataError, match="a sub-page packed as LZMA, which is not read here"):
        read_grey(path, max_megapixels=1)


def test_strips_that_are_not_in_the_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mat.tif"
    tifffile.imwrite(path, GREY, rowsperstrip=10)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tag = tiff.pages[0].tags[273]
        tag.overwrite((*tag.value[:4], 0, 0))
    with pytest.raises(DataError, match="2 of its 6 strips are missing"):
        read_grey(path, max_megapixels=1)
    with pytest.raises(DataError, match="2 of its 6 strips are missing"):
        inspect_picture(path, 1)


def test_where_a_number_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mat.tif"
    tifffile.imwrite(path, np.where(GREY > 215, np.nan, GREY).astype(np.float32))
    n = int((GREY > 215).sum())
    with pytest.raises(DataError, match=f"infinity in {n} of 4800 pixels; cut them off"):
        read_grey(path, max_megapixels=1)


@pytest.mark.parametrize("outlier", [0.0, 65_535.0])
def test_a_pixel_that_is_hit_or_dead_is_no_reason_to_cut(outlier: float) -> None:
    mat = np.asarray(mat_picture(1), dtype=np.float32) * 16 + 40_000
    assert find_crop(mat) is None
    mat[10, 10] = mat[200, 17] = outlier
    assert find_crop(mat) is None


def test_a_mask_is_said_to_be_one(tmp_path: Path) -> None:
    mat = np.asarray(mat_picture(1))
    for kind, name in ((255, "mask.png"), (1, "mask.tif")):
        path = tmp_path / name
        Image.fromarray(((mat > 90) * kind).astype(np.uint8)).save(path)
        (warning, *_) = open_micrograph(path, HowTaken(80.0), max_megapixels=1).warnings
        assert warning.startswith("it has 2 grey values only, as of a mask")
    few = tmp_path / "few.png"
    Image.fromarray(mat // 32 * 32).save(few)
    assert open_micrograph(few, HowTaken(80.0), max_megapixels=1).warnings == ()
