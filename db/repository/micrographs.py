"""Micrographs: pictures by content hash, kept under the data folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, insert, select, update

from db.errors import ConflictError
from db.records import MicrographRecord
from db.repository.assembly import micrograph_record, not_removed, select_micrographs
from db.repository.scope import Scope
from db.tables import experiments as e
from db.tables import micrographs as p
from db.tables import picture_removals as r


class Micrographs:
    """The pictures of the mats. The files themselves are the caller's to keep."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def paths(self) -> set[str]:
        """Return where the pictures of every campaign lie, below the data folder."""
        return set(self._scope.connection.execute(select(p.c.path)).scalars())

    def add(
        self,
        experiment_id: int,
        *,
        sha256: str,
        path: str,
        original_name: str,
        width_px: int,
        height_px: int,
        n_bytes: int,
        nm_per_pixel: float | None = None,
        nm_per_pixel_source: str | None = None,
        rotation_axis: str | None = None,
        crop: tuple[int, int, int, int] | None = None,
        statistics: Mapping[str, Any] | None = None,
    ) -> MicrographRecord:
        """Register a picture.

        Args:
            experiment_id: what was spun.
            sha256: of the file's bytes, 64 hexadecimal digits.
            path: where the file is, relative to the data folder.
            original_name: what the file was called.
            width_px: width of the whole picture.
            height_px: height of the whole picture.
            n_bytes: size of the file.
            nm_per_pixel: pixel size in nm; needs its source.
            nm_per_pixel_source: where the pixel size was read from.
            rotation_axis: how the collector's rotation axis lies in the picture.
            crop: box without the data bar: left, top, right, bottom in pixels.
            statistics: measured microstructure, plain JSON types.

        Raises:
            ConflictError: the experiment has that picture already, or a size that cannot be.
        """
        self._scope.require_run(experiment_id)
        left_px, top_px, right_px, bottom_px = crop or (None, None, None, None)
        values = {
            "experiment_id": experiment_id,
            "sha256": sha256,
            "path": path,
            "original_name": original_name,
            "width_px": width_px,
            "height_px": height_px,
            "n_bytes": n_bytes,
            "nm_per_pixel": nm_per_pixel,
            "nm_per_pixel_source": nm_per_pixel_source,
            "rotation_axis": rotation_axis,
            "crop_left": left_px,
            "crop_top": top_px,
            "crop_right": right_px,
            "crop_bottom": bottom_px,
            "statistics": None if statistics is None else dict(statistics),
            "change_id": self._scope.change_id,
        }
        statement = insert(p).values(values).returning(p.c.id)
        id_ = self._scope.connection.execute(statement).scalar_one()
        return self._select(select_micrographs().where(p.c.id == id_))[0]

    def get(self, id_: int) -> MicrographRecord | None:
        """Return a picture by its number, one that was removed, too."""
        # SQLite's driver raises OverflowError beyond; an address may hold any number.
        if not 0 < id_ < 2**63:
            return None
        records = self._select(select_micrographs().where(p.c.id == id_))
        return records[0] if records else None

    def set_measured(self, record: MicrographRecord) -> None:
        """Replace what was read off a picture: scale, rotation axis, crop and statistics.

        They follow from the file, which never changes, and from the corrections that count, which
        keep what stood before: the row holds the newest reading only.

        Raises:
            ConflictError: a scale, axis or crop that cannot be.
        """
        self._scope.require_run(record.experiment_id)
        assert self._scope.change_id  # noqa: S101 -- who measured it anew, and when
        left_px, top_px, right_px, bottom_px = record.crop or (None, None, None, None)
        values = {
            "nm_per_pixel": record.nm_per_pixel,
            "nm_per_pixel_source": record.nm_per_pixel_source,
            "rotation_axis": record.rotation_axis,
            "crop_left": left_px,
            "crop_top": top_px,
            "crop_right": right_px,
            "crop_bottom": bottom_px,
            "statistics": None if record.statistics is None else dict(record.statistics),
        }
        self._scope.connection.execute(update(p).where(p.c.id == record.id).values(values))

    def remove(self, id_: int, *, note: str | None = None) -> None:
        """Take a picture away from its run: a further row says so, and the file stays.

        Raises:
            ConflictError: there is no such picture, or it is removed already.
        """
        self._set_removed(id_, is_removed=True, note=note)

    def put_back(self, id_: int, *, note: str | None = None) -> None:
        """Give a picture back to its run.

        Raises:
            ConflictError: there is no such picture, or it is not removed.
        """
        self._set_removed(id_, is_removed=False, note=note)

    def is_removed(self, id_: int) -> bool:
        """Whether a picture was taken away from its run."""
        statement = select(r.c.is_removed).where(r.c.micrograph_id == id_)
        newest = statement.order_by(r.c.id.desc()).limit(1)
        return bool(self._scope.connection.execute(newest).scalar_one_or_none())

    def removed_twin(self, experiment_id: int, sha256: str) -> int | None:
        """Return a picture with that content that was taken away from a run, if there is one."""
        statement = select(p.c.id).where(p.c.experiment_id == experiment_id, p.c.sha256 == sha256)
        removed = statement.where(~not_removed())
        return self._scope.connection.execute(removed).scalar_one_or_none()

    def _set_removed(self, id_: int, *, is_removed: bool, note: str | None) -> None:
        record = self.get(id_)
        if record is None or self.is_removed(id_) == is_removed:
            state = "there to remove" if is_removed else "removed"
            raise ConflictError(f"no micrograph {id_} is {state}")
        row = {
            "experiment_id": record.experiment_id,
            "micrograph_id": id_,
            "is_removed": is_removed,
            "note": note,
            "change_id": self._scope.change_id,
        }
        self._scope.connection.execute(insert(r).values(row))

    def find(
        self, campaign_id: int, sha256: str, *, with_removed: bool = False
    ) -> MicrographRecord | None:
        """Return the first picture of a campaign's runs with that content, if there is one.

        ``with_removed``: also one that was taken off its run.
        """
        statement = (
            select_micrographs()
            .join(e, e.c.id == p.c.experiment_id)
            .where(e.c.campaign_id == campaign_id, p.c.sha256 == sha256)
            .order_by(p.c.id)
            .limit(1)
        )
        if not with_removed:
            statement = statement.where(not_removed())
        records = self._select(statement)
        return records[0] if records else None

    def count_unmeasured(self, campaign_id: int) -> int:
        """Return how many pictures of a campaign have no statistics yet."""
        statement = (
            select(func.count())
            .select_from(p)
            .join(e, e.c.id == p.c.experiment_id)
            .where(e.c.campaign_id == campaign_id, p.c.statistics.is_(None), not_removed())
        )
        return self._scope.connection.execute(statement).scalar_one()

    def unmeasured(self, campaign_id: int) -> Sequence[int]:
        """Return the numbers of a campaign's pictures without statistics."""
        statement = (
            select(p.c.id)
            .join(e, e.c.id == p.c.experiment_id)
            .where(e.c.campaign_id == campaign_id, p.c.statistics.is_(None), not_removed())
            .order_by(p.c.id)
        )
        return self._scope.connection.execute(statement).scalars().all()

    def _select(self, statement: Select[*tuple[Any, ...]]) -> list[MicrographRecord]:
        return [micrograph_record(row) for row in self._scope.connection.execute(statement)]

    def all_of(self, experiment_id: int) -> list[MicrographRecord]:
        """Return an experiment's pictures in the order they came."""
        statement = select_micrographs().where(p.c.experiment_id == experiment_id, not_removed())
        return self._select(statement.order_by(p.c.id))
