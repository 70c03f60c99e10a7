"""Bytes of an export → text: byte order marks first, then UTF-8, then what makes known words."""

from __future__ import annotations

import codecs

from engine.curves.reading.quantities import count_words
from engine.errors import DataError

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# In order of preference where no word decides.
_OLD = ("cp1252", "cp1250", "gb18030", "cp932", "big5", "cp949", "cp1251", "latin-1")
_SPECIMEN = 64_000


def decode(content: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Return the text of a file and the encoding it was read in.

    Args:
        content: the file's bytes.
        encoding: what the user says it is; guessed where nothing is said.

    Raises:
        DataError: no text, or not in that encoding.
    """
    if not content.strip():
        raise DataError("expected a table of numbers, got an empty file")
    if encoding is not None:
        return _decode_as_stated(content, encoding)
    for mark, name in _MARKS:
        if content.startswith(mark):
            return _strict(content, name)
    wide = _wide_encoding(content)
    if wide is not None:
        return _strict(content, wide)
    if b"\x00" in content:
        raise DataError(
            "expected text (CSV, TXT, TRA, MTR …) or a workbook (.xlsx), got a binary file; "
            "export the curve as text from the tester's program"
        )
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _old_encoding(content)


def _decode_as_stated(content: bytes, encoding: str) -> tuple[str, str]:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise DataError(
            f"expected an encoding such as utf-8, cp1252, cp1250 or gb18030, got '{encoding}'",
            field="encoding",
        ) from None
    try:
        return content.decode(name).removeprefix("\ufeff"), name
    except (UnicodeError, TypeError):
        raise DataError(f"the file is not in {encoding}", field="encoding") from None


def _strict(content: bytes, name: str) -> tuple[str, str]:
    try:
        return content.decode(name).removeprefix("\ufeff"), name.removesuffix("-sig")
    except UnicodeError:
        raise DataError(
            f"expected text in {name.removesuffix('-sig')}, as the file's first bytes say; it is "
            "damaged or cut short: export it again"
        ) from None


def _wide_encoding(content: bytes) -> str | None:
    """Return UTF-16 without a byte order mark: every other byte of ASCII letters is zero."""
    head = content[:4096]
    if len(head) < 4:
        return None
    n_pairs = len(head) // 2
    for name, start in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros = head[start::2].count(0)
        letters = head[1 - start :: 2].count(0)
        if zeros > 0.6 * n_pairs and letters < 0.05 * n_pairs:
            return name
    return None


def _old_encoding(content: bytes) -> tuple[str, str]:
    candidates = []
    for rank, name in enumerate(_OLD):
        try:
            text = content.decode(name)
        except UnicodeError:
            continue
        candidates.append((count_words(text[:_SPECIMEN]), -rank, text, name))
    _, _, text, name = max(candidates, key=lambda item: item[:2])
    return text, name
