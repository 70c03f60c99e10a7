"""A folder of pictures as it was read, without a campaign."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from engine.documents import Document


class PictureReadingOut(Document):
    """What one picture shows, or the ``problem`` with it; lengths in the statistics' unit.

    ``classes`` and ``shares``: middles of classes of diameters, their shares of visible length.
    """

    picture: str = Field(validation_alias="name")
    sample: str
    problem: str | None
    width_px: int | None
    height_px: int | None
    nm_per_pixel: float | None
    nm_per_pixel_source: str | None
    crop: tuple[int, int, int, int] | None
    statistics: dict[str, Any] | None
    n_fibres: int | None
    classes: tuple[float, ...]
    shares: tuple[float, ...]
    warnings: tuple[str, ...]
    resumed: bool = Field(validation_alias="is_resumed")


class EstimateOut(Document):
    """A mean over pictures and its standard error."""

    mean: float | None
    error: float | None


class SampleOut(Document):
    """What all pictures of a sample say."""

    sample: str = Field(validation_alias="name")
    n_pictures: int
    n_failed: int
    n_scaled: int
    n_fibres: int
    diameter_nm: EstimateOut
    sd_nm: float | None
    order: EstimateOut
    porosity: EstimateOut
    bead_fraction: EstimateOut


class FolderReadingOut(Document):
    """Every picture of a folder, and what those of a sample say together."""

    pictures: tuple[PictureReadingOut, ...]
    samples: tuple[SampleOut, ...]
    notes: tuple[str, ...]
    resumed: int = Field(validation_alias="n_resumed")
