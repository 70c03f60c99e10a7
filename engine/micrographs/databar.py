"""Find what of a micrograph's file is picture: without data bar, frame and empty margins.

A data bar (Hitachi, Zeiss, FEI, …) spans a side of the picture, mostly the lower one. Its ground is
one grey value, or changes slowly, from edge to edge, while a micrograph's rows carry noise; letters
stand on it. A frame or margin has one value all along. Each side is looked at, the frame first,
then the bar, then what parts the bar from the picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.micrographs.margins import largest_full_box

Box = tuple[int, int, int, int]
Levels = NDArray[np.uint8]

# What is flat over more of the height is the picture's own foot.
MOST_SHARE, HIGH_SHARE = 0.45, 0.25
"""A bar's part of its side at most; beyond the second it has to be flatter."""

# Less holds no letters.
LEAST_ROWS = 8
FLAT_SHARE = 0.4
"""So large a share of a bar's row has its ground's very grey value, or changes slowly (letters
cover the rest)."""

LEAST_MEAN_SHARE, HIGH_MEAN_SHARE, BESIDE_MEAN_SHARE = 0.6, 0.75, 0.83
EMPTY_SHARE, EMPTY_LEVELS = 0.97, 8
"""So large a share of a frame's row is within so many levels of 256 of one value: JPEG blurs it."""

CONTRAST = 2.0
"""So many times as much is uneven in the picture beside the bar."""

PLAIN_SHARE = 0.9
"""And so much of its outermost row is of that very value."""

FADING_SHARE = 0.6
"""So much beside it has its value, too, where a picture darkens towards its side."""

NEAR_LEVELS = 3
"""Of 256: JPEG does not keep the ground's value exactly."""

MOST_SIDE_PX = 2048
"""A larger picture is looked at by every second, third … pixel."""

OUTLIERS, HALF = 2e-4, 0.5
"""So many of the pixels may be hit or dead, where the rest spans less than half of the values."""

TINY = float(np.finfo(np.float32).tiny)
SMOOTH_LEVELS = 2
_AT_ONCE = 64
_ROUNDS = 3  # frame, bar, line between bar and picture


def find_crop(grey: NDArray[np.float32]) -> Box | None:
    """Return left, top, right, bottom [px] of the picture alone; ``None``: it is all picture."""
    step = -(-max(grey.shape) // MOST_SIDE_PX)
    levels = _levels(grey[::step, ::step])
    height, width = levels.shape
    if not levels.any():
        return None
    box = _without_bars(levels, (0, 0, width, height))
    # A bar's even ground would be taken for a margin: it goes first.
    x_from, top, right, bottom = box
    margins = largest_full_box(levels[top:bottom, x_from:right])
    if margins is not None:
        shifted = (x_from + margins[0], top + margins[1], x_from + margins[2], top + margins[3])
        box = _without_bars(levels, shifted)
    if box == (0, 0, width, height):
        return None
    x_from, top, right, bottom = (step * n for n in box)
    full_height, full_width = grey.shape
    return (
        x_from,
        top,
        full_width if box[2] == width else right - (step - 1),
        full_height if box[3] == height else bottom - (step - 1),
    )


def _without_bars(levels: Levels, box: Box) -> Box:
    for _ in range(_ROUNDS):
        inner = _without_bar(levels, _without_frame(levels, box))
        if inner == box:
            break
        box = inner
    return box


def _levels(grey: NDArray[np.float32]) -> Levels:
    low, high = float(grey.min()), float(grey.max())
    # One pixel that is hit or dead must not press all others into a few levels, which look flat.
    bright, dark = (float(q) for q in np.quantile(grey, (1.0 - OUTLIERS, OUTLIERS)))
    if bright - dark < HALF * (high - low):
        low, high = dark, bright
    scaled = (np.clip(grey, low, high) - low) * (255.0 / max(high - low, TINY))
    return np.asarray(np.rint(scaled), dtype=np.uint8)


def _without_frame(levels: Levels, box: Box) -> Box:
    """Take rows and columns of one value away, as long as there are some."""
    x_from, top, right, bottom = box
    while True:
        inside = levels[top:bottom, x_from:right]
        if min(inside.shape) <= 2 * LEAST_ROWS:
            return x_from, top, right, bottom
        views = (inside.T, inside, inside.T[::-1], inside[::-1])
        trims = tuple(_leading(view) for view in views)
        limit = min(inside.shape) // 2 - LEAST_ROWS
        if not any(trims) or max(trims) > limit:
            return x_from, top, right, bottom
        x_from, top, right, bottom = (
            x_from + trims[0], top + trims[1], right - trims[2], bottom - trims[3],
        )  # fmt: skip


def _leading(levels: Levels) -> int:
    """Return how many of the first rows are a frame's; 0 where the picture just fades out."""
    n = len(levels)
    for start in range(0, len(levels), _AT_ONCE):
        is_empty = _flatness(levels[start : start + _AT_ONCE], near=EMPTY_LEVELS) >= EMPTY_SHARE
        if not is_empty.all():
            n = start + int(np.argmin(is_empty))
            break
    if n == 0 or _flatness(levels[:1], near=NEAR_LEVELS)[0] < PLAIN_SHARE:
        return 0
    value = int(np.median(levels[n // 2]))
    if abs(value - int(np.median(levels[0]))) > NEAR_LEVELS:
        return 0
    neighbours = levels[n + 2 : n + 7].astype(np.int16)  # the first two may be of both
    is_alike = np.abs(neighbours - value) <= EMPTY_LEVELS
    return n if is_alike.mean() < FADING_SHARE else 0


def _without_bar(levels: Levels, box: Box) -> Box:
    """Take the bar away that stands at one of the sides: below, above, left, right."""
    x_from, top, right, bottom = box
    inside = levels[top:bottom, x_from:right]
    views = (inside, inside[::-1], inside.T[::-1], inside.T)
    sizes = [_bar_rows(view, is_beside=number > 1) for number, view in enumerate(views)]
    side = next((number for number, size in enumerate(sizes) if size), None)
    if side is None:
        return box
    size = sizes[side]
    return (
        x_from + size * (side == 2),
        top + size * (side == 1),
        right - size * (side == 3),
        bottom - size * (side == 0),
    )


def _bar_rows(levels: Levels, *, is_beside: bool) -> int:
    """Return how many of the last rows are a data bar; 0: none."""
    n = levels.shape[0]
    first = int(n * (1.0 - MOST_SHARE))
    flat = np.maximum(_flatness(levels, near=NEAR_LEVELS), _smoothness(levels))
    low = flat[first:]
    usual = float(np.median(flat))
    rows = low >= max(FLAT_SHARE, usual + 0.35 * (1.0 - usual))
    # A line of something else may stand below the bar.
    if not rows[-max(4, n // 50) :].any():
        return 0
    share = np.cumsum(rows[::-1])[::-1] / np.arange(rows.size, 0, -1)
    mean = np.cumsum(low[::-1])[::-1] / np.arange(rows.size, 0, -1)
    is_high = np.arange(rows.size, 0, -1) > HIGH_SHARE * n
    least = np.where(is_high, HIGH_MEAN_SHARE, LEAST_MEAN_SHARE)
    if is_beside:  # where a picture may darken towards its side
        least = np.maximum(least, BESIDE_MEAN_SHARE)
    starts = np.flatnonzero(rows & (share > 0.85) & (mean >= least))
    # The whole foot flat: no bar is so high.
    if not starts.size or starts[0] == 0 or rows.size - starts[0] < LEAST_ROWS:
        return 0
    start = int(starts[0])
    neighbours = flat[max(0, first + start - max(20, n // 20)) : first + start]
    if 1.0 - neighbours.mean() < CONTRAST * (1.0 - float(mean[start])):
        return 0  # a dark or quiet picture whose foot is so, too
    return int(rows.size - start)


def _flatness(levels: Levels, near: int) -> NDArray[np.float64]:
    """Return of each row the share that is within ``near`` of the commonest grey value."""
    n, width = levels.shape
    index = levels.astype(np.int32) + 256 * np.arange(n, dtype=np.int32)[:, None]
    counts = np.bincount(index.ravel(), minlength=256 * n).reshape(n, 256)
    sums = np.cumsum(np.pad(counts, ((0, 0), (near + 1, near))), axis=1)
    return np.asarray((sums[:, 2 * near + 1 :] - sums[:, : -2 * near - 1]).max(axis=1) / width)


def _smoothness(levels: Levels) -> NDArray[np.float64]:
    """Return of each row the share that changes slowly from pixel to pixel."""
    steps = np.abs(np.diff(levels.astype(np.int16), axis=1))
    return np.asarray((steps <= SMOOTH_LEVELS).mean(axis=1))
