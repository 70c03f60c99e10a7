"""The domain: one search, what it may set, what it measures, what it wants.

Reserved terms, used with these meanings everywhere:

=============  ====================================================================
parameter      a number or choice that describes how a mat is spun
controlled     a parameter the engine proposes (flow rate, voltage …)
ambient        a parameter the room gives (temperature, humidity): measured, never proposed
condition      one parameter's value in one experiment; *conditions* is the whole set
property       what is measured (fracture strength), with unit and test directions
outcome        property × direction, e.g. ``elongation.transverse``
objective      an outcome to maximise, to minimise or to bring to a target, with its threshold
constraint     a bound on an outcome, or a linear (in)equality over controlled parameters
exclusion      conditions on controlled parameters that must not hold together
=============  ====================================================================

Every class is frozen and refuses, at construction, what does not make sense.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    field_serializer,
    field_validator,
    model_validator,
)

from engine.campaign.applicability import check_only_if
from engine.campaign.boxes import can_hold, is_anything_left, least_contradiction
from engine.campaign.choices import Value
from engine.campaign.conditions import Frozen, Number, check_condition
from engine.campaign.curves import CurveSettings
from engine.campaign.exclusions import Exclusion
from engine.campaign.facts import Fact
from engine.campaign.failures import SPINNING, Failure, plain, with_other
from engine.campaign.html import parameters_html, rows_html, section_html
from engine.campaign.inequalities import Operator, format_comparison, parse_comparison
from engine.campaign.nouns import Nouns
from engine.campaign.objectives import Objective
from engine.campaign.parameters import (
    EPSILON,
    Name,
    Parameter,
)
from engine.errors import nearest_name


class Property(Frozen):
    """Something measured on a mat; with directions, one outcome for each.

    ``scale = "log"`` says that the noise grows with the value (strengths, moduli): the surrogate
    then works on the logarithm, where a measured 0 stands as half of the smallest number above 0.

    ``censored``: what a model makes of a result such as ``<0.5``, which is a limit: nothing
    (``leave out``), or it learns the limit itself (``limit``). The record keeps it as such.
    """

    name: Name
    unit: str = ""
    directions: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")], ...] = ()
    minimum: Number | None = None
    maximum: Number | None = None
    scale: Literal["linear", "log"] = "linear"
    censored: Literal["leave out", "limit"] = "leave out"
    aliases: tuple[str, ...] = ()
    description: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError(
                f"property '{self.name}': minimum = {self.minimum:g} must be below "
                f"maximum = {self.maximum:g}"
            )
        if self.scale == "log" and (self.minimum is None or self.minimum < 0):
            raise ValueError(f"property '{self.name}': scale = \"log\" needs minimum = 0 or more")
        if len(set(self.directions)) != len(self.directions):
            raise ValueError(f"property '{self.name}' names a direction twice")
        return self

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcome names, e.g. ``("elongation.longitudinal", "elongation.transverse")``."""
        return tuple(f"{self.name}.{d}" for d in self.directions) or (self.name,)

    def problem_with(self, value: float) -> str | None:
        """Say why ``value`` cannot be a measurement of this property, or ``None`` if it can."""
        label = f"{self.name} [{self.unit}]" if self.unit else self.name
        if not math.isfinite(value):
            return f"expected {label} to be a finite number"
        if self.minimum is not None and value < self.minimum:
            return f"expected {label} to be at least {self.minimum:g}"
        if self.maximum is not None and value > self.maximum:
            return f"expected {label} to be at most {self.maximum:g}"
        return None


class LinearConstraint(Frozen):
    """``Σ terms[name] · value  operator  bound``; written as one line in the configuration."""

    terms: dict[str, Number]
    operator: Operator
    bound: Number

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, data: Any) -> Any:
        if isinstance(data, str):
            terms, operator, bound = parse_comparison(data)
            return {"terms": terms, "operator": operator, "bound": bound}
        return data

    def __str__(self) -> str:
        return format_comparison(self.terms, self.operator, self.bound)

    def slack(self, values: Mapping[str, float]) -> float:
        """Return how far ``values`` are inside (≥ 0) or outside (< 0) the constraint."""
        total = sum(factor * values[name] for name, factor in self.terms.items())
        if self.operator == "==":
            return -abs(total - self.bound)
        return (self.bound - total) if self.operator == "<=" else (total - self.bound)

    def is_met(self, values: Mapping[str, float], tolerance: float | None = None) -> bool:
        """Whether the constraint holds, up to ``tolerance``: by default a millionth of the bound.

        >>> rule = LinearConstraint.model_validate("permeability >= 1e-12")
        >>> rule.is_met({"permeability": 1e-12}), rule.is_met({"permeability": 0.9e-12})
        (True, False)
        """
        return self.slack(values) >= -(self._rounding if tolerance is None else tolerance)

    def range(self) -> tuple[float | None, float | None]:
        """Return what the weighted sum may be, as :meth:`is_met` has it: from, to."""
        lower = None if self.operator == "<=" else self.bound - self._rounding
        upper = None if self.operator == ">=" else self.bound + self._rounding
        return lower, upper

    @property
    def _rounding(self) -> float:
        return 1e-6 * abs(self.bound)


class Campaign(Frozen):
    """One search, as it stands in one revision."""

    name: Annotated[str, StringConstraints(pattern=r"^[\w][\w .-]*$", max_length=80)]
    description: str = ""
    parameters: tuple[Parameter, ...] = Field(min_length=1)
    properties: tuple[Property, ...] = Field(min_length=1)
    objectives: tuple[Objective, ...] = Field(min_length=1)
    constraints: tuple[LinearConstraint, ...] = ()
    parameter_constraints: tuple[LinearConstraint, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    curves: CurveSettings = CurveSettings()
    facts: tuple[Fact, ...] = ()
    failures: tuple[Failure, ...] = SPINNING
    nouns: Nouns | None = None

    @field_validator("parameters", "properties", "facts")
    @classmethod
    def _unique(cls, items: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [item.name for item in items]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"'{name}' is defined twice")
        return items

    @field_validator("failures")
    @classmethod
    def _with_other(cls, failures: tuple[Failure, ...]) -> tuple[Failure, ...]:
        return with_other(failures)

    @field_serializer("failures")
    def _as_plain(self, failures: tuple[Failure, ...]) -> list[Any]:
        return plain(failures)

    @field_serializer("constraints", "parameter_constraints")
    def _as_text(self, constraints: tuple[LinearConstraint, ...]) -> list[str]:
        return [str(constraint) for constraint in constraints]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.controlled:
            raise ValueError("a campaign needs at least one controlled parameter to propose")
        shared = {p.name for p in self.parameters} & {p.name for p in self.properties}
        if shared:
            raise ValueError(f"'{shared.pop()}' is both a parameter and a property; rename one")
        shared = {fact.name for fact in self.facts} & {*self.outcomes, *self._names()}
        if shared:
            raise ValueError(f"'{shared.pop()}' is a fact and something else; rename one")
        outcomes = [objective.outcome for objective in self.objectives]
        for name in outcomes:
            self._check_outcome(name, "objectives")
            if outcomes.count(name) > 1:
                raise ValueError(f"outcome '{name}' is an objective twice")
        for objective in self.objectives:
            self._check_target(objective)
        for constraint in self.constraints:
            if len(constraint.terms) != 1 or constraint.operator == "==":
                raise ValueError(
                    f"constraint '{constraint}': expected one outcome >= or <= a value, "
                    "such as 'elastic_modulus.longitudinal >= 0.2'"
                )
            self._check_outcome(next(iter(constraint.terms)), "constraints")
        controlled = {p.name: p for p in self.controlled}
        for constraint in self.parameter_constraints:
            for name in constraint.terms:
                if name not in controlled or controlled[name].is_categorical:
                    raise ValueError(
                        f"parameter constraint '{constraint}': '{name}' is not a numeric "
                        f"controlled parameter.{nearest_name(name, controlled)}"
                    )
                if controlled[name].only_if:
                    raise ValueError(
                        f"parameter constraint '{constraint}': '{name}' has no value everywhere "
                        f"({controlled[name].only_if_text}), so that the sum has none either"
                    )
        check_only_if(self.parameters)
        self._check_exclusions()
        self._check_curves()
        return self

    def _names(self) -> list[str]:
        return [*(p.name for p in self.parameters), *(p.name for p in self.properties)]

    def _check_curves(self) -> None:
        names = [prop.name for prop in self.properties]
        for name in self.curves.properties:
            if name not in names:
                raise ValueError(
                    f"curves: properties: unknown property '{name}'.{nearest_name(name, names)} "
                    f"Known: {', '.join(names)}"
                )

    def _check_exclusions(self) -> None:
        for exclusion in self.exclusions:
            for name, condition in exclusion.when.items():
                try:
                    check_condition(name, condition, self.parameters)
                except ValueError as error:
                    raise ValueError(f"exclusion '{exclusion}': {error}") from None
                parameter = self.parameter(name)
                if not can_hold(parameter, condition):
                    raise ValueError(
                        f"exclusion '{exclusion}' never applies: no setting of '{name}' is "
                        f"{condition.described('').strip()}"
                    )
        if self.exclusions and not is_anything_left(self.controlled, self.exclusions):
            needed, _ = least_contradiction(self.controlled, self.exclusions)
            listed = ", ".join(f"'{exclusion}'" for exclusion in needed)
            raise ValueError(
                f"{listed} {'excludes' if len(needed) == 1 else 'together exclude'} every setting: "
                "nothing is left to propose. Narrow or drop one"
            )

    def _check_outcome(self, name: str, section: str) -> None:
        if name not in self.outcomes:
            raise ValueError(
                f"{section}: unknown outcome '{name}'.{nearest_name(name, self.outcomes)} "
                f"Known: {', '.join(self.outcomes)}"
            )

    def _check_target(self, objective: Objective) -> None:
        if objective.target is None:
            return
        prop = self.property_of(objective.outcome)
        problem = prop.problem_with(objective.target)
        if problem is None and prop.scale == "log" and objective.target == 0:
            problem = 'a 0 has no logarithm (scale = "log"); write goal = "minimize"'
        if problem is not None:
            raise ValueError(
                f"objective '{objective.outcome}': target = {objective.target:g} can never be "
                f"measured: {problem}"
            )

    @cached_property
    def controlled(self) -> tuple[Parameter, ...]:
        """The parameters that the engine proposes, in the order of the definition."""
        return tuple(p for p in self.parameters if p.role == "controlled")

    @cached_property
    def ambient(self) -> tuple[Parameter, ...]:
        """The parameters that the room gives."""
        return tuple(p for p in self.parameters if p.role == "ambient")

    @cached_property
    def outcomes(self) -> tuple[str, ...]:
        """All outcome names, property by property."""
        return tuple(name for prop in self.properties for name in prop.outcomes)

    @cached_property
    def wanted_outcomes(self) -> tuple[str, ...]:
        """The outcomes that decide what is worth running: objectives, then constrained ones."""
        constrained = [name for constraint in self.constraints for name in constraint.terms]
        return tuple(dict.fromkeys([*(o.outcome for o in self.objectives), *constrained]))

    @cached_property
    def _property_of(self) -> dict[str, Property]:
        return {name: prop for prop in self.properties for name in prop.outcomes}

    def property_of(self, outcome: str) -> Property:
        """Return the property that ``outcome`` belongs to (``KeyError`` if there is none)."""
        return self._property_of[outcome]

    def parameter(self, name: str) -> Parameter:
        """Return the parameter called ``name`` (``KeyError`` if there is none)."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)

    def broken_by(self, conditions: Mapping[str, Value]) -> tuple[LinearConstraint, ...]:
        """Return the parameter constraints that ``conditions`` name whole and do not meet."""
        numbers = {k: float(v) for k, v in conditions.items() if not isinstance(v, str)}
        return tuple(
            constraint
            for constraint in self.parameter_constraints
            if constraint.terms.keys() <= numbers.keys()
            and not constraint.is_met(numbers, self.tolerance_of(constraint))
        )

    def exclusions_of(self, conditions: Mapping[str, Value]) -> tuple[Exclusion, ...]:
        """Return the exclusions in which ``conditions`` lie, as far as they are named."""
        if not self.exclusions:
            return ()
        parameters = {parameter.name: parameter for parameter in self.controlled}
        return tuple(e for e in self.exclusions if e.covers(parameters, conditions))

    def tolerance_of(self, constraint: LinearConstraint) -> float:
        """Return by how much a parameter constraint may be missed, for rounding.

        A millionth of what its least parameter can move the sum by; but a sum of large terms is no
        more exact than these are.
        """
        moves = [
            (abs(factor), self.parameter(name).bounds) for name, factor in constraint.terms.items()
        ]
        spans = [size * (high - low) for size, (low, high) in moves if size > 0 and high > low]
        largest = max(size * max(abs(low), abs(high)) for size, (low, high) in moves)
        least = min(spans, default=0.0)
        return max(1e-6 * least, 1e-9 * sum(spans), 32 * EPSILON * largest)

    def unit_of(self, name: str) -> str:
        """Return the unit of a parameter, outcome or fact."""
        prop = self._property_of.get(name)
        if prop is not None:
            return prop.unit
        fact = next((fact for fact in self.facts if fact.name == name), None)
        return self.parameter(name).unit if fact is None else fact.unit

    def fact(self, name: str) -> Fact:
        """Return the fact called ``name`` (``KeyError`` if there is none)."""
        for fact in self.facts:
            if fact.name == name:
                return fact
        raise KeyError(name)

    def heading(self, name: str) -> str:
        """Return ``name [unit]``, the heading used in every table and file."""
        unit = self.unit_of(name)
        return f"{name} [{unit}]" if unit else name

    def _repr_html_(self) -> str:
        """What a notebook shows: what is set or given by the room, what is measured and wanted."""
        aims = {o.outcome: (o.goal, o.aim) for o in self.objectives}
        return section_html(
            f"Campaign {self.name}",
            parameters_html(self.parameters),
            rows_html(
                ["outcome", "goal", "threshold"],
                ([self.heading(name), *aims.get(name, ("", ""))] for name in self.outcomes),
            ),
            remarks=map(str, (*self.constraints, *self.parameter_constraints, *self.exclusions)),
        )

    def definition(self) -> dict[str, Any]:
        """Return the definition as plain JSON types; ``Campaign(**definition)`` gives it back."""
        definition = self.model_dump(mode="json", exclude_defaults=True)
        # What has a serializer of its own is never left out, and older revisions do not name it.
        if self.failures == SPINNING:
            del definition["failures"]
        return definition
