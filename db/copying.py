"""A database, or one campaign of it, into another one: SQLite to PostgreSQL and back.

Ids, change ids and with them watermarks stay what they are, so batches replay in the copy. All of
it is written in one transaction, compared row by row with what was read, and only then kept.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    func,
    or_,
    select,
    union,
)
from sqlalchemy.engine import Connection

from db.compatibility import require_head
from db.engines import make_engine
from db.errors import ConflictError, DatabaseError, NotADatabaseError
from db.repository.scope import Scope
from db.schema import create, exists, sqlite_path
from db.session import begin_read, begin_write
from db.tables import campaigns, changes, curve_arrays, curves, experiments, metadata
from db.translate import translated
from db.types import Json, UtcDateTime
from db.urls import display_name, parse_url

_CHUNK = 5_000  # rows
# Who does what at this moment, in processes that know nothing of the copy; and what is computed.
# (Embeddings are made again from the pictures when somebody first retrieves.)
_LEFT_BEHIND = frozenset({"leases", "embeddings"})


@dataclass(frozen=True)
class Copied:
    """What was copied: rows by table, in the order in which they were written."""

    source: str
    target: str
    campaign: str | None
    rows: Mapping[str, int]

    @property
    def n_rows(self) -> int:
        """All rows together."""
        return sum(self.rows.values())


def copy(
    source: str, target: str, *, campaign: str | None = None, draft: Path | None = None
) -> Copied:
    """Copy a database, or one campaign of it, and compare the two.

    Args:
        source: SQLAlchemy URL of a database at this version's revision. It is only read.
        target: URL of a SQLite file that is not there yet, or of a PostgreSQL database without
            rows of Spinneret's.
        campaign: the name of the only one to copy, with the sources that serve all. Users, the
            schedule and tasks stay behind then.
        draft: where to make a SQLite file instead of where ``target`` says.

    Raises:
        DatabaseError: the target holds something, or is the source.
        ConflictError: there is no such campaign, or what was written is not what was read; nothing
            is kept then.
        SchemaMismatchError: the source is of another revision.
    """
    # Parsed, as one database can be spelled with and without its driver.
    if parse_url(source) == parse_url(target):
        name = display_name(source)
        raise DatabaseError(f"copy: {name} cannot be copied onto itself.", place=name)
    with translated(display_name(source), "copy"):
        engine = make_engine(source, busy_timeout_s=30.0)
        try:
            with engine.connect() as connection:
                # One snapshot for counting, copying and comparing: what is written meanwhile is in
                # none of them.
                begin_read(connection)
                require_head(connection, display_name(source))
                plan = _plan(connection, campaign)
                if sqlite_path(target) is not None:
                    rows: dict[str, int] = {}
                    create(
                        target,
                        draft=draft,
                        fill=lambda database: rows.update(_fill(database.url, connection, plan)),
                    )
                else:
                    rows = _into_server(target, connection, plan)
        finally:
            engine.dispose()
    return Copied(display_name(source), display_name(target), campaign, rows)


_Plan = Sequence[tuple[Table, Select[*tuple[Any, ...]]]]


def _into_server(target: str, source: Connection, plan: _Plan) -> dict[str, int]:
    # Made in a transaction of its own; empty tables on a server do no harm if what follows fails.
    if not exists(target):
        create(target)
    return _fill(target, source, plan)


def _fill(target: str, source: Connection, plan: _Plan) -> dict[str, int]:
    with translated(display_name(target), "copy"):
        engine = make_engine(target, busy_timeout_s=30.0)
        try:
            with engine.connect() as connection:
                begin_write(connection)
                _require_empty(connection, display_name(target))
                rows = {}
                for table, query in plan:
                    rows[table.name] = _write(table, query, source, connection)
                for table, query in plan:
                    # After all are written, and before the commit: what differs is rolled back with
                    # the rest.
                    _compare(table, query, source, connection)
                _go_on_counting(source, connection)
                connection.commit()
        finally:
            engine.dispose()
    return rows


def _require_empty(connection: Connection, name: str) -> None:
    require_head(connection, name)
    filled = [
        table.name
        for table in metadata.sorted_tables
        if connection.execute(table.select().limit(1)).first() is not None
    ]
    if filled:
        raise NotADatabaseError(
            f"copy: expected an empty database at {name}, found rows in {', '.join(filled)}; "
            "nothing was written.",
            mend="Name a new one (`createdb`).",
            place=name,
        )


def _plan(connection: Connection, campaign: str | None) -> _Plan:
    """Return which rows of which table are to be copied, parents before children."""
    # `sorted_tables` has parents first, as foreign keys are checked at each row on a server.
    # https://docs.sqlalchemy.org/en/20/core/metadata.html#sqlalchemy.schema.MetaData.sorted_tables
    tables = [table for table in metadata.sorted_tables if table.name not in _LEFT_BEHIND]
    if campaign is None:
        return [(table, _ordered(select(table), table, connection)) for table in tables]
    statement = select(campaigns.c.id).where(campaigns.c.name == campaign)
    id_ = connection.execute(statement).scalar_one_or_none()
    if id_ is None:
        names = ", ".join(connection.execute(select(campaigns.c.name)).scalars()) or "none"
        raise ConflictError(f"copy: there is no campaign '{campaign}'; known: {names}")
    conditions = {table: _of_campaign(table, id_) for table in tables if table is not changes}
    chosen = {table: condition for table, condition in conditions.items() if condition is not None}
    named = [
        select(column).where(condition, column.is_not(None))
        for table, condition in chosen.items()
        for column in table.c
        if column.references(changes.c.id)
    ]
    # The newest change too: what is written later must come after every watermark.
    chosen[changes] = changes.c.id.in_(union(*named, select(func.max(changes.c.id))))
    return [
        (table, _ordered(select(table).where(chosen[table]), table, connection))
        for table in tables
        if table in chosen
    ]


def _of_campaign(table: Table, id_: int) -> ColumnElement[bool] | None:
    if table is campaigns:
        return campaigns.c.id == id_
    if table.name == "sources":
        # Without a campaign a source serves all of them.
        return or_(table.c.campaign_id == id_, table.c.campaign_id.is_(None))
    its = select(experiments.c.id).where(experiments.c.campaign_id == id_)
    if table is curve_arrays:
        hashes = select(curves.c.array_sha256).where(curves.c.experiment_id.in_(its))
        return table.c.sha256.in_(hashes)
    # Tasks have a `campaign_id`, but are work of this machine's queue.
    if "campaign_id" in table.c and table.name != "tasks":
        return table.c.campaign_id == id_
    if "experiment_id" in table.c:
        return table.c.experiment_id.in_(its)
    return None


def _ordered(
    query: Select[*tuple[Any, ...]], table: Table, connection: Connection
) -> Select[*tuple[Any, ...]]:
    return query.order_by(*_key(table, connection))


def _key(table: Table, connection: Connection) -> list[ColumnElement[Any]]:
    """Return the primary key, words by their bytes: servers sort them in other ways too."""
    is_server = connection.dialect.name == "postgresql"
    return [
        # Both sides must come in one order to be compared in step; SQLite compares bytes.
        column.collate("C") if is_server and isinstance(column.type, String) else column
        for column in table.primary_key.columns
    ]


def _chunks(
    connection: Connection, query: Select[*tuple[Any, ...]]
) -> Generator[Sequence[Mapping[str, Any]], None, None]:
    # A cursor on the server: a million rows never lie in memory together.
    with connection.execute(query, execution_options={"yield_per": _CHUNK}) as result:
        for chunk in result.mappings().partitions():
            yield [dict(row) for row in chunk]


def _write(
    table: Table, query: Select[*tuple[Any, ...]], source: Connection, target: Connection
) -> int:
    scope, n_rows = Scope(target, None), 0
    # Bulk loading takes values as they are, past the column types that turn JSON and moments.
    is_plain = not any(
        isinstance(column.type, Json | UtcDateTime | LargeBinary) for column in table.c
    )
    for chunk in _chunks(source, query):
        rows = [dict(row) for row in chunk]
        if is_plain:
            scope.insert_many(table, rows)
        else:
            target.execute(table.insert(), rows)
        n_rows += len(rows)
    return n_rows


def _compare(
    table: Table, query: Select[*tuple[Any, ...]], source: Connection, target: Connection
) -> None:
    written_rows = table.select().order_by(*_key(table, target))
    # Generators hold cursors: closed here, not whenever they are collected.
    with closing(_rows(source, query)) as originals, closing(_rows(target, written_rows)) as copies:
        for row in originals:
            if next(copies, None) != row:
                keys = ", ".join(f"{c.name} {row[c.name]}" for c in table.primary_key.columns)
                raise ConflictError(
                    f"copy: the row of {table.name} with {keys} did not arrive as it is; nothing "
                    "was kept."
                )
        if next(copies, None) is not None:
            raise ConflictError(
                f"copy: {table.name} holds more rows than were read; nothing was kept."
            )


def _rows(
    connection: Connection, query: Select[*tuple[Any, ...]]
) -> Generator[dict[str, Any], None, None]:
    with closing(_chunks(connection, query)) as chunks:
        for chunk in chunks:
            yield from (dict(row) for row in chunk)


def _go_on_counting(source: Connection, target: Connection) -> None:
    """Let new ids on a server follow those of the source."""
    if target.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        if "id" not in table.c or not isinstance(table.c.id.type, Integer):
            continue
        newest = source.execute(select(func.max(table.c.id))).scalar_one()
        if newest is not None:
            # Ids were written explicitly, which does not move a sequence: the next insert would
            # collide.
            sequence = func.pg_get_serial_sequence(table.name, "id")
            target.execute(select(func.setval(sequence, newest)))
