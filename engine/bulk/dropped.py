"""Pictures that somebody dropped on the page: read like any folder, kept for some days, no run.

``<data_dir>/readings/<campaign>/<token>/`` holds ``pictures/`` as they were sent and ``out/``, what
came of them. Nothing of it enters the database but the job that read them.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.bulk.histograms import TABLE as CLASSES
from engine.bulk.histograms import write_histograms
from engine.bulk.read import FolderReading, read_folder
from engine.bulk.request import ReadRequest
from engine.bulk.tables import picture_table, sample_table, write_fibres, write_table
from engine.errors import NotFoundError, StateError
from engine.micrographs.scale import HowTaken
from engine.workspace import Workspace
from surrogate.files import write_whole
from surrogate.private_files import make_folder
from surrogate.progress import Progress, silent

FOLDER = "readings"
KEPT_DAYS = 7
MOST_PICTURES, MOST_MEGABYTES = 500, 4000.0
"""Of one reading; so many of them, too, are a morning at the microscope."""

DOCUMENT = "reading.json"
TABLES = {
    "table.csv": "a row a picture",
    "fibres.csv": "a row a fibre",
    "samples.csv": "a row a sample",
    CLASSES: "distributions of diameters",
}
_TOKEN = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class DroppedPictures:
    """The folder of pictures that were dropped together."""

    token: str
    folder: Path

    @property
    def pictures(self) -> Path:
        """Where the pictures lie, as they were sent."""
        return self.folder / "pictures"

    @property
    def out(self) -> Path:
        """Where what came of them lies."""
        return self.folder / "out"

    @property
    def files(self) -> list[Path]:
        """The files that were sent, in sub-folders too."""
        return sorted(path for path in self.pictures.rglob("*") if path.is_file())

    @property
    def names(self) -> list[str]:
        """Their names, with ``/`` between folders."""
        return [path.relative_to(self.pictures).as_posix() for path in self.files]

    def refuse_too_many(self, n_files: int = 0, n_bytes: int = 0) -> None:
        """Refuse more than is read at once, ``n_files`` of ``n_bytes`` yet to come.

        Raises:
            StateError: there are too many of them, or too large ones.
        """
        sizes = [path.stat().st_size for path in self.files]
        if len(sizes) + n_files > MOST_PICTURES:
            raise StateError(
                f"expected at most {MOST_PICTURES} files at once, got more; read the rest apart"
            )
        if (sum(sizes) + n_bytes) / 1e6 > MOST_MEGABYTES:
            raise StateError(
                f"expected at most {MOST_MEGABYTES:g} MB at once, got more; read the rest apart"
            )

    def document(self) -> dict[str, Any] | None:
        """Return what was read: pictures, samples, notes; ``None``: it is not read yet."""
        with suppress(OSError, ValueError):
            document: dict[str, Any] = json.loads((self.out / DOCUMENT).read_text("utf-8"))
            return document
        return None

    def table(self, name: str) -> Path:
        """Return one of the tables.

        Raises:
            NotFoundError: it is none, or is not there yet.
        """
        places = {**dict.fromkeys(TABLES, self.out), CLASSES: self.out / "histograms"}
        path = places.get(name, self.out) / name
        if name not in TABLES or not path.is_file():
            raise NotFoundError(f"there is no table '{name}' of these pictures")
        return path

    @property
    def tables(self) -> list[str]:
        """The names of the tables that are there."""
        with suppress(NotFoundError):
            return [name for name in TABLES if self.table(name)]
        return []

    def overlay(self, number: int) -> Path:
        """Return the overlay of a picture, by its place in the table, from 1.

        Raises:
            NotFoundError: there is none.
        """
        pictures = (self.document() or {}).get("pictures", [])
        if 0 < number <= len(pictures):
            path = self.out / "overlays" / f"{pictures[number - 1]['name']}.png"
            if path.is_file():
                return path
        raise NotFoundError(f"there is no overlay {number} of these pictures")

    @property
    def histograms(self) -> list[Path]:
        """The drawings of distributions, a sample each."""
        return sorted((self.out / "histograms").glob("*.png"))

    def histogram(self, number: int) -> Path:
        """Return one of them, from 1.

        Raises:
            NotFoundError: there is none.
        """
        if not 0 < number <= len(self.histograms):
            raise NotFoundError(f"there is no distribution {number} of these pictures")
        return self.histograms[number - 1]

    def remove(self) -> None:
        """Remove pictures and results."""
        shutil.rmtree(self.folder, ignore_errors=True)


def new_pictures(workspace: Workspace, campaign_id: int) -> DroppedPictures:
    """Make a folder for pictures to come; what is too old goes."""
    forget_old(workspace)
    token = secrets.token_hex(8)
    dropped = DroppedPictures(token, _place(workspace, campaign_id) / token)
    make_folder(dropped.pictures)
    return dropped


def dropped_pictures(workspace: Workspace, campaign_id: int, token: str) -> DroppedPictures:
    """Return pictures that were dropped.

    Raises:
        NotFoundError: there are none of that name, or no more.
    """
    folder = _place(workspace, campaign_id) / token
    if not _TOKEN.fullmatch(token) or not folder.is_dir():
        raise NotFoundError(
            f"these pictures are not here, or no more: they are kept for {KEPT_DAYS} days"
        )
    return DroppedPictures(token, folder)


def all_dropped(workspace: Workspace, campaign_id: int) -> list[DroppedPictures]:
    """Return what was dropped in a campaign and is still there, newest first."""
    place = _place(workspace, campaign_id)
    folders = [path for path in place.glob("*") if _TOKEN.fullmatch(path.name) and path.is_dir()]
    folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return [DroppedPictures(path.name, path) for path in folders]


def read_dropped(
    workspace: Workspace,
    dropped: DroppedPictures,
    stated: HowTaken,
    *,
    sample: str | None = None,
    progress: Progress = silent,
    should_stop: Callable[[], bool] = lambda: False,
) -> FolderReading:
    """Read pictures that were dropped, as ``engine micrograph read`` does, and keep the tables.

    Raises:
        SpinneretError: as of :func:`engine.bulk.read.read_folder`.
    """
    out = dropped.out
    make_folder(out)
    request = ReadRequest(
        dropped.pictures,
        stated,
        sample=sample,
        overlays=out / "overlays",
        has_fibres=True,
        journal=dropped.folder / "journal",
        max_megapixels=workspace.settings.storage.max_image_megapixels,
    )
    reading = read_folder(request, progress, should_stop)
    write_table(out / "table.csv", picture_table(reading, ".csv", "page"))
    write_table(out / "samples.csv", sample_table(reading, ".csv"))
    write_fibres(out / "fibres.csv", reading.pictures)
    write_histograms(out / "histograms", reading)
    # Last: where it is, all the rest is.
    document = {
        "pictures": [picture.as_json() for picture in reading.pictures],
        "samples": [asdict(summary) for summary in reading.samples],
        "notes": reading.notes,
    }
    write_whole(out / DOCUMENT, json.dumps(document))
    return reading


def forget_old(workspace: Workspace, *, days: float = KEPT_DAYS) -> int:
    """Remove what was dropped long ago, in every campaign; return how much of it there was."""
    limit, n = time.time() - 86_400 * days, 0
    for folder in (workspace.data_dir / FOLDER).glob("*/*"):
        with suppress(OSError):
            if _TOKEN.fullmatch(folder.name) and folder.stat().st_mtime < limit:
                shutil.rmtree(folder)
                n += 1
    return n


def _place(workspace: Workspace, campaign_id: int) -> Path:
    return workspace.data_dir / FOLDER / str(campaign_id)
