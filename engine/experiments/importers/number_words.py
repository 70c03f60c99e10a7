"""Numbers as people write them beside plain ones, and what to do about a cell that holds none."""

from __future__ import annotations

import re

# Full-width forms of digits, signs and the per cent sign are ASCII's, moved.
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_DASH = re.compile(r"^[−–‐‑‒](?=\s*[0-9.,])")
_POWER = re.compile(r"(?<=[0-9])\s*[×·⋅*x]\s*10\s*(?:\^\s*([+−-]?[0-9]+)|([⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+))")
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻−", "0123456789+--")
_LONGEST = 80
_ADVICE = (
    (r"#.*", "an error of the spreadsheet: mend its formula, or leave the cell empty"),
    (
        r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}[ .-]*[^\W\d]{3,9}\.?|[^\W\d]{3,9}[ .-]*\d{1,4}",
        "if it became a date, let the spreadsheet show the column as numbers and type it anew",
    ),
    (r"[0-9.,]+\s*\(\s*[0-9.,]+\s*\)", "the scatter of a result is written 88.1 ± 0.4"),
    (r".*±.*", "one value a cell, its scatter in the note"),
    (r"[0-9.,]+\s*[;/–-]\s*[0-9.,]+.*", "one value a cell, replicates in rows of their own"),
    (r"(?:[~≈]|ca\.?|c\.)\s*[0-9.,]+|[0-9.,]+\s*(?:[*†‡§?]+|[a-d])", "write the number alone"),
    (
        r"[^\d]*[^\W\d][^\d]*|[?./…*]+",
        "leave the cell empty where nothing was measured; what went wrong stands in a column "
        "'failed' or 'note'",
    ),
)


def write_plainly(text: str) -> str:
    """Return a number's text with ASCII's digits and minus sign, its power of ten as ``e3``.

    >>> write_plainly("８８．１"), write_plainly("–2 °C"), write_plainly("4.0·10⁻¹ mL/h")
    ('88.1', '-2 °C', '4.0e-1 mL/h')
    """
    word = _DASH.sub("-", text.strip().translate(_NARROW)).replace("−", "-")
    return _POWER.sub(lambda match: f"e{(match[1] or match[2]).translate(_RAISED)}", word, count=1)


def advice_for(text: str) -> str:
    """Return what to do about a cell that holds no number, after ``; ``; often nothing is known.

    >>> advice_for("88.1 (0.4)"), advice_for("0..4")
    ('; the scatter of a result is written 88.1 ± 0.4', '')
    """
    # Of long words every pattern would take long.
    word = text.strip()[:_LONGEST]
    advice = (advice for pattern, advice in _ADVICE if re.fullmatch(pattern, word))
    return "".join(f"; {line}" for line in [next(advice, "")] if line)
