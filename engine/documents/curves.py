"""Tensile curves: how a file was read, the specimen, and what was found on each curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from pydantic import AliasPath, Field

from engine.documents import Document, Moment, finite

if TYPE_CHECKING:
    from engine.curves.reading.records import RawCurve


class CurvePropertyOut(Document):
    """One property of a curve in its own unit; without a value, ``missing`` says why.

    ``recorded``: the value in the campaign's unit, where it measures that outcome.
    """

    property: str
    value: float | None
    unit: str
    definition: str
    missing: str | None
    outcome: str | None
    recorded: float | None


class CurveOut(Document):
    """One specimen's curve with its newest reading; no values where it was taken back."""

    curve: int = Field(validation_alias="id")
    experiment: int = Field(validation_alias="experiment_id")
    direction: str | None
    replicate: int
    specimen: str
    original_name: str
    sha256: str
    samples: str = Field(validation_alias="array_sha256")
    reading: dict[str, Any]
    width_mm: float | None = Field(validation_alias=AliasPath("fit", "width_mm"))
    thickness_mm: float | None = Field(validation_alias=AliasPath("fit", "thickness_mm"))
    gauge_mm: float | None = Field(validation_alias=AliasPath("fit", "gauge_mm"))
    area_mm2: float | None = Field(validation_alias=AliasPath("fit", "area_mm2"))
    geometry_from: dict[str, str] = Field(validation_alias=AliasPath("fit", "sources"))
    definitions: dict[str, str] = Field(validation_alias=AliasPath("fit", "definitions"))
    revision: int = Field(validation_alias=AliasPath("fit", "revision"))
    recorded_at: Moment = Field(validation_alias=AliasPath("fit", "recorded_at"))
    recorded_by: str = Field(validation_alias=AliasPath("fit", "recorded_by"))
    is_withdrawn: bool
    values: tuple[CurvePropertyOut, ...] = Field(
        default=(), validation_alias=AliasPath("fit", "results", "values")
    )
    findings: tuple[str, ...] = Field(
        default=(), validation_alias=AliasPath("fit", "results", "findings")
    )
    ending: str | None = Field(default=None, validation_alias=AliasPath("fit", "results", "ending"))


class CurvesOut(Document):
    """The curves of a run."""

    items: tuple[CurveOut, ...]


class ChannelOut(Document):
    """The samples of one quantity, in the unit that the file has."""

    quantity: str
    heading: str
    unit: str | None
    values: tuple[float | None, ...]


class CurvePointsOut(Document):
    """What the tester recorded of a specimen, thinned evenly where asked; ``n``: all points."""

    curve: int
    n: int
    channels: tuple[ChannelOut, ...]

    @classmethod
    def build(cls, id_: int, raw: RawCurve, limit: int) -> Self:
        """Return at most so many points of a curve, its ends among them."""
        n = len(raw.channels[0].values)
        picked: Sequence[int] = range(n)
        if n > limit:
            picked = [round(i * (n - 1) / (limit - 1)) for i in range(limit)]
        channels = (
            ChannelOut(
                quantity=channel.quantity,
                heading=channel.heading,
                unit=channel.unit,
                values=tuple(finite(float(channel.values[i])) for i in picked),
            )
            for channel in raw.channels
        )
        return cls(curve=id_, n=n, channels=tuple(channels))


class CurveValueOut(Document):
    """A measurement that reading a curve changed; without a value it was taken back."""

    curve: int
    outcome: str
    replicate: int
    value: float | None
    superseded: float | None


class RefittedOut(Document):
    """What reading curves anew changed."""

    curves: tuple[CurveOut, ...]
    values: tuple[CurveValueOut, ...]
    unchanged: int = Field(validation_alias="n_unchanged")
    notes: tuple[str, ...]
