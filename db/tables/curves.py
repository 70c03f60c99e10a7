"""Tensile curves: which specimen each is of, its samples, and every reading of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    Named,
    String,
    Table,
    TypedColumns,
    UniqueConstraint,
)

from db.tables.common import WithChange, check, finite, metadata
from db.types import Json

GEOMETRY = ("width_mm", "thickness_mm", "gauge_mm", "area_mm2")


class CurveArrayColumns(TypedColumns):
    """Samples of one curve, compressed, by the hash of what they are uncompressed."""

    sha256: Named[str] = Column(String, primary_key=True)
    n_points: Named[int]
    channels: Named[Any] = Column(Json)
    data: Named[bytes] = Column(LargeBinary)


class CurveColumns(WithChange):
    """One specimen's curve; ``path`` of the tester's file counts from the data folder."""

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    direction: Named[str | None] = Column(String)
    replicate: Named[int]
    specimen: Named[str] = Column(String)
    number: Named[int]
    array_sha256: Named[str] = Column(ForeignKey("curve_arrays.sha256"))
    sha256: Named[str] = Column(String)
    path: Named[str] = Column(String)
    original_name: Named[str] = Column(String)
    n_bytes: Named[int] = Column(BigInteger)
    reading: Named[Any] = Column(Json)


class CurveFitColumns(WithChange):
    """What was read off a curve, with geometry and definitions; none where it was taken back."""

    experiment_id: Named[int] = Column(ForeignKey("experiments.id"))
    curve_id: Named[int] = Column(ForeignKey("curves.id"))
    revision: Named[int]
    width_mm: Named[float | None] = Column(Double)
    thickness_mm: Named[float | None] = Column(Double)
    gauge_mm: Named[float | None] = Column(Double)
    area_mm2: Named[float | None] = Column(Double)
    sources: Named[Any] = Column(Json)
    definitions: Named[Any] = Column(Json)
    results: Named[Any] = Column(Json, nullable=True)


curve_arrays = Table(
    "curve_arrays",
    metadata,
    CurveArrayColumns,
    check("sha256_length", "length(sha256) = 64"),
    check("n_points_positive", "n_points > 0"),
)


curves = Table(
    "curves",
    metadata,
    CurveColumns,
    UniqueConstraint("experiment_id", "array_sha256"),
    Index(None, "array_sha256"),
    Index(None, "sha256"),
    Index(None, "change_id"),
    check("sha256_length", "length(sha256) = 64"),
    check("size_positive", "n_bytes > 0"),
    check("replicate_positive", "replicate >= 1"),
    check("number_positive", "number >= 1"),
)


curve_fits = Table(
    "curve_fits",
    metadata,
    CurveFitColumns,
    UniqueConstraint("curve_id", "revision"),
    Index(None, "experiment_id", "id"),
    Index(None, "change_id"),
    check("revision_positive", "revision >= 1"),
    *(check(f"{name}_positive", f"{name} > 0") for name in GEOMETRY),
    *(finite(name) for name in GEOMETRY),
)
