"""Numbers as a person writes them: 2580 and 0.0021, and powers of ten only far from 1."""

from __future__ import annotations

from collections.abc import Sequence

from db.records import Reading, Value


def written(value: float, digits: int = 3) -> str:
    """Return a number of so many digits, without a power of ten where it is read more easily so.

    >>> written(2583.0), written(0.00213), written(480185.3, 5), written(1.2e-12), written(-0.0)
    ('2580', '0.00213', '480190', '1.2e-12', '0')
    """
    if value == 0:
        return "0"
    if not 1e-5 <= abs(value) < 1e9:
        return f"{value:.{digits}g}"
    rounded = float(f"{value:.{digits}g}")
    text = f"{rounded:.15f}".rstrip("0").rstrip(".")
    # Digits that only binary fractions have.
    return text if len(text) < 15 else f"{rounded:.12f}".rstrip("0").rstrip(".")


def as_set(value: Value | None) -> str:
    """Return a setting whole, as an instrument is set to it: no digit of it is rounded away.

    >>> as_set(123456.25), as_set(0.1 + 0.2), as_set("DMF"), as_set(None)
    ('123456.25', '0.3', 'DMF', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    # Beyond 12 digits stands what only binary fractions have.
    return f"{value:.12g}" if isinstance(value, Reading) else written(value, 12)


def range_text(low: float | None, high: float | None, choices: Sequence[Value] = ()) -> str:
    """Return the values that something may take: choices, or from low to high.

    >>> range_text(0, 0.5), range_text(3, 3), range_text(None, None, (10.0, 20.0))
    ('0 … 0.5', '3', '10, 20')
    """
    if choices:
        return ", ".join(map(as_set, choices))
    return as_set(low) if low == high else f"{as_set(low)} … {as_set(high)}"
