"""A database of each released revision, kept as a small file: upgraded and taken back on both.

On PostgreSQL the old tables are made by the old migrations (a released one is never edited) and
filled with the rows of the kept file.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from postgres_server import libpq
from sqlalchemy import CheckConstraint, text

from db.errors import ConflictError
from db.migrating import alembic_config, migration_engine, migration_options
from db.records import Status
from db.revisions import HEAD, REVISIONS
from db.schema import check, upgrade
from db.session import Database
from db.tables import metadata

OLD = Path(__file__).parent / "revisions"


def move(url: str, revision: str, *, down: bool = False) -> None:
    """Bring a database to a revision, in one transaction."""
    engine = migration_engine(url)
    try:
        with engine.begin() as connection:
            config = alembic_config()
            config.attributes["connection"] = connection
            (command.downgrade if down else command.upgrade)(config, revision)
    finally:
        engine.dispose()


def old_rows(path: Path) -> Iterator[tuple[str, list[str], list[tuple[Any, ...]]]]:
    """Give each table's name, columns and rows as SQLite keeps them."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' "
            "AND name <> 'alembic_version'"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f'SELECT * FROM "{table}"')
            yield table, [column[0] for column in rows.description], rows.fetchall()


def fill_postgres(url: str, path: Path) -> None:
    """Copy the rows of an old SQLite database into the same old tables on a server."""
    with psycopg.connect(libpq(url)) as connection:
        connection.execute("SET session_replication_role = replica")  # foreign keys wait
        for table, names, rows in old_rows(path):
            types = dict(
                connection.execute(
                    "SELECT column_name, data_type FROM information_schema.columns "
                    "WHERE table_name = %s",
                    [table],
                ).fetchall()
            )
            columns = ", ".join(f'"{name}"' for name in names)
            places = ", ".join(["%s"] * len(names))
            for row in rows:
                values = [in_postgres(v, types[n]) for v, n in zip(row, names, strict=True)]
                connection.execute(
                    f'INSERT INTO "{table}" ({columns}) VALUES ({places})',  # type: ignore[arg-type]
                    values,
                )
            if rows and "id" in types and types["id"] == "integer":
                connection.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) "  # type: ignore[arg-type]
                    f'FROM "{table}"'
                )


def in_postgres(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "boolean":
        return bool(value)
    if kind == "ARRAY":
        return array("f", value).tolist()  # of a blob
    return f"{value}+00" if kind == "timestamp with time zone" else value


@pytest.fixture(params=REVISIONS)
def revision(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def old_file(tmp_path: Path, revision: str) -> Path:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((OLD / f"{revision}.sql").read_text(encoding="utf-8"))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def old_url(request: pytest.FixtureRequest, old_file: Path, revision: str) -> str:
    """Return the URL of a database of an old revision, with rows, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{old_file}"
    url = str(request.getfixturevalue("empty_postgres_url"))
    move(url, revision)
    fill_postgres(url, old_file)
    return url


def what_it_knows(url: str) -> None:
    with Database.open(url) as database, database.read() as tx:
        campaign = tx.campaigns.active()
        assert campaign is not None
        record, proposed = tx.experiments.find(campaign.id)
        first = tx.experiments.find(campaign.id, watermark=2)
    assert record.replicates() == {"elongation.longitudinal": (81.0, 84.0)}
    assert record.conditions == {"voltage": 17.8, "polymer": "PCL"}
    assert first[0].replicates() == {"elongation.longitudinal": (80.0, 84.0)}
    assert proposed.proposal is not None


def test_an_old_database_is_upgraded(old_url: str, revision: str) -> None:
    assert upgrade(old_url) == (revision, HEAD)
    assert check(old_url) == []
    what_it_knows(old_url)
    with Database.open(old_url) as database, database.write("go on") as tx:
        tx.campaigns.create("another", {})


def test_a_full_database_can_be_taken_back(old_url: str) -> None:
    upgrade(old_url)
    move(old_url, REVISIONS[0], down=True)
    assert upgrade(old_url) == (REVISIONS[0], HEAD)
    assert check(old_url) == []
    what_it_knows(old_url)


def test_what_takes_something_back_keeps_its_revision(old_url: str) -> None:
    upgrade(old_url)
    with Database.open(old_url) as database, database.write("retract") as tx:
        tx.measurements.retract(1, "elongation.longitudinal", 2)
        tx.experiments.unset_actual(1, "voltage")
    with pytest.raises(RuntimeError, match="take something back"):
        move(old_url, "0006", down=True)
    assert check(old_url) == []
    with Database.open(old_url) as database, database.read() as tx:
        run = tx.experiments.get(1)
    assert run is not None
    assert run.replicates() == {"elongation.longitudinal": (81.0,)}
    assert "voltage" not in run.actual


def test_facts_of_runs_keep_their_revision(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((OLD / "0010.sql").read_text(encoding="utf-8"))
    url = f"sqlite:///{file}"
    upgrade(url)
    with Database.open(url) as database, database.write("log") as tx:
        tx.experiments.set_facts(1, {"lot": "A17", "needle": None})
    with pytest.raises(RuntimeError, match="are facts of runs: keep revision 0011"):
        move(url, "0010", down=True)
    with Database.open(url) as database, database.read() as tx:
        run = tx.experiments.get(1)
    assert run is not None
    assert run.facts == {"lot": "A17"}
    assert run.conditions == {"voltage": 17.8, "polymer": "PCL"}


def test_failures_of_another_kind_keep_their_revision(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((OLD / "0011.sql").read_text(encoding="utf-8"))
    refuses_other_failures(f"sqlite:///{file}")


def refuses_other_failures(url: str) -> None:
    upgrade(url)
    with Database.open(url) as database, database.write("log") as tx:
        tx.experiments.set_status(2, Status.FAILED, failure="beads")
    move(url, "0011", down=True)
    upgrade(url)
    with Database.open(url) as database:
        with database.write("log") as tx:
            tx.experiments.set_status(2, Status.FAILED, failure="gelled")
        with database.write("log") as tx:
            tx.experiments.set_status(2, Status.FAILED, failure="drips")
        # An earlier state counts as well: the trail holds it.
        with pytest.raises(RuntimeError, match=r"1 rows of status_changes .* keep revision 0012"):
            move(url, "0011", down=True)
        for word in ("", "x" * 81):
            with pytest.raises(ConflictError, match="failure"), database.write("log") as tx:
                tx.experiments.set_status(2, Status.FAILED, failure=word)
        with database.read() as tx:
            run = tx.experiments.get(2)
    assert run is not None
    assert run.failure == "drips"
    assert check(url) == []


def test_the_kept_tables_are_those_that_the_migrations_make(tmp_path: Path, revision: str) -> None:
    kept, made = tmp_path / "kept.db", tmp_path / "made.db"
    with closing(sqlite3.connect(kept)) as connection:
        connection.executescript((OLD / f"{revision}.sql").read_text(encoding="utf-8"))
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    move(f"sqlite:///{made}", revision)
    assert columns_of(kept) == columns_of(made)


def columns_of(path: Path) -> set[tuple[Any, ...]]:
    """Return every column: table, name, type, whether it may be null, default, key."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            (table, *column)
            for table, _, _ in old_rows(path)
            for _, *column in connection.execute(f'PRAGMA table_info("{table}")')
        }


class TestOnPostgreSQL:
    def test_failures_of_another_kind_keep_their_revision(
        self, empty_postgres_url: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "old.db"
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript((OLD / "0011.sql").read_text(encoding="utf-8"))
        move(empty_postgres_url, "0011")
        fill_postgres(empty_postgres_url, file)
        refuses_other_failures(empty_postgres_url)

    def test_the_migrations_make_what_the_models_say(self, postgres_url: str) -> None:
        engine = migration_engine(postgres_url)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=migration_options())
            assert compare_metadata(context, metadata) == []
            found = connection.execute(
                text(
                    "SELECT conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid "
                    "WHERE contype = 'c' AND relnamespace = 'public'::regnamespace"
                )
            )
            checks = set(found.scalars())
            partial = connection.execute(
                text(
                    "SELECT c.relname FROM pg_index i "
                    "JOIN pg_class c ON c.oid = i.indexrelid WHERE indpred IS NOT NULL"
                )
            )
            conditions = {row.relname for row in partial}
        engine.dispose()
        expected = {
            str(constraint.name)
            for table in metadata.tables.values()
            for constraint in table.constraints
            if isinstance(constraint, CheckConstraint)
            and not getattr(constraint, "_type_bound", False)  # PostgreSQL has booleans
        }
        assert checks == {name if len(name) <= 63 else name[:63] for name in expected}
        where = {
            str(index.name)
            for table in metadata.tables.values()
            for index in table.indexes
            if index.dialect_options["sqlite"]["where"] is not None
        }
        assert conditions == where

    def test_everything_can_be_taken_back(self, empty_postgres_url: str) -> None:
        url = empty_postgres_url
        move(url, "head")
        move(url, "base", down=True)
        move(url, "head")
        assert check(url) == []
