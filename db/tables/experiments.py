"""Samples: what became of them, their conditions, measurements and micrographs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Named,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
)

from db.records import CorrectionKind, Origin, Stage, Status
from db.tables.common import WithChange, check, finite, in_its_campaign, metadata, one_of
from db.types import Json


class ExperimentColumns(WithChange):
    """One sample. Status, failure and note repeat the newest row of ``status_changes``."""

    campaign_id: Named[int]
    revision_id: Named[int]
    label: Named[str | None] = Column(String)
    origin: Named[str] = Column(String)
    status: Named[str] = Column(String)
    failure: Named[str | None] = Column(String)
    note: Named[str | None] = Column(Text)


class StatusChangeColumns(WithChange):
    """What an experiment became, and the note it then had."""

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    status: Named[str] = Column(String)
    failure: Named[str | None] = Column(String)
    note: Named[str | None] = Column(Text)


class ConditionValueColumns(TypedColumns):
    """One parameter of one experiment: a number in the parameter's unit, or a choice's name.

    Neither, from the second revision on, where the value was taken back.
    """

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    parameter: Named[str] = Column(String)
    stage: Named[str] = Column(String)
    revision: Named[int]
    number: Named[float | None] = Column(Double)
    text: Named[str | None] = Column(Text)
    change_id: Named[int] = Column(ForeignKey("changes.id"))


class MeasurementColumns(WithChange):
    """One value of one outcome, in the outcome's unit; none where it was taken back.

    With a ``bound`` the value is a limit that it lies below or above; with ``sd`` and ``n`` it is
    the mean of so many specimens that scatter by so much.
    """

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    outcome: Named[str] = Column(String)
    replicate: Named[int]
    revision: Named[int]
    value: Named[float | None] = Column(Double)
    # Unique: a value can be corrected once, and then its correction; history has no branches.
    supersedes_id: Named[int | None] = Column(ForeignKey("measurements.id"), unique=True)
    note: Named[str | None] = Column(Text)
    bound: Named[str | None] = Column(String)
    sd: Named[float | None] = Column(Double)
    n: Named[int | None]


class MicrographColumns(WithChange):
    """One picture; ``path`` counts from the data folder, the crop box is in pixels."""

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    sha256: Named[str] = Column(String)
    path: Named[str] = Column(String)
    original_name: Named[str] = Column(String)
    width_px: Named[int]
    height_px: Named[int]
    n_bytes: Named[int] = Column(BigInteger)
    nm_per_pixel: Named[float | None] = Column(Double)
    nm_per_pixel_source: Named[str | None] = Column(String)
    rotation_axis: Named[str | None] = Column(String)
    crop_left: Named[int | None]
    crop_top: Named[int | None]
    crop_right: Named[int | None]
    crop_bottom: Named[int | None]
    statistics: Named[Any] = Column(Json, nullable=True)


class PictureRemovalColumns(WithChange):
    """A picture taken away from its run, or put back; the newest row counts."""

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    micrograph_id: Named[int] = Column(ForeignKey("micrographs.id"))
    is_removed: Named[bool]
    note: Named[str | None] = Column(Text)


class PictureCorrectionColumns(WithChange):
    """What a person corrected on a picture, in pixels of its file; or one that is taken back.

    A row with ``undoes_id`` repeats what it takes back. ``former``: pixel size and statistics as
    they were before the row, so that the first measurement is kept.
    """

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    micrograph_id: Named[int] = Column(ForeignKey("micrographs.id"))
    kind: Named[str] = Column(String)
    x: Named[float] = Column(Double)
    y: Named[float] = Column(Double)
    x_to: Named[float | None] = Column(Double)
    y_to: Named[float | None] = Column(Double)
    length_nm: Named[float | None] = Column(Double)
    note: Named[str | None] = Column(Text)
    # Unique: what is taken back once is not taken back again; made anew it is a further row.
    undoes_id: Named[int | None] = Column(ForeignKey("picture_corrections.id"), unique=True)
    former: Named[Any] = Column(Json)


def _status_checks() -> tuple[CheckConstraint, ...]:
    return (
        one_of("status", Status),
        # Which kinds there are is the campaign's to say.
        check("failure_bounded", "length(failure) BETWEEN 1 AND 80"),
        check("failure_iff_failed", "(status = 'failed') = (failure IS NOT NULL)"),
    )


experiments = Table(
    "experiments",
    metadata,
    ExperimentColumns,
    in_its_campaign(),
    UniqueConstraint("campaign_id", "label"),
    Index(None, "campaign_id", "status"),
    Index(None, "campaign_id", "id"),
    one_of("origin", Origin),
    *_status_checks(),
)


status_changes = Table(
    "status_changes",
    metadata,
    StatusChangeColumns,
    Index(None, "experiment_id", "id"),
    *_status_checks(),
)


condition_values = Table(
    "condition_values",
    metadata,
    ConditionValueColumns,
    PrimaryKeyConstraint("experiment_id", "parameter", "stage", "revision"),
    one_of("stage", Stage),
    check("revision_positive", "revision >= 1"),
    check(
        "number_or_text",
        "(number IS NULL OR text IS NULL) "
        "AND (number IS NOT NULL OR text IS NOT NULL OR revision > 1)",
    ),
    finite("number"),
    # The key is the row's whole address: a rowid beside it would store each key twice.
    # https://www.sqlite.org/withoutrowid.html
    sqlite_with_rowid=False,
)


measurements = Table(
    "measurements",
    metadata,
    MeasurementColumns,
    UniqueConstraint("experiment_id", "outcome", "replicate", "revision"),
    Index(None, "change_id"),  # what is new since a watermark
    check("replicate_positive", "replicate >= 1"),
    check("revision_positive", "revision >= 1"),
    check("first_supersedes_nothing", "(revision = 1) = (supersedes_id IS NULL)"),
    finite("value"),
    check("value_or_retraction", "value IS NOT NULL OR revision > 1"),
    one_of("bound", ("below", "above")),
    finite("sd"),
    check("sd_not_negative", "sd >= 0"),
    check("n_positive", "n >= 1"),
)


micrographs = Table(
    "micrographs",
    metadata,
    MicrographColumns,
    UniqueConstraint("experiment_id", "sha256"),
    Index(None, "sha256"),
    Index(None, "change_id"),
    check("sha256_length", "length(sha256) = 64"),
    check("size_positive", "width_px > 0 AND height_px > 0 AND n_bytes > 0"),
    check("nm_per_pixel_positive", "nm_per_pixel > 0"),
    finite("nm_per_pixel"),
    check("scale_has_source", "nm_per_pixel IS NULL OR nm_per_pixel_source IS NOT NULL"),
    check(
        "crop_whole",
        "(crop_left IS NULL) = (crop_top IS NULL) AND (crop_left IS NULL) = (crop_right IS NULL) "
        "AND (crop_left IS NULL) = (crop_bottom IS NULL)",
    ),
    check(
        "crop_inside",
        "0 <= crop_left AND crop_left < crop_right AND crop_right <= width_px "
        "AND 0 <= crop_top AND crop_top < crop_bottom AND crop_bottom <= height_px",
    ),
)


picture_removals = Table(
    "picture_removals",
    metadata,
    PictureRemovalColumns,
    Index(None, "micrograph_id", "id"),
    Index(None, "experiment_id"),
)


picture_corrections = Table(
    "picture_corrections",
    metadata,
    PictureCorrectionColumns,
    Index(None, "micrograph_id", "id"),
    Index(None, "experiment_id"),
    Index(None, "change_id"),
    one_of("kind", CorrectionKind),
    check("second_place", "(x_to IS NULL) = (y_to IS NULL) AND (x_to IS NULL) = (kind = 'delete')"),
    check("length_of_scale", "(length_nm IS NULL) = (kind <> 'scale')"),
    check("length_nm_positive", "length_nm > 0"),
    *(finite(name) for name in ("x", "y", "x_to", "y_to", "length_nm")),
)
