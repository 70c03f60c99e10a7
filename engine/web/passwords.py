"""Which passwords are too easy to guess: pieces that everybody tries count as one letter each.

>>> is_guessable("qwertyuiop", "anna"), is_guessable("correct horse", "anna")
(True, False)
"""

from __future__ import annotations

import re

LEAST_PIECES = 6
# Of lists of the most used passwords (https://github.com/danielmiessler/SecLists), what is long
# enough to fill one; and this program's own words.
_COMMON = (
    "password passwort kennwort passwd motdepasse contrasena welcome willkommen bienvenue letmein "
    "iloveyou ichliebedich trustno master dragon monkey football fussball baseball basketball "
    "sunshine princess superman batman starwars pokemon whatever computer internet changeme secret "
    "geheim hello hallo admin administrator login user guest root default test summer winter "
    "spring autumn sommer herbst fruehling love freedom shadow michael jordan charlie jennifer "
    "spinneret electrospinning nanofibre nanofiber laboratory labor lab"
)
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop[]",
    "qwertzuiopü",
    "azertyuiop",
    "asdfghjkl;'",
    "asdfghjklöä",
    "qsdfghjklm",
    "zxcvbnm,./",
    "yxcvbnm,.-",
    "wxcvbn",
    "!@#$%^&*()",
    '!"§$%&/()=',
    "1q2w3e4r5t6y7u8i9o0p",
    "1q2w3e4r5t6z7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "q1w2e3r4t5z6u7i8o9p0",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1qay2wsx3edc4rfv5tgb6zhn7ujm",
)
_WALKS = (*_ROWS, *(row[::-1] for row in _ROWS))
_LEET = str.maketrans("@4031!5$7", "aaoeiisst")
_REPEATED = re.compile(r"(.{2,}?)\1+|(.)\2{2,}", re.DOTALL)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")


def is_guessable(password: str, name: str) -> bool:
    """Whether a password is little more than common words, rows of keys, years or the name."""
    text = _without_repetitions(password)
    # The longest first: "administrator" is one piece, not "admin" and nine letters.
    common = sorted((*_COMMON.split(), _without_repetitions(name)), key=len, reverse=True)
    pieces, place = 0, 0
    while place < len(text) and pieces < LEAST_PIECES:
        place += _length_of_piece(text, place, [word for word in common if len(word) > 2])
        pieces += 1
    return pieces < LEAST_PIECES


def _without_repetitions(text: str) -> str:
    return _REPEATED.sub(lambda match: match[1] or match[2], text.casefold())


def _length_of_piece(text: str, place: int, common: list[str]) -> int:
    plain = text.translate(_LEET)
    lengths = [1]
    lengths += [len(w) for w in common if w in (text[place:][: len(w)], plain[place:][: len(w)])]
    year = _YEAR.match(text, place)
    lengths += [4] if year else []
    end = place + 3
    while end <= len(text) and any(text[place:end] in row for row in _WALKS):
        lengths.append(end - place)
        end += 1
    return max(lengths)
