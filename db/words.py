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
