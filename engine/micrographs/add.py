"""From picture files to rows: read, measured, kept, and then registered in one transaction.

A file is read and measured before anything is written, so that a bad picture leaves no trace.
Heavy: numpy, scipy and Pillow are imported only where a picture is really read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.records import CampaignRecord, ExperimentRecord, MicrographRecord
from db.transaction import Transaction
from db.words import nfc
from engine.errors import (
    DataError,
    ImportRefusedError,
    RowProblem,
    SpinneretError,
    StateError,
    by_voice,
    marked,
    place,
)
from engine.micrographs.scale import HowTaken, read_scale, source_of
from engine.micrographs.store import StoredMicrograph, check_is_picture_file, store_micrograph
from engine.workspace import Workspace
from engine.workspace.lookup import find_experiment, is_number, named, two_meanings
from surrogate.progress import Progress, silent

OVERLAYS = "overlays"


@dataclass(frozen=True)
class PreparedMicrograph:
    """A picture in the data folder with everything its row says."""

    stored: StoredMicrograph
    nm_per_pixel: float | None = None
    nm_per_pixel_source: str | None = None
    rotation_axis: str | None = None
    crop: tuple[int, int, int, int] | None = None
    statistics: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()


def prepare(
    workspace: Workspace, source: Path, stated: HowTaken | None = None, *, measured: bool = True
) -> PreparedMicrograph:
    """Read, measure and keep one picture.

    Args:
        workspace: whose data folder and limits.
        source: the file.
        stated: what the user says of it.
        measured: whether to compute statistics; without, the picture is only checked and kept,
            with the pixel size that the instrument wrote.

    Raises:
        NotFoundError: no such file.
        DataError: no picture that can be read, measured and kept.
    """
    stated = stated or HowTaken()
    limit = workspace.settings.storage.max_image_megapixels
    check_is_picture_file(source)
    if not measured:
        stored = store_micrograph(source, workspace.data_dir, max_megapixels=limit)
        size = (stored.width_px, stored.height_px)
        reading = read_scale(source, size, stated.nm_per_pixel)
        return PreparedMicrograph(
            stored,
            nm_per_pixel=reading.scale.nm_per_pixel if reading.scale else None,
            nm_per_pixel_source=source_of(reading),
            rotation_axis=stated.rotation_axis,
            crop=stated.crop,
            warnings=_warnings(source, reading.warnings),
        )
    from engine.micrographs.opened import open_micrograph, size_warnings

    picture = open_micrograph(source, stated, max_megapixels=limit)
    measurement = picture.measure()
    statistics = picture.document(measurement)
    doubts = (*picture.warnings, *size_warnings(statistics), *measurement.statistics.doubts)
    return PreparedMicrograph(
        store_micrograph(source, workspace.data_dir, max_megapixels=limit),
        nm_per_pixel=picture.nm_per_pixel,
        nm_per_pixel_source=picture.scale_source,
        rotation_axis=stated.rotation_axis,
        crop=picture.crop,
        statistics=statistics,
        warnings=_warnings(source, doubts),
    )


def _warnings(source: Path, doubts: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{source.name}: {doubt}" for doubt in doubts)


def register(
    tx: Transaction, campaign_id: int, experiment: ExperimentRecord, new: PreparedMicrograph
) -> MicrographRecord:
    """Write the row of a picture that lies in the data folder; put it back if it was removed.

    Raises:
        StateError: this or another experiment of the campaign has that very picture.
    """
    twin = tx.micrographs.find(campaign_id, new.stored.sha256)
    if twin is not None:
        name = new.stored.original_name
        if twin.experiment_id == experiment.id:
            raise StateError(f"{name}: experiment {experiment.name} has this micrograph already")
        raise StateError(
            f"{name}: the same picture belongs to experiment {twin.experiment_id}; "
            "a micrograph shows one mat"
        )
    removed = tx.micrographs.removed_twin(experiment.id, new.stored.sha256)
    if removed is None:
        return tx.micrographs.add(experiment.id, **fields_of(new))
    tx.micrographs.put_back(removed)
    record = tx.micrographs.get(removed)
    assert record is not None  # noqa: S101 -- put back just now
    return record


def fields_of(new: PreparedMicrograph) -> dict[str, Any]:
    """Return what the repository's ``add`` takes beside the experiment."""
    stored = new.stored
    return {
        "sha256": stored.sha256,
        "path": stored.path,
        "original_name": stored.original_name,
        "width_px": stored.width_px,
        "height_px": stored.height_px,
        "n_bytes": stored.n_bytes,
        "nm_per_pixel": new.nm_per_pixel,
        "nm_per_pixel_source": new.nm_per_pixel_source,
        "rotation_axis": new.rotation_axis,
        "crop": new.crop,
        "statistics": new.statistics,
    }


@dataclass(frozen=True)
class AddReport:
    """What became of the files of one call."""

    added: tuple[MicrographRecord, ...]
    n_known: int = 0
    warnings: tuple[str, ...] = ()


def add(
    workspace: Workspace,
    files: Sequence[Path],
    experiment: str,
    stated: HowTaken,
    progress: Progress = silent,
) -> AddReport:
    """Measure ``files`` and add all of them to one experiment (its id or label), or none.

    Raises:
        NotFoundError: no such experiment or file.
        DataError: a picture that cannot be read.
        StateError: a picture that is recorded already.
    """
    workspace = workspace.settled()
    with workspace.database.read() as tx:
        # Asked before the pictures are measured, a second each, and again in the transaction that
        # writes.
        find_experiment(tx, workspace.active_campaign(tx)[0], experiment)
    prepared = _prepare_all(workspace, files, stated, progress)
    with workspace.database.write("micrograph add", detail=f"experiment {experiment}") as tx:
        record = workspace.active_campaign(tx)[0]
        run = find_experiment(tx, record, experiment)
        added = tuple(register(tx, record.id, run, picture) for picture in prepared)
        return AddReport(added, warnings=_all_warnings(prepared))


def import_folder(
    workspace: Workspace, folder: Path, stated: HowTaken, progress: Progress = silent
) -> AddReport:
    """Add every picture of a folder whose name tells its experiment; all of them, or none.

    ``<ID>_<k>.tif`` (also .png, .jpg …) in the folder itself, or ``<ID>/…`` below
    ``images/preprocessed/``; ID is a label or a number. One that could mean two runs (the number of
    one, the label of another) is refused. What is recorded already is passed over, so the same
    folder twice is once.

    Raises:
        NotFoundError: no such folder.
        ImportRefusedError: pictures that cannot be taken, all of them named.
        DataError: no picture of any run in it.
    """
    from engine.micrographs.layout import named_pictures

    pictures = named_pictures(folder)
    workspace = workspace.settled()
    with workspace.database.read() as tx:
        record = workspace.active_campaign(tx)[0]
        ids = _experiments_of(tx, record, folder, {word for word, _ in pictures})
    warnings = _stranger_warnings(pictures, ids)
    files = [(ids[word], path) for word, path in pictures if word in ids]
    if not files:
        raise DataError(
            f"{place(folder)}: expected pictures named <ID>_<k>.tif (or images/preprocessed/"
            f"<ID>/…), ID being a run's label or number; got {len(pictures)} pictures, none of a "
            "recorded run"
        )
    prepared = _prepare_all(workspace, [path for _, path in files], stated, progress)
    added, n_known = [], 0
    with workspace.database.write("micrograph import", detail=str(folder)) as tx:
        campaign = workspace.active_campaign(tx)[0]
        for (id_, _), picture in zip(files, prepared, strict=True):
            twin = tx.micrographs.find(campaign.id, picture.stored.sha256)
            if twin is not None and twin.experiment_id == id_:
                n_known += 1
                continue
            experiment = tx.experiments.get(id_)
            assert experiment is not None  # noqa: S101 -- experiments are never removed
            added.append(register(tx, campaign.id, experiment, picture))
    return AddReport(tuple(added), n_known, (*warnings, *_all_warnings(prepared)))


def _all_warnings(prepared: Sequence[PreparedMicrograph]) -> tuple[str, ...]:
    return tuple(warning for picture in prepared for warning in picture.warnings)


def _prepare_all(
    workspace: Workspace, files: Sequence[Path], stated: HowTaken, progress: Progress
) -> list[PreparedMicrograph]:
    prepared, problems = [], []
    for n, path in enumerate(files, 1):
        try:
            prepared.append(prepare(workspace, path, stated))
        except SpinneretError as error:
            # A single file's error is raised as itself, not as a list of one.
            if len(files) == 1:
                raise
            problems.append(RowProblem(None, path.name, None, marked(error)))
        progress("measuring micrographs", n, len(files))
    if problems:
        raise ImportRefusedError("the micrographs", problems)
    return prepared


def _experiments_of(
    tx: Transaction, campaign: CampaignRecord, folder: Path, names: set[str]
) -> dict[str, int]:
    """Return the runs that the names of pictures mean; other names are left out."""
    # Once for all of them: exact and in Unicode's normal form, which a Mac's names are not in.
    labels = tx.experiments.labels(campaign.id)
    by_form: dict[str, dict[str, int]] = {}
    for label, id_ in labels.items():
        by_form.setdefault(nfc(label), {})[label] = id_
    ids, problems = {}, []
    for word in sorted(names):
        namesakes = by_form.get(nfc(word), {})
        if not namesakes and is_number(word):
            namesakes = named(word, labels)
        run = tx.experiments.get(int(word)) if is_number(word) and int(word) < 2**63 else None
        if run is not None and run.campaign_id == campaign.id:
            rivals = {label: id_ for label, id_ in namesakes.items() if id_ != run.id}
            if rivals:
                problem = f"{two_meanings(word, run, rivals)}" + by_voice(
                    " with `engine micrograph add FILE --experiment`", " for each of it"
                )
                problems.append(RowProblem(None, word, None, problem))
            ids[word] = run.id
        elif len(set(namesakes.values())) == 1:
            ids[word] = next(iter(namesakes.values()))
    if problems:
        raise ImportRefusedError(str(folder), problems)
    return ids


def _stranger_warnings(pictures: Sequence[tuple[str, Path]], ids: Mapping[str, int]) -> list[str]:
    strangers = sorted({word for word, _ in pictures if word not in ids})
    if not strangers:
        return []
    listed = ", ".join(strangers[:10]) + (" …" if len(strangers) > 10 else "")
    n = sum(word not in ids for word, _ in pictures)
    return [f"{n} pictures left aside: no run is labelled or numbered {listed}"]


__all__ = [
    "AddReport",
    "HowTaken",
    "PreparedMicrograph",
    "add",
    "fields_of",
    "import_folder",
    "prepare",
    "register",
]
