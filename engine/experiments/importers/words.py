"""Words of a cell, a form or a request: labels and notes as they are kept."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# Half a surrogate pair: no database stores it.
_BROKEN = re.compile(r"[\ud800-\udfff]")
# Letters and accents by name, which show nothing: fillers of Hangul, Khmer vowels, a joiner of
# accents, selectors of variants.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}
MAX_TEXT = 10_000
# But for tab and line ends. PostgreSQL stores no NUL, terminals obey the others.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class CellError(ValueError):
    """The cell cannot be taken; the message says what was expected.

    ``mend``: what in the campaign would take it.
    """

    def __init__(self, message: str, mend: str | None = None) -> None:
        super().__init__(message)
        self.mend = mend


class NoNumberError(CellError):
    """A number was expected, and something else stands there."""


def clean_text(text: str) -> str | None:
    """Return words as they are kept (line ends unified, outer blanks off), or ``None`` if empty.

    Raises:
        CellError: control characters, broken letters, or over 10 000 characters.
    """
    if _CONTROL.search(text):
        raise CellError("expected text without control characters")
    if _BROKEN.search(text):
        raise CellError("expected text in UTF-8")
    if len(text) > MAX_TEXT:
        raise CellError(f"expected at most {MAX_TEXT:,} characters, got {len(text):,}")
    return text.replace("\r\n", "\n").replace("\r", "\n").strip() or None


def clean_label(text: str) -> str | None:
    """Return a run's label, or ``None`` if the cell is empty.

    Raises:
        CellError: over 200 characters, line breaks, control characters, or marks that cannot be
            seen: two labels that differ by one look the same to everybody.
    """
    label = clean_text(text)
    for mark in label or "":
        if _is_invisible(mark):
            name = unicodedata.name(mark, "a mark without a name")
            raise CellError(
                f"expected a label of letters that can be seen, got {name} (U+{ord(mark):04X}); "
                "type it anew"
            )
    if label is not None and (len(label) > 200 or "\n" in label):
        raise CellError("expected a label of one line and at most 200 characters")
    return label


def _is_invisible(letter: str) -> bool:
    # Cf: zero-width joiners and spaces, soft hyphens, marks of direction. Zl, Zp: line separators.
    return unicodedata.category(letter) in ("Cf", "Zl", "Zp") or letter in _FILLERS


@cache
def label_pattern() -> str:
    """Return the regular expression of a label for a JSON schema: nothing that cannot be seen."""
    # ECMA 262 without its flag `u` reads letters beyond 0xFFFF as two, so none of those is named.
    hidden = (code for code in range(0x80, 0xD800) if _is_invisible(chr(code)))
    others = (code for code in range(0xE000, 0x10000) if _is_invisible(chr(code)))
    return "^[^" + r"\u0000-\u001f\u007f" + "".join(_escaped([*hidden, *others])) + "]*$"


def note_pattern() -> str:
    """Return the regular expression of a note for a JSON schema: of controls tab and line ends."""
    return r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$"


def _escaped(codes: list[int]) -> list[str]:
    return [rf"\u{code:04x}" for code in codes]
