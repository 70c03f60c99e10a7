"""Making, upgrading, checking and copying a database; the migrations against the tables."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from postgres_server import execute
from sqlalchemy import create_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from db.errors import DatabaseError
from db.migrating import alembic_config, migrate, migrations_path
from db.records import NewExperiment, Origin, Status
from db.revisions import HEAD, REVISIONS, UNRELEASED
from db.schema import backup, check, create, upgrade
from db.session import Database
from db.tables import metadata
from db.urls import sqlite_path

ROOT = Path(__file__).resolve().parents[2]
OLD = Path(__file__).parent / "revisions"


def statements(path: Path) -> dict[str, str]:
    """Return every table's and index's definition, constraints in a fixed order."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'"
        ).fetchall()
    return {name: normalised(sql) for name, sql in rows}


def normalised(sql: str) -> str:
    sql = re.sub(r'^CREATE TABLE "(\w+)"', r"CREATE TABLE \1", sql)  # as SQLite calls a rebuilt one
    lines = [" ".join(line.split()).rstrip(",") for line in sql.splitlines()]
    return "\n".join(sorted(line for line in lines if line))


class TestMigrations:
    def test_revisions_are_told_right(self) -> None:
        scripts = ScriptDirectory.from_config(alembic_config())
        found = [script.revision for script in scripts.walk_revisions()]
        assert tuple(reversed(found)) == REVISIONS
        assert scripts.get_heads() == [HEAD]

    def test_make_exactly_the_tables_of_the_models(self, sqlite_file: Path) -> None:
        # Alembic compares no CHECK constraints; their texts are compared here.
        engine = create_engine("sqlite://")
        expected = {}
        for table in metadata.sorted_tables:
            expected[table.name] = normalised(str(CreateTable(table).compile(engine)))
            for index in table.indexes:
                expected[str(index.name)] = normalised(str(CreateIndex(index).compile(engine)))
        assert statements(sqlite_file) == expected

    def test_can_be_taken_back(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'x.db'}"
        for words in (["upgrade", "head"], ["check"], ["downgrade", "base"], ["upgrade", "head"]):
            assert "error" not in alembic(url, *words).lower()
        assert check(url) == []

    def test_the_alembic_command_takes_the_url_from_the_configuration(
        self, tmp_path: Path, sqlite_file: Path
    ) -> None:
        config = tmp_path / "elsewhere.toml"
        config.write_text('[database]\nurl = "sqlite:///spinneret.db"\n')
        shown = alembic(None, "current", SPINNERET_CONFIG=str(config))
        assert f"{HEAD} (head)" in shown

    def test_the_alembic_command_makes_no_database_of_the_configuration(
        self, tmp_path: Path
    ) -> None:
        config = tmp_path / "config.toml"
        config.write_text('[database]\nurl = "sqlite:///spinneret.db"\n')
        shown = alembic(None, "check", expected=255, SPINNERET_CONFIG=str(config))
        assert "FAILED: expected a database at" in shown
        assert os.listdir(tmp_path) == ["config.toml"]

    def test_statements_can_be_printed(self) -> None:
        shown = alembic("postgresql://lab/mats", "upgrade", "head", "--sql")
        assert "CREATE UNIQUE INDEX uq_campaigns_active ON campaigns (is_active) WHERE" in shown
        assert "definition JSONB NOT NULL" in shown
        assert "at TIMESTAMP WITH TIME ZONE NOT NULL" in shown

    def test_there_is_an_old_database_of_each_revision(self) -> None:
        assert sorted(path.stem for path in OLD.glob("*.sql")) == sorted(REVISIONS)


class TestCreate:
    def test_holds_what_it_is_filled_with(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'mats.db'}"
        create(url, fill=record_a_campaign)
        assert os.listdir(tmp_path) == ["mats.db"]
        with Database.open(url) as database, database.read() as tx:
            assert [campaign.name for campaign in tx.campaigns.all()] == ["mats"]
        assert check(url) == []

    def test_writes_to_the_draft_only(self, tmp_path: Path) -> None:
        create(f"sqlite:///{tmp_path / 'mats.db'}", draft=tmp_path / "draft")
        assert os.listdir(tmp_path) == ["draft"]
        assert check(f"sqlite:///{tmp_path / 'draft'}") == []

    def test_overwrites_nothing(self, sqlite_url: str, sqlite_file: Path) -> None:
        before = sqlite_file.read_bytes()
        with pytest.raises(DatabaseError, match="overwrites nothing"):
            create(sqlite_url)
        assert sqlite_file.read_bytes() == before

    def test_needs_its_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DatabaseError) as caught:
            create(f"sqlite:///{tmp_path / 'sub' / 'mats.db'}")
        assert "mkdir -p" in caught.value.mend
        assert os.listdir(tmp_path) == []


class TestCheck:
    @pytest.mark.parametrize(
        ("damage", "finding"),
        [
            ("UPDATE experiments SET status = 'running'", "another status than their history"),
            ("UPDATE experiments SET note = 'x'", "another status than their history"),
            (
                "UPDATE measurements SET outcome = 'y' WHERE revision = 2",
                "supersede something else",
            ),
            (
                "DROP INDEX ix_experiments_campaign_id_id",
                "a missing index: ix_experiments_campaign_id_id",
            ),
            ("ALTER TABLE batches ADD COLUMN colour TEXT", "an unexpected column: batches.colour"),
            ("DROP TABLE refresh_runs", "a missing table: refresh_runs"),
            ("UPDATE alembic_version SET version_num = '9'", "install a newer spinneret"),
        ],
    )
    def test_finds(self, database: Database, experiment_id: int, damage: str, finding: str) -> None:
        with database.write("correct") as tx:
            tx.measurements.correct(experiment_id, "elongation.longitudinal", 1, 1.0)
        assert check(database.url) == []
        damaged(database.url, damage)
        findings = check(database.url)
        assert any(finding in found for found in findings), findings

    def test_finds_rows_that_name_none(self, sqlite_database: Database, sqlite_file: Path) -> None:
        with sqlite_database.write("init") as tx:
            campaign = tx.campaigns.create("mats", {})
            new = NewExperiment(Origin.MANUAL, Status.COMPLETED, outcomes={"x": (1.0, 2.0)})
            tx.experiments.add(campaign, [new])
        damaged(sqlite_database.url, "UPDATE measurements SET experiment_id = 77")
        findings = check(sqlite_database.url)
        wanted = "2 row(s) of measurements name rows of experiments that do not exist"
        assert any(wanted in found for found in findings), findings

    @pytest.mark.parametrize("revision", sorted(UNRELEASED))
    def test_one_from_before_the_first_release(self, sqlite_url: str, revision: str) -> None:
        damaged(sqlite_url, f"UPDATE alembic_version SET version_num = '{revision}'")
        (finding,) = check(sqlite_url)
        assert f"at revision {revision}" in finding
        assert "before 0.1.0: `engine export` with the version that made it" in finding

    def test_an_older_one(self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("db.schema.HEAD", "9999")
        monkeypatch.setattr("db.schema.REVISIONS", (*REVISIONS, "9999"))
        (finding,) = check(sqlite_url)
        assert finding.endswith("this version needs 9999: run `engine db upgrade`")


class TestBackup:
    def test_is_consistent_while_others_write(
        self, sqlite_database: Database, tmp_path: Path
    ) -> None:
        database = sqlite_database
        with database.write("init") as tx:
            campaign = tx.campaigns.create("mats", {})
        with database.write("log") as tx:
            tx.experiments.add(campaign, [NewExperiment(Origin.MANUAL, Status.RUNNING)])
            copy = tmp_path / "copy.db"
            backup(database.url, copy)
        assert check(f"sqlite:///{copy}") == []
        with Database.open(f"sqlite:///{copy}") as opened, opened.read() as tx:
            assert tx.campaigns.active() == campaign
            assert tx.experiments.find(campaign.id) == []


class TestUpgrade:
    def test_nothing_to_do(self, sqlite_url: str, sqlite_file: Path) -> None:
        before = sqlite_file.read_bytes()
        assert upgrade(sqlite_url) == (HEAD, HEAD)
        assert sqlite_file.read_bytes() == before

    def test_takes_everything_back_when_it_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def dangling(connection: object) -> list[str]:
            return ["1 row(s) of a name rows of b that do not exist"]

        path = tmp_path / "x.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        monkeypatch.setattr("db.migrating.dangling_rows", dangling)
        with pytest.raises(DatabaseError, match="was left as it was, for 1 row"):
            migrate(f"sqlite:///{path}")
        assert statements(path) == {}


def damaged(url: str, statement: str) -> None:
    """Run a statement behind the repositories' back."""
    path = sqlite_path(url)
    if path is None:
        execute(url, statement)
        return
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def record_a_campaign(database: Database) -> None:
    with database.write("init") as tx:
        tx.campaigns.create("mats", {})


def alembic(url: str | None, *words: str, expected: int = 0, **environment: str) -> str:
    """Run the ``alembic`` command as a developer does, from the root of the repository."""
    given = ["-x", f"url={url}"] if url is not None else []
    done = subprocess.run(
        [sys.executable, "-m", "alembic", *given, *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_migrations_are_found() -> None:
    assert (migrations_path() / "versions").is_dir()
    assert not (ROOT / "alembic" / "__init__.py").exists()
