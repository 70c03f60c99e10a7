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
    └── ModelError                 the surrogate cannot be fitted to, or asked about, these data

The database has its own tree (``db.errors``): the command line exits with 1 on a ``DatabaseError``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class SpinneretError(Exception):
    """Anything the user is told about in a sentence rather than a traceback."""

    exit_code = 1


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
    """One thing wrong with one cell (or row, or heading) of an imported file."""

    row: int | None
    column: str | None
    value: str | None
    expected: str

    def __str__(self) -> str:
        """Place, value, expectation: ``row 3, column 'voltage': '-2' — expected …``."""
        where = [f"row {self.row}"] if self.row is not None else []
        if self.column is not None:
            where.append(f"column '{self.column}'")
        got = f"'{self.value}' — " if self.value is not None else ""
        return f"{', '.join(where) or 'file'}: {got}{self.expected}"


class ImportRefusedError(DataError):
    """Rows of a file are wrong: nothing of it was taken. ``problems`` holds all of them."""

    def __init__(self, source: str, problems: Sequence[RowProblem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        shown = "\n".join(f"  {problem}" for problem in self.problems[:50])
        more = f"\n  … and {len(self.problems) - 50} more" if len(self.problems) > 50 else ""
        noun = "problem" if len(self.problems) == 1 else "problems"
        super().__init__(
            f"{source}: {len(self.problems)} {noun}, nothing was imported.\n{shown}{more}"
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


class ModelError(SpinneretError):
    """The surrogate cannot be fitted to these data, or cannot answer for these conditions."""


def nearest_name(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the known name closest to ``name``, or nothing."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{matches[0]}'?" if matches else ""
