"""The empty margins of stitched or turned pictures: no mat is there, and no pore either.

Where tiles do not reach, a stitched picture has one grey value, in steps or slants along its sides.
A mat's own ground may be of one value, too (clipped black): but its outline is ragged, a margin's
is straight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]

LEAST_BORDER_SHARE = 0.08
"""So large a share of the border has the margins' value."""

NEAR_LEVELS = 2
RUN_PX, BENT_PX = 16, 2
"""Over twice so many rows a margin's edge bends by no more than so much."""

LEAST_LENGTH, LEAST_DEPTH = 0.12, 0.01
"""How long and how deep a margin is at least, as shares of the picture's sides."""

BLOCKS = 256
"""The largest box is looked for on a grid of so many blocks a side."""


def largest_full_box(levels: NDArray[np.uint8]) -> Box | None:
    """Return left, top, right, bottom of the largest box without empty margins.

    ``None``: there are no margins, or hardly anything is beside them.
    """
    empty = _empty(levels)
    if not empty.any():
        return None
    block = -(-max(levels.shape) // BLOCKS)
    height, width = (n // block for n in levels.shape)
    blocks = empty[: height * block, : width * block]
    full = ~blocks.reshape(height, block, width, block).any(axis=(1, 3))
    x_from, top, right, bottom = _largest_rectangle(np.asarray(full))
    if (right - x_from) * (bottom - top) < 0.1 * height * width:
        return None
    return _grown(empty, (x_from * block, top * block, right * block, bottom * block), block)


def _empty(levels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the mask of empty margins."""
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    counts = np.bincount(border, minlength=256)
    value = int(counts.argmax())
    mask = np.zeros(levels.shape, dtype=np.bool_)
    if counts[max(0, value - 1) : value + 2].sum() < LEAST_BORDER_SHARE * border.size:
        return mask
    is_value = np.abs(levels.astype(np.int16) - value) <= NEAR_LEVELS
    for turned, target in (
        (is_value, mask),
        (is_value[:, ::-1], mask[:, ::-1]),
        (is_value.T, mask.T),
        (is_value.T[:, ::-1], mask.T[:, ::-1]),
    ):
        _mark(turned, target)
    return mask


def _mark(is_value: NDArray[np.bool_], mask: NDArray[np.bool_]) -> None:
    """Mark the leading runs of rows whose ends lie on a straight line."""
    n, width = is_value.shape
    if n <= 2 * RUN_PX:
        return
    runs = np.where(is_value.all(axis=1), width, np.argmin(is_value, axis=1))
    bent = np.abs(runs[2 * RUN_PX :] - 2 * runs[RUN_PX:-RUN_PX] + runs[: -2 * RUN_PX]) <= BENT_PX
    is_straight = np.zeros(n, dtype=np.bool_)
    length = max(RUN_PX, int(LEAST_LENGTH * n) - 2 * RUN_PX)
    is_deep = runs >= max(4, LEAST_DEPTH * width)
    bent = bent & is_deep[RUN_PX:-RUN_PX]
    for start in np.flatnonzero(_always(bent, length)):
        is_straight[start : start + length + 2 * RUN_PX] = True
    rows = is_straight & is_deep
    mask |= rows[:, None] & (np.arange(width) < runs[:, None])


def _always(flags: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    """Return from where on so many flags are all set."""
    if flags.size < n:
        return np.zeros(0, dtype=np.bool_)
    sums = np.cumsum(np.concatenate([[0], flags]))
    return np.asarray(sums[n:] - sums[:-n] == n)


def _largest_rectangle(full: NDArray[np.bool_]) -> Box:
    """Return the largest rectangle of set cells, by the histograms above each row."""
    best, box = 0, (0, 0, 0, 0)
    heights = np.zeros(full.shape[1] + 1, dtype=np.int64)  # the last one ends each rectangle
    for row, cells in enumerate(full):
        heights[:-1] = np.where(cells, heights[:-1] + 1, 0)
        stack: list[tuple[int, int]] = []
        for column, height in enumerate(heights.tolist()):
            start = column
            while stack and stack[-1][1] >= height:
                start, tallness = stack.pop()
                if tallness * (column - start) > best:
                    best = tallness * (column - start)
                    box = (start, row + 1 - tallness, column, row + 1)
            stack.append((start, height))
    return box


def _grown(empty: NDArray[np.bool_], box: Box, block: int) -> Box:
    """Move the sides of a box of whole blocks outward, as far as nothing is empty."""
    x_from, top, right, bottom = box
    height, width = empty.shape
    for _ in range(2 * block):
        if x_from > 0 and not empty[top:bottom, x_from - 1].any():
            x_from -= 1
        if right < width and not empty[top:bottom, right].any():
            right += 1
        if top > 0 and not empty[top - 1, x_from:right].any():
            top -= 1
        if bottom < height and not empty[bottom, x_from:right].any():
            bottom += 1
    return x_from, top, right, bottom
