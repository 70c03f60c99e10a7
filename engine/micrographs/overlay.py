"""``engine micrograph show | measure``: what is known of a picture, and measured anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from db.records import CorrectionKind, CorrectionRecord, MicrographRecord
from db.transaction import Transaction
from engine.errors import DataError, StateError, place
from engine.micrographs.add import OVERLAYS
from engine.micrographs.corrections import Correction
from engine.micrographs.lookup import file_of, find_micrograph
from engine.micrographs.scale import HowTaken
from engine.workspace import Workspace
from surrogate.files import whole_file
from surrogate.private_files import make_folder
from surrogate.progress import Progress, silent

if TYPE_CHECKING:
    from engine.micrographs.opened import Opened


@dataclass(frozen=True)
class DrawnOverlay:
    """A micrograph's row and where its overlay lies."""

    micrograph: MicrographRecord
    overlay: Path


def show(workspace: Workspace, id_: int, out: Path | None = None) -> DrawnOverlay:
    """Measure a kept picture and draw the overlay of it; nothing is recorded.

    Args:
        workspace: whose picture.
        id_: the micrograph's number.
        out: the PNG to write; else ``overlays/`` in the data folder.

    Raises:
        NotFoundError: no such micrograph, or its file is gone.
        DataError: the file is damaged, or the overlay cannot be written.
    """
    from PIL import Image

    from engine.micrographs.annotated import annotated

    with workspace.database.read() as tx:
        record = find_micrograph(tx, workspace, id_)
    picture = open_kept(workspace, record)
    measured = picture.measure()
    path = out or overlay_path(workspace, record)
    try:
        make_folder(path.parent)
        with whole_file(path) as draft:
            Image.fromarray(annotated(picture, measured)).save(draft, format="PNG")
        if path.parent == workspace.data_dir / OVERLAYS:
            _forget_others(path, record)
    except OSError as error:
        raise DataError(f"{place(path)} cannot be written: {error.strerror or error}") from error
    return DrawnOverlay(replace(record, statistics=picture.document(measured)), path)


def overlay_path(workspace: Workspace, record: MicrographRecord) -> Path:
    """Return where the overlay of a picture belongs: another place for each way to measure it."""
    statistics = record.statistics or {}
    basis = [
        record.sha256,
        record.nm_per_pixel_source,
        record.nm_per_pixel,
        record.rotation_axis,
        record.crop,
        statistics.get("dark_fibres"),
        statistics.get("version"),
        statistics.get("corrections"),
    ]
    key = hashlib.sha256(json.dumps(basis).encode()).hexdigest()[:12]
    return workspace.data_dir / OVERLAYS / f"{record.id}-{key}.png"


def _forget_others(path: Path, record: MicrographRecord) -> None:
    """Remove the overlays of a picture as it was measured before."""
    for older in path.parent.glob(f"{record.id}[-.]*png"):
        if older != path:
            older.unlink(missing_ok=True)


def measure_again(
    workspace: Workspace,
    ids: Sequence[int],
    stated: HowTaken,
    *,
    only_missing: bool = False,
    progress: Progress = silent,
) -> list[MicrographRecord]:
    """Measure kept pictures anew and record it: those of ``ids``, or all of the campaign.

    A pixel size or rotation axis in ``stated`` replaces what is recorded; the change's detail keeps
    the old one, and a scale that was set by hand is taken back. Other corrections go on counting.
    ``only_missing``: those without statistics (of this version) only.

    Raises:
        NotFoundError: no such micrograph, or its file is gone.
        DataError: a file is damaged.
        StateError: one of them was corrected by hand meanwhile.
    """
    # Here, as it brings scipy: `show` and the commands' help do without.
    from generator.statistics import VERSION

    with workspace.database.read() as tx:
        campaign = workspace.active_campaign(tx)[0]
        records = [find_micrograph(tx, workspace, id_) for id_ in ids] or [
            picture
            for run in tx.experiments.find(campaign.id, pictured=True)
            for picture in run.micrographs
        ]
    if only_missing:
        records = [r for r in records if (r.statistics or {}).get("version") != VERSION]
    # All are measured before anything is written, so that a damaged file leaves every row as it
    # was.
    measured: list[tuple[MicrographRecord, list[CorrectionRecord], MicrographRecord]] = []
    details = []
    is_sized = stated.nm_per_pixel is not None or stated.scale_bar is not None
    for n, record in enumerate(records, 1):
        if stated.nm_per_pixel is not None:
            details.append(f"{record.id}: {record.nm_per_pixel} → {stated.nm_per_pixel:g} nm/px")
        with workspace.database.read() as tx:
            current = tx.corrections.current(record.id)
        if is_sized:
            current = [item for item in current if item.kind is not CorrectionKind.SCALE]
        picture = open_kept(workspace, record, stated, corrections=current)
        measured.append((record, current, with_reading(record, picture)))
        progress("measuring micrographs", n, len(records))
    with workspace.database.write("micrograph measure", detail="; ".join(details) or None) as tx:
        for former, counted, record in measured:
            _refuse_corrected_meanwhile(tx, former, counted, is_sized=is_sized)
            tx.micrographs.set_measured(record)
    return [record for *_, record in measured]


def _refuse_corrected_meanwhile(
    tx: Transaction,
    former: MicrographRecord,
    counted: Sequence[CorrectionRecord],
    *,
    is_sized: bool,
) -> None:
    """Take a scale set by hand back where another one is stated; see that all else is as it was."""
    for item in tx.corrections.current(former.id):
        if is_sized and item.kind is CorrectionKind.SCALE:
            reading = {
                "nm_per_pixel": former.nm_per_pixel,
                "nm_per_pixel_source": former.nm_per_pixel_source,
                "statistics": None if former.statistics is None else dict(former.statistics),
            }
            tx.corrections.take_back(item.id, former=reading, note="another pixel size was stated")
    if [item.id for item in tx.corrections.current(former.id)] != [item.id for item in counted]:
        raise StateError(f"micrograph {former.id} was corrected meanwhile; measure it again")


def open_kept(
    workspace: Workspace,
    record: MicrographRecord,
    stated: HowTaken | None = None,
    *,
    corrections: Sequence[CorrectionRecord] | None = None,
) -> Opened:
    """Open a recorded picture: what ``stated`` says, else what is recorded of it.

    ``corrections``: those that are to count; else all that do.

    Raises:
        NotFoundError: its file is gone.
        DataError: the file is damaged.
    """
    from engine.micrographs.opened import open_micrograph

    if corrections is None:
        with workspace.database.read() as tx:
            corrections = tx.corrections.current(record.id)
    stated = stated or HowTaken()
    is_dark = (record.statistics or {}).get("dark_fibres")
    size = record.nm_per_pixel
    if stated.nm_per_pixel is not None or stated.scale_bar is not None:
        size = stated.nm_per_pixel
    picture = open_micrograph(
        file_of(workspace, record),
        replace(
            stated,
            nm_per_pixel=size,
            rotation_axis=stated.rotation_axis or record.rotation_axis,
            dark_fibres=is_dark if stated.dark_fibres is None else stated.dark_fibres,
        ),
        max_megapixels=workspace.settings.storage.max_image_megapixels,
        name=record.original_name,
        crop=record.crop,
    )
    picture = replace(picture, corrections=tuple(map(Correction.of_record, corrections)))
    if stated.nm_per_pixel is None and record.nm_per_pixel is not None and size is not None:
        # The recorded size was stated to open it.
        return replace(picture, scale_source=record.nm_per_pixel_source)
    return _with_doubt(picture, record) if stated == HowTaken() else picture


def _with_doubt(picture: Opened, record: MicrographRecord) -> Opened:
    """Keep what was doubtful when the picture came in: its sidecar is not kept."""
    doubt = record.nm_per_pixel_source
    if record.nm_per_pixel is not None or doubt is None or doubt == picture.scale_source:
        return picture
    if picture.scale is not None and picture.scale.source.startswith("scale bar"):
        return picture  # scaled with the picture: true whatever became of it
    return replace(picture, scale=None, scale_source=doubt, warnings=(*picture.warnings, doubt))


def with_reading(record: MicrographRecord, picture: Opened) -> MicrographRecord:
    """Return a picture's row with what is measured on it now.

    Raises:
        DataError: it cannot be measured.
    """
    return replace(
        record,
        nm_per_pixel=picture.nm_per_pixel,
        nm_per_pixel_source=picture.scale_source,
        rotation_axis=picture.rotation_axis,
        crop=picture.crop,
        statistics=picture.document(picture.measure()),
    )
