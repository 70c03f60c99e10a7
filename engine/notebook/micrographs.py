"""Pictures of a folder as data frames, without a campaign."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from engine.bulk.histograms import write_histograms
from engine.bulk.read import FolderReading, read_folder
from engine.bulk.request import ReadRequest
from engine.bulk.tables import (
    FIBRE_HEADINGS,
    PICTURE_HEADINGS,
    SAMPLE_HEADINGS,
    Cell,
    check_table,
    fibre_rows,
    picture_rows,
    picture_table,
    sample_rows,
    write_table,
)
from engine.errors import UsageError
from engine.micrographs.scale import HowTaken
from engine.notebook.shown_progress import shown_progress

Folder = str | Path
TEXTS = {"picture", "sample", "pixel size from", "rotation axis", "measured rows [px]", "warnings",
         "problem"}  # fmt: skip


@dataclass(frozen=True)
class MicrographTable:
    """What the pictures of a folder show; lengths in nm where the pixel size is known."""

    reading: FolderReading

    def __len__(self) -> int:
        """Return how many pictures there are, those that could not be measured included."""
        return len(self.reading.pictures)

    @property
    def failures(self) -> dict[str, str]:
        """Why pictures could not be measured, by their names."""
        rows = picture_rows(self.reading.failures, "api")
        return {str(row[0]): str(row[-1]) for row in rows}

    def to_frame(self) -> pd.DataFrame:
        """Return a row a picture; the index is its name below the folder."""
        rows = list(picture_rows(self.reading.pictures, "api"))
        return _framed(rows, PICTURE_HEADINGS).set_index("picture")

    def samples(self) -> pd.DataFrame:
        """Return a row a sample: means over its pictures with standard errors."""
        rows = list(sample_rows(self.reading.samples))
        return _framed(rows, SAMPLE_HEADINGS).set_index("sample")

    def fibres(self) -> pd.DataFrame:
        """Return a row a fibre: place, angle from the picture's width, width with its error.

        Raises:
            UsageError: the pictures were read without ``fibres=True``.
        """
        if not any(picture.fibres for picture in self.reading.pictures):
            raise UsageError("expected pictures that were read with fibres=True")
        return _framed(list(fibre_rows(self.reading.pictures)), FIBRE_HEADINGS)

    def save(self, path: Folder) -> None:
        """Write the table of pictures, as ``.csv`` or ``.xlsx`` (with the samples).

        Raises:
            UsageError: another ending.
            StateError: the folder is not there or cannot be written.
        """
        check_table(Path(path), "path")
        table = picture_table(self.reading, Path(path).suffix.casefold(), "api")
        write_table(Path(path), table)

    def save_histograms(self, folder: Folder) -> list[Path]:
        """Write distributions of diameters: a table, and a drawing a sample; return the files.

        Raises:
            StateError: the folder cannot be written.
        """
        return write_histograms(Path(folder), self.reading)

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html())


def _framed(rows: list[list[Cell]], headings: list[str]) -> pd.DataFrame:
    """Return a frame in which a column of numbers is one even where all of them are missing."""
    frame = pd.DataFrame(rows, columns=headings)
    numbers = [name for name in headings if name not in TEXTS]
    return frame.astype(dict.fromkeys(numbers, float))


def read_micrographs(
    folder: Folder,
    *,
    nm_per_pixel: float | None = None,
    scale_bar: str | None = None,
    rotation_axis: Literal["x", "y"] | None = None,
    crop: tuple[int, int, int, int] | None = None,
    dark_fibres: bool | None = None,
    sample: str | None = None,
    fibres: bool = False,
    overlays: Folder | None = None,
    journal: Folder | None = None,
    jobs: int = 0,
) -> MicrographTable:
    """Measure every picture of a folder, over all cores; no campaign is needed.

    A picture that cannot be read is told in its row (``problem``), and the others go on.

    Args:
        folder: pictures, also in sub-folders.
        nm_per_pixel: pixel size of all pictures; ``None``: what the instrument wrote, else lengths
            are in pixels.
        scale_bar: how long the scale bar in the pictures is, as ``2 um``.
        rotation_axis: where the collector's rotation lies: ``x``, along the pictures' width.
        crop: left, top, right, bottom [px] of what is to be measured in each.
        dark_fibres: whether fibres are darker than their ground.
        sample: what one sample is: ``folder``, ``name``, a pattern such as ``{sample}_*.tif``, or
            the path of a table with the columns file and sample.
        fibres: whether every single fibre is wanted.
        overlays: a folder for pictures of what was measured.
        journal: a folder for finished pictures: what it knows is not read again, so that a killed
            run goes on.
        jobs: how many pictures at a time; 0: one a core.

    Raises:
        NotFoundError: no such folder.
        DataError: no picture in it, or a table of samples that does not fit.
        UsageError: a size, axis or way to name samples that cannot be.
        StateError: the journal is in use, or cannot be written.
    """
    request = ReadRequest(
        Path(folder),
        HowTaken(nm_per_pixel, rotation_axis, crop, dark_fibres, scale_bar),
        sample=sample,
        has_fibres=fibres,
        overlays=None if overlays is None else Path(overlays),
        journal=None if journal is None else Path(journal),
        jobs=jobs,
    )
    with shown_progress() as progress:
        return MicrographTable(read_folder(request, progress))
