"""Conditions on one parameter's value: ``solvent = WATER``, ``temperature > 60``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from engine.campaign.choices import Value
from engine.errors import nearest_name

Number = Annotated[float, Field(allow_inf_nan=False)]


class Frozen(BaseModel):
    """What cannot change, and takes no field that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Ranged(Protocol):
    """What a condition asks of a parameter."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def role(self) -> str:
        """``controlled`` or ``ambient``."""

    @property
    def choices(self) -> tuple[str, ...] | tuple[float, ...] | None:
        """Its choices, if it has any."""

    @property
    def retired(self) -> tuple[str, ...] | tuple[float, ...]:
        """Choices that can no longer be had."""

    @property
    def is_categorical(self) -> bool:
        """Whether the choices are names."""

    @property
    def n_levels(self) -> int | None:
        """How many settings there are; ``None`` where it is continuous."""

    def resolution_at(self, value: float) -> float:
        """Return how near to ``value`` a number is the same setting."""

    def problem_as_setting(self, value: Value) -> str | None:
        """Say why ``value`` cannot be set, or ``None``."""


Interval = tuple[float, float]

_EXAMPLES = (
    'a choice ("WATER"), several (["WATER", "DMF"]), a number, { above = 60 }, { at_least = 60 }, '
    '{ below = 10 }, { at_most = 10 } or { other_than = "WATER" }'
)
_SIGNS = {"above": ">", "at_least": ">=", "below": "<", "at_most": "<="}


class Condition(Frozen):
    """What one parameter's value is: one of some values, none of some, or within limits.

    >>> Condition.model_validate({"above": 60}).described("temperature")
    'temperature > 60'
    >>> Condition.model_validate(["WATER", "DMF"]).described("solvent")
    'solvent = WATER or DMF'
    """

    any_of: tuple[Value, ...] = ()
    other_than: tuple[Value, ...] = ()
    above: Number | None = None
    at_least: Number | None = None
    below: Number | None = None
    at_most: Number | None = None

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, data: Any) -> Any:
        if isinstance(data, Condition):
            return data
        content = data if isinstance(data, Mapping) else {"any_of": data}
        listed = {name: _listed(content[name]) for name in _LISTS if name in content}
        return {**content, **listed}

    @model_validator(mode="after")
    def _check(self) -> Self:
        is_limited = any(getattr(self, name) is not None for name in _SIGNS)
        if (bool(self.any_of) + bool(self.other_than) + is_limited) != 1:
            raise ValueError(f"expected one condition: {_EXAMPLES}")
        for pair in (("above", "at_least"), ("below", "at_most")):
            if all(getattr(self, name) is not None for name in pair):
                raise ValueError(f"expected {pair[0]} or {pair[1]}, got both; keep one")
        if is_limited:
            low = self.above if self.above is not None else self.at_least
            high = self.below if self.below is not None else self.at_most
            is_open = self.above is not None or self.below is not None
            if low is not None and high is not None and not (low < high or low == high > is_open):
                raise ValueError(f"no number is {self.described('both').replace('both ', '')}")
        return self

    @model_serializer
    def _short(self) -> Any:
        if self.any_of:
            return self.any_of[0] if len(self.any_of) == 1 else list(self.any_of)
        if self.other_than:
            values = self.other_than
            return {"other_than": values[0] if len(values) == 1 else list(values)}
        return {name: value for name in _SIGNS if (value := getattr(self, name)) is not None}

    def described(self, name: str) -> str:
        """Return the condition in words: ``solvent = WATER``, ``temperature > 60``."""
        if self.any_of or self.other_than:
            sign = "=" if self.any_of else "other than"
            return f"{name} {sign} {' or '.join(map(_written, self.any_of or self.other_than))}"
        parts = [
            f"{name} {sign} {value:g}"
            for word, sign in _SIGNS.items()
            if (value := getattr(self, word)) is not None
        ]
        return " and ".join(parts)

    def problem_with(self, parameter: Ranged) -> str | None:
        """Say why the condition is none on ``parameter``, or ``None`` if it is."""
        for value in (*self.any_of, *self.other_than):
            problem = _problem_with_value(value, parameter)
            if problem is not None:
                return problem
        if parameter.is_categorical:
            if not (self.any_of or self.other_than):
                names = ", ".join(map(str, parameter.choices or ()))
                return f"'{parameter.name}' has choices and no limits; name some of {names}"
            return None if self.codes(parameter) else f"'{parameter.name}' has no other choice"
        return None

    def codes(self, parameter: Ranged) -> frozenset[int]:
        """Return the places of a named parameter's choices for which the condition holds."""
        choices = parameter.choices or ()
        return frozenset(
            place
            for place, choice in enumerate(choices)
            if (choice in self.any_of if self.any_of else choice not in self.other_than)
        )

    def intervals(self, parameter: Ranged) -> list[Interval]:
        """Return where a number fulfils the condition: closed intervals, rounding allowed for."""
        slack = parameter.resolution_at
        if self.any_of:
            points = [float(value) for value in self.any_of]
            return [(point - slack(point), point + slack(point)) for point in points]
        if self.other_than:
            edges = sorted(float(value) for value in self.other_than)
            starts = [-math.inf, *(edge + 1.5 * slack(edge) for edge in edges)]
            stops = [*(edge - 1.5 * slack(edge) for edge in edges), math.inf]
            return list(zip(starts, stops, strict=True))
        first, last = -math.inf, math.inf
        if self.above is not None:
            first = self.above + 1.5 * slack(self.above)
        if self.at_least is not None:
            first = self.at_least - slack(self.at_least)
        if self.below is not None:
            last = self.below - 1.5 * slack(self.below)
        if self.at_most is not None:
            last = self.at_most + slack(self.at_most)
        return [(first, last)]

    def holds(self, parameter: Ranged, value: Value) -> bool:
        """Whether ``value`` of ``parameter`` fulfils the condition."""
        if parameter.is_categorical:
            return value in self.any_of if self.any_of else value not in self.other_than
        if isinstance(value, str):
            return False
        return any(first <= value <= last for first, last in self.intervals(parameter))


_LISTS = ("any_of", "other_than")


def check_condition(name: str, condition: Condition, parameters: Iterable[Ranged]) -> None:
    """Refuse a condition on what is no controlled parameter, or that can never hold.

    Raises:
        ValueError: says what is wrong, and what was probably meant.
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    if name not in by_name:
        raise ValueError(
            f"'{name}' is no parameter.{nearest_name(name, by_name)} Known: {', '.join(by_name)}"
        )
    parameter = by_name[name]
    if parameter.role == "ambient":
        raise ValueError(
            f"'{name}' is given by the room and never proposed: a condition names parameters that "
            "are set on the machine"
        )
    problem = condition.problem_with(parameter)
    if problem is not None:
        raise ValueError(problem)


def _problem_with_value(value: Value, parameter: Ranged) -> str | None:
    if parameter.is_categorical:
        names = [str(choice) for choice in parameter.choices or ()]
        if value in names:
            return None
        hint = nearest_name(str(value), names)
        return (
            f"'{parameter.name}' has no choice '{_written(value)}'.{hint} It has {', '.join(names)}"
        )
    if isinstance(value, str):
        return f"'{parameter.name}' is a number, got '{value}'"
    if parameter.n_levels is None:
        return (
            f"'{parameter.name}' is continuous: {value:g} alone would leave all that lies beside "
            "it; give limits such as { above = 59, below = 61 }, or the parameter a step"
        )
    return None if value in parameter.retired else parameter.problem_as_setting(value)


def _listed(value: Any) -> Any:
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values or any(
        isinstance(item, bool) or not isinstance(item, str | int | float) for item in values
    ):
        raise ValueError(f"expected {_EXAMPLES}; got {value!r}")
    return tuple(item if isinstance(item, str) else float(item) for item in values)


def _written(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"
