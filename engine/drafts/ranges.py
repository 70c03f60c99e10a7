"""Values that were run → what may be set: bounds, the instrument's steps, choices; mixtures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from engine.drafts.columns import TableColumn

_MOST_STEPS = 100
_FEW_LEVELS = 5
# A range of more than this ratio is one of ratios.
_DECADES = 100.0


@dataclass(frozen=True)
class Range:
    """What may be set of a number: from, to, in steps or among choices, on which scale."""

    low: float
    high: float
    step: float | None = None
    choices: tuple[float, ...] = ()
    is_ratio: bool = False


def range_of(values: Sequence[float]) -> Range:
    """Return the range of values that were set, and what the instrument seems to be set in.

    >>> range_of([10, 20, 30]).step, range_of([0.05, 0.5, 1.0] * 4).choices
    (10.0, (0.05, 0.5, 1.0))
    """
    levels = sorted(set(values))
    low, high = levels[0], levels[-1]
    if low == high:
        return Range(low, high)
    step = common_step(levels)
    n_steps = math.inf if step is None else round((high - low) / step)
    is_grid = step is not None and n_steps <= _MOST_STEPS and len(levels) >= 0.15 * n_steps
    if is_grid and (len(levels) > _FEW_LEVELS or n_steps + 1 <= 2 * len(levels)):
        return Range(low, high, step)
    if 3 <= len(levels) <= _FEW_LEVELS and len(values) >= 4 * len(levels):
        return Range(low, high, choices=tuple(levels))
    return Range(low, high, is_ratio=low > 0 and high / low >= _DECADES)


def common_step(levels: Sequence[float]) -> float | None:
    """Return the largest step that reaches all levels from the lowest, ``None`` if there is none.

    >>> common_step([0.7, 1.05, 1.4]), common_step([0.0, 0.1, math.pi])
    (0.35, None)
    """
    for decimals in range(5):
        scale = 10**decimals
        numbers = [level * scale for level in levels]
        if all(abs(number - round(number)) <= 1e-6 * max(1.0, abs(number)) for number in numbers):
            differences = [round(number) - round(numbers[0]) for number in numbers[1:]]
            return float(math.gcd(*differences) / scale)
    return None


@dataclass(frozen=True)
class Mixture:
    """Columns that sum to the same in (nearly) every row."""

    columns: tuple[TableColumn, ...]
    total: float


def mixture_of(columns: Sequence[TableColumn]) -> Mixture | None:
    """Return the largest set of columns of one unit whose rows sum to a constant, if there is one.

    Shares are rounded when they are written down: nine rows of ten within 1.5 % will do, and half
    of them within 0.2 %.
    """
    by_unit: dict[str, list[TableColumn]] = {}
    for column in columns:
        numbers = [number for number in column.numbers if number is not None]
        if len(set(numbers)) > 1 and min(numbers) >= 0:
            by_unit.setdefault(column.unit, []).append(column)
    for group in sorted(by_unit.values(), key=len, reverse=True):
        # Of ten columns there are a thousand sets.
        for size in range(min(len(group), 10), 1, -1):
            for chosen in combinations(group[:10], size):
                total = _total(chosen)
                if total is not None:
                    return Mixture(chosen, total)
    return None


def _total(columns: Sequence[TableColumn]) -> float | None:
    rows = zip(*(column.numbers for column in columns), strict=True)
    sums = [sum(n for n in row if n is not None) for row in rows if None not in row]
    if len(sums) < 4:
        return None
    total = float(f"{sorted(sums)[len(sums) // 2]:.3g}")
    if total <= 0:
        return None
    off = [abs(value - total) / total for value in sums]
    n_near, n_exact = (sum(o <= limit for o in off) for limit in (0.015, 0.002))
    # Each has its share: one that is the total alone, or nothing everywhere, is no component.
    is_shared = all(
        any(0 < (number or 0) < total for number in column.numbers) for column in columns
    )
    return total if n_near >= 0.9 * len(sums) and n_exact >= 0.5 * len(sums) and is_shared else None
