"""Scale bars that are drawn, not filled: lines with end strokes, frames, rows of ticks.

Each is made of parts of ink that hang together: a thin line with a stroke at either end, whole or
with the label in its middle; a frame; a row of ticks, evenly apart, as Hitachi's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

MOST_HEIGHT, MOST_STROKE = 40, 4
"""Of end strokes, frames and ticks, and how thick their lines are [px]."""

LEAST_TICKS, MOST_UNEVEN = 6, 1.5
STRAY_SHARE = 0.06
"""So much of a part's ink may be neither its line nor its ends."""


@dataclass(frozen=True)
class Ruler:
    """A drawn bar: its columns and rows, and the columns in which its label interrupts it."""

    start_px: int
    right: int
    top: int
    bottom: int
    gap: tuple[int, int] | None = None


@dataclass(frozen=True)
class _Part:
    """Ink that hangs together: its box, and in it where ink is."""

    x_from: int
    top: int
    right: int
    bottom: int
    ink: Mask

    @property
    def width(self) -> int:
        return self.right - self.x_from

    @property
    def height(self) -> int:
        return self.bottom - self.top


def drawn_rulers(ink: Mask) -> Iterator[Ruler]:
    """Yield every drawn bar in a strip's ink (height, width), of whatever length."""
    from scipy import ndimage

    labels, _ = ndimage.label(ink, structure=np.ones((3, 3)))
    parts = [
        _Part(x.start, y.start, x.stop, y.stop, labels[y, x] == number)
        for number, (y, x) in enumerate(ndimage.find_objects(labels), start=1)
        if y.stop - y.start <= MOST_HEIGHT
    ]
    for part in parts:
        if part.width >= 3 * part.height and _is_capped(part, is_begun=True, is_ended=True):
            yield Ruler(part.x_from, part.right, part.top, part.bottom)
    yield from _broken(parts)
    yield from _ticks(parts)


def _is_capped(part: _Part, *, is_begun: bool, is_ended: bool) -> bool:
    """Tell whether a part is a line (or two: a frame) that ends in strokes as high as the part."""
    if part.height < 4:
        return False
    rows = part.ink.mean(axis=1) >= 0.97
    # A line, or a frame's two; what is filled is another kind of bar.
    if not rows.any() or rows.sum() > min(2 * MOST_STROKE, 0.67 * part.height):
        return False
    columns: NDArray[np.bool_] = np.asarray(part.ink.all(axis=0))
    for end, is_wanted in ((columns, is_begun), (columns[::-1], is_ended)):
        n = int(np.argmin(end)) if not end.all() else end.size
        if bool(n) != is_wanted or n > MOST_STROKE:
            return False
    stray = part.ink.copy()
    stray[rows] = False
    stray[:, columns] = False
    return bool(stray.sum() <= STRAY_SHARE * part.ink.sum())


def _broken(parts: Sequence[_Part]) -> Iterator[Ruler]:
    """Yield bars whose label stands between their halves."""
    halves = [part for part in parts if part.width >= part.height]
    lefts = [part for part in halves if _is_capped(part, is_begun=True, is_ended=False)]
    rights = [part for part in halves if _is_capped(part, is_begun=False, is_ended=True)]
    for first in lefts:
        for second in rights:
            is_level = abs(first.top - second.top) <= 1 and abs(first.bottom - second.bottom) <= 1
            if is_level and first.right < second.x_from and abs(first.width - second.width) <= 3:
                gap = (first.right, second.x_from)
                yield Ruler(first.x_from, second.right, first.top, first.bottom, gap)


def _ticks(parts: Sequence[_Part]) -> Iterator[Ruler]:
    """Yield rows of ticks: filled, alike, evenly apart; from the first one's middle to the last's.

    Every fifth may be longer.
    """
    strokes = [
        part
        for part in parts
        if part.width <= MOST_STROKE and part.height >= 2 * part.width and part.ink.all()
    ]
    for bottom in sorted({part.bottom for part in strokes}):
        row = [part for part in strokes if abs(part.bottom - bottom) <= 1]
        row.sort(key=lambda part: part.x_from)
        if len(row) < LEAST_TICKS or max(p.width for p in row) - min(p.width for p in row) > 1:
            continue
        middles = np.array([0.5 * (part.x_from + part.right) for part in row])
        steps = np.diff(middles)
        if np.abs(steps - steps.mean()).max() <= MOST_UNEVEN and steps.mean() >= 4:
            top = min(part.top for part in row)
            yield Ruler(round(middles[0]), round(middles[-1]), top, max(p.bottom for p in row))
            return
