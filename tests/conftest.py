"""What every test may ask for: a real PostgreSQL, and hypothesis told to be repeatable in CI.

Hypothesis draws the same cases at each run of continuous integration, others at the bench, and
measures no time.

Fixtures: ``postgres_server`` (the URL of a server, one for the whole run), ``postgres_url`` (a
fresh database of its own with all tables), ``empty_postgres_url`` (one without tables), and
``own_postgres`` (a server that this test may stop and start).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import settings
from postgres_server import PostgresServer, binaries, execute, fresh_database, in_database

# Tests are of correctness: what a first call imports takes as long as the machine is busy.
settings.register_profile("bench", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "bench")


def _require_binaries() -> None:
    try:
        binaries()
    except ModuleNotFoundError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL to test with: {error}, or set SPINNERET_TEST_POSTGRES")


@pytest.fixture(autouse=True)
def no_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no previews, unless a test asks for them: they take seconds."""
    monkeypatch.setenv("SPINNERET_GENERATOR__PRETRAINED", "none")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Return the URL of a PostgreSQL server where databases may be made.

    Set ``SPINNERET_TEST_POSTGRES`` to ``postgresql+psycopg://…`` to use another than our own.
    """
    given = os.environ.get("SPINNERET_TEST_POSTGRES")
    if given:
        yield given
        return
    _require_binaries()
    server = PostgresServer()
    yield server.url()
    server.remove()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """Return the name of a database with all tables: copying it is quicker than migrating."""
    from db.schema import create

    name = f"template_{uuid.uuid4().hex}"
    execute(postgres_server, f'CREATE DATABASE "{name}"')
    create(in_database(postgres_server, name))
    yield name
    execute(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """Return the URL of a fresh database with all tables, of this test alone."""
    with fresh_database(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """Return the URL of a fresh database without tables, of this test alone."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """Return a server that this test may stop; it listens on TCP too, where it asks passwords."""
    _require_binaries()
    server = PostgresServer(tcp=True)
    yield server
    server.remove()
