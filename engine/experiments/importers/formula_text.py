"""Text that a spreadsheet would take for a formula: written so that it runs nothing, read back.

A cell of CSV that begins with ``=``, ``+``, ``-`` or ``@`` is a live formula in Excel, LibreOffice
and Google Sheets. As OWASP advises it is written with an apostrophe before it, numbers excepted:
https://owasp.org/www-community/attacks/CSV_Injection. One apostrophe more is put before those that
stand there already, so that reading is the exact reverse of writing.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

# The wide signs are formulas in East Asian editions.
_FORMULA = re.compile(r"'*(?:\s*[=+\-@＝＋－＠]|[\t\r\n])")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")


def escape_formula(text: str) -> str:
    """Return a cell of CSV that shows ``text`` and computes nothing.

    >>> [escape_formula(text) for text in ("=A1", "-3.5", "-x", "mat 7")]
    ["'=A1", '-3.5', "'-x", 'mat 7']
    """
    if _FORMULA.match(text) is None or _NUMBER.fullmatch(text) is not None:
        return text
    return f"'{text}"


def protect_apostrophe(text: str) -> str:
    """Return a text cell of a workbook, where only an apostrophe of the text's own needs another.

    >>> [protect_apostrophe(text) for text in ("=A1", "'=A1")]
    ['=A1', "''=A1"]
    """
    return escape_formula(text) if text.startswith("'") else text


def unescape_formula(text: str) -> str:
    """Return what :func:`escape_formula` was given.

    >>> [unescape_formula(text) for text in ("'=A1", "-3.5", "'mat 7'")]
    ['=A1', '-3.5', "'mat 7'"]
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) is not None else text


def csv_text(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV, in which no text is a formula; lines end in ``\\n`` everywhere."""
    lines = []
    for row in (headings, *rows):
        line = io.StringIO(newline="")
        # With a line end of "\n" alone the writer leaves "\r" in a cell without quotes.
        # https://docs.python.org/3/library/csv.html#csv.Dialect.lineterminator
        csv.writer(line, lineterminator="\r\n").writerow(
            [escape_formula(cell) if isinstance(cell, str) else cell for cell in row]
        )
        lines.append(line.getvalue().removesuffix("\r\n") + "\n")
    return "".join(lines)
