"""Kept pictures as a browser can show them: by number only, whatever the file was called."""

from __future__ import annotations

from pathlib import Path

from db.records import MicrographRecord
from engine.errors import UsageError
from engine.micrographs.add import OVERLAYS
from engine.micrographs.lookup import file_of, find_micrograph
from engine.micrographs.overlay import show
from engine.workspace import Workspace
from surrogate.files import whole_file
from surrogate.private_files import make_folder

RENDITIONS = "renditions"
# A table's cell, a page, a wide screen. Fixed sizes, or anybody could fill the disk with
# renditions.
SIZES = (320, 800, 1600)


def picture_of(workspace: Workspace, id_: int) -> MicrographRecord:
    """Return a picture of the active campaign.

    Raises:
        NotFoundError: there is none of that number.
    """
    with workspace.database.read() as tx:
        return find_micrograph(tx, workspace, id_)


def rendition(workspace: Workspace, id_: int, size: int) -> Path:
    """Return a PNG of a picture, at most ``size`` pixels a side; drawn once, and a cache only.

    Raises:
        NotFoundError: no such micrograph, or its file is gone.
        DataError: the file is damaged.
        UsageError: no such size.
    """
    if size not in SIZES:
        raise UsageError(f"expected one of {', '.join(map(str, SIZES))}, got {size}", field="size")
    record = picture_of(workspace, id_)
    path = workspace.data_dir / RENDITIONS / f"{record.sha256}-{size}.png"
    if path.is_file():
        return path
    source = file_of(workspace, record)
    import numpy as np
    from PIL import Image

    from engine.micrographs.reading import read_grey

    limit = workspace.settings.storage.max_image_megapixels
    grey = read_grey(source, max_megapixels=limit, name=record.original_name)
    # Not the extremes: one hot pixel would leave the rest dark.
    low, high = np.quantile(grey, [0.002, 0.998])
    scaled = np.clip(255 * (grey - low) / max(float(high - low), 1e-9), 0, 255).astype(np.uint8)
    image = Image.fromarray(scaled)
    image.thumbnail((size, size))
    make_folder(path.parent)
    with whole_file(path) as draft:
        image.save(draft, format="PNG")
    return path


def overlay_of(workspace: Workspace, id_: int) -> Path:
    """Return the overlay of what was measured on a picture, drawing it if it is not there.

    Raises:
        NotFoundError: no such micrograph.
        DataError: it cannot be measured.
    """
    record = picture_of(workspace, id_)
    path = workspace.data_dir / OVERLAYS / f"{record.id}.png"
    return path if path.is_file() else show(workspace, id_).overlay
