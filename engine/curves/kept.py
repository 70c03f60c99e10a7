"""A recorded curve by its number: its file, its samples, and what was found on it."""

from __future__ import annotations

from pathlib import Path

from db.records import CurveFitRecord, CurveRecord
from db.transaction import Transaction
from engine.campaign.curve_definitions import Definitions, parse_definitions
from engine.curves.arrays import unpack
from engine.curves.prepare import specimen_of
from engine.curves.properties.evaluate import Evaluation, evaluate
from engine.curves.reading.records import FACTS, RawCurve, Specimen
from engine.curves.stress_strain import tensile_curve
from engine.curves.tested import STATED
from engine.errors import DataError, NotFoundError, by_voice, place
from engine.workspace import Workspace

_OF_FILE = "the file"


def find_curve(tx: Transaction, workspace: Workspace, id_: int) -> CurveRecord:
    """Return a curve of the active campaign.

    Raises:
        NotFoundError: there is none of that number.
    """
    campaign, _ = workspace.active_campaign(tx)
    record = tx.curves.get(id_)
    run = tx.experiments.get(record.experiment_id) if record is not None else None
    if record is None or run is None or run.campaign_id != campaign.id:
        raise NotFoundError(
            f"there is no curve {id_} in the campaign '{campaign.name}'"
            + by_voice("; `engine curve list` lists them", "")
        )
    return record


def file_of(workspace: Workspace, record: CurveRecord) -> Path:
    """Return where a curve's file lies.

    Raises:
        NotFoundError: it is gone.
    """
    path = workspace.data_dir / record.path
    if not path.is_file():
        raise NotFoundError(
            f"curve {record.id} ({record.original_name}) is recorded, but its file {place(path)} "
            "is gone; put it back from a copy of the data folder"
        )
    return path


def raw_curve(tx: Transaction, record: CurveRecord) -> RawCurve:
    """Return a curve as it was recorded by the tester.

    Raises:
        DataError: its samples are gone or damaged.
    """
    array = tx.curves.array(record.array_sha256)
    if array is None:
        raise DataError(f"the samples of curve {record.id} are gone; restore a backup")
    notes = tuple(record.reading["notes"])
    return unpack(array, record.specimen, specimen_of(record.reading), notes)


def stated_of(fit: CurveFitRecord) -> Specimen:
    """Return the geometry that a person stated for a reading."""
    return _part(fit, (STATED,))


def evaluation_of(tx: Transaction, record: CurveRecord) -> Evaluation:
    """Return what was found on a curve, by the definitions and geometry of its newest reading.

    Raises:
        DataError: its samples are gone or damaged.
    """
    fit = record.fit
    usual = _part(fit, set(fit.sources.values()) - {STATED, _OF_FILE})
    curve = tensile_curve(raw_curve(tx, record), stated_of(fit), usual)
    return evaluate(curve, definitions_of(fit))


def definitions_of(fit: CurveFitRecord) -> Definitions:
    """Return the definitions of a reading, from the words that were recorded."""
    return parse_definitions(fit.definitions)


def _part(fit: CurveFitRecord, sources: tuple[str, ...] | set[str]) -> Specimen:
    names = [name for name in FACTS if fit.sources.get(name) in sources]
    return Specimen(
        **{name: getattr(fit, name) for name in names},
        sources={name: fit.sources[name] for name in names},
    )
