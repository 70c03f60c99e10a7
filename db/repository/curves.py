"""Tensile curves: samples by content hash, specimens, and readings that supersede one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, select
from sqlalchemy.engine import Connection

from db.records import CurveArrayRecord, CurveFitRecord, CurveRecord
from db.repository.scope import Scope
from db.tables import changes
from db.tables import curve_arrays as a
from db.tables import curve_fits as f
from db.tables import curves as c
from db.tables import experiments as e
from db.tables.curves import GEOMETRY

_OF_CURVE = ("experiment_id", "direction", "replicate", "specimen", "number", "array_sha256",
             "sha256", "path", "original_name", "n_bytes", "reading")  # fmt: skip
_OF_FIT = ("id", "curve_id", "revision", "change_id", "definitions", "results", "sources")


class Curves:
    """The tensile curves of the mats. The testers' files are the caller's to keep."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def add_array(self, array: CurveArrayRecord) -> None:
        """Keep samples, unless that content is there already."""
        statement = select(a.c.sha256).where(a.c.sha256 == array.sha256)
        if self._scope.connection.execute(statement).first() is None:
            values = {
                "sha256": array.sha256,
                "n_points": array.n_points,
                "channels": [dict(channel) for channel in array.channels],
                "data": array.data,
            }
            self._scope.connection.execute(insert(a).values(values))

    def array(self, sha256: str) -> CurveArrayRecord | None:
        """Return samples by their hash."""
        statement = select(a.c.sha256, a.c.n_points, a.c.channels, a.c.data)
        row = self._scope.connection.execute(statement.where(a.c.sha256 == sha256)).one_or_none()
        if row is None:
            return None
        return CurveArrayRecord(row.sha256, row.n_points, tuple(row.channels), bytes(row.data))

    def add(self, experiment_id: int, **values: Any) -> int:
        """Register a specimen's curve, whose samples are kept already, and return its number.

        ``values``: the fields of :class:`CurveRecord` but its id and reading. A reading of it has
        to follow in the same transaction.

        Raises:
            ConflictError: the experiment has that curve already.
        """
        row = {"experiment_id": experiment_id, **values, "change_id": self._scope.change_id}
        self._scope.require_run(experiment_id)
        statement = insert(c).values(row).returning(c.c.id)
        return int(self._scope.connection.execute(statement).scalar_one())

    def add_fit(
        self,
        curve_id: int,
        *,
        geometry: Mapping[str, float | None],
        sources: Mapping[str, str],
        definitions: Mapping[str, str],
        results: Mapping[str, Any] | None,
    ) -> CurveRecord:
        """Record a reading of a curve, which supersedes the one before; both stay.

        Args:
            curve_id: which curve.
            geometry: of the specimen, in mm and mm², by the columns' names.
            sources: where each measure comes from.
            definitions: how each property was defined, in the configuration's words.
            results: what was read off, plain JSON types; none where the curve is taken back.

        Raises:
            ConflictError: a geometry that cannot be.
        """
        newest = select(func.coalesce(func.max(f.c.revision), 0)).where(f.c.curve_id == curve_id)
        owner = select(c.c.experiment_id).where(c.c.id == curve_id)
        values = {
            "experiment_id": self._scope.connection.execute(owner).scalar_one(),
            "curve_id": curve_id,
            "revision": self._scope.connection.execute(newest).scalar_one() + 1,
            **{name: geometry.get(name) for name in GEOMETRY},
            "sources": dict(sources),
            "definitions": dict(definitions),
            "results": None if results is None else dict(results),
            "change_id": self._scope.change_id,
        }
        self._scope.connection.execute(insert(f).values(values))
        record = self.get(curve_id)
        assert record is not None  # noqa: S101 -- it has a reading now
        return record

    def withdraw(self, curve_id: int) -> CurveRecord:
        """Record that a curve counts no more; its measurements are the caller's to retract."""
        fit = self.fits(curve_id)[-1]
        return self._repeat(fit, None)

    def restore(self, fit: CurveFitRecord) -> CurveRecord:
        """Record an earlier reading of a curve once more, so that it counts again."""
        return self._repeat(fit, fit.results)

    def _repeat(self, fit: CurveFitRecord, results: Mapping[str, Any] | None) -> CurveRecord:
        return self.add_fit(
            fit.curve_id,
            geometry={name: getattr(fit, name) for name in GEOMETRY},
            sources=fit.sources,
            definitions=fit.definitions,
            results=results,
        )

    def get(self, id_: int) -> CurveRecord | None:
        """Return a curve by its number, with its newest reading."""
        # SQLite's driver raises OverflowError beyond; an address may hold any number.
        if not 0 < id_ < 2**63:
            return None
        records = self._read(c.c.id == id_)
        return records[0] if records else None

    def all_of(self, experiment_id: int) -> list[CurveRecord]:
        """Return an experiment's curves in the order they came, those taken back included."""
        return self._read(c.c.experiment_id == experiment_id)

    def find(self, campaign_id: int, *, watermark: int | None = None) -> list[CurveRecord]:
        """Return a campaign's curves, run by run; with a watermark as they were read then."""
        its = select(e.c.id).where(e.c.campaign_id == campaign_id)
        return self._read(c.c.experiment_id.in_(its), watermark)

    def twins(self, campaign_id: int, array_sha256: str) -> list[CurveRecord]:
        """Return the curves of a campaign with these very samples."""
        its = select(e.c.id).where(e.c.campaign_id == campaign_id)
        return self._read(and_(c.c.array_sha256 == array_sha256, c.c.experiment_id.in_(its)))

    def fits(self, curve_id: int) -> list[CurveFitRecord]:
        """Return every reading of a curve, oldest first."""
        return fits_of(self._scope.connection, curve_id)

    def paths(self) -> set[str]:
        """Return where the testers' files of every campaign lie, below the data folder."""
        return set(self._scope.connection.execute(select(c.c.path)).scalars())

    def array_hashes(self) -> list[str]:
        """Return the hashes of all samples that are kept."""
        return list(
            self._scope.connection.execute(select(a.c.sha256).order_by(a.c.sha256)).scalars()
        )

    def _read(
        self, condition: ColumnElement[bool], watermark: int | None = None
    ) -> list[CurveRecord]:
        columns = [c.c[name] for name in _OF_CURVE]
        statement = select(c.c.id, *columns).where(condition)
        rows = self._scope.connection.execute(statement.order_by(c.c.experiment_id, c.c.id)).all()
        later = f.alias("later")
        supersedes = and_(later.c.curve_id == f.c.curve_id, later.c.revision > f.c.revision)
        if watermark is not None:
            supersedes = and_(supersedes, later.c.change_id <= watermark)
            condition = and_(condition, f.c.change_id <= watermark)
        newest = (
            _select_fits()
            .join(c, c.c.id == f.c.curve_id)
            .outerjoin(later, supersedes)
            .where(condition, later.c.id.is_(None))
        )
        fits = {row.curve_id: _fit_record(row) for row in self._scope.connection.execute(newest)}
        return [
            CurveRecord(
                id=row.id, **{name: getattr(row, name) for name in _OF_CURVE}, fit=fits[row.id]
            )
            for row in rows
            if row.id in fits
        ]


def content_of(fit: CurveFitRecord) -> tuple[Any, ...]:
    """Return what a reading says, without its number and who recorded it when."""
    geometry = tuple(getattr(fit, name) for name in GEOMETRY)
    return geometry, fit.sources, fit.definitions, fit.results


def fits_of(connection: Connection, curve_id: int) -> list[CurveFitRecord]:
    """Return every reading of a curve, oldest first."""
    statement = _select_fits().where(f.c.curve_id == curve_id).order_by(f.c.revision)
    return [_fit_record(row) for row in connection.execute(statement)]


def _select_fits() -> Any:
    columns = [f.c[name] for name in (*_OF_FIT, *GEOMETRY)]
    return select(*columns, changes.c.at, changes.c.actor).join(
        changes, changes.c.id == f.c.change_id
    )


def _fit_record(row: Any) -> CurveFitRecord:
    return CurveFitRecord(
        id=row.id,
        curve_id=row.curve_id,
        revision=row.revision,
        change_id=row.change_id,
        definitions=row.definitions,
        results=row.results,
        recorded_at=row.at,
        recorded_by=row.actor,
        **{name: getattr(row, name) for name in GEOMETRY},
        sources=row.sources,
    )
