"""Tensile curves: how a file was read, the specimen, and what was found on each curve."""

from __future__ import annotations

from typing import Any

from pydantic import AliasPath, Field

from engine.documents import Document, Moment


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
