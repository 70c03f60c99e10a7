"""Previews side by side as one PNG: a row each, its pictures, what they show, real ones beside."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engine.errors import SpinneretError
from engine.previews.expected_statistics import NAMES, Interval, worded, worded_range
from engine.previews.near import NearMicrograph
from engine.previews.preview import Preview

TILE, GAP, MARGIN, LINE = 168, 8, 22, 21
TEXT = 268
_PAPER, _INK, _SOFT, _RULE = (255, 255, 255), (24, 28, 34), (104, 112, 124), (222, 226, 232)
_ACCENT = (23, 92, 148)
_MOST_TILES = 8


@dataclass(frozen=True)
class SheetRow:
    """What stands in a row: a heading, lines below it, a preview."""

    heading: str
    lines: Sequence[str]
    preview: Preview


def draw_sheet(title: str, subtitle: str, rows: Sequence[SheetRow], level: float) -> Image.Image:
    """Return the sheet of at least one row."""
    n_tiles = min(max(len(row.preview.pictures) for row in rows), _MOST_TILES)
    near = [_real_tiles(row.preview) for row in rows]
    n_real = max(len(tiles) for tiles in near)
    width = MARGIN * 2 + TEXT + n_tiles * (TILE + GAP) + n_real * (TILE + GAP)
    width += 2 * GAP if n_real else 0
    heights = [
        max(TILE + LINE, 30 + LINE * (len(row.lines) + len(NAMES) + 1)) + 2 * GAP for row in rows
    ]
    head = 92
    sheet = Image.new("RGB", (width, head + sum(heights) + MARGIN), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, 18), title, fill=_INK, font=_font(24))
    pen.text((MARGIN, 52), subtitle, fill=_SOFT, font=_font(14))
    left = MARGIN + TEXT
    if n_real:
        at = left + n_tiles * (TILE + GAP) + 2 * GAP
        pen.text((at, 72), "nearest real", fill=_ACCENT, font=_font(14))
    pen.text((left, 72), "to expect", fill=_ACCENT, font=_font(14))
    top = head
    for row, real, height in zip(rows, near, heights, strict=True):
        pen.line((MARGIN, top, width - MARGIN, top), fill=_RULE)
        _write_text(pen, row, top + GAP, level)
        x = left
        for picture in row.preview.pictures[:_MOST_TILES]:
            _paste(sheet, pen, picture, row.preview.nm_per_pixel, (x, top + GAP))
            x += TILE + GAP
        x = left + n_tiles * (TILE + GAP) + 2 * GAP
        for tile, caption, scale in real:
            _paste(sheet, pen, tile, scale, (x, top + GAP))
            pen.text((x, top + GAP + TILE + 3), caption, fill=_SOFT, font=_font(13))
            x += TILE + GAP
        top += height
    return sheet


def sheet_bytes(sheet: Image.Image) -> bytes:
    """Return the sheet as PNG."""
    stream = io.BytesIO()
    sheet.save(stream, format="PNG")
    return stream.getvalue()


def _write_text(pen: ImageDraw.ImageDraw, row: SheetRow, top: int, level: float) -> None:
    pen.text((MARGIN, top), row.heading, fill=_INK, font=_font(18))
    y = top + 27
    for line in row.lines:
        pen.text((MARGIN, y), _fitting(line, 13), fill=_SOFT, font=_font(13))
        y += LINE - 3
    y += 4
    for name in NAMES:
        interval = row.preview.expected.get(name)
        pen.text((MARGIN, y), name, fill=_SOFT, font=_font(13))
        pen.text((MARGIN + 66, y), _expectation(name, interval), fill=_INK, font=_font(13))
        y += LINE - 3
    pen.text(
        (MARGIN, y), f"in brackets: {level:.0%} interval of the mat", fill=_SOFT, font=_font(11)
    )


def _expectation(name: str, interval: Interval | None) -> str:
    if interval is None:
        return "not found in the pictures"
    if interval.lower is None or interval.upper is None:
        return worded(name, interval.mean)
    return f"{worded(name, interval.mean)}  ({worded_range(name, interval.lower, interval.upper)})"


def _paste(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    picture: NDArray[np.uint8],
    nm_per_pixel: float,
    place: tuple[int, int],
) -> None:
    left, top = place
    # Lanczos: a mat reduced by nearest pixels shows beats of its fibres with the grid.
    thumbnail = Image.fromarray(picture).resize((TILE, TILE), Image.Resampling.LANCZOS)
    sheet.paste(thumbnail, (left, top))
    field = picture.shape[1] * nm_per_pixel / 1000.0
    # A scale bar of at most three tenths of the width, as on micrographs.
    length = _round_length(0.3 * field)
    bar = round(TILE * length / field)
    x, y = left + 8, top + TILE - 12
    # On black, as nobody knows how bright the mat is there.
    pen.rectangle((x - 4, y - 18, x + max(bar, 30) + 4, y + 7), fill=(0, 0, 0))
    pen.rectangle((x, y, x + bar, y + 2), fill=_PAPER)
    pen.text((x, y - 16), f"{length:g} µm", fill=_PAPER, font=_font(12))


def _round_length(limit: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(limit))
    return max(step for step in (1, 2, 5) if step * magnitude <= limit) * magnitude


def _real_tiles(preview: Preview) -> list[tuple[NDArray[np.uint8], str, float]]:
    """Return real micrographs cut to the previews' field of view, where that can be done."""
    tiles = []
    for near in preview.near:
        tile = real_tile(near, preview.pictures.shape[-1] * preview.nm_per_pixel)
        if tile is not None:
            diameter = near.shown.get("diameter")
            caption = "" if diameter is None else f", {worded('diameter', diameter)}"
            tiles.append((tile[0], f"run {near.name}{caption}", tile[1]))
    return tiles


def real_tile(near: NearMicrograph, field_nm: float) -> tuple[NDArray[np.uint8], float] | None:
    """Return the middle of a real micrograph, up to ``field_nm`` wide, and its scale."""
    from engine.retrieval.encoder import levelled, read_picture

    if near.nm_per_pixel is None:
        return None
    try:
        # No limit: it was checked when the picture was recorded.
        grey = read_picture(
            near.path, max_megapixels=1e6, crop=near.crop, rotation_axis=near.rotation_axis
        )
    except SpinneretError:
        return None
    # The same field of view as the previews beside it, or fibres would look thicker or thinner.
    side = max(1, min(round(field_nm / near.nm_per_pixel), *grey.shape))
    top, left = ((length - side) // 2 for length in grey.shape)
    return levelled(grey[top : top + side, left : left + side]), near.nm_per_pixel


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return DejaVu Sans as matplotlib brings it (Pillow's own font has no µ), or that one."""
    matplotlib = find_spec("matplotlib")
    if matplotlib is not None and matplotlib.origin is not None:
        path = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():
            return ImageFont.truetype(str(path), round(0.92 * size))
    return ImageFont.load_default(size)


def _fitting(text: str, size: int) -> str:
    font, fitting = _font(size), text
    while fitting and font.getlength(fitting) > TEXT - 12:
        fitting = fitting[:-2]
    return fitting if fitting == text else f"{fitting[:-1]}…"
