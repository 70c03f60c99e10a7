"""What a person says of the draft: objectives, and which columns are what.

``strength:max:5`` wants the strength as high as can be, from 5 on; ``cost:min`` leaves the
threshold to the data; ``diameter:300±20`` brings it to a value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.campaign.vocabulary import loosely
from engine.drafts.columns import TableColumn, name_and_unit
from engine.errors import UsageError, nearest_name

Goal = Literal["maximize", "minimize", "target"]

_GOALS: dict[str, Goal] = {
    **dict.fromkeys(("max", "maximize", "maximise", "high", "up"), "maximize"),
    **dict.fromkeys(("min", "minimize", "minimise", "low", "down"), "minimize"),
}
_NUMBER = r"[+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?"
_TARGET = re.compile(rf"({_NUMBER})\s*(?:±|\+/-|\+-)\s*({_NUMBER})")


@dataclass(frozen=True)
class Wish:
    """One objective as somebody asks for it; its ``threshold`` may be left to the data."""

    word: str
    goal: Goal
    threshold: float | None = None
    target: float | None = None
    tolerance: float | None = None


@dataclass(frozen=True)
class Wishes:
    """Everything that somebody says beside the table. Names are headings, or names of the draft."""

    objectives: tuple[Wish, ...] = ()
    ambient: tuple[str, ...] = ()
    controlled: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    name: str | None = None
    description: str = ""


def read_wish(text: str) -> Wish:
    """Read one objective.

    >>> read_wish("strength:max:5")
    Wish(word='strength', goal='maximize', threshold=5.0, target=None, tolerance=None)
    >>> read_wish("fibre diameter:300±20").target
    300.0

    Raises:
        UsageError: it says neither max, min nor a target.
    """
    word, mark, aim = text.partition(":")
    target = _TARGET.fullmatch(aim.strip())
    if word.strip() and target is not None:
        return Wish(word.strip(), "target", target=float(target[1]), tolerance=float(target[2]))
    goal, _, threshold = aim.partition(":")
    is_number = not threshold.strip() or re.fullmatch(_NUMBER, threshold.strip())
    if not word.strip() or not mark or goal.strip().casefold() not in _GOALS or not is_number:
        raise UsageError(
            "expected an outcome and what is wanted of it, such as strength:max, strength:max:5, "
            f"cost:min:9 or diameter:300±20, got '{text}'",
            field="objective",
        )
    number = float(threshold) if threshold.strip() else None
    return Wish(word.strip(), _GOALS[goal.strip().casefold()], number)


def find_column(word: str, columns: Sequence[TableColumn], field_name: str) -> TableColumn:
    """Return the column that ``word`` means: its heading, or its name in the draft.

    Raises:
        UsageError: there is none.
    """
    spellings = {loosely(word), loosely(name_and_unit(word)[0])}
    for key in ("heading", "name"):
        for column in columns:
            if loosely(getattr(column, key)) in spellings:
                return column
    for column in columns:
        if loosely(name_and_unit(column.heading)[0]) in spellings:
            return column
    names = [column.name for column in columns]
    raise UsageError(
        f"no column '{word}'.{nearest_name(word, names)} The table has {', '.join(names)}",
        field=field_name,
    )
