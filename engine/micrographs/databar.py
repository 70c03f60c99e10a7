"""Find the data bar under a micrograph: the strip in which the instrument writes its settings.

A bar (Hitachi, Zeiss, FEI) spans the whole width at the bottom. Its ground is one grey value, black
or nearly white, from edge to edge, while a micrograph's rows carry noise; letters stand on it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]

# What is flat over more of the height is the picture's own foot.
MOST_SHARE = 0.25
# Less holds no letters.
LEAST_ROWS = 8
FLAT_SHARE = 0.4
"""So large a share of a bar's row has the ground's very grey value (letters cover the rest)."""

LEAST_MEAN_SHARE = 0.6


def find_crop(grey: NDArray[np.float32]) -> Box | None:
    """Return left, top, right, bottom [px] of the picture without its bar; ``None``: no bar."""
    height, width = grey.shape
    first = int(height * (1.0 - MOST_SHARE))
    span = float(grey.max() - grey.min())
    if span <= 0:
        return None
    low = grey[first:]
    # Of the last rows only: the picture above has a commonest grey value, too.
    ground = _commonest(low[-max(LEAST_ROWS, height // 40) :])
    # Three grey values of 256, as JPEG does not keep the ground's value exactly.
    flat = (np.abs(low - ground) <= 0.012 * span).mean(axis=1)
    rows = flat >= FLAT_SHARE
    top = _first_row(rows, flat)
    if top is None or height - (first + top) < LEAST_ROWS:
        return None
    neighbours = np.abs(grey[max(0, first + top - 20) : first + top] - ground) <= 0.012 * span
    if neighbours.size and neighbours.mean() > 0.5 * float(flat[top:].mean()):
        return None  # a dark picture whose foot is dark too
    return 0, 0, width, first + top


def _commonest(part: NDArray[np.float32]) -> float:
    values, counts = np.unique(part, return_counts=True)
    return float(values[counts.argmax()])


def _first_row(rows: NDArray[np.bool_], flat: NDArray[np.float64]) -> int | None:
    """Return where the bar begins: from there on nearly every row is flat, the last ones too."""
    if not rows[-2:].any():
        return None
    share = np.cumsum(rows[::-1])[::-1] / np.arange(rows.size, 0, -1)
    mean = np.cumsum(flat[::-1])[::-1] / np.arange(rows.size, 0, -1)
    good = np.flatnonzero(rows & (share > 0.9) & (mean >= LEAST_MEAN_SHARE))
    if not good.size or good[0] == 0:
        return None  # the whole foot is flat: no bar is so high
    return int(good[0])
