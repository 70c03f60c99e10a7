"""What Electrospinning-Data.org calls things: its fields, their units, and our words for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.campaign import Campaign
from engine.campaign.synonyms import canonical, canonical_outcome

NAME = "electrospinning-data"
"""How the database is called in commands."""
TITLE = "Electrospinning-Data.org"
HOMEPAGE = "https://electrospinning-data.org"

UNITS = {"G": "gauge", "mPa.s": "mPa·s", "% RH": "%", "gram": "g"}
"""Ways of writing a unit there that are not the field's."""


@dataclass(frozen=True)
class DataField:
    """One number of a record.

    ``name``: our word; ``unit``: what it is converted to where the campaign has none of it;
    ``group``, ``key``, ``unit_key``: where number and unit stand in a record's JSON;
    ``attribute``: where the client's record has them (``<attribute>_unit`` beside it).
    """

    name: str
    unit: str
    group: str
    key: str
    unit_key: str
    attribute: str
    is_outcome: bool = False


def _fields() -> Iterator[DataField]:
    rows = (
        ("concentration", "%", "solutionProperty", "concentration", "concentration"),
        ("viscosity", "mPa·s", "solutionProperty", "viscosity", "viscosity"),
        ("surface_tension", "mN/m", "solutionProperty", "surfaceTension", "surface_tension"),
        ("conductivity", "µS/cm", "solutionProperty", "conductivity", "conductivity"),
        ("voltage", "kV", "processParameter", "voltage", "voltage"),
        ("flow_rate", "mL/h", "processParameter", "flowRate", "flow_rate"),
        ("distance", "cm", "processParameter", "tipCollectorDistance", "tip_collector_distance"),
        ("spinning_time", "min", "processParameter", "spinningDuration", "spinning_duration"),
        ("temperature", "°C", "ambientParameter", "temperature", "temperature"),
        ("humidity", "%", "ambientParameter", "humidity", "humidity"),
    )
    for name, unit, group, key, attribute in rows:
        yield DataField(name, unit, group, key, f"{key}Unit", attribute)
    # Mechanical and functional properties are in snake case there, all rest in camel case.
    measured = (
        ("fibre_diameter", "nm", "fiberProperty", "fiberDiameter", "fiberDiameterUnit",
         "fiber_diameter"),
        ("fracture_strength", "MPa", "mechanicalProperty", "tensile_strength",
         "tensile_strength_unit", "tensile_strength"),
        ("elastic_modulus", "MPa", "mechanicalProperty", "modulus", "modulus_unit", "modulus"),
        ("elongation", "%", "mechanicalProperty", "elongation_at_break",
         "elongation_at_break_unit", "elongation_at_break"),
        ("porosity", "%", "functionalProperty", "porosity", "porosity_unit", "porosity"),
    )  # fmt: skip
    for name, unit, group, key, unit_key, attribute in measured:
        yield DataField(name, unit, group, key, unit_key, attribute, is_outcome=True)


FIELDS = tuple(_fields())

COLLECTOR_SPEED, NEEDLE_GAUGE, NEEDLE_DIAMETER = (
    "collector_speed",
    "needle_gauge",
    "needle_diameter",
)
DEFINED = {COLLECTOR_SPEED: "rpm", NEEDLE_GAUGE: "gauge", NEEDLE_DIAMETER: "mm"}
"""Numbers that stand in the definition of a collector or needle, and their units."""

ASIDE = (
    ("solutionProperty", "evaporationRate", "evaporation rate"),
    ("fiberProperty", "fiberDiameterVariation", "variation of the fibre diameter"),
    ("functionalProperty", "surface_area", "surface area"),
    ("functionalProperty", "permeability", "permeability"),
    ("processParameter", "instability", "instability of the process"),
    ("fiberProperty", "fiberMorphology", "morphology"),
)
"""What a record may hold and a source has no use for."""

QUANTITIES = (*(field.name for field in FIELDS), *DEFINED)


def parameter_names(campaign: Campaign) -> dict[str, str]:
    """Return our word → the campaign's parameter of that meaning, by name, alias or synonym."""
    terms: dict[str, str] = {}
    for parameter in campaign.parameters:
        for word in (parameter.name, *parameter.aliases):
            terms.setdefault(canonical(word), parameter.name)
    names = (*(field.name for field in FIELDS if not field.is_outcome), *DEFINED)
    return {name: terms[key] for name in names if (key := canonical(name)) in terms}


def outcome_names(campaign: Campaign) -> dict[str, tuple[str, ...]]:
    """Return our word → the campaign's outcomes of that meaning, one for each direction."""
    terms: dict[str, tuple[str, ...]] = {}
    for prop in campaign.properties:
        for word in (prop.name, *prop.aliases):
            terms.setdefault(canonical_outcome(word), prop.outcomes)
    names = (field.name for field in FIELDS if field.is_outcome)
    return {name: terms[key] for name in names if (key := canonical_outcome(name)) in terms}
