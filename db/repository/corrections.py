"""What people corrected on pictures: further rows only, one that takes another back among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, insert, select
from sqlalchemy.engine import Connection

from db.errors import ConflictError
from db.records import CorrectionKind, CorrectionRecord
from db.repository.scope import Scope
from db.tables import changes
from db.tables import micrographs as p
from db.tables import picture_corrections as k

_PLACE = ("kind", "x", "y", "x_to", "y_to", "length_nm")
_COLUMNS = (
    "id",
    "change_id",
    "experiment_id",
    "micrograph_id",
    *_PLACE,
    "note",
    "undoes_id",
    "former",
)


class Corrections:
    """The corrections of pictures. What follows from them is the caller's to measure."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def add(
        self,
        micrograph_id: int,
        *,
        kind: CorrectionKind,
        x: float,
        y: float,
        x_to: float | None = None,
        y_to: float | None = None,
        length_nm: float | None = None,
        former: Mapping[str, Any],
        note: str | None = None,
        undoes_id: int | None = None,
    ) -> int:
        """Record a correction, and return its number.

        Args:
            micrograph_id: of which picture.
            kind: what it does.
            x: column of its first place [px]; ``y`` its row.
            y: see ``x``.
            x_to: column of its second place, if it has one; ``y_to`` its row.
            y_to: see ``x_to``.
            length_nm: what lies between the two, of a scale.
            former: pixel size and statistics as they were before.
            note: why.
            undoes_id: the correction that this one takes back.

        Raises:
            ConflictError: no such picture, or a correction that cannot be.
        """
        owner = select(p.c.experiment_id).where(p.c.id == micrograph_id)
        experiment_id = self._scope.connection.execute(owner).scalar_one_or_none()
        if experiment_id is None:
            raise ConflictError(f"there is no micrograph {micrograph_id}")
        self._scope.require_run(experiment_id)
        values = {
            "experiment_id": experiment_id,
            "micrograph_id": micrograph_id,
            "kind": str(kind),
            "x": x,
            "y": y,
            "x_to": x_to,
            "y_to": y_to,
            "length_nm": length_nm,
            "note": note,
            "undoes_id": undoes_id,
            "former": dict(former),
            "change_id": self._scope.change_id,
        }
        statement = insert(k).values(values).returning(k.c.id)
        return int(self._scope.connection.execute(statement).scalar_one())

    def take_back(self, id_: int, *, former: Mapping[str, Any], note: str | None = None) -> int:
        """Record that a correction counts no more.

        Raises:
            ConflictError: there is none of that number that counts.
        """
        record = self.get(id_)
        if record is None or id_ not in {item.id for item in self.current(record.micrograph_id)}:
            raise ConflictError(f"there is no correction {id_} to take back")
        place: dict[str, Any] = {name: getattr(record, name) for name in _PLACE}
        return self.add(record.micrograph_id, **place, former=former, note=note, undoes_id=id_)

    def get(self, id_: int) -> CorrectionRecord | None:
        """Return a correction by its number."""
        if not 0 < id_ < 2**63:
            return None
        records = _read(self._scope.connection, _select().where(k.c.id == id_))
        return records[0] if records else None

    def all_of(self, micrograph_id: int) -> list[CorrectionRecord]:
        """Return every correction of a picture, those taken back and takings back, oldest first."""
        return corrections_of(self._scope.connection, micrograph_id)

    def current(self, micrograph_id: int) -> list[CorrectionRecord]:
        """Return the corrections of a picture that count, oldest first."""
        return current_of(self.all_of(micrograph_id))


def corrections_of(connection: Connection, micrograph_id: int) -> list[CorrectionRecord]:
    """Return every correction of a picture, oldest first."""
    statement = _select().where(k.c.micrograph_id == micrograph_id)
    return _read(connection, statement.order_by(k.c.id))


def current_of(records: list[CorrectionRecord]) -> list[CorrectionRecord]:
    """Return those of a picture's corrections that count."""
    undone = {record.undoes_id for record in records}
    return [record for record in records if record.undoes_id is None and record.id not in undone]


def place_of(record: CorrectionRecord) -> tuple[Any, ...]:
    """Return what a correction says, without its number and who recorded it when."""
    return tuple(getattr(record, name) for name in _PLACE)


def _select() -> Select[*tuple[Any, ...]]:
    columns = [k.c[name] for name in _COLUMNS]
    statement = select(*columns, changes.c.at, changes.c.actor)
    return statement.join(changes, changes.c.id == k.c.change_id)


def _read(connection: Connection, statement: Select[*tuple[Any, ...]]) -> list[CorrectionRecord]:
    return [
        CorrectionRecord(
            **{name: getattr(row, name) for name in _COLUMNS if name != "kind"},
            kind=CorrectionKind(row.kind),
            recorded_at=row.at,
            recorded_by=row.actor,
        )
        for row in connection.execute(statement)
    ]
