"""What can go wrong, as one tree; each message says what was expected, what came, how to mend it.

    SpinneretError                 told to the user in one line, exit code 1
    ├── UsageError                 the command's words or the configuration are off, exit code 2
    │   ├── ConfigError            config.toml or a SPINNERET_* variable cannot be used
    │   └── CampaignError          a campaign's definition contradicts itself
    ├── DataError                  a value or file the user brought cannot be taken
    │   └── ImportRefusedError     rows of a file are wrong; carries every problem found
    ├── NotFoundError              an experiment, batch or campaign that does not exist
    ├── StateError                 the step does not fit the state (results for an abandoned run)
    │   └── EditedMeanwhileError   somebody else changed it since it was looked at
    ├── AccessError                who asks may not: a wrong password, too many of them
    ├── PluginError                a strategy or lab of another distribution cannot be used
    └── ModelError                 the surrogate cannot be fitted to, or asked about, these data

The database has its own tree (``db.errors``): the command line exits with 1 on a ``DatabaseError``.

Messages name no option, button or JSON key. What is off is a *field*, named as requests name it
(``nm_per_pixel``); each front end puts its own word there: the command line ``--nm-per-pixel``,
the page the field's label, the API the JSON name. :func:`field`, :func:`by_voice` and
:func:`place` mark such spots in a message, :func:`spell` fills them in:

>>> message = f"{field('nm_per_pixel')}: expected a size above 0 nm, got -2"
>>> spell(message, "cli")
'--nm-per-pixel: expected a size above 0 nm, got -2'
>>> spell(message, "page", {"nm_per_pixel": "Pixel size"})
'Pixel size: expected a size above 0 nm, got -2'
>>> str(UsageError("expected a size above 0 nm, got -2", field="nm_per_pixel"))
'nm_per_pixel: expected a size above 0 nm, got -2'
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

Voice = Literal["cli", "page", "api"]
"""Who speaks: the command line, the page, the API (or any program)."""

OPTIONS = {"fixed": "--fix"}
"""Options of the command line that are called otherwise than the field that they fill."""

# Brackets that nobody types: a value that the user brought never looks like a mark.
_MARK = re.compile("⟦(field|voice|place):([^⟦⟧]*)⟧")
_OR = "⟊"


def field(name: str) -> str:
    """Mark a field of a request in a message, by the name that requests give it (snake case)."""
    return f"⟦field:{name}⟧"


def by_voice(cli: str, elsewhere: str) -> str:
    """Mark a spot that reads otherwise at the command line than on the page and in the API."""
    return f"⟦voice:{cli}{_OR}{elsewhere}⟧"


def place(path: Path | str) -> str:
    """Mark a path: the command line shows all of it, page and API only the last name."""
    return f"⟦place:{path}⟧"


def mark_place(text: str, path: Path) -> str:
    """Mark a path in the message of a library that knows no marks.

    >>> spell(mark_place("/data/models/3/model.json: cut short", Path("/data/models/3")), "api")
    '3/model.json: cut short'
    """
    return text.replace(str(path), place(path))


def spell(text: str, voice: Voice, labels: Mapping[str, str] | None = None) -> str:
    """Fill in the marks of a message.

    Args:
        text: the message, with marks of :func:`field`, :func:`by_voice` and :func:`place`.
        voice: who speaks.
        labels: words for fields that this place calls otherwise than its voice would.
    """

    def fill(mark: re.Match[str]) -> str:
        kind, content = mark.groups()
        if kind == "voice":
            cli, _, elsewhere = content.partition(_OR)
            return cli if voice == "cli" else elsewhere
        if kind == "place":
            return content if voice == "cli" else Path(content).name
        if labels is not None and content in labels:
            return labels[content]
        spellings = {
            "cli": OPTIONS.get(content, f"--{content.replace('_', '-')}"),
            "page": content.replace("_", " "),
            "api": content,
        }
        return spellings[voice]

    # A field within a by_voice is filled in first: marks do not contain brackets otherwise.
    while (filled := _MARK.sub(fill, text)) != text:
        text = filled
    return text


class SpinneretError(Exception):
    """Anything the user is told about in a sentence rather than a traceback.

    Args:
        message: expected, got and the mend, with marks where voices differ (see the module).
        field: the field of the request that is off, if it is one; the message then begins with it.
    """

    exit_code = 1

    def __init__(self, message: str, *, field: str | None = None) -> None:
        self.field = field
        super().__init__(message if field is None else f"⟦field:{field}⟧: {message}")

    def __str__(self) -> str:
        """Return the message as the API words it."""
        return self.worded("api")

    def worded(self, voice: Voice, labels: Mapping[str, str] | None = None) -> str:
        """Return the message in the words of ``voice`` (see :func:`spell`)."""
        return spell(super().__str__(), voice, labels)


def marked(error: Exception) -> str:
    """Return an error's message with its marks, to be put into another message or a note."""
    return str(error.args[0]) if isinstance(error, SpinneretError) else str(error)


class UsageError(SpinneretError):
    """The command's words, options or configuration are off."""

    exit_code = 2


class ConfigError(UsageError):
    """config.toml or a SPINNERET_* variable cannot be used."""


class CampaignError(UsageError):
    """A campaign's definition contradicts itself."""


class DataError(SpinneretError):
    """A value or a file that the user brought cannot be taken."""


@dataclass(frozen=True)
class RowProblem:
    """One thing wrong with one cell (or row, or heading) of an imported file.

    ``mend``: the change with which the file would be taken, as a command or a line of config.toml.
    """

    row: int | None
    column: str | None
    value: str | None
    expected: str
    mend: str | None = None

    def __str__(self) -> str:
        """Place, value, expectation: ``row 3, column 'voltage': '-2' — expected …``."""
        position = [f"row {self.row}"] if self.row is not None else []
        if self.column is not None:
            position.append(f"column '{self.column}'")
        got = f"'{self.value}' — " if self.value is not None else ""
        return f"{', '.join(position) or 'file'}: {got}{self.expected}"


def grouped(problems: Sequence[RowProblem]) -> list[str]:
    """Return a line for each kind of problem, with its rows and values, the first kind first.

    >>> cells = [RowProblem(row, "flow", None, "is empty") for row in (3, 7, 12, 13, 20, 21)]
    >>> grouped(cells)
    ["rows 3, 7, 12, 13, 20 … (6), column 'flow': is empty"]
    """
    kinds: dict[tuple[str | None, str], list[RowProblem]] = {}
    for problem in problems:
        kinds.setdefault((problem.column, problem.expected), []).append(problem)
    lines = []
    for (column, expected), members in kinds.items():
        if len(members) == 1:
            lines.append(str(members[0]))
            continue
        rows = list(dict.fromkeys(m.row for m in members if m.row is not None))
        listed = ", ".join(map(str, rows[:5]))
        remainder = f" … ({len(rows)})" if len(rows) > 5 else ""
        noun = "rows" if len(rows) > 1 else "row"
        position = [f"{noun} {listed}{remainder}"] if rows else []
        position += [f"column '{column}'"] if column is not None else []
        values = list(dict.fromkeys(m.value for m in members if m.value is not None))
        quoted = ", ".join(f"'{value}'" for value in values[:3])
        got = f"{quoted}{' …' if len(values) > 3 else ''} — " if values else ""
        lines.append(f"{', '.join(position) or 'file'}: {got}{expected}")
    return lines


def mends(problems: Sequence[RowProblem]) -> list[str]:
    """Return the changes with which a file would be taken, each with how many problems it mends."""
    counts = Counter(problem.mend for problem in problems if problem.mend)
    return [
        f"{mend}  ({n} {'problem' if n == 1 else 'problems'})" for mend, n in counts.most_common()
    ]


class ImportRefusedError(DataError):
    """Rows of a file are wrong: nothing of it was taken. ``problems`` holds all of them."""

    def __init__(self, source: str, problems: Sequence[RowProblem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        kinds = grouped(self.problems)
        lines = "\n".join(f"  {line}" for line in kinds[:50])
        remainder = f"\n  … and {len(kinds) - 50} more kinds" if len(kinds) > 50 else ""
        changes = "".join(f"\n  {change}" for change in mends(self.problems)[:20])
        offer = f"\nWhat would take it:{changes}" if changes else ""
        noun = "problem" if len(self.problems) == 1 else "problems"
        super().__init__(
            f"{place(source)}: {len(self.problems)} {noun}, nothing was imported.\n"
            f"{lines}{remainder}{offer}"
        )


class NotFoundError(SpinneretError):
    """An experiment, batch, campaign or file that does not exist."""


class StateError(SpinneretError):
    """The step does not fit the state that the experiment or campaign is in."""


class EditedMeanwhileError(StateError):
    """Somebody else changed it since it was looked at."""


class AccessError(SpinneretError):
    """Who asks may not come in, or not yet. ``wait_s``: how long to wait before trying again."""

    def __init__(self, message: str, *, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class PluginError(SpinneretError):
    """A strategy or lab of another distribution cannot be imported, fails, or answers wrongly."""


class ModelError(SpinneretError):
    """The surrogate cannot be fitted to these data, or cannot answer for these conditions."""


def nearest_name(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the known name closest to ``name``, or nothing.

    >>> nearest_name("water", ["DMF", "WATER"])
    " Did you mean 'WATER'?"
    """
    names = list(known)
    matches = get_close_matches(name, names, n=1, cutoff=0.5)
    if not matches:
        # Capitals and small letters are other letters to it.
        spellings = {spelling.casefold(): spelling for spelling in reversed(names)}
        close = get_close_matches(name.casefold(), spellings, n=1, cutoff=0.5)
        matches = [spellings[spelling] for spelling in close]
    return f" Did you mean '{matches[0]}'?" if matches else ""
