"""Corrections of pictures: further rows only; one taken back stays, and is taken back once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command

from db.errors import ConflictError
from db.migrating import alembic_config, migration_engine
from db.records import CorrectionKind
from db.schema import check, upgrade
from db.session import Database

OLD = Path(__file__).parent / "revisions"
BOX: dict[str, Any] = {
    "kind": CorrectionKind.EXCLUDE,
    "x": 1.0,
    "y": 2.0,
    "x_to": 30.0,
    "y_to": 40.0,
}
FORMER = {"nm_per_pixel": 5.0, "nm_per_pixel_source": "stated", "statistics": {"order": 0.5}}


@pytest.fixture
def kept(tmp_path: Path) -> Database:
    file = tmp_path / "old.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((OLD / "0012.sql").read_text(encoding="utf-8"))
    upgrade(f"sqlite:///{file}")
    assert check(f"sqlite:///{file}") == []
    return Database.open(f"sqlite:///{file}")


def test_a_correction_counts_until_it_is_taken_back(kept: Database) -> None:
    with kept, kept.write("micrograph correct") as tx:
        first = tx.corrections.add(1, **BOX, former=FORMER, note="a scratch")
        scale = tx.corrections.add(
            1, kind=CorrectionKind.SCALE, x=0.0, y=0.0, x_to=8.0, y_to=0.0, length_nm=500.0,
            former=FORMER,
        )  # fmt: skip
        assert [one.id for one in tx.corrections.current(1)] == [first, scale]
        before = tx.experiments.version(1)
    with kept, kept.write("micrograph correct") as tx:
        undoing = tx.corrections.take_back(first, former={})
    with kept, kept.read() as tx:
        assert [one.id for one in tx.corrections.current(1)] == [scale]
        rows = tx.corrections.all_of(1)
        assert [(one.id, one.undoes_id) for one in rows][-1] == (undoing, first)
        assert rows[0].former == FORMER
        assert (rows[-1].x, rows[-1].y_to, rows[0].note) == (1.0, 40.0, "a scratch")
        assert tx.experiments.version(1) > before
        events = [one for one in tx.experiments.trail(1) if one.kind == "correction"]
        assert [(one.value, one.replicate) for one in events] == [
            ("exclude", first), ("scale", scale), (None, first),
        ]  # fmt: skip
        touched = tx.experiments.touched(rows[-1].change_id)
        assert [(one.kind, one.former.id, one.is_current) for one in touched] == [
            ("correction", first, True)
        ]
    with kept, pytest.raises(ConflictError, match="no correction"), kept.write("x") as tx:
        tx.corrections.take_back(first, former={})


@pytest.mark.parametrize(
    "wrong",
    [
        {"x_to": None},
        {"length_nm": 5.0},
        {"kind": CorrectionKind.DELETE},
        {"kind": CorrectionKind.SCALE},
        {"kind": CorrectionKind.SCALE, "length_nm": -1.0},
        {"x": float("inf")},
    ],
)
def test_what_cannot_be_is_refused(kept: Database, wrong: dict[str, Any]) -> None:
    with kept, pytest.raises(ConflictError), kept.write("x") as tx:
        tx.corrections.add(1, **{**BOX, **wrong}, former={})


def test_corrections_keep_their_revision(kept: Database) -> None:
    url = kept.url
    with kept, kept.write("micrograph correct") as tx:
        tx.corrections.add(1, **BOX, former=FORMER)
    engine = migration_engine(url)
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(RuntimeError, match="1 rows of picture_corrections"):
            command.downgrade(config, "0012")
    engine.dispose()
