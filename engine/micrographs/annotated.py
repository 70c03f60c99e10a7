"""The overlay of a picture: what was measured, what was cut away, and the scale bar that was read.

What is no part of the measured box (data bar, margins) is hatched. Below the picture the scale
bar is shown enlarged, if the pixel size is by it, its ends and its label marked as they were read.
What a person excluded is darkened and crossed out, deleted fibres are crossed, added ones a line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from engine.micrographs.barlabel import Box, label_of_bar, plain_font
from engine.micrographs.corrections import as_measured
from engine.micrographs.opened import Opened
from engine.micrographs.scalebar import BarLine, find_bar
from generator.overlay import overlay
from generator.reading import averaged
from generator.statistics import Measured

BY_BAR = "scale bar"
"""What the source of a pixel size begins with that was read off a bar in the picture."""

MARK, LABEL_MARK = (255, 150, 40), (90, 200, 255)
HATCH_PX = 12
LARGEST_PX, MOST_ENLARGED = 1200, 6
_AROUND_PX = 14
Pixels = NDArray[np.uint8]


def annotated(picture: Opened, measured: Measured) -> Pixels:
    """Return (height, width, 3): all of the picture, what was measured on it, the bar below."""
    drawn = _with_corrections(picture, overlay(measured), measured.block)
    if picture.crop is not None:
        drawn = _in_whole(picture, drawn, measured.block)
    bar = bar_picture(picture)
    return drawn if bar is None else _joined(drawn, bar)


def bar_picture(picture: Opened) -> Pixels | None:
    """Return (height, width, 3) of the bar that gave the pixel size; ``None``: none did."""
    if picture.scale is None or not (picture.scale_source or "").startswith(BY_BAR):
        return None
    line = find_bar(picture.grey, picture.crop)
    if line is None:
        return None
    label = label_of_bar(picture.grey, picture.crop, line)
    # A stated length may belong to a bar whose label is not read: nothing is to be marked then.
    label_box = label.box if label is not None and "read as" in str(picture.scale_source) else None
    return _drawn_bar(picture, line, label_box)


def _with_corrections(picture: Opened, drawn: Pixels, block: int) -> Pixels:
    """Mark what a person excluded, deleted and added."""
    if not picture.corrections:
        return drawn
    by_hand = as_measured(picture.corrections, picture.crop)
    image = Image.fromarray(drawn)
    pen = ImageDraw.Draw(image, "RGBA")
    for box in by_hand.excluded:
        corners = [n / block for n in box]
        pen.rectangle(corners, fill=(10, 10, 10, 150), outline=(*MARK, 255), width=2)
        pen.line((corners[0], corners[1], corners[2], corners[3]), (*MARK, 255))
        pen.line((corners[0], corners[3], corners[2], corners[1]), (*MARK, 255))
    for x, y in (np.array(place) / block for place in by_hand.deleted):
        pen.line((x - 5, y - 5, x + 5, y + 5), (*MARK, 255), width=2)
        pen.line((x - 5, y + 5, x + 5, y - 5), (*MARK, 255), width=2)
    for line in by_hand.added:
        pen.line([n / block for n in line], (*LABEL_MARK, 255), width=2)
    return np.asarray(image)


def _drawn_bar(picture: Opened, line: BarLine, label: Box | None) -> Pixels:
    height, width = picture.grey.shape
    bar_box = (line.start_px, line.top, line.right, line.top + line.thickness)
    boxes = [bar_box] if label is None else [bar_box, label]
    around = _AROUND_PX + (0 if label is not None else 3 * _AROUND_PX)
    x_from, top = (max(0, min(box[i] for box in boxes) - around) for i in (0, 1))
    right = min(width, max(box[2] for box in boxes) + around)
    bottom = min(height, max(box[3] for box in boxes) + around)
    scale = max(1, min(MOST_ENLARGED, LARGEST_PX // max(1, right - x_from)))
    grey = _levels(picture.grey[top:bottom, x_from:right])
    image = Image.fromarray(grey).convert("RGB")
    image = image.resize((scale * image.width, scale * image.height), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(image)
    if label is not None:
        corners = [scale * (n - origin) for n, origin in zip(label, (x_from, top) * 2, strict=True)]
        pen.rectangle(
            (corners[0] - 3, corners[1] - 3, corners[2] + 2, corners[3] + 2),
            outline=LABEL_MARK,
            width=2,
        )
    top_px = scale * (line.top - top)
    for end in (line.start_px, line.right):
        x = scale * (end - x_from)
        pen.line((x, top_px - 3 * scale, x, top_px + (line.thickness + 3) * scale), MARK, width=2)
    caption = f"{picture.scale_source}: {picture.nm_per_pixel:.4g} nm a pixel"
    return _captioned(np.asarray(image), caption)


def _captioned(drawn: Pixels, caption: str) -> Pixels:
    """Add a line of words below a picture, as large as it fits."""
    size = 18
    font = plain_font(size)
    needed = ImageDraw.Draw(Image.new("L", (1, 1))).textlength(caption, font=font)
    width = max(drawn.shape[1], int(needed) + 2 * _AROUND_PX)
    image = Image.new("RGB", (width, drawn.shape[0] + 2 * size), (20, 20, 20))
    image.paste(Image.fromarray(drawn), ((width - drawn.shape[1]) // 2, 0))
    place = (_AROUND_PX, drawn.shape[0] + size // 2 - 1)
    ImageDraw.Draw(image).text(place, caption, fill=(235, 235, 235), font=font)
    return np.asarray(image)


def _joined(drawn: Pixels, panel: Pixels) -> Pixels:
    image = Image.fromarray(panel)
    if image.width > drawn.shape[1]:
        height = max(1, round(image.height * drawn.shape[1] / image.width))
        image = image.resize((drawn.shape[1], height), Image.Resampling.LANCZOS)
    joined = Image.new("RGB", (drawn.shape[1], drawn.shape[0] + image.height), (20, 20, 20))
    joined.paste(Image.fromarray(drawn), (0, 0))
    joined.paste(image, (0, drawn.shape[0]))
    return np.asarray(joined)


def _in_whole(picture: Opened, drawn: Pixels, block: int) -> Pixels:
    """Return all of a picture, what was measured in its place, what was cut away hatched."""
    assert picture.crop is not None  # noqa: S101 -- asked by the caller
    dimmed = 0.55 * _levels(averaged(picture.grey, block)).astype(np.float64)
    canvas = np.repeat(dimmed[:, :, None], 3, axis=2)
    rows, columns = np.indices(dimmed.shape)
    canvas[(rows + columns) % HATCH_PX == 0] += np.array([110.0, 40.0, 20.0])
    top, x_from = picture.crop[1] // block, picture.crop[0] // block
    height = min(drawn.shape[0], canvas.shape[0] - top)
    width = min(drawn.shape[1], canvas.shape[1] - x_from)
    canvas[top : top + height, x_from : x_from + width] = drawn[:height, :width]
    return np.asarray(np.clip(canvas, 0.0, 255.0), dtype=np.uint8)


def _levels(grey: NDArray[np.float32]) -> Pixels:
    low, high = np.quantile(grey, [0.005, 0.995])
    scaled = 255.0 * (grey - low) / max(float(high - low), 1e-9)
    return np.asarray(np.clip(scaled, 0.0, 255.0), dtype=np.uint8)
