"""``engine micrograph show | measure``: what is known of a picture, and measured anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from db.records import MicrographRecord
from engine.errors import DataError, place
from engine.micrographs.add import OVERLAYS
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
    ]
    key = hashlib.sha256(json.dumps(basis).encode()).hexdigest()[:12]
    return workspace.data_dir / OVERLAYS / f"{record.id}-{key}.png"


def _forget_others(path: Path, record: MicrographRecord) -> None:
    """Remove the overlays of a picture as it was measured before."""
    for other in path.parent.glob(f"{record.id}[-.]*png"):
        if other != path:
            other.unlink(missing_ok=True)


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
    the old one. ``only_missing``: those without statistics (of this version) only.

    Raises:
        NotFoundError: no such micrograph, or its file is gone.
        DataError: a file is damaged.
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
    measured, details = [], []
    for n, record in enumerate(records, 1):
        if stated.nm_per_pixel is not None:
            details.append(f"{record.id}: {record.nm_per_pixel} → {stated.nm_per_pixel:g} nm/px")
        measured.append(_measured(workspace, record, stated))
        progress("measuring micrographs", n, len(records))
    with workspace.database.write("micrograph measure", detail="; ".join(details) or None) as tx:
        for record in measured:
            tx.micrographs.set_measured(record)
    return measured


def open_kept(
    workspace: Workspace, record: MicrographRecord, stated: HowTaken | None = None
) -> Opened:
    """Open a recorded picture: what ``stated`` says, else what is recorded of it.

    Raises:
        NotFoundError: its file is gone.
        DataError: the file is damaged.
    """
    from engine.micrographs.opened import open_micrograph

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


def _measured(workspace: Workspace, record: MicrographRecord, stated: HowTaken) -> MicrographRecord:
    picture = open_kept(workspace, record, stated)
    return replace(
        record,
        nm_per_pixel=picture.nm_per_pixel,
        nm_per_pixel_source=picture.scale_source,
        rotation_axis=picture.rotation_axis,
        crop=picture.crop,
        statistics=picture.document(picture.measure()),
    )
