"""Kept pictures as a browser can show them: by number only, whatever the file was called."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path

from db.records import MicrographRecord
from engine.errors import NotFoundError, SpinneretError, UsageError
from engine.micrographs.lookup import file_of, find_micrograph
from engine.micrographs.overlay import open_kept, overlay_path, show
from engine.micrographs.unpacking import one_at_a_time
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
    limit = workspace.settings.storage.max_image_megapixels
    with _drawn_once(path, source) as is_missing:
        if is_missing:
            _draw_rendition(path, source, size, limit, record.original_name)
    return path


def overlay_of(workspace: Workspace, id_: int) -> Path:
    """Return the overlay of what was measured on a picture, drawing it if it is not there.

    Raises:
        NotFoundError: no such micrograph.
        DataError: it cannot be measured.
    """
    record = picture_of(workspace, id_)
    path = overlay_path(workspace, record)
    if path.is_file():
        return path
    with _drawn_once(path, file_of(workspace, record)) as is_missing:
        if is_missing:
            show(workspace, id_, path)
    return path


def bar_of(workspace: Workspace, id_: int) -> Path:
    """Return a PNG of the scale bar that a picture's pixel size was read off, enlarged.

    Raises:
        NotFoundError: no such micrograph, or no bar gave its pixel size.
        DataError: the file is damaged.
    """
    record = picture_of(workspace, id_)
    path = workspace.data_dir / RENDITIONS / f"bar-{overlay_path(workspace, record).name}"
    if path.is_file():
        return path
    with _drawn_once(path, file_of(workspace, record)) as is_missing:
        if is_missing:
            _draw_bar(workspace, record, path)
    return path


def _draw_bar(workspace: Workspace, record: MicrographRecord, path: Path) -> None:
    from PIL import Image

    from engine.micrographs.annotated import bar_picture

    drawn = bar_picture(open_kept(workspace, record))
    if drawn is None:
        raise NotFoundError(f"the pixel size of micrograph {record.id} is by no scale bar")
    make_folder(path.parent)
    with whole_file(path) as draft:
        Image.fromarray(drawn).save(draft, format="PNG")


_FAILURES: OrderedDict[tuple[Path, int, int], SpinneretError] = OrderedDict()
"""What could not be drawn, by its place and its source's size and time: not tried again."""

_MOST_FAILURES = 1000


@contextmanager
def _drawn_once(path: Path, source: Path) -> Iterator[bool]:
    """Tell whether ``path`` is yet to be drawn, while nobody else in this process draws.

    Raises:
        SpinneretError: it could not be drawn from that very source, now or before.
    """
    status = source.stat()
    key = (path, status.st_size, status.st_mtime_ns)
    with one_at_a_time:
        if key in _FAILURES:
            raise copy(_FAILURES[key])
        try:
            yield not path.is_file()
        except SpinneretError as error:
            _FAILURES[key] = copy(error).with_traceback(None)
            while len(_FAILURES) > _MOST_FAILURES:
                _FAILURES.popitem(last=False)
            raise


def _draw_rendition(path: Path, source: Path, size: int, limit: float, name: str) -> None:
    import numpy as np
    from PIL import Image

    from engine.micrographs.reading import read_reduced

    grey = read_reduced(source, size, max_megapixels=limit, name=name)
    # Not the extremes: one hot pixel would leave the rest dark.
    low, high = np.quantile(grey, [0.002, 0.998])
    scaled = np.clip(255 * (grey - low) / max(float(high - low), 1e-9), 0, 255).astype(np.uint8)
    image = Image.fromarray(scaled)
    image.thumbnail((size, size))
    make_folder(path.parent)
    with whole_file(path) as draft:
        image.save(draft, format="PNG")
