"""A campaign's or source's parameters and outcomes, and which of a model's words they stand for.

Names match by an explicit mapping, then by spelling, then by alias, then by synonym
(:mod:`engine.campaign.synonyms`); units are converted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from engine.campaign import Campaign, Value
from engine.campaign.ranges import Reach, reaches_of
from engine.campaign.synonyms import canonical, canonical_outcome, needs_unit
from engine.campaign.units import UnitError, affine
from engine.campaign.vocabulary import loosely
from engine.errors import UsageError, nearest_name


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
    def places(self) -> dict[str, int]:
        """Axis name → place in the vocabulary."""
        return {match.axis.name: match.index for match in self.matches}


def axes_of(campaign: Campaign, runs: Iterable[Mapping[str, Value]] = ()) -> tuple[Axis, ...]:
    """Return a campaign's parameters as axes, controlled and ambient.

    Their ranges hold the bounds, and the conditions of ``runs`` from outside of them
    (:mod:`engine.campaign.ranges`).

    Those that are searched in the logarithm are left out: models place a value linearly in its
    range, and would read the campaign's cube wrongly.
    """
    return axes_within(campaign, reaches_of(campaign, runs))


def axes_within(campaign: Campaign, reaches: Mapping[str, Reach]) -> tuple[Axis, ...]:
    """Return a campaign's parameters as :func:`axes_of` does, given their reaches."""
    axes = []
    for parameter in campaign.parameters:
        if parameter.scale == "log":
            continue
        reach = reaches[parameter.name]
        low, high = (None, None) if parameter.is_categorical else (reach.low, reach.high)
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
    mapping = dict(names.parameters) if names else {}
    vocabulary_names = {spec.name: place for place, spec in enumerate(vocabulary.parameters)}
    _check_mapping(mapping, [axis.name for axis in axes], vocabulary_names, "parameter")
    matches: dict[str, Match] = {}
    left_out: dict[str, str] = {}
    for axis in axes:
        if axis.name in mapping:
            place = vocabulary_names[mapping[axis.name]]
            matches[axis.name] = _match(axis, place, vocabulary.parameters[place])
    # All by the surest sign first, then the next: a synonym of one axis must not take the word that
    # another one spells out.
    for alike in (_by_name, _by_alias, _by_synonym):
        used = {match.index for match in matches.values()}
        for axis in axes:
            place_of = None if axis.name in matches else alike(axis, vocabulary, used)
            if place_of is None:
                continue
            try:
                matches[axis.name] = _match(axis, place_of, vocabulary.parameters[place_of])
                used.add(place_of)
                left_out.pop(axis.name, None)
            except UnitError as error:
                # Not raised: an axis of the same name and another kind of unit may be something
                # else. Only who maps it by hand is told.
                left_out.setdefault(axis.name, str(error))
    for axis in axes:
        if axis.name not in matches:
            left_out.setdefault(axis.name, _reason_unmatched(axis, vocabulary))
    return Matching(tuple(matches[axis.name] for axis in axes if axis.name in matches), left_out)


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
    mapping = _mapped_outcomes(outcomes, vocabulary.outcomes, names)
    places_of = {ours: vocabulary.outcomes.index(name) for ours, name in mapping.items()}
    for alike in (loosely, canonical_outcome):
        vocabulary_names = {alike(name): place for place, name in enumerate(vocabulary.outcomes)}
        for ours in outcomes:
            for word in (ours, *(aliases or {}).get(ours, ())):
                place = vocabulary_names.get(alike(word))
                if ours not in places_of and place is not None and place not in places_of.values():
                    places_of[ours] = place
    return {ours: places_of[ours] for ours in outcomes if ours in places_of}


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


def _match(axis: Axis, place: int, spec: ParameterSpec) -> Match:
    if axis.is_categorical:
        raise UnitError(f"a choice by name; {spec.name} [{spec.unit}] is a number")
    try:
        return Match(axis, place, *affine(axis.unit, spec.unit))
    except UnitError as error:
        raise UnitError(f"{axis.name} as {spec.name} [{spec.unit}]: {error}") from error


def _by_name(axis: Axis, vocabulary: Vocabulary, used: set[int]) -> int | None:
    return _place((axis.name,), vocabulary, used, loosely)


def _by_alias(axis: Axis, vocabulary: Vocabulary, used: set[int]) -> int | None:
    return _place(axis.aliases, vocabulary, used, loosely)


def _by_synonym(axis: Axis, vocabulary: Vocabulary, used: set[int]) -> int | None:
    spellings = [word for word in (axis.name, *axis.aliases) if axis.unit or not needs_unit(word)]
    return _place(spellings, vocabulary, used, canonical)


def _place(
    words: Sequence[str], vocabulary: Vocabulary, used: set[int], plain: Callable[[str], str]
) -> int | None:
    spellings = {plain(word) for word in words}
    for place, spec in enumerate(vocabulary.parameters):
        if place not in used and plain(spec.name) in spellings:
            return place
    return None


def _reason_unmatched(axis: Axis, vocabulary: Vocabulary) -> str:
    if axis.is_categorical:
        return "a choice by name; a model reads numbers only"
    spellings = {canonical(word) for word in (axis.name, *axis.aliases)}
    for spec in vocabulary.parameters:
        if canonical(spec.name) in spellings:
            return f"another one stands for {spec.name}, or its unit is not told"
    return "the model has no such parameter"


def _check_mapping(
    mapping: Mapping[str, str], ours: Sequence[str], vocabulary_names: Mapping[str, int], noun: str
) -> None:
    for name, word in mapping.items():
        if name not in ours:
            raise UsageError(
                f"the {noun} '{name}' is mapped, which is not there.{nearest_name(name, ours)} "
                f"There are: {', '.join(ours)}"
            )
        if word not in vocabulary_names:
            raise UsageError(
                f"{noun} '{name}' is mapped to '{word}', which the model lacks."
                f"{nearest_name(word, vocabulary_names)} It has: {', '.join(vocabulary_names)}"
            )
        twins = [alias for alias, target in mapping.items() if target == word]
        if len(twins) > 1:
            raise UsageError(f"{' and '.join(twins)} are all mapped to '{word}'; keep one of them")


def _mapped_outcomes(
    ours: Sequence[str], vocabulary_names: Sequence[str], names: Names | None
) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for name, word in (names.outcomes if names else {}).items():
        if name in ours or word in vocabulary_names:
            mapping[name] = word
            continue
        expanded = {o: word + o.removeprefix(name) for o in ours if o.startswith(f"{name}.")}
        sensible = {outcome: full for outcome, full in expanded.items() if full in vocabulary_names}
        mapping.update(sensible or expanded or {name: word})
    _check_mapping(
        mapping, ours, {name: place for place, name in enumerate(vocabulary_names)}, "outcome"
    )
    return mapping
