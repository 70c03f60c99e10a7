"""Which columns are set, given by the room, measured, or left aside; each with why."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.campaign.synonyms import OUTCOMES, SYNONYMS
from engine.campaign.vocabulary import RESERVED, loosely
from engine.drafts.columns import TableColumn
from engine.experiments.importers.layout import counts_rows

STATED = "as you say"
Role = Literal["controlled", "ambient", "outcome", "reserved", "aside"]

OUTCOME_WORDS = frozenset(
    """
    yield conversion turnover selectivity efficiency activity strength toughness modulus stiffness
    elongation strain diameter porosity roughness loss score error cost price degradation
    instability stability index conductivity resistance resistivity mobility gain output response
    result measured target objective figure merit purity quality rate_constant haze transmittance
    absorbance hardness adhesion friction wear contact angle permeability capacity lifetime
    brightness intensity ctr pce voc jsc fill
    """.split()  # noqa: SIM905
)
_AMBIENT = {"humidity", "temperature"}
_SPINNING = {
    "flow_rate", "voltage", "collector_speed", "distance", "needle_gauge", "needle_diameter",
    "humidity", "concentration",
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A column, what it is taken for, and why in a few words."""

    column: TableColumn
    role: Role
    reason: str


def judge(
    columns: Sequence[TableColumn],
    *,
    outcomes: Collection[str] = (),
    ambient: Collection[str] = (),
    controlled: Collection[str] = (),
    aside: Collection[str] = (),
) -> list[Judged]:
    """Say what each column is taken for; the names given by hand (of columns) go before."""
    stated: dict[str, Role] = {
        **dict.fromkeys(outcomes, "outcome"),
        **dict.fromkeys(ambient, "ambient"),
        **dict.fromkeys(controlled, "controlled"),
        **dict.fromkeys(aside, "aside"),
    }
    judged: dict[int, Judged] = {}
    for column in columns:
        if column.name in stated:
            judged[column.index] = Judged(column, stated[column.name], STATED)
        else:
            verdict = _plainly_aside(column, columns)
            if verdict is not None:
                judged[column.index] = Judged(column, *verdict)
    candidates = [column for column in columns if column.index not in judged]
    measured = _measured(candidates, columns)
    if outcomes:  # who names results names those that are wished: others are known by their names
        measured = [column for column in measured if _sounds_measured(column)]
    for column in candidates:
        if column in measured:
            judged[column.index] = Judged(column, "outcome", "measured, by its name and values")
        elif _is_of_the_room(column, columns):
            judged[column.index] = Judged(column, "ambient", "the room gives it")
        else:
            judged[column.index] = Judged(column, "controlled", "")
    if not any(item.role == "outcome" for item in judged.values()):
        numeric = [c for c in candidates if c.content == "numbers" and len(c.distinct) > 1]
        if numeric:
            reason = "the last column of numbers"
            judged[numeric[-1].index] = Judged(numeric[-1], "outcome", reason)
    return [_without_followers(judged[column.index], judged) for column in columns]


_ASIDE = {
    "nothing": "it is empty",
    "yes or no": "yes or no, which is neither set nor measured on a scale",
    "text": "free text, or different in most rows",
    "dates": "dates",
}


def _plainly_aside(column: TableColumn, columns: Sequence[TableColumn]) -> tuple[Role, str] | None:
    """Return what a column is that is no parameter and no outcome for sure."""
    word = loosely(column.heading)
    kind = RESERVED.get(word)
    values = [value for value in column.texts if value is not None]
    is_name = kind == "label" and len(set(values)) == len(values)
    if column.content != "nothing" and kind is not None and (is_name or kind != "label"):
        return "reserved", f"it is read as {kind}"
    if column.content in _ASIDE:
        return "aside", _ASIDE[column.content]
    stem = re.sub(r" units?$", "", word)
    if stem != word and any(loosely(neighbour.heading) == stem for neighbour in columns):
        return "aside", "it tells the unit of another column"
    texts = [re.sub(r"\.0*$", "", value or "") for value in column.texts]
    return ("aside", "it counts the rows") if len(texts) > 3 and counts_rows(texts) else None


def _measured(
    candidates: Sequence[TableColumn], columns: Sequence[TableColumn]
) -> list[TableColumn]:
    """Return the columns that seem to be results."""
    n_rows = len(columns[0].texts) if columns else 0
    numeric = [c for c in candidates if c.content == "numbers" and len(c.distinct) > 1]
    # What takes few values is set; together these may tell all settings apart.
    settings = [
        c for c in candidates if len(c.distinct) <= 0.5 * n_rows and not _sounds_measured(c)
    ]
    places: dict[tuple[float | str | None, ...], list[int]] = {}
    for row in range(n_rows):
        places.setdefault(tuple(c.values[row] for c in settings), []).append(row)
    is_identified = bool(settings) and len(places) >= 0.9 * n_rows
    measured = []
    for column in numeric:
        score = 3 if _sounds_measured(column) else 0
        score -= 3 if column.name in SYNONYMS and column.name not in OUTCOMES else 0
        if len(column.distinct) >= 0.9 * (n_rows - column.n_missing):
            score += 1 + is_identified
        if column not in settings and _varies_within(column, list(places.values())):
            score += 2
        score += column is numeric[-1]
        if score >= 2:
            measured.append(column)
    return measured


def _sounds_measured(column: TableColumn) -> bool:
    if column.name in OUTCOMES:
        return True
    if column.name in SYNONYMS:
        return False
    tokens = set(loosely(column.name).split()) | set(loosely(column.heading).split())
    return bool(tokens & OUTCOME_WORDS) or any(w.startswith("diff") for w in tokens)


def _varies_within(column: TableColumn, groups: Sequence[Sequence[int]]) -> bool:
    """Whether rows of equal settings differ in it, in most of the groups that could show it."""
    several = [group for group in groups if len(group) > 1]
    varied = [g for g in several if len({column.numbers[row] for row in g}) > 1]
    return len(several) >= 3 and len(varied) > 0.5 * len(several)


def _is_of_the_room(column: TableColumn, columns: Sequence[TableColumn]) -> bool:
    if column.content != "numbers" or column.name not in _AMBIENT:
        return False
    names = {neighbour.name for neighbour in columns}
    word = loosely(column.heading)
    is_said = any(adjective in word.split() for adjective in ("room", "ambient", "air", "chamber"))
    # The temperature of a reaction is set; that of a spinning room hardly ever is.
    return column.name == "humidity" or is_said or len(names & _SPINNING) >= 2


def _without_followers(item: Judged, judged: dict[int, Judged]) -> Judged:
    """Leave a column of choices aside that says no more than another one does."""
    column = item.column
    if item.role != "controlled" or item.reason or column.content != "choices":
        return item
    if len(column.distinct) < 2:
        return item
    for neighbour in judged.values():
        if (
            neighbour.role != "controlled"
            or neighbour.column.content != "choices"
            or neighbour is item
        ):
            continue
        pairs = set(zip(neighbour.column.texts, column.texts, strict=True))
        follows = len(pairs) == len(set(neighbour.column.texts))
        is_twin = len(set(column.texts)) == len(set(neighbour.column.texts))
        if follows and (not is_twin or neighbour.column.index < column.index):
            return Judged(column, "aside", f"it follows from '{neighbour.column.heading}'")
    return item
