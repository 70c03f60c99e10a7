"""Numbers as a person writes them: 2580 and 0.0021, and powers of ten only far from 1."""

from __future__ import annotations


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
