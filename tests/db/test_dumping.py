"""Backups of a PostgreSQL database: pg_dump where there is one, an answer where there is none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from postgres_server import PostgresServer, binaries, execute, libpq

from db.errors import DatabaseError, NotADatabaseError
from db.schema import backup, backup_name, check, create
from db.session import Database
from engine.workspace.databases import back_up


def test_a_dump_can_be_restored(
    own_postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(
        own_postgres.url(),
        "CREATE ROLE lab LOGIN PASSWORD 's3cret!'",
        "CREATE DATABASE mats OWNER lab",
        "CREATE DATABASE back",
    )
    url = own_postgres.tcp_url("mats", user="lab", password="s3cret%21")  # noqa: S106
    create(url)
    with Database.open(url) as database, database.write("init") as tx:
        tx.campaigns.create("one", {})
    monkeypatch.setenv("PATH", f"{own_postgres.bin}:{os.environ['PATH']}")
    copy = tmp_path / backup_name(url)
    assert copy.suffix == ".dump"
    backup(url, copy)
    back = own_postgres.url("back")
    restored = subprocess.run(
        ["pg_restore", "--no-owner", f"--dbname={libpq(back)}", copy],
        capture_output=True,
        text=True,
        check=False,
    )
    assert restored.returncode == 0, restored.stderr
    assert check(back) == []
    with Database.open(back) as database, database.read() as tx:
        assert [campaign.name for campaign in tx.campaigns.all()] == ["one"]


def test_without_pg_dump_it_is_told_what_to_do(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatabaseError, match="expected `pg_dump`") as caught:
        backup(postgres_url, tmp_path / "x.dump")
    assert "engine db copy --to sqlite:///" in caught.value.mend


def test_a_refusal_is_passed_on(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'server version mismatch' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(DatabaseError, match="server version mismatch"):
        back_up(postgres_url, tmp_path / "x.dump")
    assert os.listdir(tmp_path) == ["pg_dump"]


def test_only_what_is_ours(empty_postgres_url: str, tmp_path: Path) -> None:
    assert binaries().is_dir()
    with pytest.raises(NotADatabaseError, match="not one of Spinneret's"):
        backup(empty_postgres_url, tmp_path / "x.dump")
    assert os.listdir(tmp_path) == []
