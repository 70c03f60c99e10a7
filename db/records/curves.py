"""Tensile curves: specimen, samples, and what was read off them by which definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class CurveFitRecord:
    """One reading of a curve: geometry [mm, mm²], definitions, results as plain JSON types.

    ``results`` is ``None`` where the curve was taken back.
    """

    id: int
    curve_id: int
    revision: int
    definitions: Mapping[str, str]
    results: Mapping[str, Any] | None
    change_id: int
    recorded_at: datetime
    recorded_by: str
    width_mm: float | None = None
    thickness_mm: float | None = None
    gauge_mm: float | None = None
    area_mm2: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CurveRecord:
    """One specimen's curve with its newest reading; the file is kept under the data folder."""

    id: int
    experiment_id: int
    direction: str | None
    replicate: int
    specimen: str
    number: int
    """Its place in the file, from 1."""

    array_sha256: str
    sha256: str
    path: str
    original_name: str
    n_bytes: int
    reading: Mapping[str, Any]
    """How the file was read, and what it says of the specimen."""

    fit: CurveFitRecord

    @property
    def is_withdrawn(self) -> bool:
        """Whether the curve was taken back."""
        return self.fit.results is None


@dataclass(frozen=True)
class CurveArrayRecord:
    """Samples of a curve, compressed; ``channels`` says what they are."""

    sha256: str
    n_points: int
    channels: tuple[Mapping[str, Any], ...]
    data: bytes
