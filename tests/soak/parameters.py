"""Random parameters of every kind, and what can be set: by arithmetic of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

from words import AMBIENT, CHOICES, PARAMETERS, RESERVED, UNITS

Value = float | str

KINDS = {
    "continuous": 5, "stepped": 6, "integer": 3, "log": 2, "log steps": 1, "names": 5, "numbers": 3,
    "constant": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """What one parameter's value is.

    A limit itself counts as it is written, on steps but for ``rounding``; a value is beyond it from
    ``grain`` on.
    """

    name: str
    sign: str
    limit: Value | tuple[Value, ...]
    grain: float
    rounding: float

    def holds(self, settings: Mapping[str, Value]) -> bool:
        """Whether the settings have the parameter, and its value fulfils the condition."""
        if self.name not in settings:
            return False
        value, limit = settings[self.name], self.limit
        if self.sign in ("any", "other_than"):
            values = limit if isinstance(limit, tuple) else (limit,)
            return (value in values) == (self.sign == "any")
        if isinstance(value, str):
            return False
        excess = value - float(limit)  # type: ignore[arg-type]
        return {
            "above": excess > self.grain,
            "at_least": excess >= -self.rounding,
            "below": -excess > self.grain,
            "at_most": -excess >= -self.rounding,
        }[self.sign]


@dataclass(frozen=True)
class Parameter:
    """A parameter as it will stand in the configuration; ``n_steps``: of ``step`` in the range."""

    name: str
    unit: str = ""
    role: str = "controlled"
    low: float = 0.0
    high: float = 1.0
    n_steps: int | None = None
    choices: tuple[Value, ...] | None = None
    retired: tuple[Value, ...] = ()
    is_log: bool = False
    is_hard: bool = False
    max_distinct: int | None = None
    only_if: Condition | None = None
    alias: str | None = None

    @property
    def step(self) -> Decimal | None:
        """The step, exactly."""
        if self.n_steps is None:
            return None
        return (Decimal(repr(self.high)) - Decimal(repr(self.low))) / self.n_steps

    @property
    def span(self) -> float:
        """How wide the range is, in the parameter's unit."""
        return self.high - self.low

    @property
    def grain(self) -> float:
        """What is no difference between two values."""
        if self.choices is not None:
            return 0.0
        if self.step is not None:
            return 1e-4 * float(self.step)
        return 1e-8 * (self.low if self.is_log else self.span or abs(self.low) or 1.0)

    @property
    def settable(self) -> tuple[Value, ...]:
        """The choices that can be had."""
        return tuple(choice for choice in self.choices or () if choice not in self.retired)

    @property
    def is_constant(self) -> bool:
        """Whether there is one setting alone."""
        return self.n_levels == 1

    @property
    def is_named(self) -> bool:
        """Whether its values are names."""
        return self.choices is not None and isinstance(self.choices[0], str)

    @property
    def n_levels(self) -> int | None:
        """How many settings there are, ``None``: a continuum."""
        if self.choices is not None:
            return len(self.settable)
        if self.low == self.high:
            return 1
        return None if self.n_steps is None else self.n_steps + 1

    @property
    def place_beyond(self) -> float:
        """A number beyond the range."""
        top = max(map(float, self.choices)) if self.choices is not None else self.high
        return top + (abs(top) or 1.0) + self.span

    def level(self, index: int) -> Value:
        """Return setting number ``index``."""
        if self.choices is not None:
            return self.settable[index]
        if self.step is None:
            return self.low
        return float(Decimal(repr(self.low)) + index * self.step)

    def levels(self) -> list[Value]:
        """Return all settings."""
        assert self.n_levels is not None
        return [self.level(index) for index in range(self.n_levels)]

    def place(self, value: Value) -> float:
        """Return where a value lies, 0 … 1 (choices: by their number)."""
        if self.choices is not None:
            near = min(self.choices, key=lambda choice: _distance(choice, value))
            return self.choices.index(near) / max(len(self.choices) - 1, 1)
        assert isinstance(value, float)
        if self.low == self.high:
            return value / self.low - 1.0 if self.low else value
        if self.is_log:
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def nearest(self, value: float) -> Value:
        """Return the setting nearest to a number within the range."""
        if self.n_steps is None:
            return float(f"{value:.12g}")  # as many digits as any file keeps
        return self.level(round((value - self.low) / self.span * self.n_steps))

    def draw(self, luck: Random) -> Value:
        """Return a setting."""
        if self.n_levels is not None:
            return self.level(luck.randrange(self.n_levels))
        u = luck.random()
        value = self.low + u * self.span
        if self.is_log:
            value = self.low * (self.high / self.low) ** u
        return min(max(float(f"{value:.12g}"), self.low), self.high)


def _distance(choice: Value, value: Value) -> float:
    if isinstance(choice, str) or isinstance(value, str):
        return 0.0 if choice == value else 1.0
    return abs(choice - value)


def draw_parameters(luck: Random, n: int) -> list[Parameter]:
    """Return ``n`` controlled parameters of mixed kinds."""
    names = luck.sample(PARAMETERS, n)
    if n and luck.random() < 0.1:
        names[luck.randrange(n)] = luck.choice(RESERVED)
    kinds = luck.choices(list(KINDS), list(KINDS.values()), k=n)
    return [_draw(luck, name, kind) for name, kind in zip(names, kinds, strict=True)]


def draw_ambient(luck: Random) -> list[Parameter]:
    """Return up to two parameters that the room gives."""
    names = luck.sample(AMBIENT, luck.choices((0, 1, 2), (5, 3, 2))[0])
    return [
        Parameter(name, luck.choice(("", "%", "°C")), "ambient", luck.choice((-5.0, 20.0)), 70.0)
        for name in names
    ]


def _draw(luck: Random, name: str, kind: str) -> Parameter:
    alias = luck.choice((None, None, None, f"напряжение {name}", f"電圧{name}", f"{name}-wert"))
    base = Parameter(
        name, luck.choice(UNITS), alias=alias, is_hard=luck.random() < 0.1,
        max_distinct=luck.randint(2, 4) if luck.random() < 0.06 else None,
    )  # fmt: skip
    match kind:
        case "names":
            names = tuple(luck.sample(CHOICES, luck.randint(2, 6)))
            retired = names[: luck.randint(0, len(names) - 1)] if luck.random() < 0.2 else ()
            return replace(base, unit="", choices=names, retired=retired)
        case "numbers":
            scale = Decimal(10) ** luck.randint(-4, 4)
            numbers = sorted(luck.sample(range(-20, 1000), luck.randint(2, 7)))
            return replace(base, choices=tuple(float(scale * number) for number in numbers))
        case "constant":
            return _draw_constant(luck, base)
        case "log" | "log steps":
            lowest = Decimal(luck.choice((1, 2, 5))) * Decimal(10) ** luck.randint(-12, 2)
            decades = luck.randint(1, 7 if kind == "log" else 3)
            n_steps = None if kind == "log" else 10**decades - 1
            high = float(lowest * 10**decades)
            return replace(base, low=float(lowest), high=high, n_steps=n_steps, is_log=True)
        case "integer":
            least = luck.choice((0, 1, -5, 100))
            n_steps = luck.choice((1, 2, 9, 50, 1000, 10**6))
            return replace(base, low=float(least), high=float(least + n_steps), n_steps=n_steps)
    step = Decimal(luck.choice(("1", "2", "5", "2.5"))) * Decimal(10) ** luck.randint(-13, 8)
    n_steps = luck.choice((1, 2, 4, 10, 20, 40, 365))
    origin = luck.choice((0, 0, 1, luck.randint(-50, 50), luck.randint(1, 1000), 10**5))
    return replace(
        base,
        low=float(step * origin),
        high=float(step * (origin + n_steps)),
        n_steps=n_steps if kind == "stepped" else None,
    )


def _draw_constant(luck: Random, base: Parameter) -> Parameter:
    if luck.random() < 0.3:
        return replace(base, unit="", choices=(luck.choice(CHOICES),))
    size = float(f"{luck.uniform(1, 10):.3g}e{luck.randint(-12, 9)}")
    value = luck.choice((0.0, size, -size))
    return replace(base, low=value, high=value, is_log=value > 0 and luck.random() < 0.3)
