"""Records of Electrospinning-Data.org as a table in the campaign's units; what is lost is told."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.campaign import Campaign
from engine.campaign.units import UnitError, conversion, converted
from engine.campaign.vocabulary import Vocabulary
from engine.errors import DataError
from engine.errors import field as field_mark
from engine.experiments.importers.formula_text import csv_text
from engine.sources.electrospinning_data.fields import (
    ASIDE,
    COLLECTOR_SPEED,
    DEFINED,
    FIELDS,
    NEEDLE_DIAMETER,
    NEEDLE_GAUGE,
    QUANTITIES,
    TITLE,
    UNITS,
    outcome_names,
    parameter_names,
)

_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")
_MOST_TEXT = 300
_Range = tuple[float | None, float | None]


@dataclass(frozen=True)
class DataRequest:
    """Which records are asked for.

    ``polymers``, ``solvents``: exactly these, whatever their case; none: any. ``ranges``: our word
    → lowest and highest value in the table's unit, None where open.
    """

    polymers: tuple[str, ...] = ()
    solvents: tuple[str, ...] = ()
    ranges: Mapping[str, _Range] = field(default_factory=dict)

    @property
    def filters(self) -> dict[str, str]:
        """What the server is asked for: it finds a name in any other that holds it.

        Ranges are judged here, where units are converted; the server compares bare numbers.
        """
        terms = {"polymer": self.polymers, "solvent": self.solvents}
        return {key: names[0] for key, names in terms.items() if names}

    @property
    def summary(self) -> dict[str, str]:
        """The request in words, as the source keeps it."""
        terms = {"polymer": "-".join(self.polymers), "solvent": "-".join(self.solvents)}
        for name, (low, high) in self.ranges.items():
            terms[name] = (
                f"{'' if low is None else f'{low:g}'}:{'' if high is None else f'{high:g}'}"
            )
        return {key: value for key, value in terms.items() if value}


@dataclass(frozen=True)
class DataTable:
    """The table as CSV text, how many records it has, whose works they are, and what was lost."""

    text: str
    n_records: int
    works: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass
class _Losses:
    """What could not be taken, counted."""

    no_unit: Counter[str] = field(default_factory=Counter)
    no_number: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    other_unit: Counter[tuple[str, str]] = field(default_factory=Counter)
    aside: Counter[str] = field(default_factory=Counter)

    def notes(self, units: Mapping[str, str]) -> list[str]:
        notes = [
            f"{count} values of {name} state no unit: left out; {field_mark('unit')} "
            f"{name}={units[name]} takes them"
            for name, count in self.no_unit.items()
        ]
        notes += [
            f"{count} values of {name} in {unit}, which cannot become {units[name]}: left out"
            for (name, unit), count in self.other_unit.items()
        ]
        notes += [
            f"{len(texts)} values of {name} are no numbers ({', '.join(sorted(set(texts))[:3])}): "
            "left out"
            for name, texts in self.no_number.items()
        ]
        if self.aside:
            terms = ", ".join(f"{name} ({count})" for name, count in self.aside.items())
            notes.append(f"not taken, as no campaign or model has a word for it: {terms}")
        return notes


def table_of(
    documents: Sequence[Any],
    campaign: Campaign,
    request: DataRequest,
    stated_units: Mapping[str, str],
) -> DataTable:
    """Return the requested records as a table.

    Args:
        documents: the server's records as JSON types, one for each mat.
        campaign: whose units are taken, where it has the same quantities.
        request: which records.
        stated_units: our word → the unit of values that state none.

    Raises:
        DataError: no record can be read, or none is what was asked for.
    """
    units = table_units(campaign)
    notes: list[str] = []
    records = _records(documents, notes)
    chosen = _of_material(records, request, notes)
    losses = _Losses()
    rows = []
    for record in chosen:
        values = _values(record, units, stated_units, losses)
        if all(_is_within(values.get(name), limits) for name, limits in request.ranges.items()):
            rows.append((record, values))
    if len(rows) < len(chosen):
        ranges = ", ".join(f"{name} [{units[name]}]" for name in request.ranges)
        notes.append(f"{len(chosen) - len(rows)} records outside the range of {ranges}: left out")
    if not rows:
        listing = "".join(f"\n  {note}" for note in (*notes, *losses.notes(units)))
        raise DataError(f"no record of {TITLE} is what was asked for{listing}")
    notes += losses.notes(units)
    notes += _undirected(campaign, rows)
    names = [name for name in QUANTITIES if any(name in values for _, values in rows)]
    headings = [
        Vocabulary(campaign).unclaimed("label"),
        "polymer",
        "solvent",
        *(f"{name} [{units[name]}]" for name in names),
        "doi",
    ]
    cells = [
        [
            f"record {record.record_id}",
            _names(record.polymer_components),
            _names(record.solvent_components),
            *(repr(values[name]) if name in values else "" for name in names),
            _work(record),
        ]
        for record, values in rows
    ]
    works = sorted({work for record, _ in rows if (work := _work(record))})
    return DataTable(csv_text(headings, cells), len(rows), tuple(works), tuple(notes))


def table_units(campaign: Campaign) -> dict[str, str]:
    """Return the unit of each quantity: the campaign's where it has it, else the field's."""
    units = {field.name: field.unit for field in FIELDS} | DEFINED
    for name, ours in parameter_names(campaign).items():
        units[name] = campaign.unit_of(ours) or units[name]
    for name, outcomes in outcome_names(campaign).items():
        units[name] = campaign.unit_of(outcomes[0]) or units[name]
    return units


def _records(documents: Sequence[Any], notes: list[str]) -> list[Any]:
    """Return the records that the client can read; the leftovers are counted."""
    from electrospinning_data_client import ElectrospinningError, ExperimentRecord

    records, reasons = [], []
    for document in documents:
        try:
            records.append(ExperimentRecord.from_dict(document))
        except (ArithmeticError, AttributeError, ElectrospinningError, TypeError) as error:
            reasons.append(" ".join(str(error).split())[:80])
    if reasons:
        notes.append(f"{len(reasons)} records cannot be read ({reasons[0]}): left out")
    if not records:
        reason = f": {reasons[0]}" if reasons else ""
        raise DataError(f"{TITLE} has no record that can be read for what was asked{reason}")
    return records


def _of_material(records: Sequence[Any], request: DataRequest, notes: list[str]) -> list[Any]:
    """Return the records of exactly the polymers and solvents that are asked for."""
    chosen = list(records)
    for noun, names in (("polymer", request.polymers), ("solvent", request.solvents)):
        if not names:
            continue
        names_asked = {name.casefold() for name in names}
        leftovers: Counter[str] = Counter()
        matches = []
        for record in chosen:
            components = getattr(record, f"{noun}_components")
            if {str(component.name).casefold() for component in components} == names_asked:
                matches.append(record)
            else:
                leftovers[_names(components) or "none stated"] += 1
        if leftovers:
            listing = ", ".join(f"{name} ({count})" for name, count in leftovers.most_common(8))
            more = ", …" if len(leftovers) > 8 else ""
            notes.append(f"records of another {noun} left out: {listing}{more}")
        chosen = matches
    return chosen


def _values(
    record: Any, units: Mapping[str, str], given_units: Mapping[str, str], losses: _Losses
) -> dict[str, float]:
    """Return a record's numbers in the table's units."""
    values: dict[str, float] = {}

    def take(name: str, raw: Any, unit: Any) -> None:
        if raw is None or raw == "":
            return
        number = _number(raw)
        if number is None:
            losses.no_number[name].append(_plain(str(raw))[:40])
            return
        text = _plain(str(unit or "")) or given_units.get(name, "")
        text = UNITS.get(text, text)
        if not text:
            losses.no_unit[name] += 1
            return
        try:
            values[name] = converted(number, *conversion(text, units[name]))
        except UnitError:
            losses.other_unit[name, text[:40]] += 1

    raw_data = record.raw_data
    for item in FIELDS:
        group = _mapping(raw_data.get(item.group))
        # The client reads some units in one spelling only; the record may have the other one.
        key = next((k for k in (item.key, _camel(item.key)) if group.get(k) is not None), item.key)
        take(item.name, group.get(key), group.get(item.unit_key) or group.get(_camel(f"{key}Unit")))
    collector = _mapping(record.collector_property.collector_definition)
    take(COLLECTOR_SPEED, collector.get("rotationSpeed"), collector.get("rotationSpeedUnit"))
    if not _take_needle(record.needle_property, take):
        losses.aside["needles that are not single"] += 1
    for group_name, key, label in ASIDE:
        group = _mapping(raw_data.get(group_name))
        if group.get(key) or group.get(_camel(key)):
            losses.aside[label] += 1
    return values


def _take_needle(needle: Any, take: Callable[[str, Any, Any], None]) -> bool:
    """Take the size of a single needle; return False of another kind, which has no one size."""
    definition = _mapping(needle.needle_definition)
    if "single" not in str(needle.needle_type or "").casefold():
        return not definition
    size = definition.get("size", definition.get("diameter"))
    unit = _plain(str(definition.get("unit") or definition.get("diameterUnit") or ""))
    is_gauge = UNITS.get(unit, unit).casefold() in ("gauge", "g")
    take(NEEDLE_GAUGE if is_gauge else NEEDLE_DIAMETER, size, "gauge" if is_gauge else unit)
    return True


def _undirected(campaign: Campaign, rows: Iterable[tuple[Any, Mapping[str, float]]]) -> list[str]:
    """Tell of outcomes that the campaign measures in directions, which no record states."""
    present = {name for _, values in rows for name in values}
    return [
        f"{name} is of no stated direction there: {field_mark('map')} {outcomes[0]}={name} takes it"
        for name, outcomes in outcome_names(campaign).items()
        if name in present and name not in outcomes and len(outcomes) > 1
    ]


def _is_within(value: float | None, limits: _Range) -> bool:
    low, high = limits
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def _names(components: Iterable[Any]) -> str:
    return "-".join(_plain(str(component.name)) for component in components)


def _work(record: Any) -> str:
    """Return the work that a record is from: its DOI, else its title."""
    metadata = record.research_metadata
    match = _DOI.search(str(metadata.doi or ""))
    return match.group().rstrip(".,;)") if match else _plain(str(metadata.publication_title or ""))


def _number(raw: Any) -> float | None:
    try:
        number = float(raw)
    except (OverflowError, TypeError, ValueError):
        return None
    return number if math.isfinite(number) and not isinstance(raw, bool) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _camel(key: str) -> str:
    first, *leftovers = key.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in leftovers)


def _plain(text: str) -> str:
    """Return text of strangers as one printable line."""
    line = " ".join(text.split())
    return "".join(letter for letter in line if letter.isprintable())[:_MOST_TEXT]
