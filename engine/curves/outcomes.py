"""Which outcome of a campaign each property of a curve is, in which unit and direction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.campaign import Campaign, Property
from engine.campaign.curve_definitions import PROPERTIES, UNITS, PropertyName
from engine.campaign.units import conversion
from engine.campaign.vocabulary import loosely
from engine.errors import CampaignError, SpinneretError, UsageError, field

if TYPE_CHECKING:
    from engine.curves.properties.evaluate import PropertyValue

_SYNONYMS: dict[PropertyName, tuple[str, ...]] = {
    "fracture_strength": ("stress at break", "breaking strength", "breaking stress"),
    "yield_strength": ("yield stress", "yield"),
    "elastic_modulus": ("young's modulus", "youngs modulus", "e modulus", "tensile modulus"),
    "tangent_modulus": ("hardening modulus",),
    "elongation": ("elongation at break", "strain at break"),
}


@dataclass(frozen=True)
class CurveOutcome:
    """One property of a curve and the property of the campaign that it is."""

    name: PropertyName
    prop: Property
    factor: float
    """From the curve's unit (MPa, %) to the campaign's."""

    def outcome(self, direction: str | None) -> str | None:
        """Return the outcome in a direction; none where it is not measured in that one."""
        if not self.prop.directions:
            return self.prop.name
        return f"{self.prop.name}.{direction}" if direction in self.prop.directions else None

    def value(self, read: PropertyValue) -> float | None:
        """Return what was read off in the campaign's unit."""
        return None if read.value is None else read.value * self.factor


def curve_outcomes(campaign: Campaign) -> tuple[CurveOutcome, ...]:
    """Return what the campaign measures of what a curve gives.

    Raises:
        CampaignError: nothing of it, or in a unit that a curve's values cannot have.
    """
    stated = {theirs: mine for mine, theirs in campaign.curves.properties.items()}
    outcomes = []
    for name in PROPERTIES:
        prop = _property(campaign, name, stated)
        if prop is None:
            continue
        try:
            factor, _ = conversion(UNITS[name], prop.unit) if prop.unit else (None, 0.0)
        except SpinneretError:
            factor = None
        if factor is None:
            raise CampaignError(
                f"a curve gives {name} in {UNITS[name]}, and '{prop.name}' is in "
                f"{prop.unit or 'no unit'} in this campaign; give it the unit {UNITS[name]} (or "
                "one that this can be turned into), or another name"
            )
        outcomes.append(CurveOutcome(name, prop, factor))
    if not outcomes:
        raise CampaignError(
            f"the campaign measures nothing that a tensile curve gives ({', '.join(PROPERTIES)}); "
            "add such a property, or say which of its own are these under properties in "
            "[campaign.curves]"
        )
    return tuple(outcomes)


def _property(campaign: Campaign, name: PropertyName, stated: Mapping[str, str]) -> Property | None:
    if name in stated:
        return next(prop for prop in campaign.properties if prop.name == stated[name])
    spellings = {loosely(word) for word in (name, *_SYNONYMS[name])}
    claimed = set(campaign.curves.properties)
    for prop in campaign.properties:
        if prop.name in claimed:
            continue
        if spellings & {loosely(word) for word in (prop.name, *prop.aliases)}:
            return prop
    return None


def directions_of(outcomes: Sequence[CurveOutcome]) -> tuple[str, ...]:
    """Return the directions in which specimens can be pulled; empty where there are none."""
    return tuple(dict.fromkeys(d for outcome in outcomes for d in outcome.prop.directions))


def curve_directions(campaign: Campaign) -> tuple[str, ...] | None:
    """Return the directions in which a campaign pulls specimens; none where it pulls none.

    Empty: its properties have no directions.
    """
    try:
        return directions_of(curve_outcomes(campaign))
    except CampaignError:
        return None


def direction_of(
    specimen: str, file: str, stated: Sequence[str], outcomes: Sequence[CurveOutcome]
) -> str | None:
    """Return the direction in which a specimen was pulled.

    Args:
        specimen: its name in the file.
        file: the file's name.
        stated: what the user says: one for all, or ``SPECIMEN=DIRECTION``.
        outcomes: what is measured in which directions.

    Without a word of the user's, the direction may stand in the specimen's or the file's name, as a
    word of its own.

    Raises:
        UsageError: none stated where one is needed, or one that there is not.
    """
    directions = directions_of(outcomes)
    by_specimen = dict(item.rpartition("=")[::2] for item in stated if "=" in item)
    for_all = [item for item in stated if "=" not in item]
    if len(for_all) > 1:
        raise UsageError(
            f"expected one direction for all specimens, got {' and '.join(for_all)}; say "
            "SPECIMEN=DIRECTION for each",
            field="direction",
        )
    word = by_specimen.get(specimen, next(iter(for_all), None))
    if not directions:
        if word is not None:
            raise UsageError("this campaign's properties have no directions", field="direction")
        return None
    listed = " or ".join(directions)
    if word is not None:
        if word not in directions:
            raise UsageError(f"expected {listed}, got '{word}'", field="direction")
        return word
    for name in (specimen, file):
        parts = {part.casefold() for part in re.split(r"[\W_]+", name)}
        named = [direction for direction in directions if direction.casefold() in parts]
        if len(named) == 1:
            return named[0]
    raise UsageError(
        f"'{specimen}' of {file}: say in which direction it was pulled: {listed} "
        f"({field('direction')} {directions[0]}, or SPECIMEN={directions[0]} for single ones)"
    )
