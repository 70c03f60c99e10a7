"""Where a curve begins and where it ends: slack, break, reversal, slips, cycles.

Notation: x strain (or extension), y stress (or force), both (n,); "span" is the range of x that the
record covers before the machine turns back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import median_filter

from engine.curves.reading.records import Array

Ending = Literal["broken", "not broken", "unloaded"]

SLACK = 0.01
"""Force below this share of the greatest is slack."""

FALL = 0.2
"""A fall by this share of the greatest force …"""

FALL_SPAN = 0.01
"""… within this share of the span is a break."""

_TORN = 0.97
"""Share of the last peak at which a tear counts as begun: before it a specimen only necks."""

_SLIP = 0.05
_TURN = 0.01
_CARRIES_ON = 0.05


@dataclass(frozen=True)
class Cut:
    """The part of a curve that counts: samples ``start`` to ``end``, both included."""

    start: int
    end: int
    ending: Ending
    slips: tuple[int, ...] = ()
    """Samples before a sudden fall that the specimen outlived."""

    n_cycles: int = 0
    """How often the machine turned back and went on again."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing happened on the way."""
        return not self.slips and not self.n_cycles


def cut(x: Array, y: Array) -> Cut:
    """Return where a curve begins and ends.

    The end is the point before a fall of more than 20 % of the greatest force within 1 % of the
    span, or a reversal of strain; otherwise the specimen did not break. A fall that the force
    recovers from is no break: it is told as a slip.
    """
    turn = _turning_point(x)
    n_cycles = _count_cycles(x, turn)
    greatest = float(y[: turn + 1].max())
    start = _slack(y[: turn + 1], greatest)
    stop = len(y) if turn == len(y) - 1 else turn + 1
    smooth = median_filter(y[:stop], size=3, mode="nearest") if stop >= 30 else y[:stop]
    stiffness = _stiffness(x[:stop], smooth, start)
    position = start
    while True:
        fall = _next_fall(x[:stop], y[:stop], position, greatest)
        if fall is None:
            break
        peak, foot = fall
        kind = _kind_of_fall(x[:stop], y[:stop], fall, stiffness)
        if kind == "break":
            end = _tear_begin(y, peak, foot)
            slips = _find_slips(x[: end + 1], smooth[: end + 1], start, greatest, stiffness)
            return Cut(start, end, "broken", slips, n_cycles)
        position = foot
    slips = _find_slips(x[:stop], smooth, start, greatest, stiffness)
    ending: Ending = "unloaded" if turn < len(y) - 1 else "not broken"
    end = turn if ending == "unloaded" else len(y) - 1
    return Cut(start, end, ending, slips, n_cycles)


def white_noise(y: Array) -> float:
    """Return the standard deviation of white noise on a smooth curve, by its second differences."""
    if len(y) < 4:
        return 0.0
    # 1.4826 × the median absolute deviation is a Gaussian's; the differences have six variances.
    return 1.4826 * float(np.median(np.abs(np.diff(y, n=2)))) / math.sqrt(6)


def _turning_point(x: Array) -> int:
    """Return the sample of greatest strain before the machine turned back, or the last one."""
    top = np.maximum.accumulate(x)
    back = np.flatnonzero(top - x > _TURN * max(float(np.ptp(x)), 1e-12))
    if len(back) == 0:
        return len(x) - 1
    return int(np.argmax(x[: back[0] + 1]))


def _count_cycles(x: Array, turn: int) -> int:
    """Return how often the machine turned back by a twentieth of the span, and went on again."""
    threshold = 0.05 * float(np.ptp(x))
    n, direction, extreme = 0, 1, float(x[0])
    for value in x[max(turn - 1, 0) :].tolist():
        if direction > 0:
            extreme = max(extreme, value)
            if extreme - value > threshold:
                direction, extreme = -1, value
        else:
            extreme = min(extreme, value)
            if value - extreme > threshold:
                n, direction, extreme = n + 1, 1, value
    return n


def _slack(y: Array, greatest: float) -> int:
    reached = int(np.argmax(y >= 0.1 * greatest))
    slack = np.flatnonzero(y[: reached + 1] < SLACK * greatest)
    return int(slack[-1]) + 1 if len(slack) else 0


def _stiffness(x: Array, y: Array, start: int) -> float:
    """Return a rough greatest slope, over rises of a fifth of the greatest force."""
    peak = int(np.argmax(y))
    if peak - start < 3:
        return np.inf
    rise = 0.2 * float(y[peak] - y[start])
    top = np.maximum.accumulate(y[start : peak + 1])
    ends = np.searchsorted(top, y[start : peak + 1] + rise)
    first = np.arange(len(top))
    valid = (ends < len(top)) & (ends > first)
    run = x[start:][np.minimum(ends, len(top) - 1)] - x[start:][first]
    valid &= run > 0
    if not valid.any():
        return np.inf
    return float(np.max(rise / run[valid]))


def _next_fall(x: Array, y: Array, position: int, greatest: float) -> tuple[int, int] | None:
    """Return peak and foot of the first fall of 20 % of the greatest within 1 % of the span."""
    window = FALL_SPAN * float(np.ptp(x))
    low = _sliding_minimum(x, y, window)
    hits = np.flatnonzero(y[position:] - low[position:] > FALL * greatest)
    if len(hits) == 0:
        return None
    first = position + int(hits[0])
    last = int(np.searchsorted(np.maximum.accumulate(x), x[first] + window, side="right"))
    last = max(last, first + 2)
    foot = first + int(np.argmax(y[first:last] < y[first] - FALL * greatest))
    peak = first + int(np.argmax(y[first : foot + 1]))
    return peak, foot


def _sliding_minimum(x: Array, y: Array, window: float) -> Array:
    """Return for each sample the least y within ``window`` of x, the next sample included."""
    top = np.maximum.accumulate(x)
    ends = np.searchsorted(top, top + window, side="right")
    ends = np.minimum(np.maximum(ends, np.arange(len(x)) + 2), len(x))
    low = np.empty_like(y)
    queue: list[int] = []
    head, reach = 0, 0
    for i in range(len(y)):
        while reach < ends[i]:
            while len(queue) > head and y[queue[-1]] >= y[reach]:
                queue.pop()
            queue.append(reach)
            reach += 1
        while queue[head] < i:
            head += 1
        low[i] = y[queue[head]]
    return low


def _kind_of_fall(
    x: Array, y: Array, fall: tuple[int, int], stiffness: float
) -> Literal["break", "slip", "neck"]:
    peak, foot = fall
    span = float(np.ptp(x))
    tail = y[foot:]
    top = np.maximum.accumulate(x)
    reach = int(np.searchsorted(top, x[foot] + _CARRIES_ON * span, side="right"))
    carries_on = top[-1] - x[foot] >= _CARRIES_ON * span and float(
        np.median(y[foot : max(reach, foot + 1)])
    ) >= 0.5 * float(y[peak])
    recovers = float(tail.max()) >= 0.95 * float(y[peak])
    if recovers:
        return "slip" if _is_sudden(x, y, peak, foot, stiffness) else "neck"
    if not carries_on or _is_sudden(x, y, peak, foot, stiffness):
        return "break"
    return "neck"


def _is_sudden(x: Array, y: Array, peak: int, foot: int, stiffness: float) -> bool:
    """Whether force was lost faster than a specimen unloads, as nothing that only yields does."""
    step = int(np.argmin(np.diff(y[peak : foot + 1]))) + peak
    drop, run = float(y[step] - y[step + 1]), float(x[step + 1] - x[step])
    return drop >= 0.5 * stiffness * max(run, 0.0) and drop > 0.02 * float(y[peak])


def _tear_begin(y: Array, peak: int, foot: int) -> int:
    intact = np.flatnonzero(y[peak : foot + 1] >= _TORN * y[peak])
    return peak + int(intact[-1])


def _find_slips(
    x: Array, y: Array, start: int, greatest: float, stiffness: float
) -> tuple[int, ...]:
    """Return samples before falls of 5 % that come faster than unloading and are recovered from."""
    least = max(_SLIP * greatest, 6 * white_noise(y))
    window = FALL_SPAN * float(np.ptp(x))
    low = _sliding_minimum(x, y, window)
    slips: list[int] = []
    position = start
    while True:
        hits = np.flatnonzero(y[position:] - low[position:] > least)
        if len(hits) == 0:
            return tuple(slips)
        first = position + int(hits[0])
        foot = first + int(np.argmax(y[first:] < y[first] - least))
        recovers = float(y[foot:].max()) >= 0.95 * float(y[first])
        peak = first + int(np.argmax(y[first : foot + 1]))
        if recovers and _is_sudden(x, y, peak, foot, stiffness):
            slips.append(peak)
        position = max(foot, position + 1)
        if position >= len(y) - 1:
            return tuple(slips)
