"""``engine export --to electrospinning-data``: finished runs as a submission record, for review.

The document is what the database's client takes (``Client.submit``). Nothing is sent: who sends it
reads it first, fills in who they are, and consents to the database's terms.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.records import ExperimentRecord, Status
from engine.campaign import Campaign
from engine.campaign.applicability import without_surplus
from engine.campaign.synonyms import canonical
from engine.campaign.units import UnitError, conversion, converted
from engine.errors import UsageError
from engine.errors import field as field_mark
from engine.sources.electrospinning_data.fields import (
    COLLECTOR_SPEED,
    DEFINED,
    FIELDS,
    NEEDLE_DIAMETER,
    NEEDLE_GAUGE,
    TITLE,
    DataField,
    outcome_names,
    parameter_names,
)

_UNITS = {"concentration": ("wt%", "mg/mL"), "gauge": ("G",)}
"""How the database spells a unit, or which ones it has, where that differs from ours."""
_BY_HAND = (
    "to fill in by hand before it is sent: userMetadata (name, email, consentTerms), "
    "researchMetadata (publication, DOI), the types of needle and collector"
)


@dataclass(frozen=True)
class Submission:
    """A submission record as JSON types, how many runs it holds, and what it does not hold."""

    document: Mapping[str, Any]
    n_runs: int
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        """The record as the text of a JSON file."""
        return json.dumps(self.document, ensure_ascii=False, indent=1) + "\n"


@dataclass(frozen=True)
class _Place:
    """Where one of the campaign's numbers goes: ``value [unit] = factor · number + offset``."""

    name: str
    field: DataField
    unit: str
    factor: float
    offset: float

    def write(self, entry: dict[str, Any], number: float) -> None:
        """Write a number of the campaign into a run's entry."""
        group = entry.setdefault(self.field.group, {})
        group[self.field.key] = converted(number, self.factor, self.offset)
        group[self.field.unit_key] = self.unit


def submission_of(
    campaign: Campaign,
    experiments: Iterable[ExperimentRecord],
    *,
    polymers: Sequence[str] = (),
    solvents: Sequence[str] = (),
    direction: str | None = None,
) -> Submission:
    """Return the campaign's finished runs as one submission record.

    Args:
        campaign: whose names and units the runs have.
        experiments: its runs; only completed ones are taken.
        polymers: of every run that states none.
        solvents: of every run that states none.
        direction: which one of outcomes in several directions is meant; the database has one.

    Raises:
        UsageError: no such direction, or no completed run.
    """
    directions = {d for prop in campaign.properties for d in prop.directions}
    if direction is not None and direction not in directions:
        raise UsageError(
            f"expected one of {', '.join(sorted(directions)) or 'none'}, got '{direction}'",
            field="direction",
        )
    notes: list[str] = []
    settings = _parameter_places(campaign, notes)
    results = _outcome_places(campaign, direction, notes)
    losses: Counter[str] = Counter()
    entries = []
    for run in experiments:
        if run.status is not Status.COMPLETED:
            losses[f"{run.status.value} runs"] += 1
            continue
        entries.append(
            _entry(campaign, run, settings, results, polymers=polymers, solvents=solvents)
        )
    if not entries:
        raise UsageError("the campaign has no completed run; there is nothing to submit")
    n_nameless = sum(not entry["polymerProperty"]["polymerComponents"] for entry in entries)
    if n_nameless:
        notes.append(
            f"{n_nameless} runs state no polymer, which {TITLE} needs: give it with "
            f"{field_mark('polymer')}"
        )
    notes += [f"{count} {name}: left out" for name, count in losses.items()]
    document = {
        "userMetadata": {"name": "", "email": "", "consentTerms": False},
        "researchMetadata": {"publicationTitle": "", "doi": ""},
        "experimentData": entries,
    }
    return Submission(document, len(entries), (*notes, _BY_HAND))


def _parameter_places(campaign: Campaign, notes: list[str]) -> list[_Place]:
    fields = {field.name: field for field in FIELDS if not field.is_outcome}
    fields |= {
        COLLECTOR_SPEED: _defined(COLLECTOR_SPEED, "rotationSpeed", "rotationSpeedUnit"),
        NEEDLE_GAUGE: _defined(NEEDLE_GAUGE, "size", "unit"),
        NEEDLE_DIAMETER: _defined(NEEDLE_DIAMETER, "size", "unit"),
    }
    ours = parameter_names(campaign)
    places = [
        place
        for name, field in fields.items()
        if name in ours and (place := _place(campaign, ours[name], field, notes))
    ]
    materials = {canonical("polymer"), canonical("solvent")}
    aside = [
        p.name
        for p in campaign.parameters
        if p.name not in ours.values() and canonical(p.name) not in materials
    ]
    if aside:
        notes.append(f"{TITLE} has no field for: {', '.join(aside)}")
    return places


def _defined(name: str, key: str, unit_key: str) -> DataField:
    group = "collectorProperty" if name == COLLECTOR_SPEED else "needleProperty"
    return DataField(name, DEFINED[name], group, key, unit_key, name)


def _outcome_places(campaign: Campaign, direction: str | None, notes: list[str]) -> list[_Place]:
    places: list[_Place] = []
    used: set[str] = set()
    ours = outcome_names(campaign)
    for field in FIELDS:
        outcomes = ours.get(field.name, ())
        used.update(outcomes)
        chosen = [o for o in outcomes if len(outcomes) == 1 or o.endswith(f".{direction}")]
        if outcomes and not chosen:
            notes.append(
                f"{' and '.join(outcomes)}: left out, as {TITLE} has one direction; choose it with "
                f"{field_mark('direction')}"
            )
        if chosen and (place := _place(campaign, chosen[0], field, notes)):
            places.append(place)
    aside = [outcome for outcome in campaign.outcomes if outcome not in used]
    if aside:
        notes.append(f"{TITLE} has no field for: {', '.join(aside)}")
    return places


def _place(campaign: Campaign, name: str, field: DataField, notes: list[str]) -> _Place | None:
    unit = campaign.unit_of(name)
    if not unit.strip():
        notes.append(f"{name} has no unit in the campaign: left out")
        return None
    for target in _UNITS.get(field.name, (field.unit,)):
        try:
            factor, offset = conversion(unit, target)
        except UnitError:
            continue
        spelling = _UNITS.get(target, (target,))[0]
        return _Place(name, field, spelling, factor, offset)
    notes.append(f"{name} [{unit}] cannot become {field.unit}: left out")
    return None


def _entry(
    campaign: Campaign,
    run: ExperimentRecord,
    settings: Sequence[_Place],
    results: Sequence[_Place],
    *,
    polymers: Sequence[str],
    solvents: Sequence[str],
) -> dict[str, Any]:
    """Return one run: conditions as really run, the mean of each outcome's replicates."""
    conditions = without_surplus(campaign.parameters, run.conditions)
    materials = {canonical(name): value for name, value in conditions.items()}
    polymer, solvent = materials.get(canonical("polymer")), materials.get(canonical("solvent"))
    entry: dict[str, Any] = {
        "polymerProperty": {
            "polymerComponents": [
                {"polymerName": str(name)} for name in ([polymer] if polymer else polymers)
            ]
        },
        "solventProperty": {
            "solventComponents": [
                {"solventName": str(name)} for name in ([solvent] if solvent else solvents)
            ]
        },
    }
    for place in settings:
        value = conditions.get(place.name)
        if value is not None and not isinstance(value, str):
            place.write(entry, value)
    values = run.replicates()
    for place in results:
        if values.get(place.name):
            place.write(entry, statistics.fmean(values[place.name]))
    for group, key in (("needleProperty", "needle"), ("collectorProperty", "collector")):
        if group in entry:
            entry[group] = {f"{key}Type": None, f"{key}Definition": entry[group]}
    return entry
