"""Where a parameter has a value at all: a drum's speed only with a drum (``only_if``).

Elsewhere it is absent: not recorded, not asked for, not shown. Whatever computes with settings puts
:attr:`~engine.campaign.parameters.Parameter.stand_in` there, the same everywhere, so that it makes
no difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.campaign.choices import Value
from engine.campaign.conditions import Condition, check_condition
from engine.campaign.parameters import Parameter

Requirement = tuple[str, Condition]


def requirements(
    parameters: Sequence[Parameter],
) -> dict[str, tuple[Requirement, ...]]:
    """Return what must hold for each conditional parameter, of those it depends on, too."""
    by_name = {parameter.name: parameter for parameter in parameters}
    needs: dict[str, tuple[Requirement, ...]] = {}
    for parameter in parameters:
        if not parameter.only_if:
            continue
        collected: list[Requirement] = []
        waiting = list(parameter.only_if.items())
        while waiting:
            name, condition = waiting.pop(0)
            collected.append((name, condition))
            waiting.extend(by_name[name].only_if.items())
        needs[parameter.name] = tuple(collected)
    return needs


def check_only_if(parameters: Sequence[Parameter]) -> None:
    """Refuse conditions that cannot be, and parameters that depend on themselves.

    Raises:
        ValueError: names the parameter.
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    for parameter in parameters:
        for name, condition in parameter.only_if.items():
            try:
                check_condition(name, condition, parameters)
            except ValueError as error:
                raise ValueError(
                    f"parameter '{parameter.name}' {parameter.only_if_text}: {error}"
                ) from None
    for parameter in parameters:
        visited: set[str] = set()
        waiting = list(parameter.only_if)
        while waiting:
            name = waiting.pop()
            if name == parameter.name:
                raise ValueError(
                    f"parameter '{parameter.name}' {parameter.only_if_text}: it depends on itself"
                )
            if name not in visited:
                visited.add(name)
                waiting.extend(by_name[name].only_if)


def applies(
    parameters: Sequence[Parameter], name: str, conditions: Mapping[str, Value]
) -> bool | None:
    """Whether parameter ``name`` has a value beside ``conditions``; ``None``: they do not tell."""
    by_name = {parameter.name: parameter for parameter in parameters}
    is_known = True
    for parent, condition in requirements(parameters).get(name, ()):
        if parent not in conditions:
            is_known = False
        elif not condition.holds(by_name[parent], conditions[parent]):
            return False
    return True if is_known else None


def lacking(parameters: Sequence[Parameter], conditions: Mapping[str, Value]) -> list[Parameter]:
    """Return the controlled parameters that must have a value beside ``conditions`` and have none.

    >>> from engine.campaign.parameters import Parameter
    >>> collector = Parameter(name="collector", choices=["plate", "drum"])
    >>> speed = Parameter(name="speed", low=100, high=900, only_if={"collector": "drum"})
    >>> [p.name for p in lacking([collector, speed], {"collector": "drum"})]
    ['speed']
    >>> lacking([collector, speed], {"collector": "plate"})
    []
    """
    return [
        parameter
        for parameter in parameters
        if parameter.role == "controlled"
        and parameter.name not in conditions
        and (not parameter.only_if or applies(parameters, parameter.name, conditions))
    ]


def unaccounted(
    parameters: Sequence[Parameter], conditions: Mapping[str, Value]
) -> list[Parameter]:
    """Return those :func:`lacking` whose value no default stands for: no run may be without them.

    >>> from engine.campaign.parameters import Parameter
    >>> needle = Parameter(name="needle", low=15, high=30, default="unknown")
    >>> unaccounted([needle], {})
    []
    """
    return [p for p in lacking(parameters, conditions) if p.default is None]


def with_defaults(
    parameters: Sequence[Parameter],
    conditions: Mapping[str, Value],
    typical: Mapping[str, Value] | None = None,
) -> dict[str, Value]:
    """Return conditions with the defaults of what is lacking; ``typical`` for what is unknown.

    >>> from engine.campaign.parameters import Parameter
    >>> gap = Parameter(name="gap", low=10, high=20, default=15)
    >>> with_defaults([gap], {}), with_defaults([gap], {"gap": 12})
    ({'gap': 15.0}, {'gap': 12})
    """
    filled = dict(conditions)
    # A default may be what another parameter's value depends on.
    for _ in parameters:
        missing = [p for p in lacking(parameters, filled) if p.default is not None]
        if not missing:
            break
        for parameter in missing:
            if parameter.is_unknown:
                value = (typical or {}).get(parameter.name, parameter.stand_in)
            else:
                assert parameter.default is not None  # noqa: S101 -- selected so
                value = parameter.default
            filled[parameter.name] = value
    return filled


def typical_values(
    parameters: Sequence[Parameter], runs: Sequence[Mapping[str, Value]]
) -> dict[str, Value]:
    """Return, of parameters that may be unknown, the middle value or most frequent choice of runs.

    >>> from engine.campaign.parameters import Parameter
    >>> needle = Parameter(name="needle", low=15, high=30, default="unknown")
    >>> typical_values([needle], [{"needle": 18.0}, {"needle": 22.0}, {"needle": 22.0}, {}])
    {'needle': 22.0}
    """
    typical: dict[str, Value] = {}
    for parameter in parameters:
        if not parameter.is_unknown:
            continue
        values = [run[parameter.name] for run in runs if parameter.name in run]
        if not values:
            continue
        if parameter.is_categorical:
            typical[parameter.name] = max(sorted(set(values), key=str), key=values.count)
        else:
            typical[parameter.name] = sorted(map(float, values))[len(values) // 2]
    return typical


def surplus(parameters: Sequence[Parameter], conditions: Mapping[str, Value]) -> list[Parameter]:
    """Return the parameters that ``conditions`` give a value although they have none there."""
    return [
        parameter
        for parameter in parameters
        if parameter.only_if
        and parameter.name in conditions
        and applies(parameters, parameter.name, conditions) is False
    ]


def with_constants(
    parameters: Sequence[Parameter], conditions: Mapping[str, Value]
) -> dict[str, Value]:
    """Return ``conditions`` with the controlled constants that nobody stated.

    >>> from engine.campaign.parameters import Parameter
    >>> distance = Parameter(name="distance", low=15, high=15)
    >>> with_constants([distance], {}), with_constants([distance], {"distance": 12})
    ({'distance': 15.0}, {'distance': 12})
    """
    stated = dict(conditions)
    # A constant may hold only beside another one.
    for _ in parameters:
        missing = {p.name: p.only_value for p in lacking(parameters, stated)}
        constants = {name: value for name, value in missing.items() if value is not None}
        if not constants:
            break
        stated |= constants
    return stated


def without_surplus(
    parameters: Sequence[Parameter], conditions: Mapping[str, Value]
) -> dict[str, Value]:
    """Return ``conditions`` without the values of parameters that have none there."""
    names = {parameter.name for parameter in surplus(parameters, conditions)}
    return {name: value for name, value in conditions.items() if name not in names}


def completed(parameters: Sequence[Parameter], conditions: Mapping[str, Value]) -> dict[str, Value]:
    """Return conditions as a model may be asked: no value too many, stand-ins for those lacking."""
    trimmed = without_surplus(parameters, conditions)
    for _ in parameters:
        missing = [p for p in lacking(parameters, trimmed) if p.only_if]
        if not missing:
            break
        trimmed |= {parameter.name: parameter.stand_in for parameter in missing}
    return trimmed


def surplus_text(parameter: Parameter) -> str:
    """Say that a value was given where there is none."""
    return f"{parameter.name} has a value {parameter.only_if_text}; leave it empty here"
