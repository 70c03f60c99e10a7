"""``name=value`` wherever somebody gives one: options, forms, requests → the campaign's names.

The only reader of such pairs. Names may be spelled as in the headings of files: by an alias, in
other letters, with the unit (``Voltage (kV)``). Nothing heavy is imported here: requests are
checked before any model is loaded.

>>> from engine.lab.virtual import nanofibre_campaign
>>> campaign = nanofibre_campaign()
>>> read_conditions(campaign, {"V": "18", "Flow rate (mL/h)": 0.4}, "conditions")
{'voltage': 18.0, 'flow_rate': 0.4}
>>> read_results(campaign, {"elongation.longitudinal": ["88", 91]}, "results")
{'elongation.longitudinal': (88.0, 91.0)}
>>> read_conditions(campaign, {"voltag": 18}, "conditions")
Traceback (most recent call last):
    ...
engine.errors.UsageError: conditions voltag=18: 'voltag' is no parameter of the campaign \
'nanofibre'. Did you mean 'voltage'? Known: flow_rate, concentration, voltage, collector_speed, \
temperature, humidity
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal, NoReturn, TypeVar

from engine.campaign import Campaign, Parameter, Value
from engine.campaign.applicability import lacking, surplus, surplus_text
from engine.campaign.ranges import outside_text
from engine.campaign.vocabulary import Kind, Vocabulary, same_unit, unit_problem
from engine.errors import SpinneretError, UsageError, by_voice, field, nearest_name
from engine.experiments.importers.cells import (
    has_decimal_comma,
    parse_condition,
    parse_result,
    refuse_ambiguous,
)
from engine.experiments.importers.words import CellError

T = TypeVar("T")
Role = Literal["controlled", "ambient"]
Pairs = Mapping[str, Value] | Iterable[tuple[str, Value]]
Series = Mapping[str, Value | Sequence[Value]] | Iterable[tuple[str, Value | Sequence[Value]]]


def split_pairs(
    texts: Iterable[str] | None, field_name: str | None = None
) -> list[tuple[str, str]]:
    """Split ``["voltage=18", "t=22"]`` at the first ``=`` of each.

    Raises:
        UsageError: a word without ``=``, or an empty side.
    """
    pairs = []
    for word in texts or ():
        name, separator, value = (part.strip() for part in word.partition("="))
        if not separator or not name or not value:
            problem = f"expected name=value such as voltage=18, got '{word}'"
            raise UsageError(problem, field=field_name)
        pairs.append((name, value))
    return pairs


def read_conditions(
    campaign: Campaign,
    pairs: Pairs,
    field_name: str | None = None,
    *,
    role: Role | None = None,
    belongs: str | None = None,
    as_setting: bool = False,
    typed: bool = False,
    refusal: type[SpinneretError] = UsageError,
) -> dict[str, Value]:
    """Read conditions, each in its parameter's unit.

    Args:
        campaign: whose parameters.
        pairs: names and values, as text or as numbers.
        field_name: the field of the request that holds them, for messages.
        role: refuse parameters of the other role.
        belongs: the field into which those belong.
        as_setting: refuse what the machine cannot be set to, or what is not searched.
        typed: a person typed them, so that ``17,5`` is a number too.
        refusal: what is raised for a value that cannot be.

    Raises:
        UsageError: an unknown name (the nearest is told), or one given twice.
        SpinneretError: of class ``refusal``: no number, no choice, beyond what can exist.
    """
    reader = _Reader(campaign, field_name, refusal)
    conditions: dict[str, Value] = {}
    spellings: dict[str, str] = {}
    for word, value in _listed(pairs):
        item = _item(word, value)
        parameter = reader.parameter(word, item, role, belongs)
        reader.refuse_twice(parameter.name, item, spellings)
        conditions[parameter.name] = reader.condition(parameter, value, item, typed, as_setting)
    return conditions


def check_conditions(
    campaign: Campaign, conditions: Mapping[str, Value], field_name: str | None = None
) -> dict[str, Value]:
    """Read conditions that a function was given, most often read already: quick where they were.

    Raises:
        UsageError: as of :func:`read_conditions`, or what is neither number nor text.
    """
    parameters = {p.name: p for p in campaign.parameters}
    for name, value in conditions.items():
        if isinstance(value, bool) or not isinstance(value, str | Real):
            raise UsageError(
                f"{name}: expected a number or a choice, got {type(value).__name__}",
                field=field_name,
            )
    if all(
        name in parameters
        and isinstance(value, str) is not parameters[name].is_numeric
        and parameters[name].problem_with(value) is None
        for name, value in conditions.items()
    ):
        return dict(conditions)
    return read_conditions(campaign, conditions, field_name)


def read_results(
    campaign: Campaign,
    pairs: Series,
    field_name: str | None = None,
    *,
    typed: bool = False,
    refusal: type[SpinneretError] = UsageError,
) -> dict[str, tuple[float, ...]]:
    """Read what was measured: a value, or several replicates, of each outcome, in its unit.

    Arguments and errors are those of :func:`read_conditions`.
    """
    reader = _Reader(campaign, field_name, refusal)
    results: dict[str, tuple[float, ...]] = {}
    spellings: dict[str, str] = {}
    for word, content in _listed(pairs):
        values = [content] if isinstance(content, str | int | float) else list(content)
        item = _item(word, values[0]) if values else word
        outcome = reader.outcome(word, item)
        reader.refuse_twice(outcome, item, spellings)
        results[outcome] = tuple(
            reader.result(outcome, value, _item(word, value), typed) for value in values
        )
    return results


def read_counts(campaign: Campaign, pairs: Pairs, field_name: str | None = None) -> dict[str, int]:
    """Read whole numbers of 1 or more, each of a controlled parameter (``max_distinct``).

    Raises:
        UsageError: as of :func:`read_conditions`, or no such number.
    """
    reader = _Reader(campaign, field_name, UsageError)
    counts: dict[str, int] = {}
    spellings: dict[str, str] = {}
    for word, value in _listed(pairs):
        item = _item(word, value)
        parameter = reader.parameter(word, item, "controlled", None)
        reader.refuse_twice(parameter.name, item, spellings)
        text = _text(value)
        # `int` would take "1_0", and digits of other scripts.
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
            reader.refuse(f"expected a whole number, 1 or more, got '{text}'", item)
        counts[parameter.name] = int(text)
    return counts


def find_parameter(campaign: Campaign, word: str, field_name: str | None = None) -> str:
    """Return the name of the parameter that ``word`` means.

    Raises:
        UsageError: it means none.
    """
    return _Reader(campaign, field_name, UsageError).parameter(word, word, None, None).name


def find_outcome(campaign: Campaign, word: str, field_name: str | None = None) -> str:
    """Return the name of the outcome that ``word`` means.

    Raises:
        UsageError: it means none.
    """
    return _Reader(campaign, field_name, UsageError).outcome(word, word)


def map_names(
    campaign: Campaign, names: Mapping[str, str], field_name: str | None = None
) -> dict[str, str]:
    """Return a mapping of the campaign's parameters, outcomes and properties by their names.

    A word that means none of them stays as it is.

    Raises:
        UsageError: two words mean the same.
    """
    reader = _Reader(campaign, field_name, UsageError)
    vocabulary = Vocabulary(campaign, reserved={})
    mapping: dict[str, str] = {}
    spellings: dict[str, str] = {}
    for word, target in names.items():
        meaning, _ = vocabulary.meaning(word)
        in_directions = vocabulary.undirected(word)
        name = word
        if meaning is not None:
            name = meaning[1]
        elif in_directions:
            name = campaign.property_of(in_directions[0]).name
        reader.refuse_twice(name, _item(word, target), spellings)
        mapping[name] = target
    return mapping


def is_parameter(campaign: Campaign, word: str) -> bool:
    """Whether ``word`` means a parameter (rather than an outcome, or nothing)."""
    meaning, _ = Vocabulary(campaign, reserved={}).meaning(word)
    return meaning is not None and meaning[0] == "parameter"


@dataclass(frozen=True)
class _Reader:
    """Names and values of one field of a request."""

    campaign: Campaign
    field_name: str | None
    refusal: type[SpinneretError]

    def refuse(self, problem: str, item: str, kind: type[SpinneretError] = UsageError) -> NoReturn:
        """Raise what is wrong with ``item``, such as ``voltage=18``."""
        place = "" if self.field_name is None else f"{field(self.field_name)} "
        error = kind(f"{place}{item}: {problem}")
        error.field = self.field_name
        raise error from None

    def refuse_twice(self, name: str, item: str, spellings: dict[str, str]) -> None:
        """Refuse a name that was given already, however it was spelled."""
        if name in spellings:
            self.refuse(f"{name} is given twice, as {spellings[name]} too; keep one", item)
        spellings[name] = item

    def parameter(self, word: str, item: str, role: Role | None, belongs: str | None) -> Parameter:
        """Return the parameter that ``word`` means."""
        meaning = self._meaning(word, item)
        if meaning is None:
            self._refuse_unknown_parameter(word, item, role)
        kind, name = meaning
        if kind == "fact":
            self.refuse(f"'{name}' is no condition: give it among the {fact_field()}", item)
        if kind != "parameter":
            self.refuse(
                f"'{name}' is measured, not a condition. Known: {', '.join(self._names(role))}",
                item,
            )
        parameter = self.campaign.parameter(name)
        if role is not None and parameter.role != role:
            origins = ["given by the room, not set on the machine"]
            origins += ["set on the machine, not given by the room"]
            problem = f"'{name}' is {origins[parameter.role == 'controlled']}"
            if belongs is not None:
                problem += f": state it with {field(belongs)} {item}"
            self.refuse(problem, item)
        return parameter

    def outcome(self, word: str, item: str) -> str:
        """Return the outcome that ``word`` means."""
        meaning = self._meaning(word, item)
        if meaning is not None and meaning[0] == "outcome":
            return meaning[1]
        self.refuse(unknown_outcome(self.campaign, word, meaning), item)

    def condition(
        self, parameter: Parameter, value: Value, item: str, typed: bool, as_setting: bool
    ) -> Value:
        """Return a condition that can be."""
        if isinstance(value, str):
            try:
                if typed:
                    refuse_ambiguous(value)
                comma = typed and has_decimal_comma(value)
                value = parse_condition(value, parameter, decimal_comma=comma)
            except CellError as error:
                self.refuse(str(error), item, self.refusal)
        else:
            value = float(value)
        problem = parameter.problem_with(value)
        if problem is None and as_setting:
            problem = parameter.problem_as_setting(value)
        if problem is not None:
            self.refuse(problem, item, self.refusal)
        return value

    def result(self, outcome: str, value: Value, item: str, typed: bool) -> float:
        """Return a measurement that can be."""
        measured = self.campaign.property_of(outcome)
        if isinstance(value, str):
            try:
                if typed:
                    refuse_ambiguous(value)
                comma = typed and has_decimal_comma(value)
                return parse_result(value, measured, decimal_comma=comma)
            except CellError as error:
                self.refuse(str(error), item, self.refusal)
        problem = measured.problem_with(float(value))
        if problem is not None:
            self.refuse(problem, item, self.refusal)
        return float(value)

    def _meaning(self, word: str, item: str) -> tuple[Kind, str] | None:
        meaning, unit = Vocabulary(self.campaign, reserved={}).meaning(word)
        if meaning is not None and unit is not None:
            expected = self.campaign.unit_of(meaning[1])
            if not same_unit(unit, expected):
                self.refuse(unit_problem(meaning[1], unit, expected), item)
        return meaning

    def _names(self, role: Role | None) -> list[str]:
        return [p.name for p in self.campaign.parameters if role in (None, p.role)]

    def _refuse_unknown_parameter(self, word: str, item: str, role: Role | None) -> NoReturn:
        names = self._names(role)
        aliases = [
            alias for p in self.campaign.parameters if role in (None, p.role) for alias in p.aliases
        ]
        hint = nearest_name(word, names) or nearest_name(word, aliases)
        listed = ", ".join(names) or "none in this campaign"
        kinds = {
            "controlled": "not a controlled parameter",
            "ambient": "not an ambient parameter",
        }
        kind = "no parameter" if role is None else kinds[role]
        self.refuse(
            f"'{word}' is {kind} of the campaign '{self.campaign.name}'.{hint} Known: {listed}",
            item,
        )


def fact_field() -> str:
    """Return what the field of facts is called, wherever one is given."""
    return by_voice("--with", field("facts"))


def unknown_outcome(campaign: Campaign, word: str, meaning: tuple[Kind, str] | None) -> str:
    """Say that ``word`` means no outcome, and what was probably meant."""
    if meaning is not None and meaning[0] == "parameter":
        name = meaning[1]
        place = "at" if campaign.parameter(name).role == "ambient" else "actual"
        new = by_voice(f"with {field('new')}", "in a new run")
        return f"'{name}' is a parameter: give it as {field(place)} {name}=…, or {new}"
    directions = Vocabulary(campaign, reserved={}).undirected(word)
    if directions:
        return f"'{word}' is measured in several directions: give {' or '.join(directions)}"
    candidates = [*campaign.outcomes, *(p.name for p in campaign.parameters)]
    return (
        f"unknown outcome '{word}'.{nearest_name(word, candidates)} "
        f"Known: {', '.join(campaign.outcomes)}"
    )


def _listed(pairs: Mapping[str, T] | Iterable[tuple[str, T]]) -> list[tuple[str, T]]:
    return list(pairs.items() if isinstance(pairs, Mapping) else pairs)


def _item(word: str, value: Value) -> str:
    return f"{word}={_text(value)}"


def _text(value: Value) -> str:
    return value.strip() if isinstance(value, str) else f"{value:g}"


def require_controlled(
    campaign: Campaign, conditions: Mapping[str, Value], field_name: str
) -> None:
    """Refuse conditions that leave out what the machine must be set to, or say too much.

    Raises:
        UsageError: names what is missing, or what has no value beside the others.
    """
    refuse_surplus(campaign, conditions, field_name)
    missing = lacking(campaign.controlled, conditions)
    if missing:
        headings = ", ".join(campaign.heading(p.name) for p in missing)
        raise UsageError(
            f"expected a value of every parameter that is set on the machine; missing: {headings}. "
            f"Add {field(field_name)} {missing[0].name}=VALUE"
        )


def refuse_surplus(
    campaign: Campaign, conditions: Mapping[str, Value], field_name: str | None
) -> None:
    """Refuse a value of a parameter that has none beside the others.

    Raises:
        UsageError: names it, and when it has one.
    """
    for parameter in surplus(campaign.parameters, conditions):
        raise UsageError(
            f"{_item(parameter.name, conditions[parameter.name])}: {surplus_text(parameter)}",
            field=field_name,
        )


def outside_of(campaign: Campaign, conditions: Mapping[str, Value]) -> list[str]:
    """Say in which way conditions lie outside what is searched; an empty list if they do not."""
    warnings = []
    for parameter in campaign.parameters:
        value = conditions.get(parameter.name)
        text = None if value is None else outside_text(parameter, value)
        if value is not None and text is not None:
            warnings.append(f"{campaign.heading(parameter.name)} = {_text(value)} {text}")
    warnings += [f"{rule} is not met" for rule in campaign.broken_by(conditions)]
    warnings += [
        f"{parameter.name} has a value {parameter.only_if_text}; it makes no difference here"
        for parameter in surplus(campaign.parameters, conditions)
    ]
    warnings += [exclusion.message for exclusion in campaign.exclusions_of(conditions)]
    return warnings


def combined(
    controlled: Mapping[str, Value], room: Mapping[str, Value], field_name: str = "conditions"
) -> dict[str, Value]:
    """Put stated room values beside conditions.

    Raises:
        UsageError: a value of the room is stated in both.
    """
    repeated = sorted(set(controlled) & set(room))
    if repeated:
        raise UsageError(
            f"{field(field_name)} and {field('at')}: {', '.join(repeated)} is stated in both; "
            "keep one"
        )
    return {**controlled, **room}
