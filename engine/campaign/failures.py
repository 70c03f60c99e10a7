"""`[campaign] failures`: the ways in which a run gives nothing to measure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from engine.campaign.conditions import Frozen
from engine.errors import UsageError, nearest_name

MOST_LETTERS = 40

# A column tells these of a run that did not fail, or where it stands.
_TAKEN = frozenset(
    {"yes", "no", "true", "false", "none", "nan", "na"}
    | {"proposed", "running", "completed", "failed", "abandoned"}
)


def loose(word: str) -> str:
    """Return a word without what spellings differ by.

    >>> loose(" No-Jet ") == loose("no_jet")
    True
    """
    return re.sub(r"[\W_]+", " ", word.casefold()).strip()


class Failure(Frozen):
    """One kind of failure; a bare word in the definition is its name.

    Attributes:
        name: in files, on the command line, in the API.
        label: plain words on pages; the name, where there is none.
        retired: no longer offered. Runs that have it keep it, and files may name it.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[^\W\d_][\w' -]*$", max_length=MOST_LETTERS)]
    label: str = Field(default="", max_length=80)
    retired: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, data: Any) -> Any:
        return {"name": " ".join(data.split())} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        if loose(self.name) in _TAKEN:
            raise ValueError(
                f"'{self.name}' is no kind of failure: files mean something else by it"
            )
        return self

    @property
    def title(self) -> str:
        """What a page calls it.

        >>> Failure.model_validate("no_jet").title, Failure(name="beads", label="Only beads").title
        ('no jet', 'Only beads')
        """
        return self.label or self.name.replace("_", " ")

    @property
    def spellings(self) -> set[str]:
        """What means it, as :func:`loose` has it."""
        return {loose(self.name), loose(self.title)}


OTHER = Failure(name="other")
SPINNING = (Failure(name="beads"), Failure(name="drips"), Failure(name="no_jet"), OTHER)
"""What a campaign has that names none."""


def with_other(failures: Sequence[Failure]) -> tuple[Failure, ...]:
    """Return the kinds of a definition and, if it names none such, ``other``.

    Raises:
        ValueError: two kinds that are one but for their spelling.
    """
    spellings: dict[str, str] = {}
    for failure in failures:
        for spelling in failure.spellings:
            if spellings.setdefault(spelling, failure.name) != failure.name:
                raise ValueError(
                    f"failures '{spellings[spelling]}' and '{failure.name}' are one in another "
                    "spelling"
                )
    names = [failure.name for failure in failures]
    if len(set(names)) != len(names):
        raise ValueError("failures names a kind twice")
    return (*failures, *(() if loose(OTHER.name) in spellings else (OTHER,)))


def plain(failures: Sequence[Failure]) -> list[Any]:
    """Return kinds as a definition has them: words, where nothing but names is said."""
    parts = [failure.model_dump(exclude_defaults=True) for failure in failures]
    return [part["name"] for part in parts] if all(len(p) == 1 for p in parts) else parts


def match_failure(failures: Sequence[Failure], word: str) -> str | None:
    """Return the name of the kind that a word means, whatever its capitals, blanks and ``_``.

    >>> match_failure(SPINNING, "No jet")
    'no_jet'
    """
    spelling = loose(word)
    return next((kind.name for kind in failures if spelling in kind.spellings), None)


def names_offered(failures: Sequence[Failure]) -> list[str]:
    """Return the names of the kinds that a new failure may be."""
    return [kind.name for kind in failures if not kind.retired]


def read_failure(failures: Sequence[Failure], word: str) -> str:
    """Return the name of the kind that a word means.

    Raises:
        UsageError: it means none of the campaign's.

    >>> read_failure(SPINNING, " NO-jet")
    'no_jet'
    """
    name = match_failure(failures, word)
    if name is None:
        names = names_offered(failures)
        raise UsageError(
            f"expected a kind of failure ({', '.join(names)}), got '{word[:MOST_LETTERS]}'."
            f"{nearest_name(word[:MOST_LETTERS], names)}",
            field="failure",
        )
    return name
