"""Which run a file belongs to, by a pattern of its name. Nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from engine.errors import UsageError

Kind = Literal["micrograph", "worksheet", "curve"]

RUN, NUMBER, ANYTHING = "{run}", "{n}", "{any}"
_PARTS = {RUN: "(?P<run>.+?)", NUMBER: r"\d+", ANYTHING: ".+"}
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".lock")


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern such as ``{run}_{n}`` as a regular expression of a name without suffix.

    ``{run}`` stands for the run's id or label, ``{n}`` for a number, ``{any}`` for anything;
    capitals and small letters are the same.

    >>> compile_pattern("SEM {run}-{n}").fullmatch("sem A7-002")["run"]
    'A7'

    Raises:
        UsageError: not exactly one ``{run}``, or a word in braces that means nothing.
    """
    marks = re.findall(r"\{[^{}]*\}", pattern)
    strangers = [word for word in marks if word not in _PARTS]
    if strangers or marks.count(RUN) != 1:
        mend = f"'{strangers[0]}' means nothing" if strangers else "a pattern has one {run}"
        raise UsageError(
            f"expected a name with {RUN} in it, and {NUMBER} for a number or {ANYTHING} for "
            f"anything, such as {RUN}_{NUMBER}; got '{pattern}': {mend}",
            field="pattern",
        )
    pieces = re.split(r"(\{[^{}]*\})", pattern)
    return re.compile(
        "".join(_PARTS.get(piece, re.escape(piece)) for piece in pieces), re.IGNORECASE
    )


def runs_named(path: Path, patterns: Iterable[str]) -> list[str]:
    """Return the words that could name the file's run, one for each pattern that fits.

    >>> runs_named(Path("S_1.tif"), ["{run}_{n}", "{run}"])
    ['S', 'S_1']
    """
    matches = (compile_pattern(pattern).fullmatch(path.stem) for pattern in patterns)
    return list(dict.fromkeys(match["run"].strip() for match in matches if match))


def is_finished_name(path: Path) -> bool:
    """Whether the name is one that a program gives to a file which it is done with.

    >>> [is_finished_name(Path(name)) for name in ("a.tif", "a.tif.part", ".a.tif", "~$b.xlsx")]
    [True, False, False, False]
    """
    return not path.name.startswith((".", "~")) and path.suffix.casefold() not in _UNFINISHED


def is_called(path: Path, globs: Sequence[str]) -> bool:
    """Whether a name fits one of ``worksheet*`` and the like, in whatever case."""
    return any(fnmatchcase(path.name.casefold(), glob.casefold()) for glob in globs)
