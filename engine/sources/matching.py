"""A campaign, its sources and the model in one language: who means what, and what is new.

A link ``ours = theirs`` ties a name of the campaign (or of the model) to one of the source; what is
not linked matches by name, alias and synonym. Where the campaign has a word that the model lacks,
and a source has its counterpart, the model learns a new word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.campaign import Campaign
from engine.errors import DataError, UsageError, nearest_name
from engine.errors import field as field_mark
from engine.sources.axes import (
    Axis,
    Matching,
    Names,
    axes_of,
    match_axes,
    match_outcomes,
    outcome_places,
)
from engine.sources.base import Spec, Words

_MAP = f"{field_mark('map')} OURS=THEIRS"


@dataclass(frozen=True)
class Outcome:
    """An outcome as a source has it; ``is_log``: whether its scatter grows with its value."""

    name: str
    unit: str = ""
    is_log: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocable:
    """What a source says of itself: its parameters and outcomes, and links ``ours = theirs``."""

    name: str
    axes: tuple[Axis, ...]
    outcomes: tuple[Outcome, ...]
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Understood:
    """One source in the model's words.

    ``axes``: which parameters are understood; ``outcomes``: own name → place among the model's;
    ``common``: places of the parameters that source and campaign share.
    """

    axes: Matching
    outcomes: Mapping[str, int]
    common: tuple[int, ...]


@dataclass(frozen=True)
class Language:
    """The model's words once all sources are in, and what everybody's names mean in them."""

    vocabulary: Words
    names: Names
    sources: Mapping[str, Understood]


def common_language(campaign: Campaign, base: Words, sources: Sequence[Vocable]) -> Language:
    """Find one vocabulary for a campaign and its sources, beginning with the model's ``base``.

    Raises:
        UsageError: a link names what is not there.
        UnitError: a linked parameter has a unit that cannot become the other's.
    """
    builder = _Builder(campaign, base)
    for source in sources:
        builder.link(source)
    for source in sources:
        builder.add_new_words(source)
    names = Names(dict(builder.parameters), dict(builder.outcomes))
    vocabulary = builder.vocabulary
    own_places = set(match_axes(axes_of(campaign), vocabulary, names).places.values())
    understood = {}
    for source in sources:
        mapping = builder.mappings[source.name]
        axes = match_axes(source.axes, vocabulary, mapping)
        outcomes = match_outcomes(
            [outcome.name for outcome in source.outcomes],
            vocabulary,
            mapping,
            {outcome.name: outcome.aliases for outcome in source.outcomes},
        )
        common = tuple(sorted(own_places & set(axes.places.values())))
        understood[source.name] = Understood(axes, outcomes, common)
    return Language(vocabulary, names, understood)


def refuse_strangers(
    campaign: Campaign,
    source: Vocable,
    understanding: Understood,
    *,
    has_pictures: bool,
    notes: Sequence[str] = (),
) -> None:
    """Refuse a source that has no parameter in common with a campaign, or nothing to learn from.

    Raises:
        DataError: it lists both sides and how to map them.
    """
    listing = "".join(f"\n  {note}" for note in notes)
    if not understanding.common:
        theirs = "; ".join(
            f"{_label(axis)}: {understanding.axes.left_out.get(axis.name, 'not in this campaign')}"
            for axis in source.axes
        )
        ours = ", ".join(campaign.heading(p.name) for p in campaign.parameters)
        raise DataError(
            f"source '{source.name}' has no parameter in common with the campaign "
            f"'{campaign.name}'.\n  the source has: {theirs or 'no parameter at all'}\n"
            f"  the campaign has: {ours}{listing}\n  Say which mean the same with {_MAP}, "
            f"and the unit of a column that does not state it with {field_mark('unit')} NAME=UNIT."
        )
    if not understanding.outcomes and not has_pictures:
        theirs = ", ".join(outcome.name for outcome in source.outcomes) or "none"
        raise DataError(
            f"source '{source.name}' has no outcome that the model or the campaign "
            f"'{campaign.name}' knows, and no micrographs: there is nothing to learn.\n"
            f"  the source has: {theirs}\n  the campaign has: {', '.join(campaign.outcomes)}"
            f"{listing}\n"
            f"  Say which mean the same with {_MAP}."
        )


class _Builder:
    """Collects what names mean, source after source."""

    def __init__(self, campaign: Campaign, base: Words) -> None:
        self.campaign = campaign
        self.vocabulary = base
        self.axes = {axis.name: axis for axis in axes_of(campaign)}
        self.parameters: dict[str, str] = {}
        self.outcomes: dict[str, str] = {}
        self.mappings: dict[str, Names] = {}

    def link(self, source: Vocable) -> None:
        """Take a source's links."""
        parameters: dict[str, str] = {}
        outcomes: dict[str, str] = {}
        axes = {axis.name: axis for axis in source.axes}
        outcome_names = [outcome.name for outcome in source.outcomes]
        stems = {name.partition(".")[0] for name in outcome_names}
        for ours, theirs in source.links.items():
            if theirs in axes:
                parameters[theirs] = self._parameter(source, ours, axes[theirs])
            elif theirs in outcome_names:
                outcomes[theirs] = self._outcome(source, ours, theirs)
            elif theirs in stems:
                for name in outcome_names:
                    if name.startswith(f"{theirs}."):
                        full = ours + name.removeprefix(theirs)
                        if self._knows_outcome(full):
                            outcomes[name] = self._outcome(source, full, name)
                if not any(name.startswith(f"{theirs}.") for name in outcomes):
                    self._outcome(source, ours, theirs)  # tells what is there
            else:
                available = [*axes, *outcome_names, *sorted(stems)]
                raise UsageError(
                    f"{field_mark('map')} {ours}={theirs}: source '{source.name}' has no "
                    f"'{theirs}'.{nearest_name(theirs, available)} It has: "
                    f"{', '.join(map(_label, source.axes))}; {', '.join(outcome_names)}"
                )
        self.mappings[source.name] = Names(parameters, outcomes)

    def _parameter(self, source: Vocable, ours: str, theirs: Axis) -> str:
        """Return the model's word for a parameter of the campaign that is theirs as well."""
        available = {spec.name for spec in self.vocabulary.parameters}
        if ours not in self.axes:
            if ours in available:
                return ours
            parameter_names = [*self.axes, *sorted(available - set(self.axes))]
            raise UsageError(
                f"{field_mark('map')} {ours}={theirs.name}: neither the campaign "
                f"'{self.campaign.name}' nor the model has a parameter '{ours}'."
                f"{nearest_name(ours, parameter_names)} There are: {', '.join(parameter_names)}"
            )
        places = self._matched()
        if ours in places:
            return self.vocabulary.parameters[places[ours]].name
        alone = match_axes((theirs,), self.vocabulary).places
        place = alone.get(theirs.name)
        if place is not None and place not in places.values():
            self.parameters[ours] = self.vocabulary.parameters[place].name
            return self.parameters[ours]
        return self._new_parameter(self.axes[ours])

    def _outcome(self, source: Vocable, ours: str, theirs: str) -> str:
        if not self._knows_outcome(ours):
            available = sorted({*self.campaign.outcomes, *self.vocabulary.outcomes})
            raise UsageError(
                f"{field_mark('map')} {ours}={theirs}: neither the campaign "
                f"'{self.campaign.name}' nor the model has an outcome '{ours}'."
                f"{nearest_name(ours, available)} There are: {', '.join(available)}"
            )
        if ours not in self.campaign.outcomes:
            return ours
        places = outcome_places(self.campaign, self.vocabulary, Names(outcomes=self.outcomes))
        if ours in places:
            return self.vocabulary.outcomes[places[ours]]
        alone = match_outcomes([theirs], self.vocabulary).get(theirs)
        if alone is not None and alone not in places.values():
            self.outcomes[ours] = self.vocabulary.outcomes[alone]
            return self.outcomes[ours]
        self.vocabulary = Words(self.vocabulary.parameters, (*self.vocabulary.outcomes, ours))
        return ours

    def _knows_outcome(self, name: str) -> bool:
        return name in self.campaign.outcomes or name in self.vocabulary.outcomes

    def add_new_words(self, source: Vocable) -> None:
        """Let the model learn the campaign's words that it lacks and this source has."""
        mapping = self.mappings[source.name]
        places = self._matched()
        lacking = [a for a in self.axes.values() if a.name not in places and not a.is_categorical]
        open_axes = match_axes(source.axes, self.vocabulary, mapping).left_out
        theirs = [axis for axis in source.axes if axis.name in open_axes]
        pseudo = Words(tuple(_spec(axis) for axis in lacking), ())
        matching = match_axes(theirs, pseudo)
        for match in matching.matches:
            name = self._new_parameter(lacking[match.index])
            mapping = Names({**mapping.parameters, match.axis.name: name}, mapping.outcomes)
        self.mappings[source.name] = mapping
        places = outcome_places(self.campaign, self.vocabulary, Names(outcomes=self.outcomes))
        unmatched = tuple(name for name in self.campaign.outcomes if name not in places)
        aliases = {outcome.name: outcome.aliases for outcome in source.outcomes}
        matched = match_outcomes(list(aliases), self.vocabulary, mapping, aliases)
        free = [name for name in aliases if name not in matched]
        for name, place in match_outcomes(free, Words((), unmatched), None, aliases).items():
            self.vocabulary = Words(
                self.vocabulary.parameters, (*self.vocabulary.outcomes, unmatched[place])
            )
            mapping = Names(mapping.parameters, {**mapping.outcomes, name: unmatched[place]})
        self.mappings[source.name] = mapping

    def _matched(self) -> dict[str, int]:
        mapping = Names(parameters=self.parameters)
        return match_axes(tuple(self.axes.values()), self.vocabulary, mapping).places

    def _new_parameter(self, axis: Axis) -> str:
        self.vocabulary = Words(
            (*self.vocabulary.parameters, _spec(axis)), self.vocabulary.outcomes
        )
        return axis.name


def _spec(axis: Axis) -> Spec:
    """Return a new word of the model: its scale is the campaign's range, or a constant's value."""
    low, high = axis.low or 0.0, axis.high if axis.high is not None else 1.0
    scale = (high - low) / 2.0 or abs(low) or 1.0
    return Spec(axis.name, axis.unit, False, (low + high) / 2.0, scale)


def _label(axis: Axis) -> str:
    return f"{axis.name} [{axis.unit}]" if axis.unit else axis.name
