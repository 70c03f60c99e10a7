"""The scale bar in a picture: a filled line of one grey value, its ends square, or a drawn one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.micrographs.databar import Box
from engine.micrographs.rulers import drawn_rulers

LEAST_SHARE, MOST_SHARE = 0.03, 0.6
"""A bar's length as shares of the picture's width."""

MOST_THICKNESS, LEAST_SLENDERNESS = 24, 6.0
TOUCHING_SHARE = 0.06
LEAST_BOX_SHARE, LEAST_BOX_PX, BOX_LEVELS, BOX_BORDER_SHARE = 0.002, 16, 12, 0.9
"""Of a plain box on a picture: its part of it, its sides, its evenness (of 256), and how much of
its border is of its ground."""

INK_LEVELS = 100
"""Of 256: so much ink differs from the data bar's ground."""

STRICT, SOFTER, LETTERS = 2.5, 14.0, 40.0
"""So far from black or white is ink on the picture itself: a bar's, one's in a JPEG, thin letters'
in another word."""


@dataclass(frozen=True)
class BarLine:
    """Where a scale bar is: columns from ``start_px`` to before ``right``, its first row [px].

    ``gap``: columns in which its label interrupts it.
    """

    start_px: int
    right: int
    top: int
    thickness: int
    gap: tuple[int, int] | None = None

    @property
    def length_px(self) -> int:
        """Its length."""
        return self.right - self.start_px


def find_bar(grey: NDArray[np.float32], crop: Box | None) -> BarLine | None:
    """Return the scale bar of a picture: in its data bar, else on the picture; ``None``: none."""
    for margin in STRICT, SOFTER:
        lines = [line for ink, top in inked(grey, crop, margin) if (line := _longest(ink, top))]
        if lines:
            return max(lines, key=lambda line: line.length_px)
    return None


def inked(
    grey: NDArray[np.float32], crop: Box | None, margin: float = STRICT
) -> Iterator[tuple[NDArray[np.bool_], int]]:
    """Yield where ink is, (height, width), and the first row of it: of each strip with writing.

    Without a data bar it is what stands in a plain box on the picture, else the picture's lower
    half, once with white ink and once with black, ``margin`` of 256 levels from it.
    """
    low, high = float(grey.min()), float(grey.max())
    if not high > low:
        return
    height = grey.shape[0]
    strips = []
    if crop is not None and crop[3] < height:
        strips.append((crop[3], height))
    if crop is not None and crop[1] > 0:
        strips.append((0, crop[1]))
    for top, bottom in strips:
        levels = (grey[top:bottom] - low) * (255.0 / (high - low))
        ground = np.median(levels)
        yield np.abs(levels - ground) > INK_LEVELS, top
    if strips:
        return
    levels = (grey - low) * (255.0 / (high - low))
    has_box = False
    for ink in _inked_boxes(levels):
        has_box = True
        yield ink, 0
    if has_box:
        return
    # On the picture itself a bar is black or white, and mostly low.
    top = height // 2
    yield levels[top:] >= 255.0 - margin, top
    yield levels[top:] <= margin, top


def _inked_boxes(levels: NDArray[np.float32]) -> Iterator[NDArray[np.bool_]]:
    """Yield where ink is in each plain black or white box that was put on a picture."""
    from scipy import ndimage

    for ground in (0.0, 255.0):
        plain = np.abs(levels - ground) <= BOX_LEVELS
        # What a box's letters leave of it hangs together; a mat's own black is ragged.
        labels, n = ndimage.label(ndimage.binary_opening(plain, np.ones((5, 5), dtype=np.bool_)))
        if not n:
            continue
        sizes = np.bincount(labels.ravel())
        for number, place in enumerate(ndimage.find_objects(labels), start=1):
            rows, columns = place
            sides = (rows.stop - rows.start, columns.stop - columns.start)
            if sizes[number] < LEAST_BOX_SHARE * levels.size or min(sides) < LEAST_BOX_PX:
                continue
            part = labels[place] == number
            border = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
            if border.mean() >= BOX_BORDER_SHARE:
                ink = np.zeros(levels.shape, dtype=np.bool_)
                ink[place] = np.abs(levels[place] - ground) > INK_LEVELS
                yield ink


def _longest(ink: NDArray[np.bool_], first_row: int) -> BarLine | None:
    """Return the longest bar: a line whose rows all begin and end alike, or a drawn one."""
    width = ink.shape[1]
    runs = [_run(row) for row in ink]
    lines = []
    row = 0
    while row < len(runs):
        end = row + 1
        while end < len(runs) and _is_alike(runs[row], runs[end]):
            end += 1
        start_px, right = runs[row]
        thickness, length = end - row, right - start_px
        fits = LEAST_SHARE * width <= length <= MOST_SHARE * width
        is_slender = 2 <= thickness <= min(MOST_THICKNESS, length / LEAST_SLENDERNESS)
        if fits and is_slender and _is_alone(ink, (start_px, row, right, end)):
            lines.append(BarLine(start_px, right, first_row + row, thickness))
        row = end
    for ruler in drawn_rulers(ink):
        length = ruler.right - ruler.start_px
        if LEAST_SHARE * width <= length <= MOST_SHARE * width:
            height = ruler.bottom - ruler.top
            top = first_row + ruler.top
            lines.append(BarLine(ruler.start_px, ruler.right, top, height, ruler.gap))
    return max(lines, key=lambda line: line.length_px, default=None)


def _is_alone(ink: NDArray[np.bool_], box: Box) -> bool:
    """Tell whether hardly any ink touches a line: saturated fibres and pores run on raggedly."""
    x_from, top, right, bottom = box
    reach = 3
    if x_from < reach or right > ink.shape[1] - reach:
        return False
    around = ink[max(0, top - reach) : bottom + reach, x_from - reach : right + reach]
    n_line = (bottom - top) * (right - x_from)
    return int(around.sum()) - n_line < TOUCHING_SHARE * (around.size - n_line)


def _run(row: NDArray[np.bool_]) -> tuple[int, int]:
    """Return begin and end of a row's longest run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
    if not edges.size:
        return 0, 0
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])


def _is_alike(first: tuple[int, int], two: tuple[int, int]) -> bool:
    return first != (0, 0) and abs(first[0] - two[0]) <= 1 and abs(first[1] - two[1]) <= 1
