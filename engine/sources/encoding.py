"""A campaign's or source's conditions → what a model reads.

Notation
--------
======  =============================================================================  ==========
T       input of a MatMCL table encoder                                                (n, p, 3)
T₀      z = (u − centre) / scale, u = ln max(v, floor) or v, v in the model's unit;    (n, p)
        0 where missing
T₁      place in the campaign's own range, −1 at its low end … 1 at its high end;      (n, p)
        0 where missing, or where the campaign has no range
T₂      1 where the parameter is present, 0 where it is missing                        (n, p)
======  =============================================================================  ==========

Names match by an explicit mapping, then by spelling, then by alias, then by synonym
(:mod:`engine.sources.words`); units are converted. What has no counterpart in the model, and every
named choice, is left out and stays masked: nothing is guessed and nothing imputed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, Value
from engine.errors import UsageError, nearest_name
from engine.importers.headings import loosely
from engine.sources.units import UnitError, affine
from engine.sources.words import canonical, canonical_outcome, needs_unit

Array = NDArray[np.float64]

FLOOR_SD = 8.0
"""Where the model takes a logarithm, values below its centre by more than this many scales count as
that: a speed or a flow of 0 has no logarithm."""


class ParameterSpec(Protocol):
    """One parameter of a model's vocabulary, and its scale."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def unit(self) -> str:
        """The unit of its values."""

    @property
    def log(self) -> bool:
        """Whether the logarithm is taken."""

    @property
    def centre(self) -> float:
        """Where z is 0."""

    @property
    def scale(self) -> float:
        """The distance from z = 0 to z = 1."""


class Vocabulary(Protocol):
    """What a model understands (:class:`surrogate.matmcl.vocabulary.Vocabulary`)."""

    @property
    def parameters(self) -> Sequence[ParameterSpec]:
        """Its p parameters."""

    @property
    def outcomes(self) -> Sequence[str]:
        """Its m outcomes."""


@dataclass(frozen=True)
class Names:
    """Which of the model's words a campaign's or source's own names stand for, where told."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    outcomes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Axis:
    """One parameter as a campaign or source has it; ``low``, ``high``: its own range."""

    name: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    aliases: tuple[str, ...] = ()
    is_categorical: bool = False


@dataclass(frozen=True)
class Match:
    """An axis that the model understands: v [model's unit] = factor · value + offset."""

    axis: Axis
    index: int
    factor: float
    offset: float


@dataclass(frozen=True)
class Matching:
    """Which axes the model understands, and why it does not understand the others."""

    matches: tuple[Match, ...]
    left_out: Mapping[str, str]

    @property
    def found(self) -> dict[str, int]:
        """Axis name → place in the vocabulary."""
        return {match.axis.name: match.index for match in self.matches}


def axes_of(campaign: Campaign) -> tuple[Axis, ...]:
    """Return a campaign's parameters as axes, controlled and ambient."""
    axes = []
    for parameter in campaign.parameters:
        low, high = (None, None) if parameter.is_categorical else parameter.bounds
        axes.append(
            Axis(
                parameter.name,
                parameter.unit,
                low,
                high,
                parameter.aliases,
                parameter.is_categorical,
            )
        )
    return tuple(axes)


def match_axes(
    axes: Sequence[Axis], vocabulary: Vocabulary, names: Names | None = None
) -> Matching:
    """Find each axis's counterpart in a model; none serves two axes.

    Raises:
        UsageError: ``names`` maps what neither side has, or two axes to one parameter.
        UnitError: an explicitly mapped axis has a unit that cannot become the model's.
    """
    told = dict(names.parameters) if names else {}
    known = {spec.name: place for place, spec in enumerate(vocabulary.parameters)}
    _check_told(told, [axis.name for axis in axes], known, "parameter")
    found: dict[str, Match] = {}
    left_out: dict[str, str] = {}
    for axis in axes:
        if axis.name in told:
            place = known[told[axis.name]]
            found[axis.name] = _match(axis, place, vocabulary.parameters[place])
    for alike in (_by_name, _by_alias, _by_synonym):
        taken = {match.index for match in found.values()}
        for axis in axes:
            place_of = None if axis.name in found else alike(axis, vocabulary, taken)
            if place_of is None:
                continue
            try:
                found[axis.name] = _match(axis, place_of, vocabulary.parameters[place_of])
                taken.add(place_of)
                left_out.pop(axis.name, None)
            except UnitError as error:
                left_out.setdefault(axis.name, str(error))
    for axis in axes:
        if axis.name not in found:
            left_out.setdefault(axis.name, _why_not(axis, vocabulary))
    return Matching(tuple(found[axis.name] for axis in axes if axis.name in found), left_out)


def match_outcomes(
    outcomes: Sequence[str],
    vocabulary: Vocabulary,
    names: Names | None = None,
    aliases: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, int]:
    """Return own outcome → place among the model's, for those that the model knows.

    ``names.outcomes`` may map whole outcomes (``composite_strength.longitudinal``) or properties in
    all their directions (``composite_strength``). ``aliases``: further names of own outcomes.

    Raises:
        UsageError: ``names`` maps what neither side has.
    """
    told = _told_outcomes(outcomes, vocabulary.outcomes, names)
    found = {own: vocabulary.outcomes.index(name) for own, name in told.items()}
    for alike in (loosely, canonical_outcome):
        known = {alike(name): place for place, name in enumerate(vocabulary.outcomes)}
        for own in outcomes:
            for word in (own, *(aliases or {}).get(own, ())):
                place = known.get(alike(word))
                if own not in found and place is not None and place not in found.values():
                    found[own] = place
    return {own: found[own] for own in outcomes if own in found}


def outcome_places(
    campaign: Campaign, vocabulary: Vocabulary, names: Names | None = None
) -> dict[str, int]:
    """Return a campaign's outcome → place among the model's outcomes (see `match_outcomes`)."""
    aliases = {
        outcome: [word + outcome.removeprefix(prop.name) for word in prop.aliases]
        for prop in campaign.properties
        for outcome in prop.outcomes
    }
    return match_outcomes(campaign.outcomes, vocabulary, names, aliases)


def encode_conditions(
    campaign: Campaign,
    vocabulary: Vocabulary,
    conditions: Sequence[Mapping[str, Value]],
    names: Names | None = None,
) -> Array:
    """Return T (n, p, 3) of a campaign's conditions; what is missing or not understood is masked.

    Raises:
        UsageError, UnitError: ``names`` cannot be (see `match_axes`).
    """
    return encode_axes(match_axes(axes_of(campaign), vocabulary, names), vocabulary, conditions)


def encode_axes(
    matching: Matching, vocabulary: Vocabulary, conditions: Sequence[Mapping[str, Value]]
) -> Array:
    """Return T (n, p, 3) of conditions by the axes' names, in the axes' units."""
    T = np.zeros((len(conditions), len(vocabulary.parameters), 3))
    for match in matching.matches:
        raw = np.array([_number(row.get(match.axis.name)) for row in conditions], dtype=float)
        is_here = np.isfinite(raw)
        value = match.factor * raw[is_here] + match.offset
        T[is_here, match.index, 0] = _standardised(vocabulary.parameters[match.index], value)
        T[is_here, match.index, 1] = _placed(match.axis, raw[is_here])
        T[is_here, match.index, 2] = 1.0
    return T


@dataclass(frozen=True)
class CubeMapping:
    """How a model reads the unit cube of a campaign; each tuple has one entry a parameter (p).

    For parameter j with ``column[j]`` ≥ 0 and a point X (n, d) of the cube::

        raw = low[j] + X[:, column[j]] · (high[j] − low[j])        the campaign's unit
        v   = factor[j] · raw + offset[j]                          the model's unit
        u   = ln max(v, floor[j])  if log[j],  else v
        T   = ((u − centre[j]) / scale[j],  2 X[:, column[j]] − 1,  1)

    With ``column[j]`` = −1 the campaign lacks the parameter: T is 0 throughout.
    """

    column: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    factor: tuple[float, ...]
    offset: tuple[float, ...]
    log: tuple[bool, ...]
    floor: tuple[float, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]

    @property
    def n_known(self) -> int:
        """How many of the model's parameters the campaign has."""
        return sum(column >= 0 for column in self.column)

    def encode(self, X: Array) -> Array:
        """Return T (n, p, 3) of points X (n, d) of the unit cube."""
        T = np.zeros((len(X), len(self.column), 3))
        for j, column in enumerate(self.column):
            if column < 0:
                continue
            raw = self.low[j] + X[:, column] * (self.high[j] - self.low[j])
            u = self.factor[j] * raw + self.offset[j]
            if self.log[j]:
                u = np.log(np.maximum(u, self.floor[j]))
            T[:, j, 0] = (u - self.centre[j]) / self.scale[j]
            T[:, j, 1] = 2.0 * X[:, column] - 1.0
            T[:, j, 2] = 1.0
        return T


def cube_mapping(
    campaign: Campaign, vocabulary: Vocabulary, names: Names | None = None
) -> CubeMapping:
    """Return how a model reads the unit cube of a campaign (`engine.propose.space.Space.cube`).

    Raises:
        UsageError, UnitError: ``names`` cannot be (see `match_axes`).
    """
    columns = _cube_columns(campaign)
    by_place = {m.index: m for m in match_axes(axes_of(campaign), vocabulary, names).matches}
    rows = []
    for place, spec in enumerate(vocabulary.parameters):
        match = by_place.get(place)
        own = (
            (-1, 0.0, 1.0, 1.0, 0.0)
            if match is None
            else (
                columns[match.axis.name],
                match.axis.low or 0.0,
                match.axis.high if match.axis.high is not None else 1.0,
                match.factor,
                match.offset,
            )
        )
        rows.append((*own, spec.log, _floor(spec), spec.centre, spec.scale))
    column, low, high, factor, offset, log, floor, centre, scale = zip(*rows, strict=True)
    return CubeMapping(column, low, high, factor, offset, log, floor, centre, scale)


def _cube_columns(campaign: Campaign) -> dict[str, int]:
    columns, at = {}, 0
    for parameter in (*campaign.controlled, *campaign.ambient):
        columns[parameter.name] = at
        at += len(parameter.choices or ()) if parameter.is_categorical else 1
    return columns


def _floor(spec: ParameterSpec) -> float:
    return math.exp(spec.centre - FLOOR_SD * spec.scale) if spec.log else 0.0


def _standardised(spec: ParameterSpec, value: Array) -> Array:
    u = np.log(np.maximum(value, _floor(spec))) if spec.log else value
    return np.asarray((u - spec.centre) / spec.scale)


def _placed(axis: Axis, raw: Array) -> Array:
    if axis.low is None or axis.high is None or not axis.low < axis.high:
        return np.zeros_like(raw)
    return np.asarray(2.0 * (raw - axis.low) / (axis.high - axis.low) - 1.0)


def _number(value: Value | None) -> float:
    return math.nan if value is None or isinstance(value, str) else float(value)


def _match(axis: Axis, place: int, spec: ParameterSpec) -> Match:
    if axis.is_categorical:
        raise UnitError(f"a choice by name; {spec.name} [{spec.unit}] is a number")
    try:
        return Match(axis, place, *affine(axis.unit, spec.unit))
    except UnitError as error:
        raise UnitError(f"{axis.name} as {spec.name} [{spec.unit}]: {error}") from error


def _by_name(axis: Axis, vocabulary: Vocabulary, taken: set[int]) -> int | None:
    return _place((axis.name,), vocabulary, taken, loosely)


def _by_alias(axis: Axis, vocabulary: Vocabulary, taken: set[int]) -> int | None:
    return _place(axis.aliases, vocabulary, taken, loosely)


def _by_synonym(axis: Axis, vocabulary: Vocabulary, taken: set[int]) -> int | None:
    words = [word for word in (axis.name, *axis.aliases) if axis.unit or not needs_unit(word)]
    return _place(words, vocabulary, taken, canonical)


def _place(
    words: Sequence[str], vocabulary: Vocabulary, taken: set[int], plain: Callable[[str], str]
) -> int | None:
    wanted = {plain(word) for word in words}
    for place, spec in enumerate(vocabulary.parameters):
        if place not in taken and plain(spec.name) in wanted:
            return place
    return None


def _why_not(axis: Axis, vocabulary: Vocabulary) -> str:
    if axis.is_categorical:
        return "a choice by name; a model reads numbers only"
    words = {canonical(word) for word in (axis.name, *axis.aliases)}
    for spec in vocabulary.parameters:
        if canonical(spec.name) in words:
            return f"another one stands for {spec.name}, or its unit is not told"
    return "the model has no such parameter"


def _check_told(
    told: Mapping[str, str], own: Sequence[str], known: Mapping[str, int], what: str
) -> None:
    for name, word in told.items():
        if name not in own:
            raise UsageError(
                f"the {what} '{name}' is mapped, which is not there.{nearest_name(name, own)} "
                f"There are: {', '.join(own)}"
            )
        if word not in known:
            raise UsageError(
                f"{what} '{name}' is mapped to '{word}', which the model lacks."
                f"{nearest_name(word, known)} It has: {', '.join(known)}"
            )
        twins = [other for other, same in told.items() if same == word]
        if len(twins) > 1:
            raise UsageError(f"{' and '.join(twins)} are all mapped to '{word}'; keep one of them")


def _told_outcomes(own: Sequence[str], known: Sequence[str], names: Names | None) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, word in (names.outcomes if names else {}).items():
        if name in own or word in known:
            told[name] = word
            continue
        whole = {o: word + o.removeprefix(name) for o in own if o.startswith(f"{name}.")}
        meant = {outcome: full for outcome, full in whole.items() if full in known}
        told.update(meant or whole or {name: word})
    _check_told(told, own, {name: place for place, name in enumerate(known)}, "outcome")
    return told
