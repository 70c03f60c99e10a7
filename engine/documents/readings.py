"""Pictures that were sent to be read without a run, and what came of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from db.records import TaskRecord
from engine.bulk.dropped import KEPT_DAYS
from engine.documents import Document, Moment
from engine.documents.bulk import PictureReadingOut, SampleOut
from engine.documents.jobs import JobOut

if TYPE_CHECKING:
    from engine.bulk.dropped import DroppedPictures


class ReadingOut(Document):
    """Pictures read together: ``files`` as sent, their ``job``, and in the end the results.

    ``job`` is null until all is sent. ``pictures`` and ``samples`` are null until it is done, and
    in lists; ``n_histograms``: distributions of diameters, one a sample.
    """

    reading: str
    files: tuple[str, ...]
    kept_until: Moment
    job: JobOut | None
    pictures: tuple[PictureReadingOut, ...] | None
    samples: tuple[SampleOut, ...] | None
    notes: tuple[str, ...]
    tables: tuple[str, ...]
    n_histograms: int

    @classmethod
    def build(
        cls, dropped: DroppedPictures, task: TaskRecord | None, *, has_results: bool = True
    ) -> Self:
        """Return the document of what lies in a folder."""
        is_over = task is not None and task.status.is_over
        document = (dropped.document() or {}) if is_over and has_results else {}
        pictures, samples = document.get("pictures"), document.get("samples")
        since = datetime.fromtimestamp(dropped.folder.stat().st_mtime, UTC)
        return cls(
            reading=dropped.token,
            files=tuple(dropped.names),
            kept_until=since + timedelta(days=KEPT_DAYS),
            job=None if task is None else JobOut.model_validate(task),
            pictures=None
            if pictures is None
            else tuple(map(PictureReadingOut.model_validate, pictures)),
            samples=None if samples is None else tuple(map(SampleOut.model_validate, samples)),
            notes=tuple(document.get("notes", ())),
            tables=tuple(dropped.tables) if is_over else (),
            n_histograms=len(dropped.histograms) if is_over else 0,
        )


class ReadingsOut(Document):
    """Readings, newest first."""

    items: tuple[ReadingOut, ...]
