"""The recorded pictures of a campaign, as a table of the same columns as a folder's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from db.records import ExperimentRecord, MicrographRecord
from engine.bulk.picture import PictureReading
from engine.bulk.read import FolderReading
from engine.bulk.samples import summarise
from engine.bulk.tables import picture_table, write_table
from engine.errors import place
from engine.micrographs.corrections import corrected_in_words


def write_recorded(path: Path, experiments: Iterable[ExperimentRecord]) -> int:
    """Write what the pictures of runs show, a run being a sample; return how many there are.

    Raises:
        StateError: the folder cannot be written.
    """
    pictures = tuple(readings_of(experiments))
    reading = FolderReading(pictures, summarise(pictures))
    write_table(path, picture_table(reading, path.suffix.casefold()))
    return len(pictures)


def readings_of(experiments: Iterable[ExperimentRecord]) -> Iterator[PictureReading]:
    """Yield each picture of runs; one that was not measured yet says so."""
    for experiment in experiments:
        for picture in experiment.micrographs:
            yield _reading(experiment, picture)


def _reading(experiment: ExperimentRecord, picture: MicrographRecord) -> PictureReading:
    remark = corrected_in_words(picture.statistics)
    is_measured = picture.statistics is not None
    return PictureReading(
        picture.original_name,
        sample=experiment.name,
        problem=None if is_measured else f"{place(picture.original_name)}: not measured yet",
        width_px=picture.width_px,
        height_px=picture.height_px,
        nm_per_pixel=picture.nm_per_pixel,
        nm_per_pixel_source=picture.nm_per_pixel_source,
        crop=picture.crop,
        statistics=picture.statistics,
        warnings=(remark,) if remark else (),
    )
