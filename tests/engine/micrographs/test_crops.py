"""What of a file is picture: data bars on any side, frames, empty margins."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from engine.lab.physics import Microstructure
from engine.lab.render import render
from engine.micrographs.databar import find_crop
from generator.pores import air

HEIGHT, WIDTH = 300, 400
Grey = NDArray[np.uint8]


@pytest.fixture(scope="module")
def mat() -> Grey:
    values = (620.0, 0.2, 0.1, 0.7, 0.0, 0.2)
    structure = Microstructure(*(np.asarray(v) for v in values))
    return render(structure, np.random.default_rng(3), shape=(HEIGHT, WIDTH))


def bar(width: int, height: int, ground: str) -> Grey:
    y, x = np.mgrid[:height, :width]
    grounds = {
        "black": 0 * x,
        "white": 0 * x + 255,
        "grey": 0 * x + 90,
        "along": 40 + 160 * x // width,
        "down": 20 + 100 * y // height,
        "two": np.where(x < 0.4 * width, 0, 255),
    }
    image = Image.fromarray(grounds[ground].astype(np.uint8))
    pen = ImageDraw.Draw(image)
    ink = 255 if grounds[ground].mean() < 128 else 0
    for row in range(4, max(5, height - 12), 18):
        pen.text((8, row), "SEI 5.0 kV  X10,000  WD 8.1 mm", fill=ink)
    pen.rectangle((width - 90, height // 2, width - 40, height // 2 + 2), fill=ink)
    return np.asarray(image)


def jpeg(grey: Grey) -> Grey:
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=85)
    return np.asarray(Image.open(file))


def is_near(box: tuple[int, ...] | None, expected: tuple[int, ...]) -> bool:
    return box is not None and all(abs(a - b) <= 3 for a, b in zip(box, expected, strict=True))


@pytest.mark.parametrize("ground", ["black", "white", "grey", "along", "down", "two"])
@pytest.mark.parametrize("height", [20, 40, 150])
def test_a_bar_on_any_side(mat: Grey, ground: str, height: int) -> None:
    below = np.vstack([mat, bar(WIDTH, height, ground)])
    assert is_near(find_crop(below.astype(np.float32)), (0, 0, WIDTH, HEIGHT))
    above = np.vstack([bar(WIDTH, height, ground), mat])
    assert is_near(find_crop(above.astype(np.float32)), (0, height, WIDTH, height + HEIGHT))
    left = np.vstack([bar(HEIGHT, height, ground), mat.T]).T
    assert is_near(find_crop(left.astype(np.float32)), (height, 0, height + WIDTH, HEIGHT))


@pytest.mark.parametrize("ground", ["black", "white", "along"])
@pytest.mark.parametrize("kind", ["plain", "jpeg"])
def test_a_frame_around_or_a_line_below(mat: Grey, ground: str, kind: str) -> None:
    whole = np.vstack([mat, bar(WIDTH, 36, ground)])
    for value, width in ((0, 2), (255, 6)):
        framed = np.pad(whole, width, constant_values=value)
        framed = jpeg(framed) if kind == "jpeg" else framed
        expected = (width, width, WIDTH + width, HEIGHT + width)
        assert is_near(find_crop(framed.astype(np.float32)), expected)
    for line in (mat[:1], np.full((2, WIDTH), 255, np.uint8)):
        lined = np.vstack([whole, line])
        lined = jpeg(lined) if kind == "jpeg" else lined
        assert is_near(find_crop(lined.astype(np.float32)), (0, 0, WIDTH, HEIGHT))


@pytest.mark.parametrize("value", [0, 128, 255])
def test_empty_margins_are_no_pores(mat: Grey, value: int) -> None:
    porosity = air(mat.astype(np.float32)).mean()
    right = np.pad(mat, ((0, 0), (0, 120)), constant_values=value).astype(np.float32)
    corner = np.pad(mat, ((60, 30), (25, 0)), constant_values=value).astype(np.float32)
    for padded, expected in (
        (right, (0, 0, WIDTH, HEIGHT)),
        (corner, (25, 60, 25 + WIDTH, 60 + HEIGHT)),
    ):
        left, top, right_px, bottom = find_crop(padded) or (0, 0, 0, 0)
        assert is_near((left, top, right_px, bottom), expected)
        assert abs(air(padded[top:bottom, left:right_px]).mean() - porosity) < 0.02


def test_stitched_in_steps_and_turned(mat: Grey) -> None:
    stitched = np.zeros((2 * HEIGHT, 2 * WIDTH), np.float32)
    stitched[20 : 20 + HEIGHT, 10 : 10 + WIDTH] = mat
    stitched[50 : 50 + HEIGHT, WIDTH - 20 : 2 * WIDTH - 20] = mat
    left, top, right, bottom = find_crop(stitched) or (0, 0, 0, 0)
    assert (stitched[top:bottom, left:right] == 0).mean() < 0.02
    assert (right - left) * (bottom - top) > 0.8 * 2 * WIDTH * HEIGHT
    turned = Image.fromarray(mat).rotate(7, expand=True, resample=Image.Resampling.BILINEAR)
    grey = np.asarray(turned, dtype=np.float32)
    left, top, right, bottom = find_crop(grey) or (0, 0, 0, 0)
    assert left > 20
    assert top > 20
    assert 0.5 * WIDTH * HEIGHT < (right - left) * (bottom - top) < WIDTH * HEIGHT


def test_a_mat_is_left_whole(mat: Grey) -> None:
    for grey in (mat, np.clip(2.0 * mat - 120.0, 0, 255), mat[::-1], jpeg(mat)):
        assert find_crop(np.asarray(grey, dtype=np.float32)) is None
