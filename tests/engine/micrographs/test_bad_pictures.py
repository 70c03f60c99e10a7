"""Pictures that would do harm: told plainly, within bounded memory, and nothing is written."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = ["flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400"]
SIDE = 20_000
MOST_MEGABYTES = 60


def noise(shape=(64, 80)):
    return np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)


def one_pixel(path):
    Image.new("L", (1, 1), 9).save(path)


def huge_tiff(path):
    strip = zlib.compress(bytes(SIDE * 100), 1)
    strips = (strip for _ in range(SIDE // 100))
    tifffile.imwrite(
        path, strips, shape=(SIDE, SIDE), dtype=np.uint8, rowsperstrip=100, compression="zlib"
    )


def huge_png(path):
    """Claim the size in the header; the pixels would come after."""
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", len(head)) + b"IHDR" + head
    chunk += struct.pack(">I", zlib.crc32(b"IHDR" + head))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT")


def text_bomb(path):
    """Hide eight megabytes in a compressed comment."""
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * 8_000_000, zip=True)
    Image.fromarray(noise()).save(path, pnginfo=info)


def truncated_tiff(path):
    tifffile.imwrite(path, noise())
    path.write_bytes(path.read_bytes()[:-2500])


def text(path):
    path.write_text("hello")


def nothing(path):
    path.write_bytes(b"")


BAD = {
    "1 x 1": (one_pixel, ".png", "at least 32"),
    "huge TIFF": (huge_tiff, ".tif", "megapixels, got 400"),
    "huge PNG": (huge_png, ".png", "megapixels, got 400"),
    "bomb in a comment": (text_bomb, ".png", "damaged"),
    "truncated": (truncated_tiff, ".tif", "damaged"),
    "text": (text, ".png", "not a picture"),
    "empty": (nothing, ".tif", "not a picture"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_picture_is_told_and_nothing_is_written(engine, folder, state, tmp_path, kind):
    make, suffix, words = BAD[kind]
    engine("log", "--new", *SETTINGS)
    path = tmp_path / f"bad{suffix}"
    make(path)
    before = (state(), sorted(p for p in folder.rglob("*") if p.is_file()))
    answer = engine("micrograph", "add", path, "--experiment", 1)
    assert answer.exit_code == 1
    assert words in answer.err
    assert path.name in answer.err
    assert (state(), sorted(p for p in folder.rglob("*") if p.is_file())) == before


@pytest.mark.skipif(os.name == "nt", reason="no peak memory to be asked for")
def test_bad_pictures_cost_no_memory(tmp_path):
    for name, (make, suffix, _) in BAD.items():
        make(tmp_path / f"{name}{suffix}")
    script = f"""
import resource, sys
from pathlib import Path
from engine.errors import DataError
from engine.micrographs.reading import read_grey
import PIL.PngImagePlugin, PIL.TiffImagePlugin
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
refused = 0
for path in sorted(Path({str(tmp_path)!r}).iterdir()):
    try:
        read_grey(path, max_megapixels=100)
    except DataError:
        refused += 1
scale = 1 if sys.platform == "darwin" else 1024
print(refused, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * scale / 1e6)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    refused, megabytes = done.stdout.split()
    assert int(refused) == len(BAD)
    assert float(megabytes) < MOST_MEGABYTES


@pytest.mark.parametrize("mode", ["I;16", "RGBA", "P"])
def test_unusual_pictures_are_taken(engine, tmp_path, mode):
    engine("log", "--new", *SETTINGS)
    path, plain = tmp_path / "a.png", Image.fromarray(noise((96, 96)))
    if mode == "I;16":
        plain = Image.fromarray(noise((96, 96)).astype(np.uint16) * 200)
    else:
        plain = plain.quantize(32) if mode == "P" else plain.convert("RGBA")
    plain.save(path)
    added = engine("micrograph", "add", path, "--experiment", 1, "--json").json["added"]
    assert (added[0]["width_px"], added[0]["height_px"]) == (96, 96)
    assert 0.0 <= added[0]["statistics"]["porosity"] <= 1.0
