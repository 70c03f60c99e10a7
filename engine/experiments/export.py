"""``engine export``: everything recorded, in the form that ``engine import`` reads back.

CSV and Excel hold a row for each replicate, conditions as really run. JSON holds the whole of each
experiment: proposed conditions beside actual ones, corrections, micrographs, who and when.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from db.records import (
    CampaignRecord,
    CurveRecord,
    ExperimentRecord,
    MeasurementRecord,
    Reading,
    Value,
)
from engine.campaign import Campaign
from engine.campaign.applicability import without_surplus
from engine.campaign.vocabulary import Vocabulary
from engine.errors import StateError, UsageError, field, place
from engine.experiments.importers.formula_text import csv_text, protect_apostrophe
from engine.workspace.files import write_parts_aside

FORMATS = ("csv", "xlsx", "json")


def choose_format(file: Path | None, stated: str | None) -> str:
    """Return the format asked for, or told by the file's name; CSV otherwise.

    Raises:
        UsageError: no such format, or Excel without a file to write to.
    """
    suffix = file.suffix.removeprefix(".").casefold() if file is not None else ""
    chosen = stated or (suffix if suffix in FORMATS else "csv")
    if chosen not in FORMATS:
        raise UsageError(f"expected {', '.join(FORMATS)}, got '{chosen}'", field="format")
    if stated is None and file is not None and suffix not in FORMATS:
        raise UsageError(
            f"{field('file')} {place(file)}: expected a name ending in .csv, .xlsx or .json, or "
            f"{field('format')}"
        )
    if chosen == "xlsx" and file is None:
        raise UsageError(
            f"{field('format')} xlsx needs a {field('file')}: a workbook is no text to print"
        )
    return chosen


def render(
    file_format: str,
    record: CampaignRecord,
    campaign: Campaign,
    experiments: Iterable[ExperimentRecord],
    curves: Sequence[CurveRecord] = (),
) -> bytes:
    """Return the export as the bytes of a file (text is UTF-8); curves stand in JSON only."""
    return b"".join(rendered_parts(file_format, record, campaign, experiments, curves))


def rendered_parts(
    file_format: str,
    record: CampaignRecord,
    campaign: Campaign,
    experiments: Iterable[ExperimentRecord],
    curves: Sequence[CurveRecord] = (),
) -> Iterator[bytes]:
    """Yield the same part by part, so that a large campaign is never in memory as a whole.

    A workbook is one part: its rows are written to a temporary file as they come.
    """
    if file_format == "json":
        yield from _json_parts(record, campaign, experiments, curves)
        return
    headings = export_headings(campaign)
    rows = (row for experiment in experiments for row in export_rows(campaign, [experiment]))
    if file_format == "xlsx":
        yield workbook_bytes("experiments", headings, rows)
        return
    yield csv_text(headings, []).encode()
    for row in rows:
        yield csv_text([_text(value) for value in row], []).encode()


def render_table(
    file_format: str, headings: Sequence[str], rows: Sequence[Sequence[Value | None]]
) -> bytes:
    """Return a table as the bytes of a CSV (UTF-8) or of a workbook (``xlsx``)."""
    if file_format == "xlsx":
        return workbook_bytes("experiments", headings, rows)
    return csv_text(headings, [[_text(value) for value in row] for row in rows]).encode()


def _json_parts(
    record: CampaignRecord,
    campaign: Campaign,
    experiments: Iterable[ExperimentRecord],
    curves: Sequence[CurveRecord],
) -> Iterator[bytes]:
    """Yield ``export_document`` as JSON, indented by one blank a level, run by run."""
    by_run: dict[int, list[CurveRecord]] = {}
    for curve in curves:
        by_run.setdefault(curve.experiment_id, []).append(curve)
    document = export_document(record, campaign, ())
    frame = json.dumps(document, ensure_ascii=False, indent=1)
    head, mark, tail = frame.rpartition('"experiments": []')
    yield (head + mark.removesuffix("]")).encode()
    is_empty = True
    for run in experiments:
        entry = experiment_document(run, by_run.get(run.id, ()))
        text = json.dumps(entry, ensure_ascii=False, indent=1).replace("\n", "\n  ")
        yield f"{'' if is_empty else ','}\n  {text}".encode()
        is_empty = False
    yield (("]" if is_empty else "\n ]") + tail + "\n").encode()


def write_export(path: Path, parts: Iterable[bytes]) -> None:
    """Write an export whole, or not at all; a file of that name is replaced.

    Raises:
        StateError: the folder does not exist or cannot be written.
    """
    if path.is_dir():
        raise StateError(f"{place(path)} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise StateError(f"{place(path.parent)}: no such folder; make it first")
    write_parts_aside(path, parts)


def export_headings(campaign: Campaign) -> list[str]:
    """Return the headings of a table: what names a run, conditions, outcomes, how it ended."""
    names = [parameter.name for parameter in campaign.parameters]
    unclaimed = Vocabulary(campaign).unclaimed
    return [
        *map(unclaimed, ("experiment", "label", "replicate")),
        *(campaign.heading(name) for name in (*names, *campaign.outcomes)),
        *(campaign.heading(fact.name) for fact in campaign.facts),
        *map(unclaimed, ("status", "failed", "note")),
    ]


def export_rows(
    campaign: Campaign, experiments: Sequence[ExperimentRecord]
) -> list[list[Value | None]]:
    """Return a row for each replicate of each experiment, at least one for each experiment."""
    rows: list[list[Value | None]] = []
    for experiment in experiments:
        values = {(m.outcome, m.replicate): m.value for m in experiment.measurements}
        numbers = sorted({m.replicate for m in experiment.measurements}) or [1]
        conditions = without_surplus(campaign.parameters, experiment.conditions)
        rows += [
            [
                str(experiment.id),
                experiment.label,
                str(number),
                *(conditions.get(parameter.name) for parameter in campaign.parameters),
                *(values.get((outcome, number)) for outcome in campaign.outcomes),
                *(experiment.facts.get(fact.name) for fact in campaign.facts),
                experiment.status.value,
                experiment.failure,
                experiment.note,
            ]
            for number in numbers
        ]
    return rows


def export_document(
    record: CampaignRecord,
    campaign: Campaign,
    experiments: Sequence[ExperimentRecord],
    curves: Sequence[CurveRecord] = (),
) -> dict[str, Any]:
    """Return the whole campaign as plain JSON types."""
    by_run: dict[int, list[CurveRecord]] = {}
    for curve in curves:
        by_run.setdefault(curve.experiment_id, []).append(curve)
    return {
        "campaign": record.name,
        "revision": record.revision,
        "definition": dict(record.definition),
        "units": units_of(campaign),
        "experiments": [experiment_document(run, by_run.get(run.id, ())) for run in experiments],
    }


def experiment_document(
    experiment: ExperimentRecord, curves: Sequence[CurveRecord] = ()
) -> dict[str, Any]:
    """Return one experiment as plain JSON types."""
    return {
        "experiment": experiment.id,
        "label": experiment.label,
        "origin": experiment.origin.value,
        "status": experiment.status.value,
        "failure": experiment.failure,
        "note": experiment.note,
        "facts": dict(experiment.facts),
        "created_at": experiment.created_at.isoformat(),
        "created_by": experiment.created_by,
        "proposed": dict(experiment.proposed),
        "actual": dict(experiment.actual),
        "measurements": [measurement_document(m) for m in experiment.measurements],
        "micrographs": [
            {
                "sha256": picture.sha256,
                "path": picture.path,
                "original_name": picture.original_name,
                "width_px": picture.width_px,
                "height_px": picture.height_px,
                "nm_per_pixel": picture.nm_per_pixel,
                "nm_per_pixel_source": picture.nm_per_pixel_source,
                "rotation_axis": picture.rotation_axis,
                "crop": list(picture.crop) if picture.crop else None,
                "statistics": dict(picture.statistics) if picture.statistics else None,
            }
            for picture in experiment.micrographs
        ],
        "curves": [curve_document(curve) for curve in curves],
    }


def curve_document(curve: CurveRecord) -> dict[str, Any]:
    """Return one tensile curve as plain JSON types: specimen, definitions, what was read off it."""
    fit = curve.fit
    geometry = ("width_mm", "thickness_mm", "gauge_mm", "area_mm2")
    return {
        "direction": curve.direction,
        "replicate": curve.replicate,
        "specimen": curve.specimen,
        "number": curve.number,
        "sha256": curve.sha256,
        "path": curve.path,
        "original_name": curve.original_name,
        "samples": curve.array_sha256,
        "reading": dict(curve.reading),
        "geometry": {name: getattr(fit, name) for name in geometry},
        "geometry_from": dict(fit.sources),
        "definitions": dict(fit.definitions),
        "results": fit.results,
        "revision": fit.revision,
        "recorded_at": fit.recorded_at.isoformat(),
        "recorded_by": fit.recorded_by,
    }


def measurement_document(measurement: MeasurementRecord) -> dict[str, Any]:
    """Return one measurement as plain JSON types."""
    return {
        "outcome": measurement.outcome,
        "replicate": measurement.replicate,
        "value": measurement.value,
        "bound": measurement.bound,
        "sd": measurement.sd,
        "n": measurement.n,
        "revision": measurement.revision,
        "recorded_at": measurement.recorded_at.isoformat(),
        "recorded_by": measurement.recorded_by,
        "note": measurement.note,
    }


def _text(value: Value | None) -> str:
    if isinstance(value, Reading):
        return _reading_text(value)
    if isinstance(value, float):
        # 18 and not 18.0, as people write it; `repr` gives back the very same number when it is
        # read.
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return value or ""


def _reading_text(value: Reading) -> str:
    """Return ``<0.5`` or ``12 ± 0.5 (n = 4)``, each number with all its digits."""
    number = _text(float(value))
    if value.bound is not None:
        return f"{'<' if value.bound == 'below' else '>'}{number}"
    spread = "" if value.sd is None else f" ± {_text(value.sd)}"
    return number + spread + ("" if value.n is None else f" (n = {value.n})")


def workbook_bytes(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[Value | None]]
) -> bytes:
    """Return a table as an Excel workbook of one sheet: text is text, numbers have all digits."""
    return workbook_of([(title, headings, rows)])


def workbook_of(
    sheets: Iterable[tuple[str, Sequence[str], Iterable[Sequence[Value | None]]]],
) -> bytes:
    """Return tables, each with its title and headings, as a workbook of a sheet for each."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    # Row by row: a workbook in memory takes some fifty times its file.
    # https://openpyxl.readthedocs.io/en/stable/optimized.html
    workbook = openpyxl.Workbook(write_only=True)
    for title, headings, rows in sheets:
        sheet = workbook.create_sheet(title)

        def cell(value: Value | None, sheet: Any = sheet) -> Any:
            written = WriteOnlyCell(sheet, protect_apostrophe(str(_text(value))) or None)
            # A label such as "=A1" is text, never a formula; a number keeps all its digits.
            written.data_type = "s" if isinstance(value, str | Reading) else "n"
            return written

        sheet.append([cell(heading) for heading in headings])
        for row in rows:
            sheet.append([cell(value) for value in row])
    content = io.BytesIO()
    workbook.save(content)
    return content.getvalue()


def units_of(campaign: Campaign) -> dict[str, str]:
    """Return the unit of each parameter and outcome."""
    names = [*(parameter.name for parameter in campaign.parameters), *campaign.outcomes]
    return {name: campaign.unit_of(name) for name in names}
