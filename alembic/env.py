"""Migrations: run by ``db.schema``, or by the ``alembic`` command in a checkout.

The database, in this order: the connection that ``db.schema`` hands over, ``-x url=…`` (a SQLite
file is made if there is none), ``SPINNERET_DATABASE__URL``, then ``[database] url`` of the file
``SPINNERET_CONFIG`` or ./config.toml. Imports ``db`` only.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from alembic import context
from alembic.util import CommandError

from db.errors import DatabaseError
from db.migrating import migration_engine, migration_options
from db.tables import metadata
from db.urls import resolve_url


def given_url() -> str | None:
    """Return the URL that stands on the command line."""
    return context.get_x_argument(as_dictionary=True).get("url")


def database_url() -> str:
    """Return the URL that the command is about."""
    url = given_url() or os.environ.get("SPINNERET_DATABASE__URL")
    config = Path(os.environ.get("SPINNERET_CONFIG", "config.toml"))
    if not url and config.is_file():
        content = tomllib.loads(config.read_text(encoding="utf-8"))
        url = content.get("database", {}).get("url")
    return resolve_url(url or "sqlite:///spinneret.db", config.resolve().parent)


def run_offline() -> None:
    """Print the statements instead of running them (``alembic upgrade head --sql``)."""
    context.configure(url=database_url(), target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run on the connection handed over, in its transaction; else on one of our own."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        context.configure(connection=connection, **migration_options())
        context.run_migrations()
        return
    try:
        engine = migration_engine(database_url(), may_create=given_url() is not None)
    except DatabaseError as error:
        raise CommandError(error.worded("cli")) from error
    with engine.begin() as connection:
        context.configure(connection=connection, **migration_options())
        context.run_migrations()
    engine.dispose()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
