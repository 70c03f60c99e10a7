"""``engine micrograph show | measure``: what is known of a picture, and measured anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from db.records import MicrographRecord
from db.session import Transaction
from engine.errors import DataError, NotFoundError
from engine.micrographs.add import OVERLAYS, HowTaken, Progress, measure_cropped
from engine.workspace import Workspace

if TYPE_CHECKING:
    from generator.statistics import Measured


@dataclass(frozen=True)
class Shown:
    """A micrograph's row and where its overlay lies."""

    micrograph: MicrographRecord
    overlay: Path


def show(workspace: Workspace, id_: int, out: Path | None = None) -> Shown:
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

    from generator.overlay import overlay

    with workspace.database.read() as tx:
        found = _find(tx, workspace, id_)
    measured = _measured(workspace, found)
    path = out or workspace.data_dir / OVERLAYS / f"{found.id}.png"
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(overlay(measured)).save(part, format="PNG")
        part.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return Shown(replace(found, statistics=measured.statistics.as_json()), path)


def measure_again(
    workspace: Workspace,
    ids: Sequence[int],
    how: HowTaken,
    *,
    only_missing: bool = False,
    progress: Progress | None = None,
) -> list[MicrographRecord]:
    """Measure kept pictures anew and record it: those of ``ids``, or all of the campaign.

    A pixel size or rotation axis stated in ``how`` replaces what is recorded; the change's detail
    keeps the old one. ``only_missing``: those without statistics (of this version) only.

    Raises:
        NotFoundError: no such micrograph, or its file is gone.
        DataError: a file is damaged.
    """
    from engine.micrographs.scale import scale_of
    from generator.statistics import VERSION

    with workspace.database.read() as tx:
        campaign = workspace.active_campaign(tx)[0]
        found = [_find(tx, workspace, id_) for id_ in ids] or [
            picture
            for one in tx.experiments.find(campaign.id, pictured=True)
            for picture in one.micrographs
        ]
    if only_missing:
        found = [p for p in found if (p.statistics or {}).get("version") != VERSION]
    done, details = [], []
    for n, picture in enumerate(found, 1):
        if how.nm_per_pixel is not None:
            details.append(f"{picture.id}: {picture.nm_per_pixel} → {how.nm_per_pixel:g} nm/px")
        path = _file(workspace, picture)
        stated = picture.nm_per_pixel if how.nm_per_pixel is None else how.nm_per_pixel
        scale = scale_of(path, picture.width_px, stated)
        kept = how.nm_per_pixel is None and picture.nm_per_pixel is not None
        changed = replace(
            picture,
            nm_per_pixel=scale.nm_per_pixel if scale else None,
            nm_per_pixel_source=picture.nm_per_pixel_source
            if kept
            else (scale.source if scale else None),
            rotation_axis=how.rotation_axis or picture.rotation_axis,
        )
        measured, crop = _read_and_measure(workspace, changed, path)
        done.append(replace(changed, crop=crop, statistics=measured.statistics.as_json()))
        if progress is not None:
            progress(n, len(found))
    with workspace.database.write("micrograph measure", detail="; ".join(details) or None) as tx:
        for picture in done:
            tx.micrographs.set_measured(picture)
    return done


def _find(tx: Transaction, workspace: Workspace, id_: int) -> MicrographRecord:
    campaign = workspace.active_campaign(tx)[0]
    found = tx.micrographs.get(id_)
    experiment = tx.experiments.get(found.experiment_id) if found else None
    if found is None or experiment is None or experiment.campaign_id != campaign.id:
        raise NotFoundError(
            f"there is no micrograph {id_} in the campaign '{campaign.name}'; "
            "`engine show ID` lists a run's micrographs"
        )
    return found


def _file(workspace: Workspace, picture: MicrographRecord) -> Path:
    path = workspace.data_dir / picture.path
    if not path.is_file():
        raise NotFoundError(
            f"micrograph {picture.id} ({picture.original_name}) is recorded, but its file {path} "
            "is gone; put it back from a copy of the data folder"
        )
    return path


def _measured(workspace: Workspace, picture: MicrographRecord) -> Measured:
    return _read_and_measure(workspace, picture, _file(workspace, picture))[0]


def _read_and_measure(
    workspace: Workspace, picture: MicrographRecord, path: Path
) -> tuple[Measured, Any]:
    from engine.micrographs.databar import find_crop
    from engine.micrographs.reading import read_grey

    limit = workspace.settings.storage.max_image_megapixels
    grey = read_grey(path, max_megapixels=limit, name=picture.original_name)
    crop = picture.crop or find_crop(grey)
    size, axis = picture.nm_per_pixel, picture.rotation_axis
    return measure_cropped(grey, size, axis, crop, picture.original_name), crop
