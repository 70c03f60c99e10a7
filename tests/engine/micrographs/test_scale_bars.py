"""Scale bars of every make: filled, drawn, interrupted by their label, ticked, in a box; read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mat_pictures import mat
from PIL import Image, ImageDraw

from engine.micrographs.barlabel import plain_font
from engine.micrographs.lengths import length_nm
from engine.micrographs.opened import open_micrograph
from engine.micrographs.rulers import drawn_rulers
from engine.micrographs.scalebar import find_bar

HEIGHT, STRIP, LEFT, LENGTH = 300, 56, 100, 150
RIGHT, MIDDLE = LEFT + LENGTH - 1, HEIGHT + 40
Draw = Callable[[ImageDraw.ImageDraw, str], None]


def above(pen: ImageDraw.ImageDraw, label: str) -> None:
    start = LEFT + LENGTH / 2 - pen.textlength(label, font=plain_font(18)) / 2
    pen.text((start, HEIGHT + 4), label, fill=255, font=plain_font(18))


def filled(pen: ImageDraw.ImageDraw, label: str) -> None:
    pen.rectangle((LEFT, MIDDLE, RIGHT, MIDDLE + 3), fill=255)
    above(pen, label)


def framed(pen: ImageDraw.ImageDraw, label: str) -> None:
    pen.rectangle((LEFT, MIDDLE, RIGHT, MIDDLE + 6), outline=255)
    above(pen, label)


def ended(pen: ImageDraw.ImageDraw, label: str) -> None:
    pen.line((LEFT, MIDDLE, RIGHT, MIDDLE), fill=255)
    for x in (LEFT, RIGHT):
        pen.line((x, MIDDLE - 6, x, MIDDLE + 6), fill=255)
    above(pen, label)


def interrupted(pen: ImageDraw.ImageDraw, label: str) -> None:
    width = pen.textlength(label, font=plain_font(18))
    half = (LENGTH - width - 12) // 2
    pen.line((LEFT, MIDDLE, LEFT + half, MIDDLE), fill=255)
    pen.line((RIGHT - half, MIDDLE, RIGHT, MIDDLE), fill=255)
    for x in (LEFT, RIGHT):
        pen.line((x, MIDDLE - 8, x, MIDDLE + 8), fill=255)
    pen.text((LEFT + half + 7, MIDDLE - 12), label, fill=255, font=plain_font(18))


def ticked(pen: ImageDraw.ImageDraw, label: str) -> None:
    for k in range(11):
        x = LEFT + k * LENGTH // 10
        pen.line((x, MIDDLE - 9, x, MIDDLE), fill=255, width=2)
    pen.text((LEFT + LENGTH - 60, HEIGHT + 4), label, fill=255, font=plain_font(18))


def beside(pen: ImageDraw.ImageDraw, label: str) -> None:
    width = pen.textlength(label, font=plain_font(18))
    pen.text((LEFT - width - 8, MIDDLE - 11), label, fill=255, font=plain_font(18))
    pen.rectangle((LEFT, MIDDLE - 1, RIGHT, MIDDLE + 1), fill=255)


def picture(tmp_path: Path, draw: Draw, label: str, suffix: str = ".png") -> Path:
    image = Image.new("L", (400, HEIGHT + STRIP))
    image.paste(mat(3), (0, 0))
    draw(ImageDraw.Draw(image), label)
    image.save(tmp_path / f"mat{suffix}", quality=92)
    return tmp_path / f"mat{suffix}"


@pytest.mark.parametrize("draw", [filled, framed, ended, interrupted, ticked, beside])
@pytest.mark.parametrize("label", ["2 µm", "500 nm", "1,50 µm"])
def test_bars_of_every_make_are_read(tmp_path: Path, draw: Draw, label: str) -> None:
    opened = open_micrograph(picture(tmp_path, draw, label), max_megapixels=1)
    assert opened.nm_per_pixel == pytest.approx((length_nm(label) or 0) / LENGTH, rel=0.015)


def test_a_millimetre_is_no_micrometre(tmp_path: Path) -> None:
    for label, nm in (("1 mm", 1e6), ("0.1 mm", 1e5)):
        opened = open_micrograph(picture(tmp_path, filled, label), max_megapixels=1)
        assert opened.nm_per_pixel == pytest.approx(nm / LENGTH)


def test_what_is_written_elsewhere_is_not_the_bars(tmp_path: Path) -> None:
    def odd(pen: ImageDraw.ImageDraw, label: str) -> None:
        pen.rectangle((LEFT, MIDDLE, RIGHT, MIDDLE + 3), fill=255)
        pen.text((LEFT + LENGTH + 70, HEIGHT + 4), label, fill=255, font=plain_font(18))

    opened = open_micrograph(picture(tmp_path, odd, "29.8 µm"), max_megapixels=1)
    assert opened.nm_per_pixel is None
    assert "but its label is not read" in opened.warnings[0]


def test_ink_between_the_signs_is_not_passed_over(tmp_path: Path) -> None:
    def smudged(pen: ImageDraw.ImageDraw, label: str) -> None:
        filled(pen, label)
        start = LEFT + LENGTH / 2 - pen.textlength(label, font=plain_font(18)) / 2
        x = int(start + pen.textlength("2", font=plain_font(18)))
        pen.rectangle((x, HEIGHT + 13, x + 1, HEIGHT + 14), fill=255)  # no point: too high

    opened = open_micrograph(picture(tmp_path, smudged, "2 00 µm"), max_megapixels=1)
    assert opened.nm_per_pixel is None


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_bar_in_a_box_on_the_picture(tmp_path: Path, suffix: str) -> None:
    image = mat(3)
    pen = ImageDraw.Draw(image)
    pen.rectangle((220, 230, 390, 290), fill=0)
    pen.rectangle((230, 276, 379, 281), fill=255)
    pen.text((270, 240), "2 µm", fill=255, font=plain_font(22))
    image.save(tmp_path / f"mat{suffix}", quality=92)
    opened = open_micrograph(tmp_path / f"mat{suffix}", max_megapixels=1)
    assert opened.nm_per_pixel == pytest.approx(2000 / 150, rel=0.015)


def test_mats_have_no_bars() -> None:
    for seed in range(4):
        grey = np.asarray(mat(seed), dtype=np.float32)
        for shown in (grey, np.clip(2.5 * grey, 0, 255), np.clip(grey - 60, 0, 255)):
            assert find_bar(np.asarray(shown, dtype=np.float32), None) is None


def test_letters_are_no_rulers() -> None:
    image = Image.new("L", (400, 60))
    ImageDraw.Draw(image).text((5, 10), "HV 10.0 kV |||| WD 9.8 mm", fill=255, font=plain_font(20))
    assert list(drawn_rulers(np.asarray(image) > 128)) == []
