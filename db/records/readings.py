"""A measured value that knows more than its number: a limit it lies beyond, or its scatter."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

Bound = Literal["below", "above"]

_MARKS = {"below": "<", "above": ">"}


class Reading(float):
    """A number as it was measured, in its outcome's unit; everywhere else it is a plain float.

    ``bound``: the value itself is unknown, it lies below (above) the number, which is what the
    instrument can tell. ``sd``: the number is the mean of specimens that scatter by so much;
    ``n``: of how many.

    >>> Reading(0.5, bound="below"), Reading(12.0, sd=0.5, n=4)
    (<0.5, 12 ± 0.5 (n = 4))
    """

    bound: Bound | None
    sd: float | None
    n: int | None

    def __new__(
        cls,
        value: float,
        *,
        bound: Bound | None = None,
        sd: float | None = None,
        n: int | None = None,
    ) -> Self:
        """Refuse a scatter below 0, or fewer specimens than 1."""
        if (sd is not None and not (math.isfinite(sd) and sd >= 0)) or (n is not None and n < 1):
            raise ValueError(f"expected a scatter of 0 or more of 1 specimen or more: {sd}, {n}")
        reading = super().__new__(cls, value)
        reading.bound, reading.sd, reading.n = bound, sd, n
        return reading

    def __repr__(self) -> str:
        """Return the text that a table holds of it: ``<0.5``, ``12 ± 0.5 (n = 4)``."""
        return format(self, ".12g")

    def __str__(self) -> str:
        """Return the same."""
        return repr(self)

    def __hash__(self) -> int:
        """Return the number's hash: equal numbers have equal ones."""
        return float.__hash__(self)

    def __eq__(self, reading_or_number: object) -> bool:
        """Compare as numbers."""
        return float.__eq__(self, reading_or_number)

    def __format__(self, spec: str) -> str:
        """Return it as text, each of its numbers by ``spec``: whoever shows it shows all of it."""
        number = format(float(self), spec)
        if self.bound is not None:
            return f"{_MARKS[self.bound]}{number}"
        spread = "" if self.sd is None else f" ± {format(self.sd, spec)}"
        return f"{number}{spread}" + ("" if self.n is None else f" (n = {self.n})")

    def specimens(self, *, is_ratio: bool = False) -> tuple[float, ...]:
        """Return values of the same mean, scatter and number, from which a model learns the same.

        Mean, scatter and number are all that a Gaussian likelihood reads of replicates; beyond 64
        no model gains by more. Where the number is not known the scatter says nothing of the mean:
        it is a single value.
        ``is_ratio``: they scatter by factors, and stay above 0.

        >>> Reading(10.0, sd=1.0, n=3).specimens()
        (9.0, 10.0, 11.0)
        """
        n = min(self.n or 1, 64)
        if self.sd is None or n == 1:
            return (float(self),)
        # Pairs at the same distance from the mean, and the mean itself where the number is odd.
        pairs = n // 2
        signs = [-1.0] * pairs + [0.0] * (n % 2) + [1.0] * pairs
        size = math.sqrt((n - 1) / (2 * pairs))
        if is_ratio and self > 0:
            width = math.sqrt(math.log1p((self.sd / self) ** 2))
            factors = [math.exp(width * size * sign) for sign in signs]
            middle = float(self) * n / sum(factors)
            return tuple(middle * factor for factor in factors)
        return tuple(float(self) + self.sd * size * sign for sign in signs)


def reading(
    value: float, bound: Any = None, sd: float | None = None, n: int | None = None
) -> float:
    """Return a plain number where that is all there is to know, a :class:`Reading` otherwise."""
    if bound is None and sd is None and n is None:
        return value
    return Reading(value, bound=bound, sd=sd, n=n)


def is_censored(value: float) -> bool:
    """Whether a value is known to lie beyond a limit only."""
    return isinstance(value, Reading) and value.bound is not None


def details(value: float | None) -> tuple[Bound | None, float | None, int | None]:
    """Return what is known of a value beside its number: bound, scatter, specimens."""
    if not isinstance(value, Reading):
        return None, None, None
    return value.bound, value.sd, value.n
