"""A fresh database for each test: SQLite, and PostgreSQL where SPINNERET_TEST_POSTGRES is set."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.records import CampaignRecord, NewExperiment, Origin, Status
from db.schema import create
from db.session import Database

POSTGRES = os.environ.get("SPINNERET_TEST_POSTGRES")
BACKENDS = ["sqlite", *(["postgresql"] if POSTGRES else [])]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty database, made once: copying it is quicker than migrating."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    create(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_file(template: Path, tmp_path: Path) -> Path:
    """Return the file of a fresh database."""
    return Path(shutil.copy(template, tmp_path / "spinneret.db"))


@pytest.fixture
def sqlite_url(sqlite_file: Path) -> str:
    """Return the URL of a fresh SQLite database."""
    return f"sqlite:///{sqlite_file}"


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of a fresh database of each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    assert POSTGRES is not None
    create(POSTGRES)
    yield POSTGRES
    _drop_everything(POSTGRES)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """Return an open, empty database."""
    with Database.open(url) as opened:
        yield opened


@pytest.fixture
def campaign(database: Database) -> CampaignRecord:
    """Return a campaign recorded in ``database``."""
    with database.write("init") as tx:
        return tx.campaigns.create("nanofibre", {"name": "nanofibre", "parameters": []})


@pytest.fixture
def experiment_id(database: Database, campaign: CampaignRecord) -> int:
    """Return the id of one completed experiment with two replicates of one outcome."""
    new = NewExperiment(
        Origin.MANUAL,
        Status.COMPLETED,
        label="M1",
        actual={"voltage": 18.0, "polymer": "PCL"},
        outcomes={"elongation.longitudinal": (80.0, 84.0)},
    )
    with database.write("log") as tx:
        return tx.experiments.add(campaign, [new])[0]


def _drop_everything(url: str) -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
