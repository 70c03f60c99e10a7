"""A tester's file → curves ready to be recorded: read, evaluated, the file kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from db.records import CurveArrayRecord
from engine.campaign import Campaign
from engine.campaign.curves import CurveSettings
from engine.curves.arrays import pack
from engine.curves.outcomes import curve_outcomes, direction_of
from engine.curves.properties.evaluate import Evaluation, evaluate
from engine.curves.reading.read import MAX_BYTES, read_curves
from engine.curves.reading.records import FACTS, CurveFile, RawCurve, Specimen
from engine.curves.store import StoredCurveFile, read_source, store_curve_file
from engine.curves.stress_strain import tensile_curve
from engine.curves.tested import FACT_OF, HowTested
from engine.errors import UsageError
from engine.workspace import Workspace

OF_CAMPAIGN = "the campaign"


@dataclass(frozen=True)
class PreparedCurve:
    """One specimen's curve with everything its rows say."""

    raw: RawCurve
    array: CurveArrayRecord
    stored: StoredCurveFile
    number: int
    direction: str | None
    reading: dict[str, Any]
    evaluation: Evaluation
    stated: Specimen
    settings: CurveSettings
    """Those it was evaluated by."""

    warnings: tuple[str, ...] = field(default=())


def prepare(
    workspace: Workspace, source: Path, tested: HowTested, campaign: Campaign
) -> list[PreparedCurve]:
    """Read, evaluate and keep one tester's file; see :func:`prepare_content`."""
    content = read_source(source, MAX_BYTES)
    return prepare_content(workspace, source.name, content, tested, campaign)


def prepare_content(
    workspace: Workspace, name: str, content: bytes, tested: HowTested, campaign: Campaign
) -> list[PreparedCurve]:
    """Read, evaluate and keep the content of a tester's file.

    Raises:
        DataError: no curve in it, or one that contradicts itself.
        UsageError: what is stated means nothing here, or a direction is missing.
        CampaignError: the campaign measures nothing that a curve gives.
    """
    stated = tested.specimen
    outcomes = curve_outcomes(campaign)
    file = read_curves(
        name, content, encoding=tested.encoding, units=tested.unit_of, columns=tested.headings
    )
    _check_specimens(file, tested.direction)
    directions = [direction_of(c.name, name, tested.direction, outcomes) for c in file.curves]
    evaluations = [evaluate_raw(raw, stated, campaign.curves) for raw in file.curves]
    # Only now, so that what cannot be taken leaves no trace.
    stored = store_curve_file(name, content, workspace.data_dir)
    prepared: list[PreparedCurve] = []
    for number, (raw, direction, evaluation) in enumerate(
        zip(file.curves, directions, evaluations, strict=True), 1
    ):
        curve = PreparedCurve(
            raw, pack(raw), stored, number, direction, _reading(file, raw, tested), evaluation,
            stated, campaign.curves,
        )  # fmt: skip
        twin = next((c for c in prepared if c.array.sha256 == curve.array.sha256), None)
        if twin is None:
            prepared.append(curve)
            continue
        note = f"{name}: '{raw.name}' is the very curve of '{twin.raw.name}': left aside"
        prepared[0] = replace(prepared[0], warnings=(*prepared[0].warnings, note))
    return prepared


def usual_specimen(settings: CurveSettings) -> Specimen:
    """Return the campaign's usual specimen."""
    values = {FACT_OF[name]: length for name, length in settings.lengths_mm.items()}
    return Specimen(**values, sources=dict.fromkeys(values, OF_CAMPAIGN))


def evaluate_raw(raw: RawCurve, stated: Specimen, settings: CurveSettings) -> Evaluation:
    """Return what a curve says by a campaign's definitions and usual specimen."""
    curve = tensile_curve(raw, stated, usual_specimen(settings))
    return evaluate(curve, settings.definitions)


def specimen_of(reading: Mapping[str, Any]) -> Specimen:
    """Return what the file says of a specimen, of what was recorded of its reading."""
    facts = reading["specimen"]
    return Specimen(**{name: facts.get(name) for name in FACTS}, sources=dict(facts["sources"]))


def _reading(file: CurveFile, raw: RawCurve, tested: HowTested) -> dict[str, Any]:
    stated = {"encoding": tested.encoding, "units": tested.unit_of, "columns": tested.headings}
    return {
        "description": file.description(),
        "program": file.program,
        "language": file.language,
        "encoding": file.encoding,
        "separator": file.separator,
        "decimal": file.decimal,
        "columns": [_column(channel.heading, channel.unit) for channel in raw.channels],
        "notes": list(dict.fromkeys((*file.notes, *raw.notes))),
        "specimen": {
            **{name: getattr(raw.specimen, name) for name in FACTS},
            "sources": dict(raw.specimen.sources),
        },
        "stated": {name: value for name, value in stated.items() if value},
    }


def _column(heading: str, unit: str | None) -> str:
    if unit is None:
        return f"{heading} (no unit named)"
    return heading if unit in heading else f"{heading} [{unit}]"


def _check_specimens(file: CurveFile, stated: Sequence[str]) -> None:
    names = [curve.name for curve in file.curves]
    for item in stated:
        name, mark, _ = item.rpartition("=")
        if mark and name not in names:
            raise UsageError(
                f"'{name}' is no specimen of {file.name}; it has {', '.join(names)}",
                field="direction",
            )
