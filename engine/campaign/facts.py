"""`[[campaign.facts]]`: who made a run, when, with what. Kept with it; no model sees it."""

from __future__ import annotations

import re
from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from engine.campaign.conditions import Frozen
from engine.campaign.parameters import Name
from engine.errors import nearest_name

Kind = Literal["text", "date", "choice"]
MOST_LETTERS = 200

_FROM_DAY = re.compile(r"([0-9]{1,2})\.\s?([0-9]{1,2})\.\s?([0-9]{4})")
_WITH_HOUR = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ][0-9:.]+")


class Fact(Frozen):
    """An optional field of every run: ``lot``, ``operator``, ``spun``, ``needle``.

    Attributes:
        name: in files, on the command line, in the API.
        label: on pages; the name, where there is none.
        kind: free words, a day, or one of ``choices``.
        unit: of what the words say, in headings.
        choices: what a choice may be.
        aliases: other headings that files use for it.
    """

    name: Name
    label: str = Field(default="", max_length=80)
    kind: Kind = "text"
    unit: str = ""
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.kind == "choice") != bool(self.choices):
            problem = "needs choices" if self.kind == "choice" else 'has choices: kind = "choice"'
            raise ValueError(f"fact '{self.name}' {problem}")
        if len(set(self.choices)) != len(self.choices):
            raise ValueError(f"fact '{self.name}' names a choice twice")
        return self

    @property
    def title(self) -> str:
        """What a page calls it.

        >>> Fact(name="solution_lot").title, Fact(name="spun", label="Date spun").title
        ('Solution lot', 'Date spun')
        """
        words = self.name.replace("_", " ")
        return self.label or words[:1].upper() + words[1:]

    def read(self, text: str) -> str | None:
        """Return a value as it is kept, ``None`` for an empty text; days as ``2026-05-31``.

        Raises:
            ValueError: no day, or none of the choices.

        >>> Fact(name="spun", kind="date").read("31.5.2026")
        '2026-05-31'
        """
        text = text.strip()
        if not text:
            return None
        if len(text) > MOST_LETTERS or "\n" in text:
            raise ValueError(f"expected one line of at most {MOST_LETTERS} letters")
        if self.kind == "date":
            return _day(text)
        if self.kind == "choice":
            return self._choice(text)
        return text

    def _choice(self, text: str) -> str:
        by_fold = {choice.casefold(): choice for choice in self.choices}
        if text.casefold() not in by_fold:
            raise ValueError(
                f"expected {' or '.join(self.choices)}.{nearest_name(text, self.choices)}"
            )
        return by_fold[text.casefold()]


def _day(text: str) -> str:
    match, hour = _FROM_DAY.fullmatch(text), _WITH_HOUR.fullmatch(text)
    try:
        if match is not None:
            return date(int(match[3]), int(match[2]), int(match[1])).isoformat()
        return date.fromisoformat(hour[1] if hour is not None else text).isoformat()
    except ValueError:
        raise ValueError(f"expected a day such as 2026-05-31, got '{text}'") from None
