"""What was corrected by hand on a picture, and what it shows in that light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from db.records import CorrectionRecord
from engine.documents import Document, Moment
from engine.micrographs.corrections import Correction

if TYPE_CHECKING:
    from engine.micrographs.correct import CorrectedPicture


class CorrectionOut(Document):
    """A correction that counts; places in pixels of the file's picture, x from its left."""

    correction: int
    kind: Literal["exclude", "scale", "delete", "add"]
    x: float
    y: float
    x_to: float | None
    y_to: float | None
    length_nm: float | None
    in_words: str
    note: str | None
    recorded_at: Moment
    recorded_by: str

    @classmethod
    def build(cls, record: CorrectionRecord) -> Self:
        """Return the document of a recorded one."""
        return cls(
            correction=record.id,
            kind=record.kind.value,
            x=record.x,
            y=record.y,
            x_to=record.x_to,
            y_to=record.y_to,
            length_nm=record.length_nm,
            in_words=Correction.of_record(record).in_words,
            note=record.note,
            recorded_at=record.recorded_at,
            recorded_by=record.recorded_by,
        )


class CorrectedOut(Document):
    """The corrections of a picture that count, and its statistics with them.

    ``first_statistics``: what was measured before anybody corrected it.
    """

    micrograph: int
    corrections: tuple[CorrectionOut, ...]
    nm_per_pixel: float | None
    nm_per_pixel_source: str | None
    statistics: dict[str, Any] | None
    first_statistics: dict[str, Any] | None

    @classmethod
    def build(cls, corrected: CorrectedPicture) -> Self:
        """Return the document of a picture."""
        picture, first = corrected.picture, corrected.first_statistics
        return cls(
            micrograph=picture.id,
            corrections=tuple(map(CorrectionOut.build, corrected.current)),
            nm_per_pixel=picture.nm_per_pixel,
            nm_per_pixel_source=picture.nm_per_pixel_source,
            statistics=None if picture.statistics is None else dict(picture.statistics),
            first_statistics=None if first is None else dict(first),
        )
