"""A table → the definition of a campaign, and of each of its parts why it is so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.campaign.synonyms import OUTCOMES
from engine.campaign.vocabulary import loosely
from engine.drafts.columns import TableColumn, columns_of
from engine.drafts.failures import failure_words
from engine.drafts.parts import without_parts
from engine.drafts.ranges import Mixture, mixture_of, range_of
from engine.drafts.roles import OUTCOME_WORDS, STATED, Judged, judge
from engine.drafts.wishes import Goal, Wish, Wishes, find_column
from engine.errors import DataError, field, place
from engine.experiments.importers import cells
from engine.experiments.importers.raw import RawTable

_MINIMISED = frozenset(
    """
    loss error degradation instability cost price roughness defects beads bead waste impurity
    difference deviation haze diameter residual rmse mae drift wear leakage
    """.split()  # noqa: SIM905
)
_MOST_OBJECTIVES = 3
_LOG_DECADES = 30.0
_SIGNED = ("°C", "°F", "V", "mV", "°")


@dataclass(frozen=True)
class Entry:
    """One part of the definition: its fields as the configuration has them, and why."""

    fields: dict[str, Any]
    comment: str = ""


@dataclass(frozen=True)
class Draft:
    """A campaign as a table suggests it.

    ``aside``: columns that are left aside, and why. ``guesses``: what a person had better look at.
    ``failures``: the kinds that the table names, if other than those of spinning.
    """

    name: str
    description: str
    parameters: tuple[Entry, ...]
    properties: tuple[Entry, ...]
    objectives: tuple[Entry, ...]
    constraints: tuple[str, ...]
    aside: dict[str, str]
    guesses: tuple[str, ...]
    failures: tuple[str, ...] = ()

    @property
    def definition(self) -> dict[str, Any]:
        """What :class:`~engine.campaign.Campaign` takes."""
        return {
            "name": self.name,
            "description": self.description,
            "parameter_constraints": list(self.constraints),
            **({"failures": list(self.failures)} if self.failures else {}),
            "parameters": [entry.fields for entry in self.parameters],
            "properties": [entry.fields for entry in self.properties],
            "objectives": [entry.fields for entry in self.objectives],
        }


def draft_campaign(raw: RawTable, wishes: Wishes, *, name: str) -> Draft:
    """Propose a campaign from a table.

    Raises:
        UsageError: a wish names no column of the table.
        DataError: the table holds no parameter, or no result.
    """
    columns, parts = without_parts(columns_of(raw), _measured_words(wishes))
    wished = [(wish, find_column(wish.word, columns, "objective")) for wish in wishes.objectives]
    named = {
        role: [find_column(word, columns, role).name for word in getattr(wishes, role)]
        for role in ("outcome", "ambient", "controlled", "leave_out")
    }
    judged = judge(
        columns,
        outcomes=[*named["outcome"], *(column.name for _, column in wished)],
        ambient=named["ambient"],
        controlled=named["controlled"],
        aside=named["leave_out"],
    )
    controlled = [item.column for item in judged if item.role == "controlled"]
    measured = [item.column for item in judged if item.role == "outcome"]
    if not controlled or not measured:
        missing = "parameter" if measured else "result"
        raise DataError(
            f"{place(raw.source)}: expected columns of settings and of results, found no {missing}"
        )
    mixture = mixture_of([c for c in controlled if c.content == "numbers"])
    guesses: list[str] = []
    parameters = [
        _parameter(item, columns, mixture)
        for item in judged
        if item.role in ("controlled", "ambient")
    ]
    if _is_exhausted(parameters, controlled):
        parameters = [_without_grid(entry) for entry in parameters]
        guesses.append("nearly every setting of the table's grid was run: steps are left out")
    properties = [_property(column) for column in measured]
    objectives = [_objective(column, wish) for wish, column in wished]
    if not objectives:
        chosen = _interesting(measured)
        objectives = [_guessed(column, guesses) for column in chosen]
    aside = {item.column.heading: item.reason for item in judged if item.role == "aside"}
    constraints = []
    if mixture is not None:
        terms = " + ".join(column.name for column in mixture.columns)
        constraints.append(f"{terms} == {mixture.total:g}")
        listed = ", ".join(f"'{column.heading}'" for column in mixture.columns)
        guesses.append(f"{listed} sum to {mixture.total:g} in the table: taken for a mixture")
    guesses += _mixed_units(columns)
    guesses += [f"'{heading}' is {part}" for heading, part in parts.items()]
    guesses += [
        f"'{item.column.heading}' is taken for ambient: it is recorded and not set"
        for item in judged
        if item.role == "ambient" and item.column.name not in named["ambient"]
    ]
    guesses += [
        f"'{item.column.heading}' is taken for a result: it is recorded and not set"
        for item in judged
        if item.role == "outcome" and wished and item.reason != STATED
    ]
    return Draft(
        name,
        wishes.description or f"From {raw.source.rsplit('/', maxsplit=1)[-1]}",
        tuple(parameters),
        tuple(properties),
        tuple(objectives),
        tuple(constraints),
        aside,
        tuple(guesses),
        failure_words(columns),
    )


def _measured_words(wishes: Wishes) -> list[str]:
    vocabulary = [*OUTCOME_WORDS, *OUTCOMES]
    return [*vocabulary, *(wish.word for wish in wishes.objectives), *wishes.outcome]


def _parameter(item: Judged, columns: Sequence[TableColumn], mixture: Mixture | None) -> Entry:
    column = item.column
    fields: dict[str, Any] = {"name": column.name}
    unit = column.unit or _unit_beside(column, columns)
    if unit:
        fields["unit"] = unit
    if item.role == "ambient":
        fields["role"] = "ambient"
    distinct = column.distinct
    comment = f"'{column.heading}': {len(distinct)} value{'s' * (len(distinct) != 1)}"
    if column.content == "choices":
        fields["choices"] = [str(value) for value in distinct]
    else:
        numbers = _numbers_of(column)
        comment += f" from {min(numbers):g} to {max(numbers):g}"
        fields |= _range_fields(column, numbers, item, mixture)
    if column.n_missing and item.role == "controlled":
        comment += f", {column.n_missing} rows without"
        condition = _only_if(column, columns)
        if condition is not None:
            fields["only_if"] = condition
        if condition is None or _has_gaps(column, condition, columns):
            fields["default"] = "unknown"
    if column.aliases:
        fields["aliases"] = column.aliases
    return Entry(fields, comment)


def _range_fields(
    column: TableColumn, numbers: Sequence[float], item: Judged, mixture: Mixture | None
) -> dict[str, Any]:
    settings = range_of(numbers)
    fields: dict[str, Any] = {}
    is_share = mixture is not None and column in mixture.columns
    if is_share and mixture is not None:
        # The grid of a mixture has to reach the total.
        step = settings.step
        steps = {range_of([n for n in c.numbers if n is not None]).step for c in mixture.columns}
        fields |= {"low": settings.low, "high": settings.high}
        if step is not None and len(steps) == 1:
            fields["step"] = step
    elif item.role == "controlled" and settings.choices:
        fields["choices"] = list(settings.choices)
    else:
        fields |= {"low": settings.low, "high": settings.high}
        if settings.step is not None and item.role == "controlled" and settings.low < settings.high:
            fields["step"] = settings.step
        if settings.is_ratio and item.role == "controlled":
            fields["scale"] = "log"
    if settings.low >= 0 and (is_share or column.unit) and column.unit not in _SIGNED:
        fields["minimum"] = 0.0
    if column.unit in ("%", "wt%", "vol%") and settings.high <= 100:
        fields["maximum"] = 100.0
    return fields


def _unit_beside(column: TableColumn, columns: Sequence[TableColumn]) -> str:
    """Return the unit that a column of its own states, where it states one alone."""
    for neighbour in columns:
        if loosely(neighbour.heading) in _unit_headings(column):
            units = {value for value in neighbour.texts if value is not None}
            return units.pop() if len(units) == 1 else ""
    return ""


def _is_exhausted(entries: Sequence[Entry], columns: Sequence[TableColumn]) -> bool:
    """Whether nearly all settings of the table's grid were run: little is left to propose."""
    n_settings = 1.0
    for entry in entries:
        fields = entry.fields
        if fields.get("role") == "ambient":
            continue
        if "choices" in fields:
            n_settings *= len(fields["choices"])
        elif "step" in fields:
            n_settings *= round((fields["high"] - fields["low"]) / fields["step"]) + 1
        elif fields["low"] < fields["high"]:
            return False
    n_run = len(set(zip(*(column.values for column in columns), strict=True)))
    return n_run >= 0.8 * n_settings


def _without_grid(entry: Entry) -> Entry:
    """Return a numeric parameter as a plain range."""
    fields = dict(entry.fields)
    choices = fields.get("choices", ())
    if fields.get("role") != "ambient" and len(choices) > 1 and not isinstance(choices[0], str):
        del fields["choices"]
        fields |= {"low": choices[0], "high": choices[-1]}
    fields.pop("step", None)
    return Entry(fields, entry.comment)


def _mixed_units(columns: Sequence[TableColumn]) -> list[str]:
    """Say which columns hold numbers in several units, as a column beside them tells."""
    notes = []
    for column in columns:
        for neighbour in columns:
            units = list(map(str, neighbour.distinct))
            is_beside = loosely(neighbour.heading) in _unit_headings(column)
            if is_beside and len(units) > 1:
                listed = ", ".join(units)
                notes.append(f"'{column.heading}' is in {listed}, and taken as one number for all")
    return notes


def _unit_headings(column: TableColumn) -> tuple[str, str]:
    word = loosely(column.heading)
    return f"{word} unit", f"{word} units"


def _only_if(column: TableColumn, columns: Sequence[TableColumn]) -> dict[str, Any] | None:
    """Return the choices of another column beside which alone this one has values."""
    for neighbour in columns:
        if neighbour.content != "choices" or neighbour is column or neighbour.n_missing:
            continue
        pairs = zip(neighbour.texts, column.values, strict=True)
        present = {str(word) for word, value in pairs if value is not None}
        if not present or len(present) == len(neighbour.distinct):
            continue
        nearby = [v for w, v in zip(neighbour.texts, column.values, strict=True) if w in present]
        if sum(value is not None for value in nearby) >= 0.9 * len(nearby):
            choices = sorted(present)
            return {neighbour.name: choices[0] if len(choices) == 1 else choices}
    return None


def _has_gaps(
    column: TableColumn, condition: dict[str, Any], columns: Sequence[TableColumn]
) -> bool:
    ((name, choices),) = condition.items()
    allowed = {choices} if isinstance(choices, str) else set(choices)
    neighbour = next(c for c in columns if c.name == name)
    rows = zip(neighbour.texts, column.values, strict=True)
    return any(word in allowed and value is None for word, value in rows)


def _numbers_of(column: TableColumn) -> list[float]:
    """Return a column's numbers.

    Raises:
        DataError: it has none: of what is in its cells a few are told.
    """
    numbers = [number for number in column.numbers if number is not None]
    if numbers:
        return numbers
    texts = [text for text in column.texts if text is not None]
    odd = list(dict.fromkeys([t for t in texts if not cells.is_number(t)] or texts))
    listed = ", ".join(f"'{text}'" for text in odd[:3]) + (" …" if len(odd) > 3 else "")
    raise DataError(
        f"column '{column.heading}': expected numbers, got {listed or 'empty cells only'}; write "
        "numbers without marks of thousands, leave the cell of a run that failed empty (a column "
        f"'failed' says why), or leave the column aside with {field('leave_out')}"
    )


def _property(column: TableColumn) -> Entry:
    numbers = _numbers_of(column)
    fields: dict[str, Any] = {"name": column.name}
    if column.unit:
        fields["unit"] = column.unit
    low, high = min(numbers), max(numbers)
    comment = f"'{column.heading}': {len(numbers)} values from {low:g} to {high:g}"
    positive = [number for number in numbers if number > 0]
    is_wide = bool(positive) and low >= 0 and high / min(positive) >= _LOG_DECADES
    # A single 0 is no sign of decades.
    is_log = is_wide and len(positive) >= 0.95 * len(numbers) and _is_skewed(positive)
    if is_log or (low >= 0 and column.unit and column.unit not in ("%", *_SIGNED)):
        fields["minimum"] = 0.0
    if is_log:
        fields["scale"] = "log"
    if column.aliases:
        fields["aliases"] = column.aliases
    return Entry(fields, comment)


def _is_skewed(numbers: Sequence[float]) -> bool:
    """Whether the values lie more evenly on a scale of ratios than on a plain one."""
    ordered = sorted(numbers)
    low, middle, high = (ordered[int(q * (len(ordered) - 1))] for q in (0.1, 0.5, 0.9))
    if high <= low:
        return False
    place = (middle - low) / (high - low)
    log_place = math.log(middle / low) / math.log(high / low)
    return abs(log_place - 0.5) < abs(place - 0.5)


def _interesting(measured: Sequence[TableColumn]) -> list[TableColumn]:
    """Return the outcomes that are wished unless somebody says otherwise."""
    if len(measured) <= _MOST_OBJECTIVES:
        return list(measured)
    familiar = [column for column in measured if column.name in OUTCOMES]
    return (familiar or list(measured))[:2]


def _guessed(column: TableColumn, guesses: list[str]) -> Entry:
    tokens = set(loosely(column.name).split()) | set(loosely(column.heading).split())
    is_low = bool(tokens & _MINIMISED) or any(word.startswith("diff") for word in tokens)
    goal: Goal = "minimize" if is_low else "maximize"
    guesses.append(f"{goal} '{column.heading}' is a guess: say what is wished")
    return _objective(column, Wish(column.name, goal))


def _objective(column: TableColumn, wish: Wish) -> Entry:
    fields: dict[str, Any] = {"outcome": column.name, "goal": wish.goal}
    if wish.goal == "target":
        return Entry(fields | {"target": wish.target, "tolerance": wish.tolerance})
    if wish.threshold is not None:
        return Entry(fields | {"threshold": wish.threshold})
    numbers = sorted(number for number in column.numbers if number is not None)
    worst = 0.25 if wish.goal == "maximize" else 0.75
    value = _rounded_outwards(numbers[round(worst * (len(numbers) - 1))], wish.goal)
    return Entry(fields | {"threshold": value}, "three quarters of the table's runs reach it")


def _rounded_outwards(value: float, goal: Goal) -> float:
    """Return a threshold of two digits that is no harder to reach."""
    if value == 0:
        return 0.0
    scale = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    rounded = math.floor(value / scale) if goal == "maximize" else math.ceil(value / scale)
    return float(f"{rounded * scale:.2g}")
