"""Read the label of a scale bar, ``2 µm`` or ``500nm``: digits, point and two units, nothing else.

Signs are compared with those of two fonts that come with Pillow and matplotlib. What is not clearly
one of them is not read: no length is better than a wrong one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engine.errors import field
from engine.micrographs.calibration import Scale, ScaleReading
from engine.micrographs.lengths import length_nm
from engine.micrographs.scalebar import LETTERS, SOFTER, STRICT, BarLine, inked

DIGITS = "0123456789"
SIGNS = f"{DIGITS}nmµu"
SIDE = 20  # of a sign as it is compared
LEAST_ALIKE, LEAST_LEAD = 0.6, 0.03
"""Correlation with the likeliest sign, and its lead over the next. Of 360 labels of 14 to 28 px in
24 fonts (bold, slanted, narrow, with serifs), by bars of seven makes, nearly half are read, none
wrongly."""

NEAR = 0.04
FARTHEST = 2.5
"""So many of its own heights a label is from its bar at most."""

_IN_NO_FONT = "\ue000"
LEAST_PX, MOST_PX = 7, 80
_LABEL = re.compile(r"(\d{1,4}(?:\.\d{1,2})?)([nµm]m)")
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Label:
    """What is written beside a bar, and where: left, top, right, bottom [px]."""

    text: str
    box: Box


def label_of_bar(grey: NDArray[np.float32], crop: Box | None, line: BarLine) -> Label | None:
    """Return the label of a bar that :func:`engine.micrographs.scalebar.find_bar` found."""
    labels = {}
    inks = [part for margin in (STRICT, SOFTER, LETTERS) for part in inked(grey, crop, margin)]
    for ink, top in inks:
        if top <= line.top < top + len(ink):
            label = read_label(ink, replace(line, top=line.top - top))
            if label is not None:
                x_from, y_from, right, bottom = label.box
                labels[label.text] = Label(label.text, (x_from, y_from + top, right, bottom + top))
    return next(iter(labels.values())) if len(labels) == 1 else None


def by_label(reading: ScaleReading, line: BarLine, label: str | None) -> ScaleReading:
    """Return the scale by a bar and its label: alone, or as what decides between several sizes."""
    columns = f"columns {line.start_px} to {line.right}, row {line.top}"
    place = f"a scale bar of {line.length_px} px ({columns})"
    length = None if label is None else length_nm(label)
    if length is None:
        doubt = (
            f"{place} is in the picture, but its label is not read; state its length as "
            f"{field('scale_bar')}"
        )
        return replace(reading, warnings=(*reading.warnings, doubt))
    nm_per_pixel = length / line.length_px
    if reading.warnings and not any(is_near(nm_per_pixel, size) for size in reading.sizes):
        doubt = (
            f"{place} is in the picture, its label read as {label}: {nm_per_pixel:.4g} nm a pixel"
        )
        return replace(reading, warnings=(*reading.warnings, doubt))
    source = f"scale bar of {line.length_px} px, its label read as {label}"
    doubt = (
        f"the pixel size of {nm_per_pixel:.4g} nm is by {place}, its label read as {label}; if it "
        f"says something else, state {field('scale_bar')}"
    )
    return ScaleReading(Scale(nm_per_pixel, source), (doubt,))


def is_near(first: float, second: float) -> bool:
    """Tell whether a bar, whose ends are off by a pixel, agrees with a pixel's size."""
    return abs(first / second - 1.0) < NEAR


def read_label(ink: Mask, line: BarLine) -> Label | None:
    """Return the label beside a bar; ``None`` if there is none that is clearly read.

    Args:
        ink: (height, width), where the strip's or picture's ink is.
        line: the bar, in the same rows and columns.
    """
    labels = {
        text: Label(text, _box_around(signs))
        for signs in _lines_of_text(ink, line)
        if _is_beside(_box_around(signs), line)
        and (text := _text(ink, signs)) is not None
        and length_nm(text) is not None
    }
    return next(iter(labels.values())) if len(labels) == 1 else None


def _is_beside(box: Box, line: BarLine) -> bool:
    """Tell whether a text is so near to a bar that it is the bar's, not the field's width."""
    reach = FARTHEST * (box[3] - box[1])
    across = max(line.start_px - box[2], box[0] - line.right)
    down = max(line.top - box[3], box[1] - line.top - line.thickness)
    return across <= reach and down <= reach


def _box_around(signs: list[Box]) -> Box:
    x_from, top, right, bottom = zip(*signs, strict=True)
    return min(x_from), min(top), max(right), max(bottom)


def _lines_of_text(ink: Mask, line: BarLine) -> list[list[Box]]:
    """Return boxes of signs (left, top, right, bottom) near the bar, by line of text and word."""
    from scipy import ndimage

    labels, _ = ndimage.label(ink, structure=np.ones((3, 3)))
    boxes = [
        (x.start, y.start, x.stop, y.stop)
        for y, x in ndimage.find_objects(labels)
        if y.stop - y.start <= MOST_PX and x.stop - x.start <= 1.5 * MOST_PX
    ]
    reach = max(line.length_px, 60)
    near = [
        box
        for box in boxes
        if box[2] > line.start_px - reach and box[0] < line.right + reach
        and abs(0.5 * (box[1] + box[3]) - line.top) < 3 * MOST_PX
        and not _is_on(box, line)
    ]  # fmt: skip
    tall = sorted((box for box in near if box[3] - box[1] >= LEAST_PX), key=lambda box: box[0])
    groups: list[list[Box]] = []
    for box in tall:
        word = next((word for word in groups if _continues(word[-1], box)), None)
        if word is None:
            groups.append([box])
        else:
            word.append(box)
    words = [(word, _with_points(word, near)) for word in groups if len(word) >= 3]
    return [signs for word, signs in words if not _has_more(word, signs, near)]


def _is_on(box: Box, line: BarLine) -> bool:
    """Tell whether ink is the bar's own, not that of a label in its middle."""
    if line.gap is not None and line.gap[0] <= box[0] and box[2] <= line.gap[1]:
        return False
    is_level = box[1] < line.top + line.thickness and box[3] > line.top
    return is_level and box[0] < line.right and box[2] > line.start_px


def _continues(last: Box, box: Box) -> bool:
    height = last[3] - last[1]
    return box[0] - last[2] < 1.1 * height and min(last[3], box[3]) - max(last[1], box[1]) > (
        0.4 * height
    )


def _with_points(word: list[Box], near: list[Box]) -> list[Box]:
    """Add the decimal points and commas, which are too low to be signs of their own."""
    between = [box for box in near if word[0][2] <= box[0] < word[-1][0] and _is_point(box, word)]
    return sorted({*word, *between} - {box for box in word if _is_inside(box, word)})


def _is_point(box: Box, word: list[Box]) -> bool:
    top, bottom = min(b[1] for b in word), float(np.median([b[3] for b in word]))
    height = bottom - top
    width, tallness = box[2] - box[0], box[3] - box[1]
    is_low = box[1] >= top + 0.6 * height and bottom - 2 <= box[3] <= bottom + 0.3 * height
    return is_low and width <= 0.35 * height and tallness <= 0.5 * height


def _is_inside(box: Box, others: list[Box]) -> bool:
    """Tell whether a box lies within another's, as the dot in some fonts' 0."""
    return any(
        other != box
        and other[0] <= box[0]
        and box[2] <= other[2]
        and other[1] <= box[1]
        and box[3] <= other[3]
        for other in others
    )


def _has_more(word: list[Box], signs: list[Box], near: list[Box]) -> bool:
    """Tell whether ink between a word's signs is none of them: left out, 2,00 would be 200."""
    top, bottom = min(box[1] for box in word), max(box[3] for box in word)
    return any(
        box not in signs
        and not _is_inside(box, signs)
        and word[0][0] <= box[0] < word[-1][2]
        and box[1] < bottom + 0.3 * (bottom - top)
        and box[3] > top
        for box in near
    )


def _text(ink: Mask, signs: list[Box]) -> str | None:
    """Return a label's text: digits, one point perhaps, a unit; ``None`` where it is not clear."""
    tall = [box for box in signs if not _is_point(box, signs)]
    height = max((box[3] - box[1] for box in tall), default=1)
    masks = [ink[box[1] : box[3], box[0] : box[2]] for box in signs]
    text = ""
    for place, (box, mask) in enumerate(zip(signs, masks, strict=True)):
        if box not in tall:
            text += "."
            continue
        # All units end in m; before it, mm is a possible one, so that it is taken for no other.
        expected = {len(masks) - 1: "m", len(masks) - 2: "nµm"}.get(place, DIGITS)
        sign = _sign(mask, mask.shape[0] / height, expected)
        if sign is None:
            return None
        text += sign
    match = _LABEL.fullmatch(text)
    return f"{match[1]} {match[2]}" if match else None


def _sign(mask: Mask, relative_height: float, expected: str) -> str | None:
    drawn = _normed(mask)
    shape = mask.shape[1] / mask.shape[0]
    scores: dict[str, float] = {}
    for sign, template, its_shape, its_height in _templates():
        if abs(np.log(shape / its_shape)) > 0.5 or abs(relative_height - its_height) > 0.25:
            continue
        name = "µ" if sign == "u" else sign
        scores[name] = max(scores.get(name, -1.0), float((drawn * template).mean()))
    ranked = sorted(scores, key=lambda name: -scores[name])
    likeliest = [name for name in ranked if name in expected]
    if not likeliest or scores[likeliest[0]] < max(LEAST_ALIKE, scores[ranked[0]] - LEAST_LEAD):
        return None
    lead = scores[likeliest[0]] - (scores[likeliest[1]] if len(likeliest) > 1 else -1.0)
    return likeliest[0] if lead >= LEAST_LEAD else None


def _normed(mask: Mask) -> NDArray[np.float32]:
    image = Image.fromarray(mask.astype(np.uint8) * 255).resize(
        (SIDE, SIDE), Image.Resampling.BOX if mask.shape[0] > SIDE else Image.Resampling.BILINEAR
    )
    values = np.asarray(image, dtype=np.float32)
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-6))


def plain_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font that has a µ, where matplotlib's are there."""
    return _font("DejaVuSans.ttf", size) or ImageFont.load_default(size)


def _font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    matplotlib = find_spec("matplotlib")
    if matplotlib is None or matplotlib.origin is None:
        return None
    path = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / name
    return ImageFont.truetype(str(path), size) if path.is_file() else None


@cache
def _templates() -> list[tuple[str, NDArray[np.float32], float, float]]:
    """Return sign, pixels, width to height, height to that of a digit."""
    fonts: list[ImageFont.FreeTypeFont | ImageFont.ImageFont] = [ImageFont.load_default(48)]
    names = (
        "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf",
        "DejaVuSerif.ttf", "STIXGeneral.ttf", "STIXGeneralItalic.ttf",
    )  # fmt: skip
    fonts += filter(None, (_font(name, 48) for name in names))
    templates = []
    for font in fonts:
        digit = _drawn("0", font).shape[0]
        missing = _drawn(_IN_NO_FONT, font)
        for sign in SIGNS:
            mask = _drawn(sign, font)
            # Pillow's own font has no µ and draws a crossed box.
            if mask.size and not np.array_equal(mask, missing):
                size = (mask.shape[1] / mask.shape[0], mask.shape[0] / digit)
                templates.append((sign, _normed(mask), *size))
    return templates


def _drawn(sign: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Mask:
    image = Image.new("L", (100, 100))
    ImageDraw.Draw(image).text((20, 20), sign, fill=255, font=font)
    mask = np.asarray(image) > 128
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return mask[:0, :0]
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
