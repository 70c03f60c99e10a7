"""Parameters: what can be set or is given, on which steps, and when a value is none."""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    model_validator,
)

from engine.campaign.choices import Value, check_choices, one_of
from engine.campaign.conditions import Condition, Frozen, Number

EPSILON = 2.0**-52

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
OutcomeName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)?$", max_length=129)
]


class Parameter(Frozen):
    """One knob of the machine, or one number that the room gives.

    A range has ``low`` and ``high`` (and ``step``, what the instrument can be set to);
    a choice has ``choices``. Of one value alone (``low == high``, or one choice) it is a constant.
    ``retired`` are choices that can no longer be had: runs with them stay and teach, none is
    proposed. ``minimum`` and ``maximum`` are what can exist at all: a result from
    outside ``low … high`` is kept, one from outside ``minimum … maximum`` is refused.

    ``only_if`` names conditions on other parameters: elsewhere it has no value.

    ``default`` is what runs had that do not tell their value (from before the parameter was looked
    at, or out of a table with gaps): a value, or ``"unknown"``; then models take a typical one.

    ``scale = "log"`` says that what counts is the ratio of two values (a range of decades): the
    space is filled and the model learns in the logarithm; steps stay what the instrument has.
    """

    name: Name
    unit: str = ""
    role: Literal["controlled", "ambient"] = "controlled"
    low: Number | None = None
    high: Number | None = None
    step: Number | None = Field(default=None, gt=0)
    choices: tuple[str, ...] | tuple[Number, ...] | None = None
    retired: tuple[str, ...] | tuple[Number, ...] = ()
    scale: Literal["linear", "log"] = "linear"
    minimum: Number | None = None
    maximum: Number | None = None
    hard_to_change: bool = False
    max_distinct: int | None = Field(default=None, ge=1)
    only_if: dict[str, Condition] = Field(default_factory=dict)
    default: Number | str | None = None
    aliases: tuple[str, ...] = ()
    description: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.choices is not None:
            self._check_choices()
        elif self.low is None or self.high is None:
            raise ValueError(
                f"parameter '{self.name}' needs low and high, or choices; add the missing ones"
            )
        else:
            self._check_range(self.low, self.high)
        if self.retired and self.choices is None:
            raise ValueError(
                f"parameter '{self.name}': retired names choices, and a range has none; narrow low "
                "and high instead"
            )
        if self.scale == "log" and (self.is_categorical or self.bounds[0] <= 0):
            got = "names" if self.is_categorical else f"values from {self.bounds[0]:g} on"
            raise ValueError(
                f"parameter '{self.name}': scale = \"log\" needs numbers above 0, got {got}"
            )
        if self.role == "ambient" and self.choices is not None:
            raise ValueError(
                f"parameter '{self.name}' is ambient: a reading of the room is a number; give low "
                "and high instead of choices"
            )
        if self.role == "ambient" and self.only_if:
            raise ValueError(
                f"parameter '{self.name}' is ambient: the room is there whatever is set; only_if "
                "means nothing"
            )
        if self.role == "ambient" and (self.hard_to_change or self.max_distinct):
            raise ValueError(
                f"parameter '{self.name}' is ambient: the room gives it, so hard_to_change and "
                'max_distinct mean nothing; remove them or set role = "controlled"'
            )
        self._check_default()
        return self

    def _check_default(self) -> None:
        if self.default is None:
            return
        if self.role == "ambient":
            raise ValueError(
                f"parameter '{self.name}' is ambient: readings may be missing without a default; "
                "remove it"
            )
        problem = None if self.is_unknown else self.problem_with(self.default)
        if problem is not None:
            raise ValueError(
                f"parameter '{self.name}': default = {self.default!r}: {problem}, or \"unknown\""
            )

    def _check_choices(self) -> None:
        if self.low is not None or self.high is not None or self.step is not None:
            raise ValueError(
                f"parameter '{self.name}' has both choices and low/high/step; keep one of the two"
            )
        check_choices(f"parameter '{self.name}'", self.choices or (), self.retired)

    def _check_range(self, low: float, high: float) -> None:
        if low > high:
            raise ValueError(
                f"parameter '{self.name}' has its bounds reversed: low = {low:g} must be below "
                f"high = {high:g} (or equal to it, for a constant)"
            )
        for bound, limit, name in ((low, self.minimum, "minimum"), (high, self.maximum, "maximum")):
            if limit is not None and (bound < limit if name == "minimum" else bound > limit):
                raise ValueError(
                    f"parameter '{self.name}': the range {low:g} … {high:g} leaves what can exist, "
                    f"{name} = {limit:g}"
                )
        if self.step is None or low == high:
            return
        n_steps = (high - low) / self.step
        if n_steps < 1 - 1e-9 or abs(n_steps - round(n_steps)) > 1e-6:
            reached = low + math.floor(n_steps + 1e-9) * self.step
            raise ValueError(
                f"parameter '{self.name}': step {self.step:g} does not divide the range "
                f"{low:g} … {high:g}: counting from low, the instrument would reach {reached:g} "
                f"and {reached + self.step:g}, never high. Set high to one of them, or another step"
            )

    def __hash__(self) -> int:
        # Conditions lie in a dictionary, which has none.
        return hash((self.name, self.role, self.unit, self.low, self.high, self.choices))

    @property
    def is_unknown(self) -> bool:
        """Whether runs that do not tell its value may have had any."""
        return self.default == "unknown" and self.default not in (self.choices or ())

    @property
    def only_if_text(self) -> str:
        """When the parameter has a value, in words: ``only if collector = drum``; else empty."""
        parts = [condition.described(name) for name, condition in self.only_if.items()]
        return f"only if {' and '.join(parts)}" if parts else ""

    @cached_property
    def stand_in(self) -> Value:
        """What models read where the parameter has no value: the same everywhere."""
        if self.is_categorical:
            return self.settable[0]
        return self.snap(self.value_at(0.5))

    @cached_property
    def is_numeric(self) -> bool:
        """Whether values are numbers (a range or numeric choices)."""
        return self.choices is None or not isinstance(self.choices[0], str)

    @property
    def is_categorical(self) -> bool:
        """Whether values are unordered names."""
        return not self.is_numeric

    @cached_property
    def settable(self) -> tuple[str, ...] | tuple[float, ...]:
        """The choices that can be had, in their order: those not retired.

        >>> Parameter(name="solvent", choices=("DMF", "DMAc"), retired=("DMF",)).settable
        ('DMAc',)
        """
        return tuple(c for c in self.choices or () if c not in self.retired)  # type: ignore[return-value]

    @cached_property
    def codes(self) -> frozenset[int]:
        """The places in ``choices`` of those that can be had."""
        return frozenset(i for i, c in enumerate(self.choices or ()) if c not in self.retired)

    @cached_property
    def is_constant(self) -> bool:
        """Whether there is one value only that can be set, or that the room has.

        >>> Parameter(name="distance", unit="cm", low=15, high=15).is_constant
        True
        """
        if self.choices is not None:
            return len(self.settable) == 1
        return self.low == self.high

    @cached_property
    def only_value(self) -> Value | None:
        """The one value that a run has where none is stated; ``None`` where it may have another.

        Of a choice whose others are retired a run may have had any.

        >>> Parameter(name="distance", unit="cm", low=15, high=15).only_value
        15.0
        >>> Parameter(name="solvent", choices=["water", "DMF"], retired=["DMF"]).only_value
        """
        if self.choices is not None:
            return self.choices[0] if len(self.choices) == 1 else None
        return self.low if self.is_constant else None

    @cached_property
    def levels(self) -> tuple[float, ...] | tuple[str, ...] | None:
        """Every setting the instrument has, in order; ``None`` where it is continuous.

        A list as long as the range has steps: what only asks how many there are, or which one is
        nearest, asks :attr:`n_levels` and :meth:`snap`.
        """
        if self.choices is not None:
            return self.settable
        if self.n_levels is None:
            return None
        return tuple(self.level(i) for i in range(self.n_levels))

    @cached_property
    def n_levels(self) -> int | None:
        """How many settings the instrument has; ``None`` where it is continuous.

        >>> Parameter(name="time", low=0, high=1e6, step=1e-3).n_levels
        1000000001
        """
        if self.choices is not None:
            return len(self.settable)
        if self.is_constant:
            return 1
        if self.step is None or self.low is None or self.high is None:
            return None
        return round((self.high - self.low) / self.step) + 1

    def level(self, index: int) -> float:
        """Return a numeric parameter's setting number ``index``, counted from 0."""
        if self.choices is not None:
            return float(self.settable[index])
        assert self.low is not None  # noqa: S101 -- continuous parameters have no levels
        if self.is_constant:
            return self.low
        assert self.step is not None  # noqa: S101
        return self.written(self.low + index * self.step)

    def written(self, value: float) -> float:
        """Return a number as a person would write it: without digits that only arithmetic made.

        >>> Parameter(name="x", low=-0.3, high=1, step=0.1).written(-0.3 + 0.1 * 3)
        0.0
        >>> Parameter(name="salt", low=1e-12, high=1, scale="log").written(2e-12 / 3)
        6.666666667e-13
        """
        if self.choices is not None:
            return value
        if self.is_constant and abs(value - self.bounds[0]) <= self.resolution:
            return self.bounds[0]
        rounded = float(f"{value:.10g}") if self.is_ratio else round(value, self._decimals)
        low, high = self.bounds
        # A bound may have more digits than that: what is inside stays inside.
        return min(max(rounded, low), high) if low <= value <= high else rounded

    @property
    def is_ratio(self) -> bool:
        """Whether it is continuous on a scale of ratios: 1e-9 is no more exact than 1e-2."""
        return self.scale == "log" and self.n_levels is None

    @cached_property
    def _decimals(self) -> int:
        """Decimals that tell settings apart: seven beyond the step's, ten beyond the range's."""
        low, high = self.bounds
        finest = self.step or (high - low) * 1e-3 or abs(low) * 1e-3 or 1.0
        return 7 - math.floor(math.log10(finest))

    @cached_property
    def resolution(self) -> float:
        """How near two values must be to be one setting: relative to the step or the range.

        >>> Parameter(name="flow", unit="m3/s", low=1e-10, high=3e-10, step=1e-11).resolution
        1e-17
        """
        low, high = self.bounds
        if self.is_constant:
            # About nothing there is no measure: any number that can be told from 0 is not it.
            return max(abs(low) * 1e-9, 1e-30)
        if self.choices is not None:
            levels = [float(choice) for choice in self.choices]
            finest = min(upper - lower for lower, upper in pairwise(levels)) * 1e-6
        else:
            finest = self.step * 1e-6 if self.step is not None else (high - low) * 1e-9
            finest = low * 1e-9 if self.is_ratio else finest
        # Beyond double precision values of a narrow range far from 0 cannot be told apart.
        return max(finest, 8 * EPSILON * max(abs(low), abs(high)))

    def resolution_at(self, value: float) -> float:
        """Return how near to ``value`` a number is the same setting.

        >>> salt = Parameter(name="salt", low=1e-12, high=1, scale="log")
        >>> salt.resolution_at(0.25), salt.resolution_at(1.0)
        (2.5e-10, 1e-09)
        """
        return max(self.resolution, 1e-9 * abs(value)) if self.is_ratio else self.resolution

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The range searched, in the parameter's unit (numeric parameters only)."""
        if self.choices is not None:
            return float(self.settable[0]), float(self.settable[-1])
        assert self.low is not None  # noqa: S101 -- holds by construction
        assert self.high is not None  # noqa: S101
        return self.low, self.high

    def place_of(self, value: float) -> float:
        """Return where a number lies in its range, 0 … 1 (beyond it: outside), on its scale.

        In a constant's there is one place, the middle.

        >>> salt = Parameter(name="salt", unit="mol/L", low=1e-4, high=1, scale="log")
        >>> round(salt.place_of(0.01), 9), round(salt.value_at(0.75), 9)
        (0.5, 0.1)
        """
        low, high = self.bounds
        if low == high:
            return 0.5
        if self.scale == "linear":
            return (value - low) / (high - low)
        # Nothing has no logarithm: a run without any salt lies a range below the lowest.
        return math.log(max(value, low * (low / high)) / low) / math.log(high / low)

    def value_at(self, place: float) -> float:
        """Return the number at a place of the range, 0 … 1, on its scale."""
        low, high = self.bounds
        if self.scale == "linear":
            return low + place * (high - low)
        return float(min(max(low * (high / low) ** place, low), high))

    def snap(self, value: float) -> float:
        """Return the nearest setting inside the bounds that the instrument has."""
        low, high = self.bounds
        value = min(max(value, low), high)
        if self.choices is not None:
            return min(map(float, self.settable), key=lambda level: abs(level - value))
        if self.step is None or low == high:
            return value
        return self.level(round((value - low) / self.step))

    def problem_with(self, value: Value) -> str | None:
        """Say why ``value`` cannot have been a condition of a real run, or ``None`` if it can."""
        label = f"{self.name} [{self.unit}]" if self.unit else self.name
        if self.is_categorical:
            names = ", ".join(map(str, self.choices or ()))
            is_known = value in (self.choices or ())
            return None if is_known else f"expected {label} to be one of {names}"
        if isinstance(value, str) or not math.isfinite(value):
            return f"expected {label} to be a finite number"
        if self.minimum is not None and value < self.minimum:
            return f"expected {label} to be at least {self.minimum:g}"
        if self.maximum is not None and value > self.maximum:
            return f"expected {label} to be at most {self.maximum:g}"
        return None

    def problem_as_setting(self, value: Value) -> str | None:
        """Say why ``value`` cannot be proposed (bounds, steps, retired), or ``None`` if it can."""
        problem = self.problem_with(value)
        if problem is not None:
            return problem
        label = f"{self.name} [{self.unit}]" if self.unit else self.name
        if value in self.retired:
            name = f"{value:g}" if isinstance(value, float) else value
            return (
                f"{name} is retired, it can no longer be had: expected {label} to be "
                f"{one_of(self.settable)}"
            )
        if isinstance(value, str):
            return None
        low, high = self.bounds
        if not low - self.resolution <= value <= high + self.resolution:
            return f"expected {label} {self._range_text}"
        if self.n_levels is not None and abs(self.snap(value) - value) > self.resolution:
            nearest = f"the nearest is {self.snap(value):g}"
            return f"expected {label} on the instrument's settings; {nearest}"
        return None

    def is_inside(self, value: Value) -> bool:
        """Whether a value is within what is searched: the bounds, or a choice that can be had."""
        if isinstance(value, str):
            return value in self.settable
        if self.choices is not None:
            return any(abs(float(choice) - value) <= self.resolution for choice in self.settable)
        low, high = self.bounds
        return low - self.resolution <= value <= high + self.resolution

    @property
    def _range_text(self) -> str:
        """What is searched of numbers: ``between 10 and 20``, or a constant's ``to be 15``."""
        low, high = self.bounds
        return f"to be {low:g}, the constant" if low == high else f"between {low:g} and {high:g}"
