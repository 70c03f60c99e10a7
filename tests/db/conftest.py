"""A fresh database for each test: SQLite and a real PostgreSQL (see tests/conftest.py)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.records import CampaignRecord, NewExperiment, Origin, Status
from db.schema import create
from db.session import Database

BACKENDS = ["sqlite", "postgresql"]


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
def url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a fresh database of each kind."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """Return an open, empty database."""
    with Database.open(url) as opened:
        yield opened


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    """Return an open, empty SQLite database, for what only a file has."""
    with Database.open(sqlite_url) as opened:
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
