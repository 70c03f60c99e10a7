"""Kept pictures as a browser can show them: by number only, whatever the file was called."""

from __future__ import annotations

import os
from pathlib import Path

from db.records import MicrographRecord
from engine.errors import NotFoundError, UsageError
from engine.micrographs.add import OVERLAYS
from engine.micrographs.overlay import show
from engine.workspace import Workspace

RENDITIONS = "renditions"
SIZES = (320, 800, 1600)


def picture_of(workspace: Workspace, id_: int) -> MicrographRecord:
    """Return a picture of the active campaign.

    Raises:
        NotFoundError: there is none of that number.
    """
    with workspace.database.read() as tx:
        campaign, _ = workspace.active_campaign(tx)
        found = tx.micrographs.get(id_)
        run = tx.experiments.get(found.experiment_id) if found is not None else None
    if found is None or run is None or run.campaign_id != campaign.id:
        raise NotFoundError(f"there is no micrograph {id_} in the campaign '{campaign.name}'")
    return found


def rendition(workspace: Workspace, id_: int, size: int) -> Path:
    """Return a PNG of a picture, at most ``size`` pixels a side; drawn once, and a cache only.

    Raises:
        NotFoundError: no such micrograph, or its file is gone.
        DataError: the file is damaged.
        UsageError: no such size.
    """
    if size not in SIZES:
        raise UsageError(f"size: expected one of {', '.join(map(str, SIZES))}, got {size}")
    found = picture_of(workspace, id_)
    path = workspace.data_dir / RENDITIONS / f"{found.sha256}-{size}.png"
    if path.is_file():
        return path
    source = workspace.data_dir / found.path
    if not source.is_file():
        raise NotFoundError(f"micrograph {id_} is recorded, but its file {found.path} is gone")
    import numpy as np
    from PIL import Image

    from engine.micrographs.reading import read_grey

    limit = workspace.settings.storage.max_image_megapixels
    grey = read_grey(source, max_megapixels=limit, name=found.original_name)
    low, high = np.quantile(grey, [0.002, 0.998])
    scaled = np.clip(255 * (grey - low) / max(float(high - low), 1e-9), 0, 255).astype(np.uint8)
    image = Image.fromarray(scaled)
    image.thumbnail((size, size))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    image.save(part, format="PNG")
    part.replace(path)
    return path


def overlay_of(workspace: Workspace, id_: int) -> Path:
    """Return the overlay of what was measured on a picture, drawing it if it is not there.

    Raises:
        NotFoundError: no such micrograph.
        DataError: it cannot be measured.
    """
    found = picture_of(workspace, id_)
    path = workspace.data_dir / OVERLAYS / f"{found.id}.png"
    return path if path.is_file() else show(workspace, id_).overlay
