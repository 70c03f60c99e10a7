"""Words as people see them: one way of writing ``ü``, whichever bytes it came in."""

from __future__ import annotations

import unicodedata


def nfc(text: str) -> str:
    """Return a word in Unicode's normal form C, in which words are compared.

    What a person typed, a spreadsheet saved and a Mac's folder lists differ in their bytes alone.

    >>> nfc("Mu\\u0308ller") == nfc("M\\u00fcller")
    True
    """
    # https://unicode.org/reports/tr15/
    return unicodedata.normalize("NFC", text)


def run_name(id_: int | None, label: str | None) -> str:
    """Return how a run is called wherever people read of it: its number, and its label as such.

    Labels are numbers often enough: "run 168" alone could be either.

    >>> run_name(140, "168"), run_name(140, None), run_name(None, "168")
    ('140 · label 168', '140', 'label 168')
    """
    named = f"label {label}" if label else ""
    return " · ".join(word for word in ("" if id_ is None else str(id_), named) if word)
