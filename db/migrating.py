"""The bridge to Alembic: where the migrations are, and how they are run and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Column, Table
from sqlalchemy.engine import Connection, Engine

from db.engines import make_engine
from db.errors import DatabaseError
from db.postgres import lock_out_migrations
from db.tables import metadata
from db.types import Json, Singles, UtcDateTime
from db.urls import display_name

if TYPE_CHECKING:
    from alembic.config import Config


def migrations_path() -> Path:
    """Return the folder of the migrations: inside the installed package, or in the checkout.

    Raises:
        DatabaseError: neither is there.
    """
    package = Path(__file__).resolve().parent
    # A wheel ships the checkout's `alembic/` under this name: a top-level `alembic` would hide the
    # library.
    for folder in (package / "migrations", package.parent / "alembic"):
        if (folder / "env.py").is_file():
            return folder
    raise DatabaseError(
        f"expected the migrations in {package / 'migrations'} or {package.parent / 'alembic'}, "
        "found none",
        mend="install spinneret again.",
        place=(package / "migrations", package.parent / "alembic"),
    )


def alembic_config() -> Config:
    """Return Alembic's configuration, wherever the working directory is."""
    from alembic.config import Config

    config = Config()
    # Alembic's configuration is a ConfigParser, to which % begins an interpolation.
    # https://alembic.sqlalchemy.org/en/latest/api/config.html#alembic.config.Config.set_main_option
    config.set_main_option("script_location", str(migrations_path()).replace("%", "%%"))
    return config


def migration_options() -> dict[str, Any]:
    """Return how ``alembic/env.py`` is to configure its context."""
    return {
        "target_metadata": metadata,
        # SQLite can alter little of a table in place: a new one is built and takes the old one's
        # name.
        # https://alembic.sqlalchemy.org/en/latest/batch.html
        "render_as_batch": True,
        "compare_type": True,
        "compare_server_default": True,
        "render_item": _render_item,
    }


def _render_item(kind: str, item: Any, context: Any) -> str | Literal[False]:
    """Write the column types of ``db.types`` into new migrations as what they are."""
    if kind == "type" and isinstance(item, Json | Singles | UtcDateTime):
        name = type(item).__name__
        context.imports.add(f"from db.types import {name}")
        return f"{name}()"
    return False


def migration_engine(url: str, *, may_create: bool = False) -> Engine:
    """Return an engine whose transactions suit migrations.

    They take the write lock at once, and foreign keys are off: SQLite changes a table by building
    a new one and dropping the old, which must not look like deleting its rows.
    """
    # Set on the connection before the transaction: within one the pragma does nothing.
    # https://www.sqlite.org/pragma.html#pragma_foreign_keys
    engine = make_engine(url, busy_timeout_s=30.0, foreign_keys=False, may_create=may_create)
    return engine.execution_options(spinneret_write=True)


def migrate(url: str) -> str:
    """Run the migrations up to the newest, in one transaction; return the revision there was.

    Raises:
        DatabaseError: rows would be left naming others that do not exist; nothing is changed then.
    """
    from alembic import command
    from alembic.migration import MigrationContext

    config = alembic_config()
    engine = migration_engine(url)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                lock_out_migrations(connection)
            former = MigrationContext.configure(connection).get_current_revision()
            # `env.py` uses this connection in place of one of its own, so that all is one
            # transaction.
            # https://alembic.sqlalchemy.org/en/latest/cookbook.html#sharing-a-connection-across-one-or-more-programmatic-migration-commands
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            # Foreign keys were off; before the commit it can still be undone.
            dangling = dangling_rows(connection)
            if dangling:
                raise DatabaseError(
                    f"upgrade: {display_name(url)} was left as it was, for {'; '.join(dangling)}.",
                    mend="Run `engine db check`.",
                    place=display_name(url),
                )
    finally:
        engine.dispose()
    return former or "none"


def dangling_rows(connection: Connection) -> list[str]:
    """Return a sentence for each table with rows that name others which do not exist (SQLite)."""
    # A server checks foreign keys at every statement, migrations included.
    if connection.dialect.name != "sqlite":
        return []
    counts: dict[tuple[str, str], int] = {}
    for table, _, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        counts[table, parent] = counts.get((table, parent), 0) + 1
    return [
        f"{n} row(s) of {table} name rows of {parent} that do not exist"
        for (table, parent), n in counts.items()
    ]


def differences(connection: Connection) -> list[str]:
    """Return a sentence for each way in which the tables differ from what this version expects."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = migration_options()
    context = MigrationContext.configure(connection, opts=options)
    return [_describe(difference) for difference in compare_metadata(context, metadata)]


def _describe(difference: Any) -> str:
    if isinstance(difference, list):  # several changes of one column
        return "; ".join(_describe(part) for part in difference)
    kind, *objects = difference
    names = [
        f"{item.table.name}.{item.name}" if isinstance(item, Column) else str(item.name)
        for item in objects
        if isinstance(item, Table | Column) or getattr(item, "name", None)
    ] or [str(item) for item in objects[:3] if isinstance(item, str)]
    verb, _, noun = str(kind).partition("_")
    adjective = {"add": "a missing", "remove": "an unexpected"}.get(verb, "a different")
    return f"{adjective} {noun.replace('_', ' ')}: {', '.join(names)}"
