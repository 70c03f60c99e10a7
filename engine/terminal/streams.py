"""Standard streams that take every letter, whatever the console's encoding.

A command prints after it has recorded something. A console of Latin-1 or code page 932 has no
``→``; printing one would end in a traceback over a batch that is recorded all the same.
"""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

_HANDLER = "spinneret-spelt"
# Click takes a stream called ASCII for one set up wrongly and writes UTF-8 into it; called
# otherwise, it stays what it says.
# https://github.com/pallets/click/blob/main/src/click/_compat.py
_ASCII = "spinneret-ascii"
_SPELLINGS = {
    "→": "->", "←": "<-", "↔": "<->", "⇄": "<=>", "…": "...", "–": "-", "—": "-", "−": "-",
    "×": "x", "·": "*", "±": "+-", "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=", "°": "deg",
    "µ": "u", "μ": "u", "Ø": "O", "ø": "o", "ß": "ss", "Æ": "AE", "æ": "ae", "ł": "l", "Ł": "L",
    "‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "✓": "ok", "\u00a0": " ",
    "\u202f": " ", "\u2009": " ",
}  # fmt: skip


def take_every_letter() -> None:
    """Let standard output and standard error replace what their encoding lacks.

    Streams that are no text files of the system (a test's, a notebook's) are left as they are.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # For UTF-8, too: names of files hold surrogates for bytes that are no UTF-8 (PEP 383).
            # https://peps.python.org/pep-0383/
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=_ASCII if is_ascii else None, errors=_HANDLER)


def is_unicode(stream: object) -> bool:
    """Return whether a stream takes every letter as it is.

    >>> is_unicode(io.TextIOWrapper(io.BytesIO(), encoding="cp850"))
    False
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return codecs.lookup(encoding).name.startswith("utf")


def spelt(text: str, encoding: str) -> str:
    """Return ``text`` in letters that ``encoding`` has.

    >>> spelt("Müller → 3 µm²", "ascii")
    'Muller -> 3 um2'
    >>> spelt("Müller → 3 µm²", "latin-1")
    'Müller -> 3 µm²'
    """
    return text.encode(encoding, _HANDLER).decode(encoding)


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(map(_ascii, text)), error.end


def _ascii(letter: str) -> str:
    """Return what stands for a letter: only ASCII, which every console has."""
    if letter in _SPELLINGS:
        return _SPELLINGS[letter]
    # Without its accents; letters of other scripts have no base in ASCII.
    bare = "".join(
        part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part)
    )
    # A mark that stood for itself (a combining accent) is left out; all else is told by a sign.
    return bare if bare.isascii() and (bare or unicodedata.combining(letter)) else "?"


def _codec(name: str) -> codecs.CodecInfo | None:
    # Names are looked up with underscores for hyphens since Python 3.9.
    if name.replace("_", "-") != _ASCII:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode,
        plain.decode,
        incrementalencoder=plain.incrementalencoder,
        incrementaldecoder=plain.incrementaldecoder,
        name=_ASCII,
    )


codecs.register(_codec)
codecs.register_error(_HANDLER, _spell)
