"""What commands put into their cells, and the ``name=value`` words that are not conditions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.errors import UsageError

if TYPE_CHECKING:
    from db.records import Value
    from engine.propose.request import Forecast


def count(n: int, noun: str) -> str:
    """Return ``1 run``, ``2 runs``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def split_assignments(assignments: Iterable[str] | None, option: str) -> dict[str, str]:
    """Read ``["PVA=wt%", "drum=rpm"]`` as a mapping of words that are not the campaign's.

    Raises:
        UsageError: a word without ``=``, an empty side, or a name given twice.
    """
    from engine.experiments.conditions import split_pairs

    pairs: dict[str, str] = {}
    for name, value in split_pairs(assignments, option):
        if name in pairs:
            raise UsageError(
                f"'{name}' is given twice ({pairs[name]} and {value}); keep one", field=option
            )
        pairs[name] = value
    return pairs


def interval(forecast: Forecast | None) -> str:
    """Return a mean with its interval, for a table's cell."""
    from engine.campaign.numbers import written

    if forecast is None:
        return "–"
    return f"{written(forecast.mean)} ({written(forecast.lower)}–{written(forecast.upper)})"


def setting(value: Value | None) -> str:
    """Return a setting for a table's cell or a sentence, whole."""
    from engine.campaign.numbers import as_set

    return as_set(value)
