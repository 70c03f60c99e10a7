"""Inequalities as people write them: ``elastic_modulus >= 0.2``, ``a + 2*b - c == 1``."""

from __future__ import annotations

import re
from typing import Literal

Operator = Literal["<=", ">=", "=="]

_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_NAME = r"[A-Za-z_][\w.]*"
_TERM = re.compile(rf"\s*(?P<sign>[+-])?\s*(?:(?P<factor>{_NUMBER})\s*\*?\s*)?(?P<name>{_NAME})\s*")
_COMPARISON = re.compile(rf"^(?P<left>.+?)(?P<operator><=|>=|==|=)\s*(?P<bound>[+-]?{_NUMBER})\s*$")


def parse_comparison(text: str) -> tuple[dict[str, float], Operator, float]:
    """Read a linear inequality: factors by name, operator and bound.

    Raises:
        ValueError: the text is not a linear expression compared with a number.

    >>> parse_comparison("2*fibre_diameter - pore_size <= 300")
    ({'fibre_diameter': 2.0, 'pore_size': -1.0}, '<=', 300.0)
    """
    match = _COMPARISON.match(text.strip())
    if match is None:
        raise ValueError(
            f"expected a linear inequality such as 'a + 2*b <= 3', got {text!r}; "
            "names on the left, one of <= >= ==, a number on the right"
        )
    terms: dict[str, float] = {}
    expression, position = match["left"].strip(), 0
    while position < len(expression):
        term = _TERM.match(expression, position)
        if term is None or (position > 0 and term["sign"] is None):
            raise ValueError(
                f"expected terms such as '2*a' joined by + or -, got {expression[position:]!r}"
            )
        factor = float(term["factor"] or 1.0) * (-1.0 if term["sign"] == "-" else 1.0)
        terms[term["name"]] = terms.get(term["name"], 0.0) + factor
        position = term.end()
    operator = match["operator"]
    return terms, "==" if operator == "=" else operator, float(match["bound"])  # type: ignore[return-value]


def format_comparison(terms: dict[str, float], operator: Operator, bound: float) -> str:
    """Write the comparison that :func:`parse_comparison` reads, to the last digit."""
    parts: list[str] = []
    for name, factor in terms.items():
        size = "" if abs(factor) == 1 else f"{_exact(abs(factor))}*"
        sign = "-" if factor < 0 else "+"
        lead = f"{sign} " if parts else sign.removeprefix("+")
        parts.append(f"{lead}{size}{name}")
    return f"{' '.join(parts)} {operator} {_exact(bound)}"


def _exact(number: float) -> str:
    short = f"{number:g}"
    return short if float(short) == number else repr(number)
